"""The statements that make rollups, written once for every grain.

A rollup row is a bucket, a set of allocation dimensions and sums. Its bucket is always recomputed as a whole from what
lies below (raw rows, or the finer rollup), never added to: so late data, settlement, repricing and a repeated run are
one and the same case.
"""

from __future__ import annotations

from outlay_collector.db.names import ALLOCATION_DIMENSIONS, SUMS

_DIMENSIONS = ", ".join(ALLOCATION_DIMENSIONS)
_SUMS = ", ".join(SUMS)

# A hash of the values, so that two workers that meet the same set for the first time agree on its id.
_SET_ID = (
    f"substr(encode(sha256(convert_to(jsonb_build_array({_DIMENSIONS}, tags)::text, 'UTF8')), 'hex'), 1, 32)::uuid"
)

_TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "input_audio_tokens",
    "output_tokens",
    "reasoning_tokens",
    "output_audio_tokens",
)

NO_PRICE = "charge_status IN ('unpriced', 'partly_priced', 'invalid') AND usage_source <> 'missing'"

# What calls add up to.
CALL_SUMS = f"""count(*) AS calls,
       count(*) FILTER (WHERE status = 2) AS errors,
       count(*) FILTER (WHERE {NO_PRICE}) AS unpriced_calls,
       count(*) FILTER (WHERE usage_source = 'estimated') AS estimated_calls,
       count(*) FILTER (WHERE usage_source = 'missing' AND status <> 2) AS missing_usage_calls,
       {", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in _TOKENS)},
       coalesce(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) FILTER (WHERE {NO_PRICE}), 0)::bigint
           AS unpriced_tokens,
       sum(duration_us)::bigint AS duration_us,
       0::bigint AS lines,
       sum(cost) AS cost,
       sum(reported_cost) AS reported_cost"""

# Calls that count, by bucket and dimensions.
_CALLS = f"""
SELECT {{bucket}} AS bucket, {_DIMENSIONS}, NULL::jsonb AS tags, 0::smallint AS basis,
       {CALL_SUMS}
  FROM call
 WHERE project_id = %(project)s AND start_time >= %(start)s AND start_time < %(end)s AND counted
 GROUP BY bucket, {_DIMENSIONS}
"""

# Ledger lines of a window: for both views where they were booked when they were incurred, else once for each.
LINES_OF_WINDOW = """
        SELECT charge_time AS start_time, CASE WHEN charge_time = incurred_time THEN 0 ELSE 1 END::smallint AS basis,
               dimensions, cost
          FROM ledger_line
         WHERE project_id = %(project)s AND charge_time >= %(start)s AND charge_time < %(end)s
         UNION ALL
        SELECT incurred_time, 2::smallint, dimensions, cost
          FROM ledger_line
         WHERE project_id = %(project)s AND incurred_time >= %(start)s AND incurred_time < %(end)s
           AND incurred_time <> charge_time
"""

_LINES = f"""
SELECT {{bucket}} AS bucket, {", ".join(f"dimensions ->> '{name}' AS {name}" for name in ALLOCATION_DIMENSIONS)},
       dimensions -> 'tags' AS tags, basis,
       {", ".join(f"0::bigint AS {name}" for name in SUMS if name != "lines")},
       count(*) AS lines, sum(cost) AS cost, NULL::numeric AS reported_cost
  FROM ({LINES_OF_WINDOW}) AS line
 GROUP BY 1, {", ".join(str(n) for n in range(2, len(ALLOCATION_DIMENSIONS) + 3))}, basis
"""


def bucket_of(grain: str) -> str:
    """The bucket of ``start_time`` in the instance's zone."""
    return f"date_trunc('{grain}', start_time, %(zone)s)"


