"""Spans into Postgres: one COPY and one INSERT per commit, whatever number of requests it holds.

COPY goes straight into the ledger, whose key refuses a span that is there. Then the commit is done over, by way of a
temporary table and ``ON CONFLICT DO NOTHING``: a request that a client repeats, because an answer was lost on the way,
adds nothing. Where repetitions come, more are likely, so the next commits take that way at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from typing import Any

import psycopg
from psycopg import errors
from psycopg.adapt import Dumper
from psycopg.pq import Format

from outlay_collector.calls.call import CALL
from outlay_collector.db.store import create_days
from outlay_collector.ledger.months import store as months
from outlay_collector.receive.batch import Batch
from outlay_collector.receive.rows import COLUMNS, CONTENT_COLUMNS, CONTENT_TYPES, TYPES

Connection = psycopg.Connection[Any]

_COLUMN_LIST = ", ".join(COLUMNS)

_STAGE = "CREATE TEMP TABLE IF NOT EXISTS span_stage (LIKE span) ON COMMIT DELETE ROWS"
COPY_TO_STAGE = f"COPY span_stage ({_COLUMN_LIST}) FROM STDIN (FORMAT BINARY)".encode()
_COPY = f"COPY span ({_COLUMN_LIST}) FROM STDIN (FORMAT BINARY)".encode()

_INSERT = f"""
INSERT INTO span ({_COLUMN_LIST})
SELECT {_COLUMN_LIST} FROM span_stage
ON CONFLICT DO NOTHING
""".encode()

_CONTENT_LIST = ", ".join(CONTENT_COLUMNS)
_STAGE_CONTENT = "CREATE TEMP TABLE IF NOT EXISTS content_stage (LIKE span_content) ON COMMIT DELETE ROWS"
_COPY_CONTENT = f"COPY content_stage ({_CONTENT_LIST}) FROM STDIN (FORMAT BINARY)".encode()
_INSERT_CONTENT = f"""
INSERT INTO span_content ({_CONTENT_LIST})
SELECT {_CONTENT_LIST} FROM content_stage
ON CONFLICT DO NOTHING
""".encode()

# Keys by which twins find each other, of what was sent, whether new or repeated: a repeated reference joins nothing twice.
_REFERENCE_COLUMNS = ("start_time", "response_id", "twin_keys", "trace_id", "project_id")
_REFERENCE_TYPES = ("timestamptz", "text", "int8[]", "uuid", "int4")
_STAGE_REFERENCES = f"""
CREATE TEMP TABLE IF NOT EXISTS reference_stage ON COMMIT DELETE ROWS AS
SELECT {", ".join(_REFERENCE_COLUMNS)} FROM span WITH NO DATA
"""
_COPY_REFERENCES = b"COPY reference_stage FROM STDIN (FORMAT BINARY)"
_REFER = """
INSERT INTO response_ref (start_time, response_key, trace_id, project_id)
SELECT start_time, hashtextextended(response_id, project_id), trace_id, project_id
  FROM reference_stage
 WHERE response_id IS NOT NULL
 UNION ALL
SELECT start_time, unnest(twin_keys), trace_id, project_id
  FROM reference_stage
 WHERE twin_keys IS NOT NULL
"""

_CLOSED = "SELECT starts, ends FROM closed_month WHERE ends > %s"

# Calls of closed months that this commit adds, and no others under the same identity. They are not counted where they
# happened; settlement books them in the month that is open. Asked after the rows are there: closing a month waits for
# whoever is adding rows, and whoever adds rows later waits for it.
_NOT_COUNTED = f"""
UPDATE span
   SET counted = false, not_counted_reason = '{months.LATE}'
  FROM unnest(%s::text[]::uuid[], %s::bigint[], %s::text[]::timestamptz[]) AS late (trace_id, span_id, start_time)
 WHERE span.project_id = %s AND span.trace_id = late.trace_id AND span.span_id = late.span_id
   AND span.start_time = late.start_time AND span.counted AND span.xmin = pg_current_xact_id()::xid
"""

# What was sent again with another payload under the same identity; the first committed stays.
_CONFLICTS = """
SELECT staged.project_id, count(*)
  FROM span_stage AS staged
  JOIN span USING (project_id, trace_id, span_id, start_time)
 WHERE (span.name, span.duration_us, span.status, span.input_tokens, span.output_tokens, span.attributes)
       IS DISTINCT FROM
       (staged.name, staged.duration_us, staged.status, staged.input_tokens, staged.output_tokens, staged.attributes)
 GROUP BY staged.project_id
