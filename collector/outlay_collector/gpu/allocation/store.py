"""Windows of pools, run and run again: read what is known, allocate, write charges and lines, in one transaction.

A window is always worked out as a whole and replaces what an earlier run made of it, so late calls, late scrapes, another
rate and a repeated run are one case. It holds the locks of all projects whose calls it charges (ADR 9); of calls in closed
months the charge stands beside their frozen rows, and differences are lines of the open month (ADR 10).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from outlay_collector.db.store import create_days
from outlay_collector.gpu import store as inventory
from outlay_collector.gpu.allocate import (
    ASSUMED,
    IDLE,
    KINDS,
    WINDOW,
    Allocation,
    CallSeen,
    Claim,
    EngineSeen,
    GpuSeen,
    Unit,
    Weights,
    allocate,
    claims,
    effective_prices,
)
from outlay_collector.gpu.rates import Cost, GpuRate, cost_of
from outlay_collector.gpu.record import LONGEST_GAP_SECONDS
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.months import store as months
from outlay_collector.ledger.months.store import Difference
from outlay_collector.pricing.currencies.rates import Rates

Connection = psycopg.Connection[Any]

ALLOCATED = "allocated"

GRACE = timedelta(minutes=2)
"""So long after its end a window waits for calls and scrapes that are on their way; later ones have it run again."""

LONGEST_CALL = timedelta(hours=1)
"""A call that has been under way for longer is charged for its first hour."""

_GAP = timedelta(seconds=LONGEST_GAP_SECONDS)
_LINE = "gpu_{kind}"
_JOB = "job"
_NOBODYS = 0
"""The key of GPUs that no model and no job claims; ids begin at 1."""


class Key(NamedTuple):
    """A call, as it is found in the tables."""

    project_id: int
    trace_id: UUID
    span_id: int
    start_time: datetime


@dataclass(frozen=True, slots=True)
class Serving:
    id: int
    model: str
    providers: frozenset[str]
    project_id: int | None
    gpus: Decimal | None
    valid_from: datetime | None
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Job:
    id: int
    name: str
    gpus: Decimal
    starts: datetime
    ends: datetime | None
    dimensions: dict[str, str]


@dataclass(slots=True)
class Line:
    """What is not one call's, with its dimensions; ``key`` tells lines of a window apart."""

    key: str
    kind: str
    nano: int
    dimensions: dict[str, str]


@dataclass(slots=True)
class Work:
    """Everything known of one window of one pool."""

    pool_id: int
    name: str
    project_id: int
    dimensions: dict[str, str]
    window: Window
    servings: list[Serving] = field(default_factory=list[Serving])
    jobs: list[Job] = field(default_factory=list[Job])
    calls: dict[Key, tuple[int, CallSeen]] = field(default_factory=dict[Key, "tuple[int, CallSeen]"])
    engines: list[tuple[str, EngineSeen]] = field(default_factory=list["tuple[str, EngineSeen]"])
    gpus: list[GpuSeen] = field(default_factory=list[GpuSeen])
    weights: dict[str, Weights] = field(default_factory=dict[str, Weights])

    def labels(self) -> dict[Hashable, str]:
        """Names of what is served that stay the same when the pool is declared again."""
        seen: dict[str, int] = {}
        found: dict[Hashable, str] = {}
        for serving in self.servings:
            seen[serving.model] = seen.get(serving.model, 0) + 1
            found[serving.id] = serving.model if seen[serving.model] == 1 else f"{serving.model} {seen[serving.model]}"
        return found


