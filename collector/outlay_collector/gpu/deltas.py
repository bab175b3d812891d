"""What happened between two readings: counters as differences that a restart does not turn negative. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outlay_collector.gpu.readings import EngineReading

Counters = Mapping[str, float]


@dataclass(slots=True)
class Deltas:
    """How much each counter grew; ``restarted`` when the process began again in between."""

    counters: dict[str, float] = field(default_factory=dict[str, float])
    histograms: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    restarted: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """What is remembered of a reading until the next one comes."""

    counters: Counters
    histograms: Mapping[str, Counters]
    started: float | None


def remembered(reading: EngineReading) -> Before:
    return Before(reading.counters, reading.histograms, reading.started)


def since(before: Before | None, now: EngineReading) -> Deltas:
    """The growth from ``before`` to ``now``. Of an engine seen for the first time nothing is known to have grown.

    A counter that fell, or a process with another start, began at zero again: its whole number is growth. A counter that
    was not told before is skipped this once.
    """
    if before is None:
        return Deltas()
    restarted = (
        before.started is not None and now.started is not None and abs(now.started - before.started) > 1.0
    ) or any(now.counters[name] < value for name, value in before.counters.items() if name in now.counters)
    return Deltas(
        _grown(before.counters, now.counters, restarted=restarted),
        {
            name: _grown(before.histograms.get(name, {}), buckets, restarted=restarted)
            for name, buckets in now.histograms.items()
        },
        restarted,
    )


def _grown(before: Counters, now: Counters, *, restarted: bool) -> dict[str, float]:
    if restarted:
        return dict(now)
    return {name: value - before[name] for name, value in now.items() if name in before}
