"""The statements of repricing. ``CALLS`` is the one description of a call that looking, applying and pricing share."""

from __future__ import annotations

from outlay_collector.pricing.reprice.rules import BUCKETS, SAYS_NOTHING

_DECIDED = (
    "counted", "joined", "cost", "charge_cost", "charge_currency", "charge_status", "price_ids", "price_version",
    "priced_at", "fx_rate_id",
)  # fmt: skip

# Calls with what was decided of them; of those in closed months that stands beside their frozen rows.
_SOURCE = f"""(
    SELECT call.project_id, call.trace_id, call.span_id, call.start_time, provider, model, service_tier, region,
           input_tokens, cache_read_tokens, cache_write_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
           input_audio_tokens, output_tokens, reasoning_tokens, output_audio_tokens, usage_extra,
           adjusted.counted IS NOT NULL AND adjusted.joined IS DISTINCT FROM call.joined AS joined_later,
           {
    ", ".join(
        f"CASE WHEN adjusted.counted IS NULL THEN call.{name} ELSE adjusted.{name} END AS {name}" for name in _DECIDED
    )
}
      FROM call
      LEFT JOIN adjusted_charge AS adjusted ON adjusted.project_id = call.project_id
       AND adjusted.trace_id = call.trace_id AND adjusted.span_id = call.span_id
       AND adjusted.start_time = call.start_time) AS call"""

# A charge under a newer version than the job's, by ingest or settlement meanwhile, stands.
FILTERS = """call.project_id = %(project)s AND call.start_time >= %(start)s AND call.start_time < %(end)s
   AND call.charge_status = ANY(%(repriced)s) AND coalesce(call.price_version, 0) <= %(version)s
   AND (%(provider)s::text IS NULL OR call.provider = %(provider)s)
   AND (%(model)s::text IS NULL OR call.model LIKE %(model)s)
   AND (%(currency)s::text IS NULL OR call.charge_currency = %(currency)s)"""

NAMES = f"SELECT DISTINCT provider, model, service_tier, region FROM {_SOURCE} WHERE {FILTERS}"

_USED = " + ".join(f"(b{n} > 0)::integer * {1 << n}" for n in range(len(BUCKETS)))

# Tokens by bucket, as ``price.buckets`` cuts them; -1 for ``used`` where only that function can tell. OFFSET 0 has each
# column worked out once for a row; merged into one SELECT, each would be worked out wherever it is used.
_CALLS = f"""
SELECT trace_id, span_id, start_time, counted, provider, model, service_tier, region, prompt,
       cost, charge_cost, charge_currency, charge_status, price_ids, price_version, priced_at, fx_rate_id,
       {", ".join(f"b{n}" for n in range(len(BUCKETS)))},
       CASE WHEN plain AND least(b0, b1, b2, b3, b4, b5, b6, b7, whole, b2 - five_minutes) >= 0
                 AND greatest(prompt, answer) <= 1000000000
            THEN {_USED} + nothing * {SAYS_NOTHING} ELSE -1 END AS used
  FROM (
        SELECT *, written - hour AS b2, hour AS b3, prompt - b0 - b1 - written AS b6, answer - b4 - b5 AS b7
          FROM (
                SELECT trace_id, span_id, start_time, counted, provider, model, service_tier, region,
                       cost, charge_cost, charge_currency, charge_status, price_ids, price_version,
                       priced_at, fx_rate_id,
                       usage_extra IS NULL AND NOT joined_later AND (joined IS NULL OR NOT joined ? 'usage') AS plain,
                       coalesce(input_tokens, 0)::bigint AS prompt, coalesce(output_tokens, 0)::bigint AS answer,
                       (input_tokens IS NULL AND output_tokens IS NULL)::integer AS nothing,
                       coalesce(cache_read_tokens, 0)::bigint AS b0, coalesce(input_audio_tokens, 0)::bigint AS b1,
                       coalesce(reasoning_tokens, 0)::bigint AS b4, coalesce(output_audio_tokens, 0)::bigint AS b5,
                       coalesce(cache_write_1h_tokens, 0)::bigint AS hour,
                       coalesce(cache_write_5m_tokens, 0)::bigint AS five_minutes,
                       coalesce(cache_write_tokens, coalesce(cache_write_5m_tokens, 0)::bigint
                                                    + coalesce(cache_write_1h_tokens, 0)) AS written,
                       least(coalesce(input_tokens, 0), coalesce(output_tokens, 0),
                             coalesce(cache_write_5m_tokens, 0)) AS whole
                  FROM {_SOURCE}
                 WHERE {FILTERS}
                OFFSET 0
               ) AS said
        OFFSET 0
       ) AS cut
"""

