"""Readings into the database: growth is worked out against what is remembered of the target, under its row's lock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from outlay_collector.db.partitions import partition_name
from outlay_collector.db.store import create_days
from outlay_collector.gpu.allocate import WINDOW
from outlay_collector.gpu.otlp import Sent
from outlay_collector.gpu.readings import Readings, read
from outlay_collector.gpu.record import Recorded, record
from outlay_collector.gpu.store import target_named

Connection = psycopg.Connection[Any]

_ENGINE_COLUMNS = (
    "project_id",
    "at", "target_id", "instance", "model", "engine", "up", "restarted", "seconds", "seconds_kind", "running", "waiting",
    "kv_usage", "prompt_total", "prompt_cached", "prompt_computed", "output", "prefill_seconds", "decode_seconds",
    "queue_seconds", "detail",
)  # fmt: skip
_GPU_COLUMNS = (
    "project_id",
    "at", "target_id", "uuid", "slice", "seconds", "utilization", "engine_active", "sm_active", "tensor_active",
    "dram_active", "memory_used_bytes", "memory_total_bytes", "power_watts", "energy_joules", "temperature_celsius",
    "name", "host", "detail",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """What a target said at a moment; ``readings`` None and an error when it did not answer."""

    target_id: int
    at: datetime
    readings: Readings | None
    error: str | None = None


def write(connection: Connection, told: Sequence[Told], *, now: datetime) -> int:
    """Store readings of any number of targets; how many rows. Commits nothing by itself.

    One target may be among them several times, in order of time.
    """
    if not told:
        return 0
    _make_days(connection, {one.at for one in told})
    ids = sorted({one.target_id for one in told})
    connection.execute(
        """
        INSERT INTO gpu_target_state (target_id, project_id, at, state)
        SELECT id, project_id, 'epoch', '{}' FROM gpu_target WHERE id = ANY(%s) ORDER BY id
        ON CONFLICT DO NOTHING
        """,
        (ids,),
    )
    rows = connection.execute(
        """
        SELECT target_id, state, project_id FROM gpu_target_state
         WHERE target_id = ANY(%s) ORDER BY target_id FOR UPDATE
        """,
        (ids,),
    ).fetchall()
    states: dict[int, Any] = {target_id: state for target_id, state, _ in rows}
    projects = {target_id: project_id for target_id, _, project_id in rows}
    newest: dict[int, Told] = {}
    recorded: list[Recorded] = []
    for one in sorted(told, key=lambda one: one.at):
        found = record(one.target_id, one.at, one.readings, states[one.target_id])
        states[one.target_id] = found.state
        newest[one.target_id] = one
        for row in (*found.engines, *found.gpus):
            row["project_id"] = projects[one.target_id]
        recorded.append(found)
    _insert(connection, "engine_sample", _ENGINE_COLUMNS, (row for found in recorded for row in found.engines))
    _insert(connection, "gpu_sample", _GPU_COLUMNS, (row for found in recorded for row in found.gpus))
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE gpu_target_state SET at = greatest(at, %s), error = %s, state = %s WHERE target_id = %s",
            [(one.at, one.error, Jsonb(states[target_id]), target_id) for target_id, one in newest.items()],
        )
    _mark_late(connection, told, now)
    return sum(len(found.engines) + len(found.gpus) for found in recorded)


def take(
    connection: Connection,
    project_id: int,
    sent: Sequence[Sent],
    *,
    now: datetime,
    limits: tuple[timedelta, timedelta],
) -> int:
    """What senders told of themselves over OTLP; how many rows. Times too old or too far ahead are left out."""
    oldest, newest = now - limits[0], now + limits[1]
    told: list[Told] = []
    for one in sent:
        at = datetime.fromtimestamp(one.time_ns / 1e9, UTC)
        if oldest <= at <= newest:
            target_id, model = target_named(connection, one.target, project_id)
            readings = read(one.samples, model=model)
            if readings.engines or readings.gpus:
                told.append(Told(target_id, at, readings))
    return write(connection, told, now=now)


def _insert(
    connection: Connection, table: LiteralString, columns: Sequence[str], rows: Iterable[dict[str, Any]]
) -> None:
    values = [tuple(_json(row[name]) if name == "detail" else row[name] for name in columns) for row in rows]
    if values:
        places = ", ".join(["%s"] * len(columns))
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) ON CONFLICT DO NOTHING".encode(), values
            )


def _json(value: Any) -> Jsonb | None:
    return None if value is None else Jsonb(value)


def _make_days(connection: Connection, instants: Iterable[datetime]) -> None:
    days = {instant.date() for instant in instants}
    for day in sorted(days):
        found = connection.execute("SELECT to_regclass(%s)", (partition_name("engine_sample", day),)).fetchone()
        if found is None or found[0] is None:
            create_days(connection, [day])


def _mark_late(connection: Connection, told: Sequence[Told], now: datetime) -> None:
    """Windows that were allocated before this came."""
    late = [one for one in told if one.at < now - timedelta(minutes=1)]
    if late:
        connection.execute(
            """
            INSERT INTO gpu_dirty (pool_id, start_time)
            SELECT DISTINCT target.pool_id, found.start_time
              FROM unnest(%s::integer[], %s::timestamptz[]) AS late (target_id, at)
              JOIN gpu_target AS target ON target.id = late.target_id
              JOIN gpu_window AS found ON found.pool_id = target.pool_id
               AND found.start_time > late.at - %s AND found.start_time <= late.at
            ON CONFLICT DO NOTHING
            """,
            ([one.target_id for one in late], [one.at for one in late], WINDOW),
        )
