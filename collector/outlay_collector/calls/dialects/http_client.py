"""Plain HTTP client spans: never a call, but a witness where a call's own span is missing."""

from __future__ import annotations

from outlay_collector.calls import flags
from outlay_collector.calls.dialects.dialect import Dialect, Reading
from outlay_collector.calls.values import count_or_none, text

# Ends of paths at which the model APIs answer (Azure and gateways put something before them).
_MODEL_PATHS = (
    "/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings", "/embeddings",
    ":generateContent", ":streamGenerateContent", ":embedContent", "/converse", "/converse-stream", "/invoke",
    "/invoke-with-response-stream",
)  # fmt: skip
_SUCCESS = range(200, 300)


def _witness(reading: Reading) -> None:
    rest = reading.rest
    url = text(rest.get("url.full")) or text(rest.get("http.url")) or text(rest.get("url.path")) or ""
    status = count_or_none(rest.get("http.response.status_code", rest.get("http.status_code")))
    if url.split("?", 1)[0].endswith(_MODEL_PATHS) and status in _SUCCESS:
        reading.flags.append(flags.LLM_HTTP_REQUEST)
        reading.found["address"] = url
        reading.found["kind"] = "witness"


DIALECT = Dialect(
    name="http",
    title="HTTP client instrumentations",
    checked="opentelemetry-instrumentation-httpx 0.66b1",
    counts="Nothing.",
    scopes=tuple(
        f"opentelemetry.instrumentation.{library}"
        for library in ("httpx", "requests", "aiohttp_client", "urllib", "urllib3", "httpclient", "tornado")
    )
    + tuple(f"@opentelemetry/instrumentation-{library}" for library in ("http", "undici", "fetch", "xml-http-request")),
    names={"error": ("error.type",), "user": ("user.id",), "session": ("session.id",)},
    kinds={"witness": "aggregate"},
    operation_of_kind={"witness": "chat"},
    default_type="other",
    prepare=_witness,
    notes=(
        "One span per attempt. A successful request to a model API whose instrumentation never sent its span (the parent "
        "is missing and no call is in the trace) is shown as a call without usage.",
    ),
)

OTHER = Dialect(
    name="other",
    title="Everything else",
    checked="",
    counts="Nothing.",
    names={
        "error": ("error.type",), "user": ("user.id", "enduser.id"), "session": ("session.id",),
        "team": ("outlay.team",), "feature": ("outlay.feature",), "customer": ("outlay.customer",),
    },
    default_type="other",
)  # fmt: skip
