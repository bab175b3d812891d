"""Settlement in the database: what commits touched is looked at again, and sums follow.

One transaction per project and round: take what was touched, load the groups it belongs to, decide, write what changed,
make the touched sums again. Killed anywhere, nothing of it happened and the next round does it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import namedtuple_row, tuple_row
from psycopg.types.json import Jsonb

from outlay_collector.calls import flags
from outlay_collector.calls.call import CALL
from outlay_collector.calls.settle import SAME_ID_WINDOW, Candidate, Verdict, settle
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.attribution import store as attribution
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.months import store as months
from outlay_collector.ledger.months.store import Difference
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.price import Booked, difference
from outlay_collector.pricing.stored import COUNTS, stored_usage, usage_in_force
from outlay_collector.pricing.usage import Usage

Connection = psycopg.Connection[Any]

TRACES_PER_ROUND = 5000
"""Traces taken at once: enough to keep up, few enough to keep the transaction short."""

COMMITS_PER_ROUND = 256

TRACE_SPREAD = timedelta(days=1)
"""How far from a touched span the rest of its trace is looked for; an agent that runs for longer is settled in parts."""

# Marks by which settlement joins or sets aside spans, wherever they stand.
_DECIDING_FLAGS = (
    flags.PENDING,
    flags.STREAM_REQUEST,
    flags.STREAM_LOG,
    flags.DESCRIBES_PARENT,
    flags.WRAPS_ONE_CALL,
    flags.LLM_HTTP_REQUEST,
)

_TAKE = """
DELETE FROM touched
 WHERE id IN (
        SELECT id
          FROM (SELECT id, sum(cardinality(trace_ids)) OVER (ORDER BY id) - cardinality(trace_ids) AS before
                  FROM (SELECT id, trace_ids FROM touched WHERE project_id = %s ORDER BY id LIMIT %s) AS oldest
               ) AS counted
         WHERE before < %s
       )
RETURNING trace_ids, first_start, last_start, minutes, attribution
"""

# Traces in which there is something to decide. All others stay as ingest wrote them, and need not be loaded: their calls
# come from one source, under distinct ids, none inside another; what restates calls carries no usage and no mark. That is
# most traces, and the conditions are those under which ``settle`` changes nothing.
_UNDECIDED = f"""
WITH member AS MATERIALIZED (
    SELECT span.trace_id, span.span_id, span.parent_span_id, span.span_type, coalesce(span.scope, '') AS scope,
           span.response_id,
           coalesce(span.flags && ARRAY[{", ".join(f"'{flag}'" for flag in _DECIDING_FLAGS)}], false)
           OR span.joined IS NOT NULL
           OR span.counted <> (span.span_type = 'call')
           OR span.span_type = 'aggregate' AND (coalesce({", ".join(COUNTS)}) IS NOT NULL OR usage_extra IS NOT NULL)
           AS marked
      FROM unnest(%(traces)s::uuid[]) AS wanted (trace_id)
      JOIN span ON span.project_id = %(project)s AND span.trace_id = wanted.trace_id
       AND span.start_time >= %(start)s AND span.start_time < %(end)s
)
SELECT trace_id
  FROM member
 GROUP BY trace_id
HAVING bool_or(marked)
    OR count(DISTINCT span_id) < count(*)
    OR min(scope) FILTER (WHERE span_type = 'call') <> max(scope) FILTER (WHERE span_type = 'call')
    OR count(DISTINCT response_id) < count(response_id)
 UNION
SELECT inside.trace_id
  FROM member AS inside
  JOIN member AS around ON around.trace_id = inside.trace_id AND around.span_id = inside.parent_span_id
 WHERE around.span_type = 'call'