def due(connection: Connection, *, now: datetime, kept_since: datetime, limit: int = 50) -> list[tuple[int, datetime]]:
    """Windows that are over and were never run, newest first, after those that are to be run again."""
    rows = connection.execute(
        """
        SELECT pool_id, start_time FROM gpu_dirty
         UNION
        SELECT pool_id, start_time FROM gpu_window
         WHERE booked IS NOT NULL
           AND NOT EXISTS (SELECT FROM closed_month WHERE starts <= start_time AND start_time < ends)
         ORDER BY 2 DESC LIMIT %(limit)s
        """,
        {"limit": limit},
    ).fetchall()
    if len(rows) < limit:
        rows += connection.execute(
            """
            SELECT had.pool_id, wanted.start_time
              FROM (SELECT pool_id, greatest(min(starts), %(kept)s) AS first,
                           least(max(coalesce(ends, 'infinity')), %(last)s) AS last
                      FROM gpu_hours GROUP BY pool_id) AS had
             CROSS JOIN LATERAL generate_series(
                    date_bin(%(window)s, had.first, 'epoch'), had.last, %(window)s) AS wanted (start_time)
              LEFT JOIN gpu_window AS done ON done.pool_id = had.pool_id AND done.start_time = wanted.start_time
             WHERE done.pool_id IS NULL AND wanted.start_time < had.last AND had.first < had.last
             ORDER BY 2 DESC LIMIT %(limit)s
            """,
            {"kept": kept_since, "last": now - GRACE - WINDOW, "window": WINDOW, "limit": limit - len(rows)},
        ).fetchall()
    return rows


def mark(connection: Connection, project_id: int, minutes: Collection[datetime]) -> None:
    """Have windows allocated again in which calls of a project came, or were settled otherwise, after they were run."""
    if not minutes:
        return
    starts = sorted({window_of(minute) for minute in minutes})
    connection.execute(
        """
        INSERT INTO gpu_dirty (pool_id, start_time)
        SELECT done.pool_id, done.start_time
          FROM gpu_window AS done
         WHERE done.start_time = ANY(%s)
           AND EXISTS (SELECT FROM gpu_serving AS serving
                        WHERE serving.pool_id = done.pool_id AND coalesce(serving.project_id, %s) = %s)
        ON CONFLICT DO NOTHING
        """,
        (starts, project_id, project_id),
    )


def window_of(instant: datetime) -> datetime:
    """The start of the window that holds an instant."""
    seconds = int(instant.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(WINDOW.total_seconds()), instant.tzinfo)


def run(connection: Connection, pool_id: int, start: datetime, *, rates: Rates, zone: ZoneInfo) -> bool:
    """One window, and its commit. False when the projects it concerns changed meanwhile: try again."""
    connection.execute("DELETE FROM gpu_dirty WHERE pool_id = %s AND start_time = %s", (pool_id, start))
    concerned = _concerned(connection, pool_id, start)
    for project_id in sorted(concerned):
        ledger.lock(connection, project_id)
    work = _load(connection, pool_id, start)
    if not {work.project_id, *(key.project_id for key in work.calls)} <= concerned:
        connection.rollback()
        return False
    _run(connection, work, rates, zone)
    connection.commit()
    return True


def _concerned(connection: Connection, pool_id: int, start: datetime) -> set[int]:
    """Projects of the pool, of calls that may be charged in the window, and of those that were."""
    rows = connection.execute(
        """
        SELECT project_id FROM gpu_pool WHERE id = %(pool)s
         UNION SELECT project_id FROM gpu_share WHERE pool_id = %(pool)s AND window_start = %(start)s
        """,
        {"pool": pool_id, "start": start},
    ).fetchall()
    work = _load(connection, pool_id, start, only_calls=True)
    return {project_id for (project_id,) in rows} | {key.project_id for key in work.calls}


def _load(connection: Connection, pool_id: int, start: datetime, *, only_calls: bool = False) -> Work:
    row = connection.execute("SELECT name, project_id, dimensions FROM gpu_pool WHERE id = %s", (pool_id,)).fetchone()
    assert row is not None
    window = Window(start, start + WINDOW)
    work = Work(pool_id, row[0], row[1], row[2], window)
    work.servings = [
        Serving(number, model, frozenset(providers), project_id, gpus, since, until)
        for number, model, providers, project_id, gpus, since, until in connection.execute(
            """
            SELECT id, model, providers, project_id, gpus, valid_from, valid_to FROM gpu_serving
             WHERE pool_id = %s AND (valid_from IS NULL OR valid_from < %s) AND (valid_to IS NULL OR valid_to > %s)
             ORDER BY id
            """,
            (pool_id, window.end, window.start),
        )
    ]
    _load_calls(connection, work)
    if not only_calls:
        _load_telemetry(connection, work)
    return work


