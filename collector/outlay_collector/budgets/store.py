"""Budgets in the database: what people said, with all its versions, and what was spent of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from outlay_collector.budgets import family, names, sql
from outlay_collector.budgets.budget import Budget, as_json, parse
from outlay_collector.budgets.check import Level
from outlay_collector.budgets.outlook import LEARNT_DAYS, Asked, Forecast
from outlay_collector.budgets.periods import key_of, midnight, period_at
from outlay_collector.budgets.scope import ABSENT, OTHER, may_be_in
from outlay_collector.budgets.stored import Share, Status, Stored, Telling
from outlay_collector.errors import BadRequest, Conflict, NotFound
from outlay_collector.ledger.buckets import DAY, Window

Connection = psycopg.Connection[Any]

_LOCK_CLASS = 0x0071_B0

NOTHING = Decimal(0)


_COLUMNS = "id, project_id, version, spec::text, created_at, changed_at, watched_from, hours_from"


@lru_cache(maxsize=8192)
def _read(spec: str) -> Budget:
    values = json.loads(spec)
    return parse(values, where="", project=None, currency=values["currency"], zone=ZoneInfo("UTC"))


def _stored(row: Sequence[Any]) -> Stored:
    number, project_id, version, spec, created_at, changed_at, watched_from, hours_from = row
    return Stored(
        id=number,
        project_id=project_id,
        version=version,
        budget=_read(spec),
        created_at=created_at,
        changed_at=changed_at,
        watched_from=watched_from,
        hours_from=hours_from,
    )


def active(connection: Connection, project_ids: Sequence[int]) -> list[Stored]:
    """Budgets in force, by name."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM budget WHERE project_id = ANY(%s) AND removed_at IS NULL ORDER BY name, id".encode(),
        (list(project_ids),),
    ).fetchall()
    return [_stored(row) for row in rows]


def one(connection: Connection, budget_id: UUID, project_ids: Sequence[int]) -> Stored:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM budget WHERE id = %s AND project_id = ANY(%s) AND removed_at IS NULL".encode(),
        (budget_id, list(project_ids)),
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no budget {budget_id} that this key may see; `outlay budget list` names them.")
    return _stored(row)


def projects(connection: Connection) -> list[int]:
    """Projects with budgets."""
    rows = connection.execute("SELECT DISTINCT project_id FROM budget WHERE removed_at IS NULL ORDER BY 1").fetchall()
    return [project_id for (project_id,) in rows]


def unsummed_projects(connection: Connection) -> set[int]:
    """Projects with a budget that is new, or changed so that its sums are to be made again."""
    rows = connection.execute(
        "SELECT DISTINCT project_id FROM budget WHERE removed_at IS NULL AND hours_from IS NULL"
    ).fetchall()
    return {project_id for (project_id,) in rows}


def save(connection: Connection, project_id: int, wanted: Sequence[Budget], *, actor: str, now: datetime) -> list[str]:
    """Make the project's budgets of these names be as wanted; what was done to each: ``created``, ``changed``, ``same``.

    BadRequest when the project's budgets would not fit together then.
    """
    lock(connection, project_id)
    there = {stored.budget.name: stored for stored in active(connection, [project_id])}
    family.check({name: stored.budget for name, stored in there.items()} | {one.name: one for one in wanted}, now=now)
    _check_webhooks(connection, wanted)
    return [_save_one(connection, project_id, there.get(one.name), one, actor=actor, now=now) for one in wanted]


def create(connection: Connection, project_id: int, budget: Budget, *, actor: str, now: datetime) -> Stored:
    """Conflict when the project has one of this name."""
    if any(stored.budget.name == budget.name for stored in active(connection, [project_id])):
        raise Conflict(f"Project {budget.project} has a budget {budget.name!r} already; PUT changes it.")
    save(connection, project_id, [budget], actor=actor, now=now)
    return named(connection, project_id, budget.name)


def named(connection: Connection, project_id: int, name: str) -> Stored:
    for stored in active(connection, [project_id]):
        if stored.budget.name == name:
            return stored
    raise NotFound(f"There is no budget {name!r:.120}; `outlay budget list` names them.")


def change(connection: Connection, stored: Stored, budget: Budget, *, actor: str, now: datetime) -> Stored:
    """A new version. Its name and project stay: a budget of another name is another budget."""
    if (budget.name, budget.project) != (stored.budget.name, stored.budget.project):
        raise BadRequest("A budget's name and project stay as they are; make another budget and delete this one.")
    save(connection, stored.project_id, [budget], actor=actor, now=now)
    return one(connection, stored.id, [stored.project_id])


def remove(connection: Connection, stored: Stored, *, actor: str) -> None:
    """Its sums go; what was said and told of it stays. Conflict while others stand below it."""
    lock(connection, stored.project_id)
    below = [
        one.budget.name for one in active(connection, [stored.project_id]) if one.budget.parent == stored.budget.name
    ]
    if below:
        raise Conflict(f"Budget {stored.budget.name} is the parent of {', '.join(below)}; change those first.")
    connection.execute("UPDATE budget SET removed_at = now() WHERE id = %s", (stored.id,))
    _forget_sums(connection, stored.id)
    _keep_version(connection, stored.id, stored.version + 1, {"removed": True}, actor)


