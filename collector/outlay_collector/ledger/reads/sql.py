"""Questions as SQL. Every value is a bound parameter; names come from the lists of dimensions only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from outlay_collector.db.names import SUMS
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.dimensions import call_column, line_value, literal
from outlay_collector.ledger.reads.question import Basis, Filter, Interval, Question, Sources
from outlay_collector.ledger.rollup_sql import LATENCY_BUCKET, LATENCY_VALUES, NO_PRICE

_ROW_SUMS = {
    "calls": "1",
    "errors": "CASE WHEN status = 2 THEN 1 ELSE 0 END",
    "unpriced_calls": f"CASE WHEN {NO_PRICE} THEN 1 ELSE 0 END",
    "estimated_calls": "CASE WHEN usage_source = 'estimated' THEN 1 ELSE 0 END",
    "missing_usage_calls": "CASE WHEN usage_source = 'missing' AND status <> 2 THEN 1 ELSE 0 END",
    "unpriced_tokens": f"CASE WHEN {NO_PRICE} THEN coalesce(input_tokens, 0) + coalesce(output_tokens, 0) ELSE 0 END",
    "lines": "0",
}


class Parameters(dict[str, Any]):
    """Bound values, named as they are added."""

    def add(self, value: Any) -> str:
        name = f"p{len(self)}"
        self[name] = value
        return f"%({name})s"


def spend(question: Question, sources: Sources, instance_zone: str) -> tuple[str, Parameters]:
    """One row per period and group: ``period_start``, the dimensions as ``d0``, ``d1`` …, sums, cost, reported_cost."""
    parameters = Parameters()
    parts = [
        _rollup(question, parameters, kept, grain, _between(grain, stretch, parameters), instance_zone)
        for kept, grain, stretches in _kept(question, sources)
        for stretch in stretches
    ]
    for window in sources.rows:
        parts.append(_rows(question, parameters, window))
        parts.append(_lines(question, parameters, window))
    groups = [f"d{n}" for n in range(len(question.group_by))]
    keys = ", ".join(["period_start", *groups])
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in SUMS)
    statement = f"""
SELECT {keys}, {sums}, sum(cost) AS cost, sum(reported_cost) AS reported_cost
  FROM ({" UNION ALL ".join(parts)}) AS part
 GROUP BY {keys}
 ORDER BY {keys}
"""
    return statement, parameters


@dataclass(frozen=True, slots=True)
class _Kept:
    """A family of sums: its tables are called ``<name>_<grain>``. ``column`` says where a dimension stands in them."""

    name: str
    column: Callable[[str], str]
    joined: str = ""
    condition: str = ""
    by_project: bool = True


def _kept(question: Question, sources: Sources) -> list[tuple[_Kept, str, Sequence[tuple[Any, Any]]]]:
    """Which sums of which grain answer which stretches of a question."""
    sets = "" if question.dimensions() <= {"project"} else "JOIN dimension_set ON dimension_set.id = dimension_set_id"
    cost = _Kept("cost", lambda name: f"dimension_set.{name}", joined=sets)
    model = _Kept("model", lambda name: f"model_hour.{name}", by_project=False)
    key = _Kept("key", lambda _: "value", condition=f"AND dimension = {literal(sources.key or '')}")
    return [
        (cost, "day", [] if sources.days is None else [sources.days]),
        (cost, "hour", [(window.start, window.end) for window in sources.hours]),
        (model, "hour", [(window.start, window.end) for window in sources.models]),
        (key, "day", sources.key_days),
        (key, "hour", [(window.start, window.end) for window in sources.key_hours]),
    ]


def _rollup(
    question: Question, parameters: Parameters, kept: _Kept, grain: str, window: str, instance_zone: str
) -> str:
    """Summed by bucket and the dimensions asked for; only what is left meets zones and projects' names.

    The sets of dimensions, of which there are few, are filtered first and joined by hashing.
    """
    bucket, period = _bucket(question, parameters, grain, instance_zone)
    basis = "basis < 2" if question.basis is Basis.BOOKED else "basis <> 1"
    keys = [f"{bucket} AS bucket"] if bucket else []
    keys += [
        f"{'project_id' if name == 'project' else kept.column(name)} AS k{number}"
        for number, name in enumerate(question.group_by)
    ]
    named = [
        f"{f'(SELECT project.name FROM project WHERE project.id = k{number})' if name == 'project' else f'k{number}'} AS d{number}"
        for number, name in enumerate(question.group_by)
    ]
    sums = ", ".join(f"sum({name}) AS {name}" for name in (*SUMS, "cost", "reported_cost"))
    group = f"GROUP BY {', '.join(str(n + 1) for n in range(len(keys)))}" if keys else "HAVING count(*) > 0"
    projects = f"AND project_id = ANY({parameters.add(list(question.project_ids))})" if kept.by_project else ""
    where = conditions(question, parameters, lambda name: _PROJECT if name == "project" else kept.column(name))
    return f"""
