"""Health: is everything received, summed up and answered. For the person who runs it."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import formats, measures, parts, sentences
from outlay_dashboard.answers import Health, Spend
from outlay_dashboard.figures import spend as figures
from outlay_dashboard.parts import Fact
from outlay_dashboard.scope import Scope
from outlay_dashboard.stacks import stack
from outlay_dashboard.views import shared
from outlay_dashboard.windows import periods, window_named, window_of_days

_AGAIN_SECONDS = 10
LATE_SECONDS = 60  # sums further behind than this are worth a warning
CLOCK_SECONDS = 5  # a clock further off than this shifts calls between periods


def show(scope: Scope) -> None:
    shared.heading(scope, "health")

    @st.fragment(run_every=_AGAIN_SECONDS)
    def now() -> None:
        _state(scope, datetime.now(scope.now.tzinfo))

    now()
    st.space("small")
    _received(scope)


def _state(scope: Scope, now: datetime) -> None:
    words = scope.words
    day = window_named("24h", now, scope.window.zone) or scope.window
    health = scope.client.health()
    if not health.ready:
        st.html(parts.notice(words("health.not_ready", status=health.readiness), words("health.not_ready_do"), "bad"))
        st.html(parts.facts(_facts(scope, health, None, None, now)))
        return
    spend = scope.client.ask(api.spend(day), fresh=True)
    today = now.astimezone(scope.window.zone).date()
    ever = window_of_days(today.replace(year=today.year - 1, day=1), today, scope.window.zone)
    newest = scope.client.ask(api.calls(window=ever, limit=1), fresh=True).rows
    newest_at = newest[0].start_time if newest else None
    behind = _behind(spend, now)
    kind = "warning" if behind is not None and behind > LATE_SECONDS else ""
    word = "health.late" if kind else "health.ready" if behind and behind >= 1 else "health.current"
    said = words(word, behind=formats.duration((behind or 0.0) * 1000))
    st.html(parts.notice(said, _newest(scope, newest_at, now), kind or "good"))
    off = _clock_off(health, now)
    if off is not None and abs(off) > CLOCK_SECONDS:
        sentence = words("health.clock", off=formats.duration(abs(off) * 1000))
        st.html(parts.notice(sentence, words("health.clock_do"), "warning"))
    st.html(parts.facts(_facts(scope, health, behind, newest_at, now)))


def _newest(scope: Scope, newest_at: datetime | None, now: datetime) -> str:
    if newest_at is None:
        return scope.words("health.nothing_yet")
    age = max((now - newest_at).total_seconds(), 0.0) * 1000
    return scope.words("service.last_call", age=formats.duration(age))


def _facts(scope: Scope, health: Health, behind: float | None, newest_at: datetime | None, now: datetime) -> list[Fact]:
    words = scope.words
    off = _clock_off(health, now)
    when = newest_at.astimezone(scope.window.zone) if newest_at else None
    return [
        Fact(words("health.endpoint"), scope.settings.endpoint),
        Fact(words("health.version"), health.version),
        Fact(words("health.revision"), health.revision),
        Fact(words("health.uptime"), formats.duration((health.uptime_seconds or 0.0) * 1000)),
        Fact(words("health.round_trip"), formats.duration(health.round_trip_ms)),
        Fact(words("health.behind"), None if behind is None else formats.duration(behind * 1000)),
        Fact(words("health.newest"), formats.day_and_clock(when, words.language, seconds=True) if when else None),
        Fact(words("health.clock_difference"), None if off is None else formats.duration(abs(off) * 1000)),
    ]


def _received(scope: Scope) -> None:
    """Calls per hour of the last day: a gap here is a sender or a collector that was away."""
    words = scope.words
    day = window_named("24h", scope.now, scope.window.zone) or scope.window
    spend = scope.client.ask(api.spend(day, interval=day.interval, group_by=["service"], project=scope.project))
    if not spend.rows:
        return
    starts = periods(day)
    layers = stack(spend.rows, "service", starts, measure=measures.CALLS)
    ranks = scope.client.ask(shared.ranking(scope, "service"))
    painted = shared.painted("service", [layer.key for layer in layers.series], ranks, scope)
    title = words("health.received", calls=formats.count(layers.totals.calls))
    measure = f"{words('health.received_measure')} · {sentences.span_of_days(day, words)} · {day.zone.key}"
    st.html(parts.title(title, measure))
    interval = day.interval
    drawn = figures.spend_over_time(
        layers,
        figures.Axis(
            short=[sentences.period_short(start, interval, words.language) for start in starts],
            long=[sentences.period_long(start, interval, words.language) for start in starts],
            incomplete=frozenset({len(starts) - 1}),
        ),
        names=shared.names_in(layers, scope),
        colours=painted,
        before=None,
        unpriced_calls=[0] * len(starts),
        currency=spend.currency,
        look=scope.look,
        words=words,
        height=260,
    )
    shared.chart(drawn, name="received", alt=title)
    names = shared.names_in(layers, scope)
    st.html(parts.legend([(names[layer.key], painted.get(layer.key, scope.look.other)) for layer in layers.series]))


def _behind(spend: Spend, now: datetime) -> float | None:
    """Seconds between now and the moment up to which everything acknowledged is in the sums."""
    return None if spend.complete_until is None else max((now - spend.complete_until).total_seconds(), 0.0)


def _clock_off(health: Health, now: datetime) -> float | None:
    """Seconds by which the collector's clock differs from this machine's, its answer's way not counted."""
    return None if health.time is None else (health.time - now).total_seconds() - health.round_trip_ms / 2000
