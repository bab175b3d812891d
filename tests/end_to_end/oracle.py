"""A sender that remembers everything: what it sent, and what was acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import psycopg
from outlay_collector.ledger import store as ledger

from tests.builders import SpanSpec, a_model_call, otlp

# USD per token of the one model that the oracle speaks of, worked out here and not by the collector.
MODEL = "gpt-4o-mini-2024-07-18"
INPUT, OUTPUT = Decimal("0.15") / 1_000_000, Decimal("0.60") / 1_000_000


@dataclass
class Oracle:
    """Sends batches from several threads until stopped; a batch without an acknowledgement is sent again."""

    url: str
    key: str
    batch: int = 50
    seed: int = 1
    others: tuple[str, ...] = ()  # further collectors; each delivery goes to any of them
    pause: float = 0.0  # seconds that each thread rests between batches
    repeats: float = 0.1  # chance that a batch is sent once more after its acknowledgement, as by a client that lost it
    copies: int = 1  # each batch goes out once to so many times, at once
    patience: float = 60.0  # seconds in which a batch must be acknowledged
    sent: dict[bytes, SpanSpec] = field(default_factory=dict[bytes, SpanSpec])
    acknowledged: set[bytes] = field(default_factory=set[bytes])
    answers: dict[int, int] = field(default_factory=dict[int, int])
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])

    def start(self, threads: int = 3) -> None:
        for number in range(threads):
            thread = threading.Thread(target=self._run, args=(random.Random(self.seed + number),), daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """No new batches; those under way are sent until they are acknowledged."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=self.patience + 15)
            assert not thread.is_alive(), "a batch was never acknowledged"

    def _run(self, chance: random.Random) -> None:
        with httpx.Client(timeout=12) as client:
            while not self._stop.is_set():
                spans = [self._span(chance) for _ in range(self.batch)]
                with self._lock:
                    self.sent |= {span.span_id: span for span in spans}
                body, span_ids = otlp(spans), {span.span_id for span in spans}
                with self._copied(body, span_ids, chance):
                    self._deliver(client, body, span_ids, chance)
                while chance.random() < self.repeats:
                    self._deliver(client, body, span_ids, chance)
                self._stop.wait(self.pause)

    @contextmanager
    def _copied(self, body: bytes, span_ids: set[bytes], chance: random.Random) -> Iterator[None]:
        """Meanwhile others send the same."""
        seeds = [chance.random() for _ in range(chance.randint(1, self.copies) - 1)]
        copies = [threading.Thread(target=self._send_copy, args=(body, span_ids, seed), daemon=True) for seed in seeds]
        for copy in copies:
            copy.start()
        yield
        for copy in copies:
            copy.join()

    def _send_copy(self, body: bytes, span_ids: set[bytes], seed: float) -> None:
        with httpx.Client(timeout=12) as client:
            self._deliver(client, body, span_ids, random.Random(seed))

    def _span(self, chance: random.Random) -> SpanSpec:
        return a_model_call(
            model=MODEL,
            trace_id=chance.randbytes(16),
            span_id=chance.randbytes(8),
            start=datetime.now(UTC) - timedelta(seconds=chance.randint(0, 7200)),
            input_tokens=chance.randint(1, 100_000),
            output_tokens=chance.randint(1, 10_000),
        )

    def _deliver(self, client: httpx.Client, body: bytes, span_ids: set[bytes], chance: random.Random) -> None:
        deadline = time.monotonic() + self.patience
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/x-protobuf"}
        while time.monotonic() < deadline:
            url = chance.choice((self.url, *self.others))
            try:
                status = client.post(f"{url}/v1/traces", content=body, headers=headers).status_code
            except httpx.HTTPError:
                status = 0
            with self._lock:
                self.answers[status] = self.answers.get(status, 0) + 1
                if status == 200:
                    self.acknowledged |= span_ids
            if status == 200:
                return
            time.sleep(0.1)

    def cost(self) -> Decimal:
        """What all that was acknowledged costs."""
        total = Decimal(0)
        for span_id in self.acknowledged:
            usage = self.sent[span_id].attributes
            total += usage["gen_ai.usage.input_tokens"] * INPUT + usage["gen_ai.usage.output_tokens"] * OUTPUT
        return total


@dataclass(frozen=True)
class Differences:
    """Between what a sender remembers and what is stored."""

    lost: int  # acknowledged, and not there
    double: int  # there more than once
    invented: int  # there, and never sent


def compare(oracle: Oracle, connection: psycopg.Connection[Any], project_id: int | None = None) -> Differences:
    """Of one project, or of all."""
    stored = connection.execute(
        "SELECT span_id FROM span WHERE coalesce(project_id = %s, true)", (project_id,)
    ).fetchall()
    found = [(number & 0xFFFF_FFFF_FFFF_FFFF).to_bytes(8, "big") for (number,) in stored]
    distinct = set(found)
    return Differences(
        lost=len(oracle.acknowledged - distinct),
        double=len(found) - len(distinct),
        invented=len(distinct - set(oracle.sent)),
    )


def assert_nothing_lost(oracle: Oracle, connection: psycopg.Connection[Any], project_id: int | None = None) -> None:
    """Every acknowledged span is stored exactly once, and nothing that was never sent; of one project, or of all."""
    assert compare(oracle, connection, project_id) == Differences(lost=0, double=0, invented=0)


def assert_sums_exact(connection: psycopg.Connection[Any]) -> None:
    """Σ rollup = Σ counted charges + Σ ledger lines, in every column, for every project."""
    for (project_id,) in connection.execute("SELECT id FROM project").fetchall():
        assert ledger.differences(connection, project_id) == {}
