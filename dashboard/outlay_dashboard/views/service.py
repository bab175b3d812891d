"""My service: is it set up well, what does it cost, is it fast, what fails. For the engineer who owns it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import controls, details, formats, parts, states
from outlay_dashboard.answers import CallRow, LatencyRow, Spend, Totals, total, totals_by
from outlay_dashboard.figures import lines as figures
from outlay_dashboard.movers import recorded_since
from outlay_dashboard.parts import LedgerRow, Stat
from outlay_dashboard.scope import Scope
from outlay_dashboard.stacks import per_period
from outlay_dashboard.views import shared
from outlay_dashboard.windows import periods, previous

_LOOKED_AT = 200  # newest calls from which the costliest and the failures are picked
_SHOWN = 6


def show(scope: Scope) -> None:
    services = scope.client.ask(api.spend(scope.window, group_by=["service"], **scope.about))
    names = _ranked(services)
    if not names:
        controls.bar(scope, with_groups=False)
        if states.nothing_recorded(scope):
            states.first_run(scope)
        else:
            states.nothing_here(scope)
        return
    asked_for = st.query_params.get("service")
    service = asked_for if asked_for in names else names[0]

    def which() -> None:
        label = scope.words("dimension.service")
        controls.choose("service", names, service, label=label, say=lambda name: name or _nameless(scope))

    controls.bar(scope, with_groups=False, also=which)
    _one(scope, service)


def _one(scope: Scope, service: str) -> None:
    window, before = scope.window, previous(scope.window)
    mine = (f"service:{service}",) if service else ("service!:*",)
    about = {**scope.about, "filters": (*scope.about["filters"], *mine)}
    step = "step" if st.query_params.get("detail") == "step" else "feature"
    begin = scope.client.begin
    asked_now = begin(api.spend(window, interval=window.interval, **about))
    asked_was = begin(api.spend(before, interval=window.interval, **about))
    asked_by = begin(api.spend(window, group_by=[step], **about))
    asked_latency = begin(api.latency(window, **about))
    asked_latency_was = begin(api.latency(before, **about))
    asked_latency_by = begin(api.latency(window, group_by=[step], **about))
    asked_course = begin(api.latency(window, interval=window.interval, **about))
    asked_releases = begin(api.spend(window, interval=window.interval, group_by=["release"], **about))
    asked_calls = begin(api.calls(window=window, counted_only=True, limit=_LOOKED_AT, **about))

    now, newest = asked_now.get(), asked_calls.get().rows
    _setup(scope, total(now.rows), newest)
    was = asked_was.get().rows
    earlier = Totals() if recorded_since(was, before) else total(was)
    _stats(scope, now, earlier, asked_latency.get(), asked_latency_was.get())
    st.space("small")
    _course(scope, now, asked_course.get(), asked_releases.get())
    st.space("small")
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        _endpoints(scope, asked_by.get(), asked_latency_by.get(), step)
    with right:
        _notable(scope, newest)


def _setup(scope: Scope, totals: Totals, newest: Sequence[CallRow]) -> None:
    """Whether telemetry arrives, and how good it is, in sentences."""
    words = scope.words
    said: list[str] = []
    if newest:
        age = (scope.now - newest[0].start_time).total_seconds() * 1000
        said.append(words("service.last_call", age=formats.duration(max(age, 0.0))))
        dialects = Counter(row.fact("dialect") or formats.DASH for row in newest)
        said.append(words("service.sent_as", dialects=", ".join(name for name, _ in dialects.most_common(3))))
    if totals.missing_usage_calls:
        said.append(words("overview.missing", n=totals.missing_usage_calls))
    if totals.estimated_calls:
        said.append(words("overview.estimated", n=totals.estimated_calls))
    if totals.calls and not totals.missing_usage_calls and not totals.estimated_calls:
        said.append(words("service.all_reported"))
    if totals.unpriced_calls:
        share = formats.share(totals.unpriced_calls, totals.calls)
        said.append(words("overview.unpriced", n=totals.unpriced_calls, share=share))
    st.html(parts.sentence(" ".join(said)))


def _stats(
    scope: Scope, now: Spend, before: Totals, latency: Sequence[LatencyRow], latency_was: Sequence[LatencyRow]
) -> None:
    words, totals, currency = scope.words, total(now.rows), now.currency

    def was(value: str) -> tuple[str, ...]:
        return (words("stat.was", value=value),) if before.calls else ()

    per_call = totals.cost / totals.calls if totals.cost is not None and totals.calls else None
    per_call_was = before.cost / before.calls if before.cost is not None and before.calls else None
    fast, fast_was = (rows[0] if rows else None for rows in (latency, latency_was))
    items = [
        Stat(
            label=words("column.spend"),
            value=shared.cost_of(totals, currency, words),
            notes=was(formats.money(before.cost, currency)),
            exact=formats.exact_money(totals.cost, currency),
        ),
        Stat(
            label=words("stat.per_call"),
            value=formats.money(per_call, currency),
            notes=was(formats.money(per_call_was, currency)),
        ),
        Stat(label=words("stat.calls"), value=formats.count(totals.calls), notes=was(formats.count(before.calls))),
        Stat(
            label=words("stat.errors"),
            value=formats.share(totals.errors, totals.calls),
            notes=was(formats.share(before.errors, before.calls)),
        ),
        Stat(
            label=words("stat.p95"),
            value=formats.duration(fast.p95_ms if fast else None),
            notes=was(formats.duration(fast_was.p95_ms if fast_was else None)),
        ),
    ]
    if fast and fast.ttft_p95_ms is not None:  # only streams have a first token
        note = was(formats.duration(fast_was.ttft_p95_ms if fast_was else None))
        items.append(Stat(label=words("stat.ttft"), value=formats.duration(fast.ttft_p95_ms), notes=note))
    st.html(parts.stats(items, wide=True))


def _course(scope: Scope, now: Spend, latency: Sequence[LatencyRow], releases: Spend) -> None:
    """Cost and p95 over time, one below the other's axis, with the releases that came in between."""
    words, starts = scope.words, periods(scope.window)
    axis = shared.axis_of(scope, starts, now.complete_until)
    markers = _markers(releases, starts)
    costs = [sums.cost if sums.calls else Decimal(0) for sums in per_period(now.rows, starts)]
    cost = figures.Line(
        name=words("column.spend"),
        values=[None if value is None else float(value) for value in costs],
        texts=[formats.money(value, now.currency) for value in costs],
        colour=scope.look.accent,
    )
    slow = shared.latency_line(latency, starts, "p95_ms", "p95", scope.look.accent)
    interval = words(f"interval.{scope.window.interval}")
    left, right = st.columns(2, gap="large")
    with left:
        title = words("service.cost_title", interval=interval)
        st.html(parts.title(title, shared.measure_of_window(scope, now.currency)))
        steps = {step: formats.short_money(Decimal(str(step)), now.currency) for step in figures.nice_steps([cost])}
        drawn = figures.over_time([cost], axis, steps=steps, look=scope.look, markers=markers)
        shared.chart(drawn, name="service_cost", alt=title)
    with right:
        title = words("service.p95_title", interval=interval)
        st.html(parts.title(title, shared.measure_of_window(scope)))
        steps = {step: formats.duration(step) if step else "0" for step in figures.nice_steps([slow])}
        drawn = figures.over_time([slow], axis, steps=steps, look=scope.look, markers=markers)
        shared.chart(drawn, name="service_p95", alt=title)


