"""The judgement: what was found becomes findings, each with its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

WORKER_SILENT_AFTER = timedelta(seconds=30)
"""It says that it lives every 5 seconds, also while it is busy."""

CLOCK_TOLERANCE = timedelta(seconds=30)
"""Spans are accepted up to 10 minutes ahead, but their day and hour is wrong long before that."""

Verdict = Literal["well", "wrong", "not checked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseFacts:
    """What the database says. ``problem`` is why it says nothing; then the rest is unknown."""

    problem: str | None = None
    revision: str | None = None
    revision_wanted: str = ""
    since_worker_beat: timedelta | None = None  # None: no worker has ever run
    clock_ahead: timedelta = timedelta(0)  # of the database, compared with this machine
    days_missing: tuple[date, ...] = ()  # of the coming days, those without a partition
    days_half_removed: tuple[date, ...] = ()  # retention was interrupted at them
    walled: bool = True  # the database itself keeps readers of different projects apart


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectorFacts:
    """What the collector says over HTTP. ``problem`` is why it says nothing; then the rest is unknown."""

    endpoint: str
    problem: str | None = None
    ready: bool = False
    why_not_ready: str = ""
    clock_ahead: timedelta | None = None
    key_given: bool = False
    key_refused: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    name: str
    verdict: Verdict
    says: str
    mend: str = ""


def diagnose(database: DatabaseFacts | None, collector: CollectorFacts) -> list[Finding]:
    """One finding per thing that can be wrong, in the order in which to mend them.

    ``database=None``: this machine has none to look at, as where only applications run.
    """
    return [
        _database(database),
        _migrations(database),
        _collector(collector),
        _key(collector),
        _worker(database),
        _partitions(database),
        _wall(database),
        _clock(database, collector),
    ]


def _database(found: DatabaseFacts | None) -> Finding:
    if found is None:
        return Finding(name="database", verdict="not checked", says="There is no database of Outlay on this machine.")
    if found.problem:
        return Finding(
            name="database",
            verdict="wrong",
            says=found.problem,
            mend="Start it (`outlay up` starts the embedded one), or correct OUTLAY_DATABASE_URL.",
        )
    return Finding(name="database", verdict="well", says="The database answers.")


def _migrations(found: DatabaseFacts | None) -> Finding:
    if found is None or found.problem:
        return Finding(
            name="migrations", verdict="not checked", says="Without a database there is no schema to look at."
        )
    if found.revision != found.revision_wanted:
        return Finding(
            name="migrations",
            verdict="wrong",
            says=f"Migrations are pending: the schema is at {found.revision or 'nothing'}, "
            f"and this version needs {found.revision_wanted}.",
            mend="Run `outlay migrate`.",
        )
    return Finding(name="migrations", verdict="well", says=f"The schema is this version's ({found.revision}).")


def _collector(found: CollectorFacts) -> Finding:
    if found.problem:
        return Finding(
            name="collector",
            verdict="wrong",
            says=f"No collector answers at {found.endpoint}: {found.problem}.",
            mend="Start it with `outlay up` or `outlay collector`, or correct OUTLAY_ENDPOINT.",
        )
    if not found.ready:
        return Finding(
            name="collector",
            verdict="wrong",
            says=f"The collector at {found.endpoint} runs but is not ready: {found.why_not_ready}.",
            mend="It becomes ready by itself once its database answers and is migrated (`outlay migrate`).",
        )
    return Finding(name="collector", verdict="well", says=f"The collector answers at {found.endpoint}.")


def _key(found: CollectorFacts) -> Finding:
    if found.problem or not found.ready:
        return Finding(name="key", verdict="not checked", says="Without a ready collector no key can be tried.")
    if not found.key_given:
        return Finding(name="key", verdict="not checked", says="No key was given: set OUTLAY_API_KEY to try one.")
    if found.key_refused:
        return Finding(
            name="key",
            verdict="wrong",
            says="The collector refuses the key: it is mistyped, expired, revoked, or of another installation.",
            mend="Make a new one with `outlay key create --project NAME --scope ingest` and set OUTLAY_API_KEY to it.",
        )
    return Finding(name="key", verdict="well", says="The collector knows the key.")


def _worker(found: DatabaseFacts | None) -> Finding:
    if found is None or found.problem or found.revision != found.revision_wanted:
        return Finding(name="worker", verdict="not checked", says="Whether the worker runs is read from the database.")
    if found.since_worker_beat is None or found.since_worker_beat > WORKER_SILENT_AFTER:
        silent = (
            "It has never run"
            if found.since_worker_beat is None
            else f"It was last seen {_ago(found.since_worker_beat)} ago"
        )
        return Finding(
            name="worker",
            verdict="wrong",
            says=f"The worker has stopped. {silent}; what arrives is stored, but spend does not follow.",
            mend="Start it with `outlay up` or `outlay worker`; it catches up by itself.",
        )
    return Finding(name="worker", verdict="well", says="The worker runs.")


def _partitions(found: DatabaseFacts | None) -> Finding:
    if found is None or found.problem or found.revision != found.revision_wanted:
        return Finding(name="partitions", verdict="not checked", says="Partitions are looked up in the database.")
    if found.days_missing:
        return Finding(
            name="partitions",
            verdict="wrong",
            says=f"There is no partition for {_days(found.days_missing)}. Spans still come in: the first of a day has "
            "its partition made, but the worker should have done that long before.",
            mend="Start the worker with `outlay worker`; if it runs, its log says what keeps it from making them.",
        )
    if found.days_half_removed:
        return Finding(
            name="partitions",
            verdict="wrong",
            says=f"The removal of {_days(found.days_half_removed)} was interrupted, and no other day past retention "
            "can be removed before it is finished.",
            mend="The worker finishes it within ten minutes, unless a transaction stays open: "
            "SELECT pid, application_name, xact_start FROM pg_stat_activity ORDER BY xact_start.",
        )
    return Finding(name="partitions", verdict="well", says="The coming days have their partitions.")


def _wall(found: DatabaseFacts | None) -> Finding:
    if found is None or found.problem or found.revision != found.revision_wanted:
        return Finding(name="wall", verdict="not checked", says="Row-level security is looked up in the database.")
    if not found.walled:
        return Finding(
            name="wall",
            verdict="wrong",
            says="Readers of different projects are kept apart by the collector alone: row-level security is missing.",
            mend="Run `outlay migrate`; where its user may not make roles, it says what an administrator has to run.",
        )
    return Finding(name="wall", verdict="well", says="The database keeps readers of different projects apart.")


def _days(days: tuple[date, ...]) -> str:
    return f"{days[0]}" if len(days) == 1 else f"{len(days)} days from {min(days)} to {max(days)}"


def _clock(database: DatabaseFacts | None, collector: CollectorFacts) -> Finding:
    ahead = {"collector": collector.clock_ahead}
    if database is not None and not database.problem:
        ahead["database"] = database.clock_ahead
    known = {of: offset for of, offset in ahead.items() if offset is not None}
    if not known:
        return Finding(
            name="clock", verdict="not checked", says="There is no other clock to compare this machine's with."
        )
    of, worst = max(known.items(), key=lambda item: abs(item[1]))
    if abs(worst) > CLOCK_TOLERANCE:
        direction = "behind" if worst > timedelta(0) else "ahead of"
        return Finding(
            name="clock",
            verdict="wrong",
            says=f"This machine's clock is {_ago(abs(worst))} {direction} the {of}'s: "
            "calls are booked at wrong times, and refused when they seem to lie in the future.",
            mend="Switch on time synchronisation on both machines, for example `timedatectl set-ntp true`.",
        )
    return Finding(name="clock", verdict="well", says="The clocks agree.")


def _ago(duration: timedelta) -> str:
    seconds = round(duration.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h"
