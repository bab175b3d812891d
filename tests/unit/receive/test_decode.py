"""OTLP bodies become spans; protobuf and JSON say the same; what is no span is set aside alone."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from outlay_collector.errors import TooLarge, UnreadableBody, UnsupportedMedia
from outlay_collector.receive.compression import inflate
from outlay_collector.receive.decode import MAX_ATTRIBUTES, decode_json, decode_protobuf

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def a_span(**fields: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": "1700000000000000000",
    } | fields


def a_request(*spans: dict[str, Any]) -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    scope = {"name": "outlay", "version": "1"}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": list(spans)}]}]}


def as_json(*spans: dict[str, Any]) -> bytes:
    return json.dumps(a_request(*spans)).encode()


def a_protobuf(attributes: list[tuple[str, Any]], **fields: Any) -> bytes:
    request = ExportTraceServiceRequest()
    scope_spans = request.resource_spans.add().scope_spans.add()
    span = scope_spans.spans.add()
    span.trace_id = fields.get("trace_id", bytes.fromhex(TRACE))
    span.span_id = fields.get("span_id", bytes.fromhex(SPAN))
    span.name, span.start_time_unix_nano = "chat", fields.get("start", 1_700_000_000_000_000_000)
    for key, value in attributes:
        target = span.attributes.add(key=key).value
        if isinstance(value, bool):
            target.bool_value = value
        elif isinstance(value, int):
            target.int_value = value
        elif isinstance(value, float):
            target.double_value = value
        elif isinstance(value, list):
            for item in value:
                target.array_value.values.add(string_value=item)
        else:
            target.string_value = value
    return request.SerializeToString()


def test_protobuf_and_json_say_the_same() -> None:
    pairs = [("s", "x"), ("i", 7), ("d", 0.5), ("b", True), ("l", ["a", "b"])]
    values = [
        {"stringValue": "x"},
        {"intValue": "7"},
        {"doubleValue": 0.5},
        {"boolValue": True},
        {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}},
    ]
    attributes = [{"key": key, "value": value} for (key, _), value in zip(pairs, values, strict=True)]
    (from_json,) = decode_json(as_json(a_span(attributes=attributes))).spans
    (from_protobuf,) = decode_protobuf(a_protobuf(pairs)).spans
    assert from_json.attributes == from_protobuf.attributes == dict(pairs)
    assert from_json.trace_id == from_protobuf.trace_id
    assert from_json.start_ns == from_protobuf.start_ns == 1_700_000_000_000_000_000
    assert from_json.resource == {"service.name": "shop"}
    assert (from_json.scope_name, from_json.scope_version) == ("outlay", "1")


def test_ids_in_json_are_hexadecimal_in_either_case() -> None:
    (span,) = decode_json(as_json(a_span(traceId=TRACE.upper()))).spans
    assert span.trace_id.hex() == TRACE


def test_integers_in_json_may_be_text_or_numbers() -> None:
    (span,) = decode_json(as_json(a_span(attributes=[{"key": "n", "value": {"intValue": 5}}], endTimeUnixNano=9))).spans
    assert (span.attributes["n"], span.end_ns) == (5, 9)


def test_unknown_fields_are_ignored() -> None:
    assert len(decode_json(as_json(a_span(somethingNew={"a": [1]}))).spans) == 1


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"traceId": "00" * 16}, "trace id"),
        ({"traceId": "xyz"}, "not hexadecimal"),
        ({"spanId": ""}, "span id"),
        ({"startTimeUnixNano": "0"}, "no start time"),
        ({"startTimeUnixNano": "soon"}, "no start time"),
    ],
)
def test_one_bad_span_is_refused_and_its_neighbours_go_on(bad: dict[str, Any], says: str) -> None:
    decoded = decode_json(as_json(a_span(), a_span(**bad), a_span(spanId="00f067aa0ba902b7")))
    assert len(decoded.spans) == 2
    assert says in decoded.refused[0].detail


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'{"resourceSpans": 5}', b"[" * 100_000])
def test_a_body_that_is_no_request_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        decode_json(body)


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    body = as_json(a_span(name="NAME")).replace(b"NAME", rb"a\ud800b")
    (span,) = decode_json(body).spans
    assert span.name in ("a\ufffdb", "a?b")


def test_values_nested_without_end_are_cut() -> None:
    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(60):
        value = {"arrayValue": {"values": [value]}}
    (span,) = decode_json(as_json(a_span(attributes=[{"key": "n", "value": value}]))).spans
    assert "(nested too deeply)" in repr(span.attributes["n"])


def test_more_attributes_than_anyone_reads_are_counted_not_kept() -> None:
    attributes = [{"key": f"k{n}", "value": {"intValue": n}} for n in range(10_000)]
    (span,) = decode_json(as_json(a_span(attributes=attributes))).spans
    assert span.attributes["outlay.dropped_attributes_count"] == 10_000 - MAX_ATTRIBUTES


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    for decode in (decode_json, decode_protobuf):
        with contextlib.suppress(UnreadableBody):
            assert decode(body).spans is not None


LIMIT = 10_000


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstandard.compress),
        ("identity", bytes),
        ("", bytes),
    ],
)
def test_what_clients_compress_with_is_read(encoding: str, compress: Any) -> None:
    assert inflate(compress(b"spans" * 100), encoding, LIMIT) == b"spans" * 100


def test_several_gzip_members_are_one_body() -> None:
    assert inflate(gzip.compress(b"ab") + gzip.compress(b"cd"), "gzip", LIMIT) == b"abcd"


def test_raw_deflate_is_read_too() -> None:
    packer = zlib.compressobj(wbits=-15)
    assert inflate(packer.compress(b"spans") + packer.flush(), "deflate", LIMIT) == b"spans"


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress)]
)
def test_a_bomb_is_refused_at_the_limit(encoding: str, compress: Any) -> None:
    bomb = compress(b"\0" * 50_000_000)
    with pytest.raises(TooLarge):
        inflate(bomb, encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_damaged_bodies_are_refused(encoding: str) -> None:
    with pytest.raises(UnreadableBody):
        inflate(b"\x1f\x8b\x08 no", encoding, LIMIT)
    compress: dict[str, Any] = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}
    if encoding != "zstd":
        with pytest.raises(UnreadableBody):
            inflate(compress[encoding](b"spans" * 1000)[:-8], encoding, LIMIT)


def test_an_unknown_encoding_names_those_there_are() -> None:
    with pytest.raises(UnsupportedMedia, match="gzip, deflate, zstd"):
        inflate(b"x", "br", LIMIT)