"""

# Traces, of these and others, that share a response id or another key that twins share. Key by key and never pair by pair:
# a service that makes one request again and again gives a thousand calls the same key, and they are a million pairs.
# Each key is looked up by itself (an aggregate under LATERAL), whatever the planner believes about a table that grew a
# hundredfold since it last looked: a join of both sides took minutes then.
_RELATED = """
WITH own AS MATERIALIZED (
    SELECT shared.key, min(span.start_time) AS first, max(span.start_time) AS last
      FROM span
     CROSS JOIN LATERAL (
            SELECT hashtextextended(span.response_id, span.project_id) WHERE span.response_id IS NOT NULL
             UNION ALL
            SELECT unnest(span.twin_keys)
           ) AS shared (key)
     WHERE span.project_id = %(project)s AND span.trace_id = ANY(%(traces)s::uuid[])
       AND span.start_time >= %(start)s AND span.start_time < %(end)s
       AND span.span_type = 'call' AND (span.response_id IS NOT NULL OR span.twin_keys IS NOT NULL)
     GROUP BY shared.key
)
SELECT DISTINCT unnest(holders.trace_ids)
  FROM own
 CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT other.trace_id) AS trace_ids
          FROM response_ref AS other
         WHERE other.response_key = own.key AND other.project_id = %(project)s
           AND other.start_time BETWEEN own.first - %(near)s AND own.last + %(near)s
           AND other.start_time >= %(start)s AND other.start_time < %(end)s
        HAVING count(DISTINCT other.trace_id) > 1
       ) AS holders
"""

_DECIDED = (
    "counted", "not_counted_reason", "joined", "charge_status", "cost", "price_ids", "price_version", "priced_at",
    "charge_cost", "charge_currency", "fx_rate_id",
)  # fmt: skip

# What was decided of calls in closed months stands beside their frozen rows.
_LOAD = f"""
SELECT span.project_id, span.trace_id, span.span_id, span.start_time, duration_us, span_type, parent_span_id, dialect,
       coalesce(scope, '') AS scope, service, operation, provider, request_model, response_model, response_id,
       input_tokens, cache_read_tokens, cache_write_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       input_audio_tokens, output_tokens, reasoning_tokens, output_audio_tokens, usage_extra, usage_source, streaming,
       time_to_first_token_ms, finish_reasons, service_tier, error_type, flags, user_id, session_id, team, feature,
       customer, agent, tool, prompt_version, region, status,
       {
    ", ".join(
        f"(CASE WHEN adjusted.counted IS NULL THEN span.{name} ELSE adjusted.{name} END) AS {name}" for name in _DECIDED
    )
}
  FROM unnest(%(traces)s::uuid[]) AS wanted (trace_id)
  JOIN span ON span.project_id = %(project)s AND span.trace_id = wanted.trace_id
   AND span.start_time >= %(start)s AND span.start_time < %(end)s
  LEFT JOIN adjusted_charge AS adjusted ON adjusted.project_id = span.project_id
   AND adjusted.trace_id = span.trace_id AND adjusted.span_id = span.span_id
   AND adjusted.start_time = span.start_time
"""

_LATE_USAGE = """
SELECT trace_id, span_id, usage
  FROM late_usage
 WHERE project_id = %(project)s AND trace_id = ANY(%(traces)s::uuid[])
 ORDER BY at DESC
"""

_WRITE = """
UPDATE span
   SET counted = %(counted)s, not_counted_reason = %(reason)s, joined = %(joined)s, cost = %(cost)s,
       charge_status = %(status)s, price_ids = %(price_ids)s, price_version = %(version)s, priced_at = now(),
       charge_cost = %(charge_cost)s, charge_currency = %(charge_currency)s, fx_rate_id = %(fx_rate_id)s
 WHERE project_id = %(project)s AND trace_id = %(trace)s AND span_id = %(span)s AND start_time = %(start)s
"""

# Only what was decided about the span; its charge stands.
_DECIDE = """
UPDATE span
   SET counted = %(counted)s, not_counted_reason = %(reason)s, joined = %(joined)s
 WHERE project_id = %(project)s AND trace_id = %(trace)s AND span_id = %(span)s AND start_time = %(start)s
