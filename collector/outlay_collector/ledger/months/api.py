"""Months over HTTP: which are closed, and closing and reopening them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from outlay_collector.access import store as access_store
from outlay_collector.access.api import Admin, Reader, Reading, Writing, projects_of, state_of
from outlay_collector.errors import Forbidden
from outlay_collector.ledger.months import store
from outlay_collector.ledger.reads.api import money

router = APIRouter(prefix="/api/v1", tags=["months"])


class MonthAct(BaseModel):
    month: str = Field(max_length=7, description="Such as 2026-10.")
    state: Literal["closed", "open"]


@router.get("/months")
def list_months(request: Request, access: Reader, connection: Reading, project: str | None = None) -> dict[str, Any]:
    """Months with any cost, newest first, as booked and by origin; and which of them are closed."""
    state = state_of(request)
    rows = store.listed(connection, projects_of(access, project, state))
    return {"currency": state.settings.currency, "rows": [money(row) for row in rows]}


@router.post("/months")
def act(request: Request, access: Admin, connection: Writing, wanted: MonthAct) -> dict[str, Any]:
    """Close a month that is over, or open it again."""
    if access.project_id is not None:
        raise Forbidden("This key is bound to one project; months are closed for all of them.")
    settings, now = state_of(request).settings, datetime.now(UTC)
    if wanted.state == "closed":
        store.close(connection, wanted.month, actor=access.key_id, now=now, zone=settings.zone)
    else:
        store.reopen(connection, wanted.month, kept_since=now - settings.retention)
    access_store.note(connection, access.key_id, f"month.{wanted.state}", wanted.month)
    return {"month": wanted.month, "state": wanted.state}
