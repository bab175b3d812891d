"""One window of a pool: its cost, to the billionth, over calls, jobs and what was nobody's. Pure.

Every amount is a whole number of nano-units of the instance's currency, and every split gives its leftovers to the largest
remainders, so that Σ calls + jobs + unattributed + idle + startup + unobserved is the cost of the window's GPU hours.

What a call weighs are the engine's own seconds: tokens it had to compute × seconds per prompt token, plus tokens it wrote
× seconds per output token, both measured in that window. Cached prompt tokens weigh nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

WINDOW = timedelta(minutes=15)
"""Every time zone's days and months are made of whole quarters of an hour."""

NANO = 10**9

UNATTRIBUTED, IDLE, STARTUP, UNOBSERVED = "unattributed", "idle", "startup", "unobserved"
KINDS = (UNATTRIBUTED, IDLE, STARTUP, UNOBSERVED)

SEEN_BY_CALLS = 0.95
"""When the calls carry so much of the engine's work, their own intervals say best when it was busy."""

_PICO = 10**12
_PART = 10**6  # of a token: calls that cross windows are cut
_ASSUMED_PREFILL, _ASSUMED_DECODE = 1e-4, 9e-4
"""Seconds per token where no engine told any: a ratio of 9, the roofline of an 8B model at batch 32 on an H100."""

_SLOWEST = 1000.0
"""Seconds for one token; no engine is slower."""

Evidence = Literal["calls", "running", "tokens", "engine_active", "nothing"]
Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Weights:
    """Seconds of the engine per prompt token computed, and per token written; and where they come from."""

    prefill: float
    decode: float
    source: str

    def prefill_pico(self) -> int:
        return max(round(self.prefill * _PICO), 1)

    def decode_pico(self) -> int:
        return max(round(self.decode * _PICO), 1)


ASSUMED = Weights(_ASSUMED_PREFILL, _ASSUMED_DECODE, "assumed")


@dataclass(frozen=True, kw_only=True, slots=True)
class CallSeen:
    """A call as far as it matters here. Times are microseconds since 1970; ``first`` is its first token, if known."""

    key: Hashable
    start: int
    end: int
    first: int | None = None
    prompt: int = 0
    cached: int = 0
    output: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSeen:
    """One reading of an engine: what it says holds for ``[start, end)``. Counters are growth in it; None: not told."""

    instance: Hashable
    start: int
    end: int
    up: bool = True
    running: float | None = None
    computed: float | None = None
    cached: float | None = None
    output: float | None = None
    prefill_seconds: float | None = None
    decode_seconds: float | None = None
    is_residency: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuSeen:
    """One reading of a GPU: how much of ``[start, end)`` its engines were active, of 0 to 1."""

    gpu: Hashable
    start: int
    end: int
    active: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A model served by a part of a pool. ``weights``: those of an earlier window, for when this one tells none."""

    key: Hashable
    cost: int
    calls: Sequence[CallSeen] = ()
    engines: Sequence[EngineSeen] = ()
    gpus: Sequence[GpuSeen] = ()
    weights: Weights | None = None


@dataclass(slots=True)
class Allocation:
    """Where a unit's cost went, and by what evidence. ``calls`` and ``kinds`` sum to its cost."""

    key: Hashable
    cost: int
    calls: dict[Hashable, int] = field(default_factory=dict[Hashable, int])
    kinds: dict[str, int] = field(default_factory=dict[str, int])
    busy: int = 0
    evidence: Evidence = "nothing"
    weights: Weights = ASSUMED
    work_seen: int = 0
    work_total: int = 0
    more_seen_than_counted: bool = False
    tokens: dict[str, float] = field(default_factory=dict[str, float])
    moved_by_processor_sharing: float | None = None


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """Split ``total`` by weight, exactly: leftovers go to the largest remainders, the earlier first.

    ValueError if no weight is positive, unless there is nothing to split.
    """
    whole = sum(weights)
    if whole <= 0:
        if total:
            raise ValueError("nothing to split by")
        return [0] * len(weights)
    parts = [divmod(total * weight, whole) for weight in weights]
    left = total - sum(quotient for quotient, _ in parts)
    result = [quotient for quotient, _ in parts]
    for index in sorted(range(len(parts)), key=lambda n: -parts[n][1])[:left]:
        result[index] += 1
    return result


