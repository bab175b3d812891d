"""What outcomes and scores say of calls, as SQL. Every value is a bound parameter."""

from __future__ import annotations

from datetime import timedelta

from outlay_collector.ledger.reads.question import Interval, Question
from outlay_collector.ledger.reads.sql import Parameters, call_dimension, conditions

IMPORTED, SCORED = "import", "score"

REACH = timedelta(days=31)
"""So long before its outcome work may have begun. Calls a day after the window are looked at too."""

_AFTER = timedelta(days=1)

# A number decides; without one, a word.
GOOD = "coalesce(score.value >= {at_least}, lower(score.label) = ANY({good}))"

_IMPORTED = """
SELECT project_id, at, trace_id, session_id, customer, success
  FROM outcome
 WHERE project_id = ANY({projects}) AND at >= {start} AND at < {end} AND name = {name}
"""

# Of several judgements of one trace the newest counts. A score that names no trace is found by the response's id.
_SCORED = """
SELECT DISTINCT ON (project_id, trace_id) project_id, at, trace_id, NULL::text AS session_id, NULL::text AS customer, success
  FROM (SELECT score.project_id, score.at, coalesce(score.trace_id, answered.trace_id) AS trace_id, {good_one} AS success
          FROM score
          LEFT JOIN LATERAL (
                SELECT span.trace_id FROM span
                 WHERE score.trace_id IS NULL AND span.project_id = score.project_id
                   AND span.response_id = score.response_id
                   AND span.start_time >= {start} - {reach} AND span.start_time < {end} + {after}
                 LIMIT 1) AS answered ON true
         WHERE score.project_id = ANY({projects}) AND score.at >= {start} AND score.at < {end} AND score.name = {name}
       ) AS found
 WHERE trace_id IS NOT NULL AND success IS NOT NULL
 ORDER BY project_id, trace_id, at DESC
"""


def judged(question: Question, name: str, source: str, *, at_least: float, good: list[str]) -> tuple[str, Parameters]:
    """Per period and group: outcomes that have calls, the good ones of them, and what those calls cost.

    What is judged is a trace, else a session, else a customer within the period; its calls are counted once, however many
    outcomes it has. An outcome counts in every group that has calls of it.
    """
    bound = Parameters()
    window = question.window
    values = {
        "projects": bound.add(list(question.project_ids)),
        "start": f"{bound.add(window.start)}::timestamptz",
        "end": f"{bound.add(window.end)}::timestamptz",
        "reach": f"{bound.add(REACH)}::interval",
        "after": f"{bound.add(_AFTER)}::interval",
        "name": bound.add(name),
    }
    if source == IMPORTED:
        said = _IMPORTED.format(**values)
    else:
        one = GOOD.format(at_least=bound.add(at_least), good=f"{bound.add(good)}::text[]")
        said = _SCORED.format(**values, good_one=one)
    grouped = [f"{call_dimension(name)} AS d{n}" for n, name in enumerate(question.group_by)]
    groups = [f"d{n}" for n in range(len(question.group_by))]
    filtered = conditions(question, bound, call_dimension)
    reached = f"call.start_time >= {values['start']} - {values['reach']} AND call.start_time < {values['end']} + {values['after']}"
    within = f"call.start_time >= {values['start']} AND call.start_time < {values['end']}"

    def work(condition: str) -> str:
        return f"""
SELECT {", ".join(("subject.number", *grouped, "call.cost"))}
  FROM subject JOIN call ON call.project_id = subject.project_id AND call.counted
 WHERE {condition} {filtered}"""

    by_trace = work(f"call.trace_id = subject.trace_id AND {reached}")
    by_session = work(f"subject.trace_id IS NULL AND call.session_id = subject.session_id AND {reached}")
    period_of_call = period(question, bound, "call.start_time")
    by_customer = work(
        "subject.trace_id IS NULL AND subject.session_id IS NULL AND call.customer = subject.customer"
        f" AND {within} AND {period_of_call} = subject.period_start"
    )
    keys = ", ".join(("subject.period_start", *groups))
    statement = f"""
WITH said AS ({said}), subject AS (
    SELECT row_number() OVER () AS number, project_id, {period(question, bound, "at")} AS period_start,
           trace_id, session_id, customer, count(*) AS outcomes, count(*) FILTER (WHERE success) AS successes
      FROM said
     GROUP BY project_id, 3, trace_id, session_id, customer
), work AS ({by_trace} UNION ALL {by_session} UNION ALL {by_customer}
), worked AS (
    SELECT {", ".join(("number", *groups))}, sum(cost) AS cost FROM work GROUP BY {", ".join(("number", *groups))}
)
SELECT {keys}, sum(outcomes)::bigint, sum(successes)::bigint, sum(worked.cost)
  FROM subject JOIN worked USING (number)
 GROUP BY {keys}
"""
    return statement, bound