SELECT {", ".join([period, *named, *SUMS, "cost", "reported_cost"])}
  FROM (
        SELECT {", ".join([*keys, sums])}
          FROM {kept.name}_{grain} {kept.joined}
         WHERE {window} AND {basis} {projects} {kept.condition} {where}
         {group}
       ) AS rollup
"""


def _bucket(question: Question, parameters: Parameters, grain: str, instance_zone: str) -> tuple[str | None, str]:
    """What rows of a grain are grouped by in time, and the period that such a bucket lies in."""
    if question.interval is Interval.NONE:
        return None, _period(question, parameters, "")
    if grain == "day":
        return "day", _period(question, parameters, f"(bucket::timestamp AT TIME ZONE {parameters.add(instance_zone)})")
    if question.interval is Interval.HOUR:
        return "hour", _period(question, parameters, "bucket")
    return _period(question, parameters, "hour").removesuffix(" AS period_start"), "bucket AS period_start"


def _rows(question: Question, parameters: Parameters, window: Window) -> str:
    sums = [f"{_ROW_SUMS.get(name, f'coalesce({name}, 0)')} AS {name}" for name in SUMS]
    columns = [
        _period(question, parameters, "start_time"),
        *_grouped(question, call_dimension),
        *sums,
        "cost",
        "reported_cost",
    ]
    return f"""
SELECT {", ".join(columns)}
  FROM call
 WHERE project_id = ANY({parameters.add(list(question.project_ids))}) AND {_within("start_time", window, parameters)} AND counted
   {conditions(question, parameters, call_dimension)}
"""


def _lines(question: Question, parameters: Parameters, window: Window) -> str:
    instant = "charge_time" if question.basis is Basis.BOOKED else "incurred_time"
    sums = [f"{1 if name == 'lines' else 0} AS {name}" for name in SUMS]
    columns = [
        _period(question, parameters, instant),
        *_grouped(question, line_dimension),
        *sums,
        "cost",
        "NULL::numeric",
    ]
    return f"""
SELECT {", ".join(columns)}
  FROM ledger_line
 WHERE project_id = ANY({parameters.add(list(question.project_ids))}) AND {_within(instant, window, parameters)}
   {conditions(question, parameters, line_dimension)}
