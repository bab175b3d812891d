"""Stretches of time that budgets are for: days, ISO weeks, months, quarters and years of a zone, or the last N days. Pure.

Periods are half-open and tile time: each ends at the instant at which the next begins, also where a clock change makes a
day of 23 or 25 hours or leaves it without a midnight.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from outlay_collector.ledger.buckets import DAY, HOUR, Window

Kind = Literal["day", "week", "month", "quarter", "year", "rolling"]
KINDS: tuple[Kind, ...] = get_args(Kind)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""When the one period of a rolling budget is said to start."""

_QUARTER_HOUR = timedelta(minutes=15)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """``anchor_day``: of months, quarters and years, the day they begin on (1 to 28). ``fiscal_start``: the month that
    years and quarters are counted from. ``days``: of rolling budgets."""

    kind: Kind
    zone: ZoneInfo
    anchor_day: int = 1
    fiscal_start: int = 1
    days: int = 30

    @property
    def is_rolling(self) -> bool:
        return self.kind == "rolling"


@dataclass(frozen=True, slots=True)
class Slots:
    """How the time of a budget is cut for its sums: slots of ``width`` from ``phase`` after full hours of UTC."""

    width: timedelta
    phase: timedelta

    def start_of(self, instant: datetime) -> datetime:
        origin = EPOCH + self.phase
        return origin + (instant - origin) // self.width * self.width


@lru_cache(maxsize=1024)
def slots_of(zone: ZoneInfo) -> Slots:
    """Hours, where those of ``zone`` begin at the same minute of UTC all year; else quarters of an hour.

    So whatever midnight is in the zone, no slot holds instants of two days.
    """
    instants = (datetime(year, month, 1, tzinfo=UTC) for year in range(2020, 2041) for month in (1, 7))
    offsets = {instant.astimezone(zone).utcoffset() or timedelta(0) for instant in instants}
    phases = {-offset % HOUR for offset in offsets}
    return Slots(HOUR, phases.pop()) if len(phases) == 1 else Slots(_QUARTER_HOUR, timedelta(0))


def period_at(calendar: Calendar, instant: datetime) -> Window:
    """The period that holds ``instant``; of a rolling budget the last N days up to the slot that holds it."""
    if calendar.is_rolling:
        slots = slots_of(calendar.zone)
        end = slots.start_of(instant) + slots.width
        return Window(end - calendar.days * DAY, end)
    first = first_day(calendar, instant.astimezone(calendar.zone).date())
    return period_from(calendar, first)


def period_from(calendar: Calendar, first: date) -> Window:
    """The period whose first day is ``first``."""
    return Window(midnight(first, calendar.zone), midnight(next_first_day(calendar, first), calendar.zone))


def key_of(calendar: Calendar, period: Window) -> datetime:
    """What the period is known by, in alerts: its start."""
    return EPOCH if calendar.is_rolling else period.start


def first_day(calendar: Calendar, day: date) -> date:
    """The first day of the period that holds ``day``."""
    match calendar.kind:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "rolling":
            raise ValueError("a rolling budget has no first day")
        case _:
            months = day.year * 12 + day.month - 1 - (day.day < calendar.anchor_day)
            length = _MONTHS[calendar.kind]
            months -= (months - (calendar.fiscal_start - 1)) % length if length > 1 else 0
            return date(months // 12, months % 12 + 1, calendar.anchor_day)


def next_first_day(calendar: Calendar, first: date) -> date:
    match calendar.kind:
        case "day":
            return first + DAY
        case "week":
            return first + 7 * DAY
        case "rolling":
            raise ValueError("a rolling budget has no next period")
        case _:
            months = first.year * 12 + first.month - 1 + _MONTHS[calendar.kind]
            return date(months // 12, months % 12 + 1, first.day)


def number_of(calendar: Calendar, first: date) -> int:
    """Periods counted from some beginning: the difference of two says how many lie between."""
    match calendar.kind:
        case "day":
            return first.toordinal()
        case "week":
            return first.toordinal() // 7
        case "rolling":
            return 0
        case _:
            return (first.year * 12 + first.month - 1) // _MONTHS[calendar.kind]


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of ``day``: where clocks skip midnight, the instant they do."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def label(calendar: Calendar, period: Window) -> str:
    """The period as people call it: ``2026-11``, ``2026-W47``, ``2026-11-15 – 2026-12-14``, ``last 30 days``."""
    if calendar.is_rolling:
        return f"last {calendar.days} days"
    first = period.start.astimezone(calendar.zone).date()
    last = next_first_day(calendar, first) - DAY
    plain = calendar.anchor_day == 1
    match calendar.kind:
        case "day":
            return first.isoformat()
        case "week":
            year, week, _ = first.isocalendar()
            return f"{year}-W{week:02}"
        case "month" if plain:
            return f"{first:%Y-%m}"
        case "quarter" if plain and calendar.fiscal_start == 1:
            return f"{first.year}-Q{(first.month + 2) // 3}"
        case "year" if plain and calendar.fiscal_start == 1:
            return str(first.year)
        case _:
            return f"{first} – {last}"
