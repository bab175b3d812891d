"""The statements that make the later sums. A bucket is made as a whole, from what lies below it."""

from __future__ import annotations

from collections.abc import Sequence

from outlay_collector.db.names import KEYED, OTHER, SUMS
from outlay_collector.ledger import rollup_sql
from outlay_collector.ledger.dimensions import call_column, line_value, literal

MOST_VALUES = {"session": 250}
"""By hour or day, project and dimension; the rest is summed as one. Most sessions have a few calls, so each of their rows
would take a good part of what the calls take."""

MOST_VALUES_OTHERWISE = 10_000

_ADDED = (*SUMS, "cost", "reported_cost")
_STORED = ", ".join(f"nullif(sum({name}), 0)::bigint" for name in SUMS) + ", sum(cost), sum(reported_cost)"
COLUMNS = ", ".join(_ADDED)


def make_keyed(grain: str, dimensions: Sequence[str]) -> str:
    """A bucket's sums by each of ``dimensions``, from rows and lines, into ``key_<grain>``, emptied of them before.

    Ranked by cost: those that cost most keep their names. Calls without a value are never of the rest.
    """
    calls = ", ".join(f"({literal(name)}, {call_column(name)})" for name in dimensions)
    lines = ", ".join(f"({literal(name)}, {line_value(name)})" for name in dimensions)
    most = " ".join(f"WHEN {literal(name)} THEN {number}" for name, number in MOST_VALUES.items())
    sums = ", ".join(f"sum({name}) AS {name}" for name in _ADDED)
    return f"""
WITH summed AS (
    SELECT key.dimension, key.value, 0::smallint AS basis,
           {rollup_sql.CALL_SUMS}
      FROM call CROSS JOIN LATERAL (VALUES {calls}) AS key (dimension, value)
     WHERE project_id = %(project)s AND start_time >= %(start)s AND start_time < %(end)s AND counted
     GROUP BY 1, 2
     UNION ALL
    SELECT key.dimension, key.value, basis,
           {", ".join(f"0::bigint AS {name}" for name in SUMS if name != "lines")},
           count(*) AS lines, sum(cost) AS cost, NULL::numeric AS reported_cost
      FROM ({rollup_sql.LINES_OF_WINDOW}) AS line CROSS JOIN LATERAL (VALUES {lines}) AS key (dimension, value)
     GROUP BY 1, 2, 3
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY dimension, basis, value IS NULL
                                 ORDER BY cost DESC NULLS LAST, calls DESC, value) AS rank
      FROM summed
), named AS (
    SELECT dimension, basis, {COLUMNS},
           CASE WHEN value IS NULL OR rank <= CASE dimension {most} ELSE {MOST_VALUES_OTHERWISE} END THEN value
                ELSE '{OTHER}' END AS value
      FROM ranked
)
INSERT INTO key_{grain} (project_id, {grain}, dimension, value, basis, {COLUMNS})
SELECT %(project)s, %(bucket)s, dimension, value, basis, {_STORED}
  FROM (SELECT dimension, value, basis, {sums} FROM named GROUP BY dimension, value, basis) AS folded
 GROUP BY dimension, value, basis
"""


def dimensions_of(tags: Sequence[str]) -> list[str]:
    return [*KEYED, *(f"tag:{tag}" for tag in tags)]


MAKE_MODELS = f"""
INSERT INTO model_hour (hour, provider, model, basis, {COLUMNS})
SELECT %(start)s, provider, model, basis, {_STORED}
  FROM cost_hour
  JOIN dimension_set ON dimension_set.id = dimension_set_id
 WHERE project_id = ANY(%(projects)s) AND hour >= %(start)s AND hour < %(end)s
 GROUP BY provider, model, basis
"""

# From rows, for histograms of projects are not kept for as long.
MAKE_MODEL_LATENCIES = f"""
WITH counted AS (
    SELECT provider, model, measure, {rollup_sql.LATENCY_BUCKET} AS b, count(*)::integer AS n
      FROM call, LATERAL {rollup_sql.LATENCY_VALUES}
     WHERE project_id = ANY(%(projects)s) AND start_time >= %(start)s AND start_time < %(end)s
       AND counted AND status <> 2 AND us IS NOT NULL
     GROUP BY provider, model, measure, b
)
INSERT INTO model_latency_hour (hour, provider, model, measure, packed)
SELECT %(start)s, provider, model, measure, string_agg(int2send(b) || int4send(n), ''::bytea)
  FROM counted
 GROUP BY provider, model, measure
"""
