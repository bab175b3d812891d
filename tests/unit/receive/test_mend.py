"""A request that strict readers refuse becomes readable, and says the same wherever it could be read before."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from outlay_collector.receive.decode import decode_protobuf
from outlay_collector.receive.mend import BrokenWireError, has_more_brackets_than, mended, shallow

from tests.builders import a_model_call, otlp

REQUEST = ExportTraceServiceRequest.DESCRIPTOR


def test_a_request_that_is_well_stays_as_it_is() -> None:
    body = otlp([a_model_call(), a_model_call(attributes={"list": ["a", "b"], "half": 0.5, "yes": True})])
    assert mended(body, REQUEST) == (body, [])


def test_bad_bytes_in_a_text_become_replacement_characters() -> None:
    body = otlp([a_model_call(name="chat MARK")]).replace(b"MARK", b"\xff\xfe\xc3k")
    mended_body, left_out = mended(body, REQUEST)
    span = ExportTraceServiceRequest.FromString(mended_body).resource_spans[0].scope_spans[0].spans[0]
    assert span.name == "chat \ufffd\ufffd\ufffdk"
    assert left_out == []


def test_a_span_whose_bytes_make_no_sense_is_left_out_alone() -> None:
    request = ExportTraceServiceRequest.FromString(otlp([a_model_call(), a_model_call(), a_model_call()]))
    spans = request.resource_spans[0].scope_spans[0].spans
    name = spans[1].name
    wire = request.SerializeToString()
    broken = spans[1].SerializeToString().replace(name.encode(), b"")  # a length that no longer fits
    whole = spans[1].SerializeToString()
    padded = broken + b"\x0f" * (len(whole) - len(broken))
    mended_body, left_out = mended(wire.replace(whole, padded), REQUEST)
    assert left_out == [padded]
    assert len(ExportTraceServiceRequest.FromString(mended_body).resource_spans[0].scope_spans[0].spans) == 2


def test_what_has_no_shape_at_all_is_refused() -> None:
    with pytest.raises(BrokenWireError):
        mended(b"\x0a\xff\x01only this", REQUEST)


@given(st.binary(max_size=200))
def test_any_bytes_are_mended_into_something_readable_or_refused(body: bytes) -> None:
    try:
        readable, _ = mended(body, REQUEST)
    except BrokenWireError:
        return
    mended(readable, REQUEST)


def test_json_is_cut_where_it_is_too_deep_and_only_there() -> None:
    deep = json.loads(shallow(b'{"a": [1, "]]{{"], "deep": ' + b"[" * 5000 + b"]" * 5000 + b', "z": {"b": 2}}'))
    assert deep["a"] == [1, "]]{{"]
    assert deep["z"] == {"b": 2}


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_of_ordinary_depth_stays_as_it_is(value: object) -> None:
    body = json.dumps(value).encode()
    assert shallow(body) == body


def test_brackets_in_texts_do_not_count() -> None:
    assert has_more_brackets_than(b"[[[[]]]]", 3)
    assert not has_more_brackets_than(b'["[[[[[[[{{{{{{\\"[["]', 3)


@pytest.mark.parametrize(
    "bad",
    [b"\x00\x01", b"\x08" + b"\xff" * 10 + b"\x01", b"\xfa\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"],
    ids=["a field of number 0", "a number of eleven bytes", "a tag of more than 32 bits"],
)
def test_a_span_that_only_protobuf_itself_refuses_is_left_out_alone(bad: bytes) -> None:
    good = ExportTraceServiceRequest()
    span = good.resource_spans.add().scope_spans.add().spans.add(name="good")
    span.trace_id, span.span_id, span.start_time_unix_nano = b"\1" * 16, b"\2" * 8, 5
    scoped = b"\x12" + bytes([len(bad)]) + bad
    beside = b"\x12" + bytes([len(scoped)]) + scoped
    body = good.SerializeToString() + b"\x0a" + bytes([len(beside)]) + beside
    decoded = decode_protobuf(body)
    assert [span.name for span in decoded.spans] == ["good"]
    assert [item.raw for item in decoded.refused] == [bad]