def allocate(unit: Unit, start: datetime, end: datetime) -> Allocation:
    """One unit in one window."""
    window = (_us(start), _us(end))
    found = Allocation(unit.key, unit.cost)
    found.weights = _calibrated(unit.engines, window) or unit.weights or ASSUMED
    parts = {call.key: _work(call, window, found.weights) for call in unit.calls}
    found.work_seen = sum(parts.values())
    counted = _counted(unit.engines, window, found)
    found.work_total = found.work_seen if counted is None else max(counted, found.work_seen)
    found.more_seen_than_counted = counted is not None and found.work_seen > counted
    times = _times(unit, window, found, counted)
    found.busy, idle, startup, unobserved = shares(unit.cost, times)
    found.kinds = {IDLE: idle, STARTUP: startup, UNOBSERVED: unobserved}
    weights = [*parts.values(), found.work_total - found.work_seen]
    if found.work_total <= 0:
        found.kinds[UNATTRIBUTED] = found.busy
        found.calls = dict.fromkeys(parts, 0)
    else:
        *each, rest = shares(found.busy, weights)
        found.calls = dict(zip(parts, each, strict=True))
        found.kinds[UNATTRIBUTED] = rest
        found.moved_by_processor_sharing = _moved(unit.calls, window, found.calls)
    assert sum(found.calls.values()) + sum(found.kinds.values()) == unit.cost
    return found


