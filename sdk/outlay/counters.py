"""The SDK's own counts, told to the collector: what it cannot know by itself is what never reached it.

Cumulative sums named ``outlay.sdk.spans`` with the attribute ``outlay.outcome``, one series per process
(``service.instance.id``), sent when something has changed and at most once a minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlay import otlp, semconv
from outlay.version import __version__

if TYPE_CHECKING:
    from outlay.pipeline import Stats

METRIC = "outlay.sdk.spans"
OUTCOME = "outlay.outcome"
OUTCOMES = ("delivered", "dropped", "refused", "spooled", "replayed")


def is_worth_telling(now: Stats, told: Stats) -> bool:
    """Whether a loss or a detour has been counted that the collector has not heard of. Successes it sees itself."""
    return any(getattr(now, name) != getattr(told, name) for name in OUTCOMES[1:])


def request(stats: Stats, resource: tuple[tuple[str, str], ...], instance: str, start_ns: int, now_ns: int) -> bytes:
    """The export request for these counts."""
    points = [(getattr(stats, name), [(OUTCOME, name)]) for name in OUTCOMES]
    metric = otlp.counter(METRIC, unit="{span}", points=points, start_ns=start_ns, now_ns=now_ns)
    whose = otlp.resource([*resource, ("service.instance.id", instance)])
    return otlp.request([(whose, otlp.scope(semconv.SCOPE, __version__), [metric])])
