"""How long the questions behind the pages take, at the API, over ten million calls of ninety days.

    python -m benchmarks.query [--calls 10000000] [--repeat 20] [--keep DIR] [--no-duckdb] [--out FILE]  (make bench-query)

Beside each, in the same run: the same question put to the rows themselves, and to DuckDB. The answers of the first two
are compared, to the last digit. With ``--keep`` the calls stay in a folder, and a later run asks without making them again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
from outlay_collector.access import store as access
from outlay_collector.db.engine import connect
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.later import store as later

from benchmarks._ingest.installation import Installation, installation
from benchmarks._query import duck
from benchmarks._query.calls import make_calls, make_projects

ZONE = ZoneInfo("UTC")


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """``raw`` and ``duck`` are the same question in SQL, over ``span`` and over DuckDB's ``calls``."""

    name: str
    path: str
    parameters: dict[str, str]
    target_ms: float
    raw: str = ""
    duck: str = ""


def questions(now: datetime, trace_id: str) -> list[Question]:
    """What pages ask. Windows begin at midnight, as the presets of the dashboard do."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month, week, end = today - timedelta(days=29), today - timedelta(days=6), today + timedelta(days=1)

    def window(start: datetime, **more: str) -> dict[str, str]:
        return {"from": start.isoformat(), "to": end.isoformat(), "interval": "none"} | more

    def sql(select: str, start: datetime, group: str = "", *, table: str = "span WHERE counted AND") -> str:
        return (
            f"SELECT {select} FROM {table} start_time >= '{start.isoformat()}' AND start_time < '{end.isoformat()}'"
            + (f" GROUP BY {group}" if group else "")
        )

    calls = "calls WHERE"
    by_day = "date_trunc('day', start_time), {model}, sum(cost), count(*)"
    top = "{who}, sum(cost), count(*)"
    return [
        Question(
            name="cost of the month (tile)",
            path="spend",
            parameters=window(month),
            target_ms=100,
            raw=sql("sum(cost), count(*)", month),
            duck=sql("sum(cost), count(*)", month, table=calls),
        ),
        Question(
            name="30 days, cost by day by model",
            path="spend",
            parameters=window(month, interval="day", group_by="model"),
            target_ms=100,
            raw=sql(by_day.format(model="response_model"), month, "1, 2"),
            duck=sql(by_day.format(model="model"), month, "1, 2", table=calls),
        ),
        Question(
            name="30 days, cost by day by model, in Seoul's days",
            path="spend",
            parameters=window(month, interval="day", group_by="model", time_zone="Asia/Seoul"),
            target_ms=100,
            raw=sql("date_trunc('day', start_time, 'Asia/Seoul'), response_model, sum(cost), count(*)", month, "1, 2"),
        ),
        Question(
            name="30 days, cost by day by team, one provider",
            path="spend",
            parameters=window(month, interval="day", group_by="team", filter="provider:provider-1"),
            target_ms=100,
        ),
        Question(
            name="90 days, cost by week by project",
            path="spend",
            parameters=window(today - timedelta(days=89), interval="week", group_by="project"),
            target_ms=100,
        ),
        Question(
            name="7 days, p95 by model per hour",
            path="latency",
            parameters=window(week, interval="hour", group_by="model"),
            target_ms=250,
            raw=sql(
                "date_trunc('hour', start_time), response_model, percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_us)",
                week,
                "1, 2",
            ),
            duck=sql(
                "date_trunc('hour', start_time), model, quantile_disc(duration_us, 0.95)", week, "1, 2", table=calls
            ),
        ),
        *(
            Question(
                name=f"30 days, top {who}s",
                path="spend",
                parameters=window(month, group_by=who),
                target_ms=200,
                raw=sql(top.format(who=column), month, "1"),
                duck=sql(top.format(who=column), month, "1", table=calls),
            )
            for who, column in (("user", "user_id"), ("customer", "customer"))
        ),
        Question(
            name="30 days, top tags",
            path="spend",
            parameters=window(month, group_by="tag:experiment"),
            target_ms=200,
            raw=sql(top.format(who="attributes ->> 'outlay.tag.experiment'"), month, "1"),
        ),
        Question(
            name="7 days, filter on what is kept by calls only",
            path="spend",
            parameters=window(week, filter="step:chat model-3"),
            target_ms=2000,
            raw=sql("sum(cost), count(*)", week) + " AND name = 'chat model-3'",
        ),
        Question(name="trace by id", path=f"traces/{trace_id}", parameters={}, target_ms=20),
        Question(name="newest 50 calls", path="calls", parameters={"limit": "50"}, target_ms=20),
    ]


def main() -> int:
    """0 when every target is reached and every answer is right, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.query", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--keep", type=Path, help="folder that keeps the database for further runs (10 M calls: 15 GB)")
    parser.add_argument("--only", default="", help="questions whose name holds this")
    parser.add_argument("--no-rows", action="store_true", help="put no question to the rows themselves")
    parser.add_argument("--no-duckdb", action="store_true")
    parser.add_argument("--out", help="file for all figures as JSON")
    arguments = parser.parse_args()
    with installation(keep=arguments.keep) as ours, tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        until = _fill(ours, arguments.calls)
        with connect(ours.database_url, autocommit=True) as connection:
            sizes = _sizes(connection)
            key = access.create_key(connection, project=None, scopes=["read"])
            found = connection.execute("SELECT trace_id FROM span OFFSET 1000 LIMIT 1").fetchone()
            assert found is not None
            asked = [q for q in questions(until, found[0].hex) if arguments.only in q.name]
            beside = (
                {}
                if arguments.no_duckdb
                else duck.measure(connection, Path(folder), {q.name: q.duck for q in asked if q.duck})
            )
            if arguments.no_rows:
                asked = [replace(question, raw="") for question in asked]
            rows = [_measure(ours, connection, key, question, arguments.repeat, beside) for question in asked]
    _report(rows, sizes)
    if arguments.out:
        Path(arguments.out).write_text(json.dumps({"questions": rows, "sizes": sizes}, indent=2) + "\n")
    return int(any(row["p95_ms"] > row["target_ms"] or not row["right"] for row in rows))


