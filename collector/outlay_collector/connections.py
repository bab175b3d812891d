"""Connections of one acceptor: how many there may be, and how long one may take to say what it wants.

A connection that asks for nothing costs its peer nothing, and the collector a descriptor. So there is a bound; over it
the one that has been idle for longest goes, and who has something to say is served however many keep silent. A request
under way is never cut off here: how long its body and its answer may take is known to those who read and write them.
"""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Of request line and headers; parsers go on collecting for as long as bytes come."""

KEEP_ALIVE_SECONDS = 75
"""How long a connection may be silent after an answer."""

SPARE_DESCRIPTORS = 256
"""For the database, gRPC and files; a process that runs out of them can answer nobody."""

_SWEEP_SECONDS = 0.5

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Crowd:
    """The connections of a process that have no request under way, longest idle first."""

    def __init__(self, most: int, head_seconds: float) -> None:
        self.most = most
        self.head_seconds = head_seconds
        self._idle: dict[Connection, float] = {}  # until when, by the loop's clock
        self._sweeping: asyncio.TimerHandle | None = None

    def wait_for(self, connection: Connection, seconds: float) -> None:
        """It is idle from now on, and is closed when that lasts for longer than ``seconds``."""
        self._idle.pop(connection, None)
        self._idle[connection] = connection.loop.time() + seconds
        if self._sweeping is None:
            self._sweeping = connection.loop.call_later(_SWEEP_SECONDS, self._sweep, connection.loop)

    def hurry(self, connection: Connection) -> None:
        """Its next request has begun to arrive; more bytes of it give no more time."""
        self._idle[connection] = connection.loop.time() + self.head_seconds

    def forget(self, connection: Connection) -> None:
        self._idle.pop(connection, None)

    def make_room(self) -> None:
        """The longest idle one goes. When all have requests under way, that is the one that just came."""
        longest = next(iter(self._idle), None)
        if longest is not None:
            longest.end(_FULL if len(self._idle) == 1 else b"")

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [connection for connection, until in self._idle.items() if until < now]:
            connection.end(_SLOW if connection.head_bytes else b"")
        self._sweeping = loop.call_later(_SWEEP_SECONDS, self._sweep, loop) if self._idle else None


class Connection(HttpToolsProtocol):
    """uvicorn's connection, as one of a crowd. ``head_bytes``: what has come of a request that has not begun."""

    crowd: ClassVar[Crowd]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.head_bytes = 0
        self._body_is_coming = False
        self.crowd.wait_for(self, self.crowd.head_seconds)
        if len(self.connections) > self.crowd.most:
            self.crowd.make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        in_head = not self._is_under_way() and not self._body_is_coming
        if in_head:
            if not self.head_bytes:
                self.crowd.hurry(self)
            self.head_bytes += len(data)
        super().data_received(data)
        if in_head and self.head_bytes > MAX_HEAD_BYTES:
            self.end(_LARGE)

    def on_headers_complete(self) -> None:
        self.head_bytes = 0
        self._body_is_coming = True
        self.crowd.forget(self)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._body_is_coming = False
        if not self._is_under_way():  # it was answered before it had come
            self.crowd.wait_for(self, KEEP_ALIVE_SECONDS)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_under_way() and not self.transport.is_closing():
            # An early answer leaves the rest of a body on its way; it is read and thrown away for as long as a head takes.
            self.crowd.wait_for(self, self.crowd.head_seconds if self._body_is_coming else KEEP_ALIVE_SECONDS)

    def end(self, saying: bytes = b"") -> None:
        """Close it, with a last word. What a peer has not read by now it never will, and closing would wait for that."""
        self.crowd.forget(self)
        if self.transport.get_write_buffer_size():
            self.transport.abort()
            return
        if saying:
            self.transport.write(saying)
        self.transport.close()

    def _is_under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


def bounded(most: int, head_seconds: float) -> type[HttpToolsProtocol]:
    """The class of a process's connections."""
    crowd = Crowd(min(most, descriptors() - SPARE_DESCRIPTORS), head_seconds)
    return type("Connection", (Connection,), {"crowd": crowd})


def descriptors() -> int:
    """As many files and connections as this process may have open, after asking for all that it may ask for."""
    if sys.platform == "win32":
        return 65_536
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else max(soft, 65_536)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
