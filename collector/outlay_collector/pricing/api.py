"""Prices over HTTP: what holds, what held, and what given calls would cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import InvalidOperation
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from psycopg import Connection
from pydantic import BaseModel, Field

from outlay_collector.access.api import Asking, Reader, Reading, Writing, projects_of, require, state_of
from outlay_collector.access.keys import Access
from outlay_collector.errors import BadRequest, Conflict, Forbidden
from outlay_collector.ledger.bridge import bridge
from outlay_collector.ledger.reads import store as sums
from outlay_collector.ledger.reads.api import Asked
from outlay_collector.ledger.reads.periods import previous
from outlay_collector.ledger.reads.question import Interval, Question, parse_window
from outlay_collector.pricing import listing, store
from outlay_collector.pricing.change import as_json as change_as_json
from outlay_collector.pricing.coverage import as_json, coverage
from outlay_collector.pricing.currencies import store as fx
from outlay_collector.pricing.currencies.files import imported
from outlay_collector.pricing.currencies.rates import as_json as rate_as_json
from outlay_collector.pricing.currencies.rates import latest
from outlay_collector.pricing.nearest import nearest
from outlay_collector.pricing.quote import MOST_CASES, override_rows, quote
from outlay_collector.pricing.worth import worth_at

router = APIRouter(prefix="/api/v1", tags=["prices"])

Asker = Annotated[Access, Depends(require("read", "finance", "ingest"))]


Priser = Annotated[Access, Depends(require("finance", "admin"))]


class Cases(BaseModel):
    """Calls to price; docs/pricing.md describes a case."""

    cases: list[dict[str, Any]] = Field(max_length=MOST_CASES)


@router.get("/prices")
def list_prices(
    request: Request,
    access: Reader,
    provider: Annotated[str | None, Query(max_length=100)] = None,
    model: Annotated[str, Query(max_length=300, description="Part of a name.")] = "",
    exact: Annotated[bool, Query(description="`model` is a name as calls have it: every price it ever had.")] = False,
    at: Annotated[
        datetime | None, Query(description="Prices holding then; default now. Without effect if exact.")
    ] = None,
    tier: Annotated[str | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=20_000)] = 1_000,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """Prices with their sources, or everything known about one name."""
    book = state_of(request).book()
    if exact:
        rows = listing.history(book, provider, model, access.project_id)
    else:
        instant = datetime.now(UTC) if at is None else at.replace(tzinfo=at.tzinfo or UTC)
        rows = listing.listed(book, provider=provider, part=model, at=instant, tier=tier)
    rows = listing.only_for(rows, access.project_id)
    found = nearest(book, provider, model) if exact and not rows else None
    return {
        "price_version": book.version,
        "total": len(rows),
        "rows": [listing.as_json(row) for row in rows[offset : offset + limit]],
        "nearest": {"provider": found[0], "model": found[1]} if found else None,
    }


@router.get("/prices/versions")
def list_versions(
    access: Reader, connection: Reading, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
) -> dict[str, Any]:
    """What changed the prices: imports, overrides and what was undone, newest first."""
    return {"rows": store.versions(connection, limit)}


@router.post("/prices/quote")
def quote_cases(request: Request, access: Asker, body: Cases) -> dict[str, Any]:
    """Price calls that need not have happened, each with its lines, rates and sources."""
    return {"results": quote(state_of(request).book(), body.cases, project_id=access.project_id)}


class Overrides(BaseModel):
    """Prices and discounts of one's own; docs/pricing.md describes one."""

    overrides: list[dict[str, Any]] = Field(min_length=1, max_length=1_000)
    project: str | None = Field(default=None, max_length=100, description="Absent: for every project.")
    name: str = Field(default="override", max_length=200, description="What this is, for whoever reads the versions.")


@router.post("/prices/overrides", status_code=201)
def override(request: Request, access: Priser, connection: Writing, new: Overrides) -> dict[str, Any]:
    """Enter own prices. They hold for calls from now on; `reprice` gives them to calls of the past."""
    if new.project is None and access.project_id is not None:
        raise Forbidden("This key is bound to one project: name that project.")
    ids = projects_of(access, new.project, state_of(request)) if new.project is not None else [None]
    try:
        models, prices, discounts = override_rows(new.overrides, ids[0])
    except (AttributeError, TypeError, ValueError, InvalidOperation) as error:
        raise BadRequest(f"That is no override: {error}") from error
    version = store.add_own(
        connection, models=models, prices=prices, discounts=discounts, actor=access.key_id, name=new.name
    )
    return {"price_version": version}


@router.post("/prices/versions/{version}/undo", status_code=201)
def undo(version: int, access: Priser, connection: Writing) -> dict[str, Any]:
    """Take one version back; it stays in the list, and so does this."""
    if access.project_id is not None:
        raise Forbidden("This key is bound to one project; versions concern all of them.")
    return {"price_version": store.undo(connection, version, actor=access.key_id)}