# A million rows fall into some dozen groups, which the planner cannot know; sorted, they would go by way of the disk.
HASH_RATHER_THAN_SORT = "SELECT set_config('enable_sort', 'off', true), set_config('work_mem', '32MB', true)"

# Cards by the names that calls give them; absent names are equal to each other here. Not materialised, so that several
# processes may join it; OFFSET 0 keeps the casts from being made for every row.
_KEYS = """
key AS NOT MATERIALIZED (
    SELECT number, coalesce(provider, '') AS provider, coalesce(model, '') AS model, coalesce(tier, '') AS tier,
           coalesce(region, '') AS region, instants::timestamptz[] AS instants, prompts::bigint[] AS prompts
      FROM unnest(%(key_numbers)s::integer[], %(key_providers)s::text[], %(key_models)s::text[], %(key_tiers)s::text[],
                  %(key_regions)s::text[], %(key_instants)s::text[], %(key_prompts)s::text[])
        AS given (number, provider, model, tier, region, instants, prompts)
    OFFSET 0
)"""

# A call on its card: between which changes of prices, and over how many thresholds.
_PLACED = f"""
SELECT calls.*, key.number AS key, width_bucket(calls.start_time, key.instants) AS segment,
       width_bucket(calls.prompt, key.prompts) AS side
  FROM ({_CALLS}) AS calls
  JOIN key ON key.provider = coalesce(calls.provider, '') AND key.model = coalesce(calls.model, '')
   AND key.tier = coalesce(calls.service_tier, '') AND key.region = coalesce(calls.region, '')
"""

GROUPS = f"""
WITH {_KEYS}
SELECT key, segment, side, used FROM ({_PLACED}) AS placed GROUP BY key, segment, side, used
"""

_RATES = ", ".join(f"r{n}" for n in range(len(BUCKETS)))
_RULES = f"""
rule AS NOT MATERIALIZED (
    SELECT number, key, segment, side, used, status, price_ids::integer[] AS price_ids, {_RATES}, fee, currency, factor,
           fx_rate
      FROM unnest(%(rule_numbers)s::integer[], %(rule_keys)s::integer[], %(rule_segments)s::integer[],
                  %(rule_sides)s::integer[], %(rule_used)s::integer[], %(rule_statuses)s::text[],
                  %(rule_price_ids)s::text[], {", ".join(f"%(rule_rates_{n})s::numeric[]" for n in range(len(BUCKETS)))},
                  %(rule_fees)s::numeric[], %(rule_currencies)s::text[], %(rule_factors)s::numeric[],
                  %(rule_fx_rates)s::integer[])
        AS given (number, key, segment, side, used, status, price_ids, {_RATES}, fee, currency, factor, fx_rate)
    OFFSET 0
)"""

# A missing rate is no rate of zero: where some are missing the sum is of the others, where all are the fee is NULL.
_SUM = " + ".join(f"b{n} * r{n}" for n in range(len(BUCKETS))) + " + fee"
# Prices in the instance's currency, as nearly all are, are not converted.
_COST = f"CASE WHEN currency IS NULL THEN trim_scale({_SUM}) ELSE trim_scale(({_SUM}) * factor) END"
_CHARGE_COST = f"CASE WHEN currency IS NOT NULL THEN trim_scale({_SUM}) END"

