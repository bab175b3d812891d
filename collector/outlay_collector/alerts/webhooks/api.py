"""``/api/v1/webhooks`` and ``/api/v1/deliveries``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from outlay_collector.access.api import Admin, Reader, Reading, Writing, projects_of, state_of
from outlay_collector.access.keys import Access
from outlay_collector.alerts.webhooks import store
from outlay_collector.alerts.webhooks.jobs import sender_of
from outlay_collector.alerts.webhooks.sender import warning
from outlay_collector.alerts.webhooks.store import NewWebhook
from outlay_collector.errors import BadRequest, NotFound

router = APIRouter(prefix="/api/v1", tags=["webhooks"])


class WebhookIn(BaseModel):
    project: str | None = Field(default=None, max_length=100, description="Absent: every project and the installation.")
    url: str = Field(max_length=2048, description="For e-mail: mailto:name@example.com,other@example.com.")
    kind: str = Field(default="generic", max_length=20, description=", ".join(store.KINDS))
    name: str | None = Field(default=None, max_length=100, description="To recognise it by.")
    routing_key: str | None = Field(default=None, max_length=64, description="Of PagerDuty's integration.")


@router.post("/webhooks", status_code=201)
def add(request: Request, new: WebhookIn, access: Admin, connection: Writing) -> dict[str, Any]:
    """A new receiver. Its secret, which signs what it gets, is shown this once."""
    state = state_of(request)
    bound = new.project is not None or access.project_id is not None
    project_id = projects_of(access, new.project, state)[0] if bound else None
    wanted = store.checked(NewWebhook(kind=new.kind, url=new.url, name=new.name, routing_key=new.routing_key))
    said = warning(sender_of(state.settings), wanted.url)
    webhook_id, secret = store.add(connection, wanted, project_id=project_id, actor=access.key_id)
    return {"id": str(webhook_id), "secret": secret} | ({"warning": said} if said else {})


@router.get("/webhooks")
def list_webhooks(request: Request, access: Reader, connection: Reading, project: str | None = None) -> dict[str, Any]:
    """Receivers, without their secrets. Those of all projects are for keys of all projects."""
    projects, for_all = _seen(request, access, project)
    return {"rows": store.listed(connection, projects, for_all=for_all)}


@router.delete("/webhooks/{webhook_id}")
def remove(webhook_id: UUID, access: Admin, connection: Writing) -> dict[str, Any]:
    _allowed(access, store.project_of(connection, webhook_id), f"webhook {webhook_id}")
    store.remove(connection, webhook_id, actor=access.key_id)
    return {"removed": str(webhook_id)}


@router.post("/webhooks/{webhook_id}/rotate")
def rotate(webhook_id: UUID, access: Admin, connection: Writing) -> dict[str, Any]:
    """A new secret, shown this once. For 24 hours messages are signed with the old one too."""
    _allowed(access, store.project_of(connection, webhook_id), f"webhook {webhook_id}")
    return {"secret": store.rotate(connection, webhook_id, now=datetime.now(UTC), actor=access.key_id)}


@router.post("/webhooks/{webhook_id}/enable")
def enable(webhook_id: UUID, access: Admin, connection: Writing) -> dict[str, Any]:
    """Deliver again to a receiver that was given up."""
    _allowed(access, store.project_of(connection, webhook_id), f"webhook {webhook_id}")
    store.enable(connection, webhook_id, actor=access.key_id)
    return {"enabled": str(webhook_id)}


@router.post("/webhooks/{webhook_id}/test", status_code=202)
def try_out(webhook_id: UUID, access: Admin, connection: Writing) -> dict[str, Any]:
    """Send a test event there; `deliveries/{id}` says what became of it."""
    _allowed(access, store.project_of(connection, webhook_id), f"webhook {webhook_id}")
    delivery = store.try_out(connection, webhook_id, now=datetime.now(UTC), actor=access.key_id)
    return {"delivery": str(delivery)}


@router.get("/deliveries")
def list_deliveries(
    request: Request,
    access: Reader,
    connection: Reading,
    project: str | None = None,
    webhook: UUID | None = None,
    event: UUID | None = None,
    state: Literal["pending", "delivered", "failed", "muted"] | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=40)] = None,
) -> dict[str, Any]:
    """What was told to whom, newest first."""
    projects, for_all = _seen(request, access, project)
    rows = store.deliveries(
        connection,
        projects,
        for_all=for_all,
        webhook_id=webhook,
        event=event,
        state=state,
        before=_moment(cursor),
        limit=limit + 1,
    )
    page = rows[:limit]
    return {"rows": page, "next_cursor": page[-1]["created_at"].isoformat() if len(rows) > limit else None}


@router.get("/deliveries/{delivery_id}")
def show(delivery_id: UUID, access: Reader, connection: Reading) -> dict[str, Any]:
    """One delivery with the message as it was sent and every attempt."""
    row = store.delivery(connection, delivery_id)
    _allowed(access, row.pop("webhook_project_id"), f"delivery {delivery_id}")
    return row


@router.post("/deliveries/{delivery_id}/replay", status_code=202)
def replay(delivery_id: UUID, access: Admin, connection: Writing) -> dict[str, Any]:
    """Deliver once more: the same id and the same bytes, with ten attempts."""
    _allowed(access, store.delivery(connection, delivery_id)["webhook_project_id"], f"delivery {delivery_id}")
    store.replay(connection, delivery_id, actor=access.key_id)
    return {"delivery": str(delivery_id)}


def _seen(request: Request, access: Access, project: str | None) -> tuple[Sequence[int], bool]:
    return projects_of(access, project, state_of(request)), access.project_id is None and project is None


def _allowed(access: Access, project_id: int | None, what: str) -> None:
    """The same answer for what belongs to others as for what is not there."""
    if access.project_id is not None and access.project_id != project_id:
        raise NotFound(f"There is no {what} that this key may see.")


def _moment(cursor: str | None) -> datetime | None:
    if cursor is None:
        return None
    try:
        moment = datetime.fromisoformat(cursor)
    except ValueError as error:
        raise BadRequest(f"cursor={cursor!r:.80} is none that this API gave; start without one.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