"""

# The same for a call of a closed month, whose row is frozen.
_ADJUST = f"""
INSERT INTO adjusted_charge (project_id, trace_id, span_id, start_time, {", ".join(_DECIDED)})
VALUES (%(project)s, %(trace)s, %(span)s, %(start)s, %(counted)s, %(reason)s, %(joined)s, %(status)s, %(cost)s,
        %(price_ids)s, %(version)s, CASE WHEN %(recharged)s THEN now() ELSE %(priced_at)s END,
        %(charge_cost)s, %(charge_currency)s, %(fx_rate_id)s)
ON CONFLICT (project_id, trace_id, span_id, start_time)
DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _DECIDED)}
"""

_CHANGES_CHARGE = frozenset(
    ("usage", "usage_source", "provider", "request_model", "response_model", "service_tier", "region")
)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did: ``commits`` is 0 when there was nothing to do.

    ``more``: it took as much as a round may; so there may be more, and sums may have been left to a later round.
    """

    commits: int
    changed: int
    minutes: int
    more: bool = False


def waiting_projects(connection: Connection) -> list[int]:
    """Projects with something to settle or sum, longest waiting first."""
    rows = connection.execute(
        """
        SELECT project_id
          FROM (SELECT project_id, min(id) AS first FROM touched GROUP BY project_id
                 UNION ALL
                SELECT DISTINCT project_id, 0 FROM dirty_minute) AS waiting
         GROUP BY project_id
         ORDER BY min(first)
        """
    ).fetchall()
    return [project_id for (project_id,) in rows]


def settle_round(
    connection: Connection,
    project_id: int,
    *,
    book: Book,
    now: datetime,
    zone: ZoneInfo,
    traces: int = TRACES_PER_ROUND,
    sums_may_wait: bool = False,
    told: Callable[[Connection, int, Collection[datetime]], None] = lambda *_: None,
) -> Round | None:
    """Settle and sum what was touched, and commit. ``None`` if another worker is at this project.

    ``sums_may_wait``: while there is more to settle, remember which sums are to be made, and make them once at the end.
    ``told`` hears, in the same transaction, of the minutes in which calls came or were decided about.
    """
    if not ledger.lock_soon(connection, project_id):
        connection.rollback()
        return None
    taken = connection.execute(_TAKE, (project_id, COMMITS_PER_ROUND, traces)).fetchall()
    minutes = {minute for row in taken for minute in row[3]}
    changed: list[Candidate] = []
    if taken:
        window = Window(min(row[1] for row in taken) - TRACE_SPREAD, max(row[2] for row in taken) + TRACE_SPREAD)
        traces_taken = {trace for row in taken for trace in row[0]}
        changed = _settle(connection, project_id, traces=traces_taken, window=window, book=book, zone=zone)
        minutes |= {candidate.start_time.replace(second=0, microsecond=0) for candidate in changed}
        if version := attribution.newest(connection):
            # What a collector gave other rules, and of what more is known now.
            asked = {trace for row in taken if row[4] != version for trace in row[0]}
            asked |= {candidate.trace_id for candidate in changed}
            minutes |= attribution.follow(connection, project_id, asked, window, zone=zone)
    told(connection, project_id, minutes)
    minutes |= ledger.take_dirty(connection, project_id)
    more = len(taken) >= COMMITS_PER_ROUND or sum(len(row[0]) for row in taken) >= traces
    if more and sums_may_wait:
        ledger.mark_dirty(connection, project_id, minutes)
    elif minutes:
        ledger.roll_up(connection, project_id, minutes, now=now, zone=zone)
    connection.commit()
    return Round(len(taken), len(changed), len(minutes), more)


