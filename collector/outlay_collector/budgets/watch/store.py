"""Budgets summed from calls and lines, judged, and told once.

What follows from figures is found and written in one transaction: sums, what is told, and the message to be delivered.
The key of ``budget_alert`` is what makes each thing be told once, however many evaluate at the same time; the project's
lock only spares them the work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from outlay_collector.alerts import store as alerts
from outlay_collector.alerts.events import Event
from outlay_collector.budgets import messages, sql
from outlay_collector.budgets.budget import Threshold
from outlay_collector.budgets.judge import Crossing, Outlook, Told, Verdict, judge
from outlay_collector.budgets.messages import Figures
from outlay_collector.budgets.periods import EPOCH, key_of, period_at, slots_of
from outlay_collector.budgets.scope import OTHER
from outlay_collector.budgets.store import NOTHING, active, forecasts, try_lock
from outlay_collector.budgets.stored import Stored
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import DAY, HOUR, MINUTE, RECENT, Window, windows

Connection = psycopg.Connection[Any]

HISTORY = 800 * DAY
"""How far back sums of calls that are still kept are made: for years, and for what forecasts learn from."""

YOUNG = RECENT
"""Slots that begin no longer before the one that runs are kept by minute."""

MOST_OUTLOOKS = 200
"""Instances of a split budget that a sweep makes forecasts of."""

CHUNK = 14 * DAY
"""Of history, summed in one transaction."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What one look did: events that were told, and whether more of the past waits to be summed."""

    told: int
    more: bool


def follow(connection: Connection, project_id: int, *, now: datetime) -> Followed | None:
    """Sum and judge again what changed, and commit. None if another worker is at this project."""
    if not try_lock(connection, project_id):
        connection.rollback()
        return None
    minutes = ledger.take_changes(connection, project_id)
    told, more = 0, False
    for stored in active(connection, [project_id]):
        told += _follow(connection, stored, minutes, now)
        summed = _sum_the_past(connection, stored, now)
        if summed is not None:
            told += summed[0]
            more = more or summed[1]
    connection.commit()
    return Followed(told, more)


def _follow(connection: Connection, stored: Stored, minutes: set[datetime], now: datetime) -> int:
    slots = slots_of(stored.budget.calendar.zone)
    since = stored.hours_from
    minutes = {minute for minute in minutes if since is not None and slots.start_of(minute) >= since}
    if not minutes:
        return 0
    touched = {slots.start_of(minute) for minute in minutes}
    instances: set[str] = set()
    pending = False
    for window, whole in _to_make(connection, stored, minutes, now):
        instances |= make_hours(connection, stored, window, whole=whole)
        pending = pending or _is_pending(connection, stored.project_id, window)
    if stored.budget.calendar.is_rolling:
        periods = {period_at(stored.budget.calendar, now)}
    else:
        periods = {period_at(stored.budget.calendar, slot) for slot in touched}
    return sum(
        evaluate(connection, stored, period, now=now, instances=instances, may_correct=not pending)
        for period in sorted(periods, key=lambda period: period.start)
    )


def _to_make(
    connection: Connection, stored: Stored, minutes: set[datetime], now: datetime
) -> list[tuple[Window, bool]]:
    """Windows to be summed again: of young slots the minutes themselves, so that a busy hour is not read again for every
    call; of older ones, True, whole slots."""
    slots = slots_of(stored.budget.calendar.zone)
    touched = sorted({slots.start_of(minute) for minute in minutes})
    found = connection.execute(sql.WHOLE_SLOTS, {"budget": stored.id, "slots": touched}).fetchall()
    old = {slot for (slot,) in found} | {slot for slot in touched if slot < _young_from(stored, now)}
    young = {minute for minute in minutes if slots.start_of(minute) not in old}
    by_minute = [(window, False) for window in windows(young, MINUTE, gap=2 * MINUTE)]
    return by_minute + [(window, True) for window in windows(old, slots.width, gap=3 * HOUR)]


def _young_from(stored: Stored, now: datetime) -> datetime:
    return slots_of(stored.budget.calendar.zone).start_of(now) - YOUNG


