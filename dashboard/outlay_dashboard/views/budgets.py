"""Budgets: how each is used up, how it is likely to end, and what was told; the one likeliest to break comes first."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import streamlit as st

from outlay_dashboard import burning, controls, formats, parts, sentences
from outlay_dashboard import client as api
from outlay_dashboard.answers import Budget, BudgetTold
from outlay_dashboard.figures import burn as figures
from outlay_dashboard.figures.frame import round_steps
from outlay_dashboard.parts import LedgerRow, Stat
from outlay_dashboard.scope import Scope
from outlay_dashboard.views import shared
from outlay_dashboard.words import Words

_SHOWN = 12


def show(scope: Scope) -> None:
    asked = scope.client.begin(api.budgets(project=scope.project))
    controls.bar(scope, with_groups=False, with_window=False)
    found = sorted(asked.get_or(()), key=lambda one: (not one.is_ready, -one.risk, one.name))
    if scope.leaves_out:
        found = [one for one in found if f"project!:{one.project}" not in scope.leaves_out]
    words = scope.words
    shared.heading(scope, "budgets", note=words("budgets.note") if found else "")
    if not found:
        st.html(parts.empty(words("budgets.none"), words("budgets.none_do")))
        return
    wanted = st.query_params.get("budget")
    chosen = next((one for one in found if one.name == wanted), None)
    if wanted and chosen is None:
        st.html(parts.notice(words("budgets.unknown", name=wanted)))
    _list(scope, found)
    st.space("small")
    _one(scope, chosen or found[0])


def _list(scope: Scope, found: list[Budget]) -> None:
    words = scope.words
    columns = ("budgets.column", "budgets.period", "budgets.spent", "budgets.of", "budgets.used", "budgets.likely")
    rows = [
        LedgerRow(
            name=one.name,
            cells=(
                _period(one, words),
                formats.money(one.spent, one.currency) if one.is_ready else words("budgets.summing"),
                formats.money(one.amount, one.currency),
                f"{one.share:.1f} %",
                _likely(one, scope),
            ),
            colour=scope.look.bad if one.share >= 100 else scope.look.warning if one.risk >= 1 else scope.look.good,
            note=_whose(one, scope),
            href=scope.link("budgets", budget=one.name),
        )
        for one in found
    ]
    st.html(parts.ledger([words(column) for column in columns], rows))


def _period(one: Budget, words: Words) -> str:
    return words("budgets.rolling", n=(one.end - one.start).days) if one.period == "rolling" else one.label


def _whose(one: Budget, scope: Scope) -> str:
    """Of a split budget, whose figures are shown."""
    if one.per is None or one.furthest is None:
        return ""
    dimension = scope.words.dimension(one.per)
    return scope.words("budgets.each", dimension=dimension, name=sentences.name_of(one.furthest, one.per, scope.words))


def _likely(one: Budget, scope: Scope) -> str:
    if one.forecast is None:
        return formats.DASH
    if one.forecast.low_confidence:
        return scope.words("budgets.too_early")
    return formats.money(one.forecast.p50, one.currency)


def _one(scope: Scope, one: Budget) -> None:
    left, right = st.columns([2.1, 1], gap="large")
    with left:
        st.html(parts.title(_answer(scope, one), _measure(scope, one)))
        if one.is_ready:
            shared.chart(_figure(scope, one), name="burn", alt=_answer(scope, one))
    with right:
        _facts(scope, one)
    left, right = st.columns(2, gap="large")
    with left:
        _told(scope, one)
    if one.per is not None and one.instances:
        with right:
            _instances(scope, one)


def _answer(scope: Scope, one: Budget) -> str:
    words, language = scope.words, scope.words.language
    name = one.name if one.per is None else f"{one.name} · {sentences.name_of(one.furthest, one.per, words)}"
    amount = formats.money(one.amount, one.currency)
    day = burning.breaks_on(one, scope.now)
    if one.spent >= one.amount and day is not None:
        return words("budgets.is_spent", name=name, day=formats.day(day, language))
    if one.forecast is None or one.forecast.low_confidence:
        return words("budgets.no_outlook", name=name, amount=amount, spent=formats.money(one.spent, one.currency))
    if day is not None:
        return words("budgets.breaks", name=name, day=formats.day(day, language))
    return words("budgets.holds", name=name, amount=amount, likely=formats.money(one.forecast.p50, one.currency))


def _measure(scope: Scope, one: Budget) -> str:
    words = scope.words
    said = words("budgets.measure", currency=one.currency, range=_period(one, words), zone=one.zone)
    return f"{said} · {words('budgets.measure_band')}" if one.forecast and one.forecast.course else said


def _figure(scope: Scope, one: Budget):
    words, language = scope.words, scope.words.language
    days, spent = burning.days_of(one), burning.spent_by_day(one, scope.now)
    middle, low, high = burning.likely(one, spent)
    short = [formats.short_day(day, language) for day in days]
    long = [formats.day(day, language) for day in days]

    def said(values: list[Decimal] | list[float], first: int) -> list[str]:
        texts = (formats.money(Decimal(str(value)), one.currency) for value in values)
        return [f"<b>{text}</b><br>{day}" for text, day in zip(texts, long[first:], strict=False)]

    limits = [
        figures.Limit(
            level=float(one.amount), name=words("budgets.line", amount=formats.money(one.amount, one.currency)),
            is_amount=True,
        ),
        *(
            figures.Limit(level=float(level.level), name=_threshold(scope, level.key, one.currency))
            for level in one.levels
            if level.kind == "actual" and level.level != one.amount
        ),
    ]  # fmt: skip
    top = max([float(one.amount), *map(float, spent), *high])
    steps = {step: formats.short_money(Decimal(str(step)), one.currency) for step in round_steps(top)}
    found = figures.Burn(
        short=short, long=long, spent=[float(cost) for cost in spent], likely=middle, low=low, high=high
    )
    return figures.burn(
        found,
        limits,
        texts=said(spent, 0),
        likely_texts=said(middle, len(spent) - 1),
        steps=steps,
        look=scope.look,
    )


def _threshold(scope: Scope, key: str, currency: str) -> str:
    """``actual:80%`` and ``forecast:p50:100%`` in words."""
    kind, *_, at = key.split(":")
    said = f"{at.removesuffix('%')} %" if at.endswith("%") else formats.money(Decimal(at), currency)
    return said if kind == "actual" else scope.words("budgets.forecast_of", at=said)


def _facts(scope: Scope, one: Budget) -> None:
    words, currency = scope.words, one.currency
    rest = one.amount - one.spent
    notes: tuple[str, ...] = ()
    days_left = Decimal(str(max((one.end - scope.now) / timedelta(days=1), 0)))
    if rest > 0 and days_left >= 1 and one.forecast is not None:
        notes = (words("budgets.a_day", amount=formats.money(rest / days_left, currency)),)
    stats = [
        Stat(
            label=words("budgets.spent"), value=formats.money(one.spent, currency), notes=(f"{one.share:.1f} %",),
            exact=formats.exact_money(one.spent, currency),
        ),
        Stat(label=words("budgets.left" if rest >= 0 else "budgets.over"), value=formats.money(abs(rest), currency), notes=notes),
    ]  # fmt: skip
    found = one.forecast
    if found is not None:
        low, high = formats.money(found.p10, currency), formats.money(found.p90, currency)
        stats.append(
            Stat(
                label=words("budgets.likely"), value=formats.money(found.p50, currency),
                notes=(words("budgets.range", low=low, high=high),),
            )
        )  # fmt: skip
    st.html(parts.stats(stats))
    if found is not None and found.low_confidence:
        st.html(parts.sentence(words("budgets.low")))
    elif found is not None and found.error is not None and found.run_rate_error is not None:
        said = words(
            "budgets.error",
            error=f"{found.error:.1f} %",
            run_rate=f"{found.run_rate_error:.1f} %",
            coverage=f"{found.coverage:.0f} %" if found.coverage is not None else formats.DASH,
        )
        st.html(parts.sentence(said))
    if one.unpriced_calls:
        st.html(parts.sentence(words("budgets.at_least", n=one.unpriced_calls)))


def _told(scope: Scope, one: Budget) -> None:
    words = scope.words
    st.html(parts.title(words("budgets.told"), words("budgets.told_measure")))
    if not one.told:
        st.html(parts.sentence(words("budgets.nothing_told")))
        return
    rows = [
        LedgerRow(
            name=_threshold(scope, told.threshold, one.currency),
            cells=(_at(scope, told.told_at, one), formats.money(told.actual, one.currency)),
            note=_told_note(scope, told, one),
            muted=told.corrected_at is not None,
        )
        for told in one.told[:_SHOWN]
    ]
    st.html(parts.ledger([words("budgets.threshold"), words("budgets.at"), words("budgets.figure")], rows))


def _told_note(scope: Scope, told: BudgetTold, one: Budget) -> str:
    said = [] if one.per is None else [sentences.name_of(told.instance, one.per, scope.words)]
    if told.corrected_at is not None:
        said.append(scope.words("budgets.corrected", at=_at(scope, told.corrected_at, one)))
    return " · ".join(said)


def _at(scope: Scope, moment: datetime, one: Budget) -> str:
    return formats.day_and_clock(moment.astimezone(ZoneInfo(one.zone)), scope.words.language)


def _instances(scope: Scope, one: Budget) -> None:
    words, per = scope.words, one.per or ""
    title = words("budgets.instances", n=one.instance_count or len(one.instances))
    measure = words("budgets.instances_measure", currency=one.currency, amount=formats.money(one.amount, one.currency))
    st.html(parts.title(title, measure))
    rows = [
        LedgerRow(
            name=sentences.name_of(each.name, per, words),
            cells=(formats.money(each.actual, one.currency), f"{each.share:.1f} %"),
            href=scope.link("traces", filter=scope.with_filter(per, each.name)),
        )
        for each in one.instances[:_SHOWN]
    ]
    st.html(parts.ledger([words.dimension(per), words("budgets.spent"), words("budgets.used")], rows))
