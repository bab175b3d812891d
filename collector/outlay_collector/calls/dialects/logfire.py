"""Logfire's ``instrument_openai`` and ``instrument_anthropic``: a streamed call is two records."""

from __future__ import annotations

from outlay_collector.calls import flags, raw_usage
from outlay_collector.calls.dialects import otel_genai
from outlay_collector.calls.dialects.dialect import Dialect, Gap, Reading, joined
from outlay_collector.calls.values import inside, mapping, text


def _halves(reading: Reading) -> None:
    found, rest, span = reading.found, reading.rest, reading.span
    record = text(rest.get("logfire.span_type"))
    if record == "pending_span":
        reading.flags.append(flags.PENDING)
        return
    raw = rest.get("gen_ai.usage.raw")
    for slot, value in raw_usage.read(raw).items():
        found.setdefault(slot, value)  # type: ignore[arg-type]
    response = mapping(reading.content.get("response_data"))
    if response is not None:
        for slot, value in raw_usage.read(response.get("usage")).items():
            found.setdefault(slot, value)  # type: ignore[arg-type]
    tier = text(inside(mapping(raw), "service_tier"))
    if tier:
        found.setdefault("tier", tier)
    request = mapping(rest.get("request_data")) or {}
    if text(request.get("model")):
        found.setdefault("request_model", request["model"])
    template = text(rest.get("logfire.msg_template")) or span.name
    if record == "log" and template.startswith("streaming response from"):
        reading.flags.append(flags.STREAM_LOG)
        found["streaming"] = True
        _only_asked(reading)
    elif "response_id" not in found and "input" not in found:
        _only_asked(reading)
        if span.status_code != 2 and found.get("operation") in ("chat", "text_completion", None):
            reading.flags.append(flags.STREAM_REQUEST)
            found["streaming"] = True
    elif request.get("stream") is True:
        found["streaming"] = True


def _only_asked(reading: Reading) -> None:
    """In streams and failures the "response" model merely repeats the request's."""
    if "response_id" not in reading.found:
        asked = reading.found.pop("response_model", None)
        if asked is not None:
            reading.found.setdefault("request_model", asked)


DIALECT = Dialect(
    name="logfire",
    title="Logfire (OpenAI and Anthropic)",
    checked="logfire 5.2.0",
    counts="Input includes cache reads and writes, output includes reasoning; the parts are in `gen_ai.usage.raw` only.",
    scope_prefixes=("logfire.",),
    markers=("logfire.msg_template",),
    names=joined({}, otel_genai.NAMES),
    default_type=None,
    content=("response_data", "events", "logfire.json_schema", "logfire.metrics", "logfire.msg"),
    absent_stream_means=False,
    prepare=_halves,
    gaps=(
        Gap(what="Streams: the model that answered, the response id, the finish reason and the time to first token."),
    ),
    notes=(
        "A stream is a request span without usage and a zero-length log record with usage: merged into one call.",
        "`logfire.span_type=pending_span` is a placeholder and is dropped.",
        "Scrubbing may replace values (`[Scrubbed due to 'session']`).",
    ),
)
