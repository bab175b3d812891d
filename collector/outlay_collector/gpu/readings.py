"""Samples into readings: what each engine and each GPU of an endpoint says at one moment, in our fields and units. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from outlay_collector.gpu.adapters import ENGINES, EXPORTERS, RANKS, UNITS, Engine, Exporter, Told
from outlay_collector.gpu.exposition import Sample, family_of

MAX_UNKNOWN = 200
"""Families kept of an engine that no table names; more is a mistake that nobody could look through."""

# What DCGM writes for "no value", as an integer of 32 or 64 bits or as a floating-point number.
_BLANK_INT32 = 2_147_483_632
_BLANK_FP64 = 2**47
_BLANKS = 16


@dataclass(slots=True)
class EngineReading:
    """What one engine serving one model says. Counters are cumulative; absent fields were not told."""

    engine: str
    instance: str = ""
    model: str = ""
    counters: dict[str, float] = field(default_factory=dict[str, float])
    gauges: dict[str, float] = field(default_factory=dict[str, float])
    histograms: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    config: dict[str, str] = field(default_factory=dict[str, str])
    unknown: dict[str, float] = field(default_factory=dict[str, float])
    seconds: str = ""
    started: float | None = None


Reading = Callable[[Mapping[str, str]], EngineReading]
"""The reading that a series with these labels belongs to."""


@dataclass(slots=True)
class GpuReading:
    """What one GPU, or one MIG slice of it, says. ``uuid`` is the whole GPU's; ``slice`` is the slice's instance id."""

    source: str
    uuid: str
    slice: str = ""
    profile: str = ""
    index: str = ""
    name: str = ""
    host: str = ""
    pod: str = ""
    namespace: str = ""
    container: str = ""
    values: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(slots=True)
class Readings:
    engines: list[EngineReading] = field(default_factory=list[EngineReading])
    gpus: list[GpuReading] = field(default_factory=list[GpuReading])


def read(samples: Sequence[Sample], *, model: str = "") -> Readings:
    """All that the tables know in ``samples``. ``model`` is what a target serves whose engine does not say."""
    started = next((s.value for s in samples if s.name == "process_start_time_seconds"), None)
    found = Readings(gpus=_gpus(samples))
    for engine in ENGINES:
        own = [sample for sample in samples if sample.name.startswith(engine.prefix)]
        if own:
            found.engines.extend(_engines(engine, own, started, model))
    return found


def _engines(engine: Engine, own: Sequence[Sample], started: float | None, model: str) -> list[EngineReading]:
    by_name: dict[str, list[Sample]] = defaultdict(list)
    for sample in own:
        by_name[sample.name].append(sample)
    made: dict[tuple[str, str], EngineReading] = {}

    def reading(labels: Mapping[str, str]) -> EngineReading:
        instance = "/".join(labels[name] for name in engine.instance if labels.get(name))
        named = labels.get(engine.model_label, "") if engine.model_label else ""
        key = (instance, named or model)
        if key not in made:
            made[key] = EngineReading(engine.name, *key, seconds=engine.seconds, started=started)
        return made[key]

    for fields, into in ((engine.counters, "counters"), (engine.gauges, "gauges")):
        for name, ways in fields.items():
            for told in ways:
                series = [sample for sample in by_name.get(told.name, _totals(by_name, told)) if _matches(sample, told)]
                for labels, value in _summed(series, engine):
                    getattr(reading(labels), into).setdefault(name, value * told.factor)
    _by_label(engine, by_name, reading)
    _histograms(engine, by_name, reading)
    _capacity(engine, by_name, made, reading)
    for one in made.values():
        _derive(one)
    _unknown(engine, own, made)
    return [made[key] for key in sorted(made)]


def _totals(by_name: Mapping[str, list[Sample]], told: Told) -> list[Sample]:
    """OTLP leaves the ending of a counter out."""
    return by_name.get(told.name.removesuffix("_total"), [])


def _matches(sample: Sample, told: Told) -> bool:
    return all(sample.labels.get(name) == value for name, value in told.where.items())


def _summed(series: Iterable[Sample], engine: Engine) -> list[tuple[Mapping[str, str], float]]:
    """One number per engine and model: of ranks that repeat it the highest, of all other labels the sum."""
    identity = (*engine.instance, *((engine.model_label,) if engine.model_label else ()))
    highest: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in series:
        key = tuple(sorted((name, value) for name, value in sample.labels.items() if name not in RANKS))
        highest[key] = max(sample.value, highest.get(key, sample.value))
    sums: dict[tuple[str, ...], tuple[Mapping[str, str], float]] = {}
    for key, value in highest.items():
        labels = dict(key)
        group = tuple(labels.get(name, "") for name in identity)
        sums[group] = (labels, value + (sums[group][1] if group in sums else 0.0))
    return list(sums.values())


def _by_label(engine: Engine, by_name: Mapping[str, list[Sample]], reading: Reading) -> None:
    for name, (metric, label) in engine.by.items():
        values = {sample.labels.get(label, "") for sample in by_name.get(metric, ())}
        for value in sorted(values):
            series = [sample for sample in by_name[metric] if sample.labels.get(label, "") == value]
            for labels, count in _summed(series, engine):
                reading(labels).counters[f"{name}:{value}"] = count


def _histograms(engine: Engine, by_name: Mapping[str, list[Sample]], reading: Reading) -> None:
    for name, ways in engine.histograms.items():
        for metric in ways:
            for edge in dict.fromkeys(sample.labels.get("le", "") for sample in by_name.get(f"{metric}_bucket", ())):
                series = [sample for sample in by_name[f"{metric}_bucket"] if sample.labels.get("le", "") == edge]
                for labels, count in _summed(series, engine):
                    reading(labels).histograms.setdefault(name, {})[edge] = count
            for part in ("sum", "count"):
                for labels, value in _summed(by_name.get(f"{metric}_{part}", ()), engine):
                    reading(labels).counters.setdefault(f"{name}_{part}", value)
            if f"{metric}_count" in by_name:
                break


def _capacity(
    engine: Engine,
    by_name: Mapping[str, list[Sample]],
    made: Mapping[tuple[str, str], EngineReading],
    reading: Reading,
) -> None:
    """What vLLM tells of its cache as labels. It names no model, so it belongs to all models of the engine."""
    for sample in by_name.get(f"{engine.prefix}cache_config_info", ()):
        labels = {name: value for name, value in sample.labels.items() if value not in ("", "None")}
        instance = labels.get("engine", "")
        for one in [one for (at, _), one in made.items() if at == instance] or [reading(labels)]:
            one.config = {name: value for name, value in labels.items() if name != "engine"}


def _derive(one: EngineReading) -> None:
    """Numbers that follow from others exactly."""
    counters, gauges = one.counters, one.gauges
    total, cached, computed = (counters.get(f"prompt_{part}") for part in ("total", "cached", "computed"))
    if computed is None and total is not None and cached is not None and cached <= total:
        counters["prompt_computed"] = total - cached
    if total is None and computed is not None and cached is not None:
        counters["prompt_total"] = computed + cached
    if one.engine == "vllm":
        capacity = _kv_capacity(one.config)
        if capacity is not None:
            gauges["kv_capacity_tokens"] = capacity
    blocks = gauges.pop("kv_blocks", None)
    used, size = gauges.pop("kv_used_blocks", None), gauges.pop("kv_block_tokens", None)
    if blocks and size is not None:
        gauges["kv_capacity_tokens"] = blocks * size
    if blocks and used is not None:
        gauges.setdefault("kv_usage", used / blocks)


def _kv_capacity(config: Mapping[str, str]) -> float | None:
    """Tokens that the cache holds. Blocks times their size is right for dense models only, so it comes second."""
    said = _number(config.get("kv_cache_size_tokens"))
    blocks, size = _number(config.get("num_gpu_blocks")), _number(config.get("block_size"))
    return said if said is not None else blocks * size if blocks is not None and size is not None else None


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _unknown(engine: Engine, own: Sequence[Sample], made: Mapping[tuple[str, str], EngineReading]) -> None:
    """Sums of families that no table names, so that a new metric is there before we know what it means."""
    known = {told.name for ways in (*engine.counters.values(), *engine.gauges.values()) for told in ways}
    known |= {metric for metric, _ in engine.by.values()}
    families = {family_of(name) for name in known} | {metric for ways in engine.histograms.values() for metric in ways}
    families.add(f"{engine.prefix}cache_config_info")
    sums: dict[str, float] = {}
    for sample in own:
        family = family_of(sample.name)
        if family not in families and not sample.name.endswith(("_bucket", "_created")):
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    if made and sums:
        first = made[min(made)]
        first.unknown = dict(sorted(sums.items())[:MAX_UNKNOWN])


def _gpus(samples: Sequence[Sample]) -> list[GpuReading]:
    made: dict[tuple[str, str, str], GpuReading] = {}
    for sample in samples:
        for exporter in EXPORTERS:
            if _gpu_field(exporter, sample.name) is not None:
                _add_gpu(exporter, sample, made)
                break
    for one in made.values():
        parts = [one.values.get(f"memory_{part}_bytes") for part in ("used", "free", "reserved")]
        if "memory_total_bytes" not in one.values and parts[0] is not None and parts[1] is not None:
            one.values["memory_total_bytes"] = sum(part for part in parts if part is not None)
    return [made[key] for key in sorted(made)]


def _gpu_field(exporter: Exporter, name: str) -> tuple[str, float] | None:
    if exporter.source == "amd":
        name = name.lower().removeprefix("amd_")
    return exporter.fields.get(name) or exporter.fields.get(name.removesuffix("_total"))


def _add_gpu(exporter: Exporter, sample: Sample, made: dict[tuple[str, str, str], GpuReading]) -> None:
    labels = sample.labels
    if exporter.is_blank_coded and _is_blank(sample.value):
        return
    if labels.get("hw.type", "gpu") != "gpu" or labels.get("hw.gpu.task", "general") != "general":
        return
    named = _gpu_field(exporter, sample.name)
    assert named is not None
    ours, factor = named
    uuid, index, host = (_first(labels, names) for names in (exporter.uuid, exporter.index, exporter.host))
    key = (uuid or f"{host}/{index}", labels.get("GPU_I_ID", "") or labels.get("outlay.gpu.slice", ""), host)
    if key not in made:
        made[key] = GpuReading(
            exporter.source,
            key[0],
            key[1],
            profile=labels.get("GPU_I_PROFILE", "") or labels.get("outlay.gpu.profile", ""),
            index=index,
            name=_first(labels, exporter.model),
            host=host,
            pod=labels.get("pod") or labels.get("pod_name", ""),
            namespace=labels.get("namespace") or labels.get("pod_namespace", ""),
            container=labels.get("container") or labels.get("container_name", ""),
        )
    made[key].values[ours] = sample.value * UNITS.get(sample.unit, factor)


def _is_blank(value: float) -> bool:
    return (
        value >= 2**63 - 2 * _BLANKS
        or _BLANK_INT32 <= value < _BLANK_INT32 + _BLANKS
        or _BLANK_FP64 <= value < _BLANK_FP64 + _BLANKS
    )


def _first(labels: Mapping[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")
