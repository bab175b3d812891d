"""How fast calls become durable rows, what that costs, and how far it is from the limit.

    python -m benchmarks.ingest [--seconds 8] [--rounds 3] [--no-peers] [--out FILE]      (make bench-ingest)

Everything runs on this machine: a Postgres that flushes to disk, the collector, the worker, and four clients that send
512 calls per POST with 25 attributes each. What is counted as stored are rows in the database. Beside it, in the same
run: COPY of the same rows on one connection by itself, and MLflow's server. Wall times are the best of several short
rounds, because others may use the machine; CPU per span is the median of the rounds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from outlay_collector.calls.store import lag_seconds
from outlay_collector.db.engine import connect
from outlay_collector.pricing.store import load_book

from benchmarks._ingest import mlflow
from benchmarks._ingest.installation import Installation, installation
from benchmarks._ingest.limits import copy_packed, copy_values
from benchmarks._ingest.load import Plan, Told, send
from benchmarks._ingest.payload import Template
from benchmarks._ingest.processes import PostgresCpu, cpu_of, difference, one, rss_mb, tree
from benchmarks._ingest.steps import batch_of, copy_client, steps

BATCH = 512
CLIENTS = 4
_SCOPE = "outlay"


@dataclasses.dataclass(slots=True)
class Round:
    """One closed loop. CPU is microseconds per stored span."""

    stored: int
    stored_per_second: float
    acknowledged_per_second: float
    lost: int
    p50_ms: float
    p99_ms: float
    cpu: dict[str, float]
    lag_seconds: float
    drain_seconds: float
    others: dict[str, int]


def main() -> int:
    """0 when every target that was measured is reached, else 1."""
    arguments = _arguments()
    result: dict[str, Any] = {"machine": _machine(), "runs": {}}
    missed = 0
    for content in (False, True):
        name = "with content" if content else "without content"
        if arguments.only and arguments.only != ("content" if content else "plain"):
            continue
        print(f"{name} …", flush=True)
        with installation(content=content) as ours:
            result["runs"][name] = _measure(ours, arguments, content=content)
        if not arguments.no_peers:
            result["runs"][name]["mlflow"] = _peer(arguments, content=content)
        missed += _report(name, result["runs"][name])
        if arguments.out:
            Path(arguments.out).write_text(json.dumps(result, indent=2) + "\n")
    if arguments.no_peers:
        print("\nMLflow is skipped (--no-peers), so there is no ratio to it.")
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true", help="do not install and measure MLflow")
    parser.add_argument("--peers-in", type=Path, help="folder for MLflow's environment, kept and used again")
    parser.add_argument("--only", choices=("plain", "content"), help="one of the two payloads")
    parser.add_argument("--quick", action="store_true", help="one round, no paced runs")
    parser.add_argument("--out", help="file for all figures as JSON")
    return parser.parse_args()


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _measure(ours: Installation, arguments: argparse.Namespace, *, content: bool) -> dict[str, Any]:
    templates = [Template(BATCH, content=content, scope=_SCOPE, seed=seed) for seed in range(CLIENTS)]
    plan = Plan(
        url=f"{ours.url}/v1/traces",
        headers={"Content-Type": "application/x-protobuf", "Authorization": f"Bearer {ours.key}"},
        clients=CLIENTS,
        seconds=arguments.seconds,
    )
    send(dataclasses.replace(plan, requests=5), templates)
    _wait_until_settled(ours)
    rounds = [_round(ours, plan, templates) for _ in range(1 if arguments.quick else arguments.rounds)]
    found: dict[str, Any] = {
        "rounds": [dataclasses.asdict(item) for item in rounds],
        "rss_mb": _memory(ours),
        "bytes_per_span": _bytes_per_span(ours),
    }
    if not content and not arguments.quick:
        found["paced"] = [_paced(ours, plan, rate=rate, batch=batch) for rate, batch in ((1000, 50), (2000, 100))]
    return found | _alone(ours, templates, content=content)


def _round(ours: Installation, plan: Plan, templates: list[Template]) -> Round:
    postgres = PostgresCpu(ours.database_url)
    with psycopg.connect(ours.database_url, autocommit=True) as connection:
        before = one(connection, "SELECT count(*) FROM span")
        cpu = _cpu(ours, postgres)
        with _lag_of(ours) as lag:
            told = send(plan, templates)
        during = _cpu(ours, postgres)
        stored = one(connection, "SELECT count(*) FROM span") - before
        began = time.perf_counter()
        _wait_until_settled(ours)
        drained = time.perf_counter() - began
        after = _cpu(ours, postgres)
    ingested, all_of_it = difference(during, cpu), difference(after, cpu)
    # Settlement goes on after the last answer; what it costs is counted to its end.
    for name in ("worker", "postgres, settle and rollup"):
        ingested[name] = all_of_it[name]
    ingested["load generator"] = told.cpu_seconds
    return Round(
        stored=stored,
        stored_per_second=stored / told.seconds,
        acknowledged_per_second=told.acknowledged / told.seconds,
        lost=told.acknowledged - stored,
        p50_ms=told.percentile_ms(50),
        p99_ms=told.percentile_ms(99),
        cpu={name: seconds / max(stored, 1) * 1e6 for name, seconds in ingested.items()},
        lag_seconds=max(lag, default=0.0),
        drain_seconds=drained,
        others=dict(told.others),
    )


def _cpu(ours: Installation, postgres: PostgresCpu) -> dict[str, float]:
    return {"collector": cpu_of(tree(ours.collector)), "worker": cpu_of(tree(ours.worker)), **postgres.read()}


@contextmanager
def _lag_of(ours: Installation) -> Iterator[list[float]]:
    """How long the oldest commit waits for settlement, looked at every half second."""
    seen: list[float] = []
    stop = threading.Event()

    def watch() -> None:
        with connect(ours.database_url, autocommit=True) as connection:
            while not stop.wait(0.5):
                seen.append(lag_seconds(connection))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _wait_until_settled(ours: Installation, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    with psycopg.connect(ours.database_url, autocommit=True) as connection:
        while one(connection, "SELECT count(*) FROM touched") and time.monotonic() < end:
            time.sleep(0.1)


def _memory(ours: Installation) -> dict[str, float]:
    processes = tree(ours.collector)
    return {
        "acceptor": max(rss_mb(pid) for pid in processes[1:] or processes),
        "worker": max(rss_mb(pid) for pid in tree(ours.worker)),
    }


def _bytes_per_span(ours: Installation) -> dict[str, float]:
    """Tables with their indexes and TOAST, after everything was settled and summed."""
    sizes = """
    SELECT coalesce(parent.relname, c.relname), sum(pg_total_relation_size(c.oid))
      FROM pg_class c LEFT JOIN pg_inherits ON inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = inhparent
     WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
     GROUP BY 1
    """
    parts = {
        "span": ("span",),
        "response_ref": ("response_ref",),
        "content": ("span_content",),
        "rollups": ("cost_minute", "cost_hour", "cost_day", "latency_minute", "latency_hour", "dimension_set"),
    }
    with psycopg.connect(ours.database_url, autocommit=True) as connection:
        connection.execute("VACUUM touched, cost_minute, cost_hour, cost_day, latency_minute, latency_hour")
        rows = max(1, one(connection, "SELECT count(*) FROM span"))
        bytes_of: dict[str, Any] = dict(connection.execute(sizes.encode()).fetchall())
    return {name: float(sum(bytes_of.get(table, 0) for table in tables)) / rows for name, tables in parts.items()}


def _paced(ours: Installation, plan: Plan, *, rate: int, batch: int) -> dict[str, float]:
    """A steady rate in small batches: what a POST takes when nothing is saturated, and how far settlement is behind."""
    templates = [Template(batch, content=False, scope=_SCOPE, seed=seed) for seed in range(CLIENTS)]
    runs: list[tuple[Told, float]] = []
    for _ in range(3):
        with _lag_of(ours) as lag:
            told = send(dataclasses.replace(plan, seconds=10.0, spans_per_second=float(rate)), templates)
        runs.append((told, max(lag, default=0.0)))
        _wait_until_settled(ours)
    told, _ = min(runs, key=lambda run: run[0].percentile_ms(99))
    return {
        "spans_per_second": rate,
        "batch": batch,
        "reached_per_second": told.acknowledged / told.seconds,
        "p50_ms": told.percentile_ms(50),
        "p99_ms": told.percentile_ms(99),
        "lag_seconds": min(lag for _, lag in runs),
    }


def _alone(ours: Installation, templates: list[Template], *, content: bool) -> dict[str, Any]:
    """The steps one by one in this process, and COPY by itself; collector and worker are idle meanwhile."""
    rng = np.random.default_rng()
    with connect(ours.database_url) as connection:
        book = load_book(connection)
        connection.commit()
        body = templates[0].next(rng)
        found: dict[str, Any] = {"steps": steps(body, BATCH, book, content=content)}
        batches = [
            batch_of(templates[number % CLIENTS].next(rng), book, ours.project_id, content=content)
            for number in range(24)
        ]
        found["steps"]["rows and COPY, client"] = copy_client(connection, batches)
        found["copy_packed_per_second"] = copy_packed(connection, batches, seconds=5)
    with connect(ours.database_url) as connection:  # a session that adapts values, as any has
        found["copy_alone_per_second"] = copy_values(connection, 24 * BATCH, seconds=5)
    return found


def _peer(arguments: argparse.Namespace, *, content: bool) -> dict[str, float] | None:
    with tempfile.TemporaryDirectory(prefix="outlay-peer-") as folder:
        python = mlflow.install(arguments.peers_in or Path(tempfile.gettempdir()) / f"outlay-mlflow-{os.getuid()}")
        if python is None:
            return None
        found = mlflow.measure(python, Path(folder), content=content, seconds=max(15.0, arguments.seconds))
    return dataclasses.asdict(found) if found else None


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A figure beside its target; ``reached`` is None for what has none."""

    measure: str
    value: str
    target: str = ""
    reached: bool | None = None


