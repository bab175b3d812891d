"""Which stretch of time a report is about, and the one before it to compare with. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from outlay_collector.errors import BadRequest
from outlay_collector.ledger.buckets import Window

_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_EXAMPLES = "last-week, last-month, this-week, this-month, 2026-W46, 2026-10 or 2026-11-20"


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days ``[first, end)`` of a zone, and as many or as long before: the week, month or days before it.

    A period that is not over yet is compared with as much of the one before as has passed of it.
    """

    first: date
    end: date
    before: date
    zone: ZoneInfo
    now: datetime

    @property
    def window(self) -> Window:
        return Window(_midnight(self.first, self.zone), min(_midnight(self.end, self.zone), self.now))

    @property
    def previous(self) -> Window:
        start = _midnight(self.before, self.zone)
        whole = _midnight(self.first, self.zone)
        return Window(start, min(start + (self.window.end - self.window.start), whole) if self.is_running else whole)

    @property
    def is_running(self) -> bool:
        return self.now < _midnight(self.end, self.zone)

    @property
    def days(self) -> list[date]:
        """Those that have begun."""
        last = min(self.end, self.now.astimezone(self.zone).date() + timedelta(days=1))
        return [self.first + timedelta(days=n) for n in range((last - self.first).days)]


def parse_period(text: str, zone: ZoneInfo, now: datetime) -> Period:
    """``last-week``, ``2026-W46``, ``this-month``, ``2026-10``, a day; BadRequest that lists these for anything else."""
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    named = {
        "this-week": monday,
        "last-week": monday - timedelta(days=7),
        "this-month": today.replace(day=1),
        "last-month": _month_before(today.replace(day=1)),
    }
    if text in named:
        start = named[text]
        found = _week(start, zone, now) if text.endswith("week") else _month(start, zone, now)
    else:
        found = _dated(text, zone, now)
    if found.window.start >= now:
        raise BadRequest(f"{text} has not begun: it starts on {found.first}.")
    return found


def between(first: date, end: date, zone: ZoneInfo, now: datetime) -> Period:
    """Days ``[first, end)``, compared with as many days before them."""
    if first >= end:
        raise BadRequest(f"The period must end after it begins: {first} is not before {end}.")
    if _midnight(first, zone) >= now:
        raise BadRequest(f"The period has not begun: it starts on {first}.")
    return Period(first, end, first - (end - first), zone, now)


def _dated(text: str, zone: ZoneInfo, now: datetime) -> Period:
    try:
        if week := _WEEK.fullmatch(text):
            return _week(date.fromisocalendar(int(week[1]), int(week[2]), 1), zone, now)
        if month := _MONTH.fullmatch(text):
            return _month(date(int(month[1]), int(month[2]), 1), zone, now)
        day = date.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"{text!r:.40} is no period; write {_EXAMPLES}.") from error
    return between(day, day + timedelta(days=1), zone, now)


def _week(monday: date, zone: ZoneInfo, now: datetime) -> Period:
    return Period(monday, monday + timedelta(days=7), monday - timedelta(days=7), zone, now)


def _month(first: date, zone: ZoneInfo, now: datetime) -> Period:
    return Period(first, (first + timedelta(days=31)).replace(day=1), _month_before(first), zone, now)


def _month_before(first: date) -> date:
    return (first - timedelta(days=1)).replace(day=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
