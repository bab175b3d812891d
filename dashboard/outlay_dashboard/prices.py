"""How the prices of a model went, from its rows in the price book. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from outlay_dashboard.answers import Price

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)  # a price without a first day held always
BLENDED = "blended"  # eight tokens in for two out: one figure to compare models by
_UNITS = ("input", "cache_read", "output")
_STANDARD = (None, "standard")


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """One unit's price per million: from ``moments[i]`` on it is ``amounts[i]``."""

    unit: str
    moments: tuple[datetime, ...]
    amounts: tuple[Decimal, ...]
    currency: str


def courses(rows: Sequence[Price], *, now: datetime) -> list[Course]:
    """Input, cached input, output and their blend at the standard tier and the lowest context, as far as known.

    Of several rows that hold at once the first wins: the API gives those that are asked first in front. What begins after
    ``now`` is left out.
    """
    found: dict[str, Course] = {}
    for unit in _UNITS:
        mine = [
            row
            for row in rows
            if row.unit == unit and row.tier in _STANDARD and not row.context_over and not row.has_hours
        ]
        course = _course(unit, mine, now)
        if course:
            found[unit] = course
    if "input" in found and "output" in found:
        blended = _blend(found["input"], found["output"])
        if blended:
            found[BLENDED] = blended
    return list(found.values())


def _course(unit: str, rows: Sequence[Price], now: datetime) -> Course | None:
    moments = sorted({row.valid_from or BEGINNING for row in rows if (row.valid_from or BEGINNING) <= now})
    steps = [(moment, _at(rows, moment)) for moment in moments]
    known = [(moment, row) for moment, row in steps if row is not None]
    if not known:
        return None
    amounts = tuple(row.amount * 1_000_000 / row.per for _, row in known)
    return Course(
        unit=unit, moments=tuple(moment for moment, _ in known), amounts=amounts, currency=known[0][1].currency
    )


def _at(rows: Iterable[Price], moment: datetime) -> Price | None:
    return next(
        (
            row
            for row in rows
            if (row.valid_from or BEGINNING) <= moment and (row.valid_to is None or row.valid_to > moment)
        ),
        None,
    )


def _blend(first: Course, second: Course) -> Course | None:
    moments = sorted({*first.moments, *second.moments})
    known = [moment for moment in moments if moment >= max(first.moments[0], second.moments[0])]
    if not known or first.currency != second.currency:
        return None
    amounts = tuple((8 * _value(first, moment) + 2 * _value(second, moment)) / 10 for moment in known)
    return Course(unit=BLENDED, moments=tuple(known), amounts=amounts, currency=first.currency)


def _value(course: Course, moment: datetime) -> Decimal:
    return next(
        amount for start, amount in reversed(list(zip(course.moments, course.amounts, strict=True))) if start <= moment
    )
