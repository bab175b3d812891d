"""What we write by hand, opentelemetry-proto's generated classes read back."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from outlay import otlp

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=200)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
IDS = st.integers(1, 2**64 - 1)


def read(key: str, value: otlp.Value) -> KeyValue:
    return KeyValue.FromString(otlp.key_value(key, value))


@given(TEXTS, TEXTS)
def test_text_comes_back(key: str, value: str) -> None:
    pair = read(key, value)
    assert (pair.key, pair.value.string_value) == (key, value)


@given(INTEGERS)
def test_whole_number_comes_back(value: int) -> None:
    assert read("n", value).value.int_value == value


@given(st.floats(allow_nan=False))
def test_float_comes_back(value: float) -> None:
    assert read("x", value).value.double_value == value


def test_not_a_number_comes_back_as_such() -> None:
    assert math.isnan(read("x", math.nan).value.double_value)


def test_truth_is_not_a_number() -> None:
    assert read("b", True).value.WhichOneof("value") == "bool_value"
    assert read("b", False).value.WhichOneof("value") == "bool_value"
    assert read("b", True).value.bool_value is True


@given(st.lists(TEXTS, max_size=5))
def test_list_of_texts_comes_back(values: list[str]) -> None:
    assert [item.string_value for item in read("l", tuple(values)).value.array_value.values] == values


def test_number_beyond_64_bits_goes_as_text() -> None:
    assert read("n", 2**70).value.string_value == str(2**70)


def test_lone_surrogate_does_not_stop_a_span() -> None:
    assert read("s", "a\ud800b").value.string_value == "a?b"


def test_equal_values_of_different_types_are_kept_apart() -> None:
    kinds = [
        KeyValue.FromString(otlp.attribute("same", value)[2:]).value.WhichOneof("value") for value in (1, True, 1.0)
    ]
    assert kinds == ["int_value", "bool_value", "double_value"]


def test_remembered_attributes_do_not_grow_without_bound() -> None:
    for number in range(10_000):
        otlp.attribute("n", number)
    assert len(otlp._cache) <= otlp._MAX_CACHED


@given(st.integers(1, 2**128 - 1), IDS, st.integers(0, 2**64 - 1), TEXTS, st.sampled_from([1, 3]), st.booleans())
def test_span_comes_back(trace: int, own: int, parent: int, name: str, kind: int, failed: bool) -> None:
    encoded = otlp.span(
        trace_id=trace,
        span_id=own,
        parent_id=parent,
        name=name,
        kind=kind,
        start_ns=1_700_000_000_123_456_789,
        end_ns=1_700_000_001_000_000_000,
        attributes=otlp.attributes([("a", 1), ("b", "two")]),
        failed=failed,
    )
    resource, scope = otlp.resource([("service.name", "s")]), otlp.scope("outlay", "1.2")
    request = ExportTraceServiceRequest.FromString(otlp.request([(resource, scope, [encoded])]))
    (block,) = request.resource_spans
    assert block.resource.attributes[0].value.string_value == "s"
    (inner,) = block.scope_spans
    assert (inner.scope.name, inner.scope.version) == ("outlay", "1.2")
    (span,) = inner.spans
    assert span.trace_id == trace.to_bytes(16, "big")
    assert span.span_id == own.to_bytes(8, "big")
    assert span.parent_span_id == (parent.to_bytes(8, "big") if parent else b"")
    assert (span.name, span.kind) == (name, kind)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (
        1_700_000_000_123_456_789,
        1_700_000_001_000_000_000,
    )
    assert [(pair.key) for pair in span.attributes] == ["a", "b"]
    assert span.status.code == (2 if failed else 0)


@given(st.integers(1, 2**40), TEXTS)
def test_partial_success_is_understood(rejected: int, message: str) -> None:
    answer = ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
    )
    assert otlp.read_partial_success(answer.SerializeToString()) == (rejected, message)


@given(st.binary(max_size=60))
def test_any_answer_of_a_collector_is_survived(body: bytes) -> None:
    assert otlp.read_partial_success(body).rejected >= 0
