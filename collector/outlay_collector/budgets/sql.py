"""The statements of budgets. Every value is a bound parameter; names come from the lists of dimensions only."""

from __future__ import annotations

from typing import Any

from outlay_collector.budgets.budget import Budget
from outlay_collector.budgets.periods import EPOCH, slots_of
from outlay_collector.budgets.scope import ABSENT, OTHER
from outlay_collector.ledger.buckets import MINUTE, Window
from outlay_collector.ledger.reads.sql import Parameters, call_dimension, condition, line_dimension
from outlay_collector.ledger.rollup_sql import NO_PRICE

PENDING_MARGIN = "interval '10 seconds'"
"""How long before its commit a span may have been received."""

# Spans that settlement has still to look at stay out: twice described, they would count twice for a moment, and people
# would be told of money that nobody spent. Settlement says which minutes it looked at, so they are summed right after.
_PENDING = """
pending AS MATERIALIZED (
    SELECT unnest(trace_ids) AS trace_id, min(at) AS at FROM touched WHERE project_id = %(project)s GROUP BY 1
)
"""


def make_hours(budget: Budget, *, whole: bool) -> tuple[str, Parameters]:
    """Sums of a window's slots, or (not ``whole``) minutes, into ``budget_hour``, whose rows of the window were deleted
    before; returns the instances.

    Bound by the caller: ``budget``, ``project``, ``start``, ``end``.
    """
    parameters = Parameters()
    slots = slots_of(budget.calendar.zone)
    width, origin = parameters.add(slots.width if whole else MINUTE), parameters.add(EPOCH + slots.phase)
    kind = parameters.add(whole)

    def part(table: str, instant: str, dimension: Any, counted: str, unpriced: str) -> str:
        instance = instance_of(dimension(budget.per)) if budget.per else f"'{ABSENT}'"
        conditions = " ".join(f"AND {condition(one, dimension(one.dimension), parameters)}" for one in budget.filters)
        return f"""
        SELECT date_bin({width}, {instant}, {origin}) AS hour, {instance} AS instance, cost, {counted} AS calls,
               {unpriced} AS unpriced_calls
          FROM {table}
         WHERE project_id = %(project)s AND {instant} >= %(start)s AND {instant} < %(end)s {conditions}
        """

    calls = part("call", "start_time", call_dimension, "1", f"CASE WHEN {NO_PRICE} THEN 1 ELSE 0 END")
    calls += f"""
           AND counted
           AND NOT EXISTS (SELECT FROM pending WHERE pending.trace_id = call.trace_id
                                                 AND call.received_at >= pending.at - {PENDING_MARGIN})
    """
    lines = part("ledger_line", "charge_time", line_dimension, "0", "0")
    summed = f"""
    SELECT hour, instance, sum(cost) AS cost, sum(calls) AS calls, sum(unpriced_calls) AS unpriced_calls
      FROM ({calls} UNION ALL {lines}) AS everything
     GROUP BY hour, instance
    """
    insert = f"""
INSERT INTO budget_hour (budget_id, instance, hour, whole, cost, calls, unpriced_calls)
SELECT %(budget)s, {{instance}}, hour, {kind}::boolean, sum(cost), sum(calls), sum(unpriced_calls)
  FROM summed {{join}}
 GROUP BY 2, 3
 ORDER BY 2, 3
ON CONFLICT (budget_id, instance, hour, whole) DO UPDATE
   SET cost = excluded.cost, calls = excluded.calls, unpriced_calls = excluded.unpriced_calls
RETURNING instance
"""
    if budget.per is None:
        return f"WITH {_PENDING}, summed AS ({summed})" + insert.format(instance="instance", join=""), parameters
    most = parameters.add(budget.max_instances)
    # Values beyond the cap keep being summed, together; which ones were there first is remembered.
    admitted = f"""
WITH {_PENDING}, summed AS MATERIALIZED ({summed}), fresh AS (
    SELECT instance, sum(cost) AS cost FROM summed
     WHERE NOT EXISTS (SELECT FROM budget_instance AS known
                        WHERE known.budget_id = %(budget)s AND known.instance = summed.instance)
     GROUP BY instance
), admitted AS (
    INSERT INTO budget_instance (budget_id, instance)
    SELECT %(budget)s, instance FROM fresh
     ORDER BY cost DESC NULLS LAST, instance
     LIMIT greatest({most} - (SELECT count(*) FROM budget_instance WHERE budget_id = %(budget)s), 0)
    ON CONFLICT (budget_id, instance) DO NOTHING
    RETURNING instance
), apart AS (
    SELECT instance FROM budget_instance WHERE budget_id = %(budget)s UNION SELECT instance FROM admitted
)
"""
    instance = f"CASE WHEN apart.instance IS NULL THEN '{OTHER}' ELSE summed.instance END"
    return admitted + insert.format(instance=instance, join="LEFT JOIN apart USING (instance)"), parameters


