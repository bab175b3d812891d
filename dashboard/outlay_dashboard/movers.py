"""What changed between two windows, group by group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from outlay_dashboard.answers import SpendRow, totals_by
from outlay_dashboard.windows import Window


@dataclass(frozen=True, kw_only=True, slots=True)
class Mover:
    """A group's spend before and after; zero where it did not spend, never where its price is unknown."""

    key: str | None
    before: Decimal
    after: Decimal

    @property
    def difference(self) -> Decimal:
        return self.after - self.before


def recorded_since(rows: Iterable[SpendRow], before: Window) -> datetime | None:
    """When calls began, if that was too late in the window ``before`` to compare with it; None if one may.

    The first weeks of an installation would otherwise be told as growth. ``rows`` are per period of ``before``.
    """
    first = min((row.period_start for row in rows if row.calls and row.period_start), default=None)
    if first is None:
        return None
    middle = before.start + (before.end - before.start) / 2
    return first if first > middle else None


def movers(before: Sequence[SpendRow], after: Sequence[SpendRow], dimension: str, *, most: int = 6) -> list[Mover]:
    """The groups whose spend changed most, largest change first. A group without a price on a side where it made
    calls is left out: its change is unknown."""
    was = totals_by(before, lambda row: row.of.get(dimension))
    now = totals_by(after, lambda row: row.of.get(dimension))
    found: list[Mover] = []
    for key in dict.fromkeys([*now, *was]):
        sides = [side.get(key) for side in (was, now)]
        if any(sums is not None and sums.cost is None for sums in sides):
            continue
        mover = Mover(key=key, before=_cost(sides[0]), after=_cost(sides[1]))
        if mover.difference:
            found.append(mover)
    return sorted(found, key=lambda mover: (-abs(mover.difference), mover.key or ""))[:most]


def _cost(sums: object) -> Decimal:
    return getattr(sums, "cost", None) or Decimal(0)
