"""How much memory a model needs on GPUs and how fast it can be at best: integers and formulas, nothing learnt. Pure.

Every step says its formula with its numbers. Bounds are bounds: no engine is faster, and most are a good deal slower.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from outlay_collector.errors import BadRequest

GIB = 2**30

BYTES: Mapping[str, Fraction] = {
    "fp32": Fraction(4),
    "bf16": Fraction(2),
    "fp16": Fraction(2),
    "fp8": Fraction(1),
    "int8": Fraction(1),
    "int4": Fraction(1, 2),
    "nvfp4": Fraction(1, 2),
}
"""Bytes of a parameter. Scales, zero points and layers that are left as they were come on top: ``overhead``."""

RUNTIME_GIB = 2
"""Per GPU: the CUDA context, its graphs, activations. 1.5 to 2 in practice."""

PREFILL_MFU = Fraction(1, 2)
"""Of the FLOPs that prefill reaches at best in practice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """A part as it reports itself (memory) and as its maker says (dense figures; the sparse ones are double)."""

    name: str
    memory_gib: Fraction
    bandwidth_tbps: Fraction
    tflops: int


def _gpu(name: str, gib: str, tbps: str, tflops: int) -> tuple[str, Gpu]:
    return name.lower(), Gpu(name=name, memory_gib=Fraction(gib), bandwidth_tbps=Fraction(tbps), tflops=tflops)


