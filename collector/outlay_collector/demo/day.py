"""The calls of one day. Everything about them is a function of (seed, date, n), ``n`` being the number of the visit.

So the same day told again is the same calls under the same ids, and whoever keeps them by id keeps each once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from outlay_collector.demo import stories
from outlay_collector.demo.company import FEATURE, FEATURES
from outlay_collector.demo.draws import Draws
from outlay_collector.demo.shapes import Feature, Recording, Rhythm
from outlay_collector.demo.visit import Visit, traces_of

_WEEKDAYS = (1.0, 1.07, 1.1, 1.05, 0.88)  # Monday to Friday; Saturday and Sunday are the feature's own
_SATURDAY = 1.15  # of a Sunday
_NOISE = 0.16  # a day's volume is up to half of this above or below what the season says


def window(until: datetime, count: int) -> list[date]:
    """The ``count`` days before the one ``until`` is in, and that day itself, oldest first. Days are UTC."""
    today = until.date()
    return [today - timedelta(days=back) for back in range(count, -1, -1)]


def volume(seed: int, day: date, feature: Feature) -> int:
    """Visits of a feature on a day: season, growth and a little noise."""
    weekday = day.weekday()
    season = _WEEKDAYS[weekday] if weekday < len(_WEEKDAYS) else feature.weekend * (_SATURDAY if weekday == 5 else 1)
    noise = 1 + _NOISE * (Draws(seed, day, feature.name).share() - 0.5)
    return round(feature.visits * season * stories.growth(day, feature.growth) * noise)


def plan(seed: int, day: date) -> list[tuple[Feature, int]]:
    """How often each feature is visited on a day, without what stories add."""
    return [(feature, volume(seed, day, feature)) for feature in FEATURES]


def visits(seed: int, day: date) -> Iterator[Visit]:
    """All visits of a day, in the order of their numbers."""
    n = 0
    for feature, count in plan(seed, day):
        for _ in range(count):
            draws = Draws(seed, day, n)
            yield Visit(seed, day, n, feature, _second(draws, feature.rhythm), draws)
            n += 1
    if stories.day_of_cycle(day) == stories.STORM.day:
        for _ in range(stories.STORM.visits):
            draws = Draws(seed, day, n)
            second = 3600 * (stories.STORM.from_hour + draws.share() * stories.STORM.hours)
            yield Visit(seed, day, n, FEATURE[stories.STORM.feature], second, draws)
            n += 1


def traces(seed: int, day: date, until: datetime | None = None) -> list[list[Recording]]:
    """The spans of a day, trace by trace in the order they ended; only those that ended before ``until``.

    In that order whoever has the last trace of a day that is over has all of them, if they are handed on in order.
    """
    found = [(_end_ns(trace), trace) for visit in visits(seed, day) for trace in traces_of(visit)]
    if until is not None:
        now_ns = int(until.timestamp() * 1000) * 1_000_000
        found = [(end_ns, trace) for end_ns, trace in found if end_ns <= now_ns]
    return [trace for _, trace in sorted(found, key=lambda item: (item[0], item[1][0].trace_id))]


def _end_ns(trace: list[Recording]) -> int:
    return max(recording.end_ns for recording in trace)


def _second(draws: Draws, rhythm: Rhythm) -> float:
    """When in the day a visit begins."""
    return 3600 * (draws.weighted(rhythm) + draws.share())
