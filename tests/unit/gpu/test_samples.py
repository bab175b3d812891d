"""Every scrape of ``tests/gpu_samples`` against what it must be read as; and texts that nobody should have sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from outlay_collector.gpu import adapters, deltas
from outlay_collector.gpu.exposition import parse
from outlay_collector.gpu.readings import EngineReading, GpuReading, Readings, read

SAMPLES = Path(__file__).parents[2] / "gpu_samples"


def scrape(name: str) -> Readings:
    return read(parse((SAMPLES / name).read_text()).samples)


def engine(text: str, **options: Any) -> EngineReading:
    (one,) = read(parse(text).samples, **options).engines
    return one


ENGINES: dict[str, dict[str, Any]] = {
    "vllm_v0_2024-05.txt": {
        "engine": "vllm", "instance": "", "model": "facebook/opt-125m", "started": 1717140558.3,
        "counters": {
            "prompt_total": 5, "prompt_cached": None, "prompt_computed": None, "output": 7, "finished:length": 1,
            "prefill_seconds": None, "ttft_count": 1, "itl_count": 6, "preemptions": 0,
        },
        "gauges": {"running": 0, "waiting": 0, "kv_usage": 0, "kv_capacity_tokens": 7281 * 16},
    },
    "vllm_v1_idle_2026-03.txt": {
        "engine": "vllm", "instance": "0", "model": "Qwen/Qwen2.5-0.5B-Instruct", "started": 1774011384.6,
        "counters": {
            "prompt_total": 0, "prompt_cached": 0, "prompt_computed": 0, "output": 0, "prefill_seconds": 0,
            "decode_seconds": 0, "queue_seconds": 0, "finished:stop": 0, "finished:repetition": 0,
        },
        "gauges": {"running": 0, "waiting": 0, "kv_usage": 0, "kv_capacity_tokens": 101_625 * 16},
    },
    "vllm_mixed_v0_v1_fixture.txt": {
        "engine": "vllm", "instance": "", "model": "facebook/opt-125m", "started": 1717140558.3,
        "counters": {
            "prompt_total": 5, "prompt_cached": 64, "prompt_computed": 53, "output": 7,
            "prefill_seconds": 0.2140041133388877, "decode_seconds": 0.6237391703762114, "itl_count": 144,
        },
        "gauges": {"running": 0, "waiting": 0, "kv_usage": 0},
    },
    "sglang_llama31_8b_loaded.txt": {
        "engine": "sglang", "instance": "", "model": "meta-llama/Llama-3.1-8B-Instruct", "started": None,
        "counters": {
            "prompt_total": 8_128_902, "output": 7_557_572, "prompt_cached": None, "prompt_computed": None,
            "ttft_count": 11_008, "e2e_count": 11_228, "itl_count": 7_400_757, "prefill_seconds": None,
        },
        "gauges": {"running": 162, "waiting": 2826, "kv_usage": 0.28, "kv_used_tokens": 123_859},
    },
    "triton_trtllm_2023-11.txt": {
        "engine": "tensorrt-llm", "instance": "", "model": "tensorrt_llm", "started": None,
        "counters": {"prompt_total": None, "output": None},
        "gauges": {"running": 1, "kv_usage": 1 / 6239, "kv_capacity_tokens": 6239 * 64, "waiting": None},
    },
    "synthetic/vllm_t0.txt": {
        "engine": "vllm", "instance": "0", "model": "synthetic/llama-3-8b", "started": 1.79e9,
        "counters": {"prompt_total": 100_000, "prompt_cached": 40_000, "prompt_computed": 60_000, "output": 20_000},
        "gauges": {"running": 4, "waiting": 0, "kv_usage": 0.21, "kv_capacity_tokens": None},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_is_read_as_what_it_says(name: str) -> None:
    wanted = ENGINES[name]
    (one,) = scrape(name).engines
    assert {field: getattr(one, field) for field in ("engine", "instance", "model", "started")} == {
        field: wanted[field] for field in ("engine", "instance", "model", "started")
    }
    for kind in ("counters", "gauges"):
        told = getattr(one, kind)
        assert {field: told.get(field) for field in wanted[kind]} == wanted[kind]


MIB = 2**20
GPUS: dict[str, dict[str, Any]] = {
    "dcgm_l4_idle_k8s.txt": {
        "name": "NVIDIA L4", "host": "i-030791dc5a37cd257", "uuid": "GPU-c2f76b33-7953-256e-8f33-1343419b1a1c",
        "values": {
            "utilization": 0, "engine_active": 0, "power_watts": 16.365, "energy_joules": 4742.776,
            "memory_total_bytes": 23_033 * MIB, "memory_reserved_bytes": 470 * MIB, "temperature_celsius": 31,
            "sm_clock_hertz": 210e6, "sm_active": None, "last_xid": None,
        },
    },
    "dcgm_t4_busy_no_help.txt": {
        "name": "Tesla T4", "host": "cp-bm14r7", "uuid": "GPU-6d5c0ac5-74d7-3130-46f1-e93ed57f469a",
        "values": {
            "utilization": 0.91, "memory_copy_utilization": 0.73, "engine_active": 0.156205, "dram_active": 0.092781,
            "tensor_active": 0.005822, "power_watts": 68.244, "energy_joules": 15_152_422.938,
            "memory_total_bytes": 15_358 * MIB,
        },
    },
    "dcgm_vgpu_a100_40c.txt": {
        "name": "GRID A100-40C", "host": "test-ai-1-node-pool-40c-d5ds8-br9r6-9tb2c",
        "uuid": "GPU-0946f70c-659b-4c39-8b78-7e7600000000",
        "values": {
            "utilization": 0, "memory_free_bytes": 37_739 * MIB, "power_watts": None, "energy_joules": None,
            "engine_active": None, "temperature_celsius": None,
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("name", GPUS)
def test_a_gpu_is_read_in_our_units_and_what_it_leaves_out_is_absent(name: str) -> None:
    wanted = GPUS[name]
    (one,) = scrape(name).gpus
    assert {"name": one.name, "host": one.host, "uuid": one.uuid} == {k: wanted[k] for k in ("name", "host", "uuid")}
    for field, value in wanted["values"].items():
        assert one.values.get(field) == (None if value is None else pytest.approx(value))


def test_mig_slices_stand_apart_both_host_labels_are_read_and_a_blank_is_absent() -> None:
    found = {(one.host, one.slice): one for one in scrape("synthetic/dcgm_mig_and_sentinel.txt").gpus}
    assert {key: (one.profile, one.pod, one.values) for key, one in found.items()} == {
        ("node-a", ""): ("", "", {"power_watts": 312.5}),
        ("node-a", "1"): ("3g.40gb", "vllm-a", {"engine_active": 0.75}),
        ("node-a", "2"): ("2g.20gb", "vllm-b", {"engine_active": 0.25}),
        ("node-a", "5"): ("1g.10gb", "", {"engine_active": 0.0}),
    }


def test_every_sample_is_read_without_a_skipped_line() -> None:
    for path in sorted(SAMPLES.rglob("*.txt")):
        assert parse(path.read_text()).skipped_lines == 0, path.name


# Identities of the loaded parts of the fixture.


def test_prompt_tokens_are_their_sources_and_inference_is_prefill_and_decode() -> None:
    text = (SAMPLES / "vllm_mixed_v0_v1_fixture.txt").read_text()
    said = {(s.name, s.labels.get("source", "")): s.value for s in parse(text).samples if "le" not in s.labels}
    sources = [said[("vllm:prompt_tokens_by_source_total", s)] for s in ("local_compute", "local_cache_hit")]
    assert sum(sources) == said[("vllm:prefix_cache_queries_total", "")] == 117
    phases = [said[(f"vllm:request_{phase}_time_seconds_sum", "")] for phase in ("prefill", "decode", "inference")]
    assert phases[0] + phases[1] == pytest.approx(phases[2], abs=1e-12)


TRUTH = json.loads((SAMPLES / "synthetic" / "truth.json").read_text())


@pytest.mark.parametrize("step", TRUTH["deltas"], ids=lambda step: step["to"])
def test_growth_between_two_scrapes_also_across_a_restart(step: dict[str, Any]) -> None:
    (before,), (after,) = (scrape(f"synthetic/{step[end]}.txt").engines for end in ("from", "to"))
    grown = deltas.since(deltas.remembered(before), after)
    names = {
        "prompt_tokens": "prompt_total", "cached_prompt_tokens": "prompt_cached",
        "computed_prompt_tokens": "prompt_computed", "generation_tokens": "output", "requests": "finished:stop",
        "prefill_seconds": "prefill_seconds", "decode_seconds": "decode_seconds",
    }  # fmt: skip
    for theirs, ours in names.items():
        if theirs in step:
            assert grown.counters[ours] == pytest.approx(step[theirs], abs=1e-9)
    assert grown.restarted == step.get("reset", False)
    if "prefill_s_per_computed_token" in step:
        per_token = grown.counters["prefill_seconds"] / grown.counters["prompt_computed"]
        assert per_token == pytest.approx(step["prefill_s_per_computed_token"])


def test_an_engine_seen_for_the_first_time_has_not_grown() -> None:
    (one,) = scrape("synthetic/vllm_t0.txt").engines
    assert deltas.since(None, one).counters == {}


def test_a_counter_that_falls_began_again_even_where_no_start_is_told() -> None:
    before, after = (engine(f"llamacpp:tokens_predicted_total {n}\n") for n in (900, 40))
    grown = deltas.since(deltas.remembered(before), after)
    assert (grown.counters, grown.restarted) == ({"output": 40}, True)


# Traps.


def test_one_bad_line_costs_itself_only() -> None:
    found = parse('vllm:num_requests_running{model_name="m"} 3\n<html>\nvllm:x{a=b} 1\nvllm:num_requests_waiting 2 2 2\n'
                  'vllm:prompt_tokens_total{model_name="m",} 1.07e+010 1717140558000\n')  # fmt: skip
    assert (found.skipped_lines, [sample.value for sample in found.samples]) == (3, [3, 1.07e10])


def test_a_web_page_instead_of_metrics_is_no_metrics() -> None:
    assert parse("<!doctype html>\n<title>502</title>\n").samples == []


def test_escaped_labels_and_a_text_in_json_quotes_are_read() -> None:
    (one,) = parse(r'm{path="C:\\x\n\"y\""} 1').samples
    assert one.labels == {"path": 'C:\\x\n"y"'}
    assert engine(json.dumps("llamacpp:tokens_predicted_total 7\n")).counters == {"output": 7}


def test_no_number_is_absent() -> None:
    assert parse("vllm:kv_cache_usage_perc NaN\nx +Inf\n").samples == []


def test_ranks_that_repeat_a_number_are_not_summed_and_replicas_are_apart() -> None:
    text = "\n".join(
        f'sglang:num_running_reqs{{model_name="m",tp_rank="{tp}",pp_rank="0",dp_rank="{dp}"}} {4 + dp}'
        for dp in (0, 1) for tp in range(4)
    )  # fmt: skip
    found = read(parse(text).samples).engines
    assert [(one.instance, one.gauges["running"]) for one in found] == [("0", 4), ("1", 5)]


def test_cached_tokens_of_sglang_are_summed_over_their_sources_and_left_out_of_what_was_computed() -> None:
    text = 'sglang:prompt_tokens_total 100\nsglang:cached_tokens_total{cache_source="device"} 30\n'
    counters = engine(text + 'sglang:cached_tokens_total{cache_source="host"} 10\n').counters
    assert counters == {"prompt_total": 100, "prompt_cached": 40, "prompt_computed": 60}


def test_llama_cpp_counts_prompts_without_what_was_cached() -> None:
    text = "llamacpp:prompt_tokens_total 60\nllamacpp:prompt_tokens_cached_total 40\nllamacpp:prompt_seconds_total 3\n"
    one = engine(text, model="qwen")
    assert (one.model, one.seconds) == ("qwen", adapters.ENGINE)
    assert one.counters == {"prompt_computed": 60, "prompt_cached": 40, "prompt_total": 100, "prefill_seconds": 3}
    assert "prompt_total" not in engine("llamacpp:prompt_tokens_total 60\n").counters


def test_a_histogram_that_is_called_total_is_no_counter() -> None:
    one = engine('vllm:iteration_tokens_total_bucket{le="1"} 5\nvllm:iteration_tokens_total_sum 9\n'
                 "vllm:generation_tokens_total 2\nvllm:generation_tokens_created 1.7e9\n")  # fmt: skip
    assert one.counters == {"output": 2}


def test_a_family_that_no_table_names_is_kept() -> None:
    assert engine("vllm:num_requests_running 1\nvllm:brand_new_total 7\n").unknown == {"vllm:brand_new_total": 7}


def test_the_cache_says_its_own_size_before_blocks_are_multiplied() -> None:
    labels = 'block_size="4",num_gpu_blocks="15998",kv_cache_size_tokens="1428520",engine="0"'
    text = f'vllm:num_requests_running{{engine="0",model_name="m"}} 1\nvllm:cache_config_info{{{labels}}} 1\n'
    assert engine(text).gauges["kv_capacity_tokens"] == 1_428_520


def test_other_engines_by_their_tables() -> None:
    tgi = engine(
        "tgi_queue_size 3\ntgi_batch_current_size 8\ntgi_request_input_length_sum 500\ntgi_request_generated_tokens_sum 70\n"
        'tgi_batch_inference_duration_sum{method="prefill"} 1.5\ntgi_batch_inference_duration_sum{method="decode"} 9\n',
        model="zephyr",
    )
    assert tgi.counters == {"prompt_total": 500, "output": 70, "prefill_seconds": 1.5, "decode_seconds": 9}
    assert (tgi.model, tgi.gauges) == ("zephyr", {"waiting": 3, "running": 8})
    triton = engine('nv_inference_queue_duration_us{model="m",version="1"} 2500000\n'
                    'nv_inference_request_success{model="m",version="1"} 4\n'
                    'nv_inference_request_success{model="m",version="2"} 5\n')  # fmt: skip
    assert triton.counters == {"queue_seconds": 2.5, "requests": 9}


def test_amd_names_are_read_in_any_case_and_with_their_prefix() -> None:
    text = 'AMD_GPU_GFX_ACTIVITY{gpu_uuid="u",card_series="MI300X"} 50\namd_gpu_total_vram{gpu_uuid="u"} 1\n'
    assert read(parse(text).samples).gpus == [
        GpuReading("amd", "u", name="MI300X", values={"engine_active": 0.5, "memory_total_bytes": float(MIB)})
    ]
