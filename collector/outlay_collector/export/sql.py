"""The statements of the export. Usage is cut into buckets as repricing cuts it; what that cannot cut is kept apart."""

from __future__ import annotations

from outlay_collector.export.focus import TAGGED
from outlay_collector.ledger.reads.question import Question
from outlay_collector.ledger.reads.sql import Parameters, call_dimension, conditions, line_dimension
from outlay_collector.pricing.reprice.rules import BUCKETS, SAYS_NOTHING

_COUNTS = (
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "input_audio_tokens", "output_tokens", "reasoning_tokens", "output_audio_tokens",
)  # fmt: skip
_USED = " + ".join(f"(b{n} > 0)::integer * {1 << n}" for n in range(len(BUCKETS)))
_SAID = ", ".join(TAGGED)

_TAGS = """(SELECT jsonb_object_agg(substr(key, 12), value) FROM jsonb_each_text(attributes)
                                         WHERE key LIKE 'outlay.tag.%%')"""

CALL_COLUMNS = (
    "project_id", "day", "hour", "provider", "model", "service_tier", "region", "account", *TAGGED, "tags", "charge_status",
    "usage_source", "price_version", "charge_currency", "used", "usage", "calls",
    *(f"b{n}" for n in range(len(BUCKETS))), "cost", "charge_cost", "at", "prompt",
)  # fmt: skip

LINE_COLUMNS = (
    "project_id", "day", "incurred_day", "kind", "cause", "dimensions", "corrects", "cost", "quantity", "unit"
)  # fmt: skip


def calls(question: Question, zone: str, *, hourly: bool = False) -> tuple[str, Parameters]:
    """Counted calls of the question's window and filters, grouped by day and by all that a charge depends on.

    ``hourly``: by hour too, and by no tags and other dimensions than those that a price depends on. ``stretch`` keeps calls
    before and after the edge of a discount apart; the ids of prices keep all other changes apart.
    """
    parameters = Parameters()
    day = f"(start_time AT TIME ZONE {parameters.add(zone)})::date"
    projects, start, end = (
        parameters.add(value) for value in (list(question.project_ids), question.window.start, question.window.end)
    )
    nothing = ", ".join(f"NULL::text AS {name}" for name in ("account", *TAGGED))
    kept = nothing if hourly else ", ".join(("account", *TAGGED))
    tags = "NULL::jsonb" if hourly else _TAGS
    hour = "date_trunc('hour', start_time, 'UTC')" if hourly else "NULL::timestamptz"
    statement = f"""
WITH edge AS (
    SELECT coalesce(array_agg(DISTINCT at ORDER BY at), '{{}}') AS edges
      FROM price_discount, LATERAL (VALUES (valid_from), (valid_to)) AS bound (at)
     WHERE at IS NOT NULL
)
SELECT project_id, day, at_hour, provider, model, service_tier, region, account, {_SAID}, tags, charge_status, usage_source,
       price_version, charge_currency, used, usage, count(*) AS calls,
       {", ".join(f"sum(b{n})::bigint" for n in range(len(BUCKETS)))},
       sum(cost), sum(charge_cost), min(start_time), min(prompt)
  FROM (
        SELECT *, CASE WHEN used >= 0 THEN NULL ELSE said END AS usage
          FROM (
                SELECT *,
                       CASE WHEN plain AND least(b0, b1, b2, b3, b4, b5, b6, b7, whole, b2 - five_minutes) >= 0
                                 AND greatest(prompt, answer) <= 1000000000
                            THEN {_USED} + nothing * {SAYS_NOTHING} ELSE -1 END AS used
                  FROM (
                        SELECT *, written - hour AS b2, hour AS b3, prompt - b0 - b1 - written AS b6,
                               answer - b4 - b5 AS b7
                          FROM (
                                SELECT project_id, start_time, {day} AS day, {hour} AS at_hour, provider, model,
                                       service_tier, region, {kept}, charge_status, usage_source, price_version, price_ids,
                                       charge_currency, cost, charge_cost,
                                       width_bucket(start_time, edges) AS stretch,
                                       {tags} AS tags,
                                       usage_extra IS NULL AS plain,
                                       jsonb_strip_nulls(jsonb_build_object(
                                           {", ".join(f"'{name}', {name}" for name in _COUNTS)},
                                           'extra', usage_extra)) AS said,
                                       coalesce(input_tokens, 0)::bigint AS prompt,
                                       coalesce(output_tokens, 0)::bigint AS answer,
                                       (input_tokens IS NULL AND output_tokens IS NULL)::integer AS nothing,
                                       coalesce(cache_read_tokens, 0)::bigint AS b0,
                                       coalesce(input_audio_tokens, 0)::bigint AS b1,
                                       coalesce(reasoning_tokens, 0)::bigint AS b4,
                                       coalesce(output_audio_tokens, 0)::bigint AS b5,
                                       coalesce(cache_write_1h_tokens, 0)::bigint AS hour,
                                       coalesce(cache_write_5m_tokens, 0)::bigint AS five_minutes,
                                       coalesce(cache_write_tokens, coalesce(cache_write_5m_tokens, 0)::bigint
                                                                    + coalesce(cache_write_1h_tokens, 0)) AS written,
                                       least(coalesce(input_tokens, 0), coalesce(output_tokens, 0),
                                             coalesce(cache_write_5m_tokens, 0)) AS whole
                                  FROM call, edge
                                 WHERE project_id = ANY({projects}) AND start_time >= {start} AND start_time < {end}
                                   AND counted {conditions(question, parameters, call_dimension)}
                                OFFSET 0
                               ) AS read
                        OFFSET 0
                       ) AS cut
               ) AS marked
       ) AS placed
 GROUP BY project_id, day, at_hour, provider, model, service_tier, region, account, {_SAID}, tags, charge_status, usage_source,
          price_version, charge_currency, used, usage, price_ids, stretch
"""
    return statement, parameters


def lines(question: Question, zone: str) -> tuple[str, Parameters]:
    """Ledger lines that are booked in the question's window. ``corrects``: they belong to a month that was closed."""
    parameters = Parameters()
    named = parameters.add(zone)
    projects, start, end = (
        parameters.add(value) for value in (list(question.project_ids), question.window.start, question.window.end)
    )
    statement = f"""
SELECT project_id, (charge_time AT TIME ZONE {named})::date, (incurred_time AT TIME ZONE {named})::date, kind, cause,
       dimensions, incurred_time < {start}, sum(cost), sum(quantity), unit
  FROM ledger_line
 WHERE project_id = ANY({projects}) AND charge_time >= {start} AND charge_time < {end}
   {conditions(question, parameters, line_dimension)}
 GROUP BY 1, 2, 3, kind, cause, dimensions, 7, unit
 ORDER BY 1, 2, 3, kind, cause, dimensions
"""
    return statement, parameters
