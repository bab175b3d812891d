"""Whether one trace, session or key runs away, seen within minutes. Pure.

An agent that loops spends in minutes what its whole project spends in an hour. No history of its own is needed: what the
project usually spends in as many minutes is the measure, and money the gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MINUTES = 10

_SHARE = 0.5
"""Of what the whole project usually spends in the same time."""

_KEY_TIMES = 5.0
"""A key speaks for many; it is compared with itself, or when it is new with half of the project."""

_LEAST_CALLS = 20

Scope = Literal["trace", "session", "api_key"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Spender:
    """What one trace, session or key cost in the last minutes; ``usual`` is its own habit, where it can have one."""

    scope: Scope
    value: str
    cost: float
    calls: int
    usual: float = 0.0


def runs_away(spender: Spender, *, project_usual: float, floor: float) -> bool:
    """``project_usual``: what the project spends in as many minutes, by habit. ``floor``: the least money that matters."""
    if spender.calls < _LEAST_CALLS or spender.cost < floor:
        return False
    least = _SHARE * project_usual
    if spender.scope == "api_key" and spender.usual:
        least = _KEY_TIMES * spender.usual
    return spender.cost >= least
