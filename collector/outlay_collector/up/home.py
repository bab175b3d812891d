"""The home of an installation: who runs it, what an earlier run left behind, and the keys of the machine's owner."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from outlay_collector.errors import NotReady

OWNER_KEY = "owner.key"
INGEST_KEY = "ingest.key"


@contextlib.contextmanager
def held(home: Path) -> Iterator[None]:
    """Hold the home for one supervisor. NotReady, with its process id, when another one runs on it."""
    path = home / "up.lock"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotReady(f"Outlay runs on {home} already (process {lock.read().strip() or 'unknown'}).") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def remember(home: Path, pids: Mapping[str, int]) -> None:
    """Note which processes are ours, so that a start after ``kill -9`` can end what is left of them."""
    import psutil

    noted: dict[str, list[float]] = {}
    for name, pid in pids.items():
        with contextlib.suppress(psutil.Error):
            noted[name] = [pid, psutil.Process(pid).create_time()]
    unfinished = home / "up.json.new"
    unfinished.write_text(json.dumps(noted))
    unfinished.replace(home / "up.json")


def end_leftovers(home: Path, *, seconds: float = 5.0) -> list[str]:
    """End what an earlier run left running; the names. A process is ours only if it also began when ours did."""
    import psutil

    try:
        noted = json.loads((home / "up.json").read_text())
    except (FileNotFoundError, ValueError):
        return []
    left: dict[str, psutil.Process] = {}
    for name, (pid, began) in noted.items():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(int(pid))
            if abs(process.create_time() - began) < 0.1:
                left[name] = process
    for how in (signal.SIGTERM, signal.SIGKILL):
        for process in left.values():
            _end_session(process.pid, how)
        deadline = time.monotonic() + seconds
        while any(_runs(process) for process in left.values()) and time.monotonic() < deadline:
            time.sleep(0.05)
    (home / "up.json").unlink(missing_ok=True)
    return list(left)


def read_secret(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None


def write_secret(path: Path, secret: str) -> None:
    """Write a file that only we can read; it is never readable by others, not even for a moment."""
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")
    unfinished.replace(path)


def _end_session(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, how)


def _runs(process: object) -> bool:
    import psutil

    assert isinstance(process, psutil.Process)
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
