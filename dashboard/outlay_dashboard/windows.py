"""Windows of time: what "the last 30 days" means, what came before it, and how it is cut into periods.

Every window is half-open: ``start`` included, ``end`` excluded. Days begin at midnight of the instance's zone, so
a day with a clock change has 23 or 25 hours and is still one day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR, DAY, WEEK, MONTH = "hour", "day", "week", "month"
PRESETS = ("24h", "7d", "30d", "90d", "month", "last_month")
DEFAULT = "30d"

_DAYS = {"7d": 7, "30d": 30, "90d": 90}
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """``name`` is a preset or ``custom``; the zone is that of ``start``."""

    name: str
    start: datetime
    end: datetime
    zone: ZoneInfo

    @property
    def interval(self) -> str:
        """The period that gives between a dozen and a hundred marks."""
        length = self.end - self.start
        if length <= timedelta(hours=73):
            return HOUR
        if length <= timedelta(days=93):
            return DAY
        return WEEK if length <= timedelta(days=400) else MONTH

    def as_parameter(self) -> str:
        """How the window stands in the URL: presets by name, whole days as ``2026-11-01..2026-11-07`` (last day
        included, as people say it), anything else as ``2026-11-01T14..2026-11-01T15`` (end excluded)."""
        if self.name != "custom":
            return self.name
        if _is_midnight(self.start) and _is_midnight(self.end):
            return f"{self.start.date()}..{(self.end - _ONE_DAY).date()}"
        return f"{_to_minutes(self.start)}..{_to_minutes(self.end)}"


def window_named(text: str, now: datetime, zone: ZoneInfo) -> Window | None:
    """The window a URL or a control names, as seen at ``now`` (aware); None if the text names none."""
    here = now.astimezone(zone)
    if text == "24h":
        end = here.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return Window(name=text, start=_shifted(end, timedelta(hours=-24)), end=end, zone=zone)
    if text in _DAYS:
        first = here.date() - (_DAYS[text] - 1) * _ONE_DAY
        return Window(name=text, start=_midnight(first, zone), end=_end_of_hour(here), zone=zone)
    if text == "month":
        return Window(name=text, start=_midnight(here.date().replace(day=1), zone), end=_end_of_hour(here), zone=zone)
    if text == "last_month":
        this = here.date().replace(day=1)
        return Window(name=text, start=_midnight(_month_before(this), zone), end=_midnight(this, zone), zone=zone)
    return _custom(text, zone)


def window_between(start: datetime, end: datetime, zone: ZoneInfo) -> Window:
    return Window(name="custom", start=start.astimezone(zone), end=end.astimezone(zone), zone=zone)


def window_of_days(first: date, last: date, zone: ZoneInfo) -> Window:
    """From the first moment of ``first`` to the last moment of ``last``."""
    return Window(name="custom", start=_midnight(first, zone), end=_midnight(last + _ONE_DAY, zone), zone=zone)


def previous(window: Window) -> Window:
    """The window to compare with: as long, directly before; for months the same part of the month before."""
    if window.name in ("month", "last_month"):
        start = _midnight(_month_before(window.start.date()), window.zone)
        if window.name == "last_month":
            return Window(name="custom", start=start, end=window.start, zone=window.zone)
        days_in = window.end.replace(tzinfo=None) - window.start.replace(tzinfo=None)
        end = (start.replace(tzinfo=None) + days_in).replace(tzinfo=window.zone)
        return Window(name="custom", start=start, end=min(end, window.start), zone=window.zone)
    days = _whole_days(window)
    if days is None:
        return Window(
            name="custom", start=_shifted(window.start, window.start - window.end), end=window.start, zone=window.zone
        )
    # Shifted on the wall clock, so that Monday morning meets a morning also across a clock change.
    back = timedelta(days=days)
    return Window(name="custom", start=window.start - back, end=window.end - back, zone=window.zone)


def periods(window: Window) -> list[datetime]:
    """The start of every period of the window, in its zone. The first may start before the window does."""
    return list(_periods(window))


def period_end(start: datetime, interval: str) -> datetime:
    """When the period that begins at ``start`` ends; days and longer follow the calendar, hours the sun."""
    zone = start.tzinfo
    if interval == HOUR:
        return (start.astimezone(UTC) + timedelta(hours=1)).astimezone(zone)
    if interval == DAY:
        following = start.date() + _ONE_DAY
    elif interval == WEEK:
        following = start.date() + 7 * _ONE_DAY
    else:
        following = (start.date().replace(day=1) + timedelta(days=32)).replace(day=1)
    return datetime.combine(following, time(), tzinfo=zone)


def _periods(window: Window) -> Iterator[datetime]:
    start = _period_start(window.start, window.interval)
    while start < window.end:
        yield start
        start = period_end(start, window.interval)


def _period_start(moment: datetime, interval: str) -> datetime:
    if interval == HOUR:
        return moment.replace(minute=0, second=0, microsecond=0)
    first = moment.date()
    if interval == WEEK:
        first -= first.weekday() * _ONE_DAY
    elif interval == MONTH:
        first = first.replace(day=1)
    return datetime.combine(first, time(), tzinfo=moment.tzinfo)


def _custom(text: str, zone: ZoneInfo) -> Window | None:
    first, dots, last = text.partition("..")
    if not dots:
        return None
    try:
        if "T" in text:
            start, end = (_at(part, zone) for part in (first, last))
            return window_between(start, end, zone) if start < end else None
        days = date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        return None
    return window_of_days(*days, zone) if days[0] <= days[1] else None


def _at(text: str, zone: ZoneInfo) -> datetime:
    moment = datetime.fromisoformat(text if ":" in text else f"{text}:00")
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _whole_days(window: Window) -> int | None:
    if window.name in _DAYS:
        return _DAYS[window.name]
    if _is_midnight(window.start) and _is_midnight(window.end):
        return (window.end.date() - window.start.date()).days
    return None


def _shifted(moment: datetime, by: timedelta) -> datetime:
    """Moved by real hours: arithmetic on aware datetimes of one zone moves the wall clock instead."""
    return (moment.astimezone(UTC) + by).astimezone(moment.tzinfo)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)


def _month_before(first: date) -> date:
    return (first - _ONE_DAY).replace(day=1)


def _end_of_hour(moment: datetime) -> datetime:
    """Whole hours, so that the answer comes from rollups and stays in caches for a while."""
    return _shifted(moment.replace(minute=0, second=0, microsecond=0), timedelta(hours=1))


def _is_midnight(moment: datetime) -> bool:
    return moment.time() == time()


def _to_minutes(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H}" if moment.minute == 0 else f"{moment:%Y-%m-%dT%H:%M}"
