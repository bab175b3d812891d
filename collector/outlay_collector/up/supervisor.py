"""Starts the parts in order, watches them, and stops every one of them whatever happens.

Whoever kills the supervisor itself with ``kill -9``: on Linux the kernel then ends its children, elsewhere the next
start on the same home does.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from outlay_collector.errors import NotReady
from outlay_collector.up.child import Child, how_it_ended
from outlay_collector.up.home import remember
from outlay_collector.up.steps import Steps

PULSE_SECONDS = 0.2
READY_SECONDS = 60.0
STOP_SECONDS = 5.0
"""What children get to stop by themselves. The rest of the ten seconds of a stop is for Postgres."""


class Stop(BaseException):
    """Somebody asked us to stop. Not an Exception: nothing on the way out may take it for an error and go on."""


class Signals:
    """Inside ``with``, the first SIGINT, SIGTERM or SIGHUP raises ``Stop``; later ones are ignored, as all are after
    ``ignore()``. One that comes inside ``deferred()`` raises at its end: what must not be torn apart goes there."""

    _NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __enter__(self) -> Signals:
        self._heeded = True
        self._deferring = self._asked = False
        self._before = {number: signal.signal(number, self._stop) for number in self._NUMBERS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def ignore(self) -> None:
        self._heeded = False

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._asked:
            self._asked = False
            raise Stop

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self._heeded:
            return
        self._heeded = False
        if self._deferring:
            self._asked = True
        else:
            raise Stop


class Supervisor:
    def __init__(self, home: Path, steps: Steps, signals: Signals) -> None:
        self._home = home
        self._steps = steps
        self._signals = signals
        self._children: list[Child] = []

    def start(self, children: Sequence[Child]) -> None:
        """Start all at once. NotReady with its last words when one ends, or when time is up."""
        for child in children:
            self._start(child)
        patience = time.monotonic() + READY_SECONDS
        for child in children:
            while not child.is_ready():
                if (code := child.exit_code()) is not None:
                    said = child.last_words() or "it said nothing"
                    raise NotReady(f"The {child.name} did not start ({how_it_ended(code)}): {said} (log: {child.log})")
                if time.monotonic() > patience:
                    raise NotReady(f"The {child.name} is not ready after {READY_SECONDS:.0f} s (log: {child.log}).")
                time.sleep(0.05)

    def run_to_the_end(self, child: Child) -> int:
        """Run a child that has an end, watching the others meanwhile; its exit code."""
        try:
            with self._signals.deferred():
                child.start()
            while (code := child.exit_code()) is None:
                self.look_after()
                time.sleep(PULSE_SECONDS)
            return code
        finally:
            child.ask_to_stop()
            child.wait(2.0)
            child.kill()

    def watch(self, also: Callable[[], None]) -> None:
        """Keep every child running until ``Stop``. ``also`` is called about every second."""
        while True:
            also()
            for _ in range(5):
                self.look_after()
                time.sleep(PULSE_SECONDS)

    def look_after(self) -> None:
        """Note who ended, and start again whose pause is over."""
        for child in self._children:
            if child.restart_at is not None:
                if time.monotonic() >= child.restart_at:
                    self._start(child)
            elif (code := child.exit_code()) is not None:
                child.ended()
                self._steps.warn(
                    f"The {child.name} ended ({how_it_ended(code)}): starting it again in {child.backoff.seconds:g} s. "
                    f"Log: {child.log}"
                )

    def stop(self) -> None:
        """Stop all children: first politely and together, then those that take longer than ``STOP_SECONDS``."""
        for child in self._children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            child.wait(deadline - time.monotonic())
            child.kill()
        self._children.clear()
        (self._home / "up.json").unlink(missing_ok=True)

    def _start(self, child: Child) -> None:
        if child not in self._children:
            self._children.append(child)
        with self._signals.deferred():  # a process that began, but is not known to its Child, would stay
            child.start()
        remember(self._home, {one.name: one.pid for one in self._children if one.pid is not None})
