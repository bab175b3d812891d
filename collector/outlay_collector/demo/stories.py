"""What happened to the company: changes of model, a bad night, an outage, a prompt that grew. Pure functions of time.

Everything is tied to the calendar, never to the day somebody looks, so that a day told twice is told alike. Stories
come once in a cycle of four weeks: any thirty days hold each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from outlay_collector.demo.shapes import Bloat, Move, Outage, Storm

ANCHOR = date(2026, 10, 5)  # a Monday: the first day of cycle 0
CYCLE_DAYS = 28

RELEASE_WEEKDAY, RELEASE_HOUR = 1, 9  # Tuesday, 09:00 UTC
MOVE_SHARES = (0.08, 0.3, 0.65)  # of the traffic, on the first days of a move; from then on all of it

STORM = Storm(feature="review-contract", day=11, from_hour=19, hours=4.5, visits=42, fails=0.93, tries=8)
OUTAGE = Outage(provider="anthropic", day=16, from_hour=14, hours=1.75, errors=0.45, slower=3.5)
BLOAT = Bloat(feature="ask-data", from_day=8, to_day=22, factor=3.4)


def _moves() -> Iterator[Move]:
    """One a cycle, on the Monday of its third week, always to something newer or smaller, and never back."""
    for cycle, (feature, old, new) in enumerate(
        (
            ("write-campaign", "gemini-4-argon", "gemini-flash-latest"),
            ("answer-ticket", "gpt-5.5", "gpt-6.1-sol"),
            ("plan-route", "claude-opus-4-8", "claude-sonnet-5-5"),
            ("ask-data", "gpt-5.5", "gpt-6.1-sol"),
            ("review-contract", "claude-opus-4-8", "claude-opus-5-5"),
            ("triage-ticket", "gpt-6.1-terra", "gpt-6-luna"),
            ("review-pull-request", "claude-opus-4-8", "claude-opus-5-5"),
            ("score-fraud", "gpt-6.1-sol", "gpt-6.1-terra"),
            ("translate-listing", "mistral-large-4", "mistral-small-2603"),
            ("answer-ticket", "gpt-6.1-sol", "gpt-6.1-terra"),
            ("write-campaign", "gemini-flash-latest", "gemini-3.5-flash-lite"),
            ("review-contract", "claude-opus-5-5", "claude-sonnet-5-5"),
            ("review-pull-request", "claude-opus-5-5", "claude-sonnet-5-5"),
            ("ask-data", "gpt-6.1-sol", "gpt-6.1-terra"),
        )
    ):
        yield Move(begins=ANCHOR + timedelta(days=cycle * CYCLE_DAYS + 14), feature=feature, old=old, new=new)


MOVES = tuple(_moves())


def day_of_cycle(day: date) -> int:
    return (day - ANCHOR).days % CYCLE_DAYS


def growth(day: date, per_30_days: float) -> float:
    """Volume relative to the anchor's: a straight line, held within bounds in which a demo stays quick."""
    return min(max(1 + per_30_days * (day - ANCHOR).days / 30, 0.5), 1.8)


def model_at(feature: str, model: str, day: date, draw: float) -> str:
    """The model that takes the place of ``model`` on ``day`` for a visit that drew ``draw`` (0 to 1)."""
    for move in MOVES:
        if move.feature == feature and move.old == model and draw < _moved(move, day):
            model = move.new
    return model


def _moved(move: Move, day: date) -> float:
    since = (day - move.begins).days
    if since < 0:
        return 0.0
    return MOVE_SHARES[since] if since < len(MOVE_SHARES) else 1.0


def is_stormy(feature: str, day: date, hour: float) -> bool:
    return STORM.feature == feature and day_of_cycle(day) == STORM.day and 0 <= hour - STORM.from_hour < STORM.hours


def is_out(provider: str, day: date, hour: float) -> bool:
    return (
        OUTAGE.provider == provider and day_of_cycle(day) == OUTAGE.day and 0 <= hour - OUTAGE.from_hour < OUTAGE.hours
    )


def prompt_factor(feature: str, day: date, hour: float) -> float:
    """How much longer a feature's fixed prompt is than it was written to be."""
    if feature != BLOAT.feature:
        return 1.0
    at = day_of_cycle(day) + (hour - RELEASE_HOUR) / 24
    return BLOAT.factor if BLOAT.from_day <= at < BLOAT.to_day else 1.0


def prompt_version(feature: str, prompt: str, day: date, hour: float) -> str:
    """Versions count the prompt's changes: a bloated one and its trimmed successor each cycle, else one a cycle."""
    cycle = (day - ANCHOR).days // CYCLE_DAYS + 20
    if feature != BLOAT.feature:
        return f"{prompt}@v{cycle}"
    at = day_of_cycle(day) + (hour - RELEASE_HOUR) / 24
    return f"{prompt}@v{2 * cycle + (at >= BLOAT.from_day) + (at >= BLOAT.to_day)}"


def release(day: date, hour: float) -> str:
    """The release that runs: year, ISO week; a new one each Tuesday at nine."""
    at = datetime.combine(day, datetime.min.time()) + timedelta(hours=hour)
    year, week, _ = (at - timedelta(days=RELEASE_WEEKDAY, hours=RELEASE_HOUR)).isocalendar()
    return f"{year}.{week}"
