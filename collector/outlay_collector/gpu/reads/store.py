"""Answers about pools from their windows, samples and the sums of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from outlay_collector.gpu.breakeven import Mix
from outlay_collector.gpu.policies import TeamCost, teams

Connection = psycopg.Connection[Any]

_AMOUNTS = ("cost", "calls", "jobs", "unattributed", "idle", "startup", "unobserved")
_SUMS: LiteralString = (
    "sum(cost) AS cost, sum(calls) AS calls, sum(jobs) AS jobs, sum(unattributed) AS unattributed,"
    " sum(idle) AS idle, sum(startup) AS startup, sum(unobserved) AS unobserved"
)

_POOLS = f"""
SELECT pool.id, pool.name, project.name AS project, pool.dimensions, summed.*,
       (SELECT sum(gpus) FROM gpu_hours WHERE pool_id = pool.id AND starts < %(end)s AND (ends IS NULL OR ends >= %(end)s))
           AS gpus,
       (SELECT string_agg(DISTINCT gpu, ', ') FROM gpu_hours WHERE pool_id = pool.id) AS gpu,
       (SELECT array_agg(DISTINCT model ORDER BY model) FROM gpu_serving WHERE pool_id = pool.id) AS models
  FROM gpu_pool AS pool
  JOIN project ON project.id = pool.project_id
  LEFT JOIN LATERAL (
        SELECT {_SUMS}, sum(gpu_seconds) / 3600 AS gpu_hours, bool_or(is_default) AS is_default,
               bool_or(detail ? 'without_rate') AS lacks_rate, max(start_time) AS last_window
          FROM gpu_window WHERE pool_id = pool.id AND start_time >= %(start)s AND start_time < %(end)s
       ) AS summed ON true
 WHERE pool.removed_at IS NULL AND pool.project_id = ANY(%(projects)s)
 ORDER BY summed.cost DESC NULLS LAST, pool.name
"""

# What a million tokens cost: windows weighed by the tokens they had.
_UNITS = """
SELECT done.pool_id, unit ->> 'model' AS model,
       sum((unit ->> 'cost')::numeric) AS cost, sum((unit ->> 'busy')::numeric) AS busy,
       sum((unit -> 'tokens' ->> 'computed')::double precision) AS prompt_tokens,
       sum((unit -> 'tokens' ->> 'cached')::double precision) AS cached_tokens,
       sum((unit -> 'tokens' ->> 'output')::double precision) AS output_tokens,
       sum((unit -> 'busy_per_million' ->> 'prompt')::double precision * (unit -> 'tokens' ->> 'computed')::double precision)
           / nullif(sum((unit -> 'tokens' ->> 'computed')::double precision), 0) AS busy_prompt,
       sum((unit -> 'busy_per_million' ->> 'output')::double precision * (unit -> 'tokens' ->> 'output')::double precision)
           / nullif(sum((unit -> 'tokens' ->> 'output')::double precision), 0) AS busy_output,
       sum((unit -> 'loaded_per_million' ->> 'prompt')::double precision * (unit -> 'tokens' ->> 'computed')::double precision)
           / nullif(sum((unit -> 'tokens' ->> 'computed')::double precision), 0) AS loaded_prompt,
       sum((unit -> 'loaded_per_million' ->> 'output')::double precision * (unit -> 'tokens' ->> 'output')::double precision)
           / nullif(sum((unit -> 'tokens' ->> 'output')::double precision), 0) AS loaded_output,
       mode() WITHIN GROUP (ORDER BY unit ->> 'evidence') FILTER (WHERE (unit ->> 'busy')::numeric > 0) AS evidence,
       mode() WITHIN GROUP (ORDER BY unit ->> 'weights') FILTER (WHERE (unit ->> 'busy')::numeric > 0) AS weights,
       avg((unit ->> 'moved_by_processor_sharing')::double precision) AS moved_by_processor_sharing
  FROM gpu_window AS done, jsonb_array_elements(done.detail -> 'units') AS unit
 WHERE done.pool_id = ANY(%(pools)s) AND done.start_time >= %(start)s AND done.start_time < %(end)s
   AND unit ->> 'model' IS NOT NULL
 GROUP BY done.pool_id, unit ->> 'model'
 ORDER BY 1, 2
