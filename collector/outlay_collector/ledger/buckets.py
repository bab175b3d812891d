"""Which buckets of the rollups a change touches. Pure time arithmetic; every window is half-open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

RECENT = 2 * HOUR
"""Hours this young are summed from minutes, so that the current hour is not read again for every commit."""


@dataclass(frozen=True, slots=True)
class Window:
    """``[start, end)``, aware."""

    start: datetime
    end: datetime


def hour_of(instant: datetime, zone: ZoneInfo) -> datetime:
    """The start of the hour that the wall clock of ``zone`` shows, in UTC."""
    offset = instant.astimezone(zone).utcoffset() or timedelta(0)
    # Zones differ from UTC by whole hours or by 30 or 45 minutes; only the rest matters for where hours begin.
    rest = offset % HOUR
    shifted = instant.astimezone(UTC) + rest
    return shifted.replace(minute=0, second=0, microsecond=0) - rest


def day_of(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def day_window(day: date, zone: ZoneInfo) -> Window:
    """The day's hours in UTC: 23, 24 or 25 of them."""
    start = datetime.combine(day, time(), zone).astimezone(UTC)
    return Window(start, datetime.combine(day + DAY, time(), zone).astimezone(UTC))


def windows(starts: Iterable[datetime], width: timedelta, *, gap: timedelta = timedelta(0)) -> list[Window]:
    """Buckets of one width joined where they meet, or lie no further apart than ``gap``."""
    joined: list[Window] = []
    for start in sorted(set(starts)):
        if joined and start - joined[-1].end <= gap:
            joined[-1] = Window(joined[-1].start, max(joined[-1].end, start + width))
        else:
            joined.append(Window(start, start + width))
    return joined


@dataclass(frozen=True, slots=True)
class Recompute:
    """What a set of touched minutes asks for: minutes from raw rows, hours from minutes or raw rows, days from hours."""

    minutes: tuple[Window, ...]
    hours_from_minutes: tuple[Window, ...]
    hours_from_rows: tuple[Window, ...]
    days: tuple[date, ...]

    @property
    def hours(self) -> tuple[datetime, ...]:
        """The start of every hour that is made."""
        made = [
            window.start + n * HOUR
            for window in (*self.hours_from_minutes, *self.hours_from_rows)
            for n in range((window.end - window.start) // HOUR)
        ]
        return tuple(sorted(made))


def recompute(minutes: Iterable[datetime], *, now: datetime, zone: ZoneInfo) -> Recompute:
    """Recent minutes are summed one by one; older hours at once, for late data comes seldom and scattered."""
    touched = set(minutes)
    by_hour: dict[datetime, list[datetime]] = {}
    for minute in touched:
        by_hour.setdefault(hour_of(minute, zone), []).append(minute)
    horizon = hour_of(now, zone) - RECENT
    recent = [hour for hour in by_hour if hour >= horizon]
    older = [hour for hour in by_hour if hour < horizon]
    return Recompute(
        minutes=tuple(windows([minute for hour in recent for minute in by_hour[hour]], MINUTE, gap=2 * MINUTE)),
        hours_from_minutes=tuple(windows(recent, HOUR)),
        hours_from_rows=tuple(windows(older, HOUR, gap=3 * HOUR)),
        days=tuple(sorted({day_of(hour, zone) for hour in by_hour})),
    )
