"""Alerts: what stands and what was, unusual spend with its cause, and what was delivered to whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import controls, formats, parts, sentences
from outlay_dashboard.answers import Alert, Delivery
from outlay_dashboard.figures.calendar import calendar, marked
from outlay_dashboard.parts import Fact, LedgerRow
from outlay_dashboard.scope import DEMO, Scope
from outlay_dashboard.views import shared

SHOWN = ("alerts", "unusual", "deliveries")
UNUSUAL = ("spend.unusual", "spend.runaway")

_MOST_CARDS = 20
_MOST_CALENDAR = timedelta(days=120)
_KINDS = {"info": "", "warning": "warning", "critical": "bad"}
_SAID = "alerts_said"


def show(scope: Scope) -> None:
    asked = st.query_params.get("show", SHOWN[0])
    shown = asked if asked in SHOWN else SHOWN[0]
    controls.bar(
        scope,
        with_groups=False,
        with_filters=False,
        also=lambda: controls.choose(
            "show",
            SHOWN,
            shown,
            label=scope.words("alerts.show"),
            say=lambda name: scope.words(f"alerts.{name}"),
            flat=True,
        ),
    )
    said = st.session_state.pop(_SAID, "")
    if said:
        st.html(parts.notice(said))
    if shown == "deliveries":
        _deliveries(scope, scope.client.ask(api.deliveries(project=scope.project)))
        return
    found = scope.client.ask(api.alerts(scope.window, project=scope.project))
    if scope.leaves_out:
        found = tuple(alert for alert in found if alert.project != DEMO)
    if shown == "unusual":
        _unusual(scope, [alert for alert in found if alert.type in UNUSUAL])
    else:
        _alerts(scope, found)


def _alerts(scope: Scope, found: Sequence[Alert]) -> None:
    words = scope.words
    standing = [alert for alert in found if alert.state != "resolved"]
    over = [alert for alert in found if alert.state == "resolved"]
    said = words("alerts.stand", n=len(standing)) if standing else words("alerts.none_stand")
    st.html(parts.page_title(said, shared.measure_of_window(scope)))
    for alert in standing[:_MOST_CARDS]:
        _card(scope, alert)
    st.space("small")
    left, right = st.columns([2, 3], gap="large")
    with left:
        _calendar(scope, found)
    with right:
        _past(scope, over)


def _card(scope: Scope, alert: Alert) -> None:
    words = scope.words
    with st.container(key=f"alert_{alert.id}"):
        st.html(parts.notice(alert.title, alert.summary, _KINDS.get(alert.severity, "")))
        st.html(parts.sentence(" · ".join(_standing(scope, alert))))
        with st.container(horizontal=True, gap="small"):
            if alert.state == "open":
                _button(scope, alert.id, "acknowledge", words("alerts.acknowledge"))
            if alert.muted:
                _button(scope, alert.id, "unmute", words("alerts.unmute"))
            else:
                _button(scope, alert.id, "mute", words("alerts.mute"), {"hours": 24})
            _button(scope, alert.id, "resolve", words("alerts.resolve"))
            if not alert.link.startswith("/alerts"):
                st.link_button(words("alerts.open"), alert.link.lstrip("/"))


def _standing(scope: Scope, alert: Alert) -> list[str]:
    words = scope.words
    texts = [words.known(f"alerts.severity.{alert.severity}", alert.severity)]
    if alert.project:
        texts.append(alert.project)
    texts.append(words("alerts.since", when=_when(scope, alert.opened_at)))
    if alert.acknowledged_by:
        texts.append(words("alerts.acknowledged_by", who=alert.acknowledged_by))
    if alert.muted:
        until = alert.muted_until
        texts.append(words("alerts.muted_until", when=_when(scope, until)) if until else words("alerts.muted"))
    return texts


def _button(scope: Scope, alert_id: str, action: str, label: str, body: Mapping[str, Any] | None = None) -> None:
    key = f"{action}_{alert_id}" if body is None or action == "mute" else f"{action}_{alert_id}_{body}"
    st.button(
        label,
        key=key,
        on_click=_act(scope, f"/api/v1/alerts/{alert_id}/{action}", body, thanks=action == "feedback"),
    )


def _act(scope: Scope, path: str, body: Mapping[str, Any] | None = None, *, thanks: bool = False) -> Callable[[], None]:
    """What a click does; what came of it is said above the page."""

    def act() -> None:
        try:
            scope.client.act(path, body)
        except api.ApiError as error:
            st.session_state[_SAID] = scope.words("alerts.failed", why=error.detail or str(error))
        else:
            if thanks:
                st.session_state[_SAID] = scope.words("alerts.thanks")

    return act


def _calendar(scope: Scope, found: Sequence[Alert]) -> None:
    words, zone = scope.words, scope.window.zone
    start = max(scope.window.start, scope.window.end - _MOST_CALENDAR).astimezone(zone)
    last = (scope.window.end - timedelta(microseconds=1)).astimezone(zone)
    opened = [
        (at.date(), alert.severity) for alert in found if start <= (at := alert.opened_at.astimezone(zone)) <= last
    ]
    st.html(parts.title(words("alerts.calendar", n=len(opened)), words("alerts.calendar_measure")))
    st.html(calendar(start.date(), last.date(), marked(opened), words.language))


def _past(scope: Scope, over: Sequence[Alert]) -> None:
    words = scope.words
    rows = [
        LedgerRow(
            name=alert.title,
            note=alert.project or "",
            cells=(
                words.known(f"alerts.severity.{alert.severity}", alert.severity),
                _when(scope, alert.opened_at),
                _lasted(alert),
            ),
        )
        for alert in over[:50]
    ]
    st.html(parts.title(words("alerts.past"), words("alerts.past_measure")))
    columns = ("alerts.column", "alerts.severity", "alerts.opened", "alerts.lasted")
    st.html(parts.ledger([words(column) for column in columns], rows))


def _lasted(alert: Alert) -> str:
    if alert.resolved_at is None:
        return formats.DASH
    return formats.duration((alert.resolved_at - alert.opened_at).total_seconds() * 1000)


def _unusual(scope: Scope, found: Sequence[Alert]) -> None:
    words = scope.words
    if not found:
        st.html(parts.page_title(words("alerts.no_unusual"), words("alerts.no_unusual_do")))
        return
    note = f"{words('alerts.unusual_measure')} · {shared.measure_of_window(scope)}"
    st.html(parts.page_title(words("alerts.unusual_title", n=len(found)), note))
    for alert in sorted(found, key=_weight, reverse=True)[:_MOST_CARDS]:
        st.space("small")
        left, right = st.columns([3, 2], gap="large")
        with left:
            st.html(
                parts.notice(alert.title, alert.summary, "" if alert.state == "resolved" else _KINDS[alert.severity])
            )
            st.html(parts.facts(_facts(scope, alert)))
            with st.container(horizontal=True, gap="small"):
                _button(scope, alert.id, "feedback", words("alerts.useful"), {"useful": True})
                _button(scope, alert.id, "feedback", words("alerts.not_useful"), {"useful": False})
                if alert.muted:
                    _button(scope, alert.id, "unmute", words("alerts.unmute"))
                else:
                    _button(scope, alert.id, "mute", words("alerts.mute"), {"hours": 24})
        with right:
            _effects(scope, alert)


def _weight(alert: Alert) -> Decimal:
    return abs(Decimal(alert.data.get("impact") or alert.data.get("cost") or 0))


def _facts(scope: Scope, alert: Alert) -> list[Fact]:
    words, data = scope.words, alert.data
    currency = str(data.get("currency") or "USD")
    kind = str(data.get("kind") or "runaway")
    facts = [
        Fact(words("alerts.at"), f"{_when(scope, alert.opened_at)} · {words.known(f'alerts.kind.{kind}', kind)}"),
        Fact(words("alerts.actual"), formats.money(_decimal(data.get("actual") or data.get("cost")), currency)),
    ]
    if kind == "runaway":
        return [*facts, Fact(words("alerts.calls"), formats.count(data.get("calls")))]
    hours = int(data.get("hours") or 0)
    cause = data.get("cause") or {}
    return [
        *facts,
        Fact(words("alerts.expected"), formats.money(_decimal(data.get("expected")), currency)),
        Fact(words("alerts.impact"), formats.money(_decimal(data.get("impact")), currency)),
        Fact(words("alerts.hours"), words("alerts.n_hours", n=hours)),
        Fact(words("alerts.cause"), _place(scope, cause)),
    ]


def _place(scope: Scope, cause: Mapping[str, Any]) -> str:
    dimension = cause.get("dimension")
    if not dimension:
        return scope.words("alerts.everywhere")
    return scope.words(
        "alerts.cause_of",
        dimension=scope.words.dimension(dimension),
        value=sentences.name_of(cause.get("value"), dimension, scope.words),
        share=formats.share(min(float(cause.get("share") or 0), 1.0)),
    )


def _effects(scope: Scope, alert: Alert) -> None:
    """Why it changed, in money; the parts are those of the place that it came from."""
    words = scope.words
    effects = (alert.data.get("cause") or {}).get("effects") or {}
    if not effects:
        return
    currency = str(alert.data.get("currency") or "USD")
    amounts = sorted(((name, Decimal(amount)) for name, amount in effects.items()), key=lambda pair: -abs(pair[1]))
    rows = [
        LedgerRow(
            name=words.known(f"alerts.effect.{name}", name),
            cells=(f"{'+' if amount > 0 else ''}{formats.money(amount, currency)}",),
        )
        for name, amount in amounts
    ]
    st.html(parts.ledger([words("alerts.why"), words("alerts.impact")], rows))


def _deliveries(scope: Scope, found: Sequence[Delivery]) -> None:
    words = scope.words
    if not found:
        st.html(parts.page_title(words("alerts.no_deliveries"), words("alerts.no_deliveries_do")))
        return
    failed = [one for one in found if one.state == "failed"]
    said = words("alerts.deliveries_title", n=len(found), failed=formats.count(len(failed)))
    st.html(parts.page_title(said, words("alerts.deliveries_measure")))
    rows = [
        LedgerRow(
            name=one.title,
            note=one.said or "",
            cells=(
                f"{one.kind} · {one.receiver}",
                words.known(f"alerts.state.{one.state}", one.state),
                formats.count(one.attempts),
                _when(scope, one.created_at),
            ),
        )
        for one in found
    ]
    columns = ("alerts.message", "alerts.to", "alerts.state", "alerts.attempts", "alerts.at")
    st.html(parts.ledger([words(column) for column in columns], rows))
    again = [one for one in found if one.state != "pending"]
    if again:
        _replay(scope, [*failed, *(one for one in again if one.state != "failed")])


def _replay(scope: Scope, again: Sequence[Delivery]) -> None:
    """One delivery once more; those that failed are offered first."""
    words = scope.words
    named = {
        one.id: f"{_when(scope, one.created_at)} · {one.title} · {words.known(f'alerts.state.{one.state}', one.state)}"
        for one in again
    }
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        chosen = st.selectbox(
            words("alerts.replay_which"), list(named), format_func=named.__getitem__, key="replay_which"
        )
        st.button(words("alerts.replay"), key="replay", on_click=_act(scope, f"/api/v1/deliveries/{chosen}/replay"))


def _when(scope: Scope, moment: datetime) -> str:
    return formats.day_and_clock(moment.astimezone(scope.window.zone), scope.words.language)


def _decimal(text: Any) -> Decimal | None:
    return None if text is None else Decimal(text)
