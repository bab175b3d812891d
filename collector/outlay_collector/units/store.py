"""Outcomes and scores in the database, and what units cost by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Question
from outlay_collector.units import sql
from outlay_collector.units.economics import Judged, Key, Unit, units
from outlay_collector.units.outcomes import GOOD_LABELS, Outcome, Score

Connection = psycopg.Connection[Any]

TOGETHER = 5_000


@dataclass(frozen=True, slots=True)
class Named:
    """An outcome that can be asked by: imported or scored, how many in the window, how many of them good."""

    name: str
    source: str
    outcomes: int
    successes: int


@dataclass(frozen=True, slots=True)
class Added:
    """``unchanged`` were there and said the same."""

    added: int
    corrected: int
    unchanged: int


def economics(
    connection: Connection, question: Question, named: Named | None, instance_zone: Any, *, at_least: float
) -> dict[Key, Unit]:
    """Units per period and group; ``named`` is what outcomes are judged by."""
    dimensions = question.group_by
    return units(
        _spend(connection, question, instance_zone),
        _spend(connection, _by(question, "user"), instance_zone),
        _spend(connection, _by(question, "customer"), instance_zone),
        None if named is None else _judged(connection, question, named, at_least),
        _revenue(connection, question),
        dimensions,
    )


def _by(question: Question, dimension: str) -> Question:
    return replace(question, group_by=tuple(dict.fromkeys((*question.group_by, dimension))))


def _spend(connection: Connection, question: Question, instance_zone: Any) -> list[dict[str, Any]]:
    plan = reads.plan(connection, question, instance_zone, datetime.now(UTC), every_value=True)
    return reads.spend(connection, question, plan, instance_zone.key)


def _judged(connection: Connection, question: Question, named: Named, at_least: float) -> dict[Key, Judged]:
    statement, bound = sql.judged(question, named.name, named.source, at_least=at_least, good=list(GOOD_LABELS))
    rows = connection.execute(statement.encode(), bound).fetchall()
    return {
        (period, tuple(values)): Judged(outcomes=outcomes, successes=successes, cost=cost)
        for period, *values, outcomes, successes, cost in rows
    }


def _revenue(connection: Connection, question: Question) -> dict[Key, Any]:
    """Nothing where revenue cannot be told apart: it is known of customers and projects only."""
    asked = {*question.group_by, *(item.dimension for item in question.filters)}
    if not asked <= {"customer", "project"}:
        return {}
    statement, bound = sql.revenue(question)
    rows = connection.execute(statement.encode(), bound).fetchall()
    return {(period, tuple(values)): amount for period, *values, amount in rows}


def names(connection: Connection, question: Question, *, at_least: float) -> list[Named]:
    statement, bound = sql.names(question, at_least=at_least, good=list(GOOD_LABELS))
    return [Named(*row) for row in connection.execute(statement.encode(), bound).fetchall()]


def scores(connection: Connection, question: Question, *, at_least: float) -> list[dict[str, Any]]:
    """By name: how many, their mean and range, how many good."""
    values = {
        "projects": list(question.project_ids),
        "start": question.window.start,
        "end": question.window.end,
        "at_least": at_least,
        "good": list(GOOD_LABELS),
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql.SCORES.encode(), values).fetchall()


def add_scores(connection: Connection, project_id: int, given: Iterable[Score]) -> int:
    """How many of them were not there."""
    added = 0
    for score in given:
        row = (
            project_id, score.at, score.trace_id, score.span_id, score.response_id, score.name, score.value, score.label,
            score.explanation,
        )  # fmt: skip
        added += connection.execute(sql.ADD_SCORE, row).rowcount
    return added


def add_outcomes(connection: Connection, project_id: int, given: Sequence[Outcome], *, source: str) -> Added:
    """Of a row that is given twice the last one counts."""
    by_key: Mapping[Any, Outcome] = {(one.name, one.at, one.trace_id, one.session, one.customer): one for one in given}
    added = corrected = 0
    rows = list(by_key.values())
    for start in range(0, len(rows), TOGETHER):
        some = rows[start : start + TOGETHER]
        values = {
            "project": project_id,
            "source": source,
            "names": [one.name for one in some],
            "times": [one.at for one in some],
            "traces": [one.trace_id for one in some],
            "sessions": [one.session for one in some],
            "customers": [one.customer for one in some],
            "successes": [one.success for one in some],
            "revenues": [one.revenue for one in some],
        }
        written = [is_new for (is_new,) in connection.execute(sql.ADD_OUTCOMES, values).fetchall()]
        added += sum(written)
        corrected += len(written) - sum(written)
    return Added(added, corrected, len(rows) - added - corrected)
