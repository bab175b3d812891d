"""What a window is compared with: the same stretch of time before it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from outlay_collector.ledger.buckets import Window


def previous(window: Window, zone: ZoneInfo) -> Window:
    """Of whole months as many months, of whole days as many days by the clock of ``zone``, else as many seconds.

    It ends where the window begins, so nothing lies between the two and nothing in both.
    """
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    if not (_is_midnight(start) and _is_midnight(end)):
        return Window(window.start - (window.end - window.start), window.start)
    if start.day == end.day == 1:
        months = (end.year - start.year) * 12 + end.month - start.month
        number = start.year * 12 + start.month - 1 - months
        first = start.date().replace(year=number // 12, month=number % 12 + 1)
    else:
        first = start.date() - timedelta(days=(end.date() - start.date()).days)
    return Window(datetime.combine(first, time(), zone).astimezone(UTC), window.start)


def _is_midnight(instant: datetime) -> bool:
    return instant.time() == time()
