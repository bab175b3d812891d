"""Why spend is unusual: where it comes from, and what about it changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from outlay_collector.ledger.bridge import Bridge, Effect

DIMENSIONS = ("feature", "model", "team", "service", "environment", "api_key")
"""Looked at in this order; the earlier wins where two tell the same."""

_LEAST_SHARE = 0.5
"""A value is named as the place when it brought at least so much of the change."""

SAID = {
    Effect.VOLUME: "more calls",
    Effect.RETRIES: "more attempts per success",
    Effect.MIX: "calls that moved to dearer or new models",
    Effect.SIZE: "longer prompts or answers",
    Effect.CACHE: "less caching",
    Effect.PRICE: "higher prices",
    Effect.OTHER: "charges that are not calls",
    Effect.UNKNOWN: "calls without a price",
}
_LESS = {
    Effect.VOLUME: "fewer calls",
    Effect.RETRIES: "fewer attempts per success",
    Effect.MIX: "calls that moved to cheaper models or ended",
    Effect.SIZE: "shorter prompts or answers",
    Effect.CACHE: "more caching",
    Effect.PRICE: "lower prices",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a change comes from: ``share`` of it is brought by this value of this dimension."""

    dimension: str
    value: str | None
    change: Decimal
    share: float


def place(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], dimensions: Sequence[str] = DIMENSIONS
) -> Place | None:
    """The value that brought most of the change and more of it than its usual share. ``before`` and ``after`` are rows of
    spend over windows of equal length, grouped by all ``dimensions``; ``None`` when it comes from everywhere."""
    total = _cost(after) - _cost(before)
    if not total:
        return None
    best: tuple[float, Place] | None = None
    for dimension in dimensions:
        was, now = _by(before, dimension), _by(after, dimension)
        if len(was.keys() | now.keys()) < 2:
            continue  # where there is one value only, naming it says nothing
        for value in was.keys() | now.keys():
            change = now.get(value, Decimal(0)) - was.get(value, Decimal(0))
            share = float(change / total)
            usual = float(was.get(value, Decimal(0)) / _cost(before)) if _cost(before) else 0.0
            surprise = min(share, 1.0) - usual
            if share >= _LEAST_SHARE and surprise > 0.1 and (best is None or surprise > best[0] + 0.02):
                best = (surprise, Place(dimension=dimension, value=value, change=change, share=share))
    return best[1] if best else None


def main_effect(found: Bridge) -> Effect | None:
    """What brought most of the change, in its direction."""
    change = found.after - found.before
    same = {effect: amount for effect, amount in found.effects.items() if (amount > 0) == (change > 0)}
    return max(same, key=lambda effect: abs(same[effect]), default=None)


def sentence(where: Place | None, effect: Effect | None, *, more: bool) -> str:
    """``Mostly feature chat (91 %): more calls.``"""
    said = None if effect is None else (SAID if more else _LESS).get(effect, SAID[effect])
    if where is None:
        return f"It comes from everywhere: {said}." if said else "It comes from everywhere."
    share = f"{min(where.share, 1.0) * 100:.0f} %"
    named = f"{where.dimension.replace('_', ' ')} {where.value or '(none)'}"
    return f"Mostly {named} ({share}){f': {said}' if said else ''}."


def _by(rows: Sequence[Mapping[str, Any]], dimension: str) -> dict[str | None, Decimal]:
    found: dict[str | None, Decimal] = {}
    for row in rows:
        found[row[dimension]] = found.get(row[dimension], Decimal(0)) + (row["cost"] or Decimal(0))
    return found


def _cost(rows: Sequence[Mapping[str, Any]]) -> Decimal:
    return sum((row["cost"] or Decimal(0) for row in rows), Decimal(0))
