"""How fast calls of the past are repriced: looked at, applied, undone, and what ingest feels of it meanwhile.

    python -m benchmarks.reprice [--calls 1000000] [--days 30] [--ingest 0] [--out FILE]      (make bench-reprice)

A Postgres that flushes to disk, a collector and a worker run on this machine; the calls are of five models over some days,
and a new price for all of them is entered. ``--ingest 1000`` sends so many spans a second before and during the apply and
compares the 95th percentile of the answers. Targets: 1 M calls previewed in 10 s, 20,000 calls applied per second, the
preview equal to what apply did, ingest within twice its own p95.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from outlay_collector.db.engine import connect
from outlay_collector.db.store import create_days
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import Window
from outlay_collector.pricing.quote import override_rows
from outlay_collector.pricing.reprice import store
from outlay_collector.pricing.reprice.scope import Scope, Totals
from outlay_collector.pricing.store import add_own, load_book

from benchmarks._ingest.installation import Installation, installation
from benchmarks._ingest.load import Plan, Told, send
from benchmarks._ingest.payload import Template

PREVIEW_SECONDS_PER_MILLION = 10.0
APPLIED_PER_SECOND = 20_000
INGEST_FACTOR = 2.0
BATCH = 512

# Calls as wide as those of real senders: 23 columns and seven attributes without one.
_CALLS = """
INSERT INTO span (start_time, received_at, trace_id, span_id, duration_us, project_id, input_tokens, cache_read_tokens,
                  output_tokens, reasoning_tokens, kind, status, counted, price_version, priced_at, cost, charge_status,
                  price_ids, api_key, name, scope, dialect, span_type, operation, provider, request_model,
                  response_model, usage_source, service, environment, team, feature, attributes)
SELECT start_time, now(), gen_random_uuid(), n, 800000, %(project)s, input, input / 3, output, output / 5, 3, 0, true, 1,
       now(), 0.0000001 * input, 'priced', '{1,2,3}', 'bench', 'chat', 'outlay', 'outlay', 'call', 'chat',
       models[n %% 5 + 1][1], models[n %% 5 + 1][2], models[n %% 5 + 1][2], 'reported', 'checkout', 'production',
       'team-' || n %% 6, 'feature-' || n %% 21,
       jsonb_build_object('gen_ai.request.temperature', 0.2, 'gen_ai.request.top_p', 1, 'server.port', 443,
                          'gen_ai.request.max_tokens', 1024, 'server.address', 'api.openai.com',
                          'openai.response.system_fingerprint', 'fp_' || n, 'outlay.tag.experiment', 'arm-' || n %% 10)
  FROM (SELECT n, %(start)s::timestamptz + %(step)s * n AS start_time, (50 + n * 7919 %% 3950)::integer AS input,
               (5 + n * 104729 %% 895)::integer AS output,
               ARRAY[['openai', 'gpt-4o-2024-08-06'], ['openai', 'gpt-4o-mini-2024-07-18'],
                     ['anthropic', 'claude-sonnet-4-5-20250929'], ['gcp.gemini', 'gemini-2.5-pro'],
                     ['openai', 'gpt-4.1-2025-04-14']] AS models
          FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n) AS made
