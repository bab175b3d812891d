"""``python -m tests.end_to_end.crossings [--count 100]``: from the acknowledgement of a span that crosses a budget to a
verified webhook at a real receiver, with two collectors and two workers, one crossing after the other.

The fewer of the same that every `make test` runs are in ``test_told_once``.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from outlay_collector.access.keys import SCOPES
from outlay_collector.access.store import create_key
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.db.engine import connect
from outlay_collector.up.store import prepare

from tests.builders import a_model_call, otlp
from tests.receiver import Received, Receiver
from tests.servers import Collector, Running, wait_until

ALLOW = {"OUTLAY_WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8"}
_PATIENCE_SECONDS = 120


@dataclass
class Installation:
    """Two collectors, two workers, a budget of 0.40 for every customer, and who is told when half of it is spent."""

    collectors: list[Collector]
    receiver: Receiver
    secret: str

    def cross(self, number: int) -> float:
        """One customer's first call, which costs 0.21; seconds from its acknowledgement until the webhook has come."""
        customer = f"customer {number}"
        collector = self.collectors[number % 2]
        call = a_model_call(
            start=datetime.now(UTC), input_tokens=1_000_000, output_tokens=100_000,
            attributes={"outlay.customer": customer},
        )  # fmt: skip
        headers = collector.headers | {"Content-Type": "application/x-protobuf"}
        body = otlp([call])
        assert httpx.post(f"{collector.url}/v1/traces", content=body, headers=headers, timeout=30).status_code == 200
        began = time.monotonic()
        # The same once more, to the other collector: it adds nothing, and nobody is told of it.
        httpx.post(f"{self.collectors[1 - number % 2].url}/v1/traces", content=body, headers=headers, timeout=30)
        wait_until(lambda: self.told(customer), seconds=_PATIENCE_SECONDS)
        return time.monotonic() - began

    def told(self, customer: str) -> list[Received]:
        return [
            one
            for one in list(self.receiver.received)
            if one.json["type"] == "budget.crossed" and one.json["data"]["details"]["instance"] == customer
        ]

    def is_told_once_each(self, count: int) -> bool:
        """Every crossing by exactly one message with an id of its own, and every signature good."""
        messages = [self.told(f"customer {number}") for number in range(count)]
        assert [len(found) for found in messages] == [1] * count
        assert len({found[0].id for found in messages}) == count
        return all(found[0].is_signed_with(self.secret) for found in messages)


@contextmanager
def installed(database_url: str, folder: Path) -> Iterator[Installation]:
    """It on a migrated database of its own."""
    with connect(database_url) as connection:
        key = create_key(connection, project=None, scopes=list(SCOPES), name="crossings")
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver())
        collectors = [Collector(database_url, key, log=folder / f"collector-{n}.log", env=ALLOW) for n in range(2)]
        workers = [
            Running("worker", env={"OUTLAY_DATABASE_URL": database_url, **ALLOW}, log=folder / f"worker-{n}.log")
            for n in range(2)
        ]
        for process in (*collectors, *workers):
            stack.callback(process.kill)
            process.start()
        api, headers = f"{collectors[0].url}/api/v1", collectors[0].headers
        webhook = {"project": "default", "url": receiver.url, "kind": "generic"}
        made = httpx.post(f"{api}/webhooks", json=webhook, headers=headers, timeout=30)
        assert made.status_code == 201, made.text
        budget = {"project": "default", "name": "customers", "per": "customer", "amount": "0.40",
                  "thresholds": [{"kind": "actual", "percent": 50}], "webhooks": [made.json()["id"]]}  # fmt: skip
        answer = httpx.post(f"{api}/budgets", json=budget, headers=headers, timeout=30)
        assert answer.status_code == 201, answer.text
        yield Installation(collectors, receiver, made.json()["secret"])


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--count", type=int, default=100)
    count: int = asked.parse_args().count
    home = Path(tempfile.mkdtemp(prefix="outlay-crossings-", dir="/var/tmp"))
    home.chmod(0o755)
    try:
        with EmbeddedPostgres(home, bound=True) as url:
            prepare(url)
            with installed(url, home) as made:
                seconds = [made.cross(number) for number in range(count)]
                assert made.is_told_once_each(count)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    p95 = statistics.quantiles(seconds, n=20)[-1]
    print(f"{count} crossings, each told once and verified; 2 collectors, 2 workers")
    print(f"ack to webhook: median {statistics.median(seconds):.1f} s, p95 {p95:.1f} s, longest {max(seconds):.1f} s")
    return 0 if p95 <= 60 else 1


if __name__ == "__main__":
    raise SystemExit(main())