def _settle(
    connection: Connection,
    project_id: int,
    *,
    traces: set[UUID],
    window: Window,
    book: Book,
    zone: ZoneInfo,
) -> list[Candidate]:
    """Decide about every group that holds one of ``traces``; the spans whose state changed."""
    within: dict[str, Any] = {"project": project_id, "start": window.start, "end": window.end}
    related = _closure(connection, traces, within)
    undecided = related | {
        trace for (trace,) in connection.execute(_UNDECIDED, {**within, "traces": list(traces)}).fetchall()
    }
    late = _late_usage(connection, traces | undecided, within)
    undecided |= {trace_id for trace_id, _ in late}
    if not undecided:
        return []
    stored = _load(connection, undecided, within)
    by_key = {candidate.key: (candidate, row) for candidate, row in stored}
    verdicts = settle([_with_late_usage(candidate, late) for candidate, _ in stored])
    for verdict in verdicts:
        _say_late_usage(verdict, by_key[verdict.key][0], late)
    changed = [(verdict, *by_key[verdict.key]) for verdict in verdicts if _differs(verdict, by_key[verdict.key][1])]
    closed = months.closed(connection).values()
    differences: list[Difference] = []
    for verdict, candidate, row in changed:
        if any(month.start <= candidate.start_time < month.end for month in closed):
            differences.append(_adjust(connection, verdict, candidate, row, book))
        else:
            _write(connection, verdict, candidate, row, book)
    months.book(connection, project_id, differences, zone=zone)
    return [candidate for _, candidate, _ in changed]


def _closure(connection: Connection, traces: set[UUID], window: dict[str, Any]) -> set[UUID]:
    """All traces that hang together by response ids with one of ``traces``, and those of ``traces`` that do."""
    linked: set[UUID] = set()
    examined: set[UUID] = set()
    frontier = traces
    while frontier:
        rows = connection.execute(_RELATED, {**window, "traces": list(frontier), "near": SAME_ID_WINDOW}).fetchall()
        examined |= frontier
        linked.update(trace for (trace,) in rows)
        frontier = linked - examined
    return linked


LateUsage = dict[tuple[Any, Any], dict[str, int]]
"""Usage that a log event told, by trace and span; the first one told stays."""


def _late_usage(connection: Connection, traces: set[UUID], window: dict[str, Any]) -> LateUsage:
    rows = connection.execute(_LATE_USAGE, {**window, "traces": list(traces)}).fetchall()
    return {(trace_id, span_id): usage for trace_id, span_id, usage in rows}


def _with_late_usage(candidate: Candidate, late: LateUsage) -> Candidate:
    """A span whose own usage is missing or estimated, with what a log event reported in its place."""
    usage = late.get((candidate.trace_id, candidate.span_id))
    if usage is None or candidate.usage_source == "reported":
        return candidate
    return replace(candidate, usage=replace(Usage(), **usage), usage_source="reported")


def _say_late_usage(verdict: Verdict, candidate: Candidate, late: LateUsage) -> None:
    usage = late.get((candidate.trace_id, candidate.span_id))
    if usage is not None and candidate.usage_source != "reported":
        joined = verdict.joined or {}
        verdict.joined = {"usage": usage, "usage_source": "reported", **joined}


def _load(connection: Connection, traces: Iterable[UUID], window: dict[str, Any]) -> list[tuple[Candidate, Any]]:
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        rows = cursor.execute(_LOAD, {**window, "traces": list(traces)}).fetchall()
    return [(_candidate(row), row) for row in rows]


def _candidate(row: Any) -> Candidate:
    return Candidate(
        project_id=row.project_id,
        trace_id=row.trace_id,
        span_id=row.span_id,
        start_time=row.start_time,
        duration_us=row.duration_us,
        span_type=row.span_type,
        parent_span_id=row.parent_span_id,
        dialect=row.dialect,
        scope=row.scope,
        service=row.service,
        operation=row.operation,
        provider=row.provider,
        request_model=row.request_model,
        response_model=row.response_model,
        response_id=row.response_id,
        usage=stored_usage(row),
        usage_source=row.usage_source,
        streaming=row.streaming,
        time_to_first_token_ms=row.time_to_first_token_ms,
        finish_reasons=tuple(row.finish_reasons or ()),
        service_tier=row.service_tier,
        error_type=row.error_type or ("error" if row.status == 2 else None),
        flags=tuple(row.flags or ()),
        user=row.user_id,
        session=row.session_id,
        team=row.team,
        feature=row.feature,
        customer=row.customer,
        agent=row.agent,
        tool=row.tool,
        prompt_version=row.prompt_version,
    )