def _save_one(
    connection: Connection, project_id: int, there: Stored | None, budget: Budget, *, actor: str, now: datetime
) -> str:
    spec = as_json(budget)
    if there is None:
        watched_from = period_at(budget.calendar, now).start
        if budget.starts is not None:
            watched_from = midnight(budget.starts, budget.calendar.zone)
        row = connection.execute(
            "INSERT INTO budget (project_id, name, spec, watched_from) VALUES (%s, %s, %s, %s) RETURNING id",
            (project_id, budget.name, Jsonb(spec), watched_from),
        ).fetchone()
        assert row is not None
        _keep_version(connection, row[0], 1, spec, actor)
        return "created"
    if as_json(there.budget) == spec:
        return "same"
    watched_from = there.watched_from
    if budget.starts is not None and budget.starts != there.budget.starts:
        watched_from = midnight(budget.starts, budget.calendar.zone)
    again = budget.what_is_summed() != there.budget.what_is_summed()
    connection.execute(
        """
        UPDATE budget SET version = version + 1, spec = %s, changed_at = now(), watched_from = %s,
               hours_from = CASE WHEN %s THEN NULL ELSE hours_from END
         WHERE id = %s
        """,
        (Jsonb(spec), watched_from, again, there.id),
    )
    if again:
        _forget_sums(connection, there.id)
    _keep_version(connection, there.id, there.version + 1, spec, actor)
    return "changed"


def _keep_version(connection: Connection, budget_id: UUID, version: int, spec: Mapping[str, Any], actor: str) -> None:
    connection.execute(
        "INSERT INTO budget_version (budget_id, version, actor, spec) VALUES (%s, %s, %s, %s)",
        (budget_id, version, actor, Jsonb(dict(spec))),
    )


def _forget_sums(connection: Connection, budget_id: UUID) -> None:
    connection.execute("DELETE FROM budget_hour WHERE budget_id = %s", (budget_id,))
    connection.execute("DELETE FROM budget_instance WHERE budget_id = %s", (budget_id,))


def _check_webhooks(connection: Connection, budgets: Iterable[Budget]) -> None:
    for budget in budgets:
        wanted = list(budget.webhooks or ())
        rows = connection.execute(
            "SELECT id FROM webhook WHERE id = ANY(%s) AND removed_at IS NULL", (wanted,)
        ).fetchall()
        missing = set(wanted) - {number for (number,) in rows}
        if missing:
            raise BadRequest(
                f"budget {budget.name}: webhooks cannot be {', '.join(map(str, sorted(missing)))}; there is none of that "
                "id, `outlay webhook list` shows them."
            )


def try_lock(connection: Connection, project_id: int) -> bool:
    """Be the only one who sums and judges this project's budgets until the transaction ends; False if somebody is."""
    row = connection.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (_LOCK_CLASS, project_id)).fetchone()
    return bool(row and row[0])


def lock(connection: Connection, project_id: int) -> None:
    """Like ``try_lock``, but waits."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_LOCK_CLASS, project_id))


def spent(connection: Connection, stored: Stored, period: Window, instance: str = ABSENT) -> tuple[Decimal, int]:
    """What one instance has spent in the period, and of how many calls the price is not known."""
    values = {"budget": stored.id, "instance": instance, **sql.within(period)}
    row = connection.execute(sql.SPENT, values).fetchone()
    return (row[0] or NOTHING, row[1] or 0) if row else (NOTHING, 0)


def status(connection: Connection, stored: Stored, *, now: datetime, instances: int = 10) -> Status:
    """The budget in the period that runs, with up to ``instances`` of a split one, the largest first."""
    calendar = stored.budget.calendar
    period = period_at(calendar, now)
    values = {"budget": stored.id, "other": OTHER, "limit": max(instances, 1), **sql.within(period)}
    row = connection.execute(sql.SPENT_BY_ALL, values).fetchone()
    assert row is not None
    actual, calls, unpriced, count, overflow = row
    shares: list[Share] = []
    if stored.budget.per is not None:
        rows = connection.execute(sql.LARGEST, values).fetchall()
        shares = [Share(instance=name, actual=cost or NOTHING, calls=n, unpriced_calls=u) for name, cost, n, u in rows]
    key = key_of(calendar, period)
    told = [one for one in history(connection, stored, limit=200) if one.period_start == key]
    # Of a split budget, the course shown is that of whoever is furthest.
    furthest = (shares[0].instance if shares else None) if stored.budget.per is not None else ABSENT
    own = shares[0].actual if shares else actual or NOTHING
    by_day: dict[date, Decimal] = {}
    found: Forecast | None = None
    if furthest is not None:
        by_day = daily(connection, stored, period, [furthest])[furthest]
        found = forecasts(connection, stored, period, {furthest: own}, now=now).get(furthest)
    return Status(
        stored=stored,
        period=period,
        amount=stored.budget.plan.amount(calendar, period),
        actual=actual or NOTHING,
        calls=calls or 0,
        unpriced_calls=unpriced or 0,
        instances=shares[:instances],
        instance_count=count,
        overflow=overflow,
        told=told,
        furthest_instance=furthest,
        furthest=own,
        days=sorted(by_day.items()),
        forecast=found,
    )


def history(connection: Connection, stored: Stored, *, limit: int = 100) -> list[Telling]:
    """What was told of the budget, newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql.HISTORY, {"budget": stored.id, "limit": limit}).fetchall()
    return [Telling(**row) for row in rows]


