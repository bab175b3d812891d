"""The requests of a run, each made from its number alone, so that any of them can be made again.

A share of them brings healthy neighbours: spans of ours in the same batch, whose tokens and cost are known. They are put
in after the damage, so nothing that is wrong with the others touches their own bytes.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import struct
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import zstandard
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from outlay_collector.calls.dialects import by_scope

from tests.builders import nanoseconds
from tests.fuzz import jsons
from tests.fuzz.seeds import Seed, Seeds, read_seeds
from tests.fuzz.wire import SIZED, SPAN, Field, Mutator

PROTOBUF, JSON = "application/x-protobuf", "application/json"
GRPC_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
INPUT_TOKENS, OUTPUT_TOKENS = 1000, 200
COST = Decimal("0.00027")  # 1000 x $0.15 + 200 x $0.60, per million
_ODD_TYPES = (
    "", "text/plain", "application/octet-stream", "application/grpc", "application/json; charset=utf-8", "Application/JSON",
    "application/x-protobuf; v=1", "application/protobuf", "multipart/form-data; boundary=x", "application/json,text/html",
)  # fmt: skip
_ID_BYTES = (8, 16)
_SPREAD_NS = 12 * 3600 * 10**9
_ODD_PATHS = ("/v1/traces/", "/v1/trace", "/V1/TRACES", "/v1/traces?x=%00", "/", "/v1/%2e%2e/traces", "/v1/profiles")


@dataclass(frozen=True, slots=True)
class Neighbour:
    trace_id: bytes
    span_id: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. ``neighbours`` must be stored if the answer is 200, and it must be that if they are ``sheltered``:
    if what is wrong is wrong within one span, or nothing is."""

    number: int
    protocol: str  # http or grpc
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    neighbours: tuple[Neighbour, ...] = ()
    sheltered: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "protocol": self.protocol,
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "body": base64.b64encode(self.body).decode(),
        }


def request_from(saved: dict[str, Any]) -> Request:
    """A request as ``as_json`` saved it."""
    known = {name: saved[name] for name in ("number", "protocol", "method", "path", "headers")}
    return Request(**known, body=base64.b64decode(saved["body"]))