MOST_BYTES = 512
KEPT_CHARACTERS = 100


def instance_of(expression: str) -> str:
    """A value as an instance's name; a very long one by its beginning and a hash. ``names.instance`` does the same."""
    return (
        f"CASE WHEN octet_length({expression}) > {MOST_BYTES} "
        f"THEN left({expression}, {KEPT_CHARACTERS}) || '…' || md5({expression}) ELSE coalesce({expression}, '{ABSENT}') END"
    )


IS_PENDING = """
SELECT EXISTS (SELECT FROM touched WHERE project_id = %(project)s AND first_start < %(end)s AND last_start >= %(start)s)
"""

DELETE_HOURS = """
DELETE FROM budget_hour WHERE budget_id = %(budget)s AND hour >= %(start)s AND hour < %(end)s RETURNING instance
"""

# Of these slots, those that are kept as a whole already: they are made again as a whole, whatever the clock says.
WHOLE_SLOTS = """
SELECT hour FROM budget_hour WHERE budget_id = %(budget)s AND whole AND hour = ANY(%(slots)s) GROUP BY hour
"""

# Minutes of slots that are not young any more, as one row each.
FOLD = """
WITH minute AS (
    DELETE FROM budget_hour WHERE budget_id = %(budget)s AND NOT whole AND hour < %(before)s
    RETURNING instance, hour, cost, calls, unpriced_calls
)
INSERT INTO budget_hour (budget_id, instance, hour, whole, cost, calls, unpriced_calls)
SELECT %(budget)s, instance, date_bin(%(width)s, hour, %(origin)s), true, sum(cost), sum(calls), sum(unpriced_calls)
  FROM minute
 GROUP BY 2, 3
"""

FIRST_COST = """
SELECT least((SELECT min(start_time) FROM span WHERE project_id = %(project)s AND start_time >= %(floor)s),
             (SELECT min(charge_time) FROM ledger_line WHERE project_id = %(project)s AND charge_time >= %(floor)s))
"""

# What can have reached a threshold, and what was told of before; of a budget that is split among many only few are.
FIGURES = """
SELECT instance, sum(cost), sum(unpriced_calls)::bigint
  FROM budget_hour
 WHERE budget_id = %(budget)s AND hour >= %(start)s AND hour < %(end)s AND instance <> %(other)s
   AND (%(instances)s::text[] IS NULL OR instance = ANY(%(instances)s::text[]))
 GROUP BY instance
HAVING coalesce(sum(cost), 0) >= %(lowest)s OR instance = ANY(%(told)s::text[])
"""

TOLD = """
SELECT DISTINCT ON (instance, threshold)
       instance, threshold, epoch, version, corrected_at IS NOT NULL, armed_at IS NOT NULL, below_since, event_id, highest
  FROM budget_alert
 WHERE budget_id = %(budget)s AND period_start = %(key)s
   AND (%(instances)s::text[] IS NULL OR instance = ANY(%(instances)s::text[]))
 ORDER BY instance, threshold, epoch DESC
"""

TELL = """
INSERT INTO budget_alert (budget_id, instance, period_start, threshold, epoch, version, told_at, amount, level, actual)
SELECT %(budget)s, instance, %(key)s, threshold, epoch, %(version)s, %(now)s, %(amount)s, level, actual
  FROM unnest(%(instances)s::text[], %(thresholds)s::text[], %(epochs)s::integer[], %(levels)s::numeric[],
              %(actuals)s::numeric[]) AS given (instance, threshold, epoch, level, actual)
 ORDER BY instance, threshold, epoch
ON CONFLICT (budget_id, instance, period_start, threshold, epoch) DO NOTHING
RETURNING instance, threshold, epoch
"""

