"""Pools, their GPUs, rates and what they serve, and targets, in the database. Transactions belong to the caller."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from outlay_collector.errors import BadRequest, Conflict
from outlay_collector.gpu.declared import Count, Declared, DeclaredPool, DeclaredServing, DeclaredTarget
from outlay_collector.gpu.rates import GpuHours, GpuRate
from outlay_collector.pricing.store import note_pools

Connection = psycopg.Connection[Any]

MAX_TARGETS = 20_000
"""Targets of an installation; those that senders name come into being by themselves, so there is an end to it."""

_DIGITS = Decimal(1).scaleb(-18)


def apply(connection: Connection, wanted: Declared, *, project_ids: dict[str, int], actor: str) -> list[str]:
    """Make pools and targets as declared; the names of the pools. What a pool had before and is not declared ends."""
    for pool in wanted.pools:
        pool_id = _pool(connection, pool, project_ids)
        _replace_parts(connection, pool_id, pool, project_ids, actor)
        _targets(connection, pool.targets, pool_id, _project(project_ids, pool.project))
        mark_all(connection, pool_id)
    _no_two_serve_the_same(connection)
    default = next(iter(sorted(project_ids.values())))
    _targets(connection, wanted.targets, None, project_ids.get("default", default))
    if wanted.pools:
        note_pools(connection, ", ".join(pool.name for pool in wanted.pools)[:200], actor=actor)
    return [pool.name for pool in wanted.pools]


def _project(project_ids: dict[str, int], name: str) -> int:
    if name not in project_ids:
        raise BadRequest(f"There is no project {name!r:.100}; outlay project create {name} makes it.")
    return project_ids[name]


def _pool(connection: Connection, pool: DeclaredPool, project_ids: dict[str, int]) -> int:
    row = connection.execute(
        """
        INSERT INTO gpu_pool (name, project_id, dimensions) VALUES (%s, %s, %s)
        ON CONFLICT (name) DO UPDATE
           SET project_id = excluded.project_id, dimensions = excluded.dimensions, removed_at = NULL
        RETURNING id
        """,
        (pool.name, _project(project_ids, pool.project), Jsonb(dict(pool.dimensions))),
    ).fetchone()
    assert row is not None
    return row[0]


def _number(count: Count) -> Decimal:
    exact = Fraction(count)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(_DIGITS).normalize()


def _replace_parts(
    connection: Connection, pool_id: int, pool: DeclaredPool, project_ids: dict[str, int], actor: str
) -> None:
    for table in ("gpu_hours", "gpu_serving", "gpu_job"):
        connection.execute(f"DELETE FROM {table} WHERE pool_id = %s".encode(), (pool_id,))
    connection.execute("UPDATE gpu_rate SET removed_at = now() WHERE pool_id = %s AND removed_at IS NULL", (pool_id,))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO gpu_hours (pool_id, gpu, gpus, starts, ends) VALUES (%s, %s, %s, %s, %s)",
            [(pool_id, one.gpu, _number(one.count), one.starts, one.ends) for one in pool.gpus],
        )
        cursor.executemany(
            """
            INSERT INTO gpu_rate (pool_id, gpu, kind, amount, currency, valid_from, valid_to, source, detail, created_by)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                (
                    pool_id, one.gpu, "owned" if one.owned else one.kind, one.amount(), one.currency, one.valid_from,
                    one.valid_to, one.source,
                    Jsonb({name: str(value) for name, value in one.owned.items()}) if one.owned else None, actor,
                )
                for one in pool.rates
            ],
        )  # fmt: skip
        cursor.executemany(
            """
            INSERT INTO gpu_serving (pool_id, model, providers, project_id, gpus, valid_from, valid_to)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            """,
            [_serving(pool_id, one, project_ids) for one in pool.serves],
        )
        cursor.executemany(
            "INSERT INTO gpu_job (pool_id, name, gpus, starts, ends, dimensions) VALUES (%s, %s, %s, %s, %s, %s)",
            [
                (pool_id, one.name, _number(one.gpus), one.starts, one.ends, Jsonb(dict(one.dimensions)))
                for one in pool.jobs
            ],
        )


def _serving(pool_id: int, one: DeclaredServing, project_ids: dict[str, int]) -> tuple[Any, ...]:
    project_id = None if one.project is None else _project(project_ids, one.project)
    gpus = None if one.gpus is None else _number(one.gpus)
    providers = [name.lower() for name in one.providers]
    return pool_id, one.model, providers, project_id, gpus, one.valid_from, one.valid_to


def _no_two_serve_the_same(connection: Connection) -> None:
    """A call that two pools claim could be charged to either."""
    found = connection.execute(
        """
        SELECT one.model, first.name, second.name
          FROM gpu_serving AS one
          JOIN gpu_serving AS other ON other.id > one.id AND lower(other.model) = lower(one.model)
           AND (other.providers && one.providers OR '*' = ANY(one.providers) OR '*' = ANY(other.providers))
           AND (one.project_id IS NULL OR other.project_id IS NULL OR one.project_id = other.project_id)
           AND tstzrange(one.valid_from, one.valid_to) && tstzrange(other.valid_from, other.valid_to)
          JOIN gpu_pool AS first ON first.id = one.pool_id
          JOIN gpu_pool AS second ON second.id = other.pool_id
         LIMIT 1
        """
    ).fetchone()
    if found is not None:
        model, first, second = found
        raise Conflict(
            f"{model} is served by {first} and by {second} at one time, so its calls could be charged to either: "
            "tell them apart by providers, project or from and to."
        )


