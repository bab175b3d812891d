"""The dialects, and which one a span is in: by instrumentation scope, else by an attribute only one source writes.

A request's headers are never asked: a gateway or an OpenTelemetry Collector rewrites them.
"""

from __future__ import annotations

from collections.abc import Mapping

from outlay_collector.calls.dialects import (
    anthropic_sdk,
    autogen,
    http_client,
    langfuse,
    langsmith,
    litellm,
    logfire,
    mlflow,
    openinference,
    openlit,
    openllmetry,
    otel_genai,
    outlay_sdk,
    pydantic_ai,
    strands,
    vercel_ai,
    vllm,
)
from outlay_collector.calls.dialects.dialect import Dialect

DIALECTS: tuple[Dialect, ...] = (
    outlay_sdk.DIALECT,
    otel_genai.GENAI,
    otel_genai.OPENAI_V2,
    anthropic_sdk.DIALECT,
    openllmetry.DIALECT,
    openinference.DIALECT,
    openlit.DIALECT,
    pydantic_ai.DIALECT,
    logfire.DIALECT,
    vercel_ai.DIALECT,
    vercel_ai.V7,
    langfuse.DIALECT,
    langsmith.DIALECT,
    litellm.DIALECT,
    mlflow.DIALECT,
    strands.DIALECT,
    vllm.DIALECT,
    autogen.DIALECT,
    http_client.DIALECT,
    otel_genai.GENERIC,
    http_client.OTHER,
)
"""In the order they are asked. The last two take what nobody else knows."""

_BY_SCOPE: Mapping[str, Dialect] = {scope: dialect for dialect in DIALECTS for scope in dialect.scopes}
_BY_PREFIX: tuple[tuple[str, Dialect], ...] = tuple(
    (prefix, dialect) for dialect in DIALECTS for prefix in dialect.scope_prefixes
)
_BY_MARKER: tuple[tuple[str, Dialect], ...] = tuple(
    (marker, dialect) for dialect in DIALECTS for marker in dialect.markers
)

_MAX_REMEMBERED_SCOPES = 4096
_remembered: dict[str, Dialect | None] = {}


def by_scope(scope: str) -> Dialect | None:
    """The dialect of an instrumentation scope; None if the scope alone does not tell."""
    try:
        return _remembered[scope]
    except KeyError:
        pass
    dialect = _BY_SCOPE.get(scope)
    if dialect is None:
        dialect = next((dialect for prefix, dialect in _BY_PREFIX if scope.startswith(prefix)), None)
    if len(_remembered) < _MAX_REMEMBERED_SCOPES:
        _remembered[scope] = dialect
    return dialect


def by_content(attributes: Mapping[str, object]) -> Dialect:
    """The dialect whose marker the attributes carry; the last one if there is none."""
    for marker, dialect in _BY_MARKER:
        if marker in attributes:
            return dialect
    return http_client.OTHER
