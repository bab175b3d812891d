"""OTLP requests made beforehand: encoded once, then only ids and times are written over, so that loading costs little.

A batch holds calls of four siblings a trace, each with 25 attributes under the names our SDK and OpenTelemetry use.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS_PER_TRACE = 4
ATTRIBUTES = 25
PROMPT_CHARACTERS, ANSWER_CHARACTERS = 2048, 1024

_MODELS = (
    ("openai", "gpt-4o", "gpt-4o-2024-08-06"),
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    ("gcp.gemini", "gemini-2.5-pro", "gemini-2.5-pro"),
    ("openai", "gpt-4.1", "gpt-4.1-2025-04-14"),
)
_WORDS = ("the cost of this request was high because tokens went on retries and a long context of notes").split()  # noqa: SIM905
_RESOURCE = {
    "service.name": "checkout",
    "service.version": "1.4.2",
    "deployment.environment.name": "production",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.language": "python",
}
_TRACE_MARK, _SPAN_MARK = b"TRACEID_", b"SP\x00\x00\x00"
_START_MARK, _END_MARK = b"\x11" * 8, b"\x22" * 8
_ANSWER_MARK = b"~" * 30  # of a response id: equal ids would make settlement look at all batches together
_HEXADECIMAL = np.frombuffer(b"0123456789abcdef", np.uint8)

Bytes = NDArray[np.uint8]


def attributes(rng: random.Random, *, session: str, user: str, content: bool) -> dict[str, Any]:
    """One call as an application reports it: 25 attributes, of which 7 have no column."""
    provider, asked, answered = rng.choice(_MODELS)
    tokens_in, tokens_out = rng.randint(50, 4000), rng.randint(5, 900)
    said: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": asked,
        "gen_ai.response.model": answered,
        "gen_ai.response.id": f"chatcmpl-{_ANSWER_MARK.decode()}",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.request.stream": False,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": tokens_in,
        "gen_ai.usage.output_tokens": tokens_out,
        "gen_ai.usage.cache_read.input_tokens": tokens_in // 3,
        "gen_ai.usage.reasoning.output_tokens": tokens_out // 5,
        "user.id": user,
        "session.id": session,
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.output.type": "text",
        "openai.response.service_tier": "default",
        "openai.response.system_fingerprint": f"fp_{rng.getrandbits(40):010x}",
        "outlay.feature": f"feature-{rng.randint(0, 20)}",
        "outlay.team": f"team-{rng.randint(0, 5)}",
        "outlay.customer": f"tenant-{rng.randint(0, 50)}",
        "outlay.tag.experiment": f"arm-{rng.randint(0, 9)}",
    }
    assert len(said) == ATTRIBUTES
    if content:
        said["gen_ai.input.messages"] = _message("user", _prose(rng, PROMPT_CHARACTERS))
        said["gen_ai.output.messages"] = _message("assistant", _prose(rng, ANSWER_CHARACTERS))
    return said


def _prose(rng: random.Random, characters: int) -> str:
    return " ".join(rng.choices(_WORDS, k=characters // 3))[:characters]


def _message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def request(spans: int, *, content: bool, scope: str, seed: int) -> bytes:
    """An encoded request in which ids and times are marks."""
    rng = random.Random(seed)
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    _fill(resource_spans.resource.attributes, _RESOURCE)
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = scope, "0.1.0"
    session = user = ""
    for number in range(spans):
        if number % SPANS_PER_TRACE == 0:
            session, user = f"session-{rng.getrandbits(24):06x}", f"user-{rng.randint(0, 199):03d}"
        told = attributes(rng, session=session, user=user, content=content)
        span = scope_spans.spans.add()
        span.trace_id = _TRACE_MARK + (number // SPANS_PER_TRACE).to_bytes(8, "big")
        span.span_id = _SPAN_MARK + number.to_bytes(3, "big")
        span.parent_span_id = b"PARENTID"
        span.name, span.kind = f"chat {told['gen_ai.request.model']}", 3
        span.start_time_unix_nano = int.from_bytes(_START_MARK, "little")
        span.end_time_unix_nano = int.from_bytes(_END_MARK, "little")
        _fill(span.attributes, told)
    return message.SerializeToString()


def _fill(pairs: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        target = pairs.add(key=key).value
        if isinstance(value, bool):
            target.bool_value = value
        elif isinstance(value, int):
            target.int_value = value
        elif isinstance(value, float):
            target.double_value = value
        elif isinstance(value, str):
            target.string_value = value
        else:
            for item in value:
                target.array_value.values.add(string_value=item)


class Template:
    """A request whose ids and times are written over in place; every ``next`` is a new batch of calls."""

    def __init__(self, spans: int, *, content: bool, scope: str, seed: int) -> None:
        raw = request(spans, content=content, scope=scope, seed=seed)
        self.spans = spans
        self._raw = np.frombuffer(raw, np.uint8)
        self._traces = _places(raw, _TRACE_MARK, spans)
        self._ids = _places(raw, _SPAN_MARK, spans)
        self._starts = _places(raw, _START_MARK, spans)
        self._ends = _places(raw, _END_MARK, spans)
        self._answers = _places(raw, _ANSWER_MARK, spans)

    def next(self, rng: np.random.Generator, *, spread_seconds: float = 5.0) -> bytes:
        """Calls that ended within the last ``spread_seconds``."""
        body, spans = self._raw.copy(), self.spans
        traces = rng.integers(0, 256, (-(-spans // SPANS_PER_TRACE), 16), dtype=np.uint8)
        ends = np.uint64(time.time_ns()) - rng.integers(0, int(spread_seconds * 1e9), spans).astype(np.uint64)
        starts = ends - rng.integers(200_000_000, 6_000_000_000, spans).astype(np.uint64)
        _overwrite(body, self._traces, traces[np.arange(spans) // SPANS_PER_TRACE])
        _overwrite(body, self._ids, rng.integers(1, 256, (spans, 8), dtype=np.uint8))
        answers = _HEXADECIMAL[rng.integers(0, 16, (spans, len(_ANSWER_MARK)), dtype=np.uint8)]
        _overwrite(body, self._answers, answers)
        _overwrite(body, self._starts, starts.view(np.uint8).reshape(spans, 8))
        _overwrite(body, self._ends, ends.view(np.uint8).reshape(spans, 8))
        return body.tobytes()


def _overwrite(body: Bytes, places: NDArray[np.int64], values: Bytes) -> None:
    body[places[:, None] + np.arange(values.shape[1])] = values


def _places(raw: bytes, mark: bytes, expected: int) -> NDArray[np.int64]:
    found: list[int] = []
    at = raw.find(mark)
    while at >= 0:
        found.append(at)
        at = raw.find(mark, at + len(mark))
    assert len(found) == expected, f"{mark!r} stands {len(found)} times in the request, not {expected}"
    return np.array(found, np.int64)
