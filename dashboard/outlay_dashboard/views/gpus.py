"""GPUs: where hours of one's own hardware went, what its tokens cost, what lies idle, and whether it pays."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import controls, formats, parts, sentences
from outlay_dashboard.answers import Pool
from outlay_dashboard.figures import gpus as figures
from outlay_dashboard.figures.heat import heat
from outlay_dashboard.parts import Fact, LedgerRow
from outlay_dashboard.scope import Scope
from outlay_dashboard.views import shared
from outlay_dashboard.windows import periods

AGAINST = ("gpt-4o-mini", "gpt-4.1-nano", "gpt-4.1-mini", "claude-3-5-haiku-latest", "gemini-2.0-flash")
"""API models that own hardware is often weighed against; any other by the command line."""

_RATIOS = (
    "utilization",
    "engine_active",
    "sm_active",
    "tensor_active",
    "dram_active",
    "memory_used",
    "kv_usage",
    "most_kv_usage",
)


def show(scope: Scope) -> None:
    controls.bar(scope, with_groups=False, with_filters=False)
    words = scope.words
    found = scope.client.ask(api.pools(scope.window, project=scope.project))
    if not found:
        st.html(parts.page_title(words("page.gpus")))
        st.html(parts.notice(words("gpus.none"), words("gpus.none_do")))
        return
    currency = found[0].currency
    cost = sum((pool.cost or Decimal(0) for pool in found), Decimal(0))
    used = sum((pool.parts["calls"] + pool.parts["jobs"] for pool in found), Decimal(0))
    said = words("gpus.headline", cost=formats.money(cost, currency), share=formats.share(used, cost))
    st.html(parts.page_title(said, shared.measure_of_window(scope, currency)))
    if any(pool.is_default for pool in found):
        st.html(parts.notice(words("gpus.default"), words("gpus.default_do"), "warning"))
    if any(pool.lacks_rate for pool in found):
        st.html(parts.notice(words("gpus.no_rate"), words("gpus.default_do"), "warning"))
    _pools(scope, found, currency)
    names = [pool.name for pool in found]
    asked = st.query_params.get("pool", names[0])
    chosen = next((pool for pool in found if pool.name == asked), found[0])
    if len(found) > 1:
        controls.choose("pool", names, chosen.name, label=words("gpus.pool"), say=str)
    _over_time(scope, chosen, currency)
    left, right = st.columns(2, gap="large")
    with left:
        _tokens(scope, chosen, currency)
        _teams(scope, chosen, currency)
    with right:
        _load(scope, chosen)
    _week(scope, chosen, currency)
    _against(scope, chosen, currency)


def _pools(scope: Scope, found: Sequence[Pool], currency: str) -> None:
    words = scope.words
    rows = [
        LedgerRow(
            name=pool.name,
            note=_hardware(pool),
            cells=(
                formats.money(pool.cost, currency),
                formats.share(pool.parts["calls"] + pool.parts["jobs"], pool.cost),
                *(
                    formats.share(pool.parts[part], pool.cost)
                    for part in ("unattributed", "idle", "startup", "unobserved")
                ),
            ),
            has_unknown=pool.lacks_rate,
            href=scope.link("gpus", pool=pool.name),
        )
        for pool in found
    ]
    columns = ("gpus.pool", "column.spend", "gpus.used", "gpus.part.unattributed", "gpus.part.idle", "gpus.part.startup",
               "gpus.part.unobserved")  # fmt: skip
    st.html(parts.ledger([words(column) for column in columns], rows))


def _hardware(pool: Pool) -> str:
    count = "" if pool.gpus is None else f"{formats.trimmed(pool.gpus)} × "
    return f"{count}{pool.gpu}"


def _over_time(scope: Scope, pool: Pool, currency: str) -> None:
    words, window = scope.words, scope.window
    starts = periods(window)
    values = {part: [Decimal(0)] * len(starts) for part in figures.PARTS}
    for hour, amounts in pool.hours:
        place = bisect_right(starts, hour) - 1
        for part, amount in amounts.items():
            values[part][max(place, 0)] += amount
    names = {part: words(f"gpus.part.{part}") for part in figures.PARTS}
    title = words("gpus.over_time", pool=pool.name)
    st.html(parts.title(title, shared.measure_of_window(scope, currency)))
    drawn = figures.hours_over_time(
        values,
        short=[sentences.period_short(start, window.interval, words.language) for start in starts],
        long=[sentences.period_long(start, window.interval, words.language) for start in starts],
        names=names,
        currency=currency,
        look=scope.look,
    )
    shared.chart(drawn, name="gpu_hours", alt=title)
    painted = figures.colours(scope.look)
    st.html(parts.legend([(names[part], painted[part]) for part in figures.PARTS if any(values[part])]))


def _tokens(scope: Scope, pool: Pool, currency: str) -> None:
    words = scope.words
    st.html(parts.title(words("gpus.tokens"), words("gpus.tokens_measure", currency=currency)))
    rows = [
        LedgerRow(
            name=model.model,
            note=" · ".join(
                words.known(f"gpus.{kind}.{value}", value)
                for kind, value in (("evidence", model.evidence), ("weights", model.weights))
                if value
            ),
            cells=tuple(
                formats.money(amount, currency)
                for amount in (model.busy_prompt, model.busy_output, model.loaded_prompt, model.loaded_output)
            ),
        )
        for model in pool.models
    ]
    columns = ("gpus.model", "gpus.busy_prompt", "gpus.busy_output", "gpus.loaded_prompt", "gpus.loaded_output")
    st.html(parts.ledger([words(column) for column in columns], rows))


def _teams(scope: Scope, pool: Pool, currency: str) -> None:
    words = scope.words
    if not pool.teams:
        return
    st.html(parts.title(words("gpus.teams"), words("gpus.teams_measure", currency=currency)))
    rows = [
        LedgerRow(
            name=sentences.name_of(team, "team", words),
            cells=tuple(formats.money(amount, currency) for amount in amounts),
        )
        for team, *amounts in pool.teams
    ]
    columns = ("gpus.team", "gpus.apart", "gpus.spread", "gpus.owner")
    st.html(parts.ledger([words(column) for column in columns], rows))


def _load(scope: Scope, pool: Pool) -> None:
    words, measures = scope.words, pool.measures
    st.html(parts.title(words("gpus.load"), words("gpus.load_measure")))
    queue = ("running", "waiting", "most_waiting")
    facts = [Fact(words(f"gpus.measure.{name}"), f"{measures[name]:,.1f}") for name in queue if name in measures]
    facts += [
        Fact(words(f"gpus.measure.{name}"), formats.share(measures[name])) for name in _RATIOS if name in measures
    ]
    if "output_per_second" in measures:
        facts.append(Fact(words("gpus.measure.output_per_second"), formats.rate(measures["output_per_second"])))
    if "power_watts" in measures:
        facts.append(Fact(words("gpus.measure.power_watts"), f"{measures['power_watts']:,.0f} W"))
    if "energy_kwh" in measures:
        facts.append(Fact(words("gpus.measure.energy_kwh"), f"{measures['energy_kwh']:,.1f} kWh"))
    if facts:
        st.html(parts.facts(facts))
    else:
        st.html(parts.notice(words("gpus.no_telemetry"), words("gpus.no_telemetry_do")))


def _week(scope: Scope, pool: Pool, currency: str) -> None:
    words = scope.words
    if not pool.week:
        return
    known = {(weekday, hour): amount for weekday, hour, amount in pool.week}
    monday = scope.now.date() - timedelta(days=scope.now.weekday())
    days = [formats.weekday(monday + timedelta(days=place), words.language) for place in range(7)]
    cells = [[known.get((day + 1, hour)) for hour in range(24)] for day in range(7)]
    title = words("gpus.week")
    st.html(parts.title(title, words("gpus.week_measure", currency=currency)))
    drawn = heat(
        [[None if amount is None else float(amount) for amount in row] for row in cells],
        columns=[f"{hour:02d}" for hour in range(24)],
        rows=days,
        hovers=[
            [f"{days[day]} {hour:02d}:00<br>{formats.money(cells[day][hour], currency)}" for hour in range(24)]
            for day in range(7)
        ],
        look=scope.look,
        column_ticks=list(range(0, 24, 3)),
    )
    shared.chart(drawn, name="gpu_week", alt=title)


def _against(scope: Scope, pool: Pool, currency: str) -> None:
    words = scope.words
    asked = st.query_params.get("against", AGAINST[0])
    model = asked if asked in AGAINST else AGAINST[0]
    st.html(parts.title(words("gpus.against", pool=pool.name), words("gpus.against_measure")))
    controls.choose("against", AGAINST, model, label=words("gpus.api"), say=str)
    try:
        found = scope.client.ask(api.versus(scope.window, pool.name, model))
    except api.NotThereError:
        st.html(parts.sentence(words("gpus.no_price", model=model)))
        return
    never = words("gpus.never")
    st.html(
        parts.facts(
            [
                Fact(words("gpus.own_month"), formats.money(found.own_per_month, currency)),
                Fact(words("gpus.api_month", model=model), formats.money(found.api_per_month, currency)),
                Fact(words("gpus.even_tokens"), formats.tokens(found.tokens_per_month, words.language)),
                Fact(words("gpus.even_utilization"), formats.share(found.utilization)),
                Fact(words("gpus.even_used"), formats.share(found.used)),
                Fact(words("gpus.even_day"), found.crosses_on or never),
            ]
        )
    )
    if found.curve:
        drawn = figures.own_against_api(
            found.curve,
            now=None if found.used is None else float(found.used),
            names=(pool.name, model),
            currency=currency,
            look=scope.look,
        )
        shared.chart(drawn, name="gpu_against", alt=words("gpus.against", pool=pool.name))