"""

_COUNT = """
INSERT INTO ingest_count (project_id, hour, name, n)
VALUES (%s, date_trunc('hour', now()), %s, %s)
ON CONFLICT (project_id, hour, name) DO UPDATE SET n = ingest_count.n + excluded.n
"""

# A client's sums only grow; what it says twice, or late, changes nothing.
_CLIENT = """
INSERT INTO client_count (project_id, instance, outcome, hour, n)
VALUES (%s, %s, %s, date_trunc('hour', now()), %s)
ON CONFLICT (project_id, instance, outcome, hour) DO UPDATE SET n = greatest(client_count.n, excluded.n)
"""

# Ids go as text: this session passes packed uuids only.
_LATE_USAGE = """
INSERT INTO late_usage (project_id, trace_id, span_id, at, usage)
VALUES (%s, %s::text::uuid, %s, %s, %s::text::jsonb) ON CONFLICT DO NOTHING
"""

_SCORE = """
INSERT INTO score (project_id, at, trace_id, span_id, response_id, name, value, label, explanation)
VALUES (%s, %s, %s::text::uuid, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""

_TOUCH = """
INSERT INTO touched (project_id, trace_ids, first_start, last_start, minutes, attribution)
VALUES (%s, %s::text[]::uuid[], %s, %s, %s::text[]::timestamptz[], %s)
"""

_DEAD_LETTER = """
INSERT INTO dead_letter (project_id, api_key, signal, reason, detail, encoding, payload)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""

_reference = itemgetter(*map(COLUMNS.index, _REFERENCE_COLUMNS))
_RESPONSE_ID, _TWIN_KEYS, _SPAN_TYPE, _TRACE_ID, _SPAN_ID = map(
    COLUMNS.index, ("response_id", "twin_keys", "span_type", "trace_id", "span_id")
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CAREFUL_COMMITS = 16
"""So many commits expect repetitions after one was met."""


@dataclass(slots=True)
class Session:
    """What a session has learned: days whose partitions are there, and for how many commits it expects repetitions."""

    days: set[date] = field(default_factory=set[date])
    careful: int = 0


class _AlreadyPacked(Dumper):
    """Bytes that are a value in Postgres' binary form already."""

    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return obj


def prepare(connection: Connection) -> None:
    """Make a session ready to write spans."""
    for name in ("uuid", "timestamptz", "jsonb"):
        _pass_through(connection, psycopg.adapters.types[name].oid)
    for name in ("int4", "int8", "text"):
        _pass_through(connection, psycopg.adapters.types[name].array_oid)
    connection.execute(_STAGE)
    connection.execute(_STAGE_REFERENCES)
    connection.execute(_STAGE_CONTENT)
    connection.commit()


def _pass_through(connection: Connection, type_oid: int) -> None:
    connection.adapters.register_dumper(None, type("_Packed", (_AlreadyPacked,), {"oid": type_oid}))


def write(connection: Connection, batches: Sequence[Batch], session: Session) -> None:
    """Write and commit; when this returns, every row is durable. ``session`` learns."""
    missing = {day for batch in batches for day in batch.days()} - session.days
    if missing:
        create_days(connection, missing)
    if session.careful:
        session.careful -= 1
        _write_all(connection, batches, repetitions=True)
    else:
        try:
            _write_all(connection, batches, repetitions=False)
        except errors.UniqueViolation:
            connection.rollback()
            session.careful = CAREFUL_COMMITS
            if missing:
                create_days(connection, missing)
            _write_all(connection, batches, repetitions=True)
    session.days |= missing


def _write_all(connection: Connection, batches: Sequence[Batch], *, repetitions: bool) -> None:
    with connection.cursor() as cursor:
        rows = [row for batch in batches for row in batch.rows]
        if rows:
            with cursor.copy(COPY_TO_STAGE if repetitions else _COPY) as copy:
                copy.set_types(TYPES)
                for values in rows:
                    copy.write_row(values)
            if repetitions:
                cursor.execute(_INSERT)
                if repeated := len(rows) - cursor.rowcount:
                    _count_repeated(cursor, batches, repeated)
            _refer(cursor, rows)
            _set_late_apart(cursor, batches)
        _write_contents(cursor, batches)
        _write_events(cursor, batches)
        _touch(cursor, batches)
        for batch in batches:
            _refuse(cursor, batch)
    connection.commit()


def _set_late_apart(cursor: psycopg.Cursor[Any], batches: Sequence[Batch]) -> None:
    oldest = min(batch.minutes()[0] for batch in batches if batch.rows)
    closed = cursor.execute(_CLOSED, (oldest,)).fetchall()
    if not closed:
        return
    for batch in batches:
        starts = [_EPOCH + timedelta(microseconds=start) for start in batch.starts_us[: len(batch.rows)]]
        late = [
            (row[_TRACE_ID].hex(), row[_SPAN_ID], start.isoformat())
            for row, start in zip(batch.rows, starts, strict=True)
            if any(first <= start < end for first, end in closed)
        ]
        if late:
            cursor.execute(_NOT_COUNTED, (*map(list, zip(*late, strict=True)), batch.project_id))


def _refer(cursor: psycopg.Cursor[Any], rows: Sequence[tuple[Any, ...]]) -> None:
    with cursor.copy(_COPY_REFERENCES) as copy:
        copy.set_types(_REFERENCE_TYPES)
        for row in rows:
            if row[_SPAN_TYPE] == CALL and (row[_RESPONSE_ID] is not None or row[_TWIN_KEYS] is not None):
                copy.write_row(_reference(row))
    cursor.execute(_REFER)


def _write_contents(cursor: psycopg.Cursor[Any], batches: Sequence[Batch]) -> None:
    if not any(batch.contents for batch in batches):
        return
    with cursor.copy(_COPY_CONTENT) as copy:
        copy.set_types(CONTENT_TYPES)
        for batch in batches:
            for values in batch.contents:
                copy.write_row(values)
    cursor.execute(_INSERT_CONTENT)


def _write_events(cursor: psycopg.Cursor[Any], batches: Sequence[Batch]) -> None:
    for batch in batches:
        if batch.late_usage:
            cursor.executemany(_LATE_USAGE, batch.late_usage)
        if batch.scores:
            cursor.executemany(_SCORE, batch.scores)
        for instance, outcome, number in batch.clients:
            cursor.execute(_CLIENT, (batch.project_id, instance, outcome, number))
        for name, number in sorted(batch.counts.items()):
            cursor.execute(_COUNT, (batch.project_id, name, number))


def _count_repeated(cursor: psycopg.Cursor[Any], batches: Sequence[Batch], repeated: int) -> None:
    conflicts = cursor.execute(_CONFLICTS).fetchall()
    for project_id, number in conflicts:
        cursor.execute(_COUNT, (project_id, "conflicting", number))
    if len({batch.project_id for batch in batches}) == 1:
        cursor.execute(_COUNT, (batches[0].project_id, "repeated", repeated))


def _touch(cursor: psycopg.Cursor[Any], batches: Iterable[Batch]) -> None:
    for project_id, traces, minutes, attribution in _by_project(batches):
        times = [minute.isoformat() for minute in minutes]
        named = [trace.hex() for trace in sorted(traces)]
        cursor.execute(_TOUCH, (project_id, named, minutes[0], minutes[-1], times, attribution))
    cursor.execute("SELECT pg_notify('outlay_touched', '')")


def _by_project(batches: Iterable[Batch]) -> list[tuple[int, set[bytes], list[Any], int]]:
    """Traces and minutes, and the oldest version of the attribution rules that any of them was given."""
    traces: dict[int, set[bytes]] = {}
    minutes: dict[int, set[Any]] = {}
    attribution: dict[int, int] = {}
    for batch in batches:
        if batch.traces:
            traces.setdefault(batch.project_id, set()).update(batch.traces)
            minutes.setdefault(batch.project_id, set()).update(batch.minutes())
            attribution[batch.project_id] = min(attribution.get(batch.project_id, batch.attribution), batch.attribution)
    return [
        (project_id, found, sorted(minutes[project_id]), attribution[project_id])
        for project_id, found in sorted(traces.items())
    ]


def _refuse(cursor: psycopg.Cursor[Any], batch: Batch) -> None:
    if not batch.refused or batch.is_retry:
        return
    for reason, number in Counter(item.reason for item in batch.refused).items():
        cursor.execute(_COUNT, (batch.project_id, f"refused:{reason}", number))
    kept = [
        (batch.project_id, batch.key_id, item.signal, item.reason, storable(item.detail), item.encoding, item.payload)
        for item in batch.letters()
    ]
    cursor.executemany(_DEAD_LETTER, kept)


def forget_clients(connection: Connection, *, now: datetime, retention: timedelta) -> None:
    """Drop what clients told of themselves before the retention horizon."""
    connection.execute("DELETE FROM client_count WHERE hour < %s", (now - retention,))


def storable(detail: str) -> str:
    """A sentence as Postgres takes it, bounded."""
    return detail[:2000].replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
