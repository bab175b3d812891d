"""Customers and units: what a request, a user, a customer and a success cost, who costs most, and who bears it."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import controls, formats, parts, sentences, states
from outlay_dashboard.answers import Showback, UnitRow, Units
from outlay_dashboard.figures import frame, lines, ranking
from outlay_dashboard.parts import LedgerRow, Stat
from outlay_dashboard.scope import Scope
from outlay_dashboard.views import shared
from outlay_dashboard.windows import periods

_WHO = ("customer", "user")
_SHOWN = 12
_BARS = 8
_REST = "__other__"  # the API's name for all beyond ``top``


def show(scope: Scope) -> None:
    who = st.query_params.get("who", _WHO[0])
    who = who if who in _WHO else _WHO[0]
    controls.bar(scope, with_groups=False)
    client, interval = scope.client, scope.window.interval
    asked = client.begin(api.units(scope.window, **scope.about))
    asked_course = client.begin(api.units(scope.window, interval=interval, **scope.about))
    asked_who = client.begin(api.units(scope.window, group_by=[who], top=_SHOWN, **scope.about))
    asked_ranks = client.begin(shared.ranking(scope, who))
    asked_centers = client.begin(api.showback(scope.window, **scope.about))
    found = asked.get()
    if not found.rows or not found.rows[0].requests:
        if states.nothing_recorded(scope):
            states.first_run(scope)
        else:
            states.nothing_here(scope)
        return
    whole = found.rows[0]
    shared.heading(scope, "units", note=scope.words("units.note"))
    _stats(scope, found, whole)
    st.space("small")
    _course(scope, asked_course.get())
    st.space("small")
    groups = asked_who.get()
    keys = [row.of[who] for row in groups.rows]
    _who(scope, who, groups, whole, shared.painted(who, keys, asked_ranks.get(), scope))
    _centers(scope, asked_centers.get_or(None))


def _stats(scope: Scope, found: Units, whole: UnitRow) -> None:
    words, currency = scope.words, found.currency

    def stat(name: str, cost: Decimal | None, number: int | None) -> Stat:
        note = words(f"units.of_{name}", n=number) if number is not None else words(f"units.no_{name}")
        exact = "" if cost is None else f"{cost:f} {currency}"
        return Stat(label=words(f"units.per_{name}"), value=formats.money(cost, currency), notes=(note,), exact=exact)

    items = [
        stat("request", whole.cost_per_request, whole.requests),
        stat("user", whole.cost_per_user, whole.users),
        stat("customer", whole.cost_per_customer, whole.customers),
        stat("success", whole.cost_per_success, whole.successes),
    ]
    st.html(parts.stats(items, wide=True))
    if whole.unpriced_calls:
        st.html(parts.sentence(words("units.unpriced", n=whole.unpriced_calls)))


def _course(scope: Scope, found: Units) -> None:
    """What a success cost over time; without any, what a request did."""
    words, starts = scope.words, periods(scope.window)
    by_start = {row.period_start: row for row in found.rows}
    rows = [by_start.get(start.astimezone(UTC)) for start in starts]
    by_success = found.outcome is not None and any(row and row.cost_per_success is not None for row in rows)
    costs = [row and (row.cost_per_success if by_success else row.cost_per_request) for row in rows]
    known = [cost for cost in costs if cost is not None]
    if not known:
        return
    name = words("units.per_success") if by_success else words("units.per_request")
    low, high = formats.money(min(known), found.currency), formats.money(max(known), found.currency)
    title = (
        words("units.success_course", name=found.outcome or "", low=low, high=high)
        if by_success
        else words("units.request_course", low=low, high=high)
    )
    interval = words(f"interval.{scope.window.interval}")
    st.html(
        parts.title(
            title, shared.measure_of_window(scope, words("units.measure", currency=found.currency, interval=interval))
        )
    )
    if not by_success:
        st.html(parts.sentence(words("units.no_outcomes")))
    line = lines.Line(
        name=name,
        values=[None if cost is None else float(cost) for cost in costs],
        texts=[formats.money(cost, found.currency) for cost in costs],
        colour=scope.look.accent,
    )
    top = max(float(cost) for cost in known)
    steps = {step: formats.short_money(Decimal(str(step)), found.currency) for step in frame.round_steps(top)}
    axis = shared.axis_of(scope, starts, found.complete_until)
    shared.chart(lines.over_time([line], axis, steps=steps, look=scope.look), name="unit_course", alt=title)


def _who(scope: Scope, who: str, found: Units, whole: UnitRow, painted: dict[str | None, str]) -> None:
    words, currency = scope.words, found.currency
    # Those with a name from the largest down, then the rest, then calls that name nobody.
    rows = sorted(found.rows, key=lambda row: (row.of[who] is None, row.of[who] == _REST, -(row.cost or Decimal(0))))
    named = [row for row in rows if row.of[who] not in (None, _REST)]
    if named and named[0].cost:
        share = formats.share(named[0].cost, whole.cost)
        cost = formats.money(named[0].cost, currency)
        title = words("units.largest", name=str(named[0].of[who]), cost=cost, share=share)
    else:
        title = words("units.nobody", dimension=words.dimension(who))
    st.html(parts.title(title, shared.measure_of_window(scope, currency)))
    controls.choose("who", list(_WHO), who, label=words("units.who"), say=words.dimension, flat=True)

    def name(row: UnitRow) -> str:
        return words("units.rest") if row.of[who] == _REST else sentences.name_of(row.of[who], who, words)

    bars = [
        ranking.Rank(
            key=row.of[who],
            name=name(row),
            value=None if row.cost is None else float(row.cost),
            text=_money(row, currency, scope),
            colour=scope.look.other if row.of[who] == _REST else painted.get(row.of[who], scope.look.accent),
            note=formats.share(row.cost, whole.cost),
        )
        for row in named[:_BARS]
    ]
    if bars:
        shared.chart(ranking.ranking(bars, look=scope.look), name="unit_ranking", alt=title)
    earns = any(row.revenue is not None for row in rows)
    columns = ["spend", "requests", "per_request"]
    columns += ["successes", "per_success"] if found.outcome is not None else []
    columns += ["revenue", "margin"] if earns else []
    table = [
        LedgerRow(
            name=name(row),
            colour=scope.look.other if row.of[who] == _REST else painted.get(row.of[who]),
            muted=row.of[who] is None,
            has_unknown=row.cost is not None and row.unpriced_calls > 0,
            cells=tuple(_cell(row, column, currency, scope) for column in columns),
            href="" if row.of[who] == _REST else scope.link("traces", filter=scope.with_filter(who, row.of[who])),
        )
        for row in rows
    ]
    head = (shared.capitalised(words.dimension(who)), *(words(f"units.{column}") for column in columns))
    st.html(parts.ledger(head, table))


def _cell(row: UnitRow, column: str, currency: str, scope: Scope) -> str:
    match column:
        case "spend":
            return _money(row, currency, scope)
        case "requests":
            return formats.count(row.requests)
        case "per_request":
            return formats.money(row.cost_per_request, currency)
        case "successes":
            return formats.DASH if row.successes is None else formats.count(row.successes)
        case "per_success":
            return formats.money(row.cost_per_success, currency)
        case "revenue":
            return formats.money(row.revenue, currency)
        case _:
            margin = formats.money(row.margin, currency)
            return (
                f"{margin} · {formats.share(row.margin, row.revenue)}"
                if row.margin is not None and row.revenue
                else margin
            )


def _money(row: UnitRow, currency: str, scope: Scope) -> str:
    return scope.words("not_priced") if row.cost is None and row.unpriced_calls else formats.money(row.cost, currency)


def _centers(scope: Scope, found: Showback | None) -> None:
    """Direct and shared spend by cost center; nothing where no rule names one."""
    words = scope.words
    if found is None or all(row.name is None for row in found.rows):
        return
    currency = found.currency
    named = [row for row in found.rows if row.name is not None]
    st.space("small")
    title = words(
        "units.centers", n=len(named), total=formats.money(sum((row.total for row in named), Decimal(0)), currency)
    )
    note = words("units.centers_shared", shared=formats.money(found.shared, currency)) if found.shared else ""
    st.html(parts.title(title, shared.measure_of_window(scope, *([note] if note else []), currency)))
    table = [
        LedgerRow(
            name=row.name or words("not_set", dimension=words("dimension.cost_center")),
            muted=row.name is None,
            cells=(
                words("not_priced") if row.direct is None else formats.money(row.direct, currency),
                formats.money(row.shared, currency) if row.shared else formats.DASH,
                formats.money(row.total, currency),
                formats.share(row.total, found.total),
            ),
        )
        for row in found.rows
    ]
    head = (
        shared.capitalised(words("dimension.cost_center")),
        *(words(f"units.{name}") for name in ("direct", "shared", "total", "share")),
    )
    st.html(parts.ledger(head, table))