# Calls under way in the window, with what was decided of those in closed months laid over their frozen rows.
_CALLS = """
SELECT call.project_id, call.trace_id, call.span_id, call.start_time, call.provider, call.model,
       coalesce(call.input_tokens, 0) AS prompt, coalesce(call.cache_read_tokens, 0) AS cached,
       coalesce(call.output_tokens, 0) AS output, call.duration_us, call.time_to_first_token_ms
  FROM call
  LEFT JOIN adjusted_charge AS adjusted ON adjusted.project_id = call.project_id
   AND adjusted.trace_id = call.trace_id AND adjusted.span_id = call.span_id
   AND adjusted.start_time = call.start_time
 WHERE call.start_time >= %(first)s AND call.start_time < %(end)s
   AND call.start_time + call.duration_us * interval '1 microsecond' >= %(start)s
   AND (CASE WHEN adjusted.counted IS NULL THEN call.counted ELSE adjusted.counted END)
   AND lower(call.model) = ANY(%(models)s) AND (call.input_tokens IS NOT NULL OR call.output_tokens IS NOT NULL)
   AND call.charge_status IS DISTINCT FROM 'invalid'
"""


def _load_calls(connection: Connection, work: Work) -> None:
    models = sorted({serving.model.lower() for serving in work.servings})
    if not models:
        return
    window = work.window
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        rows: list[Any] = cursor.execute(
            _CALLS,
            {"first": window.start - LONGEST_CALL, "start": window.start, "end": window.end, "models": models},
        ).fetchall()
    for row in rows:
        serving = _serving_of(work.servings, row)
        start = round(row.start_time.timestamp() * 1_000_000)
        end = start + min(row.duration_us, round(LONGEST_CALL.total_seconds() * 1_000_000))
        if serving is None or (row.start_time < window.start and end <= window.start.timestamp() * 1_000_000):
            continue
        first = row.time_to_first_token_ms
        key = Key(row.project_id, row.trace_id, row.span_id, row.start_time)
        work.calls[key] = (
            serving.id,
            CallSeen(
                key=key,
                start=start,
                end=end,
                first=None if first is None else start + round(first * 1000),
                prompt=row.prompt,
                cached=row.cached,
                output=row.output,
            ),
        )


def _serving_of(servings: Sequence[Serving], row: Any) -> Serving | None:
    provider = (row.provider or "").lower()
    for serving in servings:
        if (
            serving.model.lower() == row.model.lower()
            and (provider in serving.providers or "*" in serving.providers)
            and serving.project_id in (None, row.project_id)
            and (serving.valid_from is None or serving.valid_from <= row.start_time)
            and (serving.valid_to is None or row.start_time < serving.valid_to)
        ):
            return serving
    return None


