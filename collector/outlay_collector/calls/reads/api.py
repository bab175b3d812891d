"""``GET /api/v1/calls`` and ``/traces``: look a call up, and see why it cost what it cost."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request

from outlay_collector.access.api import Reading, Reads, projects_of, state_of
from outlay_collector.calls.reads import store
from outlay_collector.calls.reads.explain import explained
from outlay_collector.calls.reads.shape import Order, Place, decode_cursor, encode_cursor, shown, span_number, unpacked
from outlay_collector.errors import BadRequest, NotFound
from outlay_collector.ledger.reads.question import parse_filters, parse_window

router = APIRouter(prefix="/api/v1", tags=["calls"])


@router.get("/calls")
def list_calls(
    request: Request,
    access: Reads,
    connection: Reading,
    project: str | None = None,
    trace_id: str | None = None,
    from_: Annotated[str | None, Query(alias="from")] = None,
    to: str | None = None,
    counted: bool | None = None,
    filter: Annotated[list[str] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: str | None = None,
    order: Annotated[Order, Query(description="What comes first; costs that are unknown come last.")] = Order.NEWEST,
) -> dict[str, Any]:
    """Calls, newest first, or those that cost most or took longest; of one trace: all its spans.

    `next_cursor` continues where the page ended.
    """
    state = state_of(request)
    window = (
        parse_window(from_, to, state.settings.zone, datetime.now(UTC)) if from_ or to or trace_id is None else None
    )
    rows = store.calls(
        connection,
        projects_of(access, project, state),
        window=window,
        trace_id=_trace(trace_id) if trace_id else None,
        counted=counted,
        filters=parse_filters(filter or ()),
        after=_cursor(cursor, order),
        limit=limit + 1,
        order=order,
    )
    page = rows[:limit]
    currency = state.settings.currency
    return {
        "rows": [shown(row, currency=currency) for row in page],
        "next_cursor": encode_cursor(page[-1], order) if len(rows) > limit else None,
    }


@router.get("/traces/{trace_id}")
def show_trace(
    request: Request, access: Reads, connection: Reading, trace_id: str, project: str | None = None
) -> dict[str, Any]:
    """Every span of a trace in the order they began; what was not counted says why."""
    state = state_of(request)
    rows = store.trace(connection, projects_of(access, project, state), _trace(trace_id))
    if not rows:
        raise NotFound(f"There is no trace {trace_id!r:.80} that this key may see.")
    currency = state.settings.currency
    known = [row["cost"] for row in rows if row["counted"] and row["cost"] is not None]
    return {
        "trace_id": rows[0]["trace_id"].hex,
        "cost": format(sum(known, Decimal(0)), "f") if known else None,
        "currency": currency,
        "rows": [shown(row, currency=currency) for row in rows],
    }


@router.get("/calls/{trace_id}/{span_id}")
def show_call(
    request: Request, access: Reads, connection: Reading, trace_id: str, span_id: str, project: str | None = None
) -> dict[str, Any]:
    """One call with its remaining attributes, its charge line by line, and what was kept of its content.

    `content` is null where the project keeps none.
    """
    state = state_of(request)
    row = store.call(connection, projects_of(access, project, state), _trace(trace_id), _span(span_id))
    if row is None:
        raise NotFound(f"There is no span {span_id!r:.40} in trace {trace_id!r:.80} that this key may see.")
    return shown(row, currency=state.settings.currency) | {
        "content": unpacked(store.content(connection, row)),
        "attributes": row["attributes"] or {},
        "events": (row["events"] or {}).get("events", []),
        "joined": row["joined"],
        "explain": explained(row, state.book()),
    }


def _trace(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise BadRequest(f"{text!r:.80} is no trace id; it has 32 hexadecimal digits.") from error


def _span(text: str) -> int:
    try:
        return span_number(text)
    except ValueError as error:
        raise BadRequest(f"{text!r:.40} is no span id; it has 16 hexadecimal digits.") from error


def _cursor(text: str | None, order: Order) -> Place | None:
    if text is None:
        return None
    try:
        return decode_cursor(text, order)
    except ValueError as error:
        raise BadRequest(
            f"cursor={text!r:.80} is none that this API gave for this order; start without one."
        ) from error
