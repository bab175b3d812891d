"""Clients that send batches over keep-alive connections, as fast as they are answered or at a given rate."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from benchmarks._ingest.payload import Template


@dataclass(slots=True)
class Told:
    """What the clients saw. Latencies are seconds per answered POST."""

    acknowledged: int = 0
    rejected: int = 0
    latencies: list[float] = field(default_factory=list[float])
    others: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    late_seconds: float = 0.0
    """At a given rate: the most that a client lagged behind its plan."""

    def percentile_ms(self, percent: float) -> float:
        return float(np.percentile(self.latencies, percent)) * 1000 if self.latencies else float("nan")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    url: str
    headers: Mapping[str, str]
    clients: int = 4
    seconds: float = 8.0
    spans_per_second: float = 0.0  # 0: as fast as answers come
    requests: int = 0  # per client; 0: for ``seconds``
    timeout_seconds: float = 60.0


def send(plan: Plan, templates: Sequence[Template]) -> Told:
    """Run all clients to the end of the plan."""
    told, lock = Told(), threading.Lock()
    started, cpu = time.perf_counter(), time.process_time()
    ticket = iter(range(10**12))

    def client(number: int) -> None:
        rng = np.random.default_rng()
        connection = _connect(plan)
        sent = 0
        while True:
            if plan.requests and sent >= plan.requests:
                break
            if plan.spans_per_second:
                with lock:
                    turn = next(ticket)
                due = started + turn * templates[0].spans / plan.spans_per_second
                if due - started >= plan.seconds:
                    break
                wait = due - time.perf_counter()
                if wait > 0:
                    time.sleep(wait)
                else:
                    told.late_seconds = max(told.late_seconds, -wait)
            elif not plan.requests and time.perf_counter() - started >= plan.seconds:
                break
            template = templates[(number + sent) % len(templates)]
            sent += 1
            connection = _post(plan, connection, template.next(rng), template.spans, told, lock)
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(plan.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.seconds, told.cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    return told


def _connect(plan: Plan) -> http.client.HTTPConnection:
    parts = urlsplit(plan.url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=plan.timeout_seconds)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _post(
    plan: Plan, connection: http.client.HTTPConnection, body: bytes, spans: int, told: Told, lock: threading.Lock
) -> http.client.HTTPConnection:
    """Send until it is answered 2xx or refused for good; one POST is timed from request to answer."""
    deadline = time.perf_counter() + plan.timeout_seconds
    while time.perf_counter() < deadline:
        began = time.perf_counter()
        try:
            connection.request("POST", urlsplit(plan.url).path, body, dict(plan.headers))
            answer = connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            with lock:
                told.others[type(error).__name__] += 1
            connection.close()
            # http.client connects again with the next request; a server that is gone is asked until time is up.
            time.sleep(0.1)
            continue
        took = time.perf_counter() - began
        if 200 <= answer.status < 300:
            rejected = _rejected(answer, said)
            with lock:
                told.latencies.append(took)
                told.acknowledged += spans - rejected
                told.rejected += rejected
            return connection
        with lock:
            told.others[str(answer.status)] += 1
        if answer.status not in (429, 503):
            return connection
        time.sleep(0.1)
    return connection


def _rejected(answer: http.client.HTTPResponse, said: bytes) -> int:
    if not said or "json" in (answer.getheader("content-type") or ""):
        return 0
    return ExportTraceServiceResponse.FromString(said).partial_success.rejected_spans