def _load_telemetry(connection: Connection, work: Work) -> None:
    pool_id, window = work.pool_id, work.window
    reach = {"pool": pool_id, "start": window.start, "end": window.end + _GAP, "window_end": window.end}
    work.jobs = [
        Job(*row)
        for row in connection.execute(
            """
            SELECT id, name, gpus, starts, ends, dimensions FROM gpu_job
             WHERE pool_id = %(pool)s AND starts < %(window_end)s AND (ends IS NULL OR ends > %(start)s) ORDER BY id
            """,
            reach,
        )
    ]
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        engines: list[Any] = cursor.execute(
            """
            SELECT sample.*
              FROM engine_sample AS sample JOIN gpu_target AS target ON target.id = sample.target_id
             WHERE target.pool_id = %(pool)s AND sample.at > %(start)s AND sample.at < %(end)s
               AND sample.seconds IS NOT NULL
               AND sample.at - sample.seconds * interval '1 second' < %(window_end)s
             ORDER BY sample.at
            """,
            reach,
        ).fetchall()
        work.engines = [(row.model, _engine_seen(row)) for row in engines]
        gpus: list[Any] = cursor.execute(
            """
            SELECT sample.target_id, sample.at, sample.seconds, sample.uuid, sample.slice,
                   coalesce(sample.sm_active, sample.engine_active) AS active
              FROM gpu_sample AS sample JOIN gpu_target AS target ON target.id = sample.target_id
             WHERE target.pool_id = %(pool)s AND sample.at > %(start)s AND sample.at < %(end)s
               AND sample.seconds IS NOT NULL AND coalesce(sample.sm_active, sample.engine_active) IS NOT NULL
               AND sample.at - sample.seconds * interval '1 second' < %(window_end)s
             ORDER BY sample.at
            """,
            reach,
        ).fetchall()
    for row in gpus:
        end = round(row.at.timestamp() * 1_000_000)
        start = end - round(row.seconds * 1_000_000)
        work.gpus.append(GpuSeen(gpu=(row.uuid, row.slice), start=start, end=end, active=row.active))
    before = connection.execute(
        "SELECT detail FROM gpu_window WHERE pool_id = %s AND start_time < %s AND start_time > %s - interval '7 days'"
        " AND detail ? 'weights' ORDER BY start_time DESC LIMIT 1",
        (pool_id, window.start, window.start),
    ).fetchone()
    for label, (prefill, decode, _) in (before[0]["weights"] if before else {}).items():
        work.weights[label] = Weights(prefill, decode, "earlier")


def _engine_seen(row: Any) -> EngineSeen:
    end = round(row.at.timestamp() * 1_000_000)
    return EngineSeen(
        instance=(row.target_id, row.instance),
        start=end - round(row.seconds * 1_000_000),
        end=end,
        up=row.up,
        running=row.running,
        # Where an engine does not tell what was cached, its prompts are taken as computed.
        computed=row.prompt_total if row.prompt_computed is None else row.prompt_computed,
        cached=row.prompt_cached,
        output=row.output,
        prefill_seconds=row.prefill_seconds,
        decode_seconds=row.decode_seconds,
        is_residency=row.seconds_kind != "engine",
    )


def _run(connection: Connection, work: Work, rates: Rates, zone: ZoneInfo) -> None:
    window = work.window
    cost = cost_of(
        inventory.hours(connection, work.pool_id),
        inventory.rates(connection),
        pool_id=work.pool_id,
        start=window.start,
        end=window.end,
        convert=_converter(rates),
    )
    found, lines = _allocations(work, cost)
    charged = {key: nano for one in found for key, nano in one.calls.items()} if cost.nano is not None else {}
    touched = _write_shares(connection, work, charged, has_rate=cost.nano is not None)
    for project_id in sorted({key.project_id for key in touched}):
        mine = [key for key in touched if key.project_id == project_id]
        _write_charges(connection, work, project_id, mine, zone)
    _write_window(connection, work, cost, found, lines)


def _converter(rates: Rates) -> Callable[[GpuRate, datetime], Decimal | None]:
    def convert(rate: GpuRate, at: datetime) -> Decimal | None:
        if rate.currency == rates.target:
            return rate.amount
        known = rates.find(rate.currency, at)
        return None if known is None else rate.amount * known.rate

    return convert


