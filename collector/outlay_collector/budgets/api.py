"""Budgets over HTTP: say them, see how they stand, and ask before a call."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import APIRouter, Body, Depends, Query, Request
from psycopg_pool import PoolTimeout, TooManyRequests
from pydantic import BaseModel, Field

from outlay_collector.access.api import Reader, Reading, Writing, projects_of, require, state_of
from outlay_collector.access.keys import Access
from outlay_collector.access.store import note
from outlay_collector.budgets import check as checking
from outlay_collector.budgets import store
from outlay_collector.budgets.budget import Budget, as_json, parse
from outlay_collector.budgets.scope import dimensions_of
from outlay_collector.budgets.stored import Stored, spec_json, status_json, telling_json

logger = logging.getLogger("outlay.budgets")

router = APIRouter(prefix="/api/v1", tags=["budgets"])

Keeper = Annotated[Access, Depends(require("finance", "admin"))]
Asker = Annotated[Access, Depends(require("ingest", "read", "finance"))]

DEFAULT_PROJECT = "default"
"""Where calls go whose key is for all projects and whose sender names none."""

KNOWN_SECONDS = 2.0
"""How long a process uses what it read of a project's budgets; what was spent is asked for each time."""


class Question(BaseModel):
    """Whether a call may be made."""

    budget: str = Field(min_length=1, max_length=200)
    project: str | None = Field(default=None, max_length=100, description="Absent: the key's, else default.")
    attributes: dict[str, str] = Field(default_factory=dict, max_length=64, description="Whom the call is for.")
    estimated_cost: Decimal | None = Field(default=None, ge=0, le=1_000_000, description="Of this one call.")


@router.post("/budgets/check")
def check(request: Request, access: Asker, question: Question) -> dict[str, Any]:
    """May another call be made? `allow`, `warn` or `block`: the most restrictive of the budget and those above it.

    Where that cannot be found out the call is allowed, and `checked` is false.
    """
    state = state_of(request)
    project = question.project or (None if access.project_id is not None else DEFAULT_PROJECT)
    (project_id,) = projects_of(access, project, state)
    known = dimensions_of(question.attributes)
    try:
        with state.health.connection() as connection:
            budgets = _budgets(connection, project_id)
            levels = store.levels_of(connection, budgets, question.budget, known, now=datetime.now(UTC))
    except (psycopg.Error, PoolTimeout, TooManyRequests) as error:
        logger.warning("budget %s cannot be checked, so calls are allowed: %s", question.budget, error)
        return checking.as_json(checking.ALLOWED) | {"checked": False}
    return checking.as_json(checking.decide(levels, estimate=question.estimated_cost or Decimal(0)))


_known: dict[int, tuple[float, list[Stored]]] = {}


def _budgets(connection: psycopg.Connection[Any], project_id: int) -> list[Stored]:
    found = _known.get(project_id)
    if found is None or monotonic() - found[0] > KNOWN_SECONDS:
        found = _known[project_id] = monotonic(), store.active(connection, [project_id])
    return found[1]


@router.get("/budgets")
def list_budgets(request: Request, access: Reader, connection: Reading, project: str | None = None) -> dict[str, Any]:
    """Budgets as they are in force, by name."""
    found = store.active(connection, projects_of(access, project, state_of(request)))
    return {"rows": [spec_json(stored) for stored in found]}


@router.get("/budgets/status")
def list_status(request: Request, access: Reader, connection: Reading, project: str | None = None) -> dict[str, Any]:
    """How all budgets stand in the periods that run."""
    now = datetime.now(UTC)
    found = store.active(connection, projects_of(access, project, state_of(request)))
    return {"rows": [status_json(store.status(connection, stored, now=now)) for stored in found]}


@router.post("/budgets", status_code=201)
def create(
    request: Request, access: Keeper, connection: Writing, said: Annotated[dict[str, Any], Body()]
) -> dict[str, Any]:
    """A new budget: `project`, `name`, `amount` or `plan`; and `filter`, `per`, `period`, `time_zone`, `thresholds`,
    `webhooks`, `parent`, `enforce` as in budgets.yaml."""
    budget, project_id = _said(request, access, said)
    stored = store.create(connection, project_id, budget, actor=access.key_id, now=datetime.now(UTC))
    note(connection, access.key_id, "budget.create", budget.name, as_json(budget))
    return spec_json(stored)


@router.get("/budgets/{budget_id}")
def show(request: Request, budget_id: UUID, access: Reader, connection: Reading) -> dict[str, Any]:
    """One budget, and what was told of it."""
    stored = _one(request, access, connection, budget_id)
    return spec_json(stored) | {"told": [telling_json(told) for told in store.history(connection, stored)]}


@router.get("/budgets/{budget_id}/status")
def status(
    request: Request,
    budget_id: UUID,
    access: Reader,
    connection: Reading,
    instances: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> dict[str, Any]:
    """How one budget stands: what was spent by day, by instance, and what was told."""
    stored = _one(request, access, connection, budget_id)
    return status_json(store.status(connection, stored, now=datetime.now(UTC), instances=instances))


@router.put("/budgets/{budget_id}")
def change(
    request: Request, budget_id: UUID, access: Keeper, connection: Writing, said: Annotated[dict[str, Any], Body()]
) -> dict[str, Any]:
    """The whole budget as it is to be; a new version of it."""
    stored = _one(request, access, connection, budget_id)
    kept = {"project": stored.budget.project, "name": stored.budget.name}
    budget, _ = _said(request, access, kept | said)
    changed = store.change(connection, stored, budget, actor=access.key_id, now=datetime.now(UTC))
    note(connection, access.key_id, "budget.change", budget.name, as_json(budget))
    return spec_json(changed)


@router.delete("/budgets/{budget_id}")
def remove(request: Request, budget_id: UUID, access: Keeper, connection: Writing) -> dict[str, Any]:
    """The budget goes; what was told of it stays."""
    stored = _one(request, access, connection, budget_id)
    store.remove(connection, stored, actor=access.key_id)
    note(connection, access.key_id, "budget.remove", stored.budget.name)
    return {"removed": str(budget_id)}


def _said(request: Request, access: Access, said: dict[str, Any]) -> tuple[Budget, int]:
    state = state_of(request)
    project = said.get("project")
    if project is None and access.project_id is not None:
        names = {number: name for name, number in state.project_ids().items()}
        project = names.get(access.project_id)
    budget = parse(said, where="", project=project, currency=state.settings.currency, zone=state.settings.zone)
    (project_id,) = projects_of(access, budget.project, state)
    return budget, project_id


def _one(request: Request, access: Access, connection: psycopg.Connection[Any], budget_id: UUID) -> Stored:
    return store.one(connection, budget_id, projects_of(access, None, state_of(request)))
