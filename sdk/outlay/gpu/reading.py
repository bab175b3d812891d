"""What NVML says of each GPU and MIG slice at one moment. What it does not support is absent, never zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

PERCENT = 0.01

# Of Hopper and later, by numbers of NVML's GPM: what a profiler would tell, without one.
_GPM = {
    2: "outlay.gpu.sm.active",
    3: "outlay.gpu.sm.occupancy",
    5: "outlay.gpu.tensor.active",
    10: "outlay.gpu.dram.active",
}


class Gpu(NamedTuple):
    """One GPU or slice: who it is, and its numbers by the name of the metric. ``energy_mj`` grows while the driver lives."""

    attributes: tuple[tuple[str, str], ...]
    values: dict[str, float]
    energy_mj: int | None = None


class Reader:
    """Reads all GPUs of this machine. ``nvml`` is the module ``pynvml``, initialised, or what stands for it."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._samples: dict[str, Any] = {}

    def read(self) -> list[Gpu]:
        """Every GPU that answers; one that fell off its bus is left out."""
        found: list[Gpu] = []
        for index in range(self._nvml.nvmlDeviceGetCount()):
            handle = self._told(self._nvml.nvmlDeviceGetHandleByIndex, index)
            uuid = None if handle is None else self._told(self._nvml.nvmlDeviceGetUUID, handle)
            if handle is not None and uuid is not None:
                found.append(self._gpu(handle, index, _text(uuid)))
                found.extend(self._slices(handle, index, _text(uuid)))
        return found

    def _told(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        """An answer, or None where this GPU, driver or permission has none."""
        try:
            return ask(*arguments)
        except self._nvml.NVMLError:
            return None

    def _gpu(self, handle: Any, index: int, uuid: str) -> Gpu:
        nvml = self._nvml
        values: dict[str, float] = {}
        utilization = self._told(nvml.nvmlDeviceGetUtilizationRates, handle)
        if utilization is not None:
            values["hw.gpu.utilization"] = utilization.gpu * PERCENT
            # Time in which memory was read or written; nothing about how much of it is used.
            values["outlay.gpu.memory.copy.utilization"] = utilization.memory * PERCENT
        values |= self._memory(handle)
        for name, ask, factor in (
            ("hw.power", nvml.nvmlDeviceGetPowerUsage, 0.001),
            ("outlay.gpu.power.limit", nvml.nvmlDeviceGetEnforcedPowerLimit, 0.001),
        ):
            told = self._told(ask, handle)
            if told is not None:
                values[name] = told * factor
        temperature = self._told(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU)
        if temperature is not None:
            values["outlay.gpu.temperature"] = float(temperature)
        clock = self._told(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM)
        if clock is not None:
            values["outlay.gpu.sm.clock"] = clock * 1e6
        values |= self._activity(handle, uuid)
        energy = self._told(nvml.nvmlDeviceGetTotalEnergyConsumption, handle)
        return Gpu(self._attributes(handle, index, uuid), values, energy)

    def _attributes(self, handle: Any, index: int, uuid: str) -> tuple[tuple[str, str], ...]:
        name = self._told(self._nvml.nvmlDeviceGetName, handle)
        named = (("hw.model", _text(name)),) if name is not None else ()
        return (("hw.type", "gpu"), ("hw.id", uuid), ("hw.vendor", "NVIDIA"), *named, ("outlay.gpu.index", str(index)))

    def _memory(self, handle: Any) -> dict[str, float]:
        nvml = self._nvml
        # The second version tells what the driver keeps for itself apart; older drivers have only the first.
        told = self._told(lambda: nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2))
        if told is None:
            told = self._told(nvml.nvmlDeviceGetMemoryInfo, handle)
        if told is None:
            return {}
        values = {"hw.gpu.memory.limit": float(told.total), "hw.gpu.memory.usage": float(told.used)}
        reserved = getattr(told, "reserved", None)
        return values if reserved is None else {**values, "outlay.gpu.memory.reserved": float(reserved)}

    def _slices(self, handle: Any, index: int, uuid: str) -> list[Gpu]:
        """MIG slices, which tell their memory and activity; utilisation is of the whole GPU only."""
        nvml = self._nvml
        mode = self._told(nvml.nvmlDeviceGetMigMode, handle)
        if not mode or mode[0] != 1:
            return []
        found: list[Gpu] = []
        for place in range(self._told(nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
            part = self._told(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, place)
            number = None if part is None else self._told(nvml.nvmlDeviceGetGpuInstanceId, part)
            if part is None or number is None:
                continue
            profile = _text(self._told(nvml.nvmlDeviceGetName, part) or "").rpartition("MIG ")[2]
            attributes = (
                *self._attributes(handle, index, uuid),
                ("outlay.gpu.slice", str(number)),
                ("outlay.gpu.profile", profile),
            )
            values = {**self._memory(part), **self._activity(handle, uuid, int(number))}
            found.append(Gpu(attributes, values))
        return found

    def _activity(self, handle: Any, uuid: str, part: int | None = None) -> dict[str, float]:
        """How active the parts of a GPU were since the reading before; empty at the first, and before Hopper."""
        nvml = self._nvml
        support = self._told(nvml.nvmlGpmQueryDeviceSupport, handle)
        if support is None or not support.isSupportedDevice:
            return {}
        key = f"{uuid}/{part}"
        sample = self._told(nvml.nvmlGpmSampleAlloc)
        if sample is None:
            return {}
        try:
            if part is None:
                nvml.nvmlGpmSampleGet(handle, sample)
            else:
                nvml.nvmlGpmMigSampleGet(handle, part, sample)
        except nvml.NVMLError:
            self._told(nvml.nvmlGpmSampleFree, sample)
            return {}
        before = self._samples.get(key)
        self._samples[key] = sample
        if before is None:
            return {}
        question = nvml.c_nvmlGpmMetricsGet_t()
        question.version, question.numMetrics = nvml.NVML_GPM_METRICS_GET_VERSION, len(_GPM)
        question.sample1, question.sample2 = before, sample
        for place, number in enumerate(_GPM):
            question.metrics[place].metricId = number
        answered = self._told(nvml.nvmlGpmMetricsGet, question)
        self._told(nvml.nvmlGpmSampleFree, before)
        if answered is None:
            return {}
        return {
            name: question.metrics[place].value * PERCENT
            for place, name in enumerate(_GPM.values())
            if question.metrics[place].nvmlReturn == 0
            and question.metrics[place].value == question.metrics[place].value
        }


def _text(told: Any) -> str:
    """Older bindings answer with bytes."""
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
