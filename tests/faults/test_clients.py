"""Faults 12, 13, 22 and 23: clients without room on disk, that repeat themselves, that only sit there, and that are sent away."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest
import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from outlay_collector.db.engine import connect
from outlay_collector.ledger import store as ledger

from tests.builders import a_model_call, otlp
from tests.faults.conftest import rounds
from tests.faults.stand import MEMORY_BOUND, Memory, Stand, is_settled
from tests.servers import Collector, environment, free_port, wait_until

pytestmark = [pytest.mark.xdist_group("faults-1"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def collector(stand: Stand) -> Collector:
    stand.worker()
    return stand.collector()


def stored(stand: Stand, project_id: int) -> int:
    """Spans of a project; AssertionError when one is there twice."""
    number = stand.count("SELECT count(*) FROM span WHERE project_id = %s", project_id)
    assert stand.count("SELECT count(DISTINCT span_id) FROM span WHERE project_id = %s", project_id) == number
    return number


def assert_summed(stand: Stand, project_id: int, calls: int) -> None:
    with connect(stand.database_url) as connection:
        wait_until(lambda: is_settled(connection, project_id), seconds=60, every=0.2)
        assert ledger.differences(connection, project_id) == {}
    assert stand.count("SELECT sum(calls) FROM cost_day WHERE project_id = %s", project_id) == calls


# A program with the SDK that does what it is told on its standard input, and answers with the SDK's counts.
PROGRAM = """
import json, resource, sys
import outlay
outlay.configure(batch_size=50, interval=0.05)
number = 0
for line in sys.stdin:
    command, value = line.split()
    if command == "room":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(value), resource.RLIM_INFINITY))
    if command == "record":
        for _ in range(int(value)):
            number += 1
            outlay.record(
                model="gpt-4o-mini-2024-07-18", provider="openai", usage={"input_tokens": 1000, "output_tokens": 200},
                trace_id=f"{number:032x}", span_id=f"{number:016x}",
            )
    if command == "flush":
        outlay.flush(float(value))
    print(json.dumps(outlay.stats()._asdict()), flush=True)