class RateFile(BaseModel):
    """Exchange rates as the ECB writes them, or as `date,base,currency,rate[,until]`."""

    csv: str = Field(max_length=20_000_000)
    base: str = Field(default="EUR", max_length=3, description="Of a wide file.")
    name: str = Field(default="rates", max_length=200, description="Where they are from, for whoever reads a charge.")
    dry_run: bool = Field(default=False, description="Only say what would change.")
    allow_leaps: bool = Field(default=False, description="Accept rates that are more than twice the last one.")


@router.get("/prices/rates")
def list_rates(
    request: Request,
    access: Reader,
    connection: Reading,
    currency: Annotated[
        str | None, Query(max_length=3, description="Every day of it; absent: the last of each.")
    ] = None,
) -> dict[str, Any]:
    """Exchange rates into the instance's currency; `missing` are currencies of prices that have none today."""
    book, now = state_of(request).book(), datetime.now(UTC)
    version = store.newest_version(connection)
    found = fx.rates(connection, version, currencies=None if currency is None else [currency.upper()])
    used = sorted({row.currency for row in listing.only_for(book.prices, access.project_id)} - {book.currency})
    return {
        "currency": book.currency,
        "price_version": version,
        "in_use": used,
        "missing": [
            {"currency": one, "reason": book.rates.why_not(one, now)} for one in used if not book.rates.find(one, now)
        ],
        "rows": [rate_as_json(row) for row in (latest(found) if currency is None else reversed(found))],
    }


@router.post("/prices/rates", status_code=201)
def import_rates(request: Request, access: Priser, connection: Writing, new: RateFile) -> dict[str, Any]:
    """Import rates as a version, for calls from now on; `reprice` with a `currency` gives them to calls of the past."""
    if access.project_id is not None:
        raise Forbidden("This key is bound to one project; exchange rates concern all of them.")
    settings = state_of(request).settings
    try:
        rates = imported(new.csv, base=new.base, target=settings.currency, zone=settings.zone, source=new.name)
    except ValueError as error:
        raise BadRequest(f"Those are no rates: {error}.") from error
    done = store.import_rates(
        connection, rates, name=new.name, actor=access.key_id, apply=not new.dry_run, allow_leaps=new.allow_leaps
    )
    if done.diff.refusals and not (new.allow_leaps or new.dry_run):
        raise Conflict(" ".join(done.diff.refusals[:5]) + " Say allow_leaps if that is right.")
    return {
        "price_version": done.version,
        "added": done.diff.added,
        "changed": [{"old": rate_as_json(old), "new": rate_as_json(new_one)} for old, new_one in done.diff.changed],
        "currencies": done.diff.currencies,
        "from": done.diff.since,
        "refusals": done.diff.refusals,
    }


@router.get("/coverage")
def covered(request: Request, access: Reader, question: Asked, connection: Asking) -> dict[str, Any]:
    """How much of the window's calls and tokens has a price, and which models leave a gap."""
    state = state_of(request)
    by_model = replace(question, group_by=("provider", "model"))
    rows = _summed(request, by_model, connection)
    found = coverage(state.book(), rows, at=question.window.end, project_id=access.project_id)
    return {"from": question.window.start, "to": question.window.end, **as_json(found)}


@router.get("/bridge")
def why(
    request: Request,
    access: Reader,
    question: Asked,
    connection: Asking,
    parts: Annotated[int, Query(ge=0, le=1000, description="Groups to name, those that changed most first.")] = 20,
    before_from: Annotated[str | None, Query(description="ISO 8601: another window to compare with.")] = None,
    before_to: Annotated[str | None, Query(description="Its end, excluded; default `from`.")] = None,
) -> dict[str, Any]:
    """Why spend changed against the same stretch of time before: volume, retries, mix, size, cache, price.

    The effects sum to the change exactly, and so do the parts: one per group of `group_by` (default `feature,model`).
    """
    state = state_of(request)
    shown = question.group_by or ("feature", "model")
    dimensions = tuple(dict.fromkeys((*shown, "provider", "model")))
    now = replace(question, group_by=dimensions, interval=Interval.NONE)
    earlier = (
        previous(question.window, question.zone)
        if before_from is None
        else parse_window(
            before_from, before_to or question.window.start.isoformat(), question.zone, question.window.end
        )
    )
    was = replace(now, window=earlier)
    before, after = (_summed(request, one, connection) for one in (was, now))
    worth = worth_at(state.book(), was.window.start, dimensions, access.project_id)
    return {
        "from": now.window.start,
        "to": now.window.end,
        "previous": {"from": was.window.start, "to": was.window.end},
        "currency": state.settings.currency,
        **change_as_json(bridge(before, after, dimensions, worth), dimensions, shown, parts),
    }


def _summed(request: Request, question: Question, connection: Connection[Any]) -> list[dict[str, Any]]:
    settings = state_of(request).settings
    plan = sums.plan(connection, question, settings.zone, datetime.now(UTC))
    return sums.spend(connection, question, plan, settings.time_zone)
