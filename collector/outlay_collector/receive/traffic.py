"""How much is on its way through this process, and how much went through: the bound, and the numbers for ``/metrics``."""

from __future__ import annotations

from outlay_collector.errors import Unavailable


class Traffic:
    """Counted on the event loop only, so it needs no lock."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes_in_flight = 0
        self.requests = 0
        self.spans_accepted = 0
        self.spans_rejected = 0
        self.requests_shed = 0

    def load(self) -> Load:
        """What one request will hold; used in a ``with`` block, after which it holds nothing."""
        return Load(self)


class Load:
    """Bytes that one request holds in this process: as it was sent, inflated, decoded. It grows as it turns out."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._bytes = 0

    def __enter__(self) -> Load:
        self._traffic.requests += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._traffic.bytes_in_flight -= self._bytes

    def add(self, size: int) -> None:
        """Unavailable when too much is in flight; a large request that is alone always finds room."""
        traffic = self._traffic
        others = traffic.bytes_in_flight - self._bytes
        if others and traffic.bytes_in_flight + size > traffic.max_bytes:
            traffic.requests_shed += 1
            raise Unavailable("The collector has as much in flight as it may hold; send again.")
        self._bytes += size
        traffic.bytes_in_flight += size