def _fill(ours: Installation, calls: int) -> datetime:
    """Calls and their sums, unless they are there; up to when there are calls."""
    made = ours.home / "made.json"
    said = json.loads(made.read_text()) if made.exists() else {}
    with connect(ours.database_url) as connection:
        if not said:
            until = datetime.now(UTC)
            began = time.perf_counter()
            make_calls(connection, make_projects(connection), calls, until)
            said = {"calls": calls, "until": until.isoformat(), "summed": False}
            made.write_text(json.dumps(said))
            print(f"{calls:,} calls made in {time.perf_counter() - began:.0f} s", flush=True)
        until = datetime.fromisoformat(said["until"])
        if not said["summed"]:
            began = time.perf_counter()
            for project in access.project_ids(connection).values():
                ledger.rebuild(connection, project, now=until, zone=ZONE)
                connection.commit()
            print(f"summed in {time.perf_counter() - began:.0f} s", flush=True)
            _make_later_sums(connection)
            connection.autocommit = True
            connection.execute("VACUUM ANALYZE")
            made.write_text(json.dumps(said | {"summed": True}))
            print(f"all sums made in {time.perf_counter() - began:.0f} s", flush=True)
        else:
            _make_later_sums(connection)
    return until


def _make_later_sums(connection: psycopg.Connection[Any]) -> None:
    """What the worker does in the background, without its rests; of one tag too."""
    if not later.tags(connection):
        later.declare(connection, "experiment", actor="benchmark", now=datetime.now(UTC))
    while found := later.waiting(connection, now=datetime.now(UTC) + later.QUIET, zone=ZONE, limit=10_000):
        connection.commit()
        for stale in found:
            later.make(connection, stale, zone=ZONE)
            connection.commit()
    connection.commit()


def _sizes(connection: psycopg.Connection[Any]) -> dict[str, float]:
    sizes = {name: float(size) for name, size in connection.execute(_SIZES).fetchall()}
    raw = sizes.pop("span")
    return {"raw_gb": raw / 1e9, "rollups_of_raw": sum(sizes.values()) / raw} | {
        f"{name}_mb": size / 1e6 for name, size in sorted(sizes.items())
    }


_SIZES = """
SELECT coalesce(parent.relname, c.relname), sum(pg_total_relation_size(c.oid))
  FROM pg_class c LEFT JOIN pg_inherits ON inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = inhparent
 WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
   AND coalesce(parent.relname, c.relname) ~ '^(span|cost_.*|latency_.*|key_.*|model_.*|dimension_set|stale_sum)$'
 GROUP BY 1
"""


def _measure(
    ours: Installation,
    connection: psycopg.Connection[Any],
    key: str,
    question: Question,
    repeat: int,
    beside: dict[str, float],
) -> dict[str, Any]:
    url, headers = f"{ours.url}/api/v1/{question.path}", {"Authorization": f"Bearer {key}"}
    times: list[float] = []
    said: dict[str, Any] = {}
    with httpx.Client(timeout=120) as client:
        for _ in range(repeat + 1):
            began = time.perf_counter()
            answer = client.get(url, params=question.parameters, headers=headers)
            times.append((time.perf_counter() - began) * 1000)
            said = answer.raise_for_status().json()
            if times[-1] > 5_000:
                break
    raw_ms, right = None, True
    if question.raw:
        began = time.perf_counter()
        rows = connection.execute(question.raw.encode()).fetchall()
        raw_ms = (time.perf_counter() - began) * 1000
        if question.path == "spend":
            right = _total(said["rows"]) == _total_of_rows(rows)
    warm = times[1:] or times
    return {
        "name": question.name,
        "p50_ms": statistics.median(warm),
        "p95_ms": sorted(warm)[max(0, round(0.95 * len(warm)) - 1)],
        "target_ms": question.target_ms,
        "rows_ms": raw_ms,
        "duckdb_ms": beside.get(question.name),
        "right": right,
    }


def _total(rows: list[dict[str, Any]]) -> tuple[Decimal, int]:
    return sum((Decimal(row["cost"]) for row in rows if row["cost"]), Decimal(0)), sum(row["calls"] for row in rows)


def _total_of_rows(rows: list[tuple[Any, ...]]) -> tuple[Decimal, int]:
    return sum((row[-2] for row in rows if row[-2]), Decimal(0)), sum(row[-1] for row in rows)


def _report(rows: list[dict[str, Any]], sizes: dict[str, float]) -> None:
    print(f"\n{'question':46} {'p50 ms':>8} {'p95 ms':>8} {'target':>7} {'rows ms':>9} {'DuckDB':>7}")
    for row in rows:
        other = [f"{value:,.0f}" if value is not None else "" for value in (row["rows_ms"], row["duckdb_ms"])]
        verdict = "WRONG" if not row["right"] else "" if row["p95_ms"] <= row["target_ms"] else "MISSED"
        print(
            f"{row['name']:46} {row['p50_ms']:8.1f} {row['p95_ms']:8.1f} {row['target_ms']:7.0f} "
            f"{other[0]:>9} {other[1]:>7}  {verdict}".rstrip()
        )
    print(f"\nrows: {sizes['raw_gb']:.2f} GB; sums: {sizes['rollups_of_raw']:.1%} of that (target 15 %)")


if __name__ == "__main__":
    sys.exit(main())
