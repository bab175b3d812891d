"""``/api/v1/deadletters``: what was refused, why, and sending it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from outlay_collector.access import store as access_store
from outlay_collector.access.api import Reading, behind_the_wall, projects_of, require, state_of
from outlay_collector.access.keys import Access
from outlay_collector.errors import BadRequest, Forbidden, NotFound, Unavailable
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.reads.question import parse_window
from outlay_collector.receive.deadletters import store
from outlay_collector.receive.deadletters.retry import TOGETHER, Journey, Outcome, retry
from outlay_collector.receive.deadletters.shape import opened, shown
from outlay_collector.receive.ingest import Limits
from outlay_collector.state import State

router = APIRouter(prefix="/api/v1", tags=["dead letters"])

MOST_AT_ONCE = 1000
_MOST_ID = 2**63 - 1

# A payload may hold what a project keeps of prompts, so a key for money alone does not open it.
Reads = Annotated[Access, Depends(require("read"))]
LetterId = Annotated[int, Path(ge=1, le=_MOST_ID)]


@router.get("/deadletters")
def list_letters(
    request: Request,
    access: Reads,
    connection: Reading,
    project: str | None = None,
    from_: Annotated[
        str | None, Query(alias="from", description="Received at, ISO 8601; default 30 days before `to`.")
    ] = None,
    to: str | None = None,
    reason: Annotated[str | None, Query(max_length=100)] = None,
    retried: Annotated[bool | None, Query(description="Accepted after a retry, or not yet; default both.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """What was refused, newest first, and how much of it by reason. A payload is shown by `deadletters/{id}`."""
    state = state_of(request)
    projects = projects_of(access, project, state)
    window = _window(state, from_, to)
    before = _cursor(cursor)
    rows = store.letters(
        connection, projects, window=window, reason=reason, retried=retried, before_id=before, limit=limit + 1
    )
    page = rows[:limit]
    return {
        "from": window.start,
        "to": window.end,
        "reasons": store.by_reason(connection, projects, window=window, reason=reason),
        "rows": [shown(row) for row in page],
        "next_cursor": str(page[-1]["id"]) if len(rows) > limit else None,
    }


@router.get("/deadletters/{letter_id}")
def show_letter(request: Request, access: Reads, connection: Reading, letter_id: LetterId) -> dict[str, Any]:
    """One dead letter with its payload, as OTLP/JSON where it could be read that far."""
    row = store.letter(connection, projects_of(access, None, state_of(request)), letter_id)
    if row is None:
        raise NotFound(f"There is no dead letter {letter_id} that this key may see.")
    return opened(row)


class Retry(BaseModel):
    """Either ``ids``, or all that a filter finds and that were not accepted yet, newest first."""

    ids: list[Annotated[int, Field(ge=1, le=_MOST_ID)]] | None = Field(default=None, max_length=MOST_AT_ONCE)
    project: str | None = Field(default=None, max_length=100, description="Absent: all projects of the key.")
    from_: str | None = Field(default=None, alias="from", max_length=60)
    to: str | None = Field(default=None, max_length=60)
    reason: str | None = Field(default=None, max_length=100)
    limit: int = Field(default=MOST_AT_ONCE, ge=1, le=MOST_AT_ONCE)


@router.post("/deadletters/retry")
def retry_letters(request: Request, access: Reads, wanted: Retry) -> dict[str, Any]:
    """Send dead letters through ingest again. What is refused again says why; what is accepted is not tried twice."""
    if not access.allows("ingest"):
        raise Forbidden("A retry writes spans, so the key needs the scope ingest beside read.")
    state = state_of(request)
    projects = projects_of(access, wanted.project, state)
    ids, more = _ids(request, projects, wanted)
    journey = Journey(
        book=state.book(),
        limits=Limits(retention=state.settings.retention, future_tolerance=state.settings.future_tolerance),
        now=datetime.now(UTC),
        projects=state.project_ids(),
        content_modes=state.content_modes(),
        only_project=access.project_id,
    )
    outcomes: list[Outcome] = []
    for start in range(0, len(ids), TOGETHER):
        outcomes += _retry(request, projects, ids[start : start + TOGETHER], journey)
    accepted = sum(outcome.accepted for outcome in outcomes)
    with state.writes.connection() as connection:
        detail = {"accepted": accepted, "refused": len(outcomes) - accepted}
        access_store.note(connection, access.key_id, "deadletter.retry", wanted.reason or "", detail)
    return {
        "accepted": accepted,
        "refused": len(outcomes) - accepted,
        "skipped": len(ids) - len(outcomes),  # not there, or accepted before
        "more": more,
        "rows": [{"id": one.id, "accepted": one.accepted, "detail": one.detail or None} for one in outcomes],
    }


def _ids(request: Request, projects: Sequence[int], wanted: Retry) -> tuple[list[int], bool]:
    """Which letters, and whether the filter finds more."""
    state = state_of(request)
    if wanted.ids is not None:
        return list(dict.fromkeys(wanted.ids)), False
    window = _window(state, wanted.from_, wanted.to)
    with behind_the_wall(request, state.reads) as connection:
        rows = store.letters(
            connection, projects, window=window, reason=wanted.reason, retried=False, limit=wanted.limit + 1
        )
    return [row["id"] for row in rows[: wanted.limit]], len(rows) > wanted.limit


def _retry(request: Request, projects: Sequence[int], ids: list[int], journey: Journey) -> list[Outcome]:
    state = state_of(request)
    with state.writes.connection() as connection:  # asks what the senders' keys are bound to, which readers may not see
        found = store.to_retry(connection, projects, ids)
    try:
        outcomes = retry(found, journey, state.committer.submit, state.settings.ingest_timeout)
    except TimeoutError:
        raise Unavailable("The database took too long; retry again. What was stored after all stays once.") from None
    with state.writes.connection() as connection:
        store.mark(connection, outcomes)
    return outcomes


def _window(state: State, start: str | None, end: str | None) -> Window:
    return parse_window(start, end, state.settings.zone, datetime.now(UTC))


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= _MOST_ID and len(text) <= 19):
        raise BadRequest(f"cursor={text!r:.80} is none that this API gave; start without one.")
    return int(text)
