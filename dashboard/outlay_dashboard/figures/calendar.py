"""Days as a calendar: weeks below each other, Monday first, each day with its number of events and the gravest colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from html import escape

from outlay_dashboard import formats

GRAVITY = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Marked:
    """How many there were on a day, and the gravest of them."""

    count: int
    gravest: str


def marked(found: list[tuple[date, str]]) -> dict[date, Marked]:
    """Events (day and severity) by day; a severity that is not known counts as the least."""
    days: dict[date, Marked] = {}
    for day, severity in found:
        old = days.get(day, Marked(0, GRAVITY[0]))
        graver = severity if _rank(severity) > _rank(old.gravest) else old.gravest
        days[day] = Marked(old.count + 1, graver)
    return days


def calendar(first: date, last: date, days: Mapping[date, Marked], language: str) -> str:
    """HTML of the whole weeks from ``first`` to ``last``, both included; days outside are empty."""
    monday = first - timedelta(days=first.weekday())
    heads = "".join(
        f'<div class="head">{escape(formats.weekday(monday + timedelta(days=place), language))}</div>'
        for place in range(7)
    )
    count = ((last - monday).days // 7 + 1) * 7
    cells = "".join(_cell(monday + timedelta(days=place), first, last, days, language) for place in range(count))
    return f'<div class="o o-calendar">{heads}{cells}</div>'


def _cell(day: date, first: date, last: date, days: Mapping[date, Marked], language: str) -> str:
    if not first <= day <= last:
        return '<div class="day out"></div>'
    named = formats.short_day(day, language) if day.day == 1 or day == first else str(day.day)
    found = days.get(day)
    if found is None:
        return f'<div class="day">{escape(named)}</div>'
    return f'<div class="day {escape(found.gravest)}">{escape(named)}<b>{found.count}</b></div>'


def _rank(severity: str) -> int:
    return GRAVITY.index(severity) if severity in GRAVITY else 0
