"""Rows become a stack: the largest groups each on their own, the rest as one, aligned to the periods of a window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from outlay_dashboard.answers import SpendRow, Totals, total, totals_by
from outlay_dashboard.measures import COST, Measure

KEPT = 7
DAYS_OF_WEEK = 7
OTHER = "\x00other"  # never a real value: a dimension holds no control characters


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One layer of a stack. ``key`` is the dimension's value, None where calls carry none, ``OTHER`` for the rest.

    ``values`` has one entry per period: None where calls were made but their measure is unknown (no price), and zero where
    there were none at all. ``total`` is the measure over the whole window.
    """

    key: str | None
    values: tuple[Decimal | None, ...]
    total: Decimal | None
    totals: Totals
    members: int = 1  # how many groups it holds: more than one only for OTHER

    @property
    def is_unknown(self) -> bool:
        return self.total is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """Series from the largest down, OTHER after them, the unknown last."""

    dimension: str
    measure: Measure
    periods: tuple[datetime, ...]
    series: tuple[Series, ...]
    totals: Totals

    def values_per_period(self) -> list[Decimal | None]:
        """The sum over the series. Only for a measure that adds up."""
        return [_sum(values) for values in zip(*(series.values for series in self.series), strict=True)]


def stack(
    rows: Sequence[SpendRow],
    dimension: str,
    periods: Sequence[datetime],
    *,
    measure: Measure = COST,
    keep: int = KEPT,
) -> Stack:
    """Groups of ``dimension`` ranked by ``measure``; beyond ``keep`` they become OTHER, unless only one would."""
    groups = totals_by(rows, lambda row: row.of.get(dimension))
    values = {key: measure.of(sums) for key, sums in groups.items()}
    known = sorted(
        (key for key, value in values.items() if value is not None), key=lambda key: (-(values[key] or 0), key or "")
    )
    unknown = sorted((key for key, value in values.items() if value is None), key=lambda key: -groups[key].calls)
    kept = known if len(known) <= keep + 1 else known[:keep]
    rest = frozenset(known[len(kept) :])
    place: dict[datetime | None, int] = {moment.astimezone(UTC): index for index, moment in enumerate(periods)}

    def series(key: str | None, belongs: Callable[[str | None], bool], members: int = 1) -> Series:
        mine = [row for row in rows if belongs(row.of.get(dimension))]
        sums = total(mine)
        aligned = _aligned(mine, place, len(periods), measure)
        return Series(key=key, values=aligned, total=measure.of(sums), totals=sums, members=members)

    layers = [series(key, lambda value, key=key: value == key) for key in kept]
    if rest:
        layers.append(series(OTHER, lambda value: value in rest, len(rest)))
    layers += [series(key, lambda value, key=key: value == key) for key in unknown]
    return Stack(dimension=dimension, measure=measure, periods=tuple(periods), series=tuple(layers), totals=total(rows))


def per_period(rows: Iterable[SpendRow], periods: Sequence[datetime]) -> list[Totals]:
    """One total per period, empty where nothing happened."""
    found = totals_by(rows, lambda row: row.period_start)
    return [found.get(moment.astimezone(UTC), Totals()) for moment in periods]


def weeks_back(length_days: int) -> int:
    """By how many days to shift back so that weekdays meet weekdays; the stretch itself where it holds no week."""
    return length_days // DAYS_OF_WEEK * DAYS_OF_WEEK or length_days


def _aligned(
    rows: Iterable[SpendRow], place: Mapping[datetime | None, int], length: int, measure: Measure
) -> tuple[Decimal | None, ...]:
    # Without calls a sum is zero, but a ratio of nothing to nothing is unknown.
    values: list[Decimal | None] = [Decimal(0) if measure.adds_up else None] * length
    for start, sums in totals_by(rows, lambda row: row.period_start).items():
        index = place.get(start)
        if index is not None:
            values[index] = measure.of(sums)
    return tuple(values)


def _sum(values: Iterable[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) if known else None