def _targets(connection: Connection, targets: Sequence[DeclaredTarget], pool_id: int | None, project_id: int) -> None:
    if pool_id is not None:
        connection.execute(
            "UPDATE gpu_target SET pool_id = NULL, removed_at = now() WHERE pool_id = %s AND NOT name = ANY(%s)",
            (pool_id, [target.name for target in targets]),
        )
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO gpu_target (name, project_id, url, pool_id, model, interval_seconds)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (name) DO UPDATE
               SET url = excluded.url, pool_id = coalesce(excluded.pool_id, gpu_target.pool_id), model = excluded.model,
                   interval_seconds = excluded.interval_seconds, project_id = excluded.project_id, removed_at = NULL
            """,
            [(one.name, project_id, one.url, pool_id, one.model, one.interval) for one in targets],
        )


def target_named(connection: Connection, name: str, project_id: int) -> tuple[int, str]:
    """The target that a sender names, and the model it serves; made when it is new. Conflict if it is another project's."""
    row = connection.execute("SELECT id, project_id, model FROM gpu_target WHERE name = %s", (name,)).fetchone()
    if row is None:
        (number,) = connection.execute("SELECT count(*) FROM gpu_target").fetchone() or (0,)
        if number >= MAX_TARGETS:
            raise Conflict(f"There are {number} targets already; a target's name is not to change with every request.")
        row = connection.execute(
            """
            INSERT INTO gpu_target (name, project_id) VALUES (%s, %s)
            ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id, project_id, model
            """,
            (name, project_id),
        ).fetchone()
    assert row is not None
    if row[1] != project_id:
        raise Conflict(f"The target {name!r:.100} is of another project; take another name.")
    return row[0], row[2] or ""


def mark_all(connection: Connection, pool_id: int, *, since: datetime | None = None) -> None:
    """Have every window of a pool allocated again."""
    connection.execute(
        """
        INSERT INTO gpu_dirty (pool_id, start_time)
        SELECT pool_id, start_time FROM gpu_window
         WHERE pool_id = %s AND (%s::timestamptz IS NULL OR start_time >= %s)
        ON CONFLICT DO NOTHING
        """,
        (pool_id, since, since),
    )


def set_rate(connection: Connection, rate: GpuRate, *, actor: str) -> None:
    """A rate for GPUs of any pool; it closes the one before it of the same GPU at its own beginning."""
    connection.execute(
        """
        UPDATE gpu_rate SET valid_to = %(from)s
         WHERE pool_id IS NOT DISTINCT FROM %(pool)s AND lower(gpu) = lower(%(gpu)s) AND removed_at IS NULL
           AND valid_to IS NULL AND %(from)s::timestamptz IS NOT NULL
        """,
        {"pool": rate.pool_id, "gpu": rate.gpu, "from": rate.valid_from},
    )
    connection.execute(
        """
        INSERT INTO gpu_rate (pool_id, gpu, kind, amount, currency, valid_from, valid_to, source, created_by)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            rate.pool_id, rate.gpu, rate.kind, rate.amount, rate.currency, rate.valid_from, rate.valid_to, rate.source,
            actor,
        ),
    )  # fmt: skip
    for (pool_id,) in connection.execute("SELECT id FROM gpu_pool WHERE removed_at IS NULL").fetchall():
        mark_all(connection, pool_id, since=rate.valid_from)


def rates(connection: Connection) -> list[GpuRate]:
    """In force by now, oldest first."""
    rows = connection.execute(
        """
        SELECT id, pool_id, gpu, kind, amount, currency, valid_from, valid_to, source
          FROM gpu_rate WHERE removed_at IS NULL ORDER BY id
        """
    ).fetchall()
    names = ("id", "pool_id", "gpu", "kind", "amount", "currency", "valid_from", "valid_to", "source")
    return [GpuRate(**dict(zip(names, row, strict=True))) for row in rows]


def hours(connection: Connection, pool_id: int) -> list[GpuHours]:
    rows = connection.execute(
        "SELECT gpu, gpus, starts, ends FROM gpu_hours WHERE pool_id = %s ORDER BY id", (pool_id,)
    ).fetchall()
    return [
        GpuHours(gpu=gpu, gpus=Fraction(gpus).limit_denominator(1_000_000), starts=starts, ends=ends)
        for gpu, gpus, starts, ends in rows
    ]


def pool_names(connection: Connection) -> dict[int, str]:
    return dict(connection.execute("SELECT id, name FROM gpu_pool ORDER BY id").fetchall())


def pool_of(connection: Connection, name: str, project_ids: Sequence[int]) -> int | None:
    """The id of a pool of one of these projects."""
    row = connection.execute(
        "SELECT id FROM gpu_pool WHERE name = %s AND project_id = ANY(%s) AND removed_at IS NULL",
        (name, list(project_ids)),
    ).fetchone()
    return None if row is None else row[0]


def targets(connection: Connection, project_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Targets with when and how they were last read, by name."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT target.name, target.url, pool.name AS pool, target.model, target.interval_seconds,
                   CASE WHEN target.url IS NULL THEN 'sends' ELSE 'scraped' END AS way,
                   state.at AS last_at, state.error
              FROM gpu_target AS target
              LEFT JOIN gpu_pool AS pool ON pool.id = target.pool_id
              LEFT JOIN gpu_target_state AS state ON state.target_id = target.id
             WHERE target.removed_at IS NULL AND target.project_id = ANY(%s)
             ORDER BY target.name
            """,
            (list(project_ids),),
        ).fetchall()


def scraped_targets(connection: Connection) -> list[tuple[int, str, str, str, int]]:
    """Id, name, URL, model and interval in seconds of what the worker is to read."""
    return connection.execute(
        """
        SELECT id, name, url, coalesce(model, ''), interval_seconds
          FROM gpu_target WHERE url IS NOT NULL AND removed_at IS NULL ORDER BY id
        """
    ).fetchall()
