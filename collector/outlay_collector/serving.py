"""The collector's processes: one acceptor per core behind one port, and a parent that only watches them.

Python threads share one core, so only processes add throughput. Every acceptor binds the port itself (SO_REUSEPORT) and
the kernel spreads connections; therefore the parent first binds it exclusively, or a second collector on the same port
would silently take half of the traffic.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import time
from types import FrameType

import uvicorn

from outlay_collector.app import create_app
from outlay_collector.connections import KEEP_ALIVE_SECONDS, bounded
from outlay_collector.db.engine import connect
from outlay_collector.db.revisions import current_revision, newest_revision
from outlay_collector.errors import NotReady, OtherCurrency, TooOld
from outlay_collector.pricing.currencies import store as currencies
from outlay_collector.process import die_with_parent
from outlay_collector.settings import Settings

logger = logging.getLogger("outlay.collector")

HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "private, no-cache"),
]
"""Of every answer: it is no page, is shown in no frame, and is kept by nobody in between."""

DRAIN_SECONDS = 8
"""Requests under way get this long to finish after SIGTERM."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. NotReady when the port is taken or the database is too old."""
    assert settings.database_url is not None
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    _probe(settings.host, settings.port, "--port")
    _probe(settings.host, settings.grpc_port, "--grpc-port")
    try:
        with connect(settings.database_url) as connection:
            if current_revision(connection) == newest_revision():
                currencies.check(connection, settings.currency)
    except (TooOld, OtherCurrency):
        raise
    except NotReady as error:  # a database that is away comes back
        logger.warning("%s", error)
    number = settings.acceptors or max(1, min(os.cpu_count() or 1, 8))
    if number == 1 or not hasattr(socket, "SO_REUSEPORT"):
        _accept(settings)
    else:
        _Parent(settings, number).run()


def _probe(host: str, port: int, option: str) -> None:
    """NotReady if somebody else listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise NotReady(
                f"Port {port} on {host} is in use ({error.strerror}); stop what uses it, or choose another with {option}."
            ) from error


def _accept(settings: Settings) -> None:
    """Run one acceptor in this process."""
    assert settings.database_url is not None
    config = uvicorn.Config(
        create_app(settings, settings.database_url),
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=bounded(settings.max_connections, settings.head_timeout.total_seconds()),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        headers=HEADERS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        backlog=2048,
    )
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((settings.host, settings.port))
        uvicorn.Server(config).run(sockets=[listener])


class _Parent:
    """Forks the acceptors, passes signals on, and starts one again when it died."""

    def __init__(self, settings: Settings, number: int) -> None:
        self._settings = settings
        self._number = number
        self._children: dict[int, float] = {}
        self._stopping = False

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for _ in range(self._number):
            self._fork()
        while self._children:
            self._reap()

    def _fork(self) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._children[pid] = time.monotonic()
            return
        code = 1
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            die_with_parent(parent)
            _accept(self._settings)
            code = 0
        except KeyboardInterrupt:
            code = 0
        finally:
            logging.shutdown()
            os._exit(code)

    def _reap(self) -> None:
        try:
            pid, status = os.wait()
        except InterruptedError:
            return
        started = self._children.pop(pid, None)
        if started is None or self._stopping:
            return
        logger.warning("an acceptor ended (%s); starting it again", _describe(status))
        # One that cannot even start is tried again slowly.
        if time.monotonic() - started < 5:
            time.sleep(1)
        if not self._stopping:
            self._fork()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._stopping = True
        for pid in list(self._children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if number == signal.SIGTERM else number)


def _describe(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return f"exit code {os.waitstatus_to_exitcode(status)}"
