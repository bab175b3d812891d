"""The GPU agent: what it reads, what it leaves out, what the collector makes of it, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest
from outlay.gpu import __main__ as command
from outlay.gpu.agent import Means, run
from outlay.gpu.reading import Reader
from outlay_collector.gpu.otlp import read_otlp
from outlay_collector.gpu.readings import read

from tests.unit.sdk.recorded_nvml import GIB, RecordedNvml


def sent(nvml: RecordedNvml, readings: int = 2) -> Any:
    """What the collector reads of an interval."""
    reader, means = Reader(nvml), Means()
    for _ in range(readings):
        means.add(reader.read())
    body = means.take(target="node-a", host="node-a.local", start_ns=1, now_ns=1_790_000_000_000_000_000)
    assert body is not None
    (one,) = read_otlp(body, json=False)
    assert (one.target, one.time_ns) == ("node-a", 1_790_000_000_000_000_000)
    return read(one.samples).gpus


def test_a_gpu_is_read_in_units_of_the_conventions_and_averaged() -> None:
    (gpu,) = sent(RecordedNvml())
    assert (gpu.source, gpu.uuid, gpu.name, gpu.index, gpu.host) == (
        "otel", "GPU-0", "NVIDIA H100 80GB HBM3", "0", "node-a.local",
    )  # fmt: skip
    assert gpu.values == pytest.approx(
        {
            "utilization": 0.85, "memory_copy_utilization": 0.4, "memory_used_bytes": 70 * GIB,
            "memory_total_bytes": 80 * GIB, "memory_reserved_bytes": GIB, "power_watts": 412.5, "power_limit_watts": 700,
            "energy_joules": 15_152_422.938, "temperature_celsius": 61, "sm_clock_hertz": 1.98e9, "sm_active": 0.34,
            "sm_occupancy": 0.2, "tensor_active": 0.085, "dram_active": 0.29,
        }
    )  # fmt: skip


def test_what_a_gpu_does_not_support_is_absent() -> None:
    (gpu,) = sent(RecordedNvml(old=True))
    assert gpu.values == pytest.approx(
        {
            "utilization": 0.85,
            "memory_copy_utilization": 0.4,
            "memory_used_bytes": 71 * GIB,
            "memory_total_bytes": 80 * GIB,
        }
    )


def test_slices_stand_apart_with_their_memory_and_activity() -> None:
    found = sent(RecordedNvml(mig=True))
    assert [(gpu.uuid, gpu.slice, gpu.profile) for gpu in found] == [
        ("GPU-0", "", ""), ("GPU-0", "1", "3g.40gb"), ("GPU-0", "2", "2g.20gb"),
    ]  # fmt: skip
    assert "utilization" not in found[1].values
    assert found[1].values["sm_active"] == pytest.approx(0.34)


def test_samples_of_activity_are_given_back() -> None:
    nvml = RecordedNvml()
    reader = Reader(nvml)
    for _ in range(5):
        reader.read()
    assert nvml.freed == 4


def test_it_reads_until_it_is_stopped_and_sends_what_is_left() -> None:
    bodies: list[bytes] = []
    turns = iter([False, False, True])
    run(
        Reader(RecordedNvml(gpus=8)).read, bodies.append, target="t", host="h", sample=0, interval=3600,
        wait=lambda _: next(turns),
    )  # fmt: skip
    (one,) = bodies
    assert len(read(read_otlp(one, json=False)[0].samples).gpus) == 8


def test_without_a_gpu_or_a_driver_it_says_so_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([], RecordedNvml(driver=False)) == command.NO_GPU
    assert "no NVIDIA driver answers (NVML Shared Library Not Found); gpu.discovered=0" in capsys.readouterr().err
    assert command.main([], RecordedNvml(gpus=0)) == command.NO_GPU
    assert "knows no GPU" in capsys.readouterr().err


def test_an_endpoint_that_cannot_be_one_is_a_setting_to_mend(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--endpoint", "nonsense"], RecordedNvml()) == command.BAD_SETTING
    assert "nonsense" in capsys.readouterr().err
