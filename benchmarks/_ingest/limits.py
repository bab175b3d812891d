"""The limits that ingest is judged by: COPY of the same rows by itself, on one connection, with a commit per batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg
from outlay_collector.receive import store
from outlay_collector.receive.batch import Batch
from outlay_collector.receive.rows import COLUMNS, TYPES
from psycopg.types.json import Jsonb

ROWS_PER_COMMIT = 2048

Row = Sequence[Any]


def copy_values(connection: psycopg.Connection[Any], rows: int, *, seconds: float) -> float:
    """Rows per second of COPY as one writes it: stored spans as Python values, adapted by psycopg, binary."""
    found = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM span LIMIT {rows}".encode()).fetchall()
    values = [tuple(Jsonb(value) if isinstance(value, dict) else value for value in row) for row in found]
    return _copy(connection, values, seconds)


def copy_packed(connection: psycopg.Connection[Any], batches: list[Batch], *, seconds: float) -> float:
    """The same with rows that are packed already as ingest packs them: next to nothing is left to do but to store."""
    store.prepare(connection)
    return _copy(connection, [row for batch in batches for row in batch.rows], seconds)


def _copy(connection: psycopg.Connection[Any], rows: list[Any], seconds: float) -> float:
    """Best of as many passes as fit. The table has the keys and indexes of a day of ``span``."""
    connection.execute("DROP TABLE IF EXISTS copied")
    connection.execute("CREATE TABLE copied (LIKE span INCLUDING ALL)")
    connection.commit()
    statement = f"COPY copied ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)".encode()
    best, written, spent = 0.0, 0, 0.0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for start in range(0, len(rows), ROWS_PER_COMMIT):
            part = rows[start : start + ROWS_PER_COMMIT]
            began = time.perf_counter()
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                copy.set_types(TYPES)
                for values in part:
                    copy.write_row(values)
            connection.commit()
            spent += time.perf_counter() - began
            written += len(part)
        best = max(best, written / spent)
        written, spent = 0, 0.0
        connection.execute("TRUNCATE copied")
        connection.commit()
    connection.execute("DROP TABLE copied")
    connection.commit()
    return best
