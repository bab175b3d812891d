"""MLflow's tracking server as a peer: the same spans to its OTLP endpoint, installed into an environment of its own."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from benchmarks._ingest.installation import free_port
from benchmarks._ingest.load import Plan, send
from benchmarks._ingest.payload import Template
from benchmarks._ingest.processes import cpu_of, rss_mb, tree

VERSION = "3.17.2"


@dataclass(frozen=True, slots=True)
class Measured:
    spans_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_span: float
    rss_mb: float


def install(folder: Path) -> Path | None:
    """The environment's Python; None, said aloud, when the package cannot be had."""
    python = folder / "bin" / "python"
    if python.exists():
        return python
    uv = shutil.which("uv")
    wanted = f"mlflow=={VERSION}"
    make = [[uv, "venv", "-q", str(folder)]] if uv else [[sys.executable, "-m", "venv", str(folder)]]
    put = [uv, "pip", "install", "-q", "--python", str(python)] if uv else [str(python), "-m", "pip", "install", "-q"]
    for command in (*make, [*put, wanted]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"MLflow cannot be installed, so it is not measured: {done.stderr.strip()[-300:]}")
            shutil.rmtree(folder, ignore_errors=True)
            return None
    return python


def measure(python: Path, home: Path, *, content: bool, seconds: float) -> Measured | None:
    """Closed loop of two clients (with four, its answers exceed an exporter's timeout), SQLite below, two workers."""
    home.mkdir(parents=True, exist_ok=True)
    database, port = home / "mlflow.db", free_port()
    command = [str(python), "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{database}"]
    command += ["--port", str(port), "--workers", "2"]
    with (home / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            cwd=home,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
            start_new_session=True,
        )
    try:
        if not _answers(f"http://127.0.0.1:{port}/health", 180):
            print(f"MLflow did not start, so it is not measured: {(home / 'mlflow.log').read_text()[-500:]}")
            return None
        return _load(server.pid, port, database, content=content, seconds=seconds)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _load(pid: int, port: int, database: Path, *, content: bool, seconds: float) -> Measured:
    headers = {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": "0"}
    plan = Plan(
        url=f"http://127.0.0.1:{port}/v1/traces", headers=headers, clients=2, seconds=seconds, timeout_seconds=120
    )
    templates = [Template(512, content=content, scope="bench", seed=seed) for seed in range(2)]
    send(Plan(url=plan.url, headers=headers, clients=2, requests=1, timeout_seconds=120), templates)
    before, cpu = _stored(database), cpu_of(tree(pid))
    told = send(plan, templates)
    stored = _stored(database) - before
    return Measured(
        stored / told.seconds,
        told.percentile_ms(50),
        told.percentile_ms(99),
        (cpu_of(tree(pid)) - cpu) / max(stored, 1) * 1e6,
        max(rss_mb(process) for process in tree(pid)),
    )


def _stored(database: Path) -> int:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60) as connection:
        return int(connection.execute("SELECT count(*) FROM spans").fetchone()[0])


def _answers(url: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return True
        except OSError:
            time.sleep(0.5)
    return False
