"""Keys by which settlement finds the other description of a call when it lies in another trace and has no response id.

Most calls need none: a response id, or being in one trace, is enough. Two sources do: Logfire writes the two halves of a
stream as two root spans, and LangChain's tracer detaches the provider's own spans, which then start traces of their own.
A key only says "look at these together"; whether they are one call is for ``settle`` to decide.
"""

from __future__ import annotations

from hashlib import blake2b

from outlay_collector.calls import flags
from outlay_collector.calls.call import CALL, Call
from outlay_collector.calls.models import families

_BUCKET_NS = 2_000_000_000
_MARGIN_NS = 250_000_000
"""Twins start within milliseconds; near the end of a bucket the earlier gets the next one's key as well."""

_SAME_IN_BOTH_HALVES = ("gen_ai.input.messages", "gen_ai.system_instructions", "gen_ai.prompt")
_DETACHED_SCOPES = (".langchain", "langsmith")


def twin_keys(call: Call) -> tuple[int, ...]:
    """Signed 64-bit keys of ``call``, empty for most calls. Equal keys within a project belong into one group."""
    if call.span_type != CALL or call.dialect == "outlay":
        return ()
    span = call.span
    if flags.STREAM_REQUEST in call.flags or flags.STREAM_LOG in call.flags:
        return (_half(call),)
    detached = span.scope_name.endswith(_DETACHED_SCOPES)
    if span.parent_span_id and not detached:
        return ()
    if call.response_id and detached:
        # Its twin has the same id.
        return ()
    usage = call.usage
    totals = (usage.input_tokens, usage.output_tokens) if usage is not None and call.usage_source == "reported" else ()
    names = sorted(families(call.request_model, call.response_model))
    buckets = {span.start_ns // _BUCKET_NS, (span.start_ns + _MARGIN_NS) // _BUCKET_NS}
    return tuple(_key("twin", call.service, name, totals, at) for name in names[:2] for at in sorted(buckets))


def _half(call: Call) -> int:
    """Both halves repeat the request, so its words pair them whatever the stream's length."""
    said = [call.content.get(name) for name in _SAME_IN_BOTH_HALVES]
    return _key("halves", call.service, call.span.scope_name, call.attributes.get("request_data"), *said)


def _key(*parts: object) -> int:
    digest = blake2b(repr(parts).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
