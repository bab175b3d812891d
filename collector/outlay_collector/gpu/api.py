"""GPUs over HTTP: telemetry pushed as text, pools, rates and targets, and whether own hardware pays."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, Query, Request
from psycopg_pool import PoolTimeout, TooManyRequests

from outlay_collector.access import store as access_store
from outlay_collector.access.api import Admin, Asking, Reader, Reading, Writing, presented_key, projects_of, state_of
from outlay_collector.errors import BadRequest, Forbidden, NotFound, Unavailable
from outlay_collector.gpu import store
from outlay_collector.gpu.answers import break_even_answer, plain, rate_row
from outlay_collector.gpu.breakeven import ApiPrice, Fleet
from outlay_collector.gpu.declared import declared
from outlay_collector.gpu.exposition import parse
from outlay_collector.gpu.rates import defaults
from outlay_collector.gpu.readings import Readings, read
from outlay_collector.gpu.reads import store as reads
from outlay_collector.gpu.telemetry.store import Told, write
from outlay_collector.gpu.versus import api_price
from outlay_collector.receive.api import body_in_time
from outlay_collector.receive.compression import inflate
from outlay_collector.receive.door import admit, project_of
from outlay_collector.state import State

router = APIRouter(tags=["gpu"])

LONGEST = timedelta(days=400)


@router.post("/v1/prometheus")
async def push(request: Request, target: Annotated[str, Query(min_length=1, max_length=200)]) -> dict[str, int]:
    """Metrics of a GPU exporter or a serving engine, as Prometheus text. Answered after they are committed.

    `curl --data-binary @metrics.txt -H "Authorization: Bearer KEY" 'http://…/v1/prometheus?target=gpu-node-7'`
    """
    state = state_of(request)
    access = await admit(state, presented_key(request))
    project_id = await project_of(state, access, request.headers.get("x-outlay-project"))
    with state.traffic.load() as load:
        body = await body_in_time(request, state, load)
        encoding = request.headers.get("content-encoding", "")
        if encoding:
            body = await asyncio.to_thread(inflate, body, encoding, state.settings.max_body_bytes)
            load.add(len(body))
        found = await asyncio.get_running_loop().run_in_executor(state.decoders, parse, body.decode("utf-8", "replace"))
        await asyncio.to_thread(_commit, state, target, project_id, found.samples)
    return {"samples": len(found.samples), "families": found.families(), "skipped_lines": found.skipped_lines}


def _commit(state: State, target: str, project_id: int, samples: list[Any]) -> None:
    now = datetime.now(UTC)
    try:
        with state.writes.connection() as connection:
            target_id, model = store.target_named(connection, target, project_id)
            readings: Readings = read(samples, model=model)
            error = None if readings.engines or readings.gpus else "no metric that is known"
            write(connection, [Told(target_id, now, readings, error)], now=now)
    except (psycopg.OperationalError, PoolTimeout, TooManyRequests) as error:
        raise Unavailable("The database does not take telemetry at the moment; send again.") from error


def _period(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    last = end or now
    first = start or last - timedelta(days=7)
    if first.tzinfo is None or last.tzinfo is None:
        raise BadRequest("`from` and `to` need a time zone, such as 2026-11-01T00:00:00Z.")
    if not first < last or last - first > LONGEST:
        raise BadRequest(f"`to` must be after `from`, by at most {LONGEST.days} days.")
    return first, last


Start = Annotated[datetime | None, Query(alias="from")]
End = Annotated[datetime | None, Query(alias="to")]


@router.get("/api/v1/gpu")
def pools(
    request: Request,
    access: Reader,
    connection: Asking,
    project: str | None = None,
    start: Start = None,
    end: End = None,
) -> dict[str, Any]:
    """Pools with what they cost in a period and where that went: calls, jobs, unattributed, idle, startup, unobserved."""
    state = state_of(request)
    first, last = _period(start, end)
    found = reads.pools(connection, projects_of(access, project, state), first, last, state.settings.zone.key)
    return {
        "from": first,
        "to": last,
        "currency": state.settings.currency,
        "has_default_rates": any(row["is_default"] for row in found),
        "pools": [plain(row) for row in found],
    }


@router.get("/api/v1/gpu/targets")
def targets(request: Request, access: Reader, connection: Reading, project: str | None = None) -> dict[str, Any]:
    """What tells of GPUs and engines: when it was last read, and why not."""
    return {"rows": store.targets(connection, projects_of(access, project, state_of(request)))}


@router.get("/api/v1/gpu/rates")
def rates(access: Reader, connection: Reading) -> dict[str, Any]:
    """Rates that were set, and the list prices that stand in for those that were not: set your own."""
    del access
    names = store.pool_names(connection)
    return {
        "rows": [plain(rate_row(rate, names)) for rate in store.rates(connection)],
        "defaults": [
            {
                "gpu": one.gpu,
                "amount": str(one.amount),
                "low": None if one.low is None else str(one.low),
                "high": None if one.high is None else str(one.high),
                "currency": "USD",
                "source": one.source,
                "as_of": one.as_of,
                "verified": one.verified,
            }
            for one in defaults()
        ],
    }


@router.post("/api/v1/gpu")
def declare(request: Request, access: Admin, connection: Writing, wanted: dict[str, Any]) -> dict[str, Any]:
    """Make pools and targets as declared, the same as `outlay gpu apply FILE`."""
    if access.project_id is not None:
        raise Forbidden("This key is bound to one project; pools are declared with a key for all projects.")
    names = store.apply(
        connection, declared(wanted), project_ids=access_store.project_ids(connection), actor=access.key_id
    )
    access_store.note(connection, access.key_id, "gpu.applied", ", ".join(names)[:200])
    return {"pools": names}


@router.get("/api/v1/gpu/breakeven")
def breakeven(
    request: Request,
    access: Reader,
    connection: Asking,
    pool: str,
    model: Annotated[str | None, Query(max_length=200, description="Of an API, by the price book.")] = None,
    provider: Annotated[str | None, Query(max_length=200)] = None,
    prompt_price: Annotated[Decimal | None, Query(ge=0, description="Or its price per million tokens.")] = None,
    output_price: Annotated[Decimal | None, Query(ge=0)] = None,
    cached_price: Annotated[Decimal | None, Query(ge=0)] = None,
    overhead: Annotated[Decimal, Query(ge=0, le=10)] = Decimal(0),
    start: Start = None,
    end: End = None,
) -> dict[str, Any]:
    """Own hardware against an API's prices, at the mix, the cost and the throughput that a pool had in a period."""
    state = state_of(request)
    first, last = _period(start, end)
    visible = projects_of(access, None, state)
    found = store.pool_of(connection, pool, visible)
    if found is None:
        raise NotFound(f"There is no pool {pool!r:.120} that this key may see.")
    fleet = reads.fleet_of(connection, found, first, last)
    if fleet is None:
        raise NotFound(f"No window of {pool!r:.120} was allocated in that time; take another.")
    if model is not None:
        price = api_price(state.book(), provider, model, last)
    elif prompt_price is not None and output_price is not None:
        price = ApiPrice(prompt=prompt_price, output=output_price, cached=cached_price)
    else:
        raise BadRequest("Name an API model (`model`), or its prices (`prompt_price` and `output_price`).")
    return break_even_answer(
        reads.mix(connection, pool, first, last),
        price,
        Fleet(
            per_hour=fleet[0],
            gpus=fleet[1],
            tokens_per_second=reads.sustained(connection, found, first, last),
            overhead=overhead,
        ),
        by_day=reads.tokens_by_day(connection, pool, first, last),
        today=datetime.now(state.settings.zone).date(),
        currency=state.settings.currency,
    )