def _us(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def _work(call: CallSeen, window: Interval, weights: Weights) -> int:
    """What a call weighs in the window: its prompt where its first token came, its answer evenly from there on."""
    first = min(max(call.start if call.first is None else call.first, call.start), max(call.end, call.start))
    work = 0
    if window[0] <= first < window[1]:
        work += max(call.prompt - call.cached, 0) * _PART * weights.prefill_pico()
    length = call.end - first
    inside = min(call.end, window[1]) - max(first, window[0])
    if length > 0 and inside > 0:
        work += call.output * _PART * inside // length * weights.decode_pico()
    elif length <= 0 and window[0] <= first < window[1]:
        work += call.output * _PART * weights.decode_pico()
    return work


def _inside(seen: EngineSeen | GpuSeen, window: Interval) -> float:
    """How much of a reading's stretch lies in the window."""
    length = seen.end - seen.start
    return max(min(seen.end, window[1]) - max(seen.start, window[0]), 0) / length if length > 0 else 0.0


def _sum(engines: Iterable[EngineSeen], window: Interval, name: str) -> float | None:
    told = [(getattr(one, name), _inside(one, window)) for one in engines if getattr(one, name) is not None]
    return sum(value * part for value, part in told) if told else None


def _calibrated(engines: Sequence[EngineSeen], window: Interval) -> Weights | None:
    """Seconds per token as the engines told them in this window; ``None`` when one of the four numbers is missing."""
    told = {name: _sum(engines, window, name) for name in ("computed", "output", "prefill_seconds", "decode_seconds")}
    computed, output = told["computed"], told["output"]
    prefill, decode = told["prefill_seconds"], told["decode_seconds"]
    if not computed or not output or not prefill or not decode:
        return None
    per_prompt, per_output, source = prefill / computed, decode / output, "engine"
    if any(one.is_residency for one in engines):
        # Requests that are served together each count the same second: so many of them share it.
        per_output, source = per_output / max(_mean_running(engines, window), 1.0), "residency"
    if max(per_prompt, per_output) > _SLOWEST:
        return None  # the numbers contradict each other, as after a restart that nobody saw
    return Weights(per_prompt, per_output, source)


def _mean_running(engines: Sequence[EngineSeen], window: Interval) -> float:
    """Requests at once in one engine while it had any."""
    told = [
        (one.running, _inside(one, window) * (one.end - one.start))
        for one in engines
        if one.running and one.running > 0
    ]
    seconds = sum(length for _, length in told)
    return sum(running * length for running, length in told) / seconds if seconds else 1.0


def _counted(engines: Sequence[EngineSeen], window: Interval, found: Allocation) -> int | None:
    """The work of all traffic by the engines' counters; ``None`` when they tell no tokens."""
    computed, cached, output = (_sum(engines, window, name) for name in ("computed", "cached", "output"))
    found.tokens = {
        name: value
        for name, value in (("computed", computed), ("cached", cached), ("output", output))
        if value is not None
    }
    if computed is None and output is None:
        return None
    weights = found.weights
    return (
        round((computed or 0.0) * _PART) * weights.prefill_pico()
        + round((output or 0.0) * _PART) * weights.decode_pico()
    )


def _times(unit: Unit, window: Interval, found: Allocation, counted: int | None) -> list[int]:
    """Microseconds that were busy, idle, starting and unobserved, over all engines of the unit."""
    calls = _union((max(call.start, window[0]), min(call.end, window[1])) for call in unit.calls)
    by_engine: dict[Hashable, list[EngineSeen]] = {}
    for one in unit.engines:
        by_engine.setdefault(one.instance, []).append(one)
    length = window[1] - window[0]
    if not by_engine:
        return _times_without_engines(unit, window, calls, found)
    calls_tell = len(by_engine) == 1 and (
        counted is not None and counted > 0 and found.work_seen >= SEEN_BY_CALLS * counted
    )
    busy = startup = observed = 0
    for seen in by_engine.values():
        cover = _union(_cut(one, window) for one in seen)
        down = _union(_cut(one, window) for one in seen if not one.up)
        worked = _union(_cut(one, window) for one in seen if _is_at_work(one))
        # Calls under way while nobody looked were work all the same; of one among several engines nobody knows which.
        unseen = calls if len(by_engine) == 1 else []
        at_work = calls if calls_tell else _union([*worked, *_minus(unseen, cover)])
        everything = _union([*cover, *at_work])
        busy += _length(at_work)
        startup += _length(_minus(down, at_work))
        observed += _length(everything)
    told_running = any(one.running is not None for one in unit.engines)
    found.evidence = "calls" if calls_tell else "running" if told_running else "tokens"
    return [busy, observed - busy - startup, startup, length * len(by_engine) - observed]


def _is_at_work(one: EngineSeen) -> bool:
    if one.running is not None:
        return one.running > 0
    return bool((one.output or 0) > 0 or (one.computed or 0) > 0)


def _times_without_engines(unit: Unit, window: Interval, calls: list[Interval], found: Allocation) -> list[int]:
    length = window[1] - window[0]
    cover = _union(_cut(one, window) for one in unit.gpus)
    if calls:
        found.evidence = "calls"
        busy = _length(calls)
        observed = _length(_union([*cover, *calls]))
        return [busy, observed - busy, 0, length - observed]
    if not cover:
        return [0, 0, 0, length]
    found.evidence = "engine_active"
    weighed = [(one.active, _length([_cut(one, window)])) for one in unit.gpus]
    seen = sum(part for _, part in weighed)
    active = sum(active * part for active, part in weighed) / seen if seen else 0.0
    observed = _length(cover)
    busy = round(observed * min(max(active, 0.0), 1.0))
    return [busy, observed - busy, 0, length - observed]


def _cut(seen: EngineSeen | GpuSeen, window: Interval) -> Interval:
    return max(seen.start, window[0]), min(seen.end, window[1])


def _union(intervals: Iterable[Interval]) -> list[Interval]:
    joined: list[Interval] = []
    for start, end in sorted(one for one in intervals if one[0] < one[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _length(intervals: Iterable[Interval]) -> int:
    return sum(max(end - start, 0) for start, end in intervals)


def _minus(intervals: Sequence[Interval], taken: Sequence[Interval]) -> list[Interval]:
    """What of ``intervals`` lies in none of ``taken``; both are unions."""
    left: list[Interval] = []
    for start, end in intervals:
        at = start
        for first, last in taken:
            if last <= at or first >= end:
                continue
            if first > at:
                left.append((at, first))
            at = max(at, last)
        if at < end:
            left.append((at, end))
    return left


def processor_sharing(calls: Sequence[CallSeen], window: Interval) -> dict[Hashable, float]:
    """Seconds of the window per call, when calls under way at a moment share it evenly. It needs no token counts."""
    edges: list[tuple[int, int, int]] = []
    for number, call in enumerate(calls):
        start, end = max(call.start, window[0]), min(call.end, window[1])
        if start < end:
            edges += [(start, 1, number), (end, -1, number)]
    edges.sort()
    given = 0.0  # what one call got that was under way all along
    since: dict[int, float] = {}
    seconds: dict[Hashable, float] = {call.key: 0.0 for call in calls}
    at = window[0]
    for instant, step, number in edges:
        if since:
            given += (instant - at) / len(since) / 1_000_000
        at = instant
        if step > 0:
            since[number] = given
        else:
            seconds[calls[number].key] += given - since.pop(number)
    return seconds


def _moved(calls: Sequence[CallSeen], window: Interval, charged: Mapping[Hashable, int]) -> float | None:
    """The part of what calls are charged that processor sharing would charge to other calls: a check by another method."""
    seconds = processor_sharing(calls, window)
    total, money = sum(seconds.values()), sum(charged.values())
    if not total or not money:
        return None
    return sum(abs(seconds[key] / total - cost / money) for key, cost in charged.items()) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A part of a pool's GPUs in a window, in GPU-microseconds. ``None``: an equal part of what the others leave."""

    key: Hashable
    gpu_us: int | None


def claims(cost: int, capacity_us: int, claimed: Sequence[Claim]) -> tuple[dict[Hashable, int], int]:
    """Split a pool's cost over claims by the GPUs they have; the second number is of GPUs that nobody claims.

    Claims for more than there is (several models on one GPU) share it in proportion.
    """
    said = sum(one.gpu_us for one in claimed if one.gpu_us is not None)
    open_claims = [one for one in claimed if one.gpu_us is None]
    rest = max(capacity_us - said, 0)
    each = rest // len(open_claims) if open_claims else 0
    if open_claims and not each:
        each = max(capacity_us // max(len(claimed), 1), 1)  # all is spoken for: an equal part with the others
    weights = [each if one.gpu_us is None else one.gpu_us for one in claimed]
    left = 0 if open_claims else rest
    if not cost or not sum(weights) + left:
        return {one.key: 0 for one in claimed}, cost
    *parts, unclaimed = shares(cost, [*weights, left])
    return {one.key: part for one, part in zip(claimed, parts, strict=True)}, unclaimed


@dataclass(frozen=True, slots=True)
class Prices:
    """Per million tokens; None where there was no such work."""

    prompt: float
    output: float


def effective_prices(cost: int, work: int, weights: Weights) -> Prices | None:
    """What a million computed prompt tokens and a million written ones cost, when ``work`` cost ``cost``.

    With the busy cost these are busy prices, with the whole cost loaded ones.
    """
    if not work:
        return None
    # Work is in picoseconds of millionths of tokens; a million tokens are 10**12 of those.
    per_unit = cost / NANO / work * 10**12
    return Prices(weights.prefill_pico() * per_unit, weights.decode_pico() * per_unit)
