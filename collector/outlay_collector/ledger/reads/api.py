"""``GET /api/v1/spend`` and its siblings."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from psycopg import Connection

from outlay_collector.access.api import Asking, Reader, projects_of, state_of
from outlay_collector.ledger.reads import store
from outlay_collector.ledger.reads.completeness import as_json, completeness
from outlay_collector.ledger.reads.periods import previous
from outlay_collector.ledger.reads.question import (
    Basis,
    Interval,
    Question,
    parse_filters,
    parse_group_by,
    parse_window,
    parse_zone,
)
from outlay_collector.ledger.reads.top import top

router = APIRouter(prefix="/api/v1", tags=["spend"])


def asked(
    request: Request,
    access: Reader,
    project: Annotated[str | None, Query(description="Absent: all projects this key may see.")] = None,
    from_: Annotated[
        str | None, Query(alias="from", description="ISO 8601, included; default 30 days before `to`.")
    ] = None,
    to: Annotated[str | None, Query(description="ISO 8601, excluded; default now.")] = None,
    interval: Interval = Interval.NONE,
    time_zone: Annotated[str | None, Query(description="IANA name; default the instance's.")] = None,
    group_by: Annotated[str | None, Query(description="Dimensions, joined by commas.")] = None,
    filter: Annotated[list[str] | None, Query(description="dimension:value, dimension!:value, dimension:*")] = None,
    basis: Basis = Basis.BOOKED,
) -> Question:
    state = state_of(request)
    zone = parse_zone(time_zone, state.settings.zone)
    return Question(
        project_ids=tuple(projects_of(access, project, state)),
        window=parse_window(from_, to, zone, datetime.now(UTC)),
        interval=interval,
        zone=zone,
        group_by=parse_group_by(group_by),
        filters=parse_filters(filter or ()),
        basis=basis,
    )


Asked = Annotated[Question, Depends(asked)]


def unchanged(request: Request, question: Asked, connection: Asking) -> str | None:
    """The answer's ETag, before it is known; whoever has that answer already is told so, and nothing is asked."""
    mark = store.change_mark(connection, question.project_ids)
    if mark is None:
        return None
    settings = state_of(request).settings
    said = f"{request.url.path}?{request.url.query} {question} {mark} {settings.currency} {settings.time_zone}"
    tag = f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'
    if tag in request.headers.get("if-none-match", ""):
        raise HTTPException(304, headers={"ETag": tag})
    return tag


Tag = Annotated[str | None, Depends(unchanged)]

Most = Annotated[
    int | None, Query(alias="top", ge=1, le=1000, description="That many groups; the others summed as `__other__`.")
]


@router.get("/spend")
def spend(
    request: Request,
    question: Asked,
    connection: Asking,
    tag: Tag,
    most: Most = None,
    compare: Annotated[
        Literal["previous"] | None, Query(description="`previous`: also the same stretch of time before.")
    ] = None,
) -> Response:
    """Cost, calls and tokens per period and group. Money is a decimal string; `null` where nothing has a known price."""
    rows = _ranked(_summed(request, question, connection), question, most)
    if compare is None:
        return _answer(request, question, connection, tag, rows)
    before = replace(question, window=previous(question.window, question.zone))
    rows_before = _ranked(_summed(request, before, connection), question, most)
    shown = {"from": before.window.start, "to": before.window.end, "rows": rows_before}
    return _answer(request, question, connection, tag, rows, previous=shown)


def _summed(request: Request, question: Question, connection: Connection[Any]) -> list[dict[str, Any]]:
    settings = state_of(request).settings
    found = store.plan(connection, question, settings.zone, datetime.now(UTC))
    return store.spend(connection, question, found, settings.time_zone)


def _ranked(rows: list[dict[str, Any]], question: Question, most: int | None) -> list[dict[str, Any]]:
    return rows if most is None or not question.group_by else top(rows, question.group_by, most)


@router.get("/tokens")
def tokens(request: Request, question: Asked, connection: Asking, tag: Tag) -> Response:
    """Tokens per period and group: totals, and the parts that have a price or a meaning of their own."""
    rows = _summed(request, question, connection)
    kept = ("period_start", *question.group_by, "calls", "missing_usage_calls", "estimated_calls")
    slim = [{name: value for name, value in row.items() if name in kept or name.endswith("_tokens")} for row in rows]
    return _answer(request, question, connection, tag, slim)


@router.get("/latency")
def latency(request: Request, question: Asked, connection: Asking, tag: Tag) -> Response:
    """p50, p95 and p99 of duration and time to first token in milliseconds; failed calls are left out."""
    plan = store.latency_plan(connection, question, state_of(request).settings.zone, datetime.now(UTC))
    return _answer(request, question, connection, tag, store.latency(connection, question, plan))


@router.get("/completeness")
def complete(request: Request, question: Asked, connection: Asking) -> dict[str, Any]:
    """What a total of the window leaves out: up to when it is complete, and what is estimated, missing, refused or lost.

    Refused spans and those that clients dropped are counted by the hour of their arrival, for whole projects.
    """
    settings = state_of(request).settings
    whole = replace(question, group_by=(), interval=Interval.NONE)
    rows = _summed(request, whole, connection)
    found = completeness(
        rows[0] if rows else {},
        store.ingest_counts(connection, question.project_ids, question.window),
        dropped_by_clients=store.client_count(connection, question.project_ids, question.window, "dropped"),
        complete_until=store.complete_until(connection, question.project_ids, datetime.now(UTC)),
        currency=settings.currency,
    )
    return {"from": question.window.start, "to": question.window.end, **as_json(found, question.zone)}


def _answer(
    request: Request,
    question: Question,
    connection: Connection[Any],
    tag: str | None,
    rows: list[dict[str, Any]],
    **more: Any,
) -> Response:
    response = as_response(
        {
            "from": question.window.start,
            "to": question.window.end,
            "currency": state_of(request).settings.currency,
            "complete_until": store.complete_until(connection, question.project_ids, datetime.now(UTC)),
            "rows": rows,
            **more,
        }
    )
    if tag is not None:
        response.headers["ETag"] = tag
    return response


def as_response(body: dict[str, Any]) -> Response:
    """Plain values written at once: taken apart and checked value by value, thousands of rows take longer than the question."""
    return Response(orjson.dumps(body, default=_plain), media_type="application/json")


def money(row: dict[str, Any]) -> dict[str, Any]:
    """Decimals as strings, never in scientific notation."""
    return {name: format(value, "f") if isinstance(value, Decimal) else value for name, value in row.items()}


def _plain(value: Any) -> str:
    """Money is never in scientific notation."""
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{value!r:.80} is nothing that JSON holds")