def make_hours(connection: Connection, stored: Stored, window: Window, *, whole: bool = True) -> set[str]:
    """The sums of a window of whole slots (or minutes) made again; the instances that had some or have some now."""
    values = {"budget": stored.id, "project": stored.project_id, **sql.within(window)}
    before = connection.execute(sql.DELETE_HOURS, values).fetchall()
    statement, parameters = sql.make_hours(stored.budget, whole=whole)
    after = connection.execute(statement.encode(), {**parameters, **values}).fetchall()
    return {instance for (instance,) in (*before, *after)}


def _is_pending(connection: Connection, project_id: int, window: Window) -> bool:
    """Whether settlement has yet to look at calls of the window: figures may be too low for a moment."""
    row = connection.execute(sql.IS_PENDING, {"project": project_id, **sql.within(window)}).fetchone()
    return bool(row and row[0])


def _sum_the_past(connection: Connection, stored: Stored, now: datetime) -> tuple[int, bool] | None:
    """Sums of a new or changed budget: those of periods that are watched first, the rest piece by piece.

    Events told and whether there is more to sum; None when all is summed.
    """
    floor = slots_of(stored.budget.calendar.zone).start_of(now - HISTORY)
    if stored.hours_from is not None and stored.hours_from <= floor:
        return None
    row = connection.execute(sql.FIRST_COST, {"project": stored.project_id, "floor": floor}).fetchone()
    first = row[0] if row and row[0] is not None else now
    until = stored.hours_from
    if until is None:
        current = period_at(stored.budget.calendar, now)
        watched = period_at(stored.budget.calendar, stored.watched_from).start
        start = slots_of(stored.budget.calendar.zone).start_of(min(current.start, watched))
        until = now + 2 * DAY
    elif first >= until:
        start = floor
    else:
        start = max(floor, until - CHUNK)
    start = max(start, floor)
    if first < until:
        young = min(max(_young_from(stored, now), start), until)
        make_hours(connection, stored, Window(start, young))
        make_hours(connection, stored, Window(young, until), whole=False)
    connection.execute("UPDATE budget SET hours_from = %s WHERE id = %s", (start, stored.id))
    told = 0
    if stored.hours_from is None:
        stored = replace(stored, hours_from=start)
        for period in _periods(stored, Window(start, now)):
            told += evaluate(connection, stored, period, now=now)
    return told, start > floor


def _periods(stored: Stored, window: Window) -> list[Window]:
    """Periods that overlap the window, oldest first; of a rolling budget, the current one."""
    calendar = stored.budget.calendar
    last = period_at(calendar, window.end)
    found = [last]
    while not calendar.is_rolling and found[-1].start > window.start:
        found.append(period_at(calendar, found[-1].start - timedelta(microseconds=1)))
    return found[::-1]


def sweep(connection: Connection, project_id: int, *, now: datetime) -> int | None:
    """Judge every budget of the project as time has gone on, and commit; events told. None if another worker is at it."""
    if not try_lock(connection, project_id):
        connection.rollback()
        return None
    told = 0
    for stored in active(connection, [project_id]):
        if stored.hours_from is None:
            continue
        _fold(connection, stored, now)
        period = period_at(stored.budget.calendar, now)
        outlooks = _outlooks(connection, stored, period, now)
        told += evaluate(connection, stored, period, now=now, outlooks=outlooks)
    connection.commit()
    return told


def _outlooks(connection: Connection, stored: Stored, period: Window, now: datetime) -> dict[str, Outlook]:
    """How the period is likely to end, where a threshold waits for that; of a split budget, for those that spent most."""
    if all(one.kind != "forecast" for one in stored.budget.thresholds):
        return {}
    values = {"budget": stored.id, "other": OTHER, "limit": MOST_OUTLOOKS, **sql.within(period)}
    spent = {instance: cost or NOTHING for instance, cost, *_ in connection.execute(sql.LARGEST, values).fetchall()}
    found = forecasts(connection, stored, period, spent, now=now)
    return {
        instance: Outlook(
            p10=_money(one.p10), p50=_money(one.p50), p90=_money(one.p90), low_confidence=one.low_confidence
        )
        for instance, one in found.items()
    }