GPUS: Mapping[str, Gpu] = dict(
    (
        _gpu("T4", "14.998", "0.32", 65),
        _gpu("L4", "22.493", "0.30", 121),
        _gpu("A10G", "22.488", "0.60", 70),
        _gpu("L40S", "44.987", "0.864", 362),
        _gpu("A100-40GB", "39.5", "1.555", 312),
        _gpu("A100-80GB", "79.2", "2.039", 312),
        _gpu("H100", "79.6", "3.35", 989),
        _gpu("H200", "140", "4.8", 989),
        _gpu("B200", "179", "8.0", 2250),
        _gpu("MI300X", "191.9", "5.3", 1307),
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A model as its ``config.json`` has it. ``params`` are all of them; a mixture of experts reads ``active_params``
    for a token. ``kv_lora_rank``: latent attention (MLA), where heads do not matter."""

    name: str
    layers: int
    params: int
    kv_heads: int = 0
    head_dim: int = 0
    kv_lora_rank: int = 0
    qk_rope_head_dim: int = 0
    active_params: int = 0
    sliding_window: int = 0
    sliding_layers: int = 0

    @property
    def read_params(self) -> int:
        """Parameters that one token goes through."""
        return self.active_params or self.params


SHAPES: Mapping[str, Shape] = {
    shape.name: shape
    for shape in (
        Shape(name="llama-3-8b", layers=32, kv_heads=8, head_dim=128, params=8_030_261_248),
        Shape(name="llama-3-70b", layers=80, kv_heads=8, head_dim=128, params=70_553_706_496),
        Shape(name="llama-3.1-405b", layers=126, kv_heads=8, head_dim=128, params=405_900_000_000),
        Shape(
            name="mixtral-8x7b",
            layers=32,
            kv_heads=8,
            head_dim=128,
            params=46_702_792_704,
            active_params=12_900_000_000,
        ),
        Shape(
            name="mixtral-8x22b",
            layers=56,
            kv_heads=8,
            head_dim=128,
            params=141_000_000_000,
            active_params=39_000_000_000,
        ),
        Shape(name="qwen2.5-0.5b", layers=24, kv_heads=2, head_dim=64, params=494_032_768),
        Shape(
            name="deepseek-v2",
            layers=60,
            kv_lora_rank=512,
            qk_rope_head_dim=64,
            params=236_000_000_000,
            active_params=21_000_000_000,
        ),
        Shape(
            name="deepseek-v3",
            layers=61,
            kv_lora_rank=512,
            qk_rope_head_dim=64,
            params=671_000_000_000,
            active_params=37_000_000_000,
        ),
    )
}


def shape_of(config: Mapping[str, Any], *, name: str, params: int, active_params: int = 0) -> Shape:
    """From a ``config.json`` of Hugging Face. Its head size is read, not derived, unless it leaves that out."""
    text: Mapping[str, Any] = config.get("text_config") or config
    try:
        layers, heads = int(text["num_hidden_layers"]), int(text["num_attention_heads"])
        head_dim = int(text.get("head_dim") or int(text["hidden_size"]) // heads)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"The configuration of {name} lacks {error}; it is the model's config.json.") from error
    kinds: list[str] = list(text.get("layer_types") or ())
    sliding = kinds.count("sliding_attention") if kinds else 0
    return Shape(
        name=name,
        layers=layers,
        params=params,
        active_params=active_params,
        kv_heads=int(text.get("num_key_value_heads") or heads),
        head_dim=head_dim,
        kv_lora_rank=int(text.get("kv_lora_rank") or 0),
        qk_rope_head_dim=int(text.get("qk_rope_head_dim") or 0),
        sliding_window=int(text.get("sliding_window") or 0) if sliding else 0,
        sliding_layers=sliding,
    )


def dtype_bytes(dtype: str) -> Fraction:
    try:
        return BYTES[dtype.lower()]
    except KeyError:
        raise BadRequest(f"{dtype!r:.40} is no type this knows; use one of {', '.join(BYTES)}.") from None


def gpu_named(name: str) -> Gpu:
    wanted = name.lower().replace(" ", "-")
    for known in (wanted, wanted.removesuffix("-sxm"), f"{wanted}-80gb"):
        if known in GPUS:
            return GPUS[known]
    raise BadRequest(f"{name!r:.40} is no GPU this knows; use one of {', '.join(gpu.name for gpu in GPUS.values())}.")


def weight_bytes(params: int, per_param: Fraction, overhead: Fraction = Fraction(0)) -> int:
    return ceil(params * per_param * (1 + overhead))


def kv_bytes_per_token(shape: Shape, per_element: Fraction, *, tensor_parallel: int = 1) -> int:
    """Of one token in all layers, over all GPUs; heads are repeated where there are more GPUs than heads."""
    return ceil(shape.layers * _kv_elements(shape, tensor_parallel) * per_element)


def kv_bytes(shape: Shape, per_element: Fraction, tokens: int, *, tensor_parallel: int = 1) -> int:
    """Of a sequence of ``tokens``. Layers that look back over a window only keep so much."""
    kept = (shape.layers - shape.sliding_layers) * tokens
    kept += shape.sliding_layers * (min(tokens, shape.sliding_window) if shape.sliding_window else tokens)
    return ceil(kept * _kv_elements(shape, tensor_parallel) * per_element)


def _kv_elements(shape: Shape, tensor_parallel: int) -> int:
    """Numbers kept per layer and token."""
    if shape.kv_lora_rank:
        return (shape.kv_lora_rank + shape.qk_rope_head_dim) * tensor_parallel  # every GPU holds the whole latent
    heads = ceil(Fraction(shape.kv_heads, tensor_parallel)) * tensor_parallel
    return 2 * heads * shape.head_dim


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the calculation: what, how, and the number with its unit."""

    what: str
    formula: str
    value: Fraction
    unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizing:
    steps: tuple[Step, ...]
    fits: bool
    sequences: int
    decode_tokens_per_second: int
    prefill_tokens_per_second: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What to calculate for. ``context``: tokens of a sequence, prompt and answer together."""

    shape: Shape
    gpu: Gpu
    gpus: int = 1
    dtype: str = "bf16"
    kv_dtype: str = "bf16"
    overhead: Fraction = Fraction(0)
    context: int = 8192
    concurrency: int | None = None
    utilization: Fraction = Fraction(9, 10)
    runtime_gib: Fraction = Fraction(RUNTIME_GIB)


def size(wanted: Wanted) -> Sizing:
    """Memory first, then the bounds on speed at ``concurrency`` (or as many sequences as fit)."""
    shape, gpu, n = wanted.shape, wanted.gpu, wanted.gpus
    if n < 1 or wanted.context < 1 or not 0 < wanted.utilization <= 1:
        raise BadRequest("GPUs and context must be at least 1, and the utilisation above 0 and at most 1.")
    per_param, per_element = dtype_bytes(wanted.dtype), dtype_bytes(wanted.kv_dtype)
    weights = weight_bytes(shape.params, per_param, wanted.overhead)
    per_token = kv_bytes_per_token(shape, per_element, tensor_parallel=n)
    per_sequence = kv_bytes(shape, per_element, wanted.context, tensor_parallel=n)
    pool = floor((gpu.memory_gib * wanted.utilization - wanted.runtime_gib) * n * GIB) - weights
    fits = pool >= per_sequence
    sequences = max(pool, 0) // per_sequence
    batch = max(wanted.concurrency or sequences, 1)
    read = weight_bytes(shape.read_params, per_param, wanted.overhead)
    step = Fraction(read + batch * per_sequence) / (gpu.bandwidth_tbps * n * 10**12)
    prefill = PREFILL_MFU * gpu.tflops * n * 10**12 / (2 * shape.read_params)
    extra = f" × {float(1 + wanted.overhead):g} (scales, unquantised layers)" if wanted.overhead else ""
    total = (
        f"{gpu.memory_gib.limit_denominator(1000)!s}"
        if gpu.memory_gib.denominator == 1
        else f"{float(gpu.memory_gib):g}"
    )
    return Sizing(
        steps=(
            Step("Weights", f"{shape.params:,} parameters × {_plain(per_param)} B{extra}", Fraction(weights), "B"),
            Step("KV cache per token", _kv_formula(shape, per_element, n), Fraction(per_token), "B"),
            Step(
                "KV cache per sequence",
                _sequence_formula(shape, per_token, wanted.context),
                Fraction(per_sequence),
                "B",
            ),
            Step(
                "Left for the KV cache",
                f"{n} × ({total} GiB × {float(wanted.utilization):g} − {_plain(wanted.runtime_gib)} GiB runtime) − weights",
                Fraction(pool),
                "B",
            ),
            Step(
                "Sequences at once",
                "left for the KV cache ÷ KV cache per sequence, rounded down",
                Fraction(sequences),
                "",
            ),
            Step(
                "Decode step, at least",
                f"({read:,} B read of the weights + {batch} × KV per sequence) ÷ ({n} × {float(gpu.bandwidth_tbps):g} TB/s)",
                step * 1000,
                "ms",
            ),
            Step("Output, at most", f"{batch} sequences ÷ decode step", Fraction(batch) / step, "tokens/s"),
            Step(
                "Prefill, at most",
                f"{_plain(PREFILL_MFU)} × {n} × {gpu.tflops} TFLOPS ÷ (2 × {shape.read_params:,} parameters)",
                prefill,
                "tokens/s",
            ),
        ),
        fits=fits,
        sequences=sequences,
        decode_tokens_per_second=floor(Fraction(batch) / step),
        prefill_tokens_per_second=floor(prefill),
    )


def _kv_formula(shape: Shape, per_element: Fraction, n: int) -> str:
    if shape.kv_lora_rank:
        held = f" × {n} GPUs" if n > 1 else ""
        return f"{shape.layers} layers × ({shape.kv_lora_rank} + {shape.qk_rope_head_dim}) latent × {_plain(per_element)} B{held}"
    heads = ceil(Fraction(shape.kv_heads, n)) * n
    repeated = f" ({shape.kv_heads}, repeated on {n} GPUs)" if heads != shape.kv_heads else ""
    return f"2 (K, V) × {shape.layers} layers × {heads} KV heads{repeated} × {shape.head_dim} × {_plain(per_element)} B"


def _sequence_formula(shape: Shape, per_token: int, context: int) -> str:
    if shape.sliding_window and shape.sliding_layers:
        return (
            f"{context:,} tokens, in {shape.sliding_layers} of {shape.layers} layers at most {shape.sliding_window:,}"
        )
    return f"{per_token:,} B × {context:,} tokens"


def _plain(number: Fraction) -> str:
    return f"{float(number):g}"
