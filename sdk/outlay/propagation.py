"""The trace and whom it is for, across services: W3C ``traceparent`` and ``baggage`` headers, written and read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from outlay import semconv
from outlay.attribution import NOBODY, Attribution, Scope, attribution_here, here
from outlay.spans import Span, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_TRAVELS = frozenset(
    {
        semconv.TEAM,
        semconv.FEATURE,
        semconv.CUSTOMER,
        semconv.PROMPT_VERSION,
        semconv.USER,
        semconv.SESSION,
    }
)
_MAX_HEADER = 8_192  # bytes, of which W3C says a platform must take that many
_MAX_VALUE = 256  # characters of one value taken from another service
_ELSEWHERE = Step("elsewhere")


def headers() -> dict[str, str]:
    """Headers for a request to a service of your own, so that its calls join this trace and carry this attribution.

    Not for requests to anybody else: they name your customer and user. Empty outside of any call and context.
    """
    place = here.get()
    span = place.span if isinstance(place, Scope) else place
    found: dict[str, str] = {}
    if span is not None and span.id:
        found["traceparent"] = f"00-{span.trace_id}-{span.span_id}-01"
    values = {key: value for key, value in attribution_here().values.items() if _may_travel(key)}
    if values:
        baggage = ",".join(f"{quote(key, safe='.')}={quote(value)}" for key, value in values.items())
        found["baggage"] = baggage[:_MAX_HEADER].rpartition(",")[0] if len(baggage) > _MAX_HEADER else baggage
    return found


def place_from(given: Mapping[str, str]) -> Span | Scope | None:
    """The place another service's headers (lowercase names) speak of; None if they say nothing we understand."""
    attribution = attribution_from(given.get("baggage", ""))
    parent = _TRACEPARENT.fullmatch(given.get("traceparent", "").strip().lower())
    if parent is not None and int(parent[1], 16) and int(parent[2], 16):
        return Span(_ELSEWHERE, int(parent[1], 16), int(parent[2], 16), 0, attribution)
    return Scope(None, attribution) if attribution is not NOBODY else None


def attribution_from(baggage: str) -> Attribution:
    """Our own entries of a ``baggage`` header."""
    values: dict[str, str] = {}
    for entry in baggage[:_MAX_HEADER].split(","):
        key, equals, value = entry.partition(";")[0].partition("=")  # properties after ";" are not ours to read
        name = unquote(key.strip())
        if equals and _may_travel(name) and value.strip():
            values[name] = unquote(value.strip())[:_MAX_VALUE]
    return Attribution(values) if values else NOBODY


def _may_travel(key: str) -> bool:
    return key in _TRAVELS or key.startswith(semconv.TAG)
