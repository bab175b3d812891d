"""Data quality: how much of the spend is known, attributed and counted, and what to do about the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import controls, details, formats, parts, sentences, states
from outlay_dashboard.answers import CallRow, PriceGap, RefusedSpans, Spend, Totals, total, totals_by
from outlay_dashboard.parts import LedgerRow, Stat
from outlay_dashboard.scope import Scope
from outlay_dashboard.views import shared

_OWNERS = ("team", "feature", "environment", "customer", "user")
_LOOKED_AT = 500
_SAMPLE = 200  # characters of what a sender was told


def show(scope: Scope) -> None:
    controls.bar(scope, with_groups=False)
    begin, window, about = scope.client.begin, scope.window, scope.about
    asked_models = begin(api.spend(window, group_by=["provider", "model"], **about))
    asked_services = begin(api.spend(window, group_by=["service"], **about))
    asked_owners = {name: begin(api.spend(window, group_by=[name], **about)) for name in _OWNERS}
    asked_left_out = begin(api.calls(window=window, counted_only=False, limit=_LOOKED_AT, **about))
    asked_gaps = begin(api.price_gaps(window, **about))
    asked_dropped = begin(api.dropped_by_clients(window, project=scope.project))
    asked_refused = begin(api.refused(window, project=scope.project))
    models = asked_models.get()
    totals = total(models.rows)
    if not totals.calls:
        if states.nothing_recorded(scope):
            states.first_run(scope)
        else:
            states.nothing_here(scope)
        _refused(scope, _or_none(asked_refused))
        return
    _top(scope, totals, asked_dropped.get_or(0))
    st.space("small")
    left, right = st.columns(2, gap="large")
    with left:
        _unpriced(scope, models, asked_gaps.get_or(()))
        _usage(scope, asked_services.get())
    with right:
        _owners(scope, {name: asked.get() for name, asked in asked_owners.items()})
        _left_out(scope, [row for row in asked_left_out.get().rows if not row.counted])
    _refused(scope, _or_none(asked_refused))


def _top(scope: Scope, totals: Totals, dropped: int) -> None:
    words = scope.words
    priced = totals.calls - totals.unpriced_calls
    reported = totals.calls - totals.estimated_calls - totals.missing_usage_calls
    tokens = totals.tokens - totals.unpriced_tokens
    answer = (
        words("quality.perfect")
        if priced == reported == totals.calls
        else words(
            "quality.answer", priced=formats.share(priced, totals.calls), reported=formats.share(reported, totals.calls)
        )
    )
    st.html(parts.page_title(answer, shared.measure_of_window(scope)))
    st.html(
        parts.stats(
            [
                Stat(
                    label=words("quality.calls_priced"),
                    value=formats.share(priced, totals.calls),
                    notes=(words("quality.not", n=totals.unpriced_calls),) if totals.unpriced_calls else (),
                ),
                Stat(label=words("quality.tokens_priced"), value=formats.share(tokens, totals.tokens)),
                Stat(
                    label=words("quality.reported"),
                    value=formats.share(reported, totals.calls),
                    notes=(words("quality.not", n=totals.calls - reported),) if reported != totals.calls else (),
                ),
                Stat(label=words("quality.estimated"), value=formats.count(totals.estimated_calls)),
                Stat(label=words("quality.missing"), value=formats.count(totals.missing_usage_calls)),
                Stat(label=words("quality.dropped"), value=formats.count(dropped)),
            ],
            wide=True,
        )
    )


def _unpriced(scope: Scope, models: Spend, gaps: Sequence[PriceGap]) -> None:
    """Models without a price, and for the one with the most tokens the command that gives it one."""
    words = scope.words
    known = {(gap.provider, gap.model): gap for gap in gaps}
    groups = totals_by(models.rows, lambda row: (row.of.get("provider"), row.of.get("model")))
    unpriced = sorted(
        ((key, sums) for key, sums in groups.items() if sums.unpriced_calls), key=lambda pair: -pair[1].unpriced_tokens
    )
    if not unpriced:
        st.html(parts.title(words("overview.all_priced"), ""))
        return
    rows = [
        LedgerRow(
            name=sentences.name_of(model, "model", words),
            note=_note(sentences.name_of(provider, "provider", words), known.get((provider, model)), scope),
            colour="hatched",
            cells=(
                formats.count(sums.unpriced_calls),
                formats.share(sums.unpriced_calls, sums.calls),
                formats.tokens(sums.unpriced_tokens, words.language),
            ),
            href=scope.link("traces", filter=scope.with_filter("model", model)),
        )
        for (provider, model), sums in unpriced[:15]
    ]
    st.html(parts.title(words("quality.unpriced", n=len(unpriced)), words("quality.unpriced_measure")))
    st.html(
        parts.ledger(
            (
                shared.capitalised(words("dimension.model")),
                words("quality.column_calls"),
                words("quality.column_share"),
                words("quality.column_tokens"),
            ),
            rows,
        )
    )
    command = next((gap.command for key, _ in unpriced if (gap := known.get(key)) and gap.command), "")
    if command:
        st.html(f'<div class="o muted">{words("quality.unpriced_do")}</div>')
        st.code(command, language="bash", wrap_lines=True)


def _note(provider: str, gap: PriceGap | None, scope: Scope) -> str:
    """Whose model it is, and what its calls would cost as the nearest known one."""
    if gap is None or gap.nearest is None:
        return provider
    words = scope.words
    near = words("quality.nearest", model=gap.nearest)
    if gap.estimate is None:
        return f"{provider} · {near}"
    return f"{provider} · {near}, {words('quality.at_stake', cost=formats.money(gap.estimate, gap.currency))}"


def _usage(scope: Scope, services: Spend) -> None:
    words = scope.words
    groups = totals_by(services.rows, lambda row: row.of.get("service"))
    poor = sorted(
        ((key, sums) for key, sums in groups.items() if sums.missing_usage_calls or sums.estimated_calls),
        key=lambda pair: -(pair[1].missing_usage_calls + pair[1].estimated_calls),
    )
    if not poor:
        return
    rows = [
        LedgerRow(
            name=sentences.name_of(service, "service", words),
            cells=(
                formats.count(sums.missing_usage_calls),
                formats.count(sums.estimated_calls),
                formats.share(sums.missing_usage_calls + sums.estimated_calls, sums.calls),
            ),
            href=scope.link("traces", filter=scope.with_filter("service", service)),
        )
        for service, sums in poor[:10]
    ]
    st.html(parts.title(words("quality.poor_usage"), words("quality.poor_usage_do")))
    columns = (words("quality.missing"), words("quality.estimated"), words("column.share"))
    st.html(parts.ledger((shared.capitalised(words("dimension.service")), *columns), rows))


def _owners(scope: Scope, by: dict[str, Spend]) -> None:
    """The share of the spend that carries each dimension."""
    words = scope.words
    rows: list[LedgerRow] = []
    for name, spend in by.items():
        groups = totals_by(spend.rows, lambda row, name=name: row.of.get(name))
        whole, without = total(spend.rows), groups.get(None, Totals())
        if not whole.cost:
            continue
        known = whole.cost - (without.cost or Decimal(0))
        rows.append(
            LedgerRow(
                name=shared.capitalised(words.dimension(name)),
                cells=(formats.share(known, whole.cost), formats.money(without.cost or Decimal(0), spend.currency)),
                href=scope.link("explore", by=name, filter=scope.with_filter(name, None)) if without.calls else "",
            )
        )
    if rows:
        st.html(parts.title(words("quality.owners"), words("quality.owners_measure")))
        st.html(parts.ledger((words("quality.dimension"), words("quality.has"), words("quality.without")), rows))


def _left_out(scope: Scope, rows: Sequence[CallRow]) -> None:
    """Which spans describe calls and are not counted, and why."""
    words = scope.words
    if not rows:
        return
    latest = {details.reason(row, words): row for row in reversed(rows)}
    counts = Counter(details.reason(row, words) for row in rows)
    shown = [
        LedgerRow(
            name=shared.capitalised(reason),
            cells=(formats.count(number),),
            href=scope.link("traces", trace=latest[reason].trace_id, span=latest[reason].span_id),
        )
        for reason, number in counts.most_common()
    ]
    st.html(parts.title(words("quality.left_out"), words("quality.left_out_measure", n=_LOOKED_AT)))
    st.html(parts.ledger((words("quality.reason"), words("quality.spans")), shown))


def _or_none(asked: api.Asked[tuple[RefusedSpans, ...]]) -> tuple[RefusedSpans, ...]:
    """Refused spans, where the reader's key may see them."""
    try:
        return asked.get_or(())
    except api.NotAllowedError:
        return ()


def _refused(scope: Scope, refused: Sequence[RefusedSpans]) -> None:
    """Spans that were received and not stored, by reason, each with what its sender was told."""
    words = scope.words
    if not refused:
        return
    rows = [
        LedgerRow(
            name=shared.capitalised(words.known(f"refused.{one.reason}", one.reason.replace("_", " "))),
            note=one.sample[:_SAMPLE],
            cells=(formats.count(one.letters), formats.count(one.retried)),
        )
        for one in refused
    ]
    st.html(
        parts.title(words("quality.refused", n=sum(one.letters for one in refused)), words("quality.refused_measure"))
    )
    st.html(parts.ledger((words("quality.reason"), words("quality.spans"), words("quality.accepted_since")), rows))
    st.html(f'<div class="o muted">{words("quality.refused_do")}</div>')
    st.code("outlay deadletter list\noutlay deadletter retry --all", language="bash", wrap_lines=True)
