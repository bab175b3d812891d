"""``/api/v1/units``: what a request, a user, a customer, a successful outcome costs; and scores and outcomes that say so."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from outlay_collector.access.api import Asking, Writing, projects_of, require, state_of
from outlay_collector.access.keys import Access
from outlay_collector.access.store import note
from outlay_collector.errors import BadRequest, NotFound
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.api import Asked, Most
from outlay_collector.ledger.reads.question import Interval
from outlay_collector.units import economics, store
from outlay_collector.units.outcomes import MAX_SCORES, read_outcomes, read_scores

router = APIRouter(prefix="/api/v1", tags=["units"])

MAX_GROUPS = 3
MAX_OUTCOMES = 50_000

Scorer = Annotated[Access, Depends(require("ingest", "admin"))]
Importer = Annotated[Access, Depends(require("ingest", "finance", "admin"))]
AtLeast = Annotated[float, Query(description="From which value on a score is good.")]


class Scores(BaseModel):
    """Judgements of answers."""

    project: str | None = Field(default=None, max_length=100, description="For a key of all projects.")
    scores: list[dict[str, Any]] = Field(
        max_length=MAX_SCORES,
        description="name, value or label, trace_id (and span_id) or response_id; at, explanation. With `at`, sending it again"
        " changes nothing.",
    )


class Outcomes(BaseModel):
    """How work ended."""

    project: str | None = Field(default=None, max_length=100, description="For a key of all projects.")
    source: str = Field(default="API", max_length=200)
    rows: list[dict[str, Any]] = Field(
        max_length=MAX_OUTCOMES,
        description="time, outcome, at least one of trace_id, session and customer; success, revenue. Repeating changes nothing.",
    )


@router.get("/units")
def units(
    request: Request,
    question: Asked,
    connection: Asking,
    outcome: Annotated[str | None, Query(max_length=1_024, description="An outcome's or score's name.")] = None,
    at_least: AtLeast = 0.5,
    most: Most = None,
) -> dict[str, Any]:
    """Cost per request, user, customer and successful outcome, per period and group; `null` where it is not known.

    Without `outcome` it is the first of `outcomes`: imported ones before scores, the most frequent first.
    """
    if len(question.group_by) > MAX_GROUPS:
        raise BadRequest(f"At most {MAX_GROUPS} dimensions can be grouped by here; got {len(question.group_by)}.")
    settings = state_of(request).settings
    known = store.names(connection, question, at_least=at_least)
    named = next((one for one in known if outcome in (None, one.name)), None)
    if outcome is not None and named is None:
        there = ", ".join(sorted({one.name for one in known})) or "none"
        raise NotFound(f"Nothing in this window is called {outcome!r:.80}; there are: {there}.")
    found = store.economics(connection, question, named, settings.zone, at_least=at_least)
    return {
        "from": question.window.start,
        "to": question.window.end,
        "currency": settings.currency,
        "complete_until": reads.complete_until(connection, question.project_ids, datetime.now(UTC)),
        "outcome": None if named is None else asdict(named),
        "outcomes": [asdict(one) for one in known],
        "rows": economics.as_json(economics.largest(found, most) if most else found, question.group_by),
    }


@router.get("/scores")
def list_scores(question: Asked, connection: Asking, at_least: AtLeast = 0.5) -> dict[str, Any]:
    """Scores of a window by name: how many, mean, range, how many good."""
    whole = replace(question, interval=Interval.NONE)
    rows = store.scores(connection, whole, at_least=at_least)
    return {"from": question.window.start, "to": question.window.end, "rows": rows}


@router.post("/scores")
def add_scores(request: Request, access: Scorer, connection: Writing, given: Scores) -> dict[str, int]:
    """Judgements of answers: user feedback, faithfulness, any metric."""
    project_id = _project(request, access, given.project)
    scores = list(read_scores(given.scores, state_of(request).settings.zone, datetime.now(UTC)))
    added = store.add_scores(connection, project_id, scores)
    return {"added": added, "unchanged": len(scores) - added}


@router.post("/units/outcomes")
def add_outcomes(request: Request, access: Importer, connection: Writing, given: Outcomes) -> dict[str, int]:
    """How work ended, and what was earned by it."""
    project_id = _project(request, access, given.project)
    outcomes = list(read_outcomes(given.rows, state_of(request).settings.zone))
    added = store.add_outcomes(connection, project_id, outcomes, source=given.source)
    note(connection, access.key_id, "outcomes.imported", given.source, asdict(added))
    return asdict(added)


def _project(request: Request, access: Access, name: str | None) -> int:
    if name is None and access.project_id is None:
        raise BadRequest("This key is for all projects; say in `project` which one is meant.")
    return projects_of(access, name, state_of(request))[0]
