"""Overview: what was spent, by whom, how surely, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import controls, formats, parts, sentences, states
from outlay_dashboard.answers import Bridge, Budget, LatencyRow, Spend, Totals, total, totals_by
from outlay_dashboard.client import Asked
from outlay_dashboard.figures import bridge as drawn_bridge
from outlay_dashboard.figures import ranking
from outlay_dashboard.figures import spend as figures
from outlay_dashboard.movers import Mover, movers, recorded_since
from outlay_dashboard.parts import LedgerRow, Stat
from outlay_dashboard.scope import Scope
from outlay_dashboard.stacks import DAYS_OF_WEEK, OTHER, Stack, per_period, stack, weeks_back
from outlay_dashboard.views import shared
from outlay_dashboard.windows import DAY, period_end, periods, previous
from outlay_dashboard.words import Words

EXPLAINED_BY = ("feature", "model")
_MADE_OF = 7


def show(scope: Scope) -> None:
    window, before = scope.window, previous(scope.window)
    about = scope.about
    asked_now = scope.client.begin(api.spend(window, interval=window.interval, group_by=[scope.by], **about))
    asked_before = scope.client.begin(api.spend(before, interval=window.interval, group_by=[scope.by], **about))
    asked_latency = scope.client.begin(api.latency(window, **about))
    asked_latency_before = scope.client.begin(api.latency(before, **about))
    asked_why_now = scope.client.begin(api.spend(window, group_by=EXPLAINED_BY, **about))
    asked_why = scope.client.begin(api.bridge(window, before, group_by=EXPLAINED_BY, **about))
    asked_ranks = scope.client.begin(shared.ranking(scope, scope.by))
    asked_budgets = scope.client.begin(api.budgets(project=scope.project))
    asked_billed = scope.client.begin(api.billed(window))

    controls.bar(scope)
    now, was = asked_now.get(), asked_before.get()
    totals = total(now.rows)
    if not totals.calls and not total(was.rows).calls and states.nothing_recorded(scope):
        states.first_run(scope)
        return
    if not totals.calls:
        states.nothing_here(scope)
        return

    since = recorded_since(was.rows, before)
    if since:
        was = replace(was, rows=())
    budget = _budget_of(scope, asked_budgets.get_or(()))
    latency_before = () if since else asked_latency_before.get_or(())
    _top(scope, now, was, since, asked_latency.get_or(()), latency_before, budget)
    _billed(scope, asked_billed)
    st.space("small")
    layers = stack(now.rows, scope.by, periods(window))
    painted = shared.painted(scope.by, [layer.key for layer in layers.series], asked_ranks.get(), scope)
    _over_time(scope, now, was, layers, painted, budget)
    st.space("small")
    if total(was.rows).cost:
        _changed(scope, now, was, asked_why.get())
    else:
        _made_of(scope, asked_why_now.get())


def _top(
    scope: Scope,
    now: Spend,
    was: Spend,
    since: datetime | None,
    latency: tuple[LatencyRow, ...],
    latency_before: tuple[LatencyRow, ...],
    budget: Budget | None,
) -> None:
    words, totals, before = scope.words, total(now.rows), total(was.rows)
    span = words(f"window.{scope.window.name}")
    if scope.window.name == "custom":
        span = sentences.span_of_days(scope.window, words)
    span = span[:1].lower() + span[1:]
    label = (
        words("overview.in_project", project=scope.project, window=span)
        if scope.project
        else words("overview.label", window=span)
    )
    change = sentences.spend_change(before, totals, scope.window, now.currency, words)
    if since:
        began = formats.day(since.astimezone(scope.window.zone), words.language)
        change = words("overview.too_new", day=began, base=words(f"before.{scope.window.name}"))
    left, right = st.columns([1.25, 1], gap="large", vertical_alignment="bottom")
    with left:
        st.html(
            parts.headline(
                label=label,
                total=words("not_priced") if totals.cost is None else formats.money(totals.cost, now.currency),
                exact="" if totals.cost is None else formats.exact_money(totals.cost, now.currency),
                change=change,
                sentences=sentences.completeness(totals, now.complete_until, scope.window, words),
            )
        )
        if budget is not None:
            st.html(parts.linked(_against(budget, words), scope.link("budgets", budget=budget.name)))
    with right:
        st.html(parts.stats(_stats(scope, totals, before, now.currency, latency, latency_before)))


def _billed(scope: Scope, asked: Asked[tuple[Decimal, Decimal, str] | None]) -> None:
    """Where bills speak of the window: how much of them the spend explains. For readers of all projects and no filter."""
    if scope.project or scope.filters:
        return
    try:
        found = asked.get_or(None)
    except api.NotAllowedError:
        return
    if found is None:
        return
    billed, traced, currency = found
    words = scope.words
    figures_of = (
        ("overview.billed", billed),
        ("overview.billed_traced", traced),
        ("overview.billed_difference", billed - traced),
    )
    st.html(
        parts.stats(
            [
                Stat(
                    label=words(key),
                    value=formats.money(amount, currency),
                    exact=formats.exact_money(amount, currency),
                    notes=(formats.share(amount, billed),) if key != "overview.billed" else (),
                )
                for key, amount in figures_of
            ],
            wide=True,
        )
    )


def _stats(
    scope: Scope,
    totals: Totals,
    before: Totals,
    currency: str,
    latency: tuple[LatencyRow, ...],
    latency_before: tuple[LatencyRow, ...],
) -> list[Stat]:
    words, language = scope.words, scope.words.language
    p95 = latency[0].p95_ms if latency else None
    p95_before = latency_before[0].p95_ms if latency_before else None

    def was(value: str) -> tuple[str, ...]:
        return (words("stat.was", value=value),) if before.calls else ()

    return [
        Stat(label=words("stat.calls"), value=formats.count(totals.calls), notes=was(formats.count(before.calls))),
        Stat(
            label=words("stat.tokens"),
            value=formats.tokens(totals.tokens, language),
            notes=(
                words(
                    "stat.in_out",
                    input=formats.tokens(totals.input_tokens, language),
                    output=formats.tokens(totals.output_tokens, language),
                ),
            ),
        ),
        Stat(
            label=words("stat.errors"),
            value=formats.share(totals.errors, totals.calls),
            notes=was(formats.share(before.errors, before.calls)),
        ),
        Stat(
            label=words("stat.p95"),
            value=formats.duration(p95),
            notes=was(formats.duration(p95_before)) if p95_before is not None else (),
        ),
    ]


def _budget_of(scope: Scope, found: tuple[Budget, ...]) -> Budget | None:
    """The budget that all the page shows counts for, if there is one: of a whole project, the one likeliest to break."""
    whole = [one for one in found if one.is_everything and one.is_ready]
    projects = {one.project for one in whole}
    real = [name for name in scope.projects if f"project!:{name}" not in scope.leaves_out]
    if scope.filters or (scope.project is None and (len(real) != 1 or projects != set(real))):
        return None
    return max(whole, key=lambda one: one.risk, default=None)


def _against(budget: Budget, words: Words) -> str:
    """What is spent of the budget, and what is likely to be at the end."""
    spent, amount = (formats.money(one, budget.currency) for one in (budget.spent, budget.amount))
    name, share, period = budget.name, f"{budget.share:.1f} %", budget.label
    found = budget.forecast
    if found is None or found.low_confidence:
        return words("overview.budget_now", name=name, spent=spent, amount=amount, share=share, period=period)
    likely = formats.money(found.p50, budget.currency)
    return words("overview.budget", name=name, spent=spent, amount=amount, share=share, period=period, likely=likely)


def _pace(scope: Scope, budget: Budget | None) -> figures.Pace | None:
    """What the budget has for each day, where bars are days."""
    if budget is None or scope.window.interval != DAY or budget.period in ("day", "rolling"):
        return None
    days = round((budget.end - budget.start) / timedelta(days=1))
    return figures.Pace(value=budget.amount / days, name=scope.words("overview.budget_line", name=budget.name))


def _over_time(
    scope: Scope, now: Spend, was: Spend, layers: Stack, painted: dict[str | None, str], budget: Budget | None
) -> None:
    words, window = scope.words, scope.window
    names = shared.names_in(layers, scope)
    axis = shared.axis_of(scope, layers.periods, now.complete_until)
    measure = words(
        "overview.measure",
        currency=now.currency,
        interval=words(f"interval.{window.interval}"),
        dimension=words.dimension(scope.by),
        range=sentences.span_of_days(window, words),
        zone=window.zone.key,
    )
    earlier = _earlier(scope, now, was, layers)
    if earlier:
        measure = f"{measure} · {words('chart.grey_line', label=earlier.label)}"
    left, right = st.columns([2.1, 1], gap="large")
    with left:
        st.html(parts.title(sentences.who_spends(layers, words), measure))
        drawn = figures.spend_over_time(
            layers,
            axis,
            names=names,
            colours=painted,
            before=earlier,
            pace=_pace(scope, budget),
            unpriced_calls=[sums.unpriced_calls for sums in per_period(now.rows, layers.periods)],
            currency=now.currency,
            look=scope.look,
            words=words,
        )
        clicked = shared.chart(
            drawn,
            name="spend_over_time",
            alt=words(
                "chart.alt_spend",
                interval=words(f"interval.{window.interval}"),
                dimension=words.dimension(scope.by),
            ),
            clickable=True,
        )
        shared.open_clicked(scope, layers, clicked or [])
    with right:
        st.html(_ledger(scope, layers, was, names, painted, now.currency))
        shared.downloads(scope, now.rows, [scope.by], "spend")


def _earlier(scope: Scope, now: Spend, was: Spend, layers: Stack) -> figures.Before | None:
    """What to draw behind the bars: the same weekdays some weeks before, or the same hours of the day before."""
    words, window, language = scope.words, scope.window, scope.words.language
    found = totals_by([*was.rows, *now.rows], lambda row: row.period_start)
    if window.interval == DAY and len(layers.periods) >= DAYS_OF_WEEK and window.name not in ("month", "last_month"):
        days = weeks_back(len(layers.periods))
        starts = [start - timedelta(days=days) for start in layers.periods]
        label = words("chart.weeks_before", n=days // DAYS_OF_WEEK)
    else:
        starts = periods(previous(window))[: len(layers.periods)]
        label = words(f"before.{window.name}")
    missing = len(layers.periods) - len(starts)
    if not was.rows or not starts:
        return None
    return figures.Before(
        label=label,
        costs=[*(_whole(found, start, scope) for start in starts), *[None] * missing],
        long=[*(sentences.period_long(start, window.interval, language) for start in starts), *[""] * missing],
    )


def _whole(found: dict[datetime | None, Totals], start: datetime, scope: Scope) -> Decimal | None:
    """What a period before cost, None where only its first part was asked for."""
    cut = previous(scope.window).end
    known = start.astimezone(UTC)
    if known not in found or start < cut < min(period_end(start, scope.window.interval), scope.window.start):
        return None
    return found[known].cost


def _ledger(
    scope: Scope,
    layers: Stack,
    was: Spend,
    names: dict[str | None, str],
    painted: dict[str | None, str],
    currency: str,
) -> str:
    """The legend of the chart, with figures: who, how much, which share, how it changed."""
    words = scope.words
    before = totals_by(was.rows, lambda row: row.of.get(scope.by))
    whole = layers.totals.cost
    rows: list[LedgerRow] = []
    for layer in layers.series:
        if layer.is_unknown:
            cost = shared.cost_of(layer.totals, currency, words)
            cells = (cost, "", "") if was.rows else (cost, "")
            note = words("latency.calls", n=layer.totals.calls)
            colour = "hatched" if layer.totals.unpriced_calls else None
            href = _drill(scope, layer.key)
            rows.append(LedgerRow(name=names[layer.key], cells=cells, colour=colour, muted=True, href=href, note=note))
            continue
        sums = before.get(layer.key)
        changed = formats.change(sums.cost, layer.totals.cost) if sums else None
        if changed is None:
            changed = words("column.new") if was.rows and sums is None and layer.key != OTHER else ""
        rows.append(
            LedgerRow(
                name=names[layer.key],
                cells=(
                    formats.money(layer.totals.cost, currency),
                    formats.share(layer.totals.cost, whole),
                    *([changed] if was.rows else []),
                ),
                colour=scope.look.other if layer.key == OTHER else painted[layer.key],
                has_unknown=layer.totals.unpriced_calls > 0,
                href="" if layer.key == OTHER else _drill(scope, layer.key),
            )
        )
    columns = [shared.capitalised(words.dimension(scope.by)), words("column.spend"), words("column.share")]
    return parts.ledger([*columns, words("column.change")] if was.rows else columns, rows)


def _drill(scope: Scope, key: str | None) -> str:
    """One group, by the next finer dimension."""
    finer = {"team": "feature", "provider": "model", "project": "team"}.get(scope.by, "model")
    by = "feature" if scope.by == "model" else finer
    return scope.link("overview", filter=scope.with_filter(scope.by, key), by=by)


def _changed(scope: Scope, now: Spend, was: Spend, made: Bridge) -> None:
    """Why the total changed, and whose change it was. A bar opens the calls that made up most of it."""
    words = scope.words
    base = words(f"before.{scope.window.name}")
    left, right = st.columns(2, gap="large")
    if made.effects:
        with left:
            answer = sentences.why_changed(made, now.currency, words)
            measure = words("bridge.measure", currency=now.currency, base=base)
            cut = f" · {words('bridge.cut')}" if drawn_bridge.is_cut(made) else ""
            st.html(parts.title(answer, measure + cut))
            ends = (words("bridge.before"), words("bridge.now"))
            names = {effect: words(f"effect.{effect}") for effect in made.effects}
            points = shared.chart(
                drawn_bridge.what_changed(made, names=names, ends=ends, currency=now.currency, look=scope.look),
                name="what_changed",
                alt=answer,
                clickable=True,
            )
            _open_cause(scope, made, points or [])
    moved = movers(was.rows, now.rows, scope.by)
    if len(moved) > 1:  # with one group the headline has said it all
        with right:
            _moved(scope, moved, now.currency, base)


def _open_cause(scope: Scope, made: Bridge, points: Sequence[dict[str, Any]]) -> None:
    """The calls of the group behind a clicked effect; of the ends, all calls of the window."""
    if not points:
        return
    place = int(points[0]["x"]) - 1
    effects = list(made.effects)
    part = made.most_of(effects[place]) if 0 <= place < len(effects) else None
    filters = scope.filters
    for text in part.filters if part else ():
        dimension, _, value = text.partition(":")
        known = tuple(
            one for one in filters if not one.startswith((f"{dimension.removesuffix('!')}:", f"{dimension}:"))
        )
        filters = (*known, f"{dimension}:{value}")
    st.switch_page(scope.pages["traces"], query_params=scope.address(filter=filters))


def _moved(scope: Scope, moved: list[Mover], currency: str, base: str) -> None:
    words = scope.words
    answer = sentences.who_moved(moved, scope.by, currency, words)
    measure = words("overview.moved_measure", currency=currency, dimension=words.dimension(scope.by), base=base)
    st.html(parts.title(answer, measure))
    names = {mover.key: sentences.name_of(mover.key, scope.by, words) for mover in moved}
    shared.chart(
        figures.what_moved(moved, names=names, currency=currency, look=scope.look), name="what_moved", alt=answer
    )


def _made_of(scope: Scope, spend: Spend) -> None:
    """With nothing to compare with: what the spend is made of, by the dimensions that explain it."""
    words = scope.words
    whole = total(spend.rows).cost
    if not whole:
        return
    for column, dimension in zip(st.columns(2, gap="large"), EXPLAINED_BY, strict=True):
        groups = totals_by(spend.rows, lambda row, dimension=dimension: row.of.get(dimension))
        ordered = sorted(groups, key=lambda key, groups=groups: -(groups[key].cost or 0))[:_MADE_OF]
        ranks = [
            ranking.Rank(
                key=key,
                name=sentences.name_of(key, dimension, words),
                value=None if (cost := groups[key].cost) is None else float(cost),
                text=shared.cost_of(groups[key], spend.currency, words),
                note="" if cost is None else formats.share(cost, whole),
                colour=scope.look.accent,
            )
            for key in ordered
        ]
        with column:
            layers = stack(spend.rows, dimension, [])
            answer = sentences.who_spends(layers, words)
            by = words("control.by_dimension", dimension=words.dimension(dimension))
            st.html(parts.title(answer, shared.measure_of_window(scope, f"{spend.currency} {by}")))
            drawn = ranking.ranking(ranks, look=scope.look)
            points = shared.chart(drawn, name=f"made_of_{dimension}", alt=answer, clickable=True)
            if points:
                key = ranks[int(points[0]["y"])].key
                address = scope.address(filter=scope.with_filter(dimension, key))
                st.switch_page(scope.pages["traces"], query_params=address)
