"""Repricing in the database: batch by batch, each committed with how far it came, so that it can be killed at any moment.

A batch is a stretch of one project's time. It is read, priced and written under the project's lock, which settlement takes
too: so neither writes a charge over one it has not seen. Collectors need no lock, for they only add spans, priced with
their own book.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row, namedtuple_row

from outlay_collector.errors import Conflict, NotFound
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.months import store as months
from outlay_collector.ledger.months.calendar import pieces
from outlay_collector.pricing.book import Book, Rule
from outlay_collector.pricing.price import Booked
from outlay_collector.pricing.reprice import rules, sql
from outlay_collector.pricing.reprice.rules import BUCKETS, REPRICED, Group, Key
from outlay_collector.pricing.reprice.scope import Scope, Sum, Totals, joined
from outlay_collector.pricing.store import load_book, newest_version

Connection = psycopg.Connection[Any]

ROWS_PER_BATCH = 10_000
"""As many as keep settlement waiting for less than a second."""

SILENCE = timedelta(seconds=30)
"""A job that was not heard of for so long has lost its process."""

_NO_RATE = Decimal(0)
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A repricing that was asked for. ``undoes`` names the job whose charges it takes back."""

    id: int
    created_at: datetime
    actor: str
    state: str
    undoes: int | None
    price_version: int
    scope: Scope
    at_project: int | None
    at_time: datetime | None
    finished_at: datetime | None
    totals: Totals


def preview(connection: Connection, book: Book, scope: Scope) -> list[Sum]:
    """What applying would do, by rule and stretch of time, in the numbers that it then does."""
    found: dict[tuple[Any, ...], Sum] = {}
    for project_id in _projects(connection, scope):
        for window, closed in pieces(scope.window, months.closed(connection).values()):
            for one in _Work(connection, book, project_id, scope, window, closed=closed).sums():
                known = found.get(one.key)
                found[one.key] = one if known is None else joined(known, one)
    return list(found.values())


def ask(connection: Connection, scope: Scope, *, actor: str) -> Job:
    """The job for this scope: one that was begun and not finished, or else a new one, with today's prices. Commits."""
    unfinished = _one_job(connection, sql.UNFINISHED, _named(scope))
    version = newest_version(connection)
    job = unfinished or _one_job(
        connection, sql.NEW_JOB, _named(scope) | {"actor": actor, "version": version, "undoes": None}
    )
    connection.commit()
    assert job is not None
    return job


def ask_undo(connection: Connection, job_id: int, *, actor: str) -> Job:
    """The job that takes ``job_id`` back. Commits.

    Conflict when it was undone already, or when a later job replaced charges that it wrote: that one has to go first.
    """
    job = job_of(connection, job_id, lock=True)
    if job.undoes is not None:
        raise Conflict(f"Job {job_id} undid job {job.undoes}; to have its charges again, reprice.")
    if job.state == "undone":
        raise Conflict(f"Job {job_id} is undone already.")
    later = connection.execute(sql.LATER_JOB.encode(), {"job": job_id}).fetchone()
    if later is not None:
        raise Conflict(f"Job {later[0]} repriced some of the same calls after job {job_id}: undo job {later[0]} first.")
    connection.execute("UPDATE reprice_job SET state = 'undone' WHERE id = %s", (job_id,))
    undo = _one_job(
        connection,
        sql.NEW_JOB,
        _named(job.scope) | {"actor": actor, "version": job.price_version, "undoes": job_id},
    )
    connection.commit()
    assert undo is not None
    return undo


def as_json(job: Job, projects: Mapping[int, str]) -> dict[str, Any]:
    scope = job.scope
    return {
        "job": job.id,
        "at": job.created_at,
        "by": job.actor,
        "state": job.state,
        "undoes": job.undoes,
        "price_version": job.price_version,
        "from": scope.window.start,
        "to": scope.window.end,
        "project": None if scope.project_id is None else projects.get(scope.project_id),
        "provider": scope.provider,
        "model": scope.model,
        "currency": scope.currency,
        "finished_at": job.finished_at,
        "totals": job.totals.as_json(),
    }


def job_of(connection: Connection, job_id: int, *, lock: bool = False) -> Job:
    job = _one_job(connection, sql.JOB + (" FOR UPDATE" if lock else ""), {"job": job_id})
    if job is None:
        raise NotFound(f"There is no reprice job {job_id}; outlay reprice list names them.")
    return job


