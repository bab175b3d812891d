"""Which part of a question later sums can answer: those of one key at a time, and those of all projects by model.

They are made when an hour or a day is over, and made again when late data comes. What is stale meanwhile is answered by
what lies below, so an answer is never older than the sums that follow commits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from outlay_collector.db.names import KEYED
from outlay_collector.ledger.buckets import DAY, HOUR, Window, day_of, day_window
from outlay_collector.ledger.dimensions import TAG
from outlay_collector.ledger.reads.question import Interval, Question, Sources, sources

KEPT_DAYS = 1
"""Days before today whose hours by key are certainly kept."""

KEPT_LATENCY_DAYS = 35
"""The same of the histograms by project, service and feature."""

BY_MODEL = frozenset(("provider", "model"))


def key_of(question: Question) -> str | None:
    """The one dimension besides ``project`` that a question is about, if it is one that may have sums of its own."""
    found = question.dimensions() - {"project"}
    if len(found) != 1:
        return None
    (name,) = found
    return name if name in KEYED or name.startswith(TAG) else None


def keyed_sources(
    question: Question,
    instance_zone: ZoneInfo,
    *,
    key: str,
    stale_days: Set[date],
    stale_hours: Set[datetime],
    now: datetime,
) -> Sources:
    """Days and hours that are over and not stale from sums by ``key``, the rest from rows."""
    if question.interval is Interval.HOUR or (
        question.interval is not Interval.NONE and question.zone != instance_zone
    ):
        return Sources(rows=(question.window,))
    # Asked without dimensions, the window is cut as sums of any kind are cut.
    cut = sources(replace(question, group_by=(), filters=()), instance_zone)
    today = day_of(now, instance_zone)
    days: list[date] = []
    hours: list[Window] = list(cut.hours)
    for day in _days(cut.days):
        if day < today and day not in stale_days:
            days.append(day)
        else:
            hours.append(day_window(day, instance_zone))
    kept_since = day_window(today - KEPT_DAYS * DAY, instance_zone).start
    summed, rows = _split(hours, lambda hour: hour >= kept_since and hour + HOUR <= now and hour not in stale_hours)
    return Sources(
        key=key,
        key_days=tuple(_runs(days)),
        key_hours=summed,
        rows=_joined([*cut.rows, *rows]),
    )


def with_models(plan: Sources, *, stale_hours: Set[datetime], now: datetime) -> Sources:
    """The same with hours that are over and not stale from the sums of all projects by model."""
    models, hours = _split(plan.hours, lambda hour: hour + HOUR <= now and hour not in stale_hours)
    return replace(plan, hours=hours, models=models)


def without_old_latencies(plan: Sources, *, now: datetime) -> Sources:
    """The same with hours whose histograms may not be kept any more from rows."""
    since = now - KEPT_LATENCY_DAYS * DAY
    kept, gone = _split(plan.hours, lambda hour: hour >= since)
    return replace(plan, hours=kept, rows=_joined([*plan.rows, *gone]))


def _split(
    windows: Iterable[Window], summed: Callable[[datetime], bool]
) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
    """Hours of ``windows`` for which ``summed`` holds, and the others."""
    yes: list[Window] = []
    no: list[Window] = []
    for window in windows:
        hour = window.start
        while hour < window.end:
            (yes if summed(hour) else no).append(Window(hour, hour + HOUR))
            hour += HOUR
    return _joined(yes), _joined(no)


def _joined(windows: Iterable[Window]) -> tuple[Window, ...]:
    joined: list[Window] = []
    for window in sorted(windows, key=lambda one: one.start):
        if joined and joined[-1].end == window.start:
            joined[-1] = Window(joined[-1].start, window.end)
        else:
            joined.append(window)
    return tuple(joined)


def _days(span: tuple[date, date] | None) -> list[date]:
    return [] if span is None else [span[0] + DAY * n for n in range((span[1] - span[0]).days)]


def _runs(days: Iterable[date]) -> list[tuple[date, date]]:
    """Days that follow each other as one stretch, its end excluded."""
    runs: list[tuple[date, date]] = []
    for day in sorted(days):
        if runs and runs[-1][1] == day:
            runs[-1] = (runs[-1][0], day + DAY)
        else:
            runs.append((day, day + DAY))
    return runs
