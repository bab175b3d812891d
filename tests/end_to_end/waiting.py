"""Ports and waiting for tests of the SDK alone, which also run where the server is not installed (``make test-matrix``)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(is_so: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait for ``is_so()`` to be true; an error inside it counts as "not yet". AssertionError when time is up."""
    deadline = time.monotonic() + seconds
    problem: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except Exception as error:  # noqa: BLE001 (shown below if it never becomes true)
            problem = error
        time.sleep(0.05)
    raise AssertionError(f"not so after {seconds} s") from problem
