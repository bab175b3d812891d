"""An installation of ours for the length of a benchmark: Postgres that flushes to disk, a collector and a worker."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from outlay_collector.access import store as access
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.db.engine import connect
from outlay_collector.up.store import prepare

from benchmarks._ingest.processes import tree


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    home: Path
    database_url: str
    url: str
    key: str
    project_id: int
    collector: int  # process ids
    worker: int


@contextmanager
def installation(*, content: bool = False, acceptors: int = 0, keep: Path | None = None) -> Iterator[Installation]:
    """Everything runs when this is entered, and nothing is left of it afterwards; but for the data in ``keep``."""
    # A benchmark that is told to stop cleans up as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    home = keep or Path(tempfile.mkdtemp(prefix="outlay-bench-", dir="/var/tmp"))
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    started: list[subprocess.Popen[bytes]] = []
    try:
        with EmbeddedPostgres(home, bound=True) as database_url:
            prepare(database_url)
            with connect(database_url) as connection:
                found = access.project_ids(connection).get("bench")
                project_id = access.create_project(connection, "bench") if found is None else found
                connection.execute(
                    "UPDATE project SET content = %s WHERE id = %s", ("full" if content else "none", project_id)
                )
                key = access.create_key(connection, project="bench", scopes=["ingest"])
            environment = os.environ | {"OUTLAY_DATABASE_URL": database_url, "OUTLAY_ACCEPTORS": str(acceptors)}
            port, grpc_port = free_port(), free_port()
            try:
                started.append(
                    _start(home, environment, "collector", "--port", str(port), "--grpc-port", str(grpc_port))
                )
                started.append(_start(home, environment, "worker"))
                url = f"http://127.0.0.1:{port}"
                _wait_until_ready(url, home)
                yield Installation(
                    home=home,
                    database_url=database_url,
                    url=url,
                    key=key,
                    project_id=project_id,
                    collector=started[0].pid,
                    worker=started[1].pid,
                )
            finally:
                for process in started:
                    _stop(process)
    finally:
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)


def _start(home: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    with (home / f"{arguments[0]}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "outlay_collector", *arguments],
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        for pid in tree(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def _wait_until_ready(url: str, home: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the collector is not ready:\n{(home / 'collector.log').read_text()[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