@dataclass
class Requests:
    """``seed`` and a number make a request; ``most_payloads`` bounds how much of the corpus is read."""

    seed: int
    key: str
    most_payloads: int = 10_000
    grpc_share: float = 0.05
    start: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=12))

    def __post_init__(self) -> None:
        choose = random.Random(self.seed)
        self.seeds: Seeds = read_seeds(self.most_payloads, choose)
        self._traces = [seed for seed in self.seeds.all if seed.signal == "traces"]
        self._others = [seed for seed in self.seeds.all if seed.signal != "traces"]
        self._tail = _neighbours_tail()
        self._zstd = zstandard.ZstdCompressor()

    def request(self, number: int) -> Request:
        # Text, because numbers that follow one another make streams that look alike in the beginning.
        choose = random.Random(f"{self.seed} {number}")
        roll = choose.random()
        if roll < self.grpc_share:
            return self._grpc(number, choose)
        if roll < self.grpc_share + 0.05:
            return self._healthy(number, choose)
        seed = choose.choice(self._traces if choose.random() < 0.85 else self._others)
        as_json = choose.random() < 0.4
        body, neighbours, sheltered = (self._json if as_json else self._protobuf)(seed, number, choose)
        headers = {"content-type": JSON if as_json else PROTOBUF, "authorization": f"Bearer {self.key}"}
        path, method = f"/v1/{seed.signal}", "POST"
        roll = choose.random()
        if roll < 0.08:  # what is around the body
            path, method = self._odd(headers, path, choose)
            sheltered = False
        if choose.random() < 0.25:
            body, sound = self._compressed(body, headers, choose)
            sheltered = sheltered and sound
        return Request(number, "http", method, path, headers, body, neighbours, sheltered)

    def _grpc(self, number: int, choose: random.Random) -> Request:
        seed = choose.choice(self._traces if choose.random() < 0.85 else self._others)
        body, neighbours, sheltered = self._protobuf(seed, number, choose)
        headers = {"authorization": f"Bearer {self.key}"}
        if choose.random() < 0.03:
            headers["authorization"] = choose.choice(("", "Bearer", "Bearer x", "Basic eDp5"))
            sheltered = False
        return Request(number, "grpc", "", GRPC_METHODS[seed.signal], headers, body, neighbours, sheltered)

    def _healthy(self, number: int, choose: random.Random) -> Request:
        """Nothing wrong at all, on a connection that has seen everything else."""
        headers = {"content-type": PROTOBUF, "authorization": f"Bearer {self.key}"}
        neighbours = self._neighbours(number, choose.randint(1, 3))
        body = self._alone(neighbours)
        return Request(number, "http", "POST", "/v1/traces", headers, body, neighbours, sheltered=True)

    def _protobuf(self, seed: Seed, number: int, choose: random.Random) -> tuple[bytes, tuple[Neighbour, ...], bool]:
        tree, fresh = seed.tree, _fresh(seed, choose)
        times = choose.choice((1, 1, 1, 2, 3))
        if seed.signal != "traces" or choose.random() < 0.6:
            for _ in range(times):
                tree = self._mutator(choose).damaged(tree)
            body = _replaced(tree.content, fresh)
            if choose.random() < 0.05:
                body = body[: choose.randrange(len(body) + 1)]
            return body, (), False
        neighbours = self._neighbours(number, choose.randint(1, 2))
        for _ in range(times):
            tree = self._mutator(choose).damaged(tree, SPAN)
        if choose.random() < 0.5:
            # In a resource of their own, before or behind.
            alone = self._alone(neighbours)
            parts = [alone, _replaced(tree.content, fresh)]
            choose.shuffle(parts)
            return b"".join(parts), neighbours, True
        return _replaced(self._among(tree, neighbours), fresh), neighbours, True

    def _mutator(self, choose: random.Random) -> Mutator:
        return Mutator(choose, self.seeds.attributes)

    def _among(self, tree: Field, neighbours: tuple[Neighbour, ...]) -> bytes:
        """The request with the neighbours behind the spans of its first resource. In a scope of their own, for another
        source's scope would say what their tokens mean; in the same one, if that says nothing."""
        spans = b"".join(Field(2, SIZED, self._span(one)).encoded() for one in neighbours)
        if tree.message == _SCOPE_SPANS:
            return tree.content + spans
        own = Field(2, SIZED, spans).encoded() if tree.message == _RESOURCE_SPANS and not _is_plain(tree) else b""
        parts: list[bytes] = [own]
        done = bool(own)
        for kid in tree.kids or ():
            if not done and kid.message in (_RESOURCE_SPANS, _SCOPE_SPANS):
                done = True
                parts.append(Field(kid.number, kid.wire, self._among(kid, neighbours)).encoded())
            else:
                parts.append(kid.encoded())
        return b"".join(parts)

    def _alone(self, neighbours: tuple[Neighbour, ...]) -> bytes:
        spans = b"".join(Field(2, SIZED, self._span(one)).encoded() for one in neighbours)
        return Field(1, SIZED, Field(2, SIZED, spans).encoded()).encoded()

    def _span(self, one: Neighbour) -> bytes:
        start_ns = self._start_ns(one)
        times = b"\x39" + struct.pack("<Q", start_ns) + b"\x41" + struct.pack("<Q", start_ns + 10**9)
        return b"\x0a\x10" + one.trace_id + b"\x12\x08" + one.span_id + times + self._tail

    def _start_ns(self, one: Neighbour) -> int:
        """Neighbours begin apart, as calls do; within twelve hours."""
        return nanoseconds(self.start) + int.from_bytes(one.trace_id[8:12], "big") % 400_000 * 10**8

    def _json(self, seed: Seed, number: int, choose: random.Random) -> tuple[bytes, tuple[Neighbour, ...], bool]:
        tree: Any = seed.json
        fresh = _fresh(seed, choose, as_json=True)
        if seed.signal != "traces" or choose.random() < 0.6:
            for _ in range(choose.choice((1, 1, 2, 3))):
                tree = jsons.damaged(tree, choose, self.seeds.json_attributes)
            body = _replaced(jsons.text(tree), fresh)
            return jsons.damaged_text(body, choose) if choose.random() < 0.2 else body, (), False
        neighbours = self._neighbours(number, choose.randint(1, 2))
        (resource_spans,) = tree["resourceSpans"]
        (scope_spans,) = resource_spans["scopeSpans"]
        spans = [jsons.damaged(span, choose, self.seeds.json_attributes) for span in scope_spans["spans"]]
        own = [self._json_span(one) for one in neighbours]
        if by_scope(scope_spans.get("scope", {}).get("name", "")) is None:
            spans += own
            choose.shuffle(spans)
            own = []
        scoped = [{**scope_spans, "spans": spans}, {"spans": own}]
        body = jsons.text({"resourceSpans": [{**resource_spans, "scopeSpans": scoped}]})
        return _replaced(body, fresh), neighbours, True

    def _json_span(self, one: Neighbour) -> dict[str, Any]:
        start_ns = self._start_ns(one)
        return {
            "traceId": one.trace_id.hex(),
            "spanId": one.span_id.hex(),
            "name": "chat neighbour",
            "kind": 3,
            "startTimeUnixNano": str(start_ns),
            "endTimeUnixNano": str(start_ns + 10**9),
            "attributes": [
                {"key": name, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
                for name, value in _ATTRIBUTES.items()
            ],
        }

    def _neighbours(self, number: int, how_many: int) -> tuple[Neighbour, ...]:
        return tuple(
            Neighbour(
                neighbour_prefix(self.seed) + struct.pack(">II", number, place + 1),
                struct.pack(">II", number + 1, place),
            )
            for place in range(how_many)
        )

    def _odd(self, headers: dict[str, str], path: str, choose: random.Random) -> tuple[str, str]:
        """Something wrong around the body: a type, a key, a header, the path, the method."""
        what = choose.randrange(6)
        if what == 0:
            headers["content-type"] = choose.choice(_ODD_TYPES)
        elif what == 1:
            headers["authorization"] = choose.choice(("", "Bearer", "Bearer out_x", "Basic !!", "Bearer " + "k" * 3000))
        elif what == 2:
            headers["x-outlay-project"] = choose.choice(("", "nobody's", "default", "x" * 2000, "%00"))
        elif what == 3:
            return choose.choice(_ODD_PATHS), "POST"
        elif what == 4:
            return path, choose.choice(("GET", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"))
        else:
            headers[choose.choice(("accept", "x-y", "traceparent", "expect", "te"))] = choose.choice(
                ("", "*", "0" * 500)
            )
        return path, "POST"

    def _compressed(self, body: bytes, headers: dict[str, str], choose: random.Random) -> tuple[bytes, bool]:
        """The body compressed, and whether in a way that is fine."""
        what = choose.randrange(12)
        if what < 6:
            name, compressed = choose.choice(
                (
                    ("gzip", gzip.compress(body, 1)),
                    ("deflate", zlib.compress(body, 1)),
                    ("zstd", self._zstd.compress(body)),
                )
            )
            headers["content-encoding"] = name
            return compressed, True
        odd = {
            6: ("gzip", gzip.compress(body, 1)[: choose.randrange(20, 60)]),
            7: ("gzip", gzip.compress(body, 1) + b"garbage"),
            8: ("gzip", body),
            9: (choose.choice(("br", "gzip, gzip", "identity", "x" * 300, "compress", "GZIP")), body),
            10: ("gzip", gzip.compress(gzip.compress(body, 1), 1)),
            11: ("zstd", self._zstd.compress(body)[: choose.randrange(1, 60)]),
        }
        headers["content-encoding"], damaged = odd[what]
        return damaged, False


_RESOURCE_SPANS, _SCOPE_SPANS = "opentelemetry.proto.trace.v1.ResourceSpans", "opentelemetry.proto.trace.v1.ScopeSpans"


def _is_plain(resource_spans: Field) -> bool:
    """Whether its scope's name says nothing about what tokens mean."""
    scopes = [kid for kid in resource_spans.kids or () if kid.message == _SCOPE_SPANS]
    named = [field for kid in scopes[0].kids or () if kid.number == 1 for field in kid.kids or () if field.number == 1]
    return not named or by_scope(named[0].content.decode("utf-8", "replace")) is None


def neighbour_prefix(seed: int) -> bytes:
    """How the trace ids of a run's neighbours begin."""
    return b"\xee\xee\xee\xee" + struct.pack(">I", seed % 2**32)


_ATTRIBUTES = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.usage.input_tokens": INPUT_TOKENS,
    "gen_ai.usage.output_tokens": OUTPUT_TOKENS,
}


def _neighbours_tail() -> bytes:
    span = ProtoSpan(name="chat neighbour", kind=ProtoSpan.SPAN_KIND_CLIENT)
    for name, value in _ATTRIBUTES.items():
        target = span.attributes.add(key=name).value
        if isinstance(value, int):
            target.int_value = value
        else:
            target.string_value = value
    return span.SerializeToString()


def _fresh(seed: Seed, choose: random.Random, *, as_json: bool = False) -> dict[bytes, bytes]:
    """New ids and times for old, in nine of ten requests; else the span comes again, damaged in another way.

    Calls that look alike and begin together are held against one another, and no application makes ten thousand of them
    at once.
    """
    if choose.random() < 0.1:
        return {}
    later_ns = choose.randrange(_SPREAD_NS)
    fresh: dict[bytes, bytes] = {}
    for old in seed.ids:
        if len(old) not in _ID_BYTES:  # a response id
            fresh[old] = choose.randbytes(len(old)).hex().encode()[: len(old)]
        elif as_json:
            fresh[old.hex().encode()] = choose.randbytes(len(old)).hex().encode()
        else:
            fresh[old] = choose.randbytes(len(old))
    for time_ns in seed.times_ns:
        old_and_new = (time_ns, time_ns + later_ns)
        old, new = (str(one).encode() if as_json else struct.pack("<Q", one) for one in old_and_new)
        fresh[old] = new
    return fresh


def _replaced(body: bytes, fresh: dict[bytes, bytes]) -> bytes:
    for old, new in fresh.items():
        body = body.replace(old, new)
    return body


def saved(request: Request, why: str) -> str:
    """The text of a file from which the request can be sent again."""
    return json.dumps({"why": why, **request.as_json()}, indent=2)
