"""Real processes for tests: started on free ports, waited for, and certainly ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx
import psutil
from outlay_collector import launch

T = TypeVar("T")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what: Callable[[], T], *, seconds: float = 20, every: float = 0.05) -> T:
    """What ``what()`` answers as soon as that is true; AssertionError with its last answer when time is up.

    An error inside ``what`` counts as "not yet", and is shown if it never becomes true.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer: object = what()
            if answer:
                return answer  # type: ignore[return-value]
        except (OSError, httpx.HTTPError, AssertionError) as error:
            answer = error
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(every)


def environment(**more: str) -> dict[str, str]:
    """This process's environment without any setting of Outlay or OpenTelemetry, plus ``more``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))}
    return kept | {"PYTHONUNBUFFERED": "1"} | more


def outlay(
    *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run ``outlay ARGUMENT...`` to its end, as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "outlay_collector", *arguments],
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class Running:
    """One ``outlay ARGUMENT...`` process. Its output goes to ``log`` and is shown when it does not come up."""

    def __init__(self, *arguments: str, env: Mapping[str, str], log: Path) -> None:
        self.arguments = arguments
        self.env = dict(env)
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            # What the tests started does not outlive them, even when they are killed.
            self.process = subprocess.Popen(
                launch.command_line(
                    sys.executable, "-m", "outlay_collector", *self.arguments, when_we_die=signal.SIGKILL
                ),
                env=environment(**self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def kill(self) -> None:
        """``kill -9``, to it and to every process it started: a machine that loses power."""
        self._end(signal.SIGKILL)

    def stop(self, seconds: float = 15) -> int:
        """SIGTERM, as an orchestrator sends it; the exit code."""
        assert self.process is not None
        if self.is_running():
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        finally:
            self.kill()

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        for process in family(self.process.pid):
            try:
                process.send_signal(how)
            except psutil.NoSuchProcess:
                continue
        self.process.wait(10)


class Collector(Running):
    """A collector with a key of all scopes. ``url`` is its base; ``key`` is bound to no project."""

    def __init__(self, database_url: str, key: str, *, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.database_url = database_url
        self.key = key
        self.port = free_port()
        self.grpc_port = free_port()
        super().__init__(
            "collector",
            *("--port", str(self.port), "--grpc-port", str(self.grpc_port)),
            env={"OUTLAY_DATABASE_URL": database_url} | dict(env or {}),
            log=log,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def start(self) -> None:
        """Start, and return when it says that it is ready."""
        super().start()
        try:
            wait_until(self.is_ready, seconds=90)  # a busy machine is slow, not wrong
        except AssertionError as error:
            raise AssertionError(f"the collector is not ready: {error}\n{self.said()}") from error

    def is_ready(self) -> bool:
        assert self.is_running(), "the collector ended"
        return httpx.get(f"{self.url}/readyz", timeout=2).is_success

    def get(self, path: str, **parameters: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", params=parameters, headers=self.headers, timeout=30)


def family(pid: int) -> list[psutil.Process]:
    """A process and everything it started, children first."""
    try:
        process = psutil.Process(pid)
        return [*reversed(process.children(recursive=True)), process]
    except psutil.NoSuchProcess:
        return []


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; a zombie waits for its parent only."""
    return [one for one in processes if _is_alive(one)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return False


@contextmanager
def ended(running: Running) -> Iterator[Running]:
    """Start it for the length of a ``with`` block, and kill whatever is left of it afterwards."""
    try:
        running.start()
        yield running
    finally:
        running.kill()
