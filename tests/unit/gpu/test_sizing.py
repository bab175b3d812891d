"""Sizing: every case of ``sizing_cases.json`` exactly, and the worked capacities."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from outlay_collector.errors import BadRequest
from outlay_collector.gpu.sizing import (
    SHAPES,
    Shape,
    Wanted,
    gpu_named,
    kv_bytes,
    kv_bytes_per_token,
    shape_of,
    size,
    weight_bytes,
)

SAMPLES = Path(__file__).parents[2] / "gpu_samples"
CASES = json.loads((SAMPLES / "sizing_cases.json").read_text())


def shape(case: dict[str, Any]) -> Shape:
    return Shape(
        name=case["model"],
        layers=case["num_hidden_layers"],
        params=int(case["params"]),
        kv_heads=case.get("num_key_value_heads", 0),
        head_dim=case.get("head_dim", 0),
        kv_lora_rank=case.get("kv_lora_rank", 0),
        qk_rope_head_dim=case.get("qk_rope_head_dim", 0),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["model"])
def test_every_case_to_the_byte(case: dict[str, Any]) -> None:
    element = Fraction(case["kv_bytes_per_element"])
    assert kv_bytes_per_token(shape(case), element) == case["kv_bytes_per_token"]
    assert kv_bytes(shape(case), element, case["tokens"]) == case["kv_bytes_total"]
    if "weight_bytes" in case:
        assert weight_bytes(case["params"], Fraction(case["weight_bytes_per_param"])) == case["weight_bytes"]


def test_blocks_of_a_real_engine_are_those_that_its_cache_space_holds() -> None:
    opt = next(case for case in CASES if case["model"] == "opt-125m")
    assert 4_294_967_296 // (16 * kv_bytes_per_token(shape(opt), Fraction(2))) == 7281


@pytest.mark.parametrize(
    ("model", "gpu", "gpus", "dtype", "sequences"),
    [
        ("llama-3-8b", "L4", 1, "bf16", 3),
        ("llama-3-70b", "H100", 4, "bf16", 58),
        ("llama-3-70b", "H200", 1, "fp8", 23),
        ("llama-3-70b", "H100", 1, "bf16", 0),
    ],
)
def test_sequences_of_8k_that_fit(model: str, gpu: str, gpus: int, dtype: str, sequences: int) -> None:
    found = size(Wanted(shape=SHAPES[model], gpu=gpu_named(gpu), gpus=gpus, dtype=dtype))
    assert found.sequences == sequences
    assert found.fits == (sequences > 0)


def test_the_bound_on_decoding_is_bytes_over_bandwidth() -> None:
    found = size(Wanted(shape=SHAPES["llama-3-70b"], gpu=gpu_named("H100"), gpus=4, context=4096, concurrency=64))
    # (141.1 GB + 64 × 4,096 × 327,680 B) ÷ (4 × 3.35 TB/s) = 16.94 ms for 64 tokens.
    assert found.decode_tokens_per_second == 3777
    one = size(Wanted(shape=SHAPES["llama-3-8b"], gpu=gpu_named("H100"), context=1, concurrency=1))
    assert one.decode_tokens_per_second == 208


def test_more_gpus_than_kv_heads_repeat_the_cache() -> None:
    eight = SHAPES["llama-3-8b"]
    assert kv_bytes_per_token(eight, Fraction(2), tensor_parallel=8) == 131_072
    assert kv_bytes_per_token(eight, Fraction(2), tensor_parallel=16) == 262_144


def test_a_mixture_of_experts_keeps_all_parameters_and_reads_the_active_ones() -> None:
    found = size(Wanted(shape=SHAPES["mixtral-8x7b"], gpu=gpu_named("H200"), context=1, concurrency=1))
    assert found.steps[0].value == 93_405_585_408
    assert found.decode_tokens_per_second == int(4.8e12 // (2 * 12.9e9 + 131_072))


def test_layers_with_a_window_keep_no_more_than_it() -> None:
    gemma = Shape(name="g", layers=6, params=1, kv_heads=4, head_dim=64, sliding_window=1024, sliding_layers=5)
    assert kv_bytes(gemma, Fraction(2), 8192) == (8192 + 5 * 1024) * 2 * 4 * 64 * 2


def test_a_configuration_says_the_heads_that_are_kept() -> None:
    config = {"num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "hidden_size": 8192}
    read = shape_of(config, name="70b", params=70_553_706_496)
    assert kv_bytes_per_token(read, Fraction(2)) == 327_680
    with pytest.raises(BadRequest, match="num_hidden_layers"):
        shape_of({}, name="x", params=1)


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(BadRequest, match="RTX"):
        gpu_named("RTX 4090")