def _differs(verdict: Verdict, row: Any) -> bool:
    return (verdict.counted, verdict.reason, verdict.joined) != (row.counted, row.not_counted_reason, row.joined)


def _write(connection: Connection, verdict: Verdict, candidate: Candidate, row: Any, book: Book) -> None:
    values = _values(verdict, candidate)
    if _recharges(verdict, candidate, row):
        charge = _charge_in_force(candidate, verdict.joined or {}, row, book)
        values |= _charged(charge, book)
        connection.execute(_WRITE, values)
    else:
        connection.execute(_DECIDE, values)


def _adjust(connection: Connection, verdict: Verdict, candidate: Candidate, row: Any, book: Book) -> Difference:
    """Decide about a call of a closed month beside its row, and say what that changes of the money."""
    values = _values(verdict, candidate) | {
        "cost": row.cost,
        "status": row.charge_status,
        "price_ids": row.price_ids,
        "version": row.price_version,
        "priced_at": row.priced_at,
        "charge_cost": row.charge_cost,
        "charge_currency": row.charge_currency,
        "fx_rate_id": row.fx_rate_id,
        "recharged": False,
    }
    if _recharges(verdict, candidate, row):
        charge = _charge_in_force(candidate, verdict.joined or {}, row, book)
        # What was known once and booked does not become unknown.
        if charge is not None and (charge.cost is not None or row.cost is None):
            values |= _charged(charge, book) | {"recharged": True}
    connection.execute(_ADJUST, values)
    before = row.cost if row.counted else None
    after = values["cost"] if verdict.counted else None
    return Difference(
        candidate.trace_id,
        candidate.span_id,
        candidate.start_time,
        difference(before, after),
        "late_span" if row.not_counted_reason == months.LATE else "settlement",
    )


def _charged(charge: Booked | None, book: Book) -> dict[str, Any]:
    return {
        "cost": charge.cost if charge else None,
        "status": charge.status if charge else None,
        "price_ids": list(charge.price_ids) if charge and charge.price_ids else None,
        "version": book.version if charge else None,
        "charge_cost": charge.charge_cost if charge else None,
        "charge_currency": charge.charge_currency if charge else None,
        "fx_rate_id": charge.fx_rate_id if charge else None,
    }


def _values(verdict: Verdict, candidate: Candidate) -> dict[str, Any]:
    return {
        "counted": verdict.counted,
        "reason": verdict.reason,
        "joined": Jsonb(verdict.joined) if verdict.joined is not None else None,
        "project": candidate.project_id,
        "trace": candidate.trace_id,
        "span": candidate.span_id,
        "start": candidate.start_time,
    }


def _recharges(verdict: Verdict, candidate: Candidate, row: Any) -> bool:
    before, after = row.joined or {}, verdict.joined or {}
    changes = any(before.get(name) != after.get(name) for name in _CHANGES_CHARGE)
    # An aggregate that turns out to be all that is known of a call gets a charge with its first verdict.
    return changes or (verdict.counted and candidate.span_type != CALL and row.charge_status is None)


def _charge_in_force(candidate: Candidate, joined: dict[str, Any], row: Any, book: Book) -> Booked | None:
    """The charge with what the twins knew laid over the span's own facts."""
    usage = usage_in_force(candidate.usage, joined)
    if usage is None:
        return None
    charge = book.charge(
        provider=joined.get("provider") or candidate.provider,
        model=joined.get("response_model")
        or candidate.response_model
        or joined.get("request_model")
        or candidate.request_model,
        usage=usage,
        at=candidate.start_time,
        tier=joined.get("service_tier") or candidate.service_tier,
        region=joined.get("region") or row.region,
        project_id=candidate.project_id,
    )
    return book.booked(charge, candidate.start_time)


def lag_seconds(connection: Connection) -> float:
    """How long the oldest unsettled commit has been waiting; 0 when none is."""
    cursor = connection.cursor(row_factory=tuple_row)
    row: Sequence[Any] | None = cursor.execute("SELECT extract(epoch FROM now() - min(at)) FROM touched").fetchone()
    return float(row[0]) if row and row[0] is not None else 0.0
