"""A TCP relay that misbehaves on request: late, deaf, torn, half open or gone, while connections stay as they are."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

Address = Path | tuple[str, int]

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""How Postgres says that a transaction is durable."""

_APPLICATION = re.compile(rb"application_name\x00([^\x00]+)\x00")


class _Cut(Exception):
    """The reply is not passed on; the connection ends here."""


class Connection:
    """One relayed connection. ``name`` is the application that a Postgres client says it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.name = ""
        self.backwards: asyncio.StreamWriter | None = None

    def reset(self) -> None:
        """End it as a crashed machine does: RST to both sides, nothing flushed."""
        for writer in (self.writer, self.backwards):
            if writer is None or writer.transport.is_closing():
                continue
            with contextlib.suppress(OSError):
                sock: Any = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class FaultProxy:
    """Relays a port of 127.0.0.1 to ``target``, a Unix socket or an address. Use as a context manager.

    The attributes are the faults; they may be changed at any time, from any thread.
    """

    def __init__(self, target: Address) -> None:
        self._target = target
        self.delay = 0.0  # seconds by which every reply is late
        self.deaf = False  # bytes go nowhere and connections stay open, as behind a dead switch
        self.refusing = False  # new connections are reset at once
        self.cut_after: int | None = None  # replies pass until so many bytes of them passed; then RST
        self.on_reply: Callable[[Connection, bytes], bool] | None = None  # True: RST instead of this reply
        self._open: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def __enter__(self) -> FaultProxy:
        started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="fault-proxy", daemon=True)
        self._thread.start()
        self.port = started.result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    def heal(self) -> None:
        """Be an honest relay again. Connections that lost bytes are ended, for nobody would ever send those again."""
        lost_bytes = self.deaf
        self.delay, self.deaf, self.refusing, self.cut_after, self.on_reply = 0.0, False, False, None, None
        if lost_bytes:
            self.reset_all()

    def reset_all(self) -> None:
        """RST to everybody."""
        self._each(Connection.reset)

    def half_close_all(self) -> None:
        """Tell every client that no more replies will come, and go on listening to it."""

        def half_close(connection: Connection) -> None:
            with contextlib.suppress(OSError):
                connection.writer.write_eof()

        self._each(half_close)

    def connections(self, name: str = "") -> int:
        return sum(connection.name.startswith(name) for connection in list(self._open))

    def _each(self, act: Callable[[Connection], None]) -> None:
        done = threading.Event()

        def run() -> None:
            for connection in list(self._open):
                act(connection)
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10)

    def _run(self, started: Future[int]) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(started))

    async def _serve(self, started: Future[int]) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0, backlog=1024)
        started.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()
        for connection in list(self._open):
            connection.reset()
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        connection = Connection(reader, writer)
        self._open.add(connection)
        try:
            if not self.refusing:
                await self._relay_both_ways(connection)
                await _close(writer)
        except (OSError, asyncio.CancelledError, _Cut):
            pass
        finally:
            connection.reset()
            self._open.discard(connection)

    async def _relay_both_ways(self, connection: Connection) -> None:
        if isinstance(self._target, Path):
            reader, connection.backwards = await asyncio.open_unix_connection(str(self._target))
        else:
            reader, connection.backwards = await asyncio.open_connection(*self._target)
        forth = asyncio.ensure_future(self._forth(connection, connection.backwards))
        back = asyncio.ensure_future(self._back(connection, reader))
        try:
            done, _ = await asyncio.wait({forth, back}, return_when=asyncio.FIRST_COMPLETED)
            for pump in done:
                pump.result()
        finally:
            for pump in (forth, back):
                pump.cancel()
            await asyncio.gather(forth, back, return_exceptions=True)

    async def _forth(self, connection: Connection, target: asyncio.StreamWriter) -> None:
        while part := await connection.reader.read(65536):
            if not connection.name and (found := _APPLICATION.search(part)):
                connection.name = found[1].decode()
            if self.deaf:
                continue
            target.write(part)
            await target.drain()

    async def _back(self, connection: Connection, target: asyncio.StreamReader) -> None:
        while part := await target.read(65536):
            if self.delay:
                await asyncio.sleep(self.delay)
            if self.deaf:
                continue
            if self.on_reply is not None and self.on_reply(connection, part):
                raise _Cut
            if self.cut_after is not None:
                self.cut_after -= len(part)
                if self.cut_after < 0:
                    connection.writer.write(part[: self.cut_after])
                    await connection.writer.drain()
                    raise _Cut
            connection.writer.write(part)
            await connection.writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    """End politely: what was written arrives first."""
    writer.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 5)
