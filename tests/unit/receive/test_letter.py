"""What is refused is kept as a request of its own that says the same, without what the project does not keep."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from outlay_collector.calls.events import LogRecord
from outlay_collector.calls.mask import mask_attributes
from outlay_collector.calls.span import Event, Span
from outlay_collector.receive.decode import Refused, decode_json, decode_protobuf
from outlay_collector.receive.letter import MAX_BYTES, MAX_LETTERS, RAW, REQUEST, letter, letters
from outlay_collector.receive.signals import read_logs

from tests.builders import a_model_call, otlp
from tests.unit.calls.corpus import CASES, spans

SECRET = "sk-proj-" + "a1B2c3D4" * 6


def a_span(**attributes: Any) -> Span:
    (span,) = decode_protobuf(otlp([a_model_call(attributes=attributes)])).spans
    return span


def kept(span: Span, mode: str = "full") -> Span:
    """The span that a letter about ``span`` brings when it is sent."""
    made = letter(Refused("future", "too early", span), mode)
    assert made.encoding == REQUEST
    (again,) = decode_json(made.payload).spans
    return again


@pytest.mark.parametrize("folder", sorted({case.partition("/")[0] for case in CASES}))
def test_a_letter_says_what_the_span_said(folder: str) -> None:
    for case in (case for case in CASES if case.startswith(f"{folder}/")):
        for span in spans(case):
            masked = {"attributes": mask_attributes(span.attributes), "resource": mask_attributes(dict(span.resource))}
            assert repr(kept(span)) == repr(replace(span, **masked))  # NaN is like nothing, also not like itself


def test_values_of_every_kind_survive() -> None:
    span = a_span(text="x", number=-5, part=0.5, truth=True, some=["a", "b"])
    span.attributes |= {"bytes": b"\x00\xff", "nested": {"a": [1, {"b": None}]}, "nothing": None, "huge": 2**70}
    span.attributes["not a number"] = float("inf")
    assert kept(span).attributes == span.attributes


def test_a_project_that_keeps_no_content_keeps_none_in_letters() -> None:
    span = a_span(**{"gen_ai.input.messages": "[the prompt]"})
    span.events = [Event(5, "gen_ai.choice", {"gen_ai.completion": "[the answer]"})]
    bare = letter(Refused("future", "", span), "none").payload
    assert b"the prompt" not in bare
    assert b"the answer" not in bare
    assert kept(span, "none").attributes["gen_ai.usage.input_tokens"] == 1000
    assert b"the prompt" in letter(Refused("future", "", span), "full").payload


@pytest.mark.parametrize("mode", ["none", "masked", "full"])
def test_secrets_are_masked_in_letters(mode: str) -> None:
    span = a_span(note=f"key {SECRET}", **{"http.request.header.authorization": f"Bearer {SECRET}"})
    span.events = [Event(5, "retry", {"with": SECRET})]
    span = replace(span, resource={"token": f"Bearer {SECRET}"}, status_message=f"refused {SECRET}")
    assert SECRET.encode() not in letter(Refused("future", "", span), mode).payload


def test_personal_data_is_masked_in_texts_and_not_in_what_a_call_is_booked_by() -> None:
    span = a_span(**{"gen_ai.input.messages": "I am ann@example.com", "user.id": "ann@example.com"})
    again = kept(span, "masked")
    assert again.attributes["gen_ai.input.messages"] == "I am [masked e-mail]"
    assert again.attributes["user.id"] == "ann@example.com"


def test_an_id_that_is_none_is_kept_as_it_came() -> None:
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz", "spanId": [7], "name": "chat"}]}]}]}
    (refused,) = decode_json(json.dumps(request).encode()).refused
    made = letter(refused, "none")
    (sent,) = json.loads(made.payload)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (sent["traceId"], sent["spanId"], sent["name"]) == ("xyz", [7], "chat")


def test_bytes_that_are_no_span_are_kept_as_they_came() -> None:
    made = letter(Refused("malformed", "", raw=b"\x0a\xff"), "none")
    assert (made.encoding, made.payload) == (RAW, b"\x0a\xff")


def test_letters_are_bounded_in_size_and_number() -> None:
    large = a_span(note="x" * (MAX_BYTES + 1))
    made = letter(Refused("future", "", large), "full")
    assert (made.encoding, len(made.payload)) == (RAW, MAX_BYTES)
    assert len(letters([Refused("future", "", a_span())] * (MAX_LETTERS + 5), "full")) == MAX_LETTERS
    assert len(letters([Refused("future", "", large)] * 100, "full")) < 20


def test_a_log_record_is_kept_as_a_request_of_its_own() -> None:
    attributes = {"gen_ai.usage.input_tokens": 7, "gen_ai.input.messages": "the prompt"}
    record = LogRecord(5, "gen_ai.client.inference.operation.details", {"a": 1}, attributes, b"\1" * 16, b"\2" * 8)
    made = letter(Refused("too_old", "", record), "none")
    assert made.signal == "logs"
    assert b"the prompt" not in made.payload
    told = read_logs(made.payload, json=True)
    assert told.events[0].usage is not None
    assert told.events[0].usage.input_tokens == 7
    assert told.sources[0].trace_id == b"\1" * 16


def test_a_message_of_a_project_that_keeps_none_leaves_no_text() -> None:
    record = LogRecord(5, "gen_ai.user.message", {"content": "the prompt"}, {"content": "the prompt"}, b"\1" * 16)
    assert b"the prompt" not in letter(Refused("too_old", "", record), "none").payload