"""


class Program:
    """That program, running. ``tell`` gives the counts after it did as told."""

    def __init__(self, endpoint: str, key: str, **more: str) -> None:
        named = {"OUTLAY_ENDPOINT": endpoint, "OUTLAY_API_KEY": key} | more
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=environment(**named),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def tell(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()


@pytest.fixture
def start_program() -> Iterator[Callable[..., Program]]:
    with ExitStack() as stack:

        def start(endpoint: str, key: str, **more: str) -> Program:
            program = Program(endpoint, key, **more)
            stack.callback(program.kill)
            return program

        yield start


def test_fault_12_with_a_full_disk_the_sdk_keeps_the_rest_in_memory_and_delivers_all(
    stand: Stand, collector: Collector, start_program: Callable[..., Program], tmp_path: Path
) -> None:
    """The collector is away, and the spool's file may not grow beyond three requests and a half."""
    project_id, key = stand.project("full-disk")
    collector.kill()
    program = start_program(collector.url, key, OUTLAY_SPOOL=str(tmp_path), OUTLAY_SPOOL_BYTES="100000000")
    program.tell("record 50")
    counts = wait_until(lambda: (told := program.tell("flush 1"))["spooled"] == 50 and told)
    (segment,) = tmp_path.iterdir()
    one = segment.stat().st_size
    program.tell(f"room {one * 7 // 2}")
    program.tell("record 1950")
    counts = program.tell("flush 2")
    assert counts["dropped"] == 0
    assert counts["queued"] > 0, "the disk was not full: the test says nothing"
    assert counts["spooled"] + counts["queued"] == 2000
    assert all(kept.stat().st_size <= one * 7 // 2 for kept in tmp_path.iterdir())
    program.tell("room -1")
    collector.start()
    wait_until(lambda: stored(stand, project_id) == 2000, seconds=60)
    counts = wait_until(lambda: (told := program.tell("flush 5"))["queued"] == 0 and told, seconds=60)
    wait_until(lambda: list(tmp_path.iterdir()) == [], seconds=60)
    counts = program.tell("flush 1")
    assert (counts["dropped"], counts["refused"], counts["delivered"] + counts["replayed"]) == (0, 0, 2000)
    assert stored(stand, project_id) == 2000
    assert_summed(stand, project_id, 2000)


def cut(content: bytearray) -> None:
    del content[-7:]


def flip(content: bytearray) -> None:
    content[-7] ^= 1


def fill_with_zeros(content: bytearray) -> None:
    """As file systems do that had given a file its length and not yet its contents."""
    content[-100:] = bytes(100)


@pytest.mark.parametrize("damage", [cut, flip, fill_with_zeros])
def test_fault_12_of_a_spool_that_a_crash_has_torn_all_but_the_torn_request_arrives(
    stand: Stand,
    collector: Collector,
    start_program: Callable[..., Program],
    tmp_path: Path,
    damage: Callable[[bytearray], None],
) -> None:
    project_id, key = stand.project(f"torn-{damage.__name__}")
    nobody = f"http://127.0.0.1:{free_port()}"
    crashed = start_program(nobody, key, OUTLAY_SPOOL=str(tmp_path))
    for _ in range(3):
        crashed.tell("record 50")
        crashed.tell("flush 5")
    assert crashed.tell("flush 0")["spooled"] == 150
    crashed.kill()
    newest = max(tmp_path.iterdir())
    content = bytearray(newest.read_bytes())
    damage(content)
    newest.write_bytes(content)
    start_program(collector.url, key, OUTLAY_SPOOL=str(tmp_path)).tell("flush 1")
    wait_until(lambda: list(tmp_path.iterdir()) == [], seconds=60)
    assert stored(stand, project_id) == 100
    assert_summed(stand, project_id, 100)


def test_fault_13_what_arrives_five_times_at_once_over_two_collectors_counts_once(
    stand: Stand, collector: Collector
) -> None:
    other = stand.collector()
    with stand.load(collector, other, threads=4, copies=5, repeats=0.3) as oracle:
        wait_until(lambda: len(oracle.acknowledged) > 1000 * rounds(1), seconds=120)
    assert oracle.answers[200] * oracle.batch > 2 * len(oracle.acknowledged), "too little was repeated"
    assert set(oracle.answers) <= {200, 503}
    other.kill()


# Fault 22.


def many() -> int:
    """As many connections as a test may open, five thousand at most: this process holds one end of each."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(5000, soft // 2)


@contextmanager
def silent_connections(port: int, number: int, says: Callable[[int], bytes]) -> Iterator[list[socket.socket]]:
    """``says`` is what the nth sends before it falls silent."""
    opened: list[socket.socket] = []
    try:
        for n in range(number):
            connection = socket.create_connection(("127.0.0.1", port), timeout=20)
            opened.append(connection)
            if said := says(n):
                with contextlib.suppress(OSError):  # it was shed already
                    connection.sendall(said)
        yield opened
    finally:
        for connection in opened:
            connection.close()


def still_open(connections: list[socket.socket]) -> int:
    """How many of them the other side has not closed."""
    number = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            while connection.recv(65536):
                pass
        except BlockingIOError:
            number += 1
        except OSError:
            pass
    return number


def connections_of(collector: Collector) -> int:
    return sum(
        one.laddr.port == collector.port and one.status == psutil.CONN_ESTABLISHED
        for one in psutil.Process(collector.pid).net_connections("tcp")
    )


def test_fault_22_thousands_of_idle_connections_are_bounded_and_others_served(
    stand: Stand, collector: Collector
) -> None:
    """Half of them never say a word, half stop in the middle of a head."""
    crowded = stand.collector(OUTLAY_MAX_CONNECTIONS="300", OUTLAY_HEAD_TIMEOUT="PT10M")

    def says(n: int) -> bytes:
        return b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthoriz" if n % 2 else b""

    with (
        stand.load(crowded, threads=2) as oracle,
        Memory(crowded) as memory,
        silent_connections(crowded.port, many(), says) as opened,
    ):
        wait_until(lambda: still_open(opened) <= 300, seconds=60)
        before = len(oracle.acknowledged)
        wait_until(lambda: len(oracle.acknowledged) > before + 500, seconds=60)
        for _ in range(20):  # each by a connection of its own
            assert httpx.get(f"{crowded.url}/healthz", timeout=20).status_code == 200
        assert connections_of(crowded) <= 310
    assert set(oracle.answers) <= {0, 200}  # 0: the sender's own connection was the longest idle one
    assert memory.peak < MEMORY_BOUND
    crowded.kill()


def test_fault_22_who_says_its_request_byte_by_byte_is_cut_off(stand: Stand, collector: Collector) -> None:
    hasty = stand.collector(OUTLAY_HEAD_TIMEOUT="PT5S", OUTLAY_BODY_TIMEOUT="PT5S")
    _, key = stand.project("slowly")
    body = (
        f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 1000\r\n"
        "Content-Type: application/x-protobuf\r\n\r\n"
    ).encode()
    refused = (
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nContent-Type: application/x-protobuf\r\n\r\n"
    )
    starts = (b"", b"G", b"POST /v1/traces HTTP/1.1\r\nX-", body, refused)
    with silent_connections(hasty.port, 100, lambda n: starts[n % len(starts)]) as opened:
        drip, stop = threading.Event(), threading.Event()

        def drip_on() -> None:
            while not stop.wait(0.3):
                for connection in opened[1:]:
                    with contextlib.suppress(OSError):
                        connection.send(b"a")
                drip.set()

        dripping = threading.Thread(target=drip_on)
        dripping.start()
        try:
            assert drip.wait(20)
            with stand.load(hasty) as oracle:
                wait_until(lambda: connections_of(hasty) <= 10, seconds=60, every=0.5)
        finally:
            stop.set()
            dripping.join()
    assert set(oracle.answers) <= {0, 200}
    hasty.kill()


def test_fault_22_a_head_without_end_is_refused(collector: Collector) -> None:
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        answer = b""
        with contextlib.suppress(OSError):
            for n in range(100):
                connection.sendall(b"X-%d: " % n + b"x" * 4096 + b"\r\n")
        with contextlib.suppress(OSError):
            answer = connection.recv(1024)
        assert answer[9:12] in (b"431", b""), answer
    assert collector.get("/healthz").status_code == 200


# Fault 23.


class StockExporter:
    """The exporter of the OpenTelemetry SDK as it comes, with every answer it got noted down."""

    def __init__(self, endpoint: str, key: str) -> None:
        self.answers: Counter[int] = Counter()
        self.results: list[SpanExportResult] = []
        self.sent = 0
        session = requests.Session()
        session.hooks["response"].append(self._note)
        headers = {"Authorization": f"Bearer {key}"}
        self._exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", headers=headers, session=session)
        self._provider = TracerProvider()

    def _note(self, response: requests.Response, *_: object, **__: object) -> None:
        self.answers[response.status_code] += 1
        if response.status_code != 200:
            assert response.headers["Retry-After"] == "1"

    def export(self, number: int) -> None:
        self.sent += number
        self.results.append(self._exporter.export([self._span() for _ in range(number)]))

    def _span(self) -> ReadableSpan:
        span = self._provider.get_tracer("opentelemetry.instrumentation.genai.openai").start_span("chat")
        for name, value in a_model_call().attributes.items():
            span.set_attribute(name, value)
        span.end()
        assert isinstance(span, ReadableSpan)
        return span

    def close(self) -> None:
        self._exporter.shutdown()


@contextmanager
def commits_blocked(stand: Stand) -> Iterator[None]:
    with psycopg.connect(stand.database_url) as blocking:
        blocking.execute("LOCK TABLE touched IN ACCESS EXCLUSIVE MODE")
        yield
        blocking.rollback()


def test_fault_23_whoever_is_told_to_come_again_comes_again_and_loses_nothing(
    stand: Stand, collector: Collector, start_program: Callable[..., Program]
) -> None:
    """A collector with room for one large request: while that waits for its commit, everybody else gets 503."""
    narrow = stand.collector(OUTLAY_MAX_BYTES_IN_FLIGHT="400000")
    project_id, key = stand.project("storm")
    large = otlp([a_model_call() for _ in range(250)])
    ours = start_program(narrow.url, key)
    stock = [StockExporter(narrow.url, key) for _ in range(3)]

    def send_large() -> int:
        return wait_until(lambda: (status := post(narrow, key, large)) != 503 and status, seconds=60)

    def all_sent_away(before: list[int]) -> bool:
        return all(exporter.answers[503] > seen for exporter, seen in zip(stock, before, strict=True))

    def came_again(retries: int) -> bool:
        return ours.tell("flush 0.3")["retries"] > retries

    for _ in range(rounds(2)):
        before = [exporter.answers[503] for exporter in stock]
        with ThreadPoolExecutor(4) as background:
            with commits_blocked(stand):
                holding = background.submit(send_large)
                wait_until(lambda: post(narrow, key, NOTHING) == 503)
                retries = ours.tell("record 100")["retries"]
                wait_until(partial(came_again, retries))
                # Last, and not for long: stock exporters give up after six attempts, a second apart.
                exports = [background.submit(exporter.export, 20) for exporter in stock]
                wait_until(partial(all_sent_away, before))
            for export in exports:
                export.result(60)
            assert holding.result(60) == 200
        wait_until(lambda: ours.tell("flush 5")["queued"] == 0, seconds=60)
    counts = ours.tell("flush 5")
    for exporter in stock:
        exporter.close()
        assert set(exporter.results) == {SpanExportResult.SUCCESS}
        assert set(exporter.answers) == {200, 503}
    assert (counts["dropped"], counts["refused"], counts["delivered"]) == (0, 0, 100 * rounds(2))
    everything = 250 + counts["delivered"] + sum(exporter.sent for exporter in stock)
    assert stored(stand, project_id) == everything
    assert_summed(stand, project_id, everything)
    narrow.kill()


# Spans without ids: refused when they are let in, so that asking adds nothing.
NOTHING = otlp([a_model_call(span_id=bytes(8)) for _ in range(40)])


def post(collector: Collector, key: str, body: bytes) -> int:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-protobuf"}
    return httpx.post(f"{collector.url}/v1/traces", content=body, headers=headers, timeout=30).status_code
