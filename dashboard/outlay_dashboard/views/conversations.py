"""What Traces shows besides single calls: sessions as conversations, and agents by what their steps and tools cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from outlay_dashboard import client as api
from outlay_dashboard import controls, details, formats, parts, states
from outlay_dashboard.answers import CallRow, Spend, total, totals_by
from outlay_dashboard.parts import LedgerRow
from outlay_dashboard.scope import About, Scope
from outlay_dashboard.views import shared

_MOST_SESSIONS = 25
_MOST_TURNS = 200
_SESSION = "session:"


def sessions(scope: Scope, bar: DeltaGenerator) -> None:
    """The costliest sessions; with one chosen by filter, its calls in the order of the conversation."""
    chosen = [text.removeprefix(_SESSION) for text in scope.filters if text.startswith(_SESSION)]
    if chosen and chosen[0] != "*":
        _conversation(scope, bar, chosen[0])
    else:
        _sessions(scope, bar)


def agents(scope: Scope, bar: DeltaGenerator) -> None:
    """What agents cost, and each of their steps and tools."""
    words = scope.words
    by_agent = scope.client.begin(api.spend(scope.window, group_by=["agent"], **scope.about))
    agent_latency = scope.client.begin(api.latency(scope.window, group_by=["agent"], **scope.about))
    asked = {
        by: (
            scope.client.begin(api.spend(scope.window, group_by=[by], **_of_agents(scope))),
            scope.client.begin(api.latency(scope.window, group_by=[by], **_of_agents(scope))),
        )
        for by in ("step", "tool")
    }
    with bar:
        controls.bar(scope, with_groups=False)
    spend = by_agent.get()
    named = [row for row in spend.rows if row.of.get("agent")]
    if not named:
        _none(scope, words("agents.none"), words("agents.none_do"))
        return
    largest = max(named, key=lambda row: (row.cost or Decimal(0), row.calls))
    share = formats.share(largest.cost, total(named).cost)
    title = words("agents.title", agent=str(largest.of["agent"]), share=share)
    shared.costs_by(scope, _only(spend, "agent"), agent_latency.get_or(()), "agent", title=title)
    for by, title in (("step", words("agents.by_step")), ("tool", words("agents.by_tool"))):
        spent, latency = asked[by]
        found = _only(spent.get(), by)
        if found.rows:
            st.space("small")
            shared.costs_by(scope, found, latency.get_or(()), by, title=title)


def _of_agents(scope: Scope) -> About:
    """What the page is about, of calls that agents made."""
    about = scope.about
    kept = (
        about["filters"] if any(text.startswith("agent:") for text in scope.filters) else (*about["filters"], "agent:*")
    )
    return {"project": about["project"], "filters": kept}


def _only(spend: Spend, dimension: str) -> Spend:
    """The rows that have a value."""
    return replace(spend, rows=tuple(row for row in spend.rows if row.of.get(dimension)))


def _sessions(scope: Scope, bar: DeltaGenerator) -> None:
    words = scope.words
    asked = scope.client.begin(api.spend(scope.window, group_by=["session"], **scope.about))
    with bar:
        controls.bar(scope, with_groups=False)
    spend = asked.get()
    groups = {key: sums for key, sums in totals_by(spend.rows, lambda row: row.of.get("session")).items() if key}
    if not groups:
        _none(scope, words("sessions.none"), words("sessions.none_do"))
        return
    ordered = sorted(groups.items(), key=lambda pair: (-(pair[1].cost or Decimal(0)), -pair[1].calls, pair[0]))
    rows = [
        LedgerRow(
            name=str(key),
            cells=(
                formats.count(sums.calls),
                formats.tokens(sums.tokens, words.language),
                formats.share(sums.errors, sums.calls),
                shared.cost_of(sums, spend.currency, words),
            ),
            href=scope.link("traces", view="sessions", filter=scope.with_filter("session", key)),
        )
        for key, sums in ordered[:_MOST_SESSIONS]
    ]
    costs = [sums.cost for sums in groups.values() if sums.cost is not None]
    mean = sum(costs, Decimal(0)) / len(costs) if costs else None
    title = words("sessions.title", n=len(groups), mean=formats.money(mean, spend.currency))
    st.html(parts.title(title, shared.measure_of_window(scope, spend.currency)))
    columns = ("column.calls", "column.tokens", "column.errors", "column.cost")
    head = (shared.capitalised(words.dimension("session")), *(words(column) for column in columns))
    st.html(parts.ledger(head, rows))
    if len(ordered) > _MOST_SESSIONS:
        st.caption(words("explore.and_more", n=len(ordered) - _MOST_SESSIONS))
    shared.downloads(scope, spend.rows, ["session"], "sessions")


def _conversation(scope: Scope, bar: DeltaGenerator, session: str) -> None:
    words = scope.words
    asked = scope.client.begin(api.calls(window=scope.window, counted_only=True, limit=_MOST_TURNS, **scope.about))
    with bar:
        controls.bar(scope, with_groups=False)
    found = asked.get()
    turns = list(reversed(found.rows))
    if not turns:
        states.nothing_here(scope)
        return
    currency = turns[0].currency
    first, last = turns[0], turns[-1]
    known = [turn.cost for turn in turns if turn.cost is not None]
    took = (last.start_time - first.start_time).total_seconds() * 1000 + last.duration_ms
    title = words(
        "sessions.one",
        n=len(turns),
        cost=formats.money(sum(known, Decimal(0)), currency) if known else words("not_priced"),
        duration=formats.duration(took),
    )
    st.html(parts.title(title, session))
    if found.next_cursor:
        st.html(parts.sentence(words("sessions.newest_only", n=_MOST_TURNS)))
    columns = ("column.tokens", "column.duration", "column.cost", "sessions.so_far")
    head = (words("sessions.turn"), *(words(column) for column in columns))
    st.html(parts.ledger(head, _turns(scope, turns)))


def _turns(scope: Scope, turns: Sequence[CallRow]) -> list[LedgerRow]:
    """Each call with what the conversation had cost by its end."""
    words = scope.words
    rows: list[LedgerRow] = []
    so_far = Decimal(0)
    for turn in turns:
        so_far += turn.cost or Decimal(0)
        when = formats.day_and_clock(turn.start_time.astimezone(scope.window.zone), words.language, seconds=True)
        told = " · ".join(part for part in (turn.fact("model"), when, _failure(scope, turn)) if part)
        counts = [turn.usage.get("input_tokens"), turn.usage.get("output_tokens")]
        known = [number for number in counts if number is not None]
        cells = (
            formats.tokens(sum(known) if known else None, words.language),
            formats.duration(turn.duration_ms),
            formats.money(turn.cost, turn.currency),
            formats.money(so_far, turn.currency),
        )
        href = scope.link("traces", trace=turn.trace_id, span=turn.span_id)
        rows.append(LedgerRow(name=turn.name or turn.span_id, note=told, cells=cells, href=href))
    return rows


def _failure(scope: Scope, turn: CallRow) -> str:
    return details.outcome(turn, scope.words) if turn.status == "error" else ""


def _none(scope: Scope, what: str, do: str) -> None:
    """Nothing of the kind: first whether there is anything at all, then how to have it."""
    if states.nothing_recorded(scope):
        states.first_run(scope)
    else:
        st.html(parts.empty(what, do))
