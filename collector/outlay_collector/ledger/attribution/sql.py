"""The statements of attribution. ``asked`` is the one description of a call that looking and applying share."""

from __future__ import annotations

from collections.abc import Sequence

from outlay_collector.ledger.attribution.rules import NEVER_REPORTED, TAG
from outlay_collector.ledger.months.sql import DIMENSIONS, OPEN

_EXPRESSIONS = {
    "project": "%(project_name)s::text",
    "api_key": "span.api_key",
    "step": "span.name",
    "user": "coalesce(span.joined ->> 'user', span.user_id)",
    "session": "coalesce(span.joined ->> 'session', span.session_id)",
    "model": "coalesce(span.joined ->> 'response_model', span.response_model,"
    " span.joined ->> 'request_model', span.request_model)",
    **dict.fromkeys(NEVER_REPORTED, "NULL::text"),
}

# Of calls in closed months, what was decided since stands beside their frozen rows.
_BESIDE = """
  LEFT JOIN adjusted_charge AS adjusted ON adjusted.project_id = span.project_id
   AND adjusted.trace_id = span.trace_id AND adjusted.span_id = span.span_id
   AND adjusted.start_time = span.start_time
  LEFT JOIN adjusted_attribution AS moved ON moved.project_id = span.project_id
   AND moved.trace_id = span.trace_id AND moved.span_id = span.span_id AND moved.start_time = span.start_time
"""


def reported(dimension: str) -> str:
    """A dimension as instrumentation and settlement told it, of ``span``. A tag's key is bound as its own name."""
    if dimension.startswith(TAG):
        return f"span.attributes ->> %({tag_parameter(dimension)})s"
    return _EXPRESSIONS.get(dimension, f"coalesce(span.joined ->> '{dimension}', span.{dimension})")


def tag_parameter(dimension: str) -> str:
    """The name by which a tag's key is bound: hexadecimal, for a key may hold anything."""
    return "tag_" + dimension.removeprefix(TAG).encode().hex()


def asked(dimensions: Sequence[str], *, closed: bool, traces: bool) -> str:
    """Spans of a window with what rules can ask about; ``traces``: only of some."""
    counted, cost, attributed = "span.counted", "span.cost", "span.attributed"
    if closed:
        counted = "CASE WHEN adjusted.counted IS NULL THEN span.counted ELSE adjusted.counted END"
        cost = "CASE WHEN adjusted.counted IS NULL THEN span.cost ELSE adjusted.cost END"
        attributed = "CASE WHEN moved.dimensions IS NULL THEN span.attributed ELSE moved.attributed END"
    return f"""
SELECT span.trace_id, span.span_id, span.start_time,
       width_bucket(span.start_time, %(instants)s::timestamptz[]) AS segment,
       jsonb_build_array({", ".join(reported(name) for name in dimensions)}) AS said,
       {attributed} AS attributed, {counted} AS counted, {cost} AS cost
  FROM span {_BESIDE if closed else ""}
 WHERE span.project_id = %(project)s AND span.start_time >= %(start)s AND span.start_time < %(end)s
       {"AND span.trace_id = ANY(%(traces)s::uuid[])" if traces else ""}
"""


_SUMS = """count(*), count(*) FILTER (WHERE counted), count(*) FILTER (WHERE counted AND cost IS NULL),
       sum(cost) FILTER (WHERE counted)"""


def alike(dimensions: Sequence[str], *, closed: bool) -> str:
    """Calls by what rules see of them, without writing anything down."""
    source = asked(dimensions, closed=closed, traces=False)
    return f"SELECT 0, segment, said, attributed, {_SUMS} FROM ({source}) AS asked GROUP BY segment, said, attributed"


HASH_RATHER_THAN_SORT = "SELECT set_config('enable_sort', 'off', true), set_config('work_mem', '32MB', true)"

