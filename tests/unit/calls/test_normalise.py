"""Counts as they really come, contradictions said and never priced, and no input that raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outlay_collector.calls import flags
from outlay_collector.calls.call import Call
from outlay_collector.calls.dialects import DIALECTS
from outlay_collector.calls.join import twin_keys
from outlay_collector.calls.mask import mask_call
from outlay_collector.calls.normalise import normalise
from outlay_collector.calls.span import Event, Span
from outlay_collector.calls.values import MAX_REPR_CHARS, structure, text, texts
from outlay_collector.pricing.usage import MAX_TOKENS

from tests.unit.calls.builders import a_chat, read, usage_of

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize("value", [7, "7", " 7 ", '"7"', 7.0, "7.0"])
def test_a_count_may_be_written_as_number_or_text(value: Any) -> None:
    assert usage_of(read(a_chat(input_tokens=value, output_tokens=1))) == {
        "input_tokens": 7, "output_tokens": 1, "cache_read_tokens": 0, "cache_write_tokens": 0, "reasoning_tokens": 0,
    }  # fmt: skip


@pytest.mark.parametrize("value", [None, "", " ", "n/a", NAN, "NaN", [], {}])
def test_what_is_no_number_is_absent(value: Any) -> None:
    call = read(a_chat(input_tokens=value))
    assert (call.usage, call.usage_source, flags.INVALID_COUNT in call.flags) == (None, "missing", False)


@pytest.mark.parametrize(
    "value", [-1, -1.0, "-3", True, "true", 1.5, INFINITE, "Infinity", MAX_TOKENS + 1, 2**63, 1e308, "9" * 30]
)
def test_what_cannot_be_a_count_is_flagged_kept_raw_and_never_priced(value: Any) -> None:
    call = read(a_chat(input_tokens=value, output_tokens=5), scope="acme")
    assert call.usage is None
    assert flags.INVALID_COUNT in call.flags
    assert call.attributes["gen_ai.usage.input_tokens"] == value


@pytest.mark.parametrize(
    "counts",
    [
        {"reasoning.output_tokens": 6},
        {"audio.input_tokens": 11},
        {"audio.output_tokens": 6},
    ],
)
def test_a_part_larger_than_its_whole_is_flagged_and_kept(counts: dict[str, int]) -> None:
    call = read(a_chat(input_tokens=10, output_tokens=5, **counts), scope="acme")
    assert flags.CONTRADICTION in call.flags
    assert call.usage is not None
    assert {f"gen_ai.usage.{name}" for name in counts} <= set(call.attributes)


def test_zeros_stand_for_usage_that_never_came() -> None:
    call = read(a_chat(input_tokens=0, output_tokens=0, total_tokens=0))
    assert (call.usage, call.usage_source) == (None, "missing")


def test_embeddings_have_input_only() -> None:
    call = read(
        {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5},
        scope="acme",
    )
    assert usage_of(call) == {"input_tokens": 5}
    assert call.usage_source == "reported"


def test_missing_usage_is_estimated_from_the_texts_and_marked() -> None:
    messages = '[{"role": "user", "parts": [{"type": "text", "content": "Tell me a story about a kite, please."}]}]'
    answer = '[{"role": "assistant", "parts": [{"type": "text", "content": "%s"}]}]' % (
        "A kite rose above the old harbour. " * 8
    )
    stream = a_chat() | {
        "gen_ai.request.stream": True,
        "gen_ai.input.messages": messages,
        "gen_ai.output.messages": answer,
    }
    call = read(stream)
    assert call.usage_source == "estimated"
    assert flags.ESTIMATED_FROM_CONTENT in call.flags
    counts = usage_of(call)
    assert 9 <= counts["input_tokens"] <= 17
    assert 50 <= counts["output_tokens"] <= 85


def test_a_prompt_without_its_answer_is_not_estimated() -> None:
    assert read(a_chat() | {"gen_ai.input.messages": '[{"content": "Hi"}]'}).usage_source == "missing"


def test_a_failed_call_has_no_usage_and_is_told_from_one_whose_usage_is_missing() -> None:
    assert flags.FAILED_UNBILLED in read(a_chat(), error="RateLimitError: 429").flags
    cut = read(a_chat() | {"gen_ai.response.id": "r", "gen_ai.request.stream": True}, error="RemoteProtocolError: cut")
    assert flags.STREAM_CUT in cut.flags
    assert flags.FAILED_UNBILLED not in cut.flags


def test_texts_are_content_and_never_attributes() -> None:
    said = {
        "gen_ai.input.messages": "[]", "gen_ai.prompt.0.content": "x", "gen_ai.tool.call.arguments": "{}",
        "llm.input_messages.0.message.content": "x", "input.value": "x", "gen_ai.system_instructions": "x",
    }  # fmt: skip
    call = read(a_chat(input_tokens=1, output_tokens=1) | said)
    assert call.content == said
    assert call.attributes == {}


def test_python_reprs_are_bounded_and_never_run() -> None:
    assert structure("{'cache_read': 2048}") == {"cache_read": 2048}
    assert structure("__import__('os').getcwd()") is None
    assert structure("[" * 5000) is None
    assert structure("{'a': " + "-" * 4000 + "1}") is None
    assert structure("{'a': '" + "x" * MAX_REPR_CHARS + "'}") is None


def test_text_loses_json_quotes_and_blanks() -> None:
    assert [text(value) for value in ('"gpt-4o"', " a ", "", '""', None, {}, 5)] == [
        "gpt-4o",
        "a",
        None,
        None,
        None,
        None,
        "5",
    ]
    assert texts('["stop", "length"]') == ("stop", "length")
    assert texts(["stop", "", None]) == ("stop",)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=6), children, max_size=3),
    max_leaves=6,
)
_NAMES = sorted({name for dialect in DIALECTS for name in dialect.slots})
_ATTRIBUTES = st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=12), _JSON, max_size=12)
_SCOPES = [*sorted({scope for dialect in DIALECTS for scope in (*dialect.scopes, *dialect.scope_prefixes)}), "", "acme"]
_SPANS = st.builds(
    Span,
    trace_id=st.binary(min_size=16, max_size=16),
    span_id=st.binary(min_size=8, max_size=8),
    parent_span_id=st.none() | st.binary(min_size=8, max_size=8),
    name=st.text(max_size=20) | st.sampled_from(["raw_gen_ai_request", "chat x", "litellm_request"]),
    kind=st.integers(0, 5),
    start_ns=st.integers(0, 2**63),
    end_ns=st.integers(0, 2**63),
    status_code=st.integers(0, 2),
    status_message=st.text(max_size=20),
    attributes=_ATTRIBUTES,
    events=st.lists(st.builds(Event, st.integers(0, 2**63), st.text(max_size=30), _ATTRIBUTES), max_size=2),
    resource=_ATTRIBUTES,
    scope_name=st.sampled_from(_SCOPES),
)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_SPANS)
def test_no_span_raises_or_yields_a_count_out_of_range(span: Span) -> None:
    call = normalise(span)
    assert isinstance(call, Call)
    assert flags.UNREADABLE not in call.flags
    if call.usage is not None:
        assert all(0 <= count <= MAX_TOKENS for count in usage_of(call).values())
    for field in (
        "provider",
        "request_model",
        "response_model",
        "response_id",
        "service",
        "user",
        "session",
        "error_type",
    ):
        assert getattr(call, field) is None or (isinstance(getattr(call, field), str) and getattr(call, field))
    twin_keys(call)
    mask_call(call, personal=True)
