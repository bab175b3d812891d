"""Readings of a target as rows: growth instead of counters, and what is remembered for the next reading. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from outlay_collector.gpu.deltas import Before, remembered, since
from outlay_collector.gpu.readings import EngineReading, GpuReading, Readings

LONGEST_GAP_SECONDS = 300.0
"""Readings further apart than this leave what was between them unobserved."""

State = dict[str, Any]
"""What is kept of a target, as JSON: counters by engine and GPU, and when it was read."""

_COUNTERS = (
    "prompt_total",
    "prompt_cached",
    "prompt_computed",
    "output",
    "prefill_seconds",
    "decode_seconds",
    "queue_seconds",
)
_GAUGES = ("running", "waiting", "kv_usage")
_GPU_FIELDS = (
    "utilization",
    "engine_active",
    "sm_active",
    "tensor_active",
    "dram_active",
    "memory_used_bytes",
    "memory_total_bytes",
    "power_watts",
    "temperature_celsius",
)


@dataclass(slots=True)
class Recorded:
    """Rows of ``engine_sample`` and ``gpu_sample`` as column and value, and the new state."""

    engines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    gpus: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    state: State = field(default_factory=dict[str, Any])


def record(target_id: int, at: datetime, readings: Readings | None, state: State) -> Recorded:
    """What ``readings`` add to what is known. ``None``: the target did not answer, and its engines are down."""
    instant = at.timestamp()
    elapsed = instant - state["at"] if "at" in state else None
    if elapsed is not None and elapsed <= 0:
        return Recorded(state=state)  # told twice, or out of order: growth is known in one direction only
    seconds = elapsed if elapsed is not None and elapsed <= LONGEST_GAP_SECONDS else None
    known: State = {"at": instant, "engines": dict(state.get("engines", {})), "gpus": dict(state.get("gpus", {}))}
    found = Recorded(state=known)
    if readings is None:
        down = known["engines"] or {"\n": {"engine": ""}}
        for key, one in down.items():
            instance, _, model = key.partition("\n")
            found.engines.append(_down(target_id, at, seconds, instance, model, one["engine"]))
        return found
    for reading in readings.engines:
        found.engines.append(_engine_row(target_id, at, seconds, reading, known["engines"]))
    for gpu in readings.gpus:
        found.gpus.append(_gpu_row(target_id, at, seconds, gpu, known["gpus"]))
    return found


def _down(
    target_id: int, at: datetime, seconds: float | None, instance: str, model: str, engine: str
) -> dict[str, Any]:
    nothing = dict.fromkeys((*_GAUGES, *_COUNTERS))
    return {
        "at": at,
        "target_id": target_id,
        "instance": instance,
        "model": model,
        "engine": engine,
        "up": False,
        "restarted": False,
        "seconds": seconds,
        "seconds_kind": None,
        "detail": None,
        **nothing,
    }


def _engine_row(
    target_id: int, at: datetime, seconds: float | None, reading: EngineReading, engines: dict[str, Any]
) -> dict[str, Any]:
    key = f"{reading.instance}\n{reading.model}"
    grown = since(_before(engines.get(key)), reading)
    now = remembered(reading)
    engines[key] = {
        "engine": reading.engine,
        "counters": dict(now.counters),
        "histograms": {name: dict(buckets) for name, buckets in now.histograms.items()},
        "started": now.started,
    }
    further = {name: value for name, value in grown.counters.items() if name not in _COUNTERS and value}
    gauges = {name: value for name, value in reading.gauges.items() if name not in _GAUGES}
    detail: dict[str, Any] = {
        "counters": further,
        "gauges": gauges,
        "histograms": {name: _nonzero(buckets) for name, buckets in grown.histograms.items() if any(buckets.values())},
        "unknown": reading.unknown,
        "config": reading.config,
    }
    return {
        "at": at,
        "target_id": target_id,
        "instance": reading.instance,
        "model": reading.model,
        "engine": reading.engine,
        "up": True,
        "restarted": grown.restarted,
        "seconds": seconds,
        "seconds_kind": reading.seconds,
        "detail": {name: value for name, value in detail.items() if value} or None,
        **{name: reading.gauges.get(name) for name in _GAUGES},
        **{name: grown.counters.get(name) for name in _COUNTERS},
    }


def _before(stored: Mapping[str, Any] | None) -> Before | None:
    if stored is None:
        return None
    return Before(stored.get("counters", {}), stored.get("histograms", {}), stored.get("started"))


def _nonzero(buckets: Mapping[str, float]) -> dict[str, float]:
    return {edge: count for edge, count in buckets.items() if count}


def _gpu_row(
    target_id: int, at: datetime, seconds: float | None, gpu: GpuReading, gpus: dict[str, Any]
) -> dict[str, Any]:
    key = f"{gpu.uuid}\n{gpu.slice}"
    energy, before = gpu.values.get("energy_joules"), gpus.get(key)
    grown = None
    if energy is not None:
        gpus[key] = energy
        grown = None if before is None else energy if energy < before else energy - before
    further: dict[str, Any] = {
        name: value for name, value in gpu.values.items() if name not in _GPU_FIELDS and name != "energy_joules"
    }
    further |= {
        name: value
        for name in ("source", "profile", "index", "pod", "namespace", "container")
        if (value := getattr(gpu, name))
    }
    return {
        "at": at,
        "target_id": target_id,
        "uuid": gpu.uuid,
        "slice": gpu.slice,
        "seconds": seconds,
        "energy_joules": grown,
        "name": gpu.name,
        "host": gpu.host,
        "detail": further or None,
        **{name: gpu.values.get(name) for name in _GPU_FIELDS},
    }
