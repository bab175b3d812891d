"""Spreading the tables that grow over the machines of a Citus cluster."""

from __future__ import annotations

from typing import Any

import psycopg

from outlay_collector.errors import BadRequest

Connection = psycopg.Connection[Any]

# What belongs to one trace lies together; ids of responses, which join traces, lie by themselves.
DISTRIBUTED = (
    ("span", "trace_id", "default"),
    ("span_content", "trace_id", "span"),
    ("response_ref", "response_key", "none"),
)


def distribute(connection: Connection) -> list[str]:
    """Spread what is not spread yet; the tables that were. In autocommit: each table by itself, and safe to repeat.

    BadRequest on a Postgres without the extension, which is left as it is.
    """
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'citus'").fetchone()
    if row is None:
        offered = connection.execute(
            "SELECT default_version FROM pg_available_extensions WHERE name = 'citus'"
        ).fetchone()
        mend = (
            f"Citus {offered[0]} is installed on the server: CREATE EXTENSION citus, add its workers, and run this again."
            if offered
            else "One Postgres goes far (docs/scaling.md); for more, give Outlay a Citus cluster."
        )
        raise BadRequest(f"This Postgres has not the extension citus, so nothing was distributed. {mend}")
    done: list[str] = []
    for table, column, beside in DISTRIBUTED:
        spread = connection.execute(
            "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = %s::regclass AND partmethod = 'h')",
            (table,),
        ).fetchone()
        if spread and spread[0]:
            continue
        connection.execute("SELECT create_distributed_table(%s, %s, colocate_with => %s)", (table, column, beside))
        done.append(table)
    return done
