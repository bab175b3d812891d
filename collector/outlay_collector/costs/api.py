"""Other costs over HTTP: enter, list and take back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from outlay_collector.access.api import Reader, Reading, Writing, projects_of, require, state_of
from outlay_collector.access.keys import Access
from outlay_collector.access.store import note
from outlay_collector.costs import store
from outlay_collector.costs.credits import store as credits
from outlay_collector.costs.entries import MOST_ENTRIES, read
from outlay_collector.errors import BadRequest

router = APIRouter(prefix="/api/v1", tags=["costs"])

Spender = Annotated[Access, Depends(require("finance", "admin"))]


class Costs(BaseModel):
    """docs/costs.md describes an entry."""

    costs: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_ENTRIES)
    project: str | None = Field(default=None, max_length=100, description="Of those that name none themselves.")
    replace: bool = Field(default=False, description="What is known by the same key with something else gives way.")


@router.get("/costs")
def list_costs(
    request: Request,
    access: Reader,
    connection: Reading,
    project: str | None = None,
    removed: bool = False,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> dict[str, Any]:
    """Costs that are no call's, newest first. Their money is in `spend`, by day."""
    state = state_of(request)
    names = {number: name for name, number in state.project_ids().items()}
    rows = store.listed(connection, projects_of(access, project, state), with_removed=removed, limit=limit)
    return {"rows": [store.as_json(row, names, state.settings.currency) for row in rows]}


@router.post("/costs", status_code=201)
def enter_costs(request: Request, access: Spender, connection: Writing, new: Costs) -> dict[str, Any]:
    """Book costs, all or none. What is known by its key already is not booked again."""
    state = state_of(request)
    names = {number: name for name, number in state.project_ids().items()}
    found: list[dict[str, Any]] = []
    for raw in new.costs:
        project_id = _project(request, access, raw.get("project") or new.project)
        entry = read(raw, default_currency=state.settings.currency)
        done = store.enter(
            connection, project_id, entry, actor=access.key_id, zone=state.settings.zone, replace=new.replace
        )
        if done.outcome != "known":
            note(connection, access.key_id, f"cost.{done.outcome}", entry.key)
        found.append({"outcome": done.outcome, **store.as_json(done.entry, names, state.settings.currency)})
    return {"rows": found}


@router.get("/costs/credits")
def list_credits(request: Request, access: Reader, connection: Reading, project: str | None = None) -> dict[str, Any]:
    """A project's prepaid credits and what is left of them; its months as they cost, and as they have to be paid."""
    settings = state_of(request).settings
    project_id = _project(request, access, project)
    found = credits.told(connection, project_id, now=datetime.now(UTC), zone=settings.zone)
    return {"currency": settings.currency, **found}


@router.delete("/costs")
def remove_cost(
    request: Request,
    access: Spender,
    connection: Writing,
    key: Annotated[str, Query(max_length=200)],
    project: str | None = None,
) -> dict[str, Any]:
    """Take one back. In closed months its reversal is booked in the month that is open."""
    state = state_of(request)
    names = {number: name for name, number in state.project_ids().items()}
    row = store.remove(connection, _project(request, access, project), key, actor=access.key_id)
    note(connection, access.key_id, "cost.removed", key)
    return store.as_json(row, names, state.settings.currency)


def _project(request: Request, access: Access, name: str | None) -> int:
    """A cost belongs to one project."""
    if name is None and access.project_id is None:
        raise BadRequest("Say whose cost it is: project=… names a project.")
    return projects_of(access, name, state_of(request))[0]
