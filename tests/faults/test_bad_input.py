"""Faults 14 to 21: spans and bodies that are wrong in every way, sent to one running collector beside good ones."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg
import pytest
import zstandard
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from outlay_collector.access import store as access
from outlay_collector.access.keys import SCOPES
from outlay_collector.db.engine import connect
from outlay_collector.db.names import PARTITIONED
from outlay_collector.ledger import store as ledger

from tests.builders import SpanSpec, a_model_call, nanoseconds, otlp
from tests.faults.stand import MEMORY_BOUND, Memory, is_settled
from tests.servers import Collector, Running, wait_until

pytestmark = [pytest.mark.xdist_group("faults-2"), pytest.mark.timeout(300)]

PROTOBUF, JSON = "application/x-protobuf", "application/json"


_number = count(1)


@dataclass
class Shop:
    """A project of a test's own on the shared collector."""

    collector: Collector
    project_id: int
    key: str

    def send(self, body: bytes, kind: str = PROTOBUF, path: str = "/v1/traces", **headers: str) -> httpx.Response:
        """Headers are spelt with underscores."""
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": kind}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.collector.url}{path}", content=body, headers=sent, timeout=30)

    def rejected(self, answer: httpx.Response) -> int:
        assert answer.status_code == 200, answer.text
        if answer.headers["content-type"] == JSON:
            return int(answer.json().get("partialSuccess", {}).get("rejectedSpans", 0))
        return ExportTraceServiceResponse.FromString(answer.content).partial_success.rejected_spans

    def settled(self) -> None:
        with connect(self.collector.database_url) as connection:
            wait_until(lambda: is_settled(connection, self.project_id), seconds=30, every=0.1)
            assert ledger.differences(connection, self.project_id) == {}

    def rows(self, columns: str) -> list[tuple[Any, ...]]:
        statement = f"SELECT {columns} FROM span WHERE project_id = %s ORDER BY start_time, span_id"
        with connect(self.collector.database_url) as connection:
            return connection.execute(statement.encode(), (self.project_id,)).fetchall()

    def sums(self) -> tuple[int, Decimal | None]:
        """Calls and cost, from the rollup of days."""
        self.settled()
        with connect(self.collector.database_url) as connection:
            row = connection.execute(
                "SELECT coalesce(sum(calls), 0), sum(cost) FROM cost_day WHERE project_id = %s", (self.project_id,)
            ).fetchone()
        assert row is not None
        return int(row[0]), row[1]

    def counted(self, name: str) -> int:
        with connect(self.collector.database_url) as connection:
            row = connection.execute(
                "SELECT coalesce(sum(n), 0) FROM ingest_count WHERE project_id = %s AND name = %s",
                (self.project_id, name),
            ).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture(scope="module")