def jobs(connection: Connection, limit: int = 100) -> list[Job]:
    """Newest first."""
    return _jobs(connection, sql.JOBS, {"limit": limit})


def waiting_jobs(connection: Connection) -> list[int]:
    """Jobs that nobody is at."""
    rows = connection.execute(sql.WAITING.encode(), {"silence": SILENCE}).fetchall()
    return [job_id for (job_id,) in rows]


def forget(connection: Connection, *, before: datetime) -> None:
    """Drop replaced charges of calls that retention has dropped."""
    connection.execute("DELETE FROM charge_history WHERE start_time < %s", (before,))


def run(
    connection: Connection,
    job_id: int,
    *,
    zone: ZoneInfo,
    book: Book | None = None,
    rows: int = ROWS_PER_BATCH,
    told: Callable[[Job], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Job:
    """Bring a job to its end from where it stands; commits batch by batch. ``told`` hears of every batch.

    ``zone`` is the instance's, ``book`` that of the job's version, if the caller has it at hand.
    """
    if book is None:
        book = load_book(connection, job_of(connection, job_id).price_version)
    connection.commit()
    while not stop() and _run_batch(connection, job_id, book, rows, zone):
        told(job_of(connection, job_id))
        connection.commit()
    job = job_of(connection, job_id)
    connection.commit()
    return job


def _run_batch(connection: Connection, job_id: int, book: Book, rows: int, zone: ZoneInfo) -> bool:
    """One batch and its commit; False when the job has none left. Several processes may take turns at one job."""
    job = job_of(connection, job_id, lock=True)
    batch = _next_batch(connection, job, rows) if job.state == "running" else None
    if batch is None:
        if job.state == "running":
            connection.execute(sql.FINISH.encode(), {"job": job_id})
        connection.commit()
        return False
    project_id, window = batch
    ledger.lock(connection, project_id)
    window, closed = pieces(window, months.closed(connection).values())[0]
    work = _Work(connection, book, project_id, job.scope, window, closed=closed)
    totals = work.take_back(job) if job.undoes is not None else work.apply(job)
    if closed:
        months.book_from(connection, project_id, sql.DIFFERENCES, window, detail={"job": job.id}, zone=zone)
    connection.execute(sql.PROGRESS.encode(), work.values | {"job": job_id} | _columns(totals))
    connection.commit()
    return True


def _columns(totals: Totals) -> dict[str, Any]:
    names = ("calls", "changed_calls", "unpriced_before", "unpriced_after", "cost_before", "cost_after")
    return {name: getattr(totals, name) for name in names}


def _next_batch(connection: Connection, job: Job, rows: int) -> tuple[int, Window] | None:
    """The next stretch of time that holds some thousand calls, and whose they are."""
    for project_id in _projects(connection, job.scope):
        if job.at_project is not None and project_id < job.at_project:
            continue
        start, end = job.scope.window.start, job.scope.window.end
        if project_id == job.at_project and job.at_time is not None:
            start = job.at_time
        if start >= end:
            continue
        named = {"project": project_id, "start": start, "end": end, "undone_job": job.undoes}
        statement = (sql.NEXT_CALLS if job.undoes is None else sql.NEXT_REPLACED).encode()
        first = connection.execute(statement, named | {"rows": 0}).fetchone()
        if first is None:
            continue
        after = connection.execute(statement, named | {"start": first[0], "rows": rows}).fetchone()
        # However many start at one instant, they are one batch.
        return project_id, Window(first[0], max(after[0], first[0] + _MOMENT) if after else end)
    return None


class _Work:
    """One project's calls in a window, and what they cost under a book."""

    def __init__(
        self, connection: Connection, book: Book, project_id: int, scope: Scope, window: Window, *, closed: bool
    ) -> None:
        self._connection = connection
        self._book = book
        self._project_id = project_id
        self.values: dict[str, Any] = {
            "project": project_id,
            "start": window.start,
            "end": window.end,
            "provider": scope.provider,
            "model": _like(scope.model),
            "currency": scope.currency,
            "repriced": list(REPRICED),
            "version": book.version,
            "closed": closed,
        }
        self._window = window
        self._closed = closed

    def sums(self) -> list[Sum]:
        """By rule, calls without one call by call."""
        keys, groups, found = self._rules()
        numbered = dict(enumerate(found))
        sums = [
            self._sum(keys, groups[number], numbered[number], row)
            for number, *row in self._execute(sql.PREVIEW).fetchall()
        ]
        with self._connection.cursor(row_factory=namedtuple_row) as cursor:
            if len(numbered) < len(groups):
                sums.extend(self._sum_of_one(row) for row in cursor.execute(sql.APART.encode(), self.values))
        return sums

    def _sum(self, keys: Sequence[Key], group: Group, rule: Rule, row: Sequence[Any]) -> Sum:
        key = keys[group.key]
        provider, model, tier, _, project_id = key.card
        assert project_id is not None
        calls, changed, unpriced_before, unpriced_after, before, after = row
        return Sum(
            project_id=project_id,
            provider=provider,
            model=model,
            service_tier=tier,
            window=key.stretch(group.segment),
            status=rule.status,
            price_ids=rule.price_ids,
            calls=calls,
            changed_calls=changed,
            unpriced_before=unpriced_before,
            unpriced_after=unpriced_after,
            cost_before=before,
            cost_after=after,
        )

    def _sum_of_one(self, row: Any) -> Sum:
        charge = self._charge(row)
        return Sum(
            project_id=self._project_id,
            provider=row.provider,
            model=row.model,
            service_tier=row.service_tier,
            window=self._window,
            status=charge.status,
            price_ids=charge.price_ids,
            calls=1,
            changed_calls=int(
                (row.cost, row.charge_status, row.charge_cost, row.charge_currency)
                != (charge.cost, charge.status, charge.charge_cost, charge.charge_currency)
            ),
            unpriced_before=int(row.counted and row.cost is None),
            unpriced_after=int(row.counted and charge.cost is None),
            cost_before=row.cost if row.counted else None,
            cost_after=charge.cost if row.counted else None,
        )

    def _charge(self, row: Any) -> Booked:
        charge = rules.charge(self._book, row, self._project_id)
        if self._closed and charge.cost is None and row.cost is not None:
            ids = tuple(row.price_ids or ())
            return Booked(row.cost, row.charge_status, ids, row.charge_cost, row.charge_currency, row.fx_rate_id)
        return charge

    def apply(self, job: Job) -> Totals:
        """Write what changes, and keep what it replaces."""
        self.values |= {"job": job.id, "at": job.created_at}
        self._execute(sql.STAGE_TABLE)
        _, groups, found = self._rules()
        self._execute(sql.STAGE)
        if len(found) < len(groups):
            self._stage_apart(job)
        self._execute(sql.KEEP)
        return self._write()

    def take_back(self, job: Job) -> Totals:
        """Write what an earlier job replaced."""
        undone = job_of(self._connection, job.undoes or 0)
        self.values |= {"undone_job": undone.id, "undone_at": undone.created_at}
        self._execute(sql.STAGE_TABLE)
        self._execute(sql.STAGE_UNDO_CLOSED if self._closed else sql.STAGE_UNDO)
        return self._write()

    def _write(self) -> Totals:
        totals = Totals(*self._execute(sql.STAGED_SUMS).fetchone() or ())
        if totals.changed_calls and self._closed:
            self._execute(sql.WRITE_CLOSED)
        elif totals.changed_calls:
            self._execute(sql.WRITE)
            self._execute(sql.MARK)
        return totals

    def _rules(self) -> tuple[list[Key], list[Group], list[Rule]]:
        """Bind the rules to ``values``; those without one are the groups beyond the last rule."""
        self._execute(sql.HASH_RATHER_THAN_SORT)
        keys = rules.keys(self._book, self._project_id, self._execute(sql.NAMES).fetchall(), self._window)
        self.values |= _bound_keys(keys)
        groups = [Group(*row) for row in self._execute(sql.GROUPS).fetchall()]
        pairs = [(group, rules.rule(self._book, keys[group.key], group)) for group in groups]
        found = [(group, rule) for group, rule in pairs if rule is not None]
        self.values |= _bound_rules(found)
        apart = [group for group, rule in pairs if rule is None]
        return keys, [*(group for group, _ in found), *apart], [rule for _, rule in found]

    def _stage_apart(self, job: Job) -> None:
        with self._connection.cursor(row_factory=namedtuple_row) as cursor:
            rows = cursor.execute(sql.APART.encode(), self.values).fetchall()
            with cursor.copy(sql.STAGE_APART.encode()) as copy:
                copy.set_types(sql.STAGED_TYPES)
                for row in rows:
                    charge = self._charge(row)
                    copy.write_row(
                        (
                            *row[: sql.STAGED_COLUMNS],
                            charge.cost,
                            charge.charge_cost,
                            charge.charge_currency,
                            charge.status,
                            list(charge.price_ids) or None,
                            self._book.version,
                            job.created_at,
                            charge.fx_rate_id,
                        )
                    )

    def _execute(self, statement: str) -> psycopg.Cursor[Any]:
        return self._connection.execute(statement.encode(), self.values)


def _bound_keys(keys: Sequence[Key]) -> dict[str, Any]:
    return {
        "key_numbers": list(range(len(keys))),
        "key_providers": [key.card[0] for key in keys],
        "key_models": [key.card[1] for key in keys],
        "key_tiers": [key.card[2] for key in keys],
        "key_regions": [key.card[3] for key in keys],
        "key_instants": [_array(instant.isoformat() for instant in key.cuts.instants) for key in keys],
        # Exactly the threshold is not over it; width_bucket counts bounds that are reached.
        "key_prompts": [_array(str(prompt + 1) for prompt in key.cuts.prompts) for key in keys],
    }


def _bound_rules(found: Sequence[tuple[Group, Rule]]) -> dict[str, Any]:
    rates = {
        f"rule_rates_{n}": [(rule.rates or {}).get(bucket, _NO_RATE) for _, rule in found]
        for n, bucket in enumerate(BUCKETS)
    }
    return {
        "rule_numbers": list(range(len(found))),
        "rule_keys": [group.key for group, _ in found],
        "rule_segments": [group.segment for group, _ in found],
        "rule_sides": [group.side for group, _ in found],
        "rule_used": [group.used for group, _ in found],
        "rule_statuses": [rule.status for _, rule in found],
        "rule_price_ids": [_array(map(str, rule.price_ids)) if rule.price_ids else None for _, rule in found],
        "rule_fees": [None if rule.rates is None else rule.fee for _, rule in found],
        "rule_currencies": [rule.currency for _, rule in found],
        "rule_factors": [rule.factor for _, rule in found],
        "rule_fx_rates": [rule.fx_rate_id for _, rule in found],
        **rates,
    }


def _array(items: Iterable[str]) -> str:
    return "{" + ",".join(items) + "}"


def _like(model: str | None) -> str | None:
    """``*`` as LIKE writes it."""
    if model is None:
        return None
    escaped = model.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%")


def _projects(connection: Connection, scope: Scope) -> list[int]:
    if scope.project_id is not None:
        return [scope.project_id]
    return [project_id for (project_id,) in connection.execute("SELECT id FROM project ORDER BY id").fetchall()]


def _named(scope: Scope) -> dict[str, Any]:
    return {
        "start": scope.window.start,
        "end": scope.window.end,
        "project": scope.project_id,
        "provider": scope.provider,
        "model": scope.model,
        "currency": scope.currency,
    }


def _one_job(connection: Connection, statement: str, values: dict[str, Any]) -> Job | None:
    found = _jobs(connection, statement, values)
    return found[0] if found else None


def _jobs(connection: Connection, statement: str, values: dict[str, Any]) -> list[Job]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement.encode(), values).fetchall()
    return [_job(row) for row in rows]


def _job(row: dict[str, Any]) -> Job:
    names = ("calls", "changed_calls", "unpriced_before", "unpriced_after", "cost_before", "cost_after")
    scope = Scope(
        window=Window(row["window_start"], row["window_end"]),
        project_id=row["project_id"],
        provider=row["provider"],
        model=row["model"],
        currency=row["currency"],
    )
    kept = ("id", "created_at", "actor", "state", "undoes", "price_version", "at_project", "at_time", "finished_at")
    return Job(scope=scope, totals=Totals(**{name: row[name] for name in names}), **{name: row[name] for name in kept})