def _markers(releases: Spend, starts: Sequence[object]) -> list[figures.Marker]:
    """Where each release was first seen; the one the window begins with is no news."""
    found: dict[str, int] = {}
    for place, start in enumerate(starts):
        for row in releases.rows:
            release = row.of.get("release")
            if release and row.period_start == start:
                found.setdefault(release, place)
    first = min(found.values(), default=0)
    return [figures.Marker(position=place, name=name) for name, place in found.items() if place > first]


def _endpoints(scope: Scope, spend: Spend, latency: Sequence[LatencyRow], by: str) -> None:
    words = scope.words
    shared.costs_by(scope, spend, latency, by, title=words("service.endpoints", dimension=words.dimension(by)))
    controls.choose("detail", ["feature", "step"], by, label=words("control.by"), say=words.dimension, flat=True)


def _notable(scope: Scope, newest: Sequence[CallRow]) -> None:
    """Of the newest calls: the costliest, and what failed."""
    words = scope.words
    if not newest:
        return
    costliest = sorted((row for row in newest if row.cost), key=lambda row: -(row.cost or 0))[:_SHOWN]
    note = words("service.of_newest", n=len(newest))
    if costliest:
        rows = [
            LedgerRow(
                name=row.name or row.fact("model") or row.span_id,
                note=f"{row.fact('model') or ''} · {_when(row, scope)}",
                cells=(formats.duration(row.duration_ms), formats.money(row.cost, row.currency)),
                href=scope.link("traces", trace=row.trace_id, span=row.span_id),
            )
            for row in costliest
        ]
        st.html(parts.title(words("service.costliest"), note))
        st.html(parts.ledger((words("column.what"), words("column.duration"), words("column.cost")), rows))
    failed = [row for row in newest if row.status == "error"]
    if failed:
        latest = {row.error_type or details.outcome(row, words): row for row in reversed(failed)}
        counts = Counter(row.error_type or details.outcome(row, words) for row in failed)
        rows = [
            LedgerRow(
                name=kind,
                cells=(formats.count(number),),
                href=scope.link("traces", trace=latest[kind].trace_id, span=latest[kind].span_id),
            )
            for kind, number in counts.most_common(_SHOWN)
        ]
        st.html(parts.title(words("service.failed", share=formats.share(len(failed), len(newest))), note))
        st.html(parts.ledger((words("column.error"), words("column.calls")), rows))


def _ranked(spend: Spend) -> list[str]:
    """Services by calls, the most first; calls without a service stand under the empty name."""
    groups = totals_by(spend.rows, lambda row: row.of.get("service") or "")
    return [name for name, sums in sorted(groups.items(), key=lambda pair: -pair[1].calls) if sums.calls]


def _nameless(scope: Scope) -> str:
    return scope.words("not_set", dimension=scope.words("dimension.service"))


def _when(row: CallRow, scope: Scope) -> str:
    return formats.day_and_clock(row.start_time.astimezone(scope.window.zone), scope.words.language)
