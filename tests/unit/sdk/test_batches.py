"""Results of batch APIs: each call once, at batch prices, however often the file is recorded."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import outlay
import pytest
from outlay.testing import Calls

AT = datetime(2026, 3, 1, tzinfo=timezone.utc)


def openai_line(custom_id: str, **body: Any) -> dict[str, Any]:
    completion = {
        "id": f"chatcmpl-{custom_id}",
        "object": "chat.completion",
        "created": 1772366400,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        **body,
    }
    return {"id": "b", "custom_id": custom_id, "response": {"status_code": 200, "body": completion}, "error": None}


OPENAI = [
    openai_line("one"),
    {"custom_id": "two", "response": {"status_code": 400, "body": {"error": {"type": "invalid_request_error"}}}},
    {"custom_id": "late", "response": None, "error": {"code": "batch_expired"}},
]
ANTHROPIC = [
    {
        "custom_id": "one",
        "result": {
            "type": "succeeded",
            "message": {
                "id": "msg_1",
                "type": "message",
                "model": "claude-haiku-4-5-20251001",
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5},
            },
        },
    },
    {"custom_id": "two", "result": {"type": "errored", "error": {"error": {"type": "overloaded_error"}}}},
    {"custom_id": "three", "result": {"type": "expired"}},
]
GEMINI = [
    {
        "key": "one",
        "response": {"modelVersion": "gemini-2.5-flash", "candidates": [], "usageMetadata": {"promptTokenCount": 8}},
    }
]


def test_openai_file(calls: Calls, tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text("\n".join(map(json.dumps, OPENAI)) + "\n")
    assert outlay.record_batch(file, batch_id="batch_1", provider="openai", team="search") == 2
    good, bad = calls
    assert good.attributes["gen_ai.usage.input_tokens"] == 10
    assert good.attributes["outlay.service_tier"] == "batch"
    assert good.attributes["outlay.team"] == "search"
    assert good.attributes["outlay.batch.custom_id"] == "one"
    assert good.start_ns == 1772366400 * 10**9
    assert bad.error == "invalid_request_error"
    assert good.trace_id == bad.trace_id


def test_text_of_a_file_and_its_path_are_the_same(calls: Calls, tmp_path: Path) -> None:
    text = json.dumps(openai_line("one"))
    (tmp_path / "f.jsonl").write_text(text)
    outlay.record_batch(text, batch_id="b")
    outlay.record_batch(str(tmp_path / "f.jsonl"), batch_id="b")
    assert calls[0] == calls[1]


def test_anthropic_results(calls: Calls) -> None:
    assert outlay.record_batch(ANTHROPIC, batch_id="msgbatch_1", at=AT) == 2
    good, bad = calls
    assert good.attributes["gen_ai.provider.name"] == "anthropic"
    assert good.attributes["gen_ai.usage.input_tokens"] == 100
    assert good.start_ns == int(AT.timestamp()) * 10**9
    assert bad.error == "overloaded_error"


def test_anthropic_results_as_the_client_gives_them(calls: Calls) -> None:
    from anthropic.types.messages import MessageBatchIndividualResponse

    given = [MessageBatchIndividualResponse.model_construct(**json.loads(json.dumps(ANTHROPIC[0])))]
    assert outlay.record_batch(given, batch_id="b", at=AT) == 1
    assert calls.only().attributes["gen_ai.response.id"] == "msg_1"


def test_gemini_results(calls: Calls) -> None:
    assert outlay.record_batch(GEMINI, batch_id="b", at=AT) == 1
    assert calls.only().attributes["gen_ai.operation.name"] == "generate_content"
    assert calls.only().attributes["gen_ai.request.model"] == "gemini-2.5-flash"


def test_recording_again_makes_the_same_ids_and_another_batch_does_not(calls: Calls) -> None:
    for batch in ("b1", "b1", "b2"):
        outlay.record_batch(ANTHROPIC[:1], batch_id=batch, at=AT)
    first, again, other = [(call.trace_id, call.span_id, call.start_ns) for call in calls]
    assert first == again
    assert first != other


@pytest.mark.parametrize("nothing", ["", "\n\n", []])
def test_empty_file(calls: Calls, nothing: Any) -> None:
    assert outlay.record_batch(nothing, batch_id="b") == 0


def test_realtime_usage_is_read(calls: Calls) -> None:
    usage = {
        "input_tokens": 100,
        "output_tokens": 40,
        "input_token_details": {"cached_tokens": 30, "audio_tokens": 60},
        "output_token_details": {"audio_tokens": 25},
    }
    outlay.record(
        model="gpt-realtime", response={"object": "realtime.response", "id": "r", "output": [], "usage": usage}
    )
    attributes = calls.only().attributes
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 30
    assert attributes["gen_ai.usage.audio.input_tokens"] == 60
    assert attributes["gen_ai.usage.audio.output_tokens"] == 25