_OLD = "cost, charge_cost, charge_currency, charge_status, price_ids, price_version, priced_at, fx_rate_id"

# What was known in a closed month, and is booked, does not become unknown.
_STAYS = "%(closed)s AND (fee IS NULL OR factor IS NULL) AND cost IS NOT NULL"

_PRICED = f"""
SELECT rule.number, trace_id, span_id, start_time, counted,
       {", ".join(f"placed.{name} AS {name}" for name in _OLD.split(", "))},
       CASE WHEN {_STAYS} THEN cost ELSE {_COST} END AS new_cost,
       CASE WHEN {_STAYS} THEN charge_status ELSE rule.status END AS new_charge_status,
       CASE WHEN {_STAYS} THEN placed.price_ids ELSE rule.price_ids END AS new_price_ids,
       CASE WHEN {_STAYS} THEN charge_cost ELSE {_CHARGE_COST} END AS new_charge_cost,
       CASE WHEN {_STAYS} THEN charge_currency ELSE rule.currency END AS new_charge_currency,
       CASE WHEN {_STAYS} THEN fx_rate_id ELSE rule.fx_rate END AS new_fx_rate_id
  FROM ({_PLACED}) AS placed
  JOIN rule ON rule.key = placed.key AND rule.segment = placed.segment AND rule.side = placed.side
   AND rule.used = placed.used
"""

# A price that only has another id now (it was closed and opened again) changes nothing.
_COMPARED = ("cost", "charge_status", "charge_cost", "charge_currency")
CHANGED = f"({', '.join(_COMPARED)}) IS DISTINCT FROM ({', '.join(f'new_{name}' for name in _COMPARED)})"

_SUMS = f"""
count(*) AS calls,
       count(*) FILTER (WHERE {CHANGED}) AS changed_calls,
       count(*) FILTER (WHERE counted AND cost IS NULL) AS unpriced_before,
       count(*) FILTER (WHERE counted AND new_cost IS NULL) AS unpriced_after,
       sum(cost) FILTER (WHERE counted) AS cost_before,
       sum(new_cost) FILTER (WHERE counted) AS cost_after
"""

PREVIEW = f"WITH {_KEYS}, {_RULES} SELECT number, {_SUMS} FROM ({_PRICED}) AS priced GROUP BY number"

# Calls that no rule holds for.
APART = f"""
WITH {_KEYS}, {_RULES}
SELECT trace_id, span_id, start_time, counted, {_OLD}, call.provider, call.model, call.service_tier, call.region, joined,
       input_tokens, cache_read_tokens, cache_write_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       input_audio_tokens, output_tokens, reasoning_tokens, output_audio_tokens, usage_extra
  FROM {_SOURCE}
 WHERE {FILTERS} AND (trace_id, span_id, start_time) IN (
        SELECT trace_id, span_id, start_time
          FROM ({_PLACED}) AS placed
         WHERE NOT EXISTS (
                SELECT FROM rule
                 WHERE rule.key = placed.key AND rule.segment = placed.segment AND rule.side = placed.side
                   AND rule.used = placed.used)
       )
"""

_STAGED = "trace_id, span_id, start_time, counted, " + _OLD
_NEW = ", ".join(f"new_{name}" for name in _OLD.split(", "))

STAGE_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS repriced (
    trace_id uuid, span_id bigint, start_time timestamptz, counted boolean,
    cost numeric, charge_cost numeric, charge_currency text, charge_status text, price_ids integer[],
    price_version integer, priced_at timestamptz, fx_rate_id integer,
    new_cost numeric, new_charge_cost numeric, new_charge_currency text, new_charge_status text,
    new_price_ids integer[], new_price_version integer, new_priced_at timestamptz, new_fx_rate_id integer
) ON COMMIT DELETE ROWS
"""

STAGE = f"""
WITH {_KEYS}, {_RULES}
INSERT INTO repriced ({_STAGED}, {_NEW})
SELECT {_STAGED}, new_cost, new_charge_cost, new_charge_currency, new_charge_status, new_price_ids, %(version)s, %(at)s,
       new_fx_rate_id
  FROM ({_PRICED}) AS priced
