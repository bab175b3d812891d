"""``make fuzz``: the long run. ``make fuzz REPLAY=file`` sends one saved request again."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from pathlib import Path

from tests.fuzz.cases import Requests, request_from
from tests.fuzz.client import GrpcSender, HttpSender
from tests.fuzz.openapi import fuzz_openapi
from tests.fuzz.run import Run
from tests.fuzz.system import system
from tests.servers import Collector

FAILURES = Path("fuzz-failures")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=3600, help="Stop after so long, however many were sent.")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument(
        "--examples", type=int, default=100, help="Of each operation of the API, and each way to ask it."
    )
    parser.add_argument("--only", choices=("otlp", "api"))
    parser.add_argument("--replay", type=Path)
    asked = parser.parse_args()
    if asked.replay:
        return replay(asked.replay)
    print(f"seed {asked.seed} (again: make fuzz FUZZ='--seed {asked.seed}')", flush=True)
    failures: list[str] = []
    if asked.only != "otlp":
        with system() as collector:
            api = fuzz_openapi(collector, examples=asked.examples, seed=asked.seed)
        print("\n".join(api.lines()), flush=True)
        failures += api.failures
    if asked.only != "api":
        with system() as collector:
            run = Run(collector, Requests(asked.seed, collector.key), FAILURES)
            run.send(asked.requests, asked.seconds)
            print("\n".join(run.report.lines()[:2]), flush=True)
            run.check(collector.database_url, seconds=900)
        print("\n".join(run.report.lines()[2:]), flush=True)
        failures += run.report.failures
    for failure in failures:
        print(f"\nFAILED: {failure}")
    return 1 if failures else 0


def replay(path: Path) -> int:
    """Send a saved request to a fresh installation and show what comes of it."""
    found = json.loads(path.read_text())
    with system() as collector:
        return asyncio.run(_replay(collector, found))


async def _replay(collector: Collector, found: dict[str, object]) -> int:
    request = request_from(found)
    if request.headers.get("authorization", "").startswith("Bearer out_"):
        request.headers["authorization"] = f"Bearer {collector.key}"
    sender = GrpcSender(collector.grpc_port) if request.protocol == "grpc" else HttpSender(collector.port)
    answer = await sender.send(request)
    await sender.close()
    print(f"{found['why']}\nnow: {answer.status} {answer.detail}\n{collector.said()[-4000:]}")
    return 1 if answer.status == 0 or answer.status >= 500 else 0


if __name__ == "__main__":
    sys.exit(main())
