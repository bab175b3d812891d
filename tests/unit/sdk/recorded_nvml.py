"""NVML as it answers on a machine that we do not have: two GPUs, one cut into slices, one that lacks most of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

GIB = 2**30


class NVMLError(Exception):
    """As the bindings raise it."""


class RecordedNvml:
    """The functions of ``pynvml`` that the agent calls. ``gpus`` copies of an H100; ``old``: one that supports little."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_SM = 1
    NVML_GPM_METRICS_GET_VERSION = 1
    nvmlMemory_v2 = 0x2000028  # noqa: N815 - the bindings' own name

    def __init__(self, gpus: int = 1, *, old: bool = False, mig: bool = False, driver: bool = True) -> None:
        self.gpus, self.old, self.mig, self.driver = gpus, old, mig, driver
        self.ticks = 0
        self.freed = 0

    def __getattr__(self, name: str) -> Any:
        """What an old GPU does not support."""
        if name.startswith("nvml"):
            return self._refuse
        raise AttributeError(name)

    def _refuse(self, *_: Any) -> Any:
        raise NVMLError("Not Supported")

    def _new(self, answer: Any) -> Any:
        if self.old:
            raise NVMLError("Not Supported")
        return answer

    def nvmlInit(self) -> None:  # noqa: N802
        if not self.driver:
            raise NVMLError("NVML Shared Library Not Found")

    def nvmlShutdown(self) -> None:  # noqa: N802
        return

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self.gpus

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> bytes:  # noqa: N802
        return f"GPU-{handle}".encode()

    def nvmlDeviceGetName(self, handle: Any) -> str:  # noqa: N802
        return "NVIDIA H100 80GB HBM3" + (f" MIG {handle[1]}" if isinstance(handle, tuple) else "")

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        del handle
        self.ticks += 1
        return SimpleNamespace(gpu=80 + 10 * (self.ticks % 2), memory=40)

    def nvmlDeviceGetMemoryInfo(self, handle: Any, version: int | None = None) -> Any:  # noqa: N802
        if version is not None:
            self._new(None)
            return SimpleNamespace(total=80 * GIB, used=70 * GIB, free=9 * GIB, reserved=1 * GIB)
        return SimpleNamespace(total=80 * GIB, used=71 * GIB, free=9 * GIB)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:  # noqa: N802
        return self._new(412_500)

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: int) -> int:  # noqa: N802
        return self._new(700_000)

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:  # noqa: N802
        return self._new(61)

    def nvmlDeviceGetClockInfo(self, handle: int, clock: int) -> int:  # noqa: N802
        return self._new(1980)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        return self._new(15_152_422_938)

    def nvmlDeviceGetMigMode(self, handle: int) -> tuple[int, int]:  # noqa: N802
        return self._new((int(self.mig), int(self.mig)))

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: int) -> int:  # noqa: N802
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: int, place: int) -> tuple[int, str]:  # noqa: N802
        if place > 1:
            raise NVMLError("Not Found")
        return (place + 1, ("3g.40gb", "2g.20gb")[place])

    def nvmlDeviceGetGpuInstanceId(self, part: tuple[int, str]) -> int:  # noqa: N802
        return part[0]

    def nvmlGpmQueryDeviceSupport(self, handle: int) -> Any:  # noqa: N802
        return self._new(SimpleNamespace(isSupportedDevice=1))

    def nvmlGpmSampleAlloc(self) -> object:  # noqa: N802
        return object()

    def nvmlGpmSampleGet(self, handle: int, sample: object) -> object:  # noqa: N802
        return sample

    def nvmlGpmMigSampleGet(self, handle: int, part: int, sample: object) -> object:  # noqa: N802
        return sample

    def nvmlGpmSampleFree(self, sample: object) -> None:  # noqa: N802
        self.freed += 1

    def c_nvmlGpmMetricsGet_t(self) -> Any:  # noqa: N802
        metrics = [SimpleNamespace(metricId=0, value=0.0, nvmlReturn=0) for _ in range(98)]
        return SimpleNamespace(version=0, numMetrics=0, sample1=None, sample2=None, metrics=metrics)

    def nvmlGpmMetricsGet(self, question: Any) -> Any:  # noqa: N802
        told = {2: 34.0, 3: 20.0, 5: 8.5, 10: 29.0}
        for one in question.metrics[: question.numMetrics]:
            one.value = told[one.metricId]
        return question
