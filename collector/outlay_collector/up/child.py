"""One program that ``outlay up`` runs, as an operating system process with its own log."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from outlay_collector import launch
from outlay_collector.up.backoff import Backoff

_LARGEST_LOG_BYTES = 10 * 2**20


class Child:
    """``start`` and ``stop`` as often as needed. ``is_ready`` says whether it does its work by now.

    It leads a session of its own, so that Ctrl-C reaches only the supervisor, which then ends everything in order, and
    so that whatever it starts itself can be ended with it. With ``log=None`` it writes to our own output.
    """

    def __init__(
        self, name: str, command: list[str], *, env: Mapping[str, str], log: Path | None, is_ready: Callable[[], bool]
    ) -> None:
        self.name = name
        self.log = log
        self.backoff = Backoff()
        self.restart_at: float | None = None
        self._command = launch.command_line(*command, when_we_die=signal.SIGTERM)
        self._env = dict(env)
        self._is_ready = is_ready
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        self.restart_at = None
        self._started_at = time.monotonic()
        with contextlib.ExitStack() as stack:
            output = None
            if self.log is not None:
                if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG_BYTES:
                    self.log.replace(self.log.with_suffix(".log.1"))
                output = stack.enter_context(self.log.open("ab"))
            self._process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                self._command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def is_ready(self) -> bool:
        return self.exit_code() is None and self._is_ready()

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll() if self._process is not None else None

    def ended(self) -> None:
        """Note an unexpected end: what it left running is ended too, and ``restart_at`` says when to start again."""
        self.kill()
        now = time.monotonic()
        self.backoff = self.backoff.after(now - self._started_at)
        self.restart_at = now + self.backoff.seconds

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, seconds: float) -> bool:
        """Whether it ended within the time."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it and everything of its session, at once."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a session of zombies
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def last_words(self) -> str:
        """The last line of its log."""
        if self.log is None or not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 4096))
            lines = log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def how_it_ended(exit_code: int) -> str:
    """``exit code 1`` or ``SIGKILL``."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
