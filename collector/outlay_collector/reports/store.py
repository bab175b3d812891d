"""What a report is made of, asked of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from outlay_collector.access.store import project_ids
from outlay_collector.alerts.events import event_id
from outlay_collector.alerts.store import send
from outlay_collector.ledger.bridge import bridge
from outlay_collector.ledger.reads import store as ledger
from outlay_collector.ledger.reads.completeness import Completeness, completeness
from outlay_collector.ledger.reads.question import Filter, Interval, Question
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.coverage import coverage
from outlay_collector.pricing.store import load_book
from outlay_collector.pricing.worth import worth_at
from outlay_collector.reports.period import Period, parse_period
from outlay_collector.reports.report import (
    BREAKDOWNS,
    GROUPED_BY,
    Report,
    Rows,
    breakdown,
    by_day,
    by_provider_and_model,
    total,
)
from outlay_collector.reports.weekly import KINDS, report_id, weekly_event
from outlay_collector.reports.words import Words
from outlay_collector.settings import Settings

Connection = psycopg.Connection[Any]


def made(
    connection: Connection,
    period: Period,
    projects: dict[str, int],
    filters: Sequence[Filter],
    settings: Settings,
) -> Report:
    """The report of ``period`` over ``projects`` (name to id) and ``filters``; nothing is written."""
    asked = Question(
        project_ids=tuple(projects.values()),
        window=period.window,
        zone=period.zone,
        filters=tuple(filters),
    )
    grouped = replace(asked, group_by=GROUPED_BY)
    now = _rows(connection, grouped, settings)
    before = _rows(connection, replace(grouped, window=period.previous), settings)
    found = [breakdown(now, before, dimension) for dimension in BREAKDOWNS]
    if len(projects) > 1:
        spent = replace(asked, group_by=("project",))
        was = _rows(connection, replace(spent, window=period.previous), settings)
        by_project = breakdown(_rows(connection, spent, settings), was, "project")
        if by_project is not None and len(by_project.parts) > 1:
            found.insert(0, by_project)
    book = load_book(connection)
    return Report(
        period=period,
        scope=_scope(projects, filters),
        currency=settings.currency,
        now=total(now),
        before=total(before),
        days=by_day(_rows(connection, replace(asked, interval=Interval.DAY), settings), period),
        breakdowns=tuple(part for part in found if part is not None),
        change=_change(before, now, book, period) if total(before).cost is not None else {},
        gaps=coverage(book, by_provider_and_model(now), at=period.now).gaps,
        completeness=_completeness(connection, asked, period.now, settings),
    )


def _rows(connection: Connection, question: Question, settings: Settings) -> list[dict[str, Any]]:
    plan = ledger.plan(connection, question, settings.zone, datetime.now(UTC))
    return ledger.spend(connection, question, plan, settings.time_zone)


def _change(before: Rows, now: Rows, book: Book, period: Period) -> dict[str, Decimal]:
    """Why the total changed, effect by effect, at the prices of the period before."""
    found = bridge(before, now, GROUPED_BY, worth_at(book, period.previous.start, GROUPED_BY))
    return {effect.value: amount for effect, amount in found.effects.items()}


def _scope(projects: dict[str, int], filters: Sequence[Filter]) -> tuple[str, ...]:
    named = list(projects) if len(projects) == 1 else []
    for item in filters:
        sign = "≠" if item.negated else "="
        named.append(f"{item.dimension} {sign} {' | '.join(item.values) or '*'}")
    return tuple(named)


def _completeness(connection: Connection, asked: Question, now: datetime, settings: Settings) -> Completeness:
    rows = _rows(connection, asked, settings)
    return completeness(
        rows[0] if rows else {},
        ledger.ingest_counts(connection, asked.project_ids, asked.window),
        dropped_by_clients=ledger.client_count(connection, asked.project_ids, asked.window, "dropped"),
        complete_until=ledger.complete_until(connection, asked.project_ids, now),
        currency=settings.currency,
    )


def send_weekly(connection: Connection, settings: Settings, now: datetime) -> int:
    """Queue last week's report for every project that somebody listens to and that made calls; how many were new.

    The same week is never told twice, whoever asks and however often.
    """
    period = parse_period("last-week", settings.zone, now)
    listening = _listeners(connection)
    sent = 0
    for project, project_id in project_ids(connection).items():
        webhooks = [webhook for webhook, only in listening if only in (None, project_id)]
        if not webhooks or _was_told(connection, report_id(project_id, period)):
            continue
        report = made(connection, period, {project: project_id}, (), settings)
        if report.now.calls or report.now.cost is not None:
            send(connection, weekly_event(report, project, project_id, Words("en")), webhooks)
            sent += 1
    return sent


def _listeners(connection: Connection) -> list[tuple[UUID, int | None]]:
    return connection.execute(
        "SELECT id, project_id FROM webhook WHERE removed_at IS NULL AND disabled_at IS NULL AND kind = ANY(%s)",
        (list(KINDS),),
    ).fetchall()


def _was_told(connection: Connection, key: str) -> bool:
    return connection.execute("SELECT FROM alert_event WHERE id = %s", (event_id(key),)).fetchone() is not None
