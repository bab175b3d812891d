"""A question about spend as values, checked; and which source can answer which part of its window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from outlay_collector.db.names import ALLOCATION_DIMENSIONS, KEYED
from outlay_collector.errors import BadRequest
from outlay_collector.ledger.buckets import DAY, HOUR, Window, day_of, day_window, hour_of
from outlay_collector.ledger.dimensions import TAG

RAW_DIMENSIONS = ("step", "tool", *KEYED)
"""Dimensions that only rows know; those of one key at a time have sums of past days and hours."""

DIMENSIONS = ("project", *ALLOCATION_DIMENSIONS, *RAW_DIMENSIONS)
MAX_GROUPS = 4
MAX_WINDOW = timedelta(days=3700)


class Interval(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    NONE = "none"


class Basis(StrEnum):
    BOOKED = "booked"
    INCURRED = "incurred"


@dataclass(frozen=True, slots=True)
class Filter:
    """``dimension`` is one of ``values``; with ``negated`` it is none of them. No values: it is there at all."""

    dimension: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """``window`` is half-open; days, weeks and months are those of ``zone``."""

    project_ids: tuple[int, ...]
    window: Window
    interval: Interval = Interval.NONE
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    group_by: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    basis: Basis = Basis.BOOKED

    def dimensions(self) -> set[str]:
        return {*self.group_by, *(item.dimension for item in self.filters)}


def known_dimension(name: str) -> str:
    """The name, if there is such a dimension; BadRequest that lists them otherwise."""
    if name in DIMENSIONS or (name.startswith(TAG) and 0 < len(name) - len(TAG) <= 200):
        return name
    raise BadRequest(f"There is no dimension {name!r:.80}; there are {', '.join(DIMENSIONS)} and tag:<key>.")


def parse_group_by(text: str | None) -> tuple[str, ...]:
    """``a,b`` as dimensions, each once."""
    names = tuple(dict.fromkeys(known_dimension(name.strip()) for name in (text or "").split(",") if name.strip()))
    if len(names) > MAX_GROUPS:
        raise BadRequest(f"At most {MAX_GROUPS} dimensions can be grouped by at once; got {len(names)}.")
    return names


def parse_filters(texts: Iterable[str]) -> tuple[Filter, ...]:
    """``team:search`` (is; several of one dimension: is one of), ``team!:search`` (is not), ``team:*`` (is there)."""
    found: dict[tuple[str, bool], list[str]] = {}
    for text in texts:
        name, separator, value = _split(text)
        if not separator:
            raise BadRequest(f"Filter {text!r:.120} is not of the form dimension:value.")
        negated = name.endswith("!")
        found.setdefault((known_dimension(name.removesuffix("!")), negated), []).append(value)
    return tuple(
        Filter(name, () if "*" in values else tuple(dict.fromkeys(values)), negated)
        for (name, negated), values in found.items()
    )


def _split(text: str) -> tuple[str, str, str]:
    """Name, colon, value; a tag's own colon belongs to the name: ``tag:tier:gold``."""
    if text.startswith(TAG):
        name, separator, value = text.removeprefix(TAG).partition(":")
        return TAG + name, separator, value
    return text.partition(":")


def parse_zone(name: str | None, default: ZoneInfo) -> ZoneInfo:
    if not name:
        return default
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadRequest(f"{name!r:.80} is no IANA time zone; use one such as Asia/Seoul or UTC.") from error


def parse_instant(text: str, zone: ZoneInfo, name: str) -> datetime:
    """ISO 8601; without an offset, and for a bare date, the wall clock of ``zone``."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(
            f"{name}={text!r:.60} is no ISO 8601 time; use one such as 2026-11-21T00:00:00Z or 2026-11-21."
        ) from error
    try:
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(ZoneInfo("UTC"))
    except OverflowError as error:
        raise BadRequest(f"{name}={text!r:.60} is out of range.") from error


def parse_window(start: str | None, end: str | None, zone: ZoneInfo, now: datetime) -> Window:
    """``[from, to)``; absent: the last 30 days up to now."""
    until = parse_instant(end, zone, "to") if end else now
    since = parse_instant(start, zone, "from") if start else until - 30 * DAY
    if since >= until:
        raise BadRequest(f"from ({since.isoformat()}) must be before to ({until.isoformat()}).")
    if until - since > MAX_WINDOW:
        raise BadRequest("The window is longer than ten years.")
    return Window(since, until)


@dataclass(frozen=True, slots=True)
class Sources:
    """Which part of a window comes from day sums, which from hour sums, which from rows. They meet without overlap.

    ``models``: from hour sums of all projects together. ``key``: the dimension whose own sums ``key_days`` and
    ``key_hours`` are.
    """

    days: tuple[date, date] | None = None  # end excluded
    hours: tuple[Window, ...] = ()
    rows: tuple[Window, ...] = ()
    models: tuple[Window, ...] = ()
    key: str | None = None
    key_days: tuple[tuple[date, date], ...] = ()
    key_hours: tuple[Window, ...] = ()


def sources(question: Question, instance_zone: ZoneInfo) -> Sources:
    """The cheapest sources that answer exactly."""
    window = question.window
    if not question.dimensions() <= {"project", *ALLOCATION_DIMENSIONS}:
        return Sources(rows=(window,))
    if not same_hours(question, instance_zone):
        return Sources(rows=(window,))
    first_hour, last_hour = _ceil_hour(window.start, instance_zone), hour_of(window.end, instance_zone)
    if first_hour >= last_hour:
        return Sources(rows=(window,))
    rows = tuple(
        part for part in (Window(window.start, first_hour), Window(last_hour, window.end)) if part.start < part.end
    )
    inner = Window(first_hour, last_hour)
    days = (
        _whole_days(inner, instance_zone)
        if question.interval is Interval.NONE
        or (question.interval is not Interval.HOUR and question.zone == instance_zone)
        else None
    )
    if days is None:
        return Sources(hours=(inner,), rows=rows)
    covered = Window(day_window(days[0], instance_zone).start, day_window(days[1], instance_zone).start)
    hours = tuple(
        part for part in (Window(inner.start, covered.start), Window(covered.end, inner.end)) if part.start < part.end
    )
    return Sources(days=days, hours=hours, rows=rows)


def same_hours(question: Question, instance_zone: ZoneInfo) -> bool:
    """Whether hours of the question's zone begin where the rollups' hours do, all through the window."""
    if question.interval is Interval.NONE or question.zone == instance_zone:
        return True
    instant = question.window.start
    while instant < question.window.end + DAY:
        if hour_of(instant, question.zone) != hour_of(instant, instance_zone):
            return False
        instant += DAY
    return True


def _ceil_hour(instant: datetime, zone: ZoneInfo) -> datetime:
    hour = hour_of(instant, zone)
    return hour if hour == instant else hour + HOUR


def _whole_days(window: Window, zone: ZoneInfo) -> tuple[date, date] | None:
    first = day_of(window.start, zone)
    if day_window(first, zone).start < window.start:
        first += DAY
    last = day_of(window.end, zone)
    return (first, last) if first < last else None