"""

_ENGINES = """
SELECT target.pool_id, avg(running) AS running, avg(waiting) AS waiting, max(waiting) AS most_waiting,
       avg(kv_usage) AS kv_usage, max(kv_usage) AS most_kv_usage, count(DISTINCT (target_id, instance)) AS engines,
       sum(output) / nullif(sum(seconds) FILTER (WHERE running > 0), 0) AS output_per_second
  FROM engine_sample AS sample JOIN gpu_target AS target ON target.id = sample.target_id
 WHERE target.pool_id = ANY(%(pools)s) AND sample.at >= %(start)s AND sample.at < %(end)s AND sample.up
 GROUP BY target.pool_id
"""

_GPUS = """
SELECT target.pool_id, avg(utilization) AS utilization, avg(engine_active) AS engine_active, avg(sm_active) AS sm_active,
       avg(tensor_active) AS tensor_active, avg(dram_active) AS dram_active,
       avg(memory_used_bytes / nullif(memory_total_bytes, 0)) AS memory_used,
       avg(power_watts) AS power_watts, sum(energy_joules) / 3600000.0 AS energy_kwh, count(DISTINCT (uuid, slice)) AS seen
  FROM gpu_sample AS sample JOIN gpu_target AS target ON target.id = sample.target_id
 WHERE target.pool_id = ANY(%(pools)s) AND sample.at >= %(start)s AND sample.at < %(end)s
 GROUP BY target.pool_id
"""

_HOURS = f"""
SELECT pool_id, date_trunc('hour', start_time, %(zone)s) AS hour, {_SUMS}
  FROM gpu_window WHERE pool_id = ANY(%(pools)s) AND start_time >= %(start)s AND start_time < %(end)s
 GROUP BY 1, 2 ORDER BY 1, 2
"""

# Per hour that there was, so that a period of ten days does not make Mondays dear.
_WEEK = """
SELECT pool_id, extract(isodow FROM start_time AT TIME ZONE %(zone)s)::integer AS weekday,
       extract(hour FROM start_time AT TIME ZONE %(zone)s)::integer AS hour,
       sum(idle) / count(*) * 4 AS idle_per_hour, sum(cost) / count(*) * 4 AS cost_per_hour
  FROM gpu_window WHERE pool_id = ANY(%(pools)s) AND start_time >= %(start)s AND start_time < %(end)s
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

# By whole hours, as the sums are.
_TEAMS = """
SELECT named.gpu_pool, named.team, sum(summed.cost) AS cost
  FROM cost_hour AS summed JOIN dimension_set AS named ON named.id = summed.dimension_set_id
 WHERE summed.project_id = ANY(%(projects)s) AND summed.hour >= date_trunc('hour', %(start)s::timestamptz)
   AND summed.hour < %(end)s
   AND summed.basis <> 1 AND named.gpu_pool IS NOT NULL AND summed.calls > 0
 GROUP BY 1, 2
"""


def pools(
    connection: Connection, project_ids: Sequence[int], start: datetime, end: datetime, zone: str
) -> list[dict[str, Any]]:
    """Each pool of these projects with what it cost in a period and where that went."""
    values: dict[str, Any] = {"projects": list(project_ids), "start": start, "end": end, "zone": zone}
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_POOLS.encode(), values).fetchall()
        values["pools"] = [row["id"] for row in found]
        parts = {
            name: cursor.execute(statement.encode(), values).fetchall()
            for name, statement in (
                ("models", _UNITS),
                ("engines", _ENGINES),
                ("gpus", _GPUS),
                ("hours", _HOURS),
                ("week", _WEEK),
            )
        }
        used = cursor.execute(_TEAMS, values).fetchall()
    answer: list[dict[str, Any]] = []
    for row in found:
        own = {
            name: [
                {key: value for key, value in one.items() if key != "pool_id"}
                for one in rows
                if one["pool_id"] == row["id"]
            ]
            for name, rows in parts.items()
        }
        by_team = {
            one["team"]: one["cost"] for one in used if one["gpu_pool"] == row["name"] and one["cost"] is not None
        }
        rest = sum((row[name] or Decimal(0) for name in ("unattributed", "idle", "startup", "unobserved")), Decimal(0))
        answer.append(
            {name: value for name, value in row.items() if name not in ("id", "models")}
            | {
                "serves": row["models"] or [],
                "models": own["models"],
                "engines": own["engines"][0] if own["engines"] else None,
                "telemetry": own["gpus"][0] if own["gpus"] else None,
                "hours": own["hours"],
                "week": own["week"],
                "teams": [_team(one) for one in teams(by_team, rest, row["dimensions"].get("team"))],
            }
        )
    return answer


