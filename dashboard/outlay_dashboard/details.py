"""One call in full: what was charged and why, what was used, what is known about it."""

from __future__ import annotations

from html import escape

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import formats, parts
from outlay_dashboard.answers import CallRow, Line, Rate
from outlay_dashboard.client import NotThereError
from outlay_dashboard.messages import Message, messages
from outlay_dashboard.parts import Fact, LedgerRow
from outlay_dashboard.scope import DIMENSIONS, Scope
from outlay_dashboard.words import Words

_LONGEST_TEXT = 20_000  # characters of one message; a page is for reading

_DIMENSIONS = (
    "project",
    "environment",
    "service",
    "team",
    "feature",
    "customer",
    "user",
    "session",
    "agent",
    "tool",
    "provider",
    "model",
    "operation",
    "service_tier",
)


def show(scope: Scope, span: CallRow) -> None:
    """The panel beside the waterfall."""
    words = scope.words
    call = span
    if span.is_call and span.counted:
        try:
            call = scope.client.ask(api.explained_call(span.trace_id, span.span_id, project=scope.project))
        except NotThereError:
            call = span  # seen in the trace, not explained: shown with what is known
    st.html(parts.title(span.name or span.span_id, outcome(span, words)))
    if span.is_call:
        _charge(call, words)
        _usage(call, words)
    _content(call, words)
    st.html(parts.facts(_facts(span, scope)))
    _attributes(call, words)


def outcome(span: CallRow, words: Words) -> str:
    """``ok``, ``failed: timeout``, with why it is not counted."""
    said = words("status.ok")
    if span.status == "error":
        said = words("trace.error", error=span.error_type) if span.error_type else words("trace.still_failed")
    if span.is_call and not span.counted:
        return f"{said} · {words('trace.not_counted', reason=reason(span, words))}"
    return said


def reason(span: CallRow, words: Words) -> str:
    """Why it is not counted, in words."""
    code = span.not_counted_reason or ""
    return words.known(f"reason.{code}", code.replace("_", " ") or formats.DASH)


def _charge(call: CallRow, words: Words) -> None:
    if not call.counted:
        return
    if call.cost is None:
        code = "missing_usage" if call.usage_source == "missing" else call.charge_status or "unpriced"
        why = call.why_unpriced or words.known(f"charge.{code}", code.replace("_", " "))
        st.html(parts.notice(words("not_priced").capitalize(), why))
        return
    total = LedgerRow(name=words("total"), cells=(formats.exact_money(call.cost, call.currency),))
    rows = [_line(line, words) for line in call.lines]
    st.html(parts.ledger((words("call.charge"), words("column.cost")), rows, total))
    st.html(
        parts.sources(
            list(dict.fromkeys((line.source_url, line.checked_at) for line in call.lines if line.source_url)), words
        )
    )
    if call.charge_cost is not None and call.charge_currency not in (None, call.currency):
        said = words("call.converted", cost=formats.exact_money(call.charge_cost, call.charge_currency or ""))
        st.html(parts.sentence(f"{said} {_rate(call.rate)}"))
    if call.explained_cost is not None and call.explained_cost != call.cost:
        now = formats.exact_money(call.explained_cost, call.currency)
        st.html(parts.sentence(words("call.repriced", cost=now)))
    if call.reported_cost is not None:
        cost = formats.exact_money(call.reported_cost, call.currency)
        st.html(f'<div class="o muted">{escape(words("call.reported", cost=cost))}</div>')


def _rate(rate: Rate | None) -> str:
    return "" if rate is None else f"1 {rate.currency} = {rate.rate:f} {rate.target} ({rate.day}, {rate.source})"


def _line(line: Line, words: Words) -> LedgerRow:
    cost = formats.exact_money(line.cost, line.currency) if line.cost is not None else words("not_priced")
    quantity = formats.DASH if line.quantity is None else f"{line.quantity:,f}"
    how = quantity
    if line.amount is not None:
        per = formats.tokens(line.per, words.language, exact=True) if line.per else "1"
        how = words("call.times", quantity=quantity, amount=formats.exact_money(line.amount, line.currency), per=per)
    if line.percent_off:
        how = f"{how} {words('call.discount', percent=formats.share(line.percent_off, 100))}"
    if line.tier and line.tier != "standard":
        how = f"{how} ({line.tier})"
    return LedgerRow(name=words.known(f"bucket.{line.bucket}", line.bucket), cells=(cost,), note=how)


def _usage(call: CallRow, words: Words) -> None:
    known = [(name, number) for name, number in call.usage.items() if number is not None]
    if not known:
        if call.counted:
            st.html(parts.notice(words("call.usage"), words("call.usage_missing")))
        return
    rows = [
        LedgerRow(name=words.known(f"bucket.{name}", name), cells=(formats.count(number),), muted=_is_part(name))
        for name, number in known
        if number or not _is_part(name)
    ]
    st.html(parts.ledger((words("call.usage"), words("column.tokens")), rows))
    if call.usage_source == "estimated":
        st.html(f'<div class="o muted">{words("call.usage_estimated")}</div>')


def _is_part(name: str) -> bool:
    return name not in ("input_tokens", "output_tokens")


def _facts(span: CallRow, scope: Scope) -> list[Fact]:
    words = scope.words
    started = span.start_time.astimezone(scope.window.zone)
    streamed = span.facts.get("streaming")
    finish = span.facts.get("finish_reasons") or ()
    asked_for = span.fact("request_model")
    first = span.time_to_first_token_ms
    return [
        Fact(words("fact.start"), formats.day_and_clock(started, words.language, seconds=True)),
        Fact(words("fact.duration"), formats.duration(span.duration_ms)),
        Fact(words("fact.ttft"), formats.duration(first) if first else None),
        *(Fact(words.dimension(name), span.fact(name), _others_with(name, span, scope)) for name in _DIMENSIONS),
        Fact(words("fact.request_model"), asked_for if asked_for != span.fact("model") else None),
        Fact(words("fact.streaming"), None if streamed is None else words("yes" if streamed else "no")),
        Fact(words("fact.finish"), ", ".join(str(item) for item in finish)),
        Fact(words("fact.dialect"), span.fact("dialect")),
        Fact(words("fact.span"), span.span_id),
    ]


def _others_with(name: str, span: CallRow, scope: Scope) -> str:
    """Where the other calls of the same session, user, model and so on are listed."""
    return scope.link("traces", filter=(f"{name}:{span.fact(name)}",)) if name in DIMENSIONS else ""


def _content(call: CallRow, words: Words) -> None:
    """Prompt and answer, where the project keeps them and the reader may see them."""
    content = call.facts.get("content")
    if not isinstance(content, dict) or not content:
        return
    found = messages(content)
    with st.expander(words("call.content", n=len(found))):
        st.html(parts.said(_shown(one, words) for one in found))


def _shown(message: Message, words: Words) -> tuple[str, str, str]:
    more = len(message.text) - _LONGEST_TEXT
    note = words("call.content_cut", n=more) if more > 0 else ""
    return message.role, message.text[:_LONGEST_TEXT], note


def _attributes(call: CallRow, words: Words) -> None:
    """What the emitter said beyond what has a name here."""
    attributes = call.facts.get("attributes")
    if not isinstance(attributes, dict) or not attributes:
        return
    with st.expander(words("call.attributes", n=len(attributes))):
        st.html(parts.facts(Fact(str(name), str(value)) for name, value in sorted(attributes.items())))
