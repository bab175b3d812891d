"""Settings: what is set, and the command that changes it. The dashboard itself changes nothing."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import formats, parts
from outlay_dashboard.answers import Key, Rates
from outlay_dashboard.client import NotAllowedError, NotThereError
from outlay_dashboard.parts import Fact, LedgerRow
from outlay_dashboard.scope import Scope
from outlay_dashboard.views import shared


def show(scope: Scope) -> None:
    words = scope.words
    shared.heading(scope, "settings", note=words("settings.note"))
    asked_projects = scope.client.begin(api.projects())
    asked_keys = scope.client.begin(api.keys())
    asked_tags = scope.client.begin(api.tags())
    asked_changes = scope.client.begin(api.price_changes())
    asked_rates = scope.client.begin(api.rates())
    left, right = st.columns(2, gap="large")
    with left:
        _projects(scope, asked_projects)
        _keys(scope, asked_keys)
        _tags(scope, asked_tags)
    with right:
        _instance(scope)
        _prices(scope, asked_changes)
        _rates(scope, asked_rates)


def _projects(scope: Scope, asked: api.Asked[tuple[api.answers.Project, ...]]) -> None:
    words = scope.words
    rows = [
        LedgerRow(
            name=project.name,
            cells=(words.known(f"content.{project.content}", str(project.content)), _day(scope, project.created_at)),
            href=scope.link("overview", project=project.name, filter=None),
        )
        for project in asked.get()
    ]
    st.html(parts.title(words("settings.projects"), words("settings.projects_note")))
    st.html(parts.ledger((words("control.project"), words("settings.content"), words("settings.since")), rows))
    st.code("outlay project create NAME", language="bash")


def _keys(scope: Scope, asked: api.Asked[tuple[Key, ...]]) -> None:
    words = scope.words
    st.html(parts.title(words("settings.keys"), words("settings.keys_note")))
    try:
        keys = asked.get()
    except NotAllowedError:
        st.html(parts.notice(words("settings.keys_hidden"), words("settings.keys_hidden_do")))
        return
    except NotThereError:
        return
    rows = [
        LedgerRow(
            name=key.name or key.id,
            note=f"{key.id} · {', '.join(key.scopes)} · {key.project or words('control.all_projects')}",
            cells=(_state(scope, key),),
            muted=key.revoked_at is not None,
        )
        for key in keys
    ]
    st.html(parts.ledger((words("settings.key"), words("settings.last_used")), rows))
    st.code("outlay key create --scope ingest --project NAME\noutlay key revoke ID", language="bash")


def _tags(scope: Scope, asked: api.Asked[tuple[api.answers.Tag, ...]]) -> None:
    words = scope.words
    try:
        tags = asked.get()
    except NotThereError:
        return
    st.html(parts.title(words("settings.tags"), words("settings.tags_note")))
    rows = [
        LedgerRow(
            name=tag.key,
            note=words("settings.tag_days_to_go", days=tag.days_to_go) if tag.days_to_go else "",
            cells=(_day(scope, tag.declared_at),),
            href=scope.link("explore", by=f"tag:{tag.key}"),
        )
        for tag in tags
    ]
    if rows:
        st.html(parts.ledger((words("settings.tag"), words("settings.since")), rows))
    st.code("outlay tag declare KEY\noutlay tag withdraw KEY", language="bash")


def _state(scope: Scope, key: Key) -> str:
    if key.revoked_at:
        return scope.words("settings.revoked")
    if key.expires_at and key.expires_at < scope.now:
        return scope.words("settings.expired")
    return _day(scope, key.last_used_at) if key.last_used_at else scope.words("settings.never_used")


def _instance(scope: Scope) -> None:
    words = scope.words
    st.html(parts.title(words("settings.instance"), words("settings.instance_note")))
    st.html(
        parts.facts(
            [
                Fact(words("settings.zone"), f"{scope.settings.zone.key} (OUTLAY_TIME_ZONE)"),
                Fact(words("settings.endpoint"), f"{scope.settings.endpoint} (OUTLAY_ENDPOINT)"),
                Fact(words("settings.your_key"), _own_key(scope)),
            ]
        )
    )


def _own_key(scope: Scope) -> str:
    """The part of the key that names it; the secret is never shown."""
    if scope.settings.login:
        return scope.words("settings.as_reader")
    key = scope.settings.api_key
    if not key:
        return scope.words("settings.no_key")
    pieces = key.split("_")
    return f"{'_'.join(pieces[:2])}_…" if len(pieces) > 2 else "…"


def _prices(scope: Scope, asked: api.Asked[tuple[api.answers.PriceChange, ...]]) -> None:
    words = scope.words
    changes = asked.get_or(())
    if not changes:
        return
    rows = [
        LedgerRow(
            name=change.name or change.kind,
            note=words("settings.version", version=change.version, kind=change.kind),
            cells=(_day(scope, change.at),),
        )
        for change in changes
    ]
    st.html(parts.title(words("settings.prices"), words("settings.prices_note")))
    st.html(parts.ledger((words("settings.change"), words("settings.when")), rows))
    st.code("outlay price import\noutlay price override --help", language="bash")


def _rates(scope: Scope, asked: api.Asked[Rates]) -> None:
    """What other currencies are worth, and those of prices that nobody knows today."""
    words = scope.words
    try:
        rates = asked.get()
    except NotThereError:
        return
    missing = [
        LedgerRow(name=currency, note=reason, cells=(words("settings.no_rate"), formats.DASH), has_unknown=True)
        for currency, reason in rates.missing
    ]
    rows = [
        LedgerRow(name=f"1 {rate.currency}", note=rate.source, cells=(f"{rate.rate:.6g} {rate.target}", rate.day))
        for rate in rates.rows
    ]
    st.html(parts.title(words("settings.rates", currency=rates.currency), words("settings.rates_note")))
    if rows or missing:
        st.html(
            parts.ledger((words("settings.currency"), words("settings.rate"), words("settings.day")), missing + rows)
        )
    st.code("outlay price rates import eurofxref-hist.csv", language="bash")


def _day(scope: Scope, moment: datetime | None) -> str:
    if moment is None:
        return formats.DASH
    return formats.day_and_clock(moment.astimezone(scope.window.zone), scope.words.language)
