"""``/api/v1/alerts``: what is wrong, what became of it, and what a person does about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from outlay_collector.access.api import Reader, Reading, Writing, projects_of, require, state_of
from outlay_collector.access.keys import Access
from outlay_collector.alerts import store
from outlay_collector.alerts.store import Seen
from outlay_collector.errors import BadRequest

router = APIRouter(prefix="/api/v1/alerts", tags=["alerts"])

Keeper = Annotated[Access, Depends(require("finance", "admin"))]
"""Who may say that an alert is looked after, over or to be silent."""

_MOST_MUTE_HOURS = 24 * 366


@router.get("")
def list_alerts(
    request: Request,
    access: Reader,
    connection: Reading,
    project: str | None = None,
    state: Literal["open", "acknowledged", "resolved", "active"] | None = None,
    type_: Annotated[str | None, Query(alias="type", max_length=100)] = None,
    from_: Annotated[str | None, Query(alias="from", max_length=60)] = None,
    to: Annotated[str | None, Query(max_length=60)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=60)] = None,
) -> dict[str, Any]:
    """Alerts that stood at any time of the window, newest first; `state=active` for those that stand now."""
    rows = store.alerts(
        connection,
        _seen(request, access, project),
        state=state,
        type_=type_,
        start=_moment("from", from_),
        end=_moment("to", to),
        before=_moment("cursor", cursor),
        limit=limit + 1,
    )
    page = rows[:limit]
    shown = [{name: value for name, value in row.items() if name != "project_id"} for row in page]
    return {"rows": shown, "next_cursor": page[-1]["opened_at"].isoformat() if len(rows) > limit else None}


class NewWindow(BaseModel):
    project: str | None = Field(default=None, max_length=100, description="Absent: all projects of the key.")
    starts: datetime | None = Field(default=None, description="Absent: now.")
    ends: datetime
    reason: str | None = Field(default=None, max_length=500)


@router.get("/maintenance")
def list_windows(request: Request, access: Reader, connection: Reading, project: str | None = None) -> dict[str, Any]:
    """Windows that are not over yet."""
    return {"rows": store.maintenance(connection, _seen(request, access, project))}


@router.post("/maintenance", status_code=201)
def add_window(request: Request, new: NewWindow, access: Keeper, connection: Writing) -> dict[str, Any]:
    """While it lasts nobody is told of anything; afterwards of what still stands."""
    bound = new.project is not None or access.project_id is not None
    window = store.plan_maintenance(
        connection,
        project_id=projects_of(access, new.project, state_of(request))[0] if bound else None,
        starts=_aware(new.starts or datetime.now(UTC)),
        ends=_aware(new.ends),
        reason=new.reason,
        actor=access.key_id,
    )
    return {"id": str(window)}


@router.delete("/maintenance/{window_id}")
def end_window(request: Request, window_id: UUID, access: Keeper, connection: Writing) -> dict[str, Any]:
    """End it now; what it held back is told."""
    store.end_maintenance(connection, _seen(request, access, None), window_id)
    return {"ended": str(window_id)}


@router.get("/{alert_id}")
def show(request: Request, alert_id: UUID, access: Reader, connection: Reading) -> dict[str, Any]:
    """One alert with its history."""
    row = store.alert(connection, _seen(request, access, None), alert_id)
    return {name: value for name, value in row.items() if name != "project_id"}


class Note(BaseModel):
    note: str | None = Field(default=None, max_length=500)


_WITHOUT_NOTE = Note()


@router.post("/{alert_id}/acknowledge")
def acknowledge(
    request: Request, alert_id: UUID, access: Keeper, connection: Writing, said: Note = _WITHOUT_NOTE
) -> dict[str, Any]:
    """Say that somebody looks after it."""
    store.alert(connection, _seen(request, access, None), alert_id)
    store.acknowledge(connection, alert_id, actor=access.key_id, note=said.note, now=datetime.now(UTC))
    return show(request, alert_id, access, connection)


@router.post("/{alert_id}/resolve")
def resolve(
    request: Request, alert_id: UUID, access: Keeper, connection: Writing, said: Note = _WITHOUT_NOTE
) -> dict[str, Any]:
    """Say that it is over. What is still so opens it again."""
    store.alert(connection, _seen(request, access, None), alert_id)
    store.resolve(connection, alert_id, actor=access.key_id, note=said.note, now=datetime.now(UTC))
    return show(request, alert_id, access, connection)


class Mute(BaseModel):
    hours: float | None = Field(default=None, gt=0, le=_MOST_MUTE_HOURS, description="Absent: until it is unmuted.")
    reason: str | None = Field(default=None, max_length=500)


_FOR_EVER = Mute()


@router.post("/{alert_id}/mute")
def mute(
    request: Request, alert_id: UUID, access: Keeper, connection: Writing, said: Mute = _FOR_EVER
) -> dict[str, Any]:
    """Tell nobody of it for so long, also when it opens again."""
    store.alert(connection, _seen(request, access, None), alert_id)
    until = None if said.hours is None else datetime.now(UTC) + timedelta(hours=said.hours)
    store.mute(connection, alert_id, actor=access.key_id, until=until, reason=said.reason)
    return show(request, alert_id, access, connection)


@router.post("/{alert_id}/unmute")
def unmute(request: Request, alert_id: UUID, access: Keeper, connection: Writing) -> dict[str, Any]:
    store.alert(connection, _seen(request, access, None), alert_id)
    store.unmute(connection, alert_id, actor=access.key_id)
    return show(request, alert_id, access, connection)


class Judgement(BaseModel):
    useful: bool
    note: str | None = Field(default=None, max_length=500)


@router.post("/{alert_id}/feedback")
def judge(request: Request, alert_id: UUID, said: Judgement, access: Keeper, connection: Writing) -> dict[str, Any]:
    """Say whether it was worth being told. Unusual spend that was often not is told only when it costs more."""
    store.alert(connection, _seen(request, access, None), alert_id)
    store.judge(connection, alert_id, actor=access.key_id, useful=said.useful, note=said.note)
    return show(request, alert_id, access, connection)


def _seen(request: Request, access: Access, project: str | None) -> Seen:
    for_all = access.project_id is None and project is None
    return Seen(project_ids=projects_of(access, project, state_of(request)), for_all=for_all)


def _moment(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return _aware(datetime.fromisoformat(text))
    except ValueError as error:
        raise BadRequest(f"{name}={text!r:.80} is no instant; use ISO 8601 such as 2026-11-21T00:00:00Z.") from error


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
