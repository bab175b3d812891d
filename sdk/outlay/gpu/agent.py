"""Samples GPUs every second and sends means of some seconds, so that a short burst is not missed and little is sent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from outlay import otlp
from outlay.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from outlay.gpu.reading import Gpu

_UNITS = {
    "hw.gpu.memory.limit": "By",
    "hw.gpu.memory.usage": "By",
    "outlay.gpu.memory.reserved": "By",
    "hw.power": "W",
    "outlay.gpu.power.limit": "W",
    "outlay.gpu.temperature": "Cel",
    "outlay.gpu.sm.clock": "Hz",
}


class Means:
    """Readings of one interval, averaged per GPU and metric; of energy the last is kept."""

    def __init__(self) -> None:
        self._sums: dict[tuple[tuple[tuple[str, str], ...], str], tuple[float, int]] = {}
        self._energy: dict[tuple[tuple[str, str], ...], int] = {}

    def add(self, gpus: list[Gpu]) -> None:
        for gpu in gpus:
            for name, value in gpu.values.items():
                total, number = self._sums.get((gpu.attributes, name), (0.0, 0))
                self._sums[gpu.attributes, name] = (total + value, number + 1)
            if gpu.energy_mj is not None:
                self._energy[gpu.attributes] = gpu.energy_mj

    def take(self, *, target: str, host: str, start_ns: int, now_ns: int) -> bytes | None:
        """An export request of what was read since the last, None if nothing was."""
        if not self._sums and not self._energy:
            return None
        by_name: dict[str, list[tuple[float, tuple[tuple[str, str], ...]]]] = {}
        for (attributes, name), (total, number) in self._sums.items():
            by_name.setdefault(name, []).append((total / number, attributes))
        metrics = [
            otlp.gauge(name, unit=_UNITS.get(name, "1"), points=points, now_ns=now_ns)
            for name, points in sorted(by_name.items())
        ]
        if self._energy:
            points = [(value, attributes) for attributes, value in self._energy.items()]
            metrics.append(otlp.counter("hw.energy", unit="mJ", points=points, start_ns=start_ns, now_ns=now_ns))
        self._sums, self._energy = {}, {}
        resource = otlp.resource([("outlay.target", target), ("host.name", host), ("service.name", "outlay.gpu")])
        return otlp.request([(resource, otlp.scope("outlay.gpu", __version__), metrics)])


def run(
    read: Callable[[], list[Gpu]],
    send: Callable[[bytes], None],
    *,
    target: str,
    host: str,
    sample: float,
    interval: float,
    wait: Callable[[float], bool],
) -> None:
    """Until ``wait(seconds)`` says to stop. What was not sent by then is sent last."""
    means, start_ns = Means(), time.time_ns()
    due = time.monotonic() + interval
    stopped = False
    while not stopped:
        began = time.monotonic()
        means.add(read())
        stopped = wait(max(sample - (time.monotonic() - began), 0.0))
        if stopped or time.monotonic() >= due:
            body = means.take(target=target, host=host, start_ns=start_ns, now_ns=time.time_ns())
            if body is not None:
                send(body)
            due = time.monotonic() + interval