def running(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector and a worker that all tests of this module share: none of them may harm it."""
    folder: Path = tmp_path_factory.mktemp("bad-input")
    with connect(shared_database_url) as connection:
        key = access.create_key(connection, project=None, scopes=list(SCOPES))
    collector = Collector(shared_database_url, key, log=folder / "collector.log", env={"OUTLAY_ACCEPTORS": "1"})
    worker = Running("worker", env={"OUTLAY_DATABASE_URL": shared_database_url}, log=folder / "worker.log")
    try:
        collector.start()
        worker.start()
        pid = collector.pid
        yield collector
        assert collector.is_running()
        assert collector.pid == pid
        assert worker.is_running()
        for process in (collector, worker):
            assert "Traceback" not in process.said(), process.said()
    finally:
        collector.kill()
        worker.kill()


@pytest.fixture
def shop(running: Collector, request: pytest.FixtureRequest) -> Shop:
    return open_shop(running, request.node.originalname)


def open_shop(running: Collector, name: str) -> Shop:
    name = f"{name[:60]} {next(_number)}"
    with connect(running.database_url) as connection:
        project_id = access.create_project(connection, name)
        return Shop(running, project_id, access.create_key(connection, project=name, scopes=list(SCOPES)))


V = TypeVar("V")


@dataclass
class Tried:
    """A variant of what is bad, sent to a shop of its own."""

    shop: Shop
    rejected: int
    new_partitions: set[str]


def try_all(running: Collector, variants: Iterable[V], body: Callable[[V], tuple[bytes, str]]) -> dict[str, Tried]:
    """Send each variant, by its ``repr``, then wait once until all is settled: that is what would take the time."""
    tried: dict[str, Tried] = {}
    for variant in variants:
        shop = open_shop(running, "variant")
        before = partitions(shop)
        rejected = shop.rejected(shop.send(*body(variant)))
        tried[repr(variant)] = Tried(shop, rejected, partitions(shop) - before)
    for one in tried.values():
        one.shop.settled()
    return tried


NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


def test_fault_14_the_first_payload_of_a_span_wins_and_conflicts_are_counted(shop: Shop) -> None:
    first = a_model_call(input_tokens=1_000_000, output_tokens=0, start=NOW)
    again = a_model_call(
        input_tokens=9_000_000, output_tokens=0, start=NOW, trace_id=first.trace_id, span_id=first.span_id
    )
    for span in (first, again, first):
        assert shop.rejected(shop.send(otlp([span]))) == 0
    assert shop.rows("input_tokens") == [(1_000_000,)]
    assert shop.counted("conflicting") == 1
    assert shop.sums() == (1, Decimal("0.15"))


def test_fault_14_one_span_id_on_two_days_is_one_call(shop: Shop) -> None:
    first = a_model_call(input_tokens=1_000_000, output_tokens=0, start=NOW)
    other = a_model_call(
        input_tokens=1_000_000,
        output_tokens=0,
        start=NOW - timedelta(hours=20),
        trace_id=first.trace_id,
        span_id=first.span_id,
    )
    shop.send(otlp([first]))
    shop.send(otlp([other]))
    assert shop.sums() == (1, Decimal("0.15"))


def test_fault_15_children_before_their_root_and_forty_days_late(shop: Shop) -> None:
    """In order in one trace, and in reverse with settlement in between in another: the same state."""
    states = []
    for late in (False, True):
        start = NOW - timedelta(days=40)
        trace = bytes([7, late] + [1] * 14)
        root = SpanSpec(
            name="agent", start=start, duration_ms=5000, trace_id=trace, attributes={"outlay.kind": "agent"}
        )
        calls = [
            a_model_call(
                start=start + timedelta(seconds=n + 1), trace_id=trace, parent=root.span_id, input_tokens=1000 * (n + 1)
            )
            for n in range(3)
        ]
        for span in reversed([root, *calls]) if late else [root, *calls]:
            shop.send(otlp([span]))
            if late:
                shop.settled()
        shop.settled()
        rows = shop.rows("trace_id, name, counted, not_counted_reason, cost, input_tokens")
        states.append([row[1:] for row in rows if row[0].bytes == trace])
    assert states[0] == states[1]
    assert sum(row[1] for row in states[0]) == 3


# Start times in nanoseconds, and whether a span with such a one is taken.
CLOCKS = {
    nanoseconds(NOW - timedelta(days=365)): True,
    nanoseconds(NOW + timedelta(hours=1, minutes=5)): True,
    nanoseconds(NOW - timedelta(days=500)): False,
    nanoseconds(NOW + timedelta(days=365)): False,
    1: False,
    2**63 - 1: False,
    2**64 - 1: False,
}


@pytest.fixture(scope="module")
def clocks(running: Collector) -> dict[str, Tried]:
    def body(start_ns: int) -> tuple[bytes, str]:
        request = ExportTraceServiceRequest.FromString(otlp([a_model_call(), a_model_call()]))
        strange = request.resource_spans[0].scope_spans[0].spans[0]
        strange.start_time_unix_nano, strange.end_time_unix_nano = start_ns, 2**64 - 1
        return request.SerializeToString(), PROTOBUF

    return try_all(running, CLOCKS, body)


@pytest.mark.parametrize(
    "start_ns", CLOCKS, ids=["a-year-ago", "soon", "500-days-ago", "next-year", "1970", "int64", "uint64"]
)
def test_fault_16_clocks_that_are_wrong_are_refused_and_make_no_partitions(
    clocks: dict[str, Tried], start_ns: int
) -> None:
    tried, taken = clocks[repr(start_ns)], CLOCKS[start_ns]
    assert tried.rejected == (0 if taken else 1)
    assert len(tried.shop.rows("1")) == (2 if taken else 1)
    assert len(tried.new_partitions) <= (len(PARTITIONED) if taken else 0)
    assert tried.shop.sums()[0] == (2 if taken else 1)


def test_fault_16_a_span_that_ends_before_it_starts_lasts_no_time(shop: Shop) -> None:
    shop.send(otlp([a_model_call(duration_ms=-5000)]))
    assert shop.rows("duration_us") == [(0,)]


def test_fault_16_log_events_with_a_wrong_clock_make_no_partitions(shop: Shop) -> None:
    with psycopg.connect(shop.collector.database_url) as connection:
        connection.execute("UPDATE project SET content = 'full' WHERE id = %s", (shop.project_id,))
    span = a_model_call(input_tokens=None, output_tokens=None)
    shop.send(otlp([span]))

    def tell(time_ns: int) -> set[str]:
        """Send an event with usage and a text; the partitions that it made."""
        request = ExportLogsServiceRequest()
        log = request.resource_logs.add().scope_logs.add().log_records.add()
        log.time_unix_nano, log.trace_id, log.span_id = time_ns, span.trace_id, span.span_id
        log.event_name = "gen_ai.client.inference.operation.details"
        for key, number in (("gen_ai.usage.input_tokens", 100), ("gen_ai.usage.output_tokens", 10)):
            log.attributes.add(key=key).value.int_value = number
        log.attributes.add(key="gen_ai.input.messages").value.string_value = '[{"role":"user","content":"hello"}]'
        before = partitions(shop)
        assert shop.send(request.SerializeToString(), path="/v1/logs").status_code == 200
        return partitions(shop) - before

    def text_is_kept() -> bool:
        tell(nanoseconds(NOW))
        with connect(shop.collector.database_url) as connection:
            row = connection.execute("SELECT count(*) FROM span_content WHERE project_id = %s", (shop.project_id,))
            return row.fetchone() != (0,)

    wait_until(text_is_kept)  # the collector looks at the projects every few seconds
    for time_ns in (0, 1, 2**63 - 1, 2**64 - 1, nanoseconds(NOW + timedelta(days=300))):
        assert tell(time_ns) == set(), time_ns
    shop.settled()


def partitions(shop: Shop) -> set[str]:
    with connect(shop.collector.database_url) as connection:
        rows = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE relkind = 'r'"
        ).fetchall()
    return {name for (name,) in rows}


# ---- Poison: one span that cannot be taken, among a thousand that can.

Spoil = Callable[[Any], None]


def a_thousand(spoil: Spoil) -> bytes:
    request = ExportTraceServiceRequest.FromString(otlp([a_model_call() for _ in range(1000)]))
    spoil(request.resource_spans[0].scope_spans[0].spans[500])
    return request.SerializeToString()


def _set(**fields: Any) -> Spoil:
    def spoil(span: Any) -> None:
        for name, value in fields.items():
            setattr(span, name, value)

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        _set(trace_id=b""),
        _set(trace_id=b"\0" * 16),
        _set(trace_id=b"short"),
        _set(span_id=b""),
        _set(span_id=b"\0" * 8),
        _set(span_id=b"far too long"),
        _set(start_time_unix_nano=0),
        _set(start_time_unix_nano=2**64 - 1),
    ],
    ids=["no-trace", "zero-trace", "short-trace", "no-span", "zero-span", "long-span", "no-start", "far-future"],
)
def test_fault_17_one_poisoned_span_of_a_thousand_is_refused_alone(shop: Shop, spoil: Spoil) -> None:
    assert shop.rejected(shop.send(a_thousand(spoil))) == 1
    assert len(shop.rows("1")) == 999
    with connect(shop.collector.database_url) as connection:
        letters = connection.execute(
            "SELECT count(*) FROM dead_letter WHERE project_id = %s", (shop.project_id,)
        ).fetchone()
    assert letters == (1,)


@pytest.mark.parametrize(
    "spoil",
    [
        {"traceId": "xyz"},
        {"traceId": None},
        {"spanId": 5},
        {"spanId": []},
        {"startTimeUnixNano": {}},
        {"startTimeUnixNano": "-1"},
        {"startTimeUnixNano": "9" * 5000},
        {"parentSpanId": "zz"},
    ],
    ids=str,
)
def test_fault_17_one_poisoned_span_of_json_is_refused_alone(shop: Shop, spoil: dict[str, Any]) -> None:
    spans = [json_span() for _ in range(20)]
    spans[7] |= spoil
    assert shop.rejected(shop.send(json_body(spans), JSON)) == 1
    assert len(shop.rows("1")) == 19


@pytest.mark.parametrize(
    "strange",
    [
        {"events": 5},
        {"events": [5]},
        {"events": [{"attributes": 7}]},
        {"links": {}},
        {"links": [{"traceId": "zz"}]},
        {"attributes": 5},
        {"attributes": [None, 5, {}, {"key": 3}, {"key": "a", "value": 5}]},
        {"name": 5},
        {"kind": "client"},
        {"status": []},
        {"endTimeUnixNano": "never"},
        {"endTimeUnixNano": 1e308},
        {"somethingNew": {"a": [1]}},
    ],
    ids=str,
)
def test_fault_17_a_strange_member_of_one_span_of_json_harms_no_other(shop: Shop, strange: dict[str, Any]) -> None:
    spans = [json_span() for _ in range(20)]
    spans[7] |= strange
    rejected = shop.rejected(shop.send(json_body(spans), JSON))
    assert rejected in (0, 1)
    assert len(shop.rows("1")) == 20 - rejected


def json_span(**attributes: Any) -> dict[str, Any]:
    """A model call in OTLP/JSON; ``attributes`` are OTLP values."""
    spec = a_model_call()
    start = nanoseconds(spec.start)
    known = {key: {"stringValue": value} for key, value in spec.attributes.items() if isinstance(value, str)}
    return {
        "traceId": spec.trace_id.hex(),
        "spanId": spec.span_id.hex(),
        "name": spec.name,
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 800_000_000),
        "attributes": [{"key": key, "value": value} for key, value in (known | attributes).items()],
    }


def json_body(spans: list[dict[str, Any]]) -> bytes:
    scope = {"name": "opentelemetry.instrumentation.genai.openai"}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"scope": scope, "spans": spans}]}]}).encode()


# ---- Text.


STRANGE_BYTES = [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\x00", b"\xe2\x80\xae", "😀".encode()]


def in_four_bytes(bad: bytes) -> bytes:
    return bad + b"." * (4 - len(bad))


@pytest.fixture(scope="module")
def strange_bytes(running: Collector) -> dict[str, Tried]:
    """In a span's name, an attribute, its key, an event and the status, as raw bytes on the wire."""

    def body(bad: bytes) -> tuple[bytes, str]:
        mark = b"\x02\x03\x05\x07"  # four bytes, replaced on the wire by four that may be no UTF-8
        text = mark.decode()
        spec = a_model_call(name=f"chat {text}", attributes={f"outlay.tag.{text}": "x", "outlay.team": f"team {text}"})
        request = ExportTraceServiceRequest.FromString(otlp([a_model_call() for _ in range(5)] + [spec]))
        span = request.resource_spans[0].scope_spans[0].spans[5]
        span.events.add(name=text).attributes.add(key=text).value.string_value = text
        span.status.message = text
        return request.SerializeToString().replace(mark, in_four_bytes(bad)), PROTOBUF

    return try_all(running, STRANGE_BYTES, body)


@pytest.mark.parametrize("bad", STRANGE_BYTES, ids=repr)
def test_fault_18_text_that_is_no_text_is_stored_mended(strange_bytes: dict[str, Tried], bad: bytes) -> None:
    tried = strange_bytes[repr(bad)]
    assert tried.rejected == 0
    rows = tried.shop.rows("name, team")
    assert len(rows) == 6
    mended = in_four_bytes(bad).decode("utf-8", "replace").replace("\0", "\ufffd")
    assert [name for name, _ in rows if name != "chat gpt-4o-mini"] == [f"chat {mended}"]
    assert tried.shop.sums()[0] == 6
    headers = {"Authorization": f"Bearer {tried.shop.key}"}
    listed = httpx.get(f"{tried.shop.collector.url}/api/v1/calls?limit=500", headers=headers, timeout=30)
    assert f"chat {mended}" in {row["step"] for row in listed.json()["rows"]}


STRANGE_ESCAPES = ["\\ud800", "\\u0000", "\\u202e", "\\ud83d\\ude00"]


@pytest.fixture(scope="module")
def strange_escapes(running: Collector) -> dict[str, Tried]:
    def body(text: str) -> tuple[bytes, str]:
        marked = json_body([json_span(**{"outlay.team": {"stringValue": "MARK"}}) for _ in range(3)])
        return marked.replace(b"MARK", text.encode()), JSON

    return try_all(running, STRANGE_ESCAPES, body)


@pytest.mark.parametrize("text", STRANGE_ESCAPES)
def test_fault_18_strange_text_in_json_is_stored_mended(strange_escapes: dict[str, Tried], text: str) -> None:
    tried = strange_escapes[repr(text)]
    assert tried.rejected == 0
    assert len(tried.shop.rows("1")) == 3
    assert tried.shop.sums()[0] == 3


# ---- Numbers.

PRICED = Decimal("0.00027")  # of a_model_call(): 1000 x 0.15 + 200 x 0.60, per million


ABSURD: list[dict[str, Any]] = [
    {"doubleValue": "NaN"},
    {"doubleValue": "Infinity"},
    {"doubleValue": "-Infinity"},
    {"doubleValue": 1e308},
    {"doubleValue": 0.5},
    {"intValue": "-1"},
    {"intValue": str(2**63 - 1)},
    {"intValue": str(2**63)},
    {"intValue": str(-(2**63))},
    {"intValue": "1000000001"},
    {"intValue": "9" * 400},
    {"boolValue": True},
    {"stringValue": "many"},
    {"stringValue": ""},
    {"stringValue": "1e999"},
    {"arrayValue": {"values": [{"intValue": "5"}]}},
    {"kvlistValue": {"values": []}},
    {"bytesValue": "AAAA"},
]


@pytest.fixture(scope="module")
def absurd_counts(running: Collector) -> dict[str, Tried]:
    def body(value: dict[str, Any]) -> tuple[bytes, str]:
        output = {"gen_ai.usage.output_tokens": {"intValue": "200"}}
        bad = json_span(**{"gen_ai.usage.input_tokens": value}, **output)
        good = json_span(**{"gen_ai.usage.input_tokens": {"intValue": "1000"}}, **output)
        return json_body([bad, good]), JSON

    return try_all(running, ABSURD, body)


@pytest.mark.parametrize("value", ABSURD, ids=str)
def test_fault_19_absurd_token_counts_are_never_money(absurd_counts: dict[str, Tried], value: dict[str, Any]) -> None:
    tried = absurd_counts[repr(value)]
    calls, cost = tried.shop.sums()
    assert calls == 2 - tried.rejected
    assert cost is not None
    # Nothing of the absurd number: the good call, and at most the output that the other one reported plainly.
    assert PRICED <= cost <= PRICED + 200 * Decimal("0.60") / 1_000_000
    # What is no number at all is an absent count (NaN is how the AI SDK writes one); an impossible number is flagged.
    absent = value.keys() & {"stringValue", "arrayValue", "kvlistValue", "bytesValue"} or value == {
        "doubleValue": "NaN"
    }
    for tokens, flags in tried.shop.rows("input_tokens, flags"):
        assert tokens in (None, 1000)
        assert tokens == 1000 or absent or flags


ABSURD_DOUBLES = [float("nan"), float("inf"), -1.0, 1e308]


@pytest.fixture(scope="module")
def absurd_doubles(running: Collector) -> dict[str, Tried]:
    def body(number: float) -> tuple[bytes, str]:
        bad = a_model_call(input_tokens=None, attributes={"gen_ai.usage.input_tokens": number})
        return otlp([bad, a_model_call()]), PROTOBUF

    return try_all(running, ABSURD_DOUBLES, body)


@pytest.mark.parametrize("number", ABSURD_DOUBLES)
def test_fault_19_absurd_doubles_in_protobuf_are_never_money(absurd_doubles: dict[str, Tried], number: float) -> None:
    tried = absurd_doubles[repr(number)]
    assert tried.rejected == 0
    calls, cost = tried.shop.sums()
    assert calls == 2
    assert cost is not None
    assert PRICED <= cost <= PRICED + 200 * Decimal("0.60") / 1_000_000


# ---- Size and depth.


def nested(depth: int) -> bytes:
    """The encoding of an ``AnyValue`` of ``depth`` lists around a word, built by hand: the library would not."""
    value = b"\x0a\x04deep"
    for _ in range(depth):
        inner = b"\x0a" + varint(len(value)) + value
        value = b"\x2a" + varint(len(inner)) + inner
    return value


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


@pytest.mark.parametrize("depth", [10, 40, 200, 10_000])
def test_fault_20_deep_nesting_is_cut_and_harms_no_neighbour(shop: Shop, depth: int) -> None:
    request = ExportTraceServiceRequest.FromString(otlp([a_model_call() for _ in range(9)]))
    spans = [span.SerializeToString() for span in request.resource_spans[0].scope_spans[0].spans]
    deep = spans[4] + field(9, field(1, b"deep") + field(2, nested(depth)))
    spans[4] = deep
    scope = field(1, field(1, b"opentelemetry.instrumentation.genai.openai"))
    body = field(1, field(2, scope + b"".join(field(2, span) for span in spans)))
    assert shop.rejected(shop.send(body)) == 0
    assert len(shop.rows("1")) == 9
    assert shop.sums()[0] == 9


@pytest.mark.parametrize("depth", [40, 900, 10_000, 100_000])
def test_fault_20_deep_nesting_in_json_is_cut_and_harms_no_neighbour(shop: Shop, depth: int) -> None:
    deep = '{"arrayValue":{"values":[' * depth + '{"stringValue":"deep"}' + "]}}" * depth
    body = json_body([json_span(deep={"stringValue": "MARK"}), *(json_span() for _ in range(4))])
    body = body.replace(b'{"stringValue": "MARK"}', deep.encode())
    assert shop.rejected(shop.send(body, JSON)) == 0
    assert len(shop.rows("1")) == 5


def test_fault_20_ten_thousand_attributes_are_kept_in_part(shop: Shop) -> None:
    many = {f"key.{n}": f"value {n}" for n in range(10_000)}
    assert shop.rejected(shop.send(otlp([a_model_call(attributes=many), a_model_call()]))) == 0
    ((attributes,), _) = shop.rows("attributes")
    assert 100 <= len(attributes) <= 1000
    assert attributes["outlay.dropped_attributes_count"] > 9000
    assert shop.sums()[0] == 2


def test_fault_20_huge_values_are_cut(shop: Shop) -> None:
    """Ten megabytes in an attribute, and in everything that becomes a column or an index entry."""
    huge = "".join(chr(0x1F300 + n % 900) for n in range(60_000))
    names = ("outlay.team", "outlay.feature", "user.id", "session.id", "gen_ai.response.id", "gen_ai.request.model")
    spans = [
        a_model_call(attributes={"blob": "x" * 10_000_000}),
        a_model_call(model=huge, attributes=dict.fromkeys(names, huge)),
        a_model_call(),
    ]
    with Memory(shop.collector) as memory:
        assert shop.rejected(shop.send(otlp(spans, resource={"service.name": huge}))) == 0
    assert len(shop.rows("1")) == 3
    assert max(size or 0 for (size,) in shop.rows("pg_column_size(attributes)")) < 200_000
    assert shop.sums()[0] == 3
    assert memory.peak < MEMORY_BOUND


# ---- Bodies.

CLOSED = {"Connection": "close"}


def a_bomb(megabytes: int) -> bytes:
    """The same megabyte of zeros again and again: each copy stands for itself after a full flush."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(b"\0") + packer.flush(zlib.Z_FULL_FLUSH)
    part = packer.compress(b"\0" * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + part * megabytes + packer.flush()


def gzips_of_nothing(number: int) -> bytes:
    return gzip.compress(b"", mtime=0) * number


@pytest.mark.parametrize(
    ("body", "encoding", "statuses"),
    [
        (lambda: a_bomb(1000), "gzip", {413}),
        (lambda: gzip.compress(a_bomb(1000)), "gzip", {400, 413}),
        (lambda: zstandard.compress(b"\0" * 2**28), "zstd", {413}),
        (lambda: gzip.compress(b"x" * 5000)[:-20], "gzip", {400}),
        (lambda: gzips_of_nothing(300_000), "gzip", {400, 413}),
        (lambda: zstandard.compress(otlp([a_model_call()]))[:-5], "zstd", {400}),
        (lambda: otlp([a_model_call()]), "gzip", {400}),
        (lambda: otlp([a_model_call()]), "br", {415}),
        (lambda: gzip.compress(gzip.compress(otlp([a_model_call()]))), "gzip", {400}),
        (lambda: gzip.compress(otlp([a_model_call()])), "gzip, gzip", {400, 415}),
        (lambda: gzip.compress(otlp([a_model_call()])), "", {400}),
        (lambda: b"\0" * (21 * 2**20), "", {413}),
        (lambda: b"\xff" * 1000, "", {400}),
    ],
    ids=[
        *("bomb", "bomb-in-gzip", "zstd-bomb", "truncated", "members", "zstd-truncated", "not-gzip", "brotli"),
        *("twice", "stacked", "unsaid", "large", "garbage"),
    ],
)
def test_fault_21_bodies_that_are_traps_are_refused_at_once(
    shop: Shop, body: Callable[[], bytes], encoding: str, statuses: set[int]
) -> None:
    sent = body()
    with Memory(shop.collector) as memory:
        began = time.monotonic()
        answer = shop.send(sent, Content_Encoding=encoding) if encoding else shop.send(sent)
        took = time.monotonic() - began
    assert answer.status_code in statuses
    assert took < 3, f"{took:.1f} s"
    assert memory.peak < MEMORY_BOUND
    assert shop.rows("1") == []


def test_fault_21_frames_one_after_another_are_all_read(shop: Shop) -> None:
    request = otlp([a_model_call() for _ in range(4)])
    half = len(request) // 2
    for encoding, packed in (
        ("zstd", zstandard.compress(request[:half]) + zstandard.compress(request[half:])),
        ("gzip", gzip.compress(request[:half]) + gzip.compress(request[half:])),
    ):
        assert shop.rejected(shop.send(packed, Content_Encoding=encoding)) == 0
    assert len(shop.rows("1")) == 4


@pytest.mark.parametrize(
    ("text", "kind"),
    [("[" * 5_000_000, JSON), ('{"resourceSpans":[' + "{}," * 6_000_000 + "{}]}", JSON), ("[{},{}]", JSON)],
    ids=["deep", "objects", "list"],
)
def test_fault_21_json_that_is_mostly_brackets_is_refused_in_bounded_memory(shop: Shop, text: str, kind: str) -> None:
    with Memory(shop.collector) as memory:
        assert shop.send(text.encode(), kind).status_code in (400, 413)
    assert memory.peak < MEMORY_BOUND


def raw(shop: Shop, head: str, body: bytes, *, hang_up: bool) -> bytes:
    """Send bytes as they are; the answer's bytes, as far as they come."""
    with socket.create_connection(("127.0.0.1", shop.collector.port), timeout=10) as connection:
        start = (
            f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shop.key}\r\nContent-Type: {PROTOBUF}\r\n"
        )
        connection.sendall((start + head + "\r\n").encode() + body)
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        connection.settimeout(3)
        try:
            return connection.recv(65536)
        except (TimeoutError, ConnectionResetError):
            return b""


def test_fault_21_lengths_that_lie_and_chunks_without_end_harm_nobody(shop: Shop) -> None:
    body = otlp([a_model_call()])
    assert raw(shop, "Content-Length: 999999999999\r\n", body, hang_up=False)[9:12] == b"413"
    assert raw(shop, "Content-Length: many\r\n", body, hang_up=False)[9:12] == b"400"
    assert raw(shop, "Content-Length: 5\r\n", body, hang_up=True)[9:12] == b"400"
    raw(shop, f"Content-Length: {len(body) + 50}\r\n", body, hang_up=True)
    raw(shop, "Transfer-Encoding: chunked\r\n", b"ffff\r\n" + body, hang_up=True)
    raw(shop, "Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n" % (len(body), body), hang_up=False)
    assert shop.rows("1") == [], "a body that did not end was taken"
    assert shop.rejected(shop.send(body)) == 0
    assert len(shop.rows("1")) == 1