def _money(value: float) -> Decimal:
    return Decimal(f"{value:.4f}")


def _fold(connection: Connection, stored: Stored, now: datetime) -> None:
    slots = slots_of(stored.budget.calendar.zone)
    values = {"budget": stored.id, "before": _young_from(stored, now), "width": slots.width}
    connection.execute(sql.FOLD, {**values, "origin": EPOCH + slots.phase})


def evaluate(
    connection: Connection,
    stored: Stored,
    period: Window,
    *,
    now: datetime,
    instances: set[str] | None = None,
    outlooks: Mapping[str, Outlook] | None = None,
    may_correct: bool = True,
) -> int:
    """Judge the figures of one period and write what follows; the number of events told. The caller commits.

    ``instances``: only these. ``may_correct``: figures that may be too low for a moment correct nothing.
    """
    if period.end <= stored.watched_from or stored.hours_from is None:
        return 0
    work = _Evaluation(connection, stored, period, now, may_correct)
    return work.run(instances, outlooks or {})


class _Evaluation:
    """One budget, one period."""

    def __init__(
        self, connection: Connection, stored: Stored, period: Window, now: datetime, may_correct: bool
    ) -> None:
        self._connection = connection
        self._stored = stored
        self._period = period
        self._now = now
        self._may_correct = may_correct
        self._amount = stored.budget.plan.amount(stored.budget.calendar, period)
        self._key = {"budget": stored.id, "key": key_of(stored.budget.calendar, period)}
        self._told = 0

    def run(self, instances: set[str] | None, outlooks: Mapping[str, Outlook]) -> int:
        wanted = None if instances is None else sorted(instances)
        told = self._what_was_told(wanted)
        crossings: list[tuple[Figures, list[Crossing]]] = []
        corrections: list[tuple[Figures, Threshold, Told]] = []
        for figures in self._figures(wanted, sorted(told.keys() | outlooks.keys()), outlooks):
            known = told.get(figures.instance, {})
            verdict = judge(
                self._stored.budget,
                self._stored.version,
                amount=self._amount,
                actual=figures.actual,
                period=self._period,
                told=known,
                now=self._now,
                outlook=figures.outlook,
            )
            if verdict.fire:
                crossings.append((figures, verdict.fire))
            if self._may_correct:
                corrections += [(figures, threshold, known[threshold.key]) for threshold in verdict.correct]
                self._note(verdict, figures, known)
        self._tell(crossings)
        self._correct(corrections)
        return self._told

    def _what_was_told(self, instances: list[str] | None) -> dict[str, dict[str, Told]]:
        rows = self._connection.execute(sql.TOLD, {**self._key, "instances": instances}).fetchall()
        found: dict[str, dict[str, Told]] = {}
        for instance, threshold, epoch, version, corrected, armed, below_since, event_id, highest in rows:
            found.setdefault(instance, {})[threshold] = Told(
                epoch=epoch,
                version=version,
                corrected=corrected,
                armed_again=armed,
                below_since=below_since,
                event_id=event_id,
                highest=highest,
            )
        return found

    def _figures(self, instances: list[str] | None, known: list[str], outlooks: Mapping[str, Outlook]) -> list[Figures]:
        """Of the instances that can have reached a threshold, and of ``known`` ones, which may have fallen to nothing."""
        levels = [one.level(self._amount) for one in self._stored.budget.thresholds if one.kind == "actual"]
        values = {
            **self._key,
            **sql.within(self._period),
            "instances": instances,
            "told": known,
            "lowest": min(levels, default=Decimal("Infinity")),
            "other": OTHER,
        }
        rows = self._connection.execute(sql.FIGURES, values).fetchall()
        summed = {instance: (cost or NOTHING, unpriced) for instance, cost, unpriced in rows}
        return [
            Figures(
                budget_id=self._stored.id,
                project_id=self._stored.project_id,
                budget=self._stored.budget,
                instance=instance,
                period=self._period,
                amount=self._amount,
                actual=summed.get(instance, (NOTHING, 0))[0],
                unpriced_calls=summed.get(instance, (NOTHING, 0))[1],
                outlook=outlooks.get(instance),
            )
            for instance in sorted(summed.keys() | set(known))
        ]

    def _note(self, verdict: Verdict, figures: Figures, known: Mapping[str, Told]) -> None:
        for statement, thresholds in (
            (sql.ARM, verdict.arm),
            (sql.BELOW, verdict.below),
            (sql.ABOVE, verdict.above),
            (sql.CARRY, verdict.carry),
        ):
            for threshold in thresholds:
                values = self._row(figures, threshold, known[threshold.key].epoch)
                self._connection.execute(statement.encode(), values)

    def _row(self, figures: Figures, threshold: Threshold, epoch: int) -> dict[str, Any]:
        return {
            **self._key,
            "instance": figures.instance,
            "threshold": threshold.key,
            "epoch": epoch,
            "now": self._now,
            "version": self._stored.version,
        }

    def _tell(self, crossings: Sequence[tuple[Figures, Sequence[Crossing]]]) -> None:
        """Write down what is to be told; what somebody else has written down is theirs to tell."""
        every = [(figures, crossing) for figures, found in crossings for crossing in found]
        if not every:
            return
        values = {
            **self._key,
            "version": self._stored.version,
            "now": self._now,
            "amount": self._amount,
            "instances": [figures.instance for figures, _ in every],
            "thresholds": [crossing.threshold.key for _, crossing in every],
            "epochs": [crossing.epoch for _, crossing in every],
            "levels": [crossing.level for _, crossing in every],
            "actuals": [figures.actual for figures, _ in every],
        }
        ours = set(self._connection.execute(sql.TELL, values).fetchall())
        mine = [
            (figures, [one for one in found if (figures.instance, one.threshold.key, one.epoch) in ours])
            for figures, found in crossings
        ]
        mine = [(figures, found) for figures, found in mine if found]
        if len(mine) > messages.MOST_MESSAGES:
            event = messages.many_crossed(mine, now=self._now)
            self._send(event)
            for figures, found in mine:
                self._remember(figures, found, event.id)
            return
        for figures, found in mine:
            event = messages.crossed(figures, found, now=self._now)
            self._send(event)
            self._remember(figures, found, event.id)

    def _remember(self, figures: Figures, found: Sequence[Crossing], event_id: UUID) -> None:
        values = {
            **self._key,
            "event": event_id,
            "highest": found[0].threshold.key,
            "instance": figures.instance,
            "thresholds": [one.threshold.key for one in found],
            "epochs": [one.epoch for one in found],
        }
        self._connection.execute(sql.TOLD_BY, values)

    def _correct(self, corrections: Sequence[tuple[Figures, Threshold, Told]]) -> None:
        """Of each message, its gravest threshold is corrected aloud, and the others that it listed with it."""
        for figures, threshold, told in corrections:
            row = self._connection.execute(sql.CORRECT, self._row(figures, threshold, told.epoch)).fetchone()
            if row is None or row[0] is None or not told.highest:
                continue
            (count, all_of_them) = self._connection.execute(sql.ALL_CORRECTED, (row[0],)).fetchone() or (1, True)
            if not all_of_them:
                continue
            if count > 1:
                self._send(messages.many_corrected(figures, count, now=self._now, told=row[0]))
            else:
                edited = told.version < self._stored.version
                self._send(
                    messages.corrected(figures, threshold, told.epoch, now=self._now, told=row[0], edited=edited)
                )

    def _send(self, event: Event) -> None:
        alerts.send(self._connection, event, self._stored.budget.webhooks)
        self._told += 1


def forget(connection: Connection, *, now: datetime) -> None:
    """Drop sums older than any period or forecast reads."""
    connection.execute("DELETE FROM budget_hour WHERE hour < %s", (now - HISTORY - DAY,))


def lag_seconds(connection: Connection) -> float:
    """How long the oldest change has been waiting for budgets to follow; 0 when none is."""
    row = connection.execute("SELECT extract(epoch FROM now() - min(at)) FROM sum_change").fetchone()
    return float(row[0]) if row and row[0] is not None else 0.0
