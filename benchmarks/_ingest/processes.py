"""CPU and memory of processes, told apart by what they do."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import psutil
import psycopg

# The names our connections give themselves, and whose work they do.
_WORK = {
    "outlay-ingest": "postgres, ingest",
    "outlay-pulse": "postgres, settle and rollup",
}
BACKGROUND = "postgres, background"


def cpu_of(pids: Iterable[int]) -> float:
    """CPU seconds so far of the processes that still run."""
    seconds = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            times = psutil.Process(pid).cpu_times()
            seconds += times.user + times.system
    return seconds


def tree(pid: int) -> list[int]:
    """A process and all it started."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [pid, *(child.pid for child in process.children(recursive=True))]
    return []


def rss_mb(pid: int) -> float:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).memory_info().rss / 1e6
    return 0.0


class PostgresCpu:
    """CPU seconds of a server's processes by whose work they do."""

    def __init__(self, url: str) -> None:
        self._url = url

    def read(self) -> dict[str, float]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            rows: list[tuple[int, str]] = connection.execute(
                "SELECT pid, coalesce(application_name, '') FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            ).fetchall()
            postmaster = psutil.Process(connection.info.backend_pid).ppid()
        named: dict[int, str] = {pid: _WORK.get(name, BACKGROUND) for pid, name in rows}
        seconds = dict.fromkeys((*_WORK.values(), BACKGROUND), 0.0)
        for pid in tree(postmaster):
            seconds[named.get(pid, BACKGROUND)] += cpu_of([pid])
        return seconds


def difference(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: max(0.0, value - before.get(name, 0.0)) for name, value in after.items()}


def one(connection: psycopg.Connection[Any], query: str) -> Any:
    """The only value of a query."""
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None
