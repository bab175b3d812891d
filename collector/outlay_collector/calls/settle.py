"""Which spans are counted: several descriptions of one call become one, and what restates others never bills.

Pure, and a function of the set of spans alone: the order, batching and repetition of arrival change nothing. The
rules and the evidence for each are in ``docs/dialects.md``.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import fields
from typing import Any

from outlay_collector.calls import flags
from outlay_collector.calls.call import AGGREGATE, TOOL
from outlay_collector.calls.candidate import SAME_ID_WINDOW, Candidate, Key, Verdict
from outlay_collector.calls.tree import NO_PARENT, Tree, is_call
from outlay_collector.calls.twins import Twins
from outlay_collector.pricing.usage import Usage

__all__ = ["SAME_ID_WINDOW", "Candidate", "Key", "Verdict", "settle"]

_JOINABLE = (
    "operation", "provider", "request_model", "response_model", "response_id", "streaming", "time_to_first_token_ms",
    "finish_reasons", "service_tier", "user", "session", "team", "feature", "customer", "agent", "tool",
    "prompt_version",
)  # fmt: skip
_COUNTS = tuple(field.name for field in fields(Usage) if field.name != "extra")
_SERVERS = frozenset({"vllm", "sglang", "tgi", "ollama", "llama_cpp", "lm_studio"})
_SOURCES = {"reported": 2, "estimated": 1}


def settle(group: Sequence[Candidate]) -> list[Verdict]:
    """One verdict per distinct span of ``group``: all spans of the traces that share a trace id or a response id.

    The result is sorted by start and is the same for every order and repetition of ``group``. Time and memory are linear
    in the number of spans but for sorting.
    """
    spans = sorted({span.key: span for span in group}.values(), key=_order)
    calls = [is_call(span) for span in spans]
    tree = Tree(spans, calls)
    twins = Twins(spans, tree, [at for at, call in enumerate(calls) if call])
    verdicts = [Verdict(span.key, counted=False, reason=_reason(span)) for span in spans]
    details = _details_from_below(spans, tree)
    counted: list[int] = []
    for members in twins.clusters():
        members = [at for at in members if at not in twins.outer]
        if not members:
            continue
        best = max(members, key=lambda at: _richness(spans[at]))
        counted.append(best)
        for at in members:
            verdicts[at].reason = _why_not(spans[at], spans[best])
        ranked = sorted(members, key=lambda at: _richness(spans[at]), reverse=True)
        ranked = [
            best,
            *(at for at in ranked if at != best),
            *(below for at in members for below in details.get(at, ())),
        ]
        verdicts[best] = Verdict(spans[best].key, counted=True, joined=_joined([spans[at] for at in ranked]))
        if best in twins.halves:
            _lengthen(verdicts[best], spans[best], spans[twins.halves[best]])
    for at in twins.outer:
        if not verdicts[at].counted:
            verdicts[at].reason = AGGREGATE
    for at in _several_calls_in_one(spans, tree, counted):
        _add_flag(verdicts[at], flags.LAST_CALL_ONLY)
    _count_what_nothing_else_tells(spans, tree, verdicts)
    return verdicts


def _order(span: Candidate) -> tuple[Any, str, str]:
    return (span.start_time, str(span.trace_id), str(span.span_id))


def _reason(span: Candidate) -> str:
    return flags.PENDING if flags.PENDING in span.flags else span.span_type


def _why_not(span: Candidate, best: Candidate) -> str:
    if (span.trace_id, span.span_id) == (best.trace_id, best.span_id):
        return "same_span"
    if flags.STREAM_REQUEST in span.flags and flags.STREAM_LOG in best.flags and span.scope == best.scope:
        return "stream_half"
    return "duplicate"


def _richness(span: Candidate) -> tuple[Any, ...]:
    """How much a description tells, to be compared; the earliest of equals wins, then the smallest id."""
    usage = span.usage or _NOTHING
    return (
        _SOURCES.get(span.usage_source, 0) if span.usage is not None else 0,
        flags.CONTRADICTION not in span.flags,
        usage.cache_write_5m_tokens is not None or usage.cache_write_1h_tokens is not None,
        usage.cache_read_tokens is not None or usage.cache_write_tokens is not None,
        usage.reasoning_tokens is not None,
        usage.output_tokens is not None,
        flags.OUTPUT_CORRECTED not in span.flags,
        span.response_id is not None,
        span.response_model is not None,
        span.error_type is None,
        span.dialect == "outlay",
        -span.start_time.timestamp(),
        # The smaller id, as text, is the greater.
        tuple(-ord(character) for character in f"{span.trace_id}{span.span_id}"),
    )


_NOTHING = Usage()


def _joined(ranked: Sequence[Candidate]) -> dict[str, object] | None:
    """What the first of ``ranked`` does not know and a later one does."""
    best = ranked[0]
    joined: dict[str, object] = {}
    for twin in ranked[1:]:
        for name in _JOINABLE:
            if name not in joined and not _known(getattr(best, name)) and _known(getattr(twin, name)):
                value = getattr(twin, name)
                joined[name] = list(value) if isinstance(value, tuple) else value
        if twin.provider in _SERVERS and best.provider not in _SERVERS:
            # The client only knows the protocol it spoke; the server knows who it is.
            joined["provider"] = twin.provider
    usage = _usage_from(ranked)
    if usage:
        joined["usage"] = usage
    return joined or None


def _known(value: object) -> bool:
    return value is not None and value != () and value != ""


def _usage_from(ranked: Sequence[Candidate]) -> dict[str, int]:
    """Parts that the best description left out, from twins that agree with it about the whole."""
    own = ranked[0].usage
    if own is None or ranked[0].usage_source != "reported":
        return {}
    parts: dict[str, int] = {}
    for twin in ranked[1:]:
        usage = twin.usage
        if usage is None or twin.usage_source != "reported" or flags.CONTRADICTION in twin.flags:
            continue
        if (usage.input_tokens, usage.output_tokens) != (own.input_tokens, own.output_tokens):
            continue
        for name in _COUNTS:
            value = getattr(usage, name)
            if value is not None and getattr(own, name) is None:
                parts.setdefault(name, value)
    return parts


def _details_from_below(spans: Sequence[Candidate], tree: Tree) -> dict[int, list[int]]:
    """For each call the spans that only add details to it (a gateway's raw request)."""
    details: dict[int, list[int]] = {}
    for at, span in enumerate(spans):
        if flags.DESCRIBES_PARENT in span.flags and tree.parent[at] != NO_PARENT:
            details.setdefault(tree.parent[at], []).append(at)
    return details


def _lengthen(verdict: Verdict, log: Candidate, request: Candidate) -> None:
    """A stream's log record has no length of its own: it began with the request and ended when it was logged."""
    length = (log.start_time - request.start_time).total_seconds() * 1e6
    verdict.joined = {**(verdict.joined or {}), "duration_us": max(round(length), log.duration_us)}


def _several_calls_in_one(spans: Sequence[Candidate], tree: Tree, counted: Sequence[int]) -> list[int]:
    """Calls that ran tools themselves: the provider was asked again after each, and only the last usage was kept."""
    with_tools = {tree.parent[at] for at, span in enumerate(spans) if span.span_type == TOOL}
    return [at for at in counted if at in with_tools and "google" in spans[at].scope]


def _add_flag(verdict: Verdict, flag: str) -> None:
    joined = verdict.joined or {}
    before = joined.get("flags")
    verdict.joined = {**joined, "flags": [*(before if isinstance(before, list) else []), flag]}


def _count_what_nothing_else_tells(spans: Sequence[Candidate], tree: Tree, verdicts: list[Verdict]) -> None:
    """Count an outer span where nothing inside it arrived: its sums, or at least that there was a call."""
    covered = tree.above_a_call()
    traces_with_calls: set[Hashable] = {span.trace_id for span in spans if is_call(span)}
    for at in tree.bottom_up():
        span = spans[at]
        if span.span_type == AGGREGATE and not covered[at] and _stands_alone(span, at, tree, traces_with_calls):
            verdict = verdicts[at]
            verdict.counted, verdict.reason = True, None
            if span.usage is not None:
                verdict.joined = {"usage_source": "estimated", "flags": [flags.AGGREGATE_COUNTED]}
            elif flags.LLM_HTTP_REQUEST in span.flags:
                verdict.joined = {"flags": [flags.SEEN_ONLY_AS_HTTP]}
            covered[at] = True
        above = tree.parent[at]
        if above != NO_PARENT and covered[at]:
            covered[above] = True


def _stands_alone(span: Candidate, at: int, tree: Tree, traces_with_calls: set[Hashable]) -> bool:
    if flags.DESCRIBES_PARENT in span.flags:
        return False
    if flags.LLM_HTTP_REQUEST in span.flags:
        return tree.is_orphan(at) and span.trace_id not in traces_with_calls
    if span.usage is not None:
        return True
    return flags.WRAPS_ONE_CALL in span.flags and span.error_type is None