def from_rows(grain: str) -> str:
    """Sums of a window of raw rows and lines into ``cost_<grain>``, whose rows of that window were deleted before."""
    ordered = ", ".join(("bucket", _DIMENSIONS, "tags", "basis", _SUMS, "cost", "reported_cost"))
    return f"""
WITH summed AS (
    SELECT {ordered} FROM ({_CALLS.format(bucket=bucket_of(grain))}) AS calls_of
    UNION ALL
    SELECT {ordered} FROM ({_LINES.format(bucket=bucket_of(grain))}) AS lines_of
), named AS (
    SELECT {_SET_ID} AS dimension_set_id, * FROM summed
), remembered AS (
    INSERT INTO dimension_set (id, {_DIMENSIONS}, tags)
    SELECT DISTINCT dimension_set_id, {_DIMENSIONS}, tags FROM named ORDER BY dimension_set_id
    ON CONFLICT (id) DO NOTHING
)
INSERT INTO cost_{grain} (project_id, {grain}, dimension_set_id, basis, {_SUMS}, cost, reported_cost)
SELECT %(project)s, bucket, dimension_set_id, basis, {", ".join(f"nullif({name}, 0)" for name in SUMS)},
       cost, reported_cost
  FROM named
"""


def calls_of_all_time() -> str:
    """The sums of a project's counted calls straight from its rows, for comparing."""
    window = "AND start_time >= %(start)s AND start_time < %(end)s "
    return _CALLS.format(bucket="NULL::timestamptz").replace(window, "")


def from_finer(finer: str, grain: str) -> str:
    """Sums of a window of ``cost_<finer>`` into ``cost_<grain>``; the finer rows are of the same project."""
    bucket = f"date_trunc('{grain}', {finer}, %(zone)s)" if grain != "day" else "(hour AT TIME ZONE %(zone)s)::date"
    return f"""
INSERT INTO cost_{grain} (project_id, {grain}, dimension_set_id, basis, {_SUMS}, cost, reported_cost)
SELECT %(project)s, {bucket}, dimension_set_id, basis, {", ".join(f"sum({name})::bigint" for name in SUMS)},
       sum(cost), sum(reported_cost)
  FROM cost_{finer}
 WHERE project_id = %(project)s AND {finer} >= %(start)s AND {finer} < %(end)s
 GROUP BY 2, dimension_set_id, basis
"""


def delete(table: str, column: str) -> str:
    return f"DELETE FROM {table} WHERE project_id = %(project)s AND {column} >= %(start)s AND {column} < %(end)s"


LATENCY_VALUES = """(VALUES (0::smallint, duration_us), (1::smallint, (time_to_first_token_ms * 1000)::bigint))
                AS value (measure, us)"""

# Bucket b holds the durations in (1.02^(b-1), 1.02^b] microseconds, so its middle is within 1 % of each of them.
LATENCY_BUCKET = "ceil(ln(greatest(us, 1)::double precision) / ln(1.02::double precision))::smallint"

_LATENCY_FROM_ROWS = f"""
WITH measured AS (
    SELECT date_trunc('{{grain}}', start_time, %(zone)s) AS bucket, provider, model, service, feature, measure,
           {LATENCY_BUCKET} AS b
      FROM call, LATERAL {LATENCY_VALUES}
     WHERE project_id = %(project)s AND start_time >= %(start)s AND start_time < %(end)s
       AND counted AND status <> 2 AND us IS NOT NULL
), counted AS (
    SELECT bucket, provider, model, service, feature, measure, b, count(*)::integer AS n
      FROM measured
     GROUP BY bucket, provider, model, service, feature, measure, b
)
INSERT INTO latency_{{grain}} (project_id, {{grain}}, provider, model, service, feature, measure, buckets, counts)
SELECT %(project)s, bucket, provider, model, service, feature, measure,
       array_agg(b ORDER BY b), array_agg(n ORDER BY b)
  FROM counted
 GROUP BY bucket, provider, model, service, feature, measure
"""

LATENCY_HOURS_FROM_MINUTES = """
WITH counted AS (
    SELECT date_trunc('hour', minute, %(zone)s) AS bucket, provider, model, service, feature, measure, b, sum(n) AS n
      FROM latency_minute, LATERAL unnest(buckets, counts) AS value (b, n)
     WHERE project_id = %(project)s AND minute >= %(start)s AND minute < %(end)s
     GROUP BY bucket, provider, model, service, feature, measure, b
)
INSERT INTO latency_hour (project_id, hour, provider, model, service, feature, measure, buckets, counts)
SELECT %(project)s, bucket, provider, model, service, feature, measure,
       array_agg(b ORDER BY b), array_agg(n::integer ORDER BY b)
  FROM counted
 GROUP BY bucket, provider, model, service, feature, measure
"""


def latency_from_rows(grain: str) -> str:
    return _LATENCY_FROM_ROWS.format(grain=grain)
