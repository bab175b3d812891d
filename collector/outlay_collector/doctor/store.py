"""What the doctor reads from the database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from outlay_collector.access.wall import store as wall
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.db.engine import connect
from outlay_collector.db.partitions import DAY
from outlay_collector.db.revisions import current_revision, newest_revision
from outlay_collector.db.store import parts
from outlay_collector.doctor.checks import DatabaseFacts
from outlay_collector.errors import NotReady


def look_at_embedded(home: Path) -> DatabaseFacts | None:
    """The embedded database of a home, None if it has none; a server that does not run is not started."""
    server = EmbeddedPostgres(home)
    if not server.data.exists():
        return None
    if not server.is_running():
        return DatabaseFacts(problem=f"The embedded Postgres of {home} does not run.")
    return look_at(server.url)


def look_at(url: str) -> DatabaseFacts:
    try:
        with connect(url, application="outlay-doctor") as connection:
            return _facts(connection)
    except NotReady as error:
        return DatabaseFacts(problem=str(error))


def _facts(connection: psycopg.Connection[Any]) -> DatabaseFacts:
    asked = datetime.now(UTC)
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    now = row[0]
    revision, wanted = current_revision(connection), newest_revision()
    since: timedelta | None = None
    missing: tuple[date, ...] = ()
    half_removed: tuple[date, ...] = ()
    if revision == wanted:
        beat = connection.execute("SELECT clock_timestamp() - max(at) FROM heartbeat WHERE name = 'worker'").fetchone()
        since = beat[0] if beat else None
        missing, half_removed = _partitions(connection, now.astimezone(UTC).date())
    return DatabaseFacts(
        revision=revision,
        revision_wanted=wanted,
        since_worker_beat=since,
        clock_ahead=now - asked,
        days_missing=missing,
        days_half_removed=half_removed,
        walled=wall.stands(connection),
    )


def _partitions(connection: psycopg.Connection[Any], today: date) -> tuple[tuple[date, ...], tuple[date, ...]]:
    """Which of today and the next two days have no partition of spans, and which days are half removed.

    Where nothing was ever made none is missing: a worker makes them when it starts.
    """
    found = parts(connection)
    spans = {part.day for part in found if part.table == "span" and part.standing == "attached"}
    coming = (today, today + DAY, today + 2 * DAY)
    missing = tuple(day for day in coming if day not in spans) if found else ()
    return missing, tuple(sorted({part.day for part in found if part.standing == "detaching"}))