def _report(name: str, run: dict[str, Any]) -> int:
    """Print the figures of one payload; how many targets were missed."""
    lines = list(_lines(run, content=name == "with content"))
    width = max(len(line.measure) for line in lines)
    print(f"\n{name} ({BATCH} spans per POST, 25 attributes, {CLIENTS} clients)")
    for line in lines:
        verdict = "" if line.reached is None else "reached" if line.reached else "MISSED"
        print(f"  {line.measure:{width}}  {line.value:>12}  {line.target:<14}  {verdict}".rstrip(), flush=True)
    return sum(line.reached is False for line in lines)


def _lines(run: dict[str, Any], *, content: bool) -> Iterator[Line]:
    rounds: list[dict[str, Any]] = run["rounds"]
    best = max(rounds, key=lambda item: item["stored_per_second"])
    speed: float = best["stored_per_second"]
    goal = 5_000 if content else 10_000
    yield Line("spans/s stored, best round", f"{speed:,.0f}", f">= {goal:,}", speed >= goal)
    yield Line("spans/s acknowledged, same round", f"{best['acknowledged_per_second']:,.0f}")
    lost = sum(item["lost"] for item in rounds)
    yield Line("acknowledged and not stored", f"{lost:,}", "0", lost <= 0)
    ratio = speed / run["copy_alone_per_second"]
    yield Line("COPY alone, rows/s", f"{run['copy_alone_per_second']:,.0f}")
    yield Line("of COPY alone", f"{ratio:.2f}", ">= 0.25", None if content else ratio >= 0.25)
    yield Line("COPY of packed rows alone, rows/s", f"{run['copy_packed_per_second']:,.0f}")
    yield Line("of that", f"{speed / run['copy_packed_per_second']:.2f}")
    if peer := run.get("mlflow"):
        yield Line("MLflow, spans/s", f"{peer['spans_per_second']:,.0f}")
        times = speed / peer["spans_per_second"]
        yield Line("times MLflow", f"{times:.1f}", "" if content else ">= 25", None if content else times >= 25)
    yield Line("POST p50, saturated, ms", f"{best['p50_ms']:.0f}")
    yield Line("POST p99, saturated, ms", f"{best['p99_ms']:.0f}")
    yield from _cost_lines(run, content=content)
    for paced in run.get("paced", ()):
        label = f"at {paced['spans_per_second']:,}/s in batches of {paced['batch']}"
        if paced["batch"] == 50:
            yield Line(f"POST p99 {label}, ms", f"{paced['p99_ms']:.1f}", "<= 50", paced["p99_ms"] <= 50)
        else:
            yield Line(f"settlement lag {label}, s", f"{paced['lag_seconds']:.1f}", "<= 10", paced["lag_seconds"] <= 10)
    yield Line("settlement lag, saturated, s", f"{best['lag_seconds']:.1f}")
    for name, size in run["rss_mb"].items():
        yield Line(f"memory of the {name}, MB", f"{size:.0f}", "<= 250", size <= 250)


def _cost_lines(run: dict[str, Any], *, content: bool) -> Iterator[Line]:
    cpu = {
        name: statistics.median(item["cpu"].get(name, 0.0) for item in run["rounds"])
        for name in run["rounds"][0]["cpu"]
    }
    own = cpu["collector"] + cpu["postgres, ingest"] + cpu["postgres, background"]
    yield Line(
        "CPU per span, collector + database, us",
        f"{own:.0f}",
        "" if content else "<= 150",
        None if content else own <= 150,
    )
    for name, value in cpu.items():
        yield Line(f"  {name}", f"{value:.1f}")
    yield Line("one step at a time, us", "")
    for name, value in run["steps"].items():
        yield Line(f"  {name}", f"{value:.1f}")
    sizes: dict[str, float] = run["bytes_per_span"]
    total = sum(sizes.values())
    yield Line("bytes per span", f"{total:,.0f}", "" if content else "<= 1,000", None if content else total <= 1000)
    for name, value in sizes.items():
        yield Line(f"  {name}", f"{value:,.0f}")


if __name__ == "__main__":
    sys.exit(main())
