"""Repricing over HTTP. A look is answered at once; applying is a job that the worker runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from outlay_collector.access.api import Reader, Reading, Writing, behind_the_wall, projects_of, require, state_of
from outlay_collector.access.keys import Access
from outlay_collector.errors import NotFound
from outlay_collector.ledger.reads.question import parse_window
from outlay_collector.pricing.reprice import scope as shapes
from outlay_collector.pricing.reprice import store
from outlay_collector.pricing.reprice.scope import Scope, Totals

router = APIRouter(prefix="/api/v1", tags=["prices"])

Repricer = Annotated[Access, Depends(require("finance", "admin"))]


class Repricing(BaseModel):
    """Calls that started in `[from, to)`."""

    from_: str = Field(alias="from", max_length=40, description="ISO 8601, included.")
    to: str | None = Field(default=None, max_length=40, description="ISO 8601, excluded; absent: now.")
    project: str | None = Field(default=None, max_length=100, description="Absent: every project.")
    provider: str | None = Field(default=None, max_length=100)
    model: str | None = Field(default=None, max_length=300, description="* stands for anything.")
    currency: str | None = Field(
        default=None, max_length=3, description="Only calls whose price is in this one, which is not the instance's."
    )
    apply: bool = Field(default=False, description="Write it; else only say what would change.")


@router.post("/reprice")
def reprice(request: Request, access: Repricer, connection: Writing, wanted: Repricing) -> dict[str, Any]:
    """What calls of a window would cost under today's prices; with `apply`, a job that gives them those."""
    state = state_of(request)
    bound = wanted.project is not None or access.project_id is not None
    scope = Scope(
        window=parse_window(wanted.from_, wanted.to, state.settings.zone, datetime.now(UTC)),
        project_id=projects_of(access, wanted.project, state)[0] if bound else None,
        provider=wanted.provider,
        model=wanted.model,
        currency=wanted.currency.upper() if wanted.currency else None,
    )
    names = {number: name for name, number in state.project_ids().items()}
    if wanted.apply:
        return {"job": store.as_json(store.ask(connection, scope, actor=access.key_id), names)}
    with behind_the_wall(request, state.reads) as reading:
        book = state.book()
        sums = store.preview(reading, book, scope)
    totals = Totals()
    totals.add(sums)
    return {
        "price_version": book.version,
        "totals": totals.as_json(),
        "rows": [shapes.as_json(one, names) for one in sums],
    }


@router.get("/reprice")
def list_jobs(
    request: Request, access: Reader, connection: Reading, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> dict[str, Any]:
    """What was repriced and undone, newest first."""
    names = {number: name for name, number in state_of(request).project_ids().items()}
    seen = [job for job in store.jobs(connection, limit) if access.project_id in (None, job.scope.project_id)]
    return {"rows": [store.as_json(job, names) for job in seen]}


@router.post("/reprice/{job_id}/undo", status_code=202)
def undo(request: Request, job_id: int, access: Repricer, connection: Writing) -> dict[str, Any]:
    """A job that gives calls the charges back that another replaced."""
    job = store.job_of(connection, job_id)
    if access.project_id not in (None, job.scope.project_id):
        raise NotFound(f"There is no reprice job {job_id} that this key may see.")
    names = {number: name for name, number in state_of(request).project_ids().items()}
    return {"job": store.as_json(store.ask_undo(connection, job_id, actor=access.key_id), names)}
