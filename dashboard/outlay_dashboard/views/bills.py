"""Bills: what providers billed, how much of it was traced, and why the rest was not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import controls, formats, parts, sentences
from outlay_dashboard.answers import BillGap, BillImport, Reconciliation
from outlay_dashboard.figures import bill as figures
from outlay_dashboard.parts import LedgerRow, Stat
from outlay_dashboard.scope import Scope
from outlay_dashboard.views import shared

_MOST = 25
_READING_PIXELS = 720
_IMPORT = "outlay bill import costs.csv"
_PULL = "OUTLAY_OPENAI_ADMIN_KEY=sk-admin-… outlay bill pull"


def show(scope: Scope) -> None:
    controls.bar(scope, with_groups=False)
    asked = scope.client.begin(api.reconciliation(scope.window))
    asked_imports = scope.client.begin(api.bill_imports())
    found = asked.get()
    imports = asked_imports.get()
    if not found.has_bills:
        _first_bill(scope)
        return
    if not found.providers:
        st.html(parts.empty(scope.words("bills.none_here"), scope.words("bills.none_here_do")))
        _imports(scope, imports, found.currency)
        return
    _top(scope, found)
    st.space("small")
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        _waterfall(scope, found)
    with right:
        _causes(scope, found)
    _gaps(scope, found)
    _imports(scope, imports, found.currency)


def _first_bill(scope: Scope) -> None:
    """What will be here, and the two ways to get it; neither needs instrumented code."""
    words = scope.words
    with st.container(width=_READING_PIXELS):
        st.html(parts.empty(words("bills.first"), words("bills.first_do")))
        st.code(_IMPORT, language="bash")
        st.html(parts.sentence(words("bills.first_pull")))
        st.code(_PULL, language="bash")


def _top(scope: Scope, found: Reconciliation) -> None:
    words, currency = scope.words, found.currency
    answer = words(
        "bills.answer",
        traced=formats.share(found.traced, found.billed),
        billed=formats.money(found.billed, currency),
        providers=sentences.listed(found.providers, words),
    )
    st.html(parts.page_title(answer, words("bills.measure", days=_days(scope, found), currency=currency)))
    figures_of = (
        ("bills.billed", found.billed),
        ("bills.traced", found.traced),
        ("bills.untraced", found.untraced),
        ("bills.unpriced", found.unpriced),
        ("bills.residual", found.residual),
        ("bills.booked", found.booked),
    )
    st.html(
        parts.stats(
            [
                Stat(
                    label=words(key),
                    value=formats.money(amount, currency),
                    exact=formats.exact_money(amount, currency),
                    notes=(formats.share(amount, found.billed),) if key != "bills.billed" and amount else (),
                )
                for key, amount in figures_of
            ],
            wide=True,
        )
    )


def _days(scope: Scope, found: Reconciliation) -> str:
    language = scope.words.language
    last = (found.last - timedelta(microseconds=1)).astimezone(UTC).date()
    first = found.first.astimezone(UTC).date()
    years = first.year != last.year
    return f"{formats.day(first, language, year=years)} – {formats.day(last, language, year=years)}"


def _waterfall(scope: Scope, found: Reconciliation) -> None:
    words = scope.words
    answer = _largest(scope, found)
    measure = words("bills.waterfall_measure", days=_days(scope, found), currency=found.currency)
    steps = [
        figures.Step(kind, words(f"bills.{kind}"), getattr(found, kind))
        for kind in ("traced", "untraced", "unpriced", "residual")
    ]
    cut = f" · {words('bridge.cut')}" if figures.is_cut(found.billed, steps) else ""
    st.html(parts.title(answer, measure + cut))
    drawn = figures.waterfall(
        found.billed, steps, invoice=words("bills.invoice"), currency=found.currency, look=scope.look
    )
    shared.chart(drawn, name="bill_waterfall", alt=answer)


def _largest(scope: Scope, found: Reconciliation) -> str:
    words = scope.words
    open_ones = {cause: amount for cause, amount in found.causes.items() if amount}
    if not open_ones:
        return words("bills.agrees")
    cause = max(open_ones, key=lambda name: abs(open_ones[name]))
    return words(
        "bills.largest",
        cause=words.known(f"cause.{cause}", cause),
        amount=formats.money(open_ones[cause], found.currency),
    )


def _causes(scope: Scope, found: Reconciliation) -> None:
    """Every cause with its amount and what to do about it, the largest first."""
    words = scope.words
    rows = [
        LedgerRow(
            name=words.known(f"cause.{cause}", cause),
            note=words.known(f"cause_do.{cause}", ""),
            cells=(formats.money(amount, found.currency), formats.share(amount, found.billed)),
        )
        for cause, amount in sorted(found.causes.items(), key=lambda pair: -abs(pair[1]))
        if amount
    ]
    if not rows:
        return
    st.html(parts.title(words("bills.causes"), words("bills.causes_measure")))
    st.html(parts.ledger((words("bills.cause"), words("bills.amount"), words("bills.of_bill")), rows))


def _gaps(scope: Scope, found: Reconciliation) -> None:
    words, currency = scope.words, found.currency
    st.html(parts.title(words("bills.gaps", n=sum(1 for row in found.rows if row.gap)), words("bills.gaps_measure")))
    columns = (
        shared.capitalised(words("dimension.model")),
        words("bills.billed"),
        words("bills.traced"),
        words("bills.gap"),
        words("bills.of_bill"),
        words("bills.cause"),
    )
    rows = [
        LedgerRow(
            name=sentences.name_of(row.model, "model", words),
            note=_note(row, scope),
            muted=not row.gap,
            cells=(
                formats.money(row.billed, currency),
                formats.money(row.traced, currency),
                formats.money(row.gap, currency),
                formats.share(row.gap, row.billed),
                words.known(f"cause.{row.cause}", row.cause) if row.cause and row.gap else words("bills.no_cause"),
            ),
        )
        for row in found.rows[:_MOST]
    ]
    st.html(parts.ledger(columns, rows))
    if found.outside:
        others = sentences.listed(
            [f"{seller} {formats.money(cost, currency)}" for seller, cost in found.outside.items()], words
        )
        st.html(parts.sentence(words("bills.outside", providers=others)))


def _note(row: BillGap, scope: Scope) -> str:
    """Whose model it is, and the other causes of its difference."""
    others = [
        scope.words.known(f"cause.{cause}", cause)
        for cause, amount in row.parts.items()
        if amount and cause != row.cause
    ]
    return " · ".join([sentences.name_of(row.provider, "provider", scope.words), *others])


def _imports(scope: Scope, imports: Sequence[BillImport], currency: str) -> None:
    words, language = scope.words, scope.words.language
    rows = [
        LedgerRow(
            name=one.name,
            note=words.known(f"bill_state.{one.state.replace(' ', '_')}", one.state),
            muted=one.state != "in force",
            cells=(
                one.format,
                formats.DASH
                if one.starts is None or one.ends is None
                else f"{formats.day(one.starts.date(), language)} – "
                f"{formats.day((one.ends - timedelta(microseconds=1)).date(), language)}",
                formats.count(one.lines),
                formats.money(one.billed, currency),
            ),
        )
        for one in imports
    ]
    st.html(parts.title(words("bills.imports"), words("bills.imports_measure")))
    columns = (
        words("bills.import"),
        words("bills.format"),
        words("bills.days"),
        words("bills.lines"),
        words("bills.billed"),
    )
    st.html(parts.ledger(columns, rows))