"""

STAGE_APART = f"COPY repriced ({_STAGED}, {_NEW}) FROM STDIN (FORMAT BINARY)"

STAGED_COLUMNS = 12
"""So many columns of a row of ``APART`` are staged as they are."""

STAGED_TYPES = (
    "uuid", "int8", "timestamptz", "bool",
    *("numeric", "numeric", "text", "text", "int4[]", "int4", "timestamptz", "int4") * 2,
)  # fmt: skip

_SPAN = """span.project_id = %(project)s AND span.start_time >= %(start)s AND span.start_time < %(end)s
   AND span.trace_id = {0}.trace_id AND span.span_id = {0}.span_id AND span.start_time = {0}.start_time"""

# What an earlier job replaced, where its charge still stands: settlement that came after it knew more.
STAGE_UNDO = f"""
INSERT INTO repriced ({_STAGED}, {_NEW})
SELECT {", ".join(f"span.{name}" for name in _STAGED.split(", "))},
       {", ".join(f"charge_history.{name}" for name in _OLD.split(", "))}
  FROM charge_history
  JOIN span ON {_SPAN.format("charge_history")}
 WHERE charge_history.job_id = %(undone_job)s AND charge_history.project_id = %(project)s
   AND charge_history.start_time >= %(start)s AND charge_history.start_time < %(end)s
   AND span.priced_at = %(undone_at)s
"""

STAGE_UNDO_CLOSED = f"""
INSERT INTO repriced ({_STAGED}, {_NEW})
SELECT {", ".join(f"call.{name}" for name in _STAGED.split(", "))},
       {", ".join(f"charge_history.{name}" for name in _OLD.split(", "))}
  FROM charge_history
  JOIN {_SOURCE} ON {_SPAN.replace("span.", "call.").format("charge_history")}
 WHERE charge_history.job_id = %(undone_job)s AND charge_history.project_id = %(project)s
   AND charge_history.start_time >= %(start)s AND charge_history.start_time < %(end)s
   AND call.priced_at = %(undone_at)s
"""

STAGED_SUMS = f"SELECT {_SUMS} FROM repriced"

KEEP = f"""
INSERT INTO charge_history (job_id, project_id, start_time, trace_id, span_id, {_OLD})
SELECT %(job)s, %(project)s, start_time, trace_id, span_id, {_OLD} FROM repriced WHERE {CHANGED}
"""

_ASSIGNED = ", ".join(f"{name} = repriced.new_{name}" for name in _OLD.split(", "))
_REPRICED_CHANGED = (
    f"({', '.join(f'repriced.{name}' for name in _COMPARED)})"
    f" IS DISTINCT FROM ({', '.join(f'repriced.new_{name}' for name in _COMPARED)})"
)

WRITE = f"UPDATE span SET {_ASSIGNED} FROM repriced WHERE {_SPAN.format('repriced')} AND {_REPRICED_CHANGED}"

WRITE_CLOSED = f"""
INSERT INTO adjusted_charge (project_id, trace_id, span_id, start_time, counted, not_counted_reason, joined, {_OLD})
SELECT span.project_id, span.trace_id, span.span_id, span.start_time, span.counted, span.not_counted_reason, span.joined,
       {_NEW}
  FROM repriced JOIN span ON {_SPAN.format("repriced")}
 WHERE {_REPRICED_CHANGED}
ON CONFLICT (project_id, trace_id, span_id, start_time)
DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _OLD.split(", "))}
"""

# What a batch of calls in a closed month costs more than before.
DIFFERENCES = """
SELECT trace_id, span_id, start_time, coalesce(new_cost, 0) - coalesce(cost, 0) AS cost, 'reprice'::text AS cause
  FROM repriced WHERE counted