STAGE_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS attributing (
    number integer, trace_id uuid, span_id bigint, start_time timestamptz, segment integer, said jsonb, attributed jsonb,
    counted boolean, cost numeric
) ON COMMIT DELETE ROWS
"""


def stage(dimensions: Sequence[str], *, closed: bool, traces: bool) -> str:
    """The same calls set down, those alike under one number."""
    return f"""
INSERT INTO attributing (number, trace_id, span_id, start_time, segment, said, attributed, counted, cost)
SELECT dense_rank() OVER (ORDER BY segment, said, attributed), trace_id, span_id, start_time, segment, said, attributed,
       counted, cost
  FROM ({asked(dimensions, closed=closed, traces=traces)}) AS asked
"""


STAGED = (
    f"SELECT number, segment, said, attributed, {_SUMS} FROM attributing GROUP BY number, segment, said, attributed"
)

# What is staged and changes. By place in an array, not by a join over numbers: rules that look at users make thousands of
# numbers, but seldom more than a few results. Before anything else is joined (MATERIALIZED): the planner takes the spans it
# finds for one, and would compare each with every result.
_CHANGE = """
SELECT attributing.*, change.laid, change.dimensions
  FROM attributing
  JOIN unnest(%(laid)s::jsonb[], %(dimensions)s::jsonb[]) WITH ORDINALITY AS change (laid, dimensions, place)
    ON change.place = (SELECT %(places)s::integer[])[attributing.number]
"""

_SPAN = """span.project_id = %(project)s AND span.start_time >= %(start)s AND span.start_time < %(end)s
   AND span.trace_id = changed.trace_id AND span.span_id = changed.span_id
   AND span.start_time = changed.start_time"""

WRITE = f"""
WITH changed AS MATERIALIZED ({_CHANGE})
UPDATE span SET attributed = changed.laid FROM changed
 WHERE {_SPAN}
"""

MARK = f"""
INSERT INTO dirty_minute (project_id, minute)
SELECT DISTINCT %(project)s::integer, date_trunc('minute', start_time)
  FROM ({_CHANGE}) AS changed
 WHERE counted
"""

# Money of calls in a closed month leaves the dimensions it was booked under and comes to those that rules give it now:
# two lines of the open month, whose sum is nothing.
BOOK = f"""
WITH changed AS MATERIALIZED ({_CHANGE}), stood AS (
    SELECT changed.start_time, changed.cost,
           {DIMENSIONS} || coalesce(moved.dimensions, '{{}}') AS before, {DIMENSIONS} || changed.dimensions AS after
      FROM changed
      JOIN call ON call.project_id = %(project)s AND call.trace_id = changed.trace_id
       AND call.span_id = changed.span_id AND call.start_time = changed.start_time
      LEFT JOIN adjusted_attribution AS moved ON moved.project_id = %(project)s
       AND moved.trace_id = changed.trace_id AND moved.span_id = changed.span_id
       AND moved.start_time = changed.start_time
     WHERE changed.counted AND changed.cost IS NOT NULL
       AND call.start_time >= %(start)s AND call.start_time < %(end)s
), line AS (
    INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, dimensions, detail)
    SELECT %(project)s, {OPEN}, date_trunc('hour', start_time, %(zone)s), 'adjustment', 'attribution', sum(cost),
           dimensions, %(detail)s
      FROM (SELECT start_time, -cost AS cost, jsonb_strip_nulls(before) AS dimensions FROM stood
             UNION ALL
            SELECT start_time, cost, jsonb_strip_nulls(after) FROM stood) AS side
     GROUP BY 3, dimensions
    HAVING sum(cost) <> 0
    RETURNING charge_time, incurred_time
)
INSERT INTO dirty_minute (project_id, minute)
SELECT %(project)s, date_trunc('minute', charge_time) FROM line
 UNION