TOLD_BY = """
UPDATE budget_alert
   SET event_id = %(event)s, highest = (threshold = %(highest)s)
 WHERE budget_id = %(budget)s AND period_start = %(key)s AND instance = %(instance)s AND (threshold, epoch) IN (
        SELECT * FROM unnest(%(thresholds)s::text[], %(epochs)s::integer[]))
"""

CORRECT = """
UPDATE budget_alert
   SET corrected_at = %(now)s
 WHERE budget_id = %(budget)s AND period_start = %(key)s AND instance = %(instance)s AND threshold = %(threshold)s
   AND epoch = %(epoch)s AND corrected_at IS NULL
RETURNING event_id
"""

# Of a message about several instances, whether all that it told is corrected by now.
ALL_CORRECTED = "SELECT count(*), bool_and(corrected_at IS NOT NULL) FROM budget_alert WHERE event_id = %s AND highest"

_LATEST = """
 WHERE budget_id = %(budget)s AND period_start = %(key)s AND instance = %(instance)s AND threshold = %(threshold)s
   AND epoch = %(epoch)s
"""

ARM = "UPDATE budget_alert SET armed_at = %(now)s" + _LATEST
BELOW = "UPDATE budget_alert SET below_since = %(now)s" + _LATEST + " AND below_since IS NULL"
ABOVE = "UPDATE budget_alert SET below_since = NULL" + _LATEST
CARRY = "UPDATE budget_alert SET version = %(version)s" + _LATEST

SPENT = """
SELECT sum(cost), sum(unpriced_calls)::bigint
  FROM budget_hour
 WHERE budget_id = %(budget)s AND instance = %(instance)s AND hour >= %(start)s AND hour < %(end)s
"""

SPENT_BY_ALL = """
SELECT sum(cost), sum(calls)::bigint, sum(unpriced_calls)::bigint, count(DISTINCT instance),
       sum(cost) FILTER (WHERE instance = %(other)s)
  FROM budget_hour
 WHERE budget_id = %(budget)s AND hour >= %(start)s AND hour < %(end)s
"""

LARGEST = """
SELECT instance, sum(cost) AS cost, sum(calls)::bigint AS calls, sum(unpriced_calls)::bigint AS unpriced_calls
  FROM budget_hour
 WHERE budget_id = %(budget)s AND hour >= %(start)s AND hour < %(end)s AND instance <> %(other)s
 GROUP BY instance
 ORDER BY cost DESC NULLS LAST, instance
 LIMIT %(limit)s
"""

DAYS = """
SELECT instance, (hour AT TIME ZONE %(zone)s)::date AS day, sum(cost)
  FROM budget_hour
 WHERE budget_id = %(budget)s AND hour >= %(start)s AND hour < %(end)s AND instance = ANY(%(instances)s::text[])
 GROUP BY instance, day
 ORDER BY instance, day
"""

# Which part of a day's cost comes after this time of day, by the last days: the hour that runs counts by its minutes.
TODAY_LEFT = """
SELECT (sum(cost) FILTER (WHERE local > %(local_hour)s) + (1 - %(of_hour)s::numeric)
        * coalesce(sum(cost) FILTER (WHERE local = %(local_hour)s), 0)) / nullif(sum(cost), 0)
  FROM (SELECT cost, extract(hour FROM hour AT TIME ZONE %(zone)s)::integer AS local
          FROM budget_hour
         WHERE budget_id = %(budget)s AND hour >= %(start)s AND hour < %(end)s) AS slot
"""

HISTORY = """
SELECT instance, period_start, threshold, epoch, version, told_at, amount, level, actual, event_id, highest, corrected_at,
       armed_at
  FROM budget_alert
 WHERE budget_id = %(budget)s
 ORDER BY told_at DESC, level DESC
 LIMIT %(limit)s
"""


def within(window: Window) -> dict[str, Any]:
    return {"start": window.start, "end": window.end}