"""

MARK = f"""
INSERT INTO dirty_minute (project_id, minute)
SELECT DISTINCT %(project)s::integer, date_trunc('minute', start_time) FROM repriced WHERE counted AND {CHANGED}
"""

# The start of the batch after this one: some thousand rows on; NULL when there are no more.
NEXT_CALLS = """
SELECT start_time FROM span
 WHERE project_id = %(project)s AND start_time >= %(start)s AND start_time < %(end)s
 ORDER BY start_time OFFSET %(rows)s LIMIT 1
"""

NEXT_REPLACED = """
SELECT start_time FROM charge_history
 WHERE job_id = %(undone_job)s AND project_id = %(project)s AND start_time >= %(start)s AND start_time < %(end)s
 ORDER BY start_time OFFSET %(rows)s LIMIT 1
"""

_JOB = """id, created_at, actor, state, undoes, price_version, window_start, window_end, project_id, provider, model,
       currency, at_project, at_time, finished_at,
       calls, changed_calls, unpriced_before, unpriced_after, cost_before, cost_after"""

JOB = f"SELECT {_JOB} FROM reprice_job WHERE id = %(job)s"
JOBS = f"SELECT {_JOB} FROM reprice_job ORDER BY id DESC LIMIT %(limit)s"
UNFINISHED = f"""
SELECT {_JOB} FROM reprice_job
 WHERE state = 'running' AND undoes IS NULL
   AND (window_start, window_end) = (%(start)s, %(end)s)
   AND (project_id, provider, model, currency)
       IS NOT DISTINCT FROM (%(project)s, %(provider)s, %(model)s, %(currency)s)
 ORDER BY id DESC LIMIT 1
"""

NEW_JOB = f"""
INSERT INTO reprice_job (actor, price_version, window_start, window_end, project_id, provider, model, currency, undoes)
VALUES (%(actor)s, %(version)s, %(start)s, %(end)s, %(project)s, %(provider)s, %(model)s, %(currency)s, %(undoes)s)
RETURNING {_JOB}
"""

PROGRESS = """
UPDATE reprice_job
   SET at_project = %(project)s, at_time = %(end)s, beat_at = clock_timestamp(),
       calls = calls + %(calls)s, changed_calls = changed_calls + %(changed_calls)s,
       unpriced_before = unpriced_before + %(unpriced_before)s, unpriced_after = unpriced_after + %(unpriced_after)s,
       cost_before = CASE WHEN cost_before IS NULL THEN %(cost_before)s::numeric
                          ELSE cost_before + coalesce(%(cost_before)s::numeric, 0) END,
       cost_after = CASE WHEN cost_after IS NULL THEN %(cost_after)s::numeric
                         ELSE cost_after + coalesce(%(cost_after)s::numeric, 0) END
 WHERE id = %(job)s
"""

FINISH = """
UPDATE reprice_job SET state = 'done', finished_at = clock_timestamp() WHERE id = %(job)s
"""

# A later job that replaced charges which this one wrote; it has to be undone first.
LATER_JOB = """
SELECT later.id
  FROM reprice_job AS later
 WHERE later.id > %(job)s AND later.undoes IS NULL
   AND (later.state <> 'undone'
        OR EXISTS (SELECT FROM reprice_job AS undo WHERE undo.undoes = later.id AND undo.state = 'running'))
   AND EXISTS (
        SELECT FROM charge_history AS mine
          JOIN charge_history AS theirs USING (project_id, start_time, trace_id, span_id)
         WHERE mine.job_id = %(job)s AND theirs.job_id = later.id)
 ORDER BY later.id DESC LIMIT 1
"""

# Jobs that were asked for and that nobody is at: new ones, and those whose process died.
WAITING = """
SELECT id FROM reprice_job
 WHERE state = 'running' AND (beat_at IS NULL OR beat_at < clock_timestamp() - %(silence)s)
 ORDER BY id
"""
