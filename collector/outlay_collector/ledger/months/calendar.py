"""Months of the instance's calendar as stretches of time. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from outlay_collector.errors import BadRequest
from outlay_collector.ledger.buckets import Window

_MONTH = re.compile(r"(\d{4})-(\d{2})")


def month_window(month: str, zone: ZoneInfo) -> Window:
    """``2026-10`` as the instants at which it begins and ends by the wall clock of ``zone``."""
    found = _MONTH.fullmatch(month)
    if found is None or not 1 <= int(found[2]) <= 12 or not 1970 <= int(found[1]) <= 9000:
        raise BadRequest(f"{month!r:.40} is no month; write it as 2026-10.")
    year, number = int(found[1]), int(found[2])
    start = datetime(year, number, 1, tzinfo=zone)
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=zone)
    return Window(start.astimezone(UTC), end.astimezone(UTC))


def pieces(window: Window, closed: Iterable[Window]) -> list[tuple[Window, bool]]:
    """``window`` cut where closed months begin and end; True for the pieces that are closed."""
    months = sorted(closed, key=lambda month: month.start)
    cuts = {cut for month in months for cut in (month.start, month.end) if window.start < cut < window.end}
    bounds = [window.start, *sorted(cuts), window.end]
    return [
        (Window(start, end), any(month.start <= start < month.end for month in months))
        for start, end in pairwise(bounds)
    ]