def _allocations(work: Work, cost: Cost) -> tuple[list[Allocation], list[Line]]:
    """Everything that the window's cost is made of. Without a rate there is nothing to make it of."""
    if cost.nano is None:
        return [], []
    window = work.window
    micro = timedelta(microseconds=1)
    claimed = [
        Claim(key=serving.id, gpu_us=None if serving.gpus is None else int(serving.gpus * (WINDOW // micro)))
        for serving in work.servings
    ]
    for job in work.jobs:
        first, last = max(job.starts, window.start), window.end if job.ends is None else min(job.ends, window.end)
        claimed.append(Claim(key=(_JOB, job.id), gpu_us=int(job.gpus * (max(last - first, timedelta(0)) // micro))))
    split, rest = claims(cost.nano, cost.gpu_us, claimed)
    lines = [
        Line(
            f"{_JOB}\n{job.id}", _JOB, split[_JOB, job.id], {**work.dimensions, **job.dimensions, "gpu_pool": work.name}
        )
        for job in work.jobs
    ]
    found: list[Allocation] = []
    labels = work.labels()
    known = {serving.model.lower(): serving for serving in work.servings}
    for serving in work.servings:
        alone = len(work.servings) == 1
        one = allocate(
            Unit(
                key=serving.id,
                cost=split[serving.id],
                calls=[call for number, call in work.calls.values() if number == serving.id],
                engines=[
                    engine for model, engine in work.engines if alone or known.get(model.lower(), serving) is serving
                ],
                gpus=work.gpus,
                weights=work.weights.get(labels[serving.id]),
            ),
            window.start,
            window.end,
        )
        found.append(one)
        dimensions = {**work.dimensions, "gpu_pool": work.name, "model": serving.model}
        lines += [Line(f"{kind}\n{labels[serving.id]}", kind, one.kinds.get(kind, 0), dimensions) for kind in KINDS]
    if rest or not (work.servings or work.jobs):
        one = allocate(Unit(key=_NOBODYS, cost=rest, gpus=work.gpus), window.start, window.end)
        if not work.gpus and work.engines:
            one.kinds = {IDLE: rest}  # somebody looks at this pool, and nobody uses these
        found.append(one)
        lines += [
            Line(f"{kind}\n", kind, nano, {**work.dimensions, "gpu_pool": work.name})
            for kind, nano in one.kinds.items()
        ]
    return found, [line for line in lines if line.nano]


def _write_shares(connection: Connection, work: Work, charged: dict[Any, int], *, has_rate: bool) -> set[Key]:
    """Replace what the window charges to calls; the calls whose charge may be another now."""
    window = work.window
    before = connection.execute(
        "DELETE FROM gpu_share WHERE pool_id = %s AND window_start = %s RETURNING project_id, trace_id, span_id, start_time",
        (work.pool_id, window.start),
    ).fetchall()
    touched = {Key(*row) for row in before}
    if has_rate and charged:
        create_days(connection, {key.start_time.date() for key in charged})
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY gpu_share (start_time, pool_id, window_start, project_id, trace_id, span_id, nano) FROM STDIN"
            ) as copy,
        ):
            for key, nano in charged.items():
                copy.write_row(
                    (key.start_time, work.pool_id, window.start, key.project_id, key.trace_id, key.span_id, nano)
                )
        touched |= set(charged)
    return touched


# What the calls cost by all windows they were under way in, and what they are charged so far.
_NEW = """
CREATE TEMP TABLE gpu_charge ON COMMIT DROP AS
SELECT given.trace_id, given.span_id, given.start_time,
       CASE WHEN adjusted.counted IS NULL THEN span.counted ELSE adjusted.counted END AS counted,
       CASE WHEN adjusted.counted IS NULL THEN span.cost ELSE adjusted.cost END AS cost,
       CASE WHEN adjusted.counted IS NULL THEN span.charge_status ELSE adjusted.charge_status END AS status,
       trim_scale(summed.nano / 1000000000.0) AS new_cost
  FROM unnest(%(traces)s::uuid[], %(spans)s::bigint[], %(starts)s::timestamptz[])
       AS given (trace_id, span_id, start_time)
  JOIN span ON span.project_id = %(project)s AND span.trace_id = given.trace_id AND span.span_id = given.span_id
   AND span.start_time = given.start_time
  LEFT JOIN adjusted_charge AS adjusted ON adjusted.project_id = span.project_id
   AND adjusted.trace_id = span.trace_id AND adjusted.span_id = span.span_id
   AND adjusted.start_time = span.start_time
 CROSS JOIN LATERAL (
        SELECT sum(share.nano) AS nano FROM gpu_share AS share
         WHERE share.project_id = %(project)s AND share.trace_id = given.trace_id AND share.span_id = given.span_id
           AND share.start_time = given.start_time
       ) AS summed
 WHERE span.start_time >= %(first)s AND span.start_time <= %(last)s
"""

_CHANGED = "(gpu_charge.cost, gpu_charge.status) IS DISTINCT FROM (new_cost, %(status)s)"
_CLOSED = "EXISTS (SELECT FROM closed_month WHERE starts <= gpu_charge.start_time AND gpu_charge.start_time < ends)"

# What no window charges any more waits again.
_WRITE = f"""
UPDATE span
   SET cost = new_cost, charge_status = CASE WHEN new_cost IS NULL THEN 'pending' ELSE %(status)s END,
       charge_cost = NULL, charge_currency = NULL, fx_rate_id = NULL, price_ids = NULL, priced_at = now(),
       gpu_pool = %(pool)s
  FROM gpu_charge
 WHERE span.project_id = %(project)s AND span.trace_id = gpu_charge.trace_id AND span.span_id = gpu_charge.span_id
   AND span.start_time = gpu_charge.start_time AND span.start_time >= %(first)s AND span.start_time <= %(last)s
   AND {_CHANGED} AND NOT {_CLOSED}
RETURNING span.start_time
"""

_ADJUST = f"""
INSERT INTO adjusted_charge (project_id, trace_id, span_id, start_time, counted, not_counted_reason, joined, cost,
                             charge_status, price_version, priced_at)
SELECT span.project_id, span.trace_id, span.span_id, span.start_time, gpu_charge.counted,
       CASE WHEN gpu_charge.counted THEN NULL ELSE span.not_counted_reason END, span.joined, new_cost, %(status)s,
       span.price_version, now()
  FROM gpu_charge
  JOIN span ON span.project_id = %(project)s AND span.trace_id = gpu_charge.trace_id
   AND span.span_id = gpu_charge.span_id AND span.start_time = gpu_charge.start_time
 WHERE span.start_time >= %(first)s AND span.start_time <= %(last)s
   AND {_CHANGED} AND new_cost IS NOT NULL AND {_CLOSED}
ON CONFLICT (project_id, trace_id, span_id, start_time)
DO UPDATE SET cost = excluded.cost, charge_status = excluded.charge_status, charge_cost = NULL, charge_currency = NULL,
              fx_rate_id = NULL, price_ids = NULL, priced_at = excluded.priced_at
"""

_DIFFERENCES = f"""
SELECT trace_id, span_id, start_time, coalesce(new_cost, 0) - coalesce(cost, 0)
  FROM gpu_charge WHERE counted AND {_CHANGED} AND new_cost IS NOT NULL AND {_CLOSED}
"""


def _write_charges(connection: Connection, work: Work, project_id: int, keys: Sequence[Key], zone: ZoneInfo) -> None:
    starts = [key.start_time for key in keys]
    values: dict[str, Any] = {
        "project": project_id,
        "pool": work.name,
        "status": ALLOCATED,
        "traces": [key.trace_id for key in keys],
        "spans": [key.span_id for key in keys],
        "starts": starts,
        "first": min(starts),
        "last": max(starts),
    }
    connection.execute("DROP TABLE IF EXISTS gpu_charge")
    connection.execute(_NEW, values)
    written = connection.execute(_WRITE.encode(), values).fetchall()
    differences = [
        Difference(trace, span, start, cost, "allocation")
        for trace, span, start, cost in connection.execute(_DIFFERENCES.encode(), values).fetchall()
    ]
    connection.execute(_ADJUST.encode(), values)
    months.book(connection, project_id, differences, zone=zone)
    ledger.mark_dirty(connection, project_id, {start.replace(second=0, microsecond=0) for (start,) in written})


def _write_window(
    connection: Connection, work: Work, cost: Cost, found: Sequence[Allocation], lines: Sequence[Line]
) -> None:
    start = work.window.start
    old = connection.execute(
        "SELECT line_ids, booked FROM gpu_window WHERE pool_id = %s AND start_time = %s", (work.pool_id, start)
    ).fetchone()
    line_ids, booked = old or ([], None)
    closed = [month for month, one in months.closed(connection).items() if one.start <= start < one.end]
    wanted = {line.key: line for line in lines}
    if closed:
        booked = _adjust_lines(connection, work, wanted, line_ids, booked, closed[0])
    else:
        booked = None
        if _lines_differ(connection, line_ids, lines):
            connection.execute("DELETE FROM ledger_line WHERE id = ANY(%s)", (line_ids,))
            line_ids = [_book_line(connection, work, line) for line in lines]
            ledger.mark_dirty(connection, work.project_id, [start])
    amounts = {
        "calls": sum(sum(one.calls.values()) for one in found),
        "jobs": sum(line.nano for line in lines if line.kind == _JOB),
        **{kind: sum(one.kinds.get(kind, 0) for one in found) for kind in KINDS},
    }
    assert sum(amounts.values()) == (cost.nano or 0)
    connection.execute(
        """
        INSERT INTO gpu_window (pool_id, start_time, gpu_seconds, cost, calls, jobs, unattributed, idle, startup,
                                unobserved, is_default, detail, line_ids, booked)
        VALUES (%(pool)s, %(start)s, %(gpu_seconds)s, %(cost)s, %(calls)s, %(jobs)s, %(unattributed)s, %(idle)s,
                %(startup)s, %(unobserved)s, %(is_default)s, %(detail)s, %(line_ids)s, %(booked)s)
        ON CONFLICT (pool_id, start_time) DO UPDATE
           SET allocated_at = clock_timestamp(), gpu_seconds = excluded.gpu_seconds, cost = excluded.cost,
               calls = excluded.calls, jobs = excluded.jobs, unattributed = excluded.unattributed, idle = excluded.idle,
               startup = excluded.startup, unobserved = excluded.unobserved, is_default = excluded.is_default,
               detail = excluded.detail, line_ids = excluded.line_ids, booked = excluded.booked
        """,
        {
            "pool": work.pool_id,
            "start": start,
            "gpu_seconds": Decimal(cost.gpu_us) / 1_000_000,
            "cost": money(cost.nano or 0),
            **{name: money(nano) for name, nano in amounts.items()},
            "is_default": cost.is_default,
            "detail": Jsonb(_detail(work, cost, found)),
            "line_ids": line_ids,
            "booked": None if booked is None else Jsonb(booked),
        },
    )


def money(nano: int) -> Decimal:
    return Decimal(nano).scaleb(-9)


def _detail(work: Work, cost: Cost, found: Sequence[Allocation]) -> dict[str, Any]:
    models: dict[Hashable, str] = {serving.id: serving.model for serving in work.servings}
    units: list[dict[str, Any]] = []
    for one in found:
        busy = effective_prices(one.busy, one.work_total, one.weights)
        loaded = effective_prices(one.cost, one.work_total, one.weights)
        units.append(
            {
                "model": models.get(one.key),
                "cost": str(money(one.cost)),
                "busy": str(money(one.busy)),
                "evidence": one.evidence,
                "weights": one.weights.source,
                "tokens": one.tokens,
                "more_seen_than_counted": one.more_seen_than_counted,
                "moved_by_processor_sharing": one.moved_by_processor_sharing,
                "busy_per_million": None if busy is None else {"prompt": busy.prompt, "output": busy.output},
                "loaded_per_million": None if loaded is None else {"prompt": loaded.prompt, "output": loaded.output},
            }
        )
    labels = work.labels()
    measured = {
        labels[one.key]: [one.weights.prefill, one.weights.decode, one.weights.source]
        for one in found
        if one.key in labels and one.weights is not ASSUMED and one.weights.source != "earlier"
    }
    detail: dict[str, Any] = {"units": units, "calls": len(work.calls)}
    if measured:
        detail["weights"] = measured
    if cost.without_rate:
        detail["without_rate"] = list(cost.without_rate)
    return detail


def _lines_differ(connection: Connection, line_ids: Sequence[UUID], lines: Sequence[Line]) -> bool:
    stored = connection.execute(
        "SELECT detail ->> 'key', cost, dimensions FROM ledger_line WHERE id = ANY(%s)", (list(line_ids),)
    ).fetchall()
    return sorted(stored, key=lambda row: row[0]) != sorted(
        ((line.key, money(line.nano), line.dimensions) for line in lines), key=lambda row: row[0]
    )


def _book_line(connection: Connection, work: Work, line: Line) -> UUID:
    row = connection.execute(
        """
        INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, dimensions, detail)
        VALUES (%(project)s, %(at)s, %(at)s, %(kind)s, 'allocation', %(cost)s, %(dimensions)s, %(detail)s) RETURNING id
        """,
        {
            "project": work.project_id,
            "at": work.window.start,
            "kind": _LINE.format(kind=line.kind),
            "cost": money(line.nano),
            "dimensions": Jsonb(line.dimensions),
            "detail": Jsonb({"pool": work.name, "key": line.key}),
        },
    ).fetchone()
    assert row is not None
    return row[0]


def _adjust_lines(
    connection: Connection,
    work: Work,
    wanted: dict[str, Line],
    line_ids: Sequence[UUID],
    booked: dict[str, Any] | None,
    month: str,
) -> dict[str, Any]:
    """Of a closed month: what lines would be more or less by now is booked in the open one."""
    if booked is None:
        booked = {
            key: {"cost": str(cost), "kind": kind, "dimensions": dimensions}
            for key, cost, kind, dimensions in connection.execute(
                "SELECT detail ->> 'key', cost, kind, dimensions FROM ledger_line WHERE id = ANY(%s)", (list(line_ids),)
            )
        }
    now: dict[str, Any] = {
        key: {"cost": str(money(line.nano)), "kind": _LINE.format(kind=line.kind), "dimensions": line.dimensions}
        for key, line in wanted.items()
    }
    for key in sorted({*booked, *now}):
        told = now.get(key) or booked[key]
        difference = Decimal(now[key]["cost"] if key in now else 0) - Decimal(
            booked[key]["cost"] if key in booked else 0
        )
        if not difference:
            continue
        connection.execute(
            """
            WITH line AS (
                INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, dimensions, detail)
                SELECT %(project)s, greatest(now(), max(ends)), %(at)s, 'adjustment', 'allocation', %(cost)s,
                       %(dimensions)s, %(detail)s
                  FROM closed_month
                RETURNING charge_time
            )
            INSERT INTO dirty_minute (project_id, minute)
            SELECT %(project)s, date_trunc('minute', charge_time) FROM line
             UNION SELECT %(project)s, %(at)s
            """,
            {
                "project": work.project_id,
                "at": work.window.start,
                "cost": difference,
                "dimensions": Jsonb(told["dimensions"]),
                "detail": Jsonb({"month": month, "pool": work.name, "key": key, "kind": told["kind"]}),
            },
        )
    return now


def forget(connection: Connection, *, before: datetime) -> None:
    """Drop windows whose calls and samples retention has dropped; their lines are the ledger's."""
    connection.execute("DELETE FROM gpu_window WHERE start_time < %s", (before,))
    connection.execute("DELETE FROM gpu_dirty WHERE start_time < %s", (before,))
