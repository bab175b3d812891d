"""The limit that ingest is judged by: COPY of the same rows by itself, on one connection, with a commit per batch."""

from __future__ import annotations

import time
from typing import Any

import psycopg
from outlay_collector.receive import store
from outlay_collector.receive.batch import Batch
from outlay_collector.receive.rows import COLUMNS, TYPES

ROWS_PER_COMMIT = 2048


def copy_alone(connection: psycopg.Connection[Any], batches: list[Batch], *, seconds: float) -> float:
    """Rows per second. The rows are ready in memory; the table has the keys and indexes of a day of ``span``."""
    store.prepare(connection)
    connection.execute("DROP TABLE IF EXISTS copied")
    connection.execute("CREATE TABLE copied (LIKE span INCLUDING ALL)")
    connection.commit()
    rows = [row for batch in batches for row in batch.rows]
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
