"""Three views of what pools cost that no call used: apart, spread over calls, or with the owner. The total is one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from outlay_collector.gpu.allocate import NANO, shares


@dataclass(frozen=True, kw_only=True, slots=True)
class TeamCost:
    """``apart``: the team's calls and jobs alone. ``spread``: with its part of the rest, by what it used. ``owner``: with
    all of the rest, if the pool is its own."""

    team: str | None
    apart: Decimal
    spread: Decimal
    owner: Decimal


def teams(used: Mapping[str | None, Decimal], rest: Decimal, owner: str | None) -> list[TeamCost]:
    """By team, the dearest first. What nobody used of a pool that nobody used stays with its owner in every view."""
    names = sorted({*used, owner} if rest else used, key=lambda name: (-used.get(name, Decimal(0)), name or ""))
    weights = [_nano(used.get(name, Decimal(0))) for name in names]
    parts = shares(_nano(rest), weights) if any(weights) else [_nano(rest) if name == owner else 0 for name in names]
    return [
        TeamCost(
            team=name,
            apart=used.get(name, Decimal(0)),
            spread=used.get(name, Decimal(0)) + Decimal(part).scaleb(-9),
            owner=used.get(name, Decimal(0)) + (rest if name == owner else 0),
        )
        for name, part in zip(names, parts, strict=True)
    ]


def _nano(amount: Decimal) -> int:
    return int(amount * NANO)
