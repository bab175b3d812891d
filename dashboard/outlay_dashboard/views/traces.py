"""Traces: the newest calls, and one trace as a waterfall with what each step cost."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from outlay_dashboard import client as api
from outlay_dashboard import controls, details, formats, parts, sentences, states
from outlay_dashboard.answers import CallRow
from outlay_dashboard.client import NotThereError
from outlay_dashboard.colours import colours
from outlay_dashboard.figures import frame
from outlay_dashboard.figures import trace as figures
from outlay_dashboard.scope import Scope
from outlay_dashboard.tree import Step, counted_total, steps
from outlay_dashboard.views import conversations

CALLS = "calls"
VIEWS = (CALLS, "sessions", "agents")

NEWEST = "newest"
ORDERS = (NEWEST, "costliest", "slowest", "failed")

_PAGE = 50
_MOST = 1000  # what the API gives at once
_LOOKED_AT = 500  # newest calls from which the costliest, slowest and failed are picked
_DRAWN = 150  # more steps than this are drawn only when asked for


def show(scope: Scope) -> None:
    trace_id = st.query_params.get("trace")
    if trace_id:
        _one(scope, trace_id.strip())
        return
    view = asked if (asked := st.query_params.get("view", "")) in VIEWS else CALLS
    bar = st.container()  # stands above the choice of view, and is filled when what it offers is known
    controls.choose(
        "view", VIEWS, view, label=scope.words("traces.view"), say=lambda name: scope.words(f"traces.{name}"), flat=True
    )
    {CALLS: _list, "sessions": conversations.sessions, "agents": conversations.agents}[view](scope, bar)


def _list(scope: Scope, bar: DeltaGenerator) -> None:
    words = scope.words
    order = asked if (asked := st.query_params.get("order", "")) in ORDERS else NEWEST
    shown = int(more) if (more := st.query_params.get("shown", "")).isdecimal() else _PAGE
    wanted = min(shown, _MOST) if order == NEWEST else _LOOKED_AT
    asked_calls = scope.client.begin(api.calls(window=scope.window, counted_only=True, limit=wanted, **scope.about))
    with bar:
        controls.bar(scope, with_groups=False)
    found = asked_calls.get().rows
    if not found:
        if states.nothing_recorded(scope):
            states.first_run(scope)
        else:
            states.nothing_here(scope)
        return
    rows = ordered(found, order)[: shown if order == NEWEST else _PAGE]
    _list_controls(scope, order)
    _list_title(scope, order, len(rows), len(found))
    if not rows:  # only "failed" leaves calls out
        st.html(parts.sentence(words("traces.none_failed", n=len(found))))
        return
    chosen = st.dataframe(
        _table(rows, scope),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-cell",
        key=f"calls_{order}",
        height=min(38 + 35 * len(rows), 720),
        placeholder=formats.DASH,
    )
    picked = chosen.selection.cells
    if picked:
        call = rows[picked[0][0]]
        st.switch_page(scope.pages["traces"], query_params=scope.address(trace=call.trace_id, span=call.span_id))
    if order == NEWEST and len(rows) >= shown < _MOST:
        st.button(words("traces.more"), on_click=_show_more, args=(shown + _PAGE,))


def ordered(rows: Sequence[CallRow], order: str) -> list[CallRow]:
    """By what the reader looks for; ``failed`` keeps only those."""
    if order == "costliest":
        return sorted((row for row in rows if row.cost is not None), key=lambda row: -(row.cost or 0))
    if order == "slowest":
        return sorted(rows, key=lambda row: -row.duration_ms)
    if order == "failed":
        return [row for row in rows if row.status == "error"]
    return list(rows)


def _list_controls(scope: Scope, order: str) -> None:
    words = scope.words
    left, right = st.columns([2, 1], gap="large", vertical_alignment="center")
    with left:
        controls.choose(
            "order", ORDERS, order, label=words("traces.order"), say=lambda name: words(f"traces.{name}"), flat=True
        )
    with right:
        st.text_input(
            words("traces.search"),
            key="control_trace",
            placeholder=words("traces.search_hint"),
            icon=":material/search:",
            label_visibility="collapsed",
            on_change=_open_pasted,
        )


def _list_title(scope: Scope, order: str, shown: int, found: int) -> None:
    words = scope.words
    if order == NEWEST:
        title = words("traces.title_newest", n=shown)
    else:
        title = words(f"traces.title_{order}", n=shown, found=formats.count(found))
    st.html(parts.title(title, f"{sentences.span_of_days(scope.window, words)} · {words('traces.pick')}"))


def _table(rows: Sequence[CallRow], scope: Scope) -> object:
    """The calls as a table whose cells read like the rest of the page and sort by what they mean."""
    words, zone = scope.words, scope.window.zone
    frame_ = pd.DataFrame(
        {
            words("column.time"): [row.start_time.astimezone(zone) for row in rows],
            words("column.what"): [_what(row) for row in rows],
            words("column.model"): [row.fact("model") or row.fact("request_model") for row in rows],
            words("column.where"): [_where(row) for row in rows],
            words("column.duration"): [row.duration_ms for row in rows],
            words("column.tokens"): [_tokens(row) for row in rows],
            words("column.cost"): [None if row.cost is None else float(row.cost) for row in rows],
            words("column.status"): [details.outcome(row, words) for row in rows],
        }
    )
    currency = rows[0].currency
    costs = {float(row.cost): row.cost for row in rows if row.cost is not None}
    return frame_.style.format(
        {
            words("column.time"): lambda moment: formats.day_and_clock(moment, words.language, seconds=True),
            words("column.duration"): formats.duration,
            words("column.tokens"): lambda number: formats.tokens(int(number), words.language),
            words("column.cost"): lambda cost: formats.money(costs[cost], currency),
        },
        na_rep=words("not_priced") if all(row.usage for row in rows) else formats.DASH,
    )


def _one(scope: Scope, trace_id: str) -> None:
    words = scope.words
    st.page_link(
        scope.pages["traces"],
        label=words("traces.back"),
        icon=":material/arrow_back:",
        query_params=scope.address(trace=None, span=None),
    )
    try:
        spans = scope.client.ask(api.trace(trace_id, project=scope.project)).rows
    except NotThereError:
        spans = ()
    if not spans:
        st.html(parts.empty(words("traces.not_found", trace_id=trace_id), words("traces.not_found_do")))
        return
    walked = steps(spans)
    _summary(scope, trace_id, walked)
    chosen_id = st.query_params.get("span") or walked[0].span.span_id
    chosen = next((step.span for step in walked if step.span.span_id == chosen_id), walked[0].span)
    left, right = st.columns([1.6, 1], gap="large")
    with left:
        _waterfall(scope, walked, chosen)
    with right:
        details.show(scope, chosen)


def _summary(scope: Scope, trace_id: str, walked: list[Step]) -> None:
    words = scope.words
    spans = [step.span for step in walked]
    totals, first = counted_total(spans), walked[0].span
    cost = words("not_priced") if totals.cost is None else formats.money(totals.cost, first.currency)
    if totals.unpriced_calls and totals.cost is not None:
        cost = words("trace.at_least", cost=cost)
    took = max(step.start_ms + step.span.duration_ms for step in walked)
    when = formats.day_and_clock(first.start_time.astimezone(scope.window.zone), words.language, seconds=True)
    sentence = words(
        "trace.summary",
        cost=cost,
        calls=words("trace.calls", n=totals.calls) if totals.calls else words("trace.no_calls"),
        duration=formats.duration(took),
        when=f"{when} {scope.window.zone.key}",
    )
    st.html(
        f'<div data-testid="trace-cost" data-exact="{formats.exact_money(totals.cost, first.currency)}">'
        + parts.page_title(first.name or trace_id, sentence)
        + "</div>"
    )


def _waterfall(scope: Scope, walked: list[Step], chosen: CallRow) -> None:
    words = scope.words
    drawn = walked
    if len(walked) > _DRAWN:
        note, action = st.columns([3, 1])
        if not action.toggle(words("trace.show_all"), key="draw_all"):
            drawn = walked[:_DRAWN]
        note.caption(words("trace.first_spans", n=len(drawn), all=formats.count(len(walked))))
    if any(step.span.is_call and not step.span.counted for step in drawn):
        st.html(f'<div class="o muted">{words("trace.measure")}</div>')
    else:
        st.html(f'<div class="o muted">{words("trace.measure_plain")}</div>')
    providers = [step.span.fact("provider") for step in drawn if step.span.is_call]
    painted = colours("provider", list(dict.fromkeys(providers)), [], scope.look)
    end = max(step.start_ms + step.span.duration_ms for step in drawn)
    marks = {mark: formats.duration(mark) if mark else "0" for mark in frame.round_steps(end, 4) if mark <= end * 0.96}
    clicked = st.plotly_chart(
        figures.waterfall([_bar(step, painted, chosen, scope) for step in drawn], ticks=marks, look=scope.look),
        theme=None,
        key=f"waterfall_{chosen.trace_id}",
        on_select="rerun",
        selection_mode="points",
        config=frame.config("outlay-trace"),
        alt=words("trace.alt"),
    )
    points = clicked.selection.points
    if points:
        span = drawn[int(points[0]["y"])].span
        if span.span_id != chosen.span_id:
            st.query_params["span"] = span.span_id
            st.rerun()


def _bar(step: Step, painted: dict[str | None, str], chosen: CallRow, scope: Scope) -> figures.Bar:
    span, words, look = step.span, scope.words, scope.look
    model = span.fact("model")
    left = f"<b>{_plotly_text(span.name or span.fact('operation') or span.span_id)}</b>"
    notes: list[str] = []
    if model and span.is_call:
        notes.append(_plotly_text(model))
    failure = ""
    if span.status == "error":
        failure = words("trace.error", error=span.error_type) if span.error_type else words("trace.still_failed")
    if span.is_call and not span.counted:
        notes.append(words("trace.not_counted", reason=details.reason(span, words)))
    right = formats.duration(span.duration_ms)
    if span.is_call and span.counted:
        cost = words("not_priced") if span.cost is None else formats.money(span.cost, span.currency)
        right = f"<span style='color:{look.muted}'>{right}</span>   <b>{cost}</b>"
    else:
        right = f"<span style='color:{look.muted}'>{right}</span>"
    return figures.Bar(
        depth=step.depth,
        start_ms=step.start_ms,
        duration_ms=span.duration_ms,
        first_token_ms=span.time_to_first_token_ms,
        left=left,
        note=" · ".join(notes),
        failure=_plotly_text(failure),
        right=right,
        colour=painted.get(span.fact("provider"), look.other) if span.is_call else look.other,
        counted=span.counted or not span.is_call,
        strength=1.0 if span.is_call else 0.45,
        selected=span.span_id == chosen.span_id,
    )


def _what(row: CallRow) -> str:
    return row.name or row.fact("operation") or "–"


def _where(row: CallRow) -> str | None:
    return " / ".join(text for text in (row.fact("service"), row.fact("feature")) if text) or None


def _tokens(row: CallRow) -> int | None:
    counts = [row.usage.get("input_tokens"), row.usage.get("output_tokens")]
    known = [number for number in counts if number is not None]
    return sum(known) if known else None


def _plotly_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _open_pasted() -> None:
    pasted = st.session_state["control_trace"].strip()
    if pasted:
        st.query_params["trace"] = pasted


def _show_more(number: int) -> None:
    st.query_params["shown"] = str(number)