SELECT %(project)s, date_trunc('minute', incurred_time) FROM line
"""

ADJUST = f"""
INSERT INTO adjusted_attribution (project_id, trace_id, span_id, start_time, attributed, dimensions)
SELECT %(project)s, trace_id, span_id, start_time, laid, dimensions FROM ({_CHANGE}) AS changed
ON CONFLICT (project_id, trace_id, span_id, start_time)
DO UPDATE SET attributed = excluded.attributed, dimensions = excluded.dimensions
"""

CHANGED_MINUTES = f"""
SELECT DISTINCT date_trunc('minute', start_time) FROM ({_CHANGE}) AS changed
"""

# The start of the batch after this one: some thousand rows on; NULL when there are no more.
NEXT = """
SELECT start_time FROM span
 WHERE project_id = %(project)s AND start_time >= %(start)s AND start_time < %(end)s
 ORDER BY start_time OFFSET %(rows)s LIMIT 1
"""

_VERSION = """id, at, actor, source, undoes, state, window_start, window_end, at_project, at_time, finished_at,
       looked_at, changed_spans, changed_calls, changed_unpriced_calls, changed_cost"""
VERSION = f"SELECT {_VERSION} FROM attribution_version WHERE id = %(version)s"
VERSIONS = f"SELECT {_VERSION} FROM attribution_version ORDER BY id DESC LIMIT %(limit)s"
NEWEST = "SELECT coalesce(max(id), 0) FROM attribution_version"
TEXT = "SELECT rules, zone, source FROM attribution_version WHERE id = %(version)s"
ASSIGNED = "SELECT DISTINCT unnest(assigned) FROM attribution_version"

# Versions that some call may have been given: the last that reached all of them, and those after it.
AT_LARGE = """
SELECT rules, zone FROM attribution_version
 WHERE id >= (SELECT coalesce(max(id), 0) FROM attribution_version WHERE state = 'done')
"""

# Of each version that still holds, those it came after hold no longer; an undo takes the newest of them away.
STACK = "SELECT id, undoes FROM attribution_version ORDER BY id"

NEW = f"""
INSERT INTO attribution_version (actor, source, rules, zone, assigned, undoes, window_start, window_end)
VALUES (%(actor)s, %(source)s, %(rules)s, %(zone)s, %(assigned)s, %(undoes)s, %(start)s, %(end)s)
RETURNING {_VERSION}
"""

PROGRESS = """
UPDATE attribution_version
   SET at_project = %(project)s, at_time = %(end)s, beat_at = clock_timestamp(),
       looked_at = looked_at + %(looked_at)s, changed_spans = changed_spans + %(changed_spans)s,
       changed_calls = changed_calls + %(changed_calls)s,
       changed_unpriced_calls = changed_unpriced_calls + %(changed_unpriced_calls)s,
       changed_cost = CASE WHEN changed_cost IS NULL THEN %(changed_cost)s::numeric
                           ELSE changed_cost + coalesce(%(changed_cost)s::numeric, 0) END
 WHERE id = %(version)s
"""

REMEMBER = """
INSERT INTO attribution_move (version, project_id, rule, dimension, before, after, calls, unpriced_calls, cost)
VALUES (%(version)s, %(project)s, %(rule)s, %(dimension)s, %(before)s, %(after)s, %(calls)s, %(unpriced_calls)s, %(cost)s)
ON CONFLICT (version, project_id, rule, dimension, before, after)
DO UPDATE SET calls = attribution_move.calls + excluded.calls,
              unpriced_calls = attribution_move.unpriced_calls + excluded.unpriced_calls,
              cost = CASE WHEN attribution_move.cost IS NULL THEN excluded.cost
                          ELSE attribution_move.cost + coalesce(excluded.cost, 0) END
"""

MOVES = """
SELECT project_id, rule, dimension, before, after, calls, unpriced_calls, cost
  FROM attribution_move WHERE version = %(version)s
"""

FINISH = """
UPDATE attribution_version SET state = %(state)s, finished_at = clock_timestamp() WHERE id = %(version)s
"""

# Asked for, and nobody is at it: new, or its process died.
WAITING = """
SELECT id FROM attribution_version
 WHERE state = 'running' AND (beat_at IS NULL OR beat_at < clock_timestamp() - %(silence)s)
 ORDER BY id
"""
