"""The quick reader of OTLP says what protobuf says, for every request; what it does not know it leaves to protobuf."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from outlay_collector.errors import UnreadableBody
from outlay_collector.receive import decode
from outlay_collector.receive.decode import MAX_ATTRIBUTES, decode_protobuf, decode_with_protobuf
from outlay_collector.receive.wire import UnusualError

from tests.unit.calls.corpus import CASES, CORPUS


def outcome(read: Any, body: bytes) -> str:
    """Everything that a reader makes of a request, or that it cannot read it."""
    try:
        decoded = read(body)
    except UnreadableBody:
        return "unreadable"
    return repr((decoded.spans, [(item.reason, item.detail) for item in decoded.refused]))


def is_read_quickly(body: bytes) -> bool:
    try:
        decode._from_wire(body)  # pyright: ignore[reportPrivateUsage]
    except UnusualError:
        return False
    return True


def a_request(attributes: dict[str, Any], **fields: Any) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.40.0")
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "outlay"
    values = {
        "trace_id": bytes(range(16)), "span_id": bytes(range(1, 9)), "name": "chat", "kind": 3,
        "start_time_unix_nano": 1_790_000_000_000_000_000, "end_time_unix_nano": 1_790_000_000_500_000_000,
    }  # fmt: skip
    span = scope_spans.spans.add(**values | fields)
    for key, value in attributes.items():
        _fill(span.attributes.add(key=key).value, value)
    return request


def _fill(target: Any, value: Any) -> None:
    if isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bytes):
        target.bytes_value = value
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for item in value:
            _fill(target.array_value.values.add(), item)
    elif isinstance(value, dict):
        target.kvlist_value.SetInParent()
        for key, item in value.items():
            _fill(target.kvlist_value.values.add(key=key).value, item)


plain = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=300)
)
values = st.recursive(
    plain | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
requests = st.builds(
    a_request,
    st.dictionaries(st.text(max_size=200), values, max_size=8),
    name=st.text(max_size=200),
    kind=st.sampled_from([0, 1, 3, 5]),
    parent_span_id=st.sampled_from([b"", b"parentid", b"odd"]),
    trace_id=st.sampled_from([bytes(range(16)), bytes(16), b"short"]),
    flags=st.sampled_from([0, 1, 257, 2**32 - 1]),
    trace_state=st.sampled_from(["", "vendor=1"]),
    dropped_attributes_count=st.sampled_from([0, 1, 300]),
).map(lambda request: request.SerializeToString())


@pytest.mark.parametrize("case", CASES)
def test_every_payload_of_the_corpus_reads_the_same(case: str) -> None:
    body = (CORPUS / f"{case}.otlp.pb").read_bytes()
    assert is_read_quickly(body)
    assert outcome(decode_protobuf, body) == outcome(decode_with_protobuf, body)


@given(requests)
def test_any_request_reads_the_same(body: bytes) -> None:
    assert outcome(decode_protobuf, body) == outcome(decode_with_protobuf, body)


@given(requests, st.data())
def test_a_damaged_request_reads_the_same(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body) - 1))
    damage = data.draw(st.sampled_from([b"", b"\x00", b"\xff", b"\x80\x01", body[:at]]))
    rest = data.draw(st.sampled_from([body[at:], body[at + 1 :], b""]))
    assert outcome(decode_protobuf, body[:at] + damage + rest) == outcome(
        decode_with_protobuf, body[:at] + damage + rest
    )


@given(st.binary(max_size=200))
@example(b"")
def test_any_bytes_read_the_same(body: bytes) -> None:
    assert outcome(decode_protobuf, body) == outcome(decode_with_protobuf, body)


def test_what_protobuf_merges_is_left_to_protobuf() -> None:
    """A message field that comes twice is one message in protobuf: its parts are laid over each other."""
    body = a_request({}).SerializeToString()
    with_code = a_request({})
    with_code.resource_spans[0].scope_spans[0].spans[0].status.code = 2  # type: ignore[assignment]
    for twice in (with_code.SerializeToString() * 2, body + with_code.SerializeToString()):
        assert outcome(decode_protobuf, twice) == outcome(decode_with_protobuf, twice)


def test_too_many_attributes_are_left_to_protobuf_which_counts_them() -> None:
    body = a_request({f"key.{number}": number for number in range(MAX_ATTRIBUTES + 3)}).SerializeToString()
    assert not is_read_quickly(body)
    assert decode_protobuf(body).spans[0].attributes["outlay.dropped_attributes_count"] == 3


def test_lists_are_not_shared_between_spans() -> None:
    body = a_request({"gen_ai.response.finish_reasons": ["stop"]}).SerializeToString()
    first, second = decode_protobuf(body).spans[0], decode_protobuf(body).spans[0]
    first.attributes["gen_ai.response.finish_reasons"].append("changed")  # type: ignore[union-attr]
    assert second.attributes["gen_ai.response.finish_reasons"] == ["stop"]