"""


def main() -> int:
    """0 when every target that was measured is reached, else 1."""
    arguments = _arguments()
    with installation() as ours:
        result = _measure(ours, arguments)
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if all(_report(result, arguments)) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reprice", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--ingest", type=float, default=0, help="spans a second to send meanwhile; 0 for none")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    return parser.parse_args()


def _measure(ours: Installation, arguments: argparse.Namespace) -> dict[str, Any]:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=arguments.days + 1)
    scope = Scope(window=Window(start, start + timedelta(days=arguments.days)), project_id=ours.project_id)
    result: dict[str, Any] = {"calls": arguments.calls}
    with connect(ours.database_url) as connection:
        print(f"making {arguments.calls:,} calls …", flush=True)
        _make(connection, ours, scope.window, arguments)
        book = load_book(connection)
        connection.commit()
        began = time.perf_counter()
        sums = store.preview(connection, book, scope)
        connection.commit()
        result["preview_seconds"] = time.perf_counter() - began
        said = Totals()
        said.add(sums)
        alone = _ingest(ours, arguments.ingest, 10.0) if arguments.ingest else None
        told: list[Told] = []
        meanwhile = threading.Thread(
            target=lambda: told.append(_ingest(ours, arguments.ingest, arguments.calls / APPLIED_PER_SECOND))
        )
        if arguments.ingest:
            meanwhile.start()
        began = time.perf_counter()
        job = store.run(connection, store.ask(connection, scope, actor="benchmark").id, zone=ZoneInfo("UTC"))
        result["apply_seconds"] = time.perf_counter() - began
        if alone is not None:
            meanwhile.join()
            result["ingest_p95_ms"] = (alone.percentile_ms(95), told[0].percentile_ms(95))
        result["as_previewed"] = job.totals == said
        result["changed_calls"] = job.totals.changed_calls
        began = time.perf_counter()
        store.run(connection, store.ask_undo(connection, job.id, actor="benchmark").id, zone=ZoneInfo("UTC"))
        result["undo_seconds"] = time.perf_counter() - began
        began = time.perf_counter()
        result["exact"] = _sums_follow(connection, ours.project_id)
        result["sums_seconds"] = time.perf_counter() - began
    return result


def _make(connection: Any, ours: Installation, window: Window, arguments: argparse.Namespace) -> None:
    create_days(connection, {(window.start + timedelta(days=n)).date() for n in range(arguments.days + 1)})
    step = (window.end - window.start) / arguments.calls
    values = {"project": ours.project_id, "start": window.start, "step": step}
    connection.commit()
    for first in range(0, arguments.calls, 100_000):
        last = min(first + 100_000, arguments.calls) - 1
        connection.execute(_CALLS, values | {"first": first, "last": last})
        connection.commit()
    models, prices, discounts = override_rows(
        [{"provider": "*", "model": "*", "valid_from": None, "valid_to": None, "discount_percent": "15"}]
    )
    add_own(connection, models=models, prices=prices, discounts=discounts, actor="benchmark", name="new prices")
    connection.commit()
    # As after a day in service: what was written long ago is known to the planner and visible to all.
    connection.autocommit = True
    connection.execute("VACUUM (ANALYZE) span")
    connection.execute("CHECKPOINT")
    connection.autocommit = False


def _ingest(ours: Installation, spans_per_second: float, seconds: float) -> Told:
    templates = [Template(BATCH, content=False, scope="outlay", seed=seed) for seed in range(4)]
    headers = {"Authorization": f"Bearer {ours.key}", "Content-Type": "application/x-protobuf"}
    plan = Plan(url=f"{ours.url}/v1/traces", headers=headers, seconds=seconds, spans_per_second=spans_per_second)
    return send(plan, templates)


def _sums_follow(connection: Any, project_id: int) -> bool:
    """Wait until the worker has made the sums again; whether they are exact then."""
    while connection.execute("SELECT 1 FROM dirty_minute UNION ALL SELECT 1 FROM touched LIMIT 1").fetchone():
        connection.commit()
        time.sleep(0.5)
    ledger.lock(connection, project_id)
    exact = ledger.differences(connection, project_id) == {}
    connection.commit()
    return exact


def _report(result: dict[str, Any], arguments: argparse.Namespace) -> list[bool]:
    calls = arguments.calls
    preview = result["preview_seconds"] / calls * 1_000_000
    applied = calls / result["apply_seconds"]
    checks = [
        (
            f"preview {preview:.1f} s per million calls",
            PREVIEW_SECONDS_PER_MILLION,
            preview <= PREVIEW_SECONDS_PER_MILLION,
        ),
        (f"apply {applied:,.0f} calls/s", f"{APPLIED_PER_SECOND:,}", applied >= APPLIED_PER_SECOND),
        ("preview equals what apply did, undo and sums exact", "yes", result["as_previewed"] and result["exact"]),
    ]
    if "ingest_p95_ms" in result:
        alone, meanwhile = result["ingest_p95_ms"]
        factor = meanwhile / alone
        said = f"ingest p95 {alone:.0f} ms alone, {meanwhile:.0f} ms during apply: {factor:.1f} ×"
        checks.append((said, f"{INGEST_FACTOR:.0f} ×", factor <= INGEST_FACTOR))
    for said, target, reached in checks:
        print(f"  {'ok    ' if reached else 'MISSED'} {said} (target {target})")
    print(
        f"         undo {calls / result['undo_seconds']:,.0f} calls/s; sums followed after {result['sums_seconds']:.0f} s"
    )
    return [reached for _, _, reached in checks]


if __name__ == "__main__":
    sys.exit(main())
