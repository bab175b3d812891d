"""What the metrics of serving engines and GPU exporters mean: names, units, labels, and what a count includes.

Each table names our field and the metrics that tell it, the best first: engines rename metrics between versions, and the
first one that is present is taken. What no metric tells is absent, never zero. Names are those of the engines' sources and
of real scrapes; ``tests/gpu_samples`` holds such scrapes with what they must be read as.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MIB = float(2**20)
PERCENT = 0.01
MILLI = 0.001
MICRO = 0.000_001

RANKS = ("tp_rank", "pp_rank", "moe_ep_rank")
"""Every rank of a parallel group tells the same number: of them one is taken, never the sum."""

RESIDENCY = "residency"
"""Seconds that requests spent in a phase, added over requests that were served at the same time."""
ENGINE = "engine"
"""Seconds that the engine itself spent in a phase."""


@dataclass(frozen=True, slots=True)
class Told:
    """A metric (``name``), of it the series with these labels, and by how much its number is multiplied."""

    name: str
    where: Mapping[str, str] = field(default_factory=dict[str, str])
    factor: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """One serving engine. ``counters`` only grow while a process lives; ``gauges`` are of the moment.

    ``instance``: labels that tell engines of one endpoint apart. ``by``: counters that are kept per value of a label.
    ``histograms`` are kept as cumulative buckets, whatever their edges.
    """

    name: str
    prefix: str
    model_label: str | None
    counters: Mapping[str, tuple[Told, ...]]
    gauges: Mapping[str, tuple[Told, ...]]
    by: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    histograms: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    instance: tuple[str, ...] = ()
    seconds: str = RESIDENCY


VLLM = Engine(
    name="vllm",
    prefix="vllm:",
    model_label="model_name",
    instance=("engine",),
    counters={
        "prompt_total": (Told("vllm:prompt_tokens_total"),),
        "prompt_cached": (
            Told("vllm:prompt_tokens_cached_total"),
            Told("vllm:prompt_tokens_by_source_total", {"source": "local_cache_hit"}),
            Told("vllm:prefix_cache_hits_total"),
        ),
        "prompt_computed": (Told("vllm:prompt_tokens_by_source_total", {"source": "local_compute"}),),
        "output": (Told("vllm:generation_tokens_total"),),
        "prefill_seconds": (Told("vllm:request_prefill_time_seconds_sum"),),
        "decode_seconds": (Told("vllm:request_decode_time_seconds_sum"),),
        "queue_seconds": (Told("vllm:request_queue_time_seconds_sum"),),
        "preemptions": (Told("vllm:num_preemptions_total"),),
        "spec_drafted": (Told("vllm:spec_decode_num_draft_tokens_total"),),
        "spec_accepted": (Told("vllm:spec_decode_num_accepted_tokens_total"),),
    },
    gauges={
        "running": (Told("vllm:num_requests_running"),),
        "waiting": (Told("vllm:num_requests_waiting"),),
        "kv_usage": (Told("vllm:kv_cache_usage_perc"), Told("vllm:gpu_cache_usage_perc")),
    },
    by={"finished": ("vllm:request_success_total", "finished_reason")},
    histograms={
        "ttft": ("vllm:time_to_first_token_seconds",),
        "itl": ("vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"),
        "e2e": ("vllm:e2e_request_latency_seconds",),
    },
)

SGLANG = Engine(
    name="sglang",
    prefix="sglang:",
    model_label="model_name",
    instance=("dp_rank", "engine_type"),
    seconds=ENGINE,
    counters={
        "prompt_total": (Told("sglang:prompt_tokens_total"),),
        "prompt_cached": (
            Told("sglang:cached_tokens_total"),
            Told("sglang:realtime_tokens_total", {"mode": "prefill_cache"}),
        ),
        "prompt_computed": (Told("sglang:realtime_tokens_total", {"mode": "prefill_compute"}),),
        "output": (Told("sglang:generation_tokens_total"), Told("sglang:realtime_tokens_total", {"mode": "decode"})),
        "prefill_seconds": (Told("sglang:forward_execution_seconds_total", {"category": "extend"}),),
        "decode_seconds": (Told("sglang:forward_execution_seconds_total", {"category": "decode"}),),
    },
    gauges={
        "running": (Told("sglang:num_running_reqs"),),
        "waiting": (Told("sglang:num_queue_reqs"),),
        "kv_usage": (Told("sglang:token_usage"),),
        "kv_used_tokens": (Told("sglang:num_used_tokens"),),
    },
    histograms={
        "ttft": ("sglang:time_to_first_token_seconds",),
        "itl": ("sglang:inter_token_latency_seconds", "sglang:time_per_output_token_seconds"),
        "e2e": ("sglang:e2e_request_latency_seconds",),
    },
)

# Text Generation Inference names no model; the target's own does.
TGI = Engine(
    name="tgi",
    prefix="tgi_",
    model_label=None,
    seconds=ENGINE,
    counters={
        "prompt_total": (Told("tgi_request_input_length_sum"),),
        "output": (Told("tgi_request_generated_tokens_sum"),),
        "prefill_seconds": (Told("tgi_batch_inference_duration_sum", {"method": "prefill"}),),
        "decode_seconds": (Told("tgi_batch_inference_duration_sum", {"method": "decode"}),),
        "queue_seconds": (Told("tgi_request_queue_duration_sum"),),
        "requests": (Told("tgi_request_success"), Told("tgi_request_success_total")),
    },
    gauges={"running": (Told("tgi_batch_current_size"),), "waiting": (Told("tgi_queue_size"),)},
    histograms={"e2e": ("tgi_request_duration",), "itl": ("tgi_request_mean_time_per_token_duration",)},
)

# No token counters: tokens come from the calls.
TRITON = Engine(
    name="triton",
    prefix="nv_inference_",
    model_label="model",
    counters={
        "requests": (Told("nv_inference_request_success"),),
        "failures": (Told("nv_inference_request_failure"),),
        "queue_seconds": (Told("nv_inference_queue_duration_us", factor=MICRO),),
    },
    gauges={"waiting": (Told("nv_inference_pending_request_count"),)},
)

_BLOCKS = "nv_trt_llm_kv_cache_block_metrics"
TENSORRT_LLM = Engine(
    name="tensorrt-llm",
    prefix="nv_trt_llm_",
    model_label="model",
    counters={},
    gauges={
        "running": (Told("nv_trt_llm_request_metrics", {"request_type": "scheduled"}),),
        "kv_usage": (Told(_BLOCKS, {"kv_cache_block_type": "fraction"}),),
        "kv_used_blocks": (Told(_BLOCKS, {"kv_cache_block_type": "used"}),),
        "kv_blocks": (Told(_BLOCKS, {"kv_cache_block_type": "max"}),),
        "kv_block_tokens": (Told(_BLOCKS, {"kv_cache_block_type": "tokens_per"}),),
    },
)

TRTLLM_SERVE = Engine(
    name="trtllm-serve",
    prefix="trtllm_",
    model_label="model_name",
    counters={
        "requests": (Told("trtllm_request_success_total"),),
        "queue_seconds": (Told("trtllm_request_queue_time_seconds_sum"),),
    },
    gauges={"kv_usage": (Told("trtllm_kv_cache_utilization"),)},
    histograms={
        "ttft": ("trtllm_time_to_first_token_seconds",),
        "itl": ("trtllm_time_per_output_token_seconds",),
        "e2e": ("trtllm_e2e_request_latency_seconds",),
    },
)

# Its count of prompt tokens leaves cached ones out; it has no labels.
LLAMA_CPP = Engine(
    name="llama.cpp",
    prefix="llamacpp:",
    model_label=None,
    seconds=ENGINE,
    counters={
        "prompt_computed": (Told("llamacpp:prompt_tokens_total"),),
        "prompt_cached": (Told("llamacpp:prompt_tokens_cached_total"),),
        "output": (Told("llamacpp:tokens_predicted_total"),),
        "prefill_seconds": (Told("llamacpp:prompt_seconds_total"),),
        "decode_seconds": (Told("llamacpp:tokens_predicted_seconds_total"),),
    },
    gauges={
        "running": (Told("llamacpp:requests_processing"),),
        "waiting": (Told("llamacpp:requests_deferred"),),
        "kv_usage": (Told("llamacpp:kv_cache_usage_ratio"),),
    },
)

ENGINES = (VLLM, SGLANG, TGI, TRITON, TENSORRT_LLM, TRTLLM_SERVE, LLAMA_CPP)


@dataclass(frozen=True, kw_only=True, slots=True)
class Exporter:
    """A source of GPU metrics. ``fields``: our field by the metric's name, with the factor into our unit.

    Units are ratios of 0 to 1, bytes, watts, joules, degrees Celsius and hertz. ``uuid``, ``name`` and the rest are labels.
    """

    source: str
    prefixes: tuple[str, ...]
    fields: Mapping[str, tuple[str, float]]
    uuid: tuple[str, ...]
    model: tuple[str, ...]
    index: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    is_blank_coded: bool = False  # unknown numbers are written as huge ones


_DEV, _PROF = "DCGM_FI_DEV_", "DCGM_FI_PROF_"
DCGM = Exporter(
    source="dcgm",
    prefixes=("DCGM_",),
    uuid=("UUID",),
    model=("modelName",),
    index=("gpu",),
    host=("hostname", "Hostname"),
    is_blank_coded=True,
    fields={
        f"{_DEV}GPU_UTIL": ("utilization", PERCENT),
        f"{_DEV}MEM_COPY_UTIL": ("memory_copy_utilization", PERCENT),
        f"{_DEV}ENC_UTIL": ("encoder_utilization", PERCENT),
        f"{_DEV}DEC_UTIL": ("decoder_utilization", PERCENT),
        f"{_PROF}GR_ENGINE_ACTIVE": ("engine_active", 1.0),
        f"{_PROF}SM_ACTIVE": ("sm_active", 1.0),
        f"{_PROF}SM_OCCUPANCY": ("sm_occupancy", 1.0),
        f"{_PROF}PIPE_TENSOR_ACTIVE": ("tensor_active", 1.0),
        f"{_PROF}DRAM_ACTIVE": ("dram_active", 1.0),
        f"{_PROF}PCIE_TX_BYTES": ("pcie_sent_bytes_per_second", 1.0),
        f"{_PROF}PCIE_RX_BYTES": ("pcie_received_bytes_per_second", 1.0),
        f"{_DEV}POWER_USAGE": ("power_watts", 1.0),
        f"{_DEV}TOTAL_ENERGY_CONSUMPTION": ("energy_joules", MILLI),
        f"{_DEV}GPU_TEMP": ("temperature_celsius", 1.0),
        f"{_DEV}MEMORY_TEMP": ("memory_temperature_celsius", 1.0),
        f"{_DEV}SM_CLOCK": ("sm_clock_hertz", 1e6),
        f"{_DEV}MEM_CLOCK": ("memory_clock_hertz", 1e6),
        f"{_DEV}FB_USED": ("memory_used_bytes", MIB),
        f"{_DEV}FB_FREE": ("memory_free_bytes", MIB),
        f"{_DEV}FB_RESERVED": ("memory_reserved_bytes", MIB),
        f"{_DEV}XID_ERRORS": ("last_xid", 1.0),
        f"{_DEV}UNCORRECTABLE_REMAPPED_ROWS": ("uncorrectable_remapped_rows", 1.0),
    },
)

# Triton tells of the GPUs it uses beside its models; energy is in joules.
TRITON_GPU = Exporter(
    source="triton",
    prefixes=("nv_gpu_", "nv_energy_"),
    uuid=("gpu_uuid",),
    model=(),
    fields={
        "nv_gpu_utilization": ("utilization", 1.0),
        "nv_gpu_memory_total_bytes": ("memory_total_bytes", 1.0),
        "nv_gpu_memory_used_bytes": ("memory_used_bytes", 1.0),
        "nv_gpu_power_usage": ("power_watts", 1.0),
        "nv_gpu_power_limit": ("power_limit_watts", 1.0),
        "nv_energy_consumption": ("energy_joules", 1.0),
    },
)

# Some builds write ``amd_`` before the names, or all in capitals: both are taken off before looking here.
AMD = Exporter(
    source="amd",
    prefixes=("gpu_",),
    uuid=("gpu_uuid", "serial_number"),
    model=("card_series", "card_model"),
    index=("gpu_id",),
    host=("hostname",),
    fields={
        "gpu_gfx_activity": ("engine_active", PERCENT),
        "gpu_package_power": ("power_watts", 1.0),
        "gpu_power_usage": ("power_watts", 1.0),
        "gpu_used_vram": ("memory_used_bytes", MIB),
        "gpu_total_vram": ("memory_total_bytes", MIB),
    },
)

# OpenTelemetry's names, and beside them ours for what it has none. ``hw.gpu.memory.utilization`` is left out: the
# conventions mean memory in use by it, a widespread collector how busy the memory controller is.
OPENTELEMETRY = Exporter(
    source="otel",
    prefixes=("hw.", "outlay.gpu."),
    uuid=("hw.id",),
    model=("hw.model", "hw.name"),
    index=("outlay.gpu.index",),
    host=("host.name",),
    fields={
        "hw.gpu.utilization": ("utilization", 1.0),
        "hw.gpu.memory.usage": ("memory_used_bytes", 1.0),
        "hw.gpu.memory.limit": ("memory_total_bytes", 1.0),
        "hw.power": ("power_watts", 1.0),
        "hw.gpu.power.draw": ("power_watts", 1.0),
        "hw.gpu.power.limit": ("power_limit_watts", 1.0),
        "hw.energy": ("energy_joules", 1.0),
        "hw.gpu.energy.consumed": ("energy_joules", 1.0),
        "hw.gpu.temperature": ("temperature_celsius", 1.0),
        "outlay.gpu.engine.active": ("engine_active", 1.0),
        "outlay.gpu.sm.active": ("sm_active", 1.0),
        "outlay.gpu.sm.occupancy": ("sm_occupancy", 1.0),
        "outlay.gpu.tensor.active": ("tensor_active", 1.0),
        "outlay.gpu.dram.active": ("dram_active", 1.0),
        "outlay.gpu.memory.copy.utilization": ("memory_copy_utilization", 1.0),
        "outlay.gpu.memory.reserved": ("memory_reserved_bytes", 1.0),
        "outlay.gpu.power.limit": ("power_limit_watts", 1.0),
        "outlay.gpu.temperature": ("temperature_celsius", 1.0),
        "outlay.gpu.sm.clock": ("sm_clock_hertz", 1.0),
    },
)

# OpenLIT's library, which polls in the process that serves.
OPENLIT = Exporter(
    source="openlit",
    prefixes=("gpu.",),
    uuid=("gpu.uuid", "gpu_uuid"),
    model=("gpu.name", "gpu_name"),
    index=("gpu.index", "gpu_index"),
    host=("host.name",),
    fields={
        "gpu.utilization": ("utilization", PERCENT),
        "gpu.memory.total": ("memory_total_bytes", MIB),
        "gpu.memory.used": ("memory_used_bytes", MIB),
        "gpu.memory.free": ("memory_free_bytes", MIB),
        "gpu.power.draw": ("power_watts", 1.0),
        "gpu.power.limit": ("power_limit_watts", 1.0),
        "gpu.temperature": ("temperature_celsius", 1.0),
    },
)

EXPORTERS = (DCGM, TRITON_GPU, AMD, OPENTELEMETRY, OPENLIT)

GPU_COUNTERS = frozenset(("energy_joules",))
"""Fields of a GPU that only grow until its driver is loaded again."""

UNITS = {"%": PERCENT, "1": 1.0, "By": 1.0, "MiBy": MIB, "MB": MIB, "W": 1.0, "mW": MILLI, "J": 1.0, "mJ": MILLI}
"""Factors into our units by OTLP's unit, which beats the table's own factor where it is told."""

OTLP_PREFIXES = (
    *(engine.prefix for engine in ENGINES),
    *(prefix for exporter in EXPORTERS for prefix in exporter.prefixes),
    "amd_",
    "process_start_time_seconds",
)
"""Metrics of an OTLP request that are kept as telemetry."""
