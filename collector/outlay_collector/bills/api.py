"""Bills over HTTP: what was imported, importing more, and what was billed beside what was traced.

A bill is of a whole organisation: these are for keys that see all projects.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from outlay_collector.access.api import Reader, Reading, Writing, require, state_of
from outlay_collector.access.keys import Access
from outlay_collector.bills import store
from outlay_collector.bills.formats.detect import read
from outlay_collector.bills.reconcile import CAUSES
from outlay_collector.bills.shape import money, parse_by, rows, totals
from outlay_collector.bills.store import Reconciled
from outlay_collector.errors import BadRequest, Forbidden
from outlay_collector.ledger.reads.question import parse_window

router = APIRouter(prefix="/api/v1", tags=["bills"])

Bookkeeper = Annotated[Access, Depends(require("finance", "admin"))]


class Meaning(BaseModel):
    provider: str = Field(min_length=1, max_length=100)
    account: str | None = Field(default=None, max_length=300, description="A provider's project, workspace or account.")
    project: str | None = Field(default=None, max_length=100)
    name: str | None = Field(default=None, max_length=300, description="A model as bills call it.")
    model: str | None = Field(default=None, max_length=300, description="The same as calls call it.")


class Booking(BaseModel):
    from_: str = Field(alias="from")
    to: str
    provider: str | None = None
    causes: list[str] | None = Field(default=None, description="Default all.")
    project: str | None = Field(default=None, description="For what no account tells the project of.")
    undo: bool = False


@router.get("/bills")
def list_bills(
    access: Reader, connection: Reading, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> dict[str, Any]:
    """Imports, newest first: in force, replaced by later ones, or undone; and the accounts that bills name."""
    _for_all(access)
    return {
        "rows": [_plain(row) for row in store.listed(connection, limit)],
        "accounts": [_plain(row) for row in store.accounts(connection)],
    }


@router.get("/bills/summary")
def summary(
    request: Request,
    access: Reader,
    connection: Reading,
    from_: Annotated[str | None, Query(alias="from", description="ISO 8601; default 30 days before `to`.")] = None,
    to: Annotated[str | None, Query(description="ISO 8601, excluded; default now.")] = None,
) -> dict[str, Any]:
    """Billed and traced in the UTC days of the window, for providers and days that bills speak of; null without any."""
    _for_all(access)
    settings = state_of(request).settings
    window = parse_window(from_, to, settings.zone, datetime.now(UTC))
    found = store.summary(connection, window, zone=settings.zone)
    billed, traced = (None, None) if found is None else map(money, found)
    return {"currency": settings.currency, "billed": billed, "traced": traced}


@router.post("/bills", status_code=201)
async def import_bill(
    request: Request,
    access: Bookkeeper,
    name: Annotated[str, Query(max_length=300, description="What to call it, such as the file's name.")] = "upload",
) -> dict[str, Any]:
    """Import a bill: the body is the file. The same bill again changes nothing."""
    _for_all(access)
    state = state_of(request)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > state.settings.max_body_bytes:
            raise BadRequest(
                f"The file is larger than {state.settings.max_body_bytes} bytes; import it with outlay bill."
            )

    def stored() -> dict[str, Any]:
        bill = read(bytes(content))
        with state.writes.connection() as connection:
            return shown(store.import_bill(connection, bill, name=name, actor=access.key_id, book=state.book()))

    return await run_in_threadpool(stored)


@router.post("/bills/{import_id}/undo")
def undo(import_id: int, access: Bookkeeper, connection: Writing) -> dict[str, Any]:
    """Take an import back; what it replaced holds again."""
    _for_all(access)
    store.undo(connection, import_id, actor=access.key_id)
    return {"id": import_id, "state": "undone"}


@router.post("/bills/names")
def name(said: Meaning, access: Bookkeeper, connection: Writing) -> dict[str, Any]:
    """Say which project an account in bills is, or which model a name in them means."""
    _for_all(access)
    if said.account and said.project:
        store.name_account(connection, said.provider, said.account, said.project, actor=access.key_id)
    elif said.name and said.model:
        store.name_model(connection, said.provider, said.name, said.model, actor=access.key_id)
    else:
        raise BadRequest("Say account and project, or name and model.")
    return said.model_dump(exclude_none=True)


@router.get("/reconcile")
def reconcile(
    request: Request,
    access: Reader,
    connection: Reading,
    from_: Annotated[str | None, Query(alias="from", description="ISO 8601; default 30 days before `to`.")] = None,
    to: Annotated[str | None, Query(description="ISO 8601, excluded; default now.")] = None,
    provider: Annotated[str | None, Query(max_length=100)] = None,
    by: Annotated[str | None, Query(description="day,project,provider,model,meter or some of them")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> dict[str, Any]:
    """What was billed and what was traced, in UTC days, why they differ, and by how much."""
    _for_all(access)
    state = state_of(request)
    wanted = parse_by(by)
    window = parse_window(from_, to, state.settings.zone, datetime.now(UTC))
    found = store.reconcile(connection, window, book=state.book(), provider=provider)
    listed = rows(found.gaps, wanted)
    return {
        **_head(found, state.settings.currency),
        "has_bills": store.has_bills(connection),
        "total": len(listed),
        "rows": listed[:limit],
    }


@router.post("/reconcile/book")
def book(request: Request, access: Bookkeeper, connection: Writing, wanted: Booking) -> dict[str, Any]:
    """Book what was billed and not traced, or take that back."""
    _for_all(access)
    state = state_of(request)
    causes = tuple(wanted.causes or CAUSES)
    if unknown := [cause for cause in causes if cause not in CAUSES]:
        raise BadRequest(f"There is no cause {unknown[0]!r:.40}; there are {', '.join(CAUSES)}.")
    window = parse_window(wanted.from_, wanted.to, state.settings.zone, datetime.now(UTC))
    found = store.reconcile(connection, window, book=state.book(), provider=wanted.provider)
    lines, total = store.book_gaps(
        connection,
        found,
        actor=access.key_id,
        causes=causes,
        provider=wanted.provider,
        default_project=wanted.project,
        undo=wanted.undo,
    )
    return {"lines": lines, "booked": money(total), "currency": state.settings.currency}


def shown(imported: store.Imported) -> dict[str, Any]:
    return {
        "id": imported.id,
        "is_new": imported.is_new,
        "format": imported.format,
        "lines": imported.lines,
        "billed": money(imported.billed),
        "left_out": imported.left_out,
        "left_out_cost": money(imported.left_out_cost),
    }


def _head(found: Reconciled, currency: str) -> dict[str, Any]:
    return {
        "from": found.window.start,
        "to": found.window.end,
        "currency": currency,
        "totals": totals(found.gaps) | {"booked": money(found.booked)},
        "covers": [
            {"provider": seller, "first_day": first, "last_day": last}
            for seller, (first, last) in sorted(found.covers.items())
        ],
        "outside": {seller: money(cost) for seller, cost in sorted(found.outside.items())},
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: money(value) if isinstance(value, Decimal) else value for name, value in row.items()}


def _for_all(access: Access) -> None:
    if access.project_id is not None:
        raise Forbidden("This key is bound to one project; bills are of all of them.")