def _team(one: TeamCost) -> dict[str, Any]:
    return {"team": one.team, "apart": one.apart, "spread": one.spread, "owner": one.owner}


def mix(connection: Connection, pool: str, start: datetime, end: datetime) -> Mix:
    """Tokens of the calls that a pool served, brought to a month of 730 hours."""
    row = connection.execute(
        """
        SELECT sum(summed.input_tokens), sum(summed.cache_read_tokens), sum(summed.output_tokens)
          FROM cost_hour AS summed JOIN dimension_set AS named ON named.id = summed.dimension_set_id
         WHERE named.gpu_pool = %s AND summed.hour >= date_trunc('hour', %s::timestamptz)
           AND summed.hour < %s AND summed.basis <> 1
        """,
        (pool, start, end),
    ).fetchone()
    prompt, cached, output = (int(number or 0) for number in row or (0, 0, 0))
    hours = max((end - start) / timedelta(hours=1), 1.0)
    month = 730 / hours
    return Mix(prompt=round(prompt * month), cached=round(cached * month), output=round(output * month))


def tokens_by_day(connection: Connection, pool: str, start: datetime, end: datetime) -> list[int]:
    rows = connection.execute(
        """
        SELECT sum(summed.input_tokens + summed.output_tokens)
          FROM cost_day AS summed JOIN dimension_set AS named ON named.id = summed.dimension_set_id
         WHERE named.gpu_pool = %s AND summed.day >= %s::date AND summed.day < %s::date AND summed.basis <> 1
         GROUP BY summed.day ORDER BY summed.day
        """,
        (pool, start, end),
    ).fetchall()
    return [int(tokens or 0) for (tokens,) in rows]


def sustained(connection: Connection, pool_id: int, start: datetime, end: datetime) -> Decimal | None:
    """Tokens a second that a pool was seen to sustain: the 95th percentile of five minutes with requests waiting.

    Where none ever waited, of five minutes with any at work: a lower bound.
    """
    row = connection.execute(
        """
        WITH stretch AS (
            SELECT date_bin('5 minutes', sample.at, 'epoch') AS at, max(waiting) AS waiting,
                   sum(coalesce(prompt_total, prompt_computed, 0) + coalesce(output, 0)) / 300.0 AS rate
              FROM engine_sample AS sample JOIN gpu_target AS target ON target.id = sample.target_id
             WHERE target.pool_id = %s AND sample.at >= %s AND sample.at < %s AND sample.up
             GROUP BY 1
        )
        SELECT coalesce(percentile_disc(0.95) WITHIN GROUP (ORDER BY rate) FILTER (WHERE waiting > 0),
                        percentile_disc(0.95) WITHIN GROUP (ORDER BY rate) FILTER (WHERE rate > 0))
          FROM stretch
        """,
        (pool_id, start, end),
    ).fetchone()
    return None if row is None or not row[0] else Decimal(str(row[0]))


def fleet_of(connection: Connection, pool_id: int, start: datetime, end: datetime) -> tuple[Decimal, Decimal] | None:
    """What a pool costs an hour, by its windows, and how many GPUs that is; None before any window was allocated."""
    row = connection.execute(
        """
        SELECT sum(cost) * 4 / count(*), sum(gpu_seconds) / 900 / count(*)
          FROM gpu_window WHERE pool_id = %s AND start_time >= %s AND start_time < %s
        """,
        (pool_id, start, end),
    ).fetchone()
    return None if row is None or row[0] is None else (row[0], row[1])
