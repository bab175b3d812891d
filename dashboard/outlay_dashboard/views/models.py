"""Models: what each costs, how fast it is, how its tokens are spent, and how its price went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import controls, formats, measures, parts, prices, sentences, states
from outlay_dashboard.answers import LatencyRow, Spend, Totals, total, totals_by
from outlay_dashboard.figures import frame, history, tradeoff
from outlay_dashboard.parts import LedgerRow
from outlay_dashboard.scope import Scope
from outlay_dashboard.views import shared

_PLOTTED = 14
_NOT_WRITING = ("embeddings", "rerank")

Key = tuple[str | None, str | None]


def show(scope: Scope) -> None:
    controls.bar(scope, with_groups=False)
    asked = scope.client.begin(api.spend(scope.window, group_by=["provider", "model", "operation"], **scope.about))
    asked_latency = scope.client.begin(api.latency(scope.window, group_by=["provider", "model"], **scope.about))
    asked_ranks = scope.client.begin(shared.ranking(scope, "model"))
    spend = asked.get()
    groups = totals_by(spend.rows, lambda row: (row.of.get("provider"), row.of.get("model")))
    if not total(spend.rows).calls:
        if states.nothing_recorded(scope):
            states.first_run(scope)
        else:
            states.nothing_here(scope)
        return
    ordered = sorted(groups, key=lambda key: (-(groups[key].cost or Decimal(0)), -groups[key].calls))
    fast = {(row.of.get("provider"), row.of.get("model")): row for row in asked_latency.get()}
    painted = shared.painted("model", [model for _, model in ordered], asked_ranks.get(), scope)
    _tradeoff(scope, spend, fast, painted)
    st.space("small")
    _table(scope, spend, ordered, groups, fast, painted)
    st.space("small")
    _history(scope, [key for key in ordered if key[1]])


def _tradeoff(
    scope: Scope,
    spend: Spend,
    fast: dict[Key, LatencyRow],
    painted: dict[str | None, str],
) -> None:
    """Money per million tokens against p95, of models that write: what is beaten in both is not on the front."""
    words, currency = scope.words, spend.currency
    writing = [row for row in spend.rows if row.of.get("operation") not in _NOT_WRITING]
    groups = totals_by(writing, lambda row: (row.of.get("provider"), row.of.get("model")))
    ordered = sorted(groups, key=lambda key: -(groups[key].cost or Decimal(0)))
    most = max((groups[key].calls for key in ordered), default=1)
    spots: list[tradeoff.Spot] = []
    for key in ordered:
        rate, timed = measures.PER_MILLION.of(groups[key]), fast.get(key)
        if not rate or timed is None or timed.p95_ms is None or len(spots) == _PLOTTED:
            continue
        said = f"{formats.money(rate, currency)} / 1 M · p95 {formats.duration(timed.p95_ms)}"
        spots.append(
            tradeoff.Spot(
                name=sentences.name_of(key[1], "model", words),
                x=float(rate),
                y=timed.p95_ms,
                size=groups[key].calls / most,
                text=f"{said} · {formats.count(groups[key].calls)} {words('stat.calls').lower()}",
                colour=painted[key[1]],
            )
        )
    if len(spots) < 2:
        return
    best = tradeoff.front(spots)
    title = words("models.front", names=sentences.listed([spot.name for spot in best], words))
    st.html(parts.title(title, shared.measure_of_window(scope, words("models.front_measure", currency=currency))))
    x_steps = {
        step: formats.short_money(Decimal(str(step)), currency) for step in tradeoff.steps_for([s.x for s in spots])
    }
    y_steps = {step: formats.duration(step) for step in tradeoff.steps_for([s.y for s in spots])}
    drawn = tradeoff.tradeoff(
        spots,
        x_steps=x_steps,
        y_steps=y_steps,
        x_title=words("models.x", currency=currency),
        y_title=words("models.y"),
        look=scope.look,
    )
    shared.chart(drawn, name="models_tradeoff", alt=title)


def _table(
    scope: Scope,
    spend: Spend,
    ordered: Sequence[Key],
    groups: dict[Key, Totals],
    fast: dict[Key, LatencyRow],
    painted: dict[str | None, str],
) -> None:
    words, currency = scope.words, spend.currency
    rows: list[LedgerRow] = []
    for key in ordered:
        sums, timed = groups[key], fast.get(key)
        rows.append(
            LedgerRow(
                name=sentences.name_of(key[1], "model", words),
                note=sentences.name_of(key[0], "provider", words),
                colour=painted[key[1]] if sums.cost is not None else "hatched" if sums.unpriced_calls else None,
                has_unknown=sums.cost is not None and sums.unpriced_calls > 0,
                muted=sums.cost is None,
                cells=(
                    shared.cost_of(sums, currency, words),
                    formats.count(sums.calls),
                    formats.money(measures.PER_CALL.of(sums), currency),
                    formats.money(measures.PER_MILLION.of(sums), currency),
                    formats.share(sums.cache_read_tokens, sums.input_tokens),
                    formats.share(sums.reasoning_tokens, sums.output_tokens),
                    _ratio(sums.output_tokens, sums.input_tokens),
                    formats.duration(timed.p95_ms if timed else None),
                    formats.duration(timed.ttft_p95_ms if timed else None),
                    formats.share(sums.errors, sums.calls),
                ),
                href=scope.link("traces", filter=scope.with_filter("model", key[1])),
            )
        )
    st.html(parts.title(words("models.table", n=len(rows)), shared.measure_of_window(scope, currency)))
    columns = ("spend", "calls", "per_call", "per_million", "cached", "reasoning", "ratio", "p95", "ttft", "errors")
    head = (shared.capitalised(words("dimension.model")), *(words(f"models.{name}") for name in columns))
    st.html(parts.ledger(head, rows))
    shared.downloads(scope, spend.rows, ["provider", "model"], "models")


def _history(scope: Scope, keys: Sequence[Key]) -> None:
    """How the prices of one model went, and what a million tokens cost at eight in to two out."""
    words = scope.words
    if not keys:
        return
    names = [f"{model}\n{provider or ''}" for provider, model in keys]
    asked_for = st.query_params.get("model")
    chosen = next((name for name in names if name.split("\n")[0] == asked_for), names[0])
    model, provider = chosen.split("\n")
    found = scope.client.ask(api.prices_of(provider or None, model))
    courses = prices.courses(found, now=scope.now)
    title = words("models.history", model=model) if courses else words("models.no_price", model=model)
    changed = [moment for course in courses for moment in course.moments if moment > prices.BEGINNING]
    since = words("models.changed", day=formats.day(max(changed), words.language, year=True)) if changed else ""
    st.html(parts.title(title, words("models.history_measure") + (f" · {since}" if since else "")))
    controls.choose(
        "model",
        list(dict.fromkeys(model for _, model in keys if model)),
        model,
        label=words("dimension.model"),
        say=str,
    )
    if not courses:
        st.html(parts.notice(words("models.no_price", model=model), words("models.no_price_do", model=model)))
        return
    start = min((moment for moment in changed), default=datetime(scope.now.year, 1, 1, tzinfo=UTC))
    drawn_courses = [
        history.Course(
            name=words.known(f"bucket.{course.unit}", course.unit)
            if course.unit != prices.BLENDED
            else words("models.blended"),
            moments=[max(moment, start.replace(day=1)) for moment in course.moments],
            values=[float(amount) for amount in course.amounts],
            texts=[f"{formats.money(amount, course.currency)} / 1 M" for amount in course.amounts],
            colour=scope.look.ink
            if course.unit == prices.BLENDED
            else scope.look.categories[place % len(scope.look.categories)],
            dashed=course.unit == prices.BLENDED,
        )
        for place, course in enumerate(courses)
    ]
    top = max(value for course in drawn_courses for value in course.values)
    currency = courses[0].currency
    steps = {step: formats.short_money(Decimal(str(step)), currency) for step in frame.round_steps(top)}
    drawn = history.price_history(drawn_courses, until=scope.now, steps=steps, look=scope.look)
    shared.chart(drawn, name="price_history", alt=title)
    sources = dict.fromkeys((price.source_url, price.checked) for price in found if price.source_url)
    st.html(parts.sources(list(sources)[:3], words))


def _ratio(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else formats.DASH