"""


def _period(question: Question, parameters: Parameters, instant: str) -> str:
    if question.interval is Interval.NONE:
        return f"{parameters.add(question.window.start)}::timestamptz AS period_start"
    zone = parameters.add(question.zone.key)
    return f"date_trunc('{question.interval.value}', {instant}, {zone}) AS period_start"


def _within(column: str, window: Window, parameters: Parameters) -> str:
    return _between(column, (window.start, window.end), parameters)


def _between(column: str, stretch: tuple[Any, Any], parameters: Parameters) -> str:
    start, end = (parameters.add(one) for one in stretch)
    return f"{column} >= {start} AND {column} < {end}"


def _grouped(question: Question, expression: Any) -> list[str]:
    return [f"{expression(name)} AS d{number}" for number, name in enumerate(question.group_by)]


def conditions(question: Question, parameters: Parameters, expression: Callable[[str], str]) -> str:
    """All filters of a question, each led by AND; ``expression`` names a dimension in SQL."""
    return " ".join(f"AND {condition(item, expression(item.dimension), parameters)}" for item in question.filters)


def condition(item: Filter, expression: str, parameters: Parameters) -> str:
    """A filter as SQL; an absent value is never equal to anything, so it passes every ``not``."""
    if not item.values:
        return f"({expression}) IS {'' if item.negated else 'NOT '}NULL"
    test = f"({expression}) = ANY({parameters.add(list(item.values))}::text[])"
    return f"({test}) IS NOT TRUE" if item.negated else test


def call_dimension(name: str) -> str:
    """A dimension as a column of the view ``call``."""
    return _PROJECT if name == "project" else call_column(name)


def line_dimension(name: str) -> str:
    """A dimension as it stands in a ledger line."""
    return _PROJECT if name == "project" else line_value(name)


_PROJECT = "(SELECT project.name FROM project WHERE project.id = project_id)"


LATENCY_DIMENSIONS = ("project", "provider", "model", "service", "feature")
"""Dimensions that the latency histograms keep."""


def latency_hours(question: Question, window: Window) -> tuple[str, Parameters]:
    """Histograms per period and group, a row for each: ``measure`` and, one after another, all buckets and all counts.

    As ``array_send`` writes them after its head of twenty bytes: each value with its length before it. Arrays of numbers
    made into objects one by one take ten times as long.
    """
    parameters = Parameters()
    groups = [_PROJECT if n == "project" else n for n in question.group_by]
    columns = [
        _period(question, parameters, "hour"),
        *(f"{e} AS d{n}" for n, e in enumerate(groups)),
        "measure",
        "string_agg(substr(array_send(buckets), 21), ''::bytea) AS buckets",
        "string_agg(substr(array_send(counts), 21), ''::bytea) AS counts",
    ]
    return (
        f"""
SELECT {", ".join(columns)}
  FROM latency_hour
 WHERE project_id = ANY({parameters.add(list(question.project_ids))}) AND {_within("hour", window, parameters)}
       {conditions(question, parameters, _latency_dimension)}
 GROUP BY {", ".join(str(n + 1) for n in range(len(groups) + 2))}
""",
        parameters,
    )


def latency_models(question: Question, window: Window) -> tuple[str, Parameters]:
    """The same from the histograms of all projects by model: ``measure`` and, one after another, what is packed."""
    parameters = Parameters()
    columns = [
        _period(question, parameters, "hour"),
        *(f"{name} AS d{n}" for n, name in enumerate(question.group_by)),
        "measure",
        "string_agg(packed, ''::bytea) AS packed",
    ]
    return (
        f"""
SELECT {", ".join(columns)}
  FROM model_latency_hour
 WHERE {_within("hour", window, parameters)} {conditions(question, parameters, _latency_dimension)}
 GROUP BY {", ".join(str(n + 1) for n in range(len(question.group_by) + 2))}
""",
        parameters,
    )


def _latency_dimension(name: str) -> str:
    return _PROJECT if name == "project" else name


def latency_rows(question: Question, window: Window) -> tuple[str, Parameters]:
    """The same histograms made from rows, for windows and dimensions the rollup does not keep."""
    parameters = Parameters()
    columns = [_period(question, parameters, "start_time"), *_grouped(question, call_dimension)]
    names = ["period_start", *(f"d{n}" for n in range(len(question.group_by)))]
    return (
        f"""
WITH measured AS (
    SELECT {", ".join(columns)}, measure,
           {LATENCY_BUCKET} AS b
      FROM call, LATERAL {LATENCY_VALUES}
     WHERE project_id = ANY({parameters.add(list(question.project_ids))}) AND {_within("start_time", window, parameters)}
       AND counted AND status <> 2 AND us IS NOT NULL {conditions(question, parameters, call_dimension)}
), counted AS (
    SELECT {", ".join(names)}, measure, b, count(*)::integer AS n FROM measured GROUP BY {", ".join(names)}, measure, b
)
SELECT {", ".join(names)}, measure, string_agg(int2send(b) || int4send(n), ''::bytea)
  FROM counted GROUP BY {", ".join(names)}, measure
""",
        parameters,
    )
