"""Latency: how long calls take, how soon the first token comes, and whether text comes faster than people read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import controls, formats, parts, sentences, states
from outlay_dashboard.answers import LatencyRow, Spend, totals_by
from outlay_dashboard.figures import heat
from outlay_dashboard.figures import lines as figures
from outlay_dashboard.figures import ranking as ranks
from outlay_dashboard.parts import Stat
from outlay_dashboard.scope import Scope
from outlay_dashboard.views import shared
from outlay_dashboard.windows import periods, previous, window_between

READING = (30.0, 50.0)  # tokens per second that people read, and so the pace below which they wait
_SHOWN = 12
_HEAT_DAYS = 31


def show(scope: Scope) -> None:
    controls.bar(scope)
    window, about, begin = scope.window, scope.about, scope.client.begin
    asked_now = begin(api.latency(window, **about))
    asked_was = begin(api.latency(previous(window), **about))
    asked_course = begin(api.latency(window, interval=window.interval, **about))
    asked_by = begin(api.latency(window, group_by=[scope.by], **about))
    asked_pace = begin(api.spend(window, group_by=["model"], **about))
    hours = window_between(max(window.start, window.end - timedelta(days=_HEAT_DAYS)), window.end, window.zone)
    asked_hours = begin(api.latency(hours, interval="hour", **about))
    asked_ranks = begin(shared.ranking(scope, scope.by))

    now = asked_now.get()
    if not now or not now[0].calls:
        if states.nothing_recorded(scope):
            states.first_run(scope)
        else:
            states.nothing_here(scope)
        return
    was = asked_was.get()
    _top(scope, now[0], was[0] if was and shared.comparable(was[0].calls, now[0].calls) else None)
    st.space("small")
    _course(scope, asked_course.get())
    st.space("small")
    left, right = st.columns(2, gap="large")
    with left:
        _by(scope, asked_by.get(), asked_ranks.get())
    with right:
        _pace(scope, asked_pace.get())
    st.space("small")
    _hours(scope, asked_hours.get())


def _top(scope: Scope, now: LatencyRow, was: LatencyRow | None) -> None:
    words = scope.words

    def stat(label: str, value: float | None, before: float | None) -> Stat:
        notes = (words("stat.was", value=formats.duration(before)),) if before is not None else ()
        return Stat(label=label, value=formats.duration(value), notes=notes)

    items = [
        stat("p50", now.p50_ms, was.p50_ms if was else None),
        stat("p95", now.p95_ms, was.p95_ms if was else None),
        stat("p99", now.p99_ms, was.p99_ms if was else None),
    ]
    if now.ttft_p50_ms is not None:
        items += [
            stat(words("latency.ttft_p", p=50), now.ttft_p50_ms, was.ttft_p50_ms if was else None),
            stat(words("latency.ttft_p", p=95), now.ttft_p95_ms, was.ttft_p95_ms if was else None),
        ]
    st.html(
        parts.page_title(words("latency.answer", p95=formats.duration(now.p95_ms)), words("latency.about", n=now.calls))
    )
    st.html(parts.stats(items, wide=True))


def _course(scope: Scope, rows: Sequence[LatencyRow]) -> None:
    words, look, starts = scope.words, scope.look, periods(scope.window)
    axis = shared.axis_of(scope, starts, None)
    interval = words(f"interval.{scope.window.interval}")
    durations = [
        shared.latency_line(rows, starts, "p50_ms", "p50", look.accent, weight=0.35),
        shared.latency_line(rows, starts, "p95_ms", "p95", look.accent),
        shared.latency_line(rows, starts, "p99_ms", "p99", look.accent, weight=0.1),
    ]
    first = [
        shared.latency_line(rows, starts, "ttft_p50_ms", "p50", look.accent, weight=0.35),
        shared.latency_line(rows, starts, "ttft_p95_ms", "p95", look.accent),
    ]
    has_first = any(value is not None for line in first for value in line.values)
    columns = st.columns(2, gap="large") if has_first else [st.container()]
    for column, drawn, key in zip(columns, (durations, first), ("duration", "ttft"), strict=False):
        with column:
            title = words(f"latency.{key}_title", interval=interval)
            st.html(parts.title(title, shared.measure_of_window(scope)))
            steps = {step: formats.duration(step) if step else "0" for step in figures.nice_steps(drawn)}
            shared.chart(figures.over_time(drawn, axis, steps=steps, look=look), name=f"latency_{key}", alt=title)


def _by(scope: Scope, rows: Sequence[LatencyRow], ranking: Spend) -> None:
    words = scope.words
    known = [row for row in rows if row.p50_ms is not None and row.p95_ms is not None and row.p99_ms is not None]
    known = sorted(known, key=lambda row: -(row.p95_ms or 0))[:_SHOWN]
    if not known:
        return
    painted = shared.painted(scope.by, [row.of.get(scope.by) for row in known], ranking, scope)
    shown = [
        ranks.Spread(
            key=row.of.get(scope.by),
            name=sentences.name_of(row.of.get(scope.by), scope.by, words),
            p50=row.p50_ms or 0.0,
            p95=row.p95_ms or 0.0,
            p99=row.p99_ms or 0.0,
            text=" · ".join(formats.duration(value) for value in (row.p50_ms, row.p95_ms, row.p99_ms)),
            note=words("latency.calls", n=row.calls),
            colour=painted[row.of.get(scope.by)],
        )
        for row in known
    ]
    title = words("latency.slowest", name=shown[0].name)
    measure = words("latency.by_measure", dimension=words.dimension(scope.by))
    st.html(parts.title(title, f"{measure} · {sentences.span_of_days(scope.window, words)}"))
    top = max(row.p99 for row in shown)
    steps = {step: formats.duration(step) if step else "0" for step in figures.round_steps(top, 4)}
    shared.chart(ranks.spreads(shown, steps=steps, look=scope.look), name="latency_by", alt=title)


def _pace(scope: Scope, spend: Spend) -> None:
    """Output tokens per second of call, beside what people read."""
    words = scope.words
    paces = {
        model: sums.output_tokens / (sums.duration_us / 1_000_000)
        for model, sums in totals_by(spend.rows, lambda row: row.of.get("model")).items()
        if sums.output_tokens and sums.duration_us
    }
    if not paces:
        return
    # Where there are too many, the slow ones matter.
    ordered = sorted(paces, key=lambda model: -paces[model])[-_SHOWN:]
    slow = [model for model in paces if paces[model] < READING[0]]
    title = words("latency.all_faster") if not slow else words("latency.slower_than_reading", n=len(slow))
    low, high = (f"{value:.0f}" for value in READING)
    st.html(parts.title(title, words("latency.pace_measure", low=low, high=high)))
    shown = [
        ranks.Rank(
            key=model,
            name=sentences.name_of(model, "model", words),
            value=paces[model],
            text=formats.rate(paces[model]),
            colour=scope.look.accent if paces[model] >= READING[0] else scope.look.other,
        )
        for model in ordered
    ]
    shared.chart(ranks.ranking(shown, look=scope.look, band=READING), name="latency_pace", alt=title)


def _hours(scope: Scope, rows: Sequence[LatencyRow]) -> None:
    """p95 of every hour, a row per day: when is it slow."""
    words, zone = scope.words, scope.window.zone
    found: dict[tuple[object, int], LatencyRow] = {}
    for row in rows:
        if row.period_start is not None and row.p95_ms is not None:
            local = row.period_start.astimezone(zone)
            found[local.date(), local.hour] = row
    days = sorted({day for day, _ in found}, reverse=True)  # type: ignore[type-var]
    if len(days) < 2:
        return
    cells = [[found[day, hour].p95_ms if (day, hour) in found else None for hour in range(24)] for day in days]
    names = [f"{formats.weekday(day, words.language)} {formats.day(day, words.language)}" for day in days]  # type: ignore[arg-type]
    hovers = [
        [
            f"{name}, {hour:02d}:00<br><b>{formats.duration(found[day, hour].p95_ms)}</b> · "
            + words("latency.calls", n=found[day, hour].calls)
            if (day, hour) in found
            else ""
            for hour in range(24)
        ]
        for day, name in zip(days, names, strict=True)
    ]
    worst = max(found, key=lambda at: found[at].p95_ms or 0)
    title = words(
        "latency.worst_hour",
        when=f"{formats.day(worst[0], words.language)} {worst[1]:02d}:00",  # type: ignore[arg-type]
        p95=formats.duration(found[worst].p95_ms),
    )
    st.html(parts.title(title, words("latency.hours_measure", zone=zone.key)))
    drawn = heat.heat(
        cells,
        columns=[f"{hour:02d}" for hour in range(24)],
        rows=names,
        hovers=hovers,
        look=scope.look,
        column_ticks=range(0, 24, 3),
    )
    shared.chart(drawn, name="latency_hours", alt=title)