def daily(
    connection: Connection, stored: Stored, window: Window, instances: Sequence[str] = (ABSENT,)
) -> dict[str, dict[date, Decimal]]:
    """What each instance spent per day of the budget's zone; days without are left out."""
    zone = stored.budget.calendar.zone.key
    values = {"budget": stored.id, "zone": zone, "instances": list(instances), **sql.within(window)}
    found: dict[str, dict[date, Decimal]] = {instance: {} for instance in instances}
    for instance, day, cost in connection.execute(sql.DAYS, values).fetchall():
        found[instance][day] = cost or NOTHING
    return found


def forecasts(
    connection: Connection, stored: Stored, period: Window, spent_by: Mapping[str, Decimal], *, now: datetime
) -> dict[str, Forecast]:
    """How the period that runs is likely to end for each instance, of which ``spent_by`` says what it spent so far."""
    from outlay_collector.budgets.forecast import forecast  # numpy: a quarter of a second that few processes need

    calendar = stored.budget.calendar
    if calendar.is_rolling or stored.hours_from is None or not period.start <= now < period.end:
        return {}
    today = now.astimezone(calendar.zone).date()
    midnight_now = midnight(today, calendar.zone)
    first = (max(stored.hours_from, midnight_now - LEARNT_DAYS * DAY) + DAY).astimezone(calendar.zone).date()
    learnt = Window(midnight(first, calendar.zone), midnight_now)
    if learnt.start >= learnt.end:
        return {}
    by_day = daily(connection, stored, learnt, list(spent_by))
    dates = [first + n * DAY for n in range((today - first).days)]
    left = _today_left(connection, stored, now, midnight_now)
    last = (period.end - timedelta(microseconds=1)).astimezone(calendar.zone).date()
    return {
        instance: forecast(
            Asked(
                past=tuple(float(by_day[instance].get(day, NOTHING)) for day in dates),
                last_weekday=(today - DAY).weekday(),
                spent=float(spent),
                passed=(now - period.start) / DAY,
                left=(period.end - now) / DAY,
                days=(last - today).days + 1,
                today_left=left,
            )
        )
        for instance, spent in spent_by.items()
    }


def _today_left(connection: Connection, stored: Stored, now: datetime, midnight_now: datetime) -> float:
    """The part of today's cost that is still to come, as on the last four weeks' days."""
    local = now.astimezone(stored.budget.calendar.zone)
    values = {
        "budget": stored.id,
        "zone": stored.budget.calendar.zone.key,
        "local_hour": local.hour,
        "of_hour": local.minute / 60,
        **sql.within(Window(midnight_now - 28 * DAY, midnight_now)),
    }
    row = connection.execute(sql.TODAY_LEFT, values).fetchone()
    if row and row[0] is not None:
        return float(row[0])
    return 1 - (local.hour + local.minute / 60) / 24


def levels_of(
    connection: Connection, budgets: Sequence[Stored], name: str, known: Mapping[str, str], *, now: datetime
) -> list[Level]:
    """Where the budget of this name and those above it stand, of a project's ``budgets``, as far as a call with the
    dimensions that are ``known`` may be in them. NotFound when there is none of this name."""
    by_name = {stored.budget.name: stored for stored in budgets}
    if name not in by_name:
        raise NotFound(f"There is no budget {name!r:.120}; `outlay budget list` names them.")
    above = family.ancestors(name, {key: stored.budget for key, stored in by_name.items()})
    found: list[Level] = []
    for stored in (by_name[name], *(by_name[one.name] for one in above)):
        budget = stored.budget
        if stored.hours_from is None or not may_be_in(budget.filters, known):
            continue
        period = period_at(budget.calendar, now)
        instance = names.instance(known.get(budget.per)) if budget.per else ABSENT
        actual, _ = spent(connection, stored, period, instance)
        amount = budget.plan.amount(budget.calendar, period)
        found.append(Level(budget=budget, period=period, amount=amount, actual=actual))
    return found


def youngest_first(budgets: Sequence[Stored]) -> list[Stored]:
    """Children before their parents, so that one after the other can be removed."""
    by_name = {stored.budget.name: stored.budget for stored in budgets}
    return sorted(budgets, key=lambda stored: -len(family.ancestors(stored.budget.name, by_name)))
