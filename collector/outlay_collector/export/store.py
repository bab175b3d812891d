"""A month of the ledger, read for the export."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from outlay_collector.export import sql
from outlay_collector.export.focus import TAGGED, Booked, Calls, Export
from outlay_collector.ledger.months import store as months
from outlay_collector.ledger.months.calendar import month_window
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Filter, Question
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.reprice.rules import BUCKETS
from outlay_collector.pricing.store import load_book
from outlay_collector.pricing.usage import Usage

Connection = psycopg.Connection[Any]

FURTHER = ("cache_read_audio_tokens", "web_search_calls", "requests", "audio_seconds")
"""Counts of ``Usage`` that are stored beside the further parts."""

_HASH_RATHER_THAN_SORT = "SELECT set_config('enable_sort', 'off', true), set_config('work_mem', '32MB', true)"


def focus(
    connection: Connection,
    month: str,
    *,
    projects: Mapping[int, str],
    filters: tuple[Filter, ...] = (),
    zone: ZoneInfo,
    currency: str,
    book: Book | None = None,
) -> Export:
    """The month's booked charges as FOCUS rows. ``book`` is the newest one, if the caller has it at hand."""
    window = month_window(month, zone)
    export = Export(month=month, window=window, zone=zone, currency=currency)
    question = Question(project_ids=tuple(projects), window=window, zone=zone, filters=filters)
    for group, its_book in charged(connection, question, projects=projects, book=book):
        export.add_calls(group, its_book)
    statement, parameters = sql.lines(question, zone.key)
    for row in connection.execute(statement.encode(), parameters).fetchall():
        export.add_booked(_booked(dict(zip(sql.LINE_COLUMNS, row, strict=True)), projects))
    return export


def charged(
    connection: Connection,
    question: Question,
    *,
    projects: Mapping[int, str],
    book: Book | None = None,
    hourly: bool = False,
) -> Iterator[tuple[Calls, Book | None]]:
    """Calls in groups that were charged alike, each with the version of the price book that charged them."""
    book_of = _books(connection, book)
    connection.execute(_HASH_RATHER_THAN_SORT)
    statement, parameters = sql.calls(question, question.zone.key, hourly=hourly)
    for row in connection.execute(statement.encode(), parameters).fetchall():
        group = _calls(dict(zip(sql.CALL_COLUMNS, row, strict=True)), projects)
        yield group, book_of(group.price_version)


def metadata(
    connection: Connection, export: Export, *, version: str, project_ids: tuple[int, ...], now: datetime
) -> dict[str, Any]:
    return export.metadata(
        version=version,
        made_at=now,
        closed=export.month in months.closed(connection),
        complete_until=reads.complete_until(connection, project_ids, now),
    )


def _books(connection: Connection, newest: Book | None) -> Callable[[int | None], Book | None]:
    """Books by version, each read once; a version 0 was priced with the bundled book, which no table has."""
    known: dict[int, Book] = {newest.version: newest} if newest is not None else {}

    def book_of(version: int | None) -> Book | None:
        if not version:
            return None
        if version not in known:
            known[version] = load_book(connection, version)
        return known[version]

    return book_of


def _calls(row: Mapping[str, Any], projects: Mapping[int, str]) -> Calls:
    said = row["usage"]
    return Calls(
        project_id=row["project_id"],
        project=projects[row["project_id"]],
        day=row["day"],
        hour=row["hour"],
        provider=row["provider"],
        model=row["model"],
        service_tier=row["service_tier"],
        region=row["region"],
        account=row["account"],
        dimensions={name: row[name] for name in TAGGED if row[name] is not None},
        tags=row["tags"] or {},
        charge_status=row["charge_status"] or "unpriced",
        usage_source=row["usage_source"],
        price_version=row["price_version"],
        charge_currency=row["charge_currency"],
        used=row["used"],
        usage=_usage(said) if said is not None else None,
        calls=row["calls"],
        quantities=tuple(row[f"b{n}"] for n in range(len(BUCKETS))),
        cost=row["cost"],
        charge_cost=row["charge_cost"],
        at=row["at"],
        prompt=row["prompt"],
    )


def _usage(said: dict[str, Any]) -> Usage:
    extra: dict[str, int] = dict(said.pop("extra", {}))
    further = {name: extra.pop(name) for name in FURTHER if name in extra}
    return Usage(**said, **further, extra=extra)


def _booked(row: Mapping[str, Any], projects: Mapping[int, str]) -> Booked:
    return Booked(
        project=projects[row["project_id"]],
        day=row["day"],
        incurred_day=row["incurred_day"],
        kind=row["kind"],
        cause=row["cause"],
        dimensions=row["dimensions"],
        corrects_month=row["corrects"],
        cost=row["cost"],
        quantity=row["quantity"],
        unit=row["unit"],
    )
