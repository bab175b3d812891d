"""Real provider clients in decorated functions: sent is what the provider would bill, or what is unknown is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import outlay
import pytest
from outlay import safety

from tests.end_to_end.otlp_sink import OtlpSink, Seen
from tests.end_to_end.provider_cases import CASES, expected, is_cut
from tests.fake_provider import FakeProvider


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpSink]:
    monkeypatch.setattr(safety, "raise_internal_errors", True)
    with OtlpSink() as sink:
        outlay.configure(endpoint=sink.url, service="test")
        yield sink
        outlay.shutdown()


@pytest.mark.parametrize("name", CASES)
def test_decorated_call_is_what_the_provider_bills(name: str, fake: FakeProvider, sink: OtlpSink) -> None:
    fake.reset()
    CASES[name](fake, outlay.observe)
    assert outlay.flush()
    assert_billed(sink.spans, fake.calls())


def assert_billed(spans: list[Seen], ledger: list[dict[str, Any]], *, model_is_told: bool = False) -> None:
    """Every entry of the ledger has exactly one span, and the span says what the entry says."""
    calls = [span for span in spans if "gen_ai.operation.name" in span.attributes]
    assert len(calls) == len(ledger)
    by_id = {span.attributes.get("gen_ai.response.id"): span for span in calls}
    nameless = iter([span for span in calls if "gen_ai.response.id" not in span.attributes])
    for entry in ledger:
        span = by_id.get(entry["response_id"]) if entry["response_id"] else None
        told = as_call(span or next(nameless))
        wanted = expected(entry)
        if not model_is_told and told["request_model"] is None and told["response_model"]:
            wanted["request_model"] = None  # a decorated function that takes no model does not say which it asks for
        if told["usage_source"] == "estimated" and not is_cut(entry):
            assert wanted["usage"] is None  # an estimate never stands where the provider has told
            told["usage"] = None
        if is_cut(entry):
            assert_cut_short(told, entry)
            told["usage"] = wanted["usage"] = None
            told["status"] = wanted["status"] = "either"
        assert {key: told[key] for key in wanted} == wanted


def assert_cut_short(told: dict[str, Any], entry: dict[str, Any]) -> None:
    """A stream that ended early: what is known of the input is right, nothing claims to be the provider's count."""
    usage = told["usage"]
    assert told["usage_source"] == ("missing" if usage is None else "estimated")
    if usage is not None and entry["provider"] != "openai":  # which tells at the end, or not at all
        assert usage["input_tokens"] == entry["input_tokens_total"]
        assert usage["cache_read_tokens"] == entry["cache_read_tokens"]


def as_call(span: Seen) -> dict[str, Any]:
    """A span of ours under the names of the HTTP API."""
    get = span.attributes.get
    usage = {
        "input_tokens": get("gen_ai.usage.input_tokens"),
        "cache_read_tokens": get("gen_ai.usage.cache_read.input_tokens", 0),
        "cache_write_tokens": get("gen_ai.usage.cache_write.input_tokens", 0),
        "cache_write_5m_tokens": get("outlay.usage.cache_write_5m_tokens", 0),
        "cache_write_1h_tokens": get("outlay.usage.cache_write_1h_tokens", 0),
        "input_audio_tokens": get("gen_ai.usage.audio.input_tokens", 0),
        "output_tokens": get("gen_ai.usage.output_tokens", 0),
        "reasoning_tokens": get("gen_ai.usage.reasoning.output_tokens", 0),
        "output_audio_tokens": get("gen_ai.usage.audio.output_tokens", 0),
    }
    return {
        "provider": get("gen_ai.provider.name"),
        "operation": get("gen_ai.operation.name"),
        "request_model": get("gen_ai.request.model"),
        "response_model": get("gen_ai.response.model"),
        "streaming": get("gen_ai.request.stream", False),
        "finish_reasons": get("gen_ai.response.finish_reasons", []),
        "status": "error" if span.failed else "ok",
        "usage": usage if usage["input_tokens"] is not None else None,
        "usage_source": get("outlay.usage_source", "reported"),
    }