def names(question: Question, *, at_least: float, good: list[str]) -> tuple[str, Parameters]:
    """Outcomes and scores of the window by name: where they come from, how many, how many good; imported ones first."""
    bound = Parameters()
    one = GOOD.format(at_least=bound.add(at_least), good=f"{bound.add(good)}::text[]")
    where = (
        f"project_id = ANY({bound.add(list(question.project_ids))}) AND at >= {bound.add(question.window.start)}"
        f" AND at < {bound.add(question.window.end)}"
    )
    statement = f"""
SELECT name, source, outcomes, successes
  FROM (SELECT name, '{IMPORTED}' AS source, count(*) AS outcomes, count(*) FILTER (WHERE success) AS successes
          FROM outcome WHERE {where} GROUP BY name
         UNION ALL
        SELECT name, '{SCORED}', count(*), count(*) FILTER (WHERE {one}) FROM score WHERE {where} GROUP BY name) AS found
 ORDER BY source, outcomes DESC, name
 LIMIT 200
"""
    return statement, bound


def revenue(question: Question) -> tuple[str, Parameters]:
    """Per period, and per customer and project where asked so. An outcome without a customer has its trace's."""
    bound = Parameters()
    expressions = {
        "customer": "paid.customer",
        "project": "(SELECT project.name FROM project WHERE project.id = paid.project_id)",
    }
    groups = [f"{expressions[name]} AS d{n}" for n, name in enumerate(question.group_by)]
    keys = ", ".join(("period_start", *(f"d{n}" for n in range(len(question.group_by)))))
    statement = f"""
SELECT {keys}, sum(revenue)
  FROM (
        SELECT {", ".join((f"{period(question, bound, 'paid.at')} AS period_start", *groups))}, paid.revenue
          FROM (
                SELECT project_id, at, revenue, coalesce(customer, (
                        SELECT min(call.customer) FROM call
                         WHERE call.project_id = outcome.project_id AND call.trace_id = outcome.trace_id)) AS customer
                  FROM outcome
                 WHERE project_id = ANY({bound.add(list(question.project_ids))})
                   AND at >= {bound.add(question.window.start)} AND at < {bound.add(question.window.end)}
                   AND revenue IS NOT NULL
               ) AS paid
         WHERE true {conditions(question, bound, expressions.__getitem__)}
       ) AS grouped
 GROUP BY {keys}
"""
    return statement, bound


def period(question: Question, bound: Parameters, instant: str) -> str:
    if question.interval is Interval.NONE:
        return f"{bound.add(question.window.start)}::timestamptz"
    return f"date_trunc('{question.interval.value}', {instant}, {bound.add(question.zone.key)})"


SCORES = f"""
SELECT name, count(*) AS scores, count(value) AS values, avg(value) AS mean, min(value) AS lowest, max(value) AS highest,
       count(*) FILTER (WHERE {GOOD.format(at_least="%(at_least)s", good="%(good)s::text[]")}) AS good, max(at) AS last
  FROM score
 WHERE project_id = ANY(%(projects)s) AND at >= %(start)s AND at < %(end)s
 GROUP BY name
 ORDER BY count(*) DESC, name
"""

ADD_SCORE = """
INSERT INTO score (project_id, at, trace_id, span_id, response_id, name, value, label, explanation)
VALUES (%s, %s, %s::uuid, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""

# What is known already is corrected, and left alone where it says the same.
ADD_OUTCOMES = """
INSERT INTO outcome (project_id, name, at, trace_id, session_id, customer, success, revenue, source)
SELECT %(project)s, * FROM unnest(%(names)s::text[], %(times)s::timestamptz[], %(traces)s::uuid[], %(sessions)s::text[],
       %(customers)s::text[], %(successes)s::boolean[], %(revenues)s::numeric[]) AS given, (SELECT %(source)s::text) AS said
ON CONFLICT (project_id, name, at, trace_id, session_id, customer)
DO UPDATE SET success = excluded.success, revenue = excluded.revenue, source = excluded.source
 WHERE (outcome.success, outcome.revenue) IS DISTINCT FROM (excluded.success, excluded.revenue)
RETURNING xmax = 0
"""
