"""Attribution rules over HTTP. A look is answered at once; what applying does to calls of the past is run by the worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from outlay_collector.access.api import Reader, Reading, Writing, behind_the_wall, require, state_of
from outlay_collector.access.keys import Access
from outlay_collector.access.store import note
from outlay_collector.errors import Forbidden
from outlay_collector.ledger.attribution import moves as shapes
from outlay_collector.ledger.attribution import showback, store
from outlay_collector.ledger.attribution.reading import MAX_BYTES, read
from outlay_collector.ledger.attribution.sharing import SharedRule
from outlay_collector.ledger.reads.api import Asked
from outlay_collector.ledger.reads.question import Question

router = APIRouter(prefix="/api/v1", tags=["attribution"])

Attributor = Annotated[Access, Depends(require("finance", "admin"))]


class Sharing(BaseModel):
    """A file of rules."""

    rules: str = Field(max_length=MAX_BYTES, description="The file's text (YAML).")
    source: str = Field(default="API", max_length=200, description="What lists call it.")


class Attributing(Sharing):
    """A file of rules, and whether to put them in force."""

    apply: bool = Field(default=False, description="Put them in force; else only say what would move.")


@router.get("/attribution")
def in_force(
    request: Request, access: Reader, connection: Reading, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> dict[str, Any]:
    """The rules in force as they were given, and all versions, newest first."""
    _for_all(access)
    del request
    version = store.newest(connection)
    text, zone = store.text_of(connection, version)
    listed = [store.as_json(one) for one in store.versions(connection, limit)]
    return {"version": version, "rules": text, "time_zone": zone.key, "rows": listed}


@router.get("/attribution/showback")
def shown_back(request: Request, question: Asked, connection: Reading) -> dict[str, Any]:
    """By cost center: what it spends itself, its shares of shared costs by the rules in force, and both together."""
    return _showback(request, question, connection, store.document(connection).shared)


@router.post("/attribution/showback")
def shown_back_by(request: Request, question: Asked, connection: Reading, given: Sharing) -> dict[str, Any]:
    """The same by the shared-cost rules of a file that is not in force."""
    rules = read(given.rules, state_of(request).settings.zone, given.source).shared
    return _showback(request, question, connection, rules)


def _showback(request: Request, question: Question, connection: Reading, rules: Sequence[SharedRule]) -> dict[str, Any]:
    settings = state_of(request).settings
    found = store.shown_back(connection, question, rules, zone=settings.zone)
    window = {"from": question.window.start, "to": question.window.end, "currency": settings.currency}
    return {**window, **showback.as_json(found)}


@router.get("/attribution/{version}")
def one_version(request: Request, version: int, access: Reader, connection: Reading) -> dict[str, Any]:
    """A version with its rules, and what it moved so far."""
    _for_all(access)
    found = store.version_of(connection, version)
    names = {number: name for name, number in state_of(request).project_ids().items()}
    return {
        **store.as_json(found),
        "rules": store.text_of(connection, version)[0],
        "moves": shapes.as_json(store.moves(connection, version), names),
    }


@router.post("/attribution")
def attribute(request: Request, access: Attributor, connection: Writing, wanted: Attributing) -> dict[str, Any]:
    """What putting rules in force moves, by rule, from where to where; with `apply`, do it."""
    _for_all(access)
    state = state_of(request)
    if wanted.apply:
        version = store.apply(
            connection, wanted.rules, source=wanted.source, actor=access.key_id, zone=state.settings.zone
        )
        note(connection, access.key_id, "attribution.applied", str(version.id))
        return {"version": store.as_json(version)}
    names = {number: name for name, number in state.project_ids().items()}
    with behind_the_wall(request, state.reads) as reading:
        found = store.preview(reading, read(wanted.rules, state.settings.zone, wanted.source).rules)
    return {"totals": found.totals.as_json(), "moves": shapes.as_json(found.paths.items(), names)}


@router.post("/attribution/{version}/undo", status_code=202)
def undo(version: int, access: Attributor, connection: Writing) -> dict[str, Any]:
    """Put the rules in force again that held before a version."""
    _for_all(access)
    made = store.undo(connection, version, actor=access.key_id)
    note(connection, access.key_id, "attribution.undone", str(version))
    return {"version": store.as_json(made)}


def _for_all(access: Access) -> None:
    if access.project_id is not None:
        raise Forbidden(
            "This key is bound to one project; attribution rules are read and set with a key for all projects."
        )
