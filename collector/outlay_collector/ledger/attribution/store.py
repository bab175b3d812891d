"""Attribution in the database: versions of the rules, and what each does to the calls of the past.

What is laid over a call is a function of the rules in force and of what was reported of it, at any moment of quiet. So a
version takes every call of the past to where its rules put it, batch by batch, each committed with how far it came; and
undo is the version before once more. A batch is a stretch of one project's time, under the lock that settlement takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from outlay_collector.errors import Conflict, NotFound
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.attribution import showback, sql
from outlay_collector.ledger.attribution.moves import Moves, Path, Sum, Totals
from outlay_collector.ledger.attribution.reading import Document, read
from outlay_collector.ledger.attribution.rules import NEVER_REPORTED, SETTABLE, TAG, Rule, Rules
from outlay_collector.ledger.attribution.sharing import SharedRule
from outlay_collector.ledger.attribution.showback import Showback
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.months import store as months
from outlay_collector.ledger.months.calendar import pieces
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Interval, Question, sources

Connection = psycopg.Connection[Any]

ROWS_PER_BATCH = 10_000
"""As many as keep settlement waiting for less than a second."""

SILENCE = timedelta(seconds=30)
"""A version that was not heard of for so long, and is not done, has lost its process."""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """Rules that were put in force. ``undoes`` names the version whose rules they took away again."""

    id: int
    at: datetime
    actor: str
    source: str
    undoes: int | None
    state: str
    window: Window
    at_project: int | None
    at_time: datetime | None
    finished_at: datetime | None
    totals: Totals


def as_json(version: Version) -> dict[str, Any]:
    return {
        "version": version.id,
        "at": version.at,
        "by": version.actor,
        "source": version.source,
        "state": version.state,
        "undoes": version.undoes,
        "finished_at": version.finished_at,
        "totals": version.totals.as_json(),
    }


def newest(connection: Connection) -> int:
    """The version in force; 0 when there never was one."""
    row = connection.execute(sql.NEWEST).fetchone()
    return int(row[0]) if row else 0


def text_of(connection: Connection, version: int) -> tuple[str, ZoneInfo]:
    """A version's file as it was given, and the zone of its dates. Version 0 is empty."""
    if not version:
        return "", ZoneInfo("UTC")
    row = connection.execute(sql.TEXT, {"version": version}).fetchone()
    if row is None:
        raise NotFound(f"There is no version {version} of the attribution rules; outlay attribution list names them.")
    return row[0], ZoneInfo(row[1])


def document(connection: Connection) -> Document:
    """What is in force."""
    return read(*text_of(connection, newest(connection)))


def load(connection: Connection, version: int) -> Rules:
    return _rules(*text_of(connection, version), version)


@lru_cache(maxsize=8)
def _rules(text: str, zone: ZoneInfo, version: int) -> Rules:
    return Rules(read(text, zone).rules, version)


def version_of(connection: Connection, version: int, *, lock: bool = False) -> Version:
    found = _versions(connection, sql.VERSION + (" FOR UPDATE" if lock else ""), {"version": version})
    if not found:
        raise NotFound(f"There is no version {version} of the attribution rules; outlay attribution list names them.")
    return found[0]


def versions(connection: Connection, limit: int = 100) -> list[Version]:
    """Newest first."""
    return _versions(connection, sql.VERSIONS, {"limit": limit})


def moves(connection: Connection, version: int) -> list[tuple[Path, Sum]]:
    """What a version moved so far."""
    rows = connection.execute(sql.MOVES, {"version": version}).fetchall()
    return [(Path(*row[:5]), Sum(*row[5:])) for row in rows]


def waiting(connection: Connection) -> list[int]:
    """Versions that nobody is at."""
    return [version for (version,) in connection.execute(sql.WAITING, {"silence": SILENCE}).fetchall()]


def preview(connection: Connection, rules: Sequence[Rule], project_ids: Iterable[int] | None = None) -> Moves:
    """What putting ``rules`` in force would move, in the numbers that it then does. Nothing is written."""
    found = Moves()
    names = _projects(connection)
    window, asked = _reach(connection, rules), Rules(rules)
    for project_id in sorted(names if project_ids is None else project_ids):
        for piece, closed in pieces(window, months.closed(connection).values()):
            found.join(_Work(connection, asked, project_id, names.get(project_id), piece, closed=closed).look())
    return found


def apply(connection: Connection, text: str, *, source: str, actor: str, zone: ZoneInfo) -> Version:
    """Put the rules of a file in force: from now on for what arrives, and by ``run`` for what is there. Commits.

    The version that was begun with this file and is not finished is taken up again.
    """
    rules = read(text, zone, source).rules
    connection.execute("LOCK TABLE attribution_version IN SHARE ROW EXCLUSIVE MODE")
    begun = versions(connection, 1)
    if begun and begun[0].state == "running" and text_of(connection, begun[0].id) == (text, zone):
        connection.commit()
        return begun[0]
    return _add(connection, text, rules, source=source, actor=actor, zone=zone, undoes=None)


def undo(connection: Connection, version: int, *, actor: str) -> Version:
    """The version before ``version`` in force again. Commits. Conflict unless it is the newest that was not undone."""
    connection.execute("LOCK TABLE attribution_version IN SHARE ROW EXCLUSIVE MODE")
    undone = version_of(connection, version)
    standing: list[int] = []
    for number, undoes in connection.execute(sql.STACK).fetchall():
        if undoes is None:
            standing.append(number)
        else:
            standing.pop()
    if undone.undoes is not None:
        raise Conflict(f"Version {version} undid version {undone.undoes}; to have its rules again, apply their file.")
    if version not in standing:
        raise Conflict(f"Version {version} is undone already.")
    if version != standing[-1]:
        raise Conflict(f"Version {standing[-1]} came after version {version}: undo version {standing[-1]} first.")
    before = standing[-2] if len(standing) > 1 else 0
    text, zone = text_of(connection, before)
    source = f"version {before}" if before else "no rules"
    return _add(connection, text, read(text, zone).rules, source=source, actor=actor, zone=zone, undoes=version)


def _add(
    connection: Connection,
    text: str,
    rules: Sequence[Rule],
    *,
    source: str,
    actor: str,
    zone: ZoneInfo,
    undoes: int | None,
) -> Version:
    window = _reach(connection, rules)
    values = {
        "actor": actor,
        "source": source,
        "rules": text,
        "zone": zone.key,
        "assigned": list(Rules(rules).assigned),
        "undoes": undoes,
        "start": window.start,
        "end": window.end,
    }
    (made,) = _versions(connection, sql.NEW, values)
    connection.commit()
    return made


def _reach(connection: Connection, rules: Sequence[Rule]) -> Window:
    """From when to when these rules, and those that calls may have been given before, say anything."""
    before = [read(text, ZoneInfo(zone)).rules for text, zone in connection.execute(sql.AT_LARGE).fetchall()]
    everything = [rule for given in (rules, *before) for rule in given]
    if not everything:
        return Window(_EARLIEST, _EARLIEST)
    return Window(
        min(rule.valid_from or _EARLIEST for rule in everything), max(rule.valid_to or _LATEST for rule in everything)
    )


def run(
    connection: Connection,
    version: int,
    *,
    zone: ZoneInfo,
    rows: int = ROWS_PER_BATCH,
    told: Callable[[Version], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Version:
    """Bring a version to all calls of the past from where it stands; commits batch by batch. ``zone`` is the instance's."""
    rules = load(connection, version)
    connection.commit()
    while not stop() and _run_batch(connection, rules, rows, zone):
        told(version_of(connection, version))
        connection.commit()
    done = version_of(connection, version)
    connection.commit()
    return done


def _run_batch(connection: Connection, rules: Rules, rows: int, zone: ZoneInfo) -> bool:
    """One batch and its commit; False when there is none left. Several processes may take turns at one version."""
    version = version_of(connection, rules.version, lock=True)
    is_newest = newest(connection) == version.id
    batch = _next_batch(connection, version, rows) if version.state == "running" and is_newest else None
    if batch is None:
        if version.state == "running":
            state = "done" if is_newest else "superseded"
            connection.execute(sql.FINISH, {"version": version.id, "state": state})
        connection.commit()
        return False
    project_id, window = batch
    ledger.lock(connection, project_id)
    window, closed = pieces(window, months.closed(connection).values())[0]
    name = _projects(connection).get(project_id)
    found = _Work(connection, rules, project_id, name, window, closed=closed).write(zone=zone)
    values = {"version": version.id, "project": project_id, "end": window.end} | _columns(found.totals)
    connection.execute(sql.PROGRESS, values)
    with connection.cursor() as cursor:
        cursor.executemany(sql.REMEMBER, [_remembered(version.id, *one) for one in found.paths.items()])
    connection.commit()
    return True


def _columns(totals: Totals) -> dict[str, Any]:
    return {
        "looked_at": totals.looked_at,
        "changed_spans": totals.changed_spans,
        "changed_calls": totals.changed.calls,
        "changed_unpriced_calls": totals.changed.unpriced_calls,
        "changed_cost": totals.changed.cost,
    }


def _remembered(version: int, path: Path, sums: Sum) -> dict[str, Any]:
    return {
        "version": version,
        "project": path.project_id,
        "rule": path.rule,
        "dimension": path.dimension,
        "before": path.before,
        "after": path.after,
        "calls": sums.calls,
        "unpriced_calls": sums.unpriced_calls,
        "cost": sums.cost,
    }


def _next_batch(connection: Connection, version: Version, rows: int) -> tuple[int, Window] | None:
    """The next stretch of time that holds some thousand spans, and whose they are."""
    for project_id in sorted(_projects(connection)):
        if version.at_project is not None and project_id < version.at_project:
            continue
        start, end = version.window.start, version.window.end
        if project_id == version.at_project and version.at_time is not None:
            start = version.at_time
        if start >= end:
            continue
        named = {"project": project_id, "start": start, "end": end}
        first = connection.execute(sql.NEXT, named | {"rows": 0}).fetchone()
        if first is None:
            continue
        after = connection.execute(sql.NEXT, named | {"start": first[0], "rows": rows}).fetchone()
        # However many start at one instant, they are one batch.
        return project_id, Window(first[0], max(after[0], first[0] + _MOMENT) if after else end)
    return None


def follow(
    connection: Connection, project_id: int, traces: Iterable[Any], window: Window, *, zone: ZoneInfo
) -> set[datetime]:
    """Give the spans of some traces what the rules in force say of them by now; the minutes in which that changed any.

    The caller holds the project's lock.
    """
    wanted = list(traces)
    changed: set[datetime] = set()
    if not wanted:
        return changed
    rules = load(connection, newest(connection))
    name = _projects(connection).get(project_id)
    for piece, closed in pieces(window, months.closed(connection).values()):
        work = _Work(connection, rules, project_id, name, piece, closed=closed, traces=wanted)
        if work.write(zone=zone).totals.changed_spans:
            changed |= work.changed_minutes()
    return changed


class _Work:
    """One project's spans in a window that is closed or open as a whole, and what rules say of them."""

    def __init__(
        self,
        connection: Connection,
        rules: Rules,
        project_id: int,
        project_name: str | None,
        window: Window,
        *,
        closed: bool,
        traces: Sequence[Any] | None = None,
    ) -> None:
        self._connection = connection
        self._rules = rules
        self._project_id = project_id
        self._window = window
        self._closed = closed
        self._of_traces = traces is not None
        ever = {name for (name,) in connection.execute(sql.ASSIGNED).fetchall()} | set(rules.assigned)
        self._settable = tuple(name for name in SETTABLE if name in ever)
        # Beside what the rules look at: what other rules set, whose calls stand where they were reported without them.
        further = set(self._settable) - set(NEVER_REPORTED) - set(rules.dimensions)
        self._dimensions = (*rules.dimensions, *sorted(further))
        tags = {name: name.removeprefix(TAG) for name in self._dimensions if name.startswith(TAG)}
        self._values: dict[str, Any] = {
            "project": project_id,
            "project_name": project_name,
            "start": window.start,
            "end": window.end,
            "instants": list(rules.instants),
            "traces": traces,
            **{sql.tag_parameter(name): f"outlay.tag.{key}" for name, key in tags.items()},
        }

    def look(self) -> Moves:
        self._execute(sql.HASH_RATHER_THAN_SORT)
        return self._judge(self._execute(sql.alike(self._dimensions, closed=self._closed)).fetchall())[0]

    def write(self, *, zone: ZoneInfo) -> Moves:
        self._execute(sql.STAGE_TABLE)
        self._execute("DELETE FROM attributing")
        self._execute(sql.stage(self._dimensions, closed=self._closed, traces=self._of_traces))
        rows = self._execute(sql.STAGED).fetchall()
        found, changes = self._judge(rows)
        # Only of a closed month it matters which dimensions that comes to: they are booked.
        said = [(_json(laid), _json(dimensions if self._closed else {})) for _, laid, dimensions in changes]
        results = list(dict.fromkeys(said))
        place_of = {result: place for place, result in enumerate(results, 1)}
        places = [0] * len(rows)
        for (number, _, _), result in zip(changes, said, strict=True):
            places[number - 1] = place_of[result]
        self._values |= {
            "places": places,
            "laid": [laid if laid != "{}" else None for laid, _ in results],
            "dimensions": [dimensions for _, dimensions in results],
        }
        if changes and self._closed:
            self._book(zone)
            self._execute(sql.ADJUST)
        elif changes:
            self._execute(sql.WRITE)
            self._execute(sql.MARK)
        return found

    def changed_minutes(self) -> set[datetime]:
        return {minute for (minute,) in self._execute(sql.CHANGED_MINUTES).fetchall()}

    def _book(self, zone: ZoneInfo) -> None:
        (month,) = (
            name
            for name, window in months.closed(self._connection).items()
            if window.start <= self._window.start < window.end
        )
        detail = Jsonb({"month": month, "version": self._rules.version})
        self._connection.execute(sql.BOOK.encode(), self._values | {"zone": zone.key, "detail": detail})

    def _judge(self, rows: Iterable[Sequence[Any]]) -> tuple[Moves, list[tuple[int, dict[str, str], dict[str, Any]]]]:
        """What moves; and by number of those alike what is laid over them now, and the dimensions that gives them."""
        found = Moves()
        changes: list[tuple[int, dict[str, str], dict[str, Any]]] = []
        of_rules = len(self._rules.dimensions)
        for number, segment, said, before, spans, calls, unpriced, cost in rows:
            values: tuple[str | None, ...] = tuple(said)
            reported = dict(zip(self._dimensions, values, strict=True))
            after = self._rules.decide(segment, values[:of_rules])
            sums = Sum(calls, unpriced, cost)
            laid = found.add(self._project_id, reported, before or {}, after, spans, sums)
            if laid is not None:
                changes.append((number, laid, {name: laid.get(name, reported.get(name)) for name in self._settable}))
        return found, changes

    def _execute(self, statement: str) -> psycopg.Cursor[Any]:
        return self._connection.execute(statement.encode(), self._values)


def shown_back(connection: Connection, question: Question, rules: Sequence[SharedRule], *, zone: ZoneInfo) -> Showback:
    """Who bears how much of what ``question`` asks about. Its grouping is replaced; ``zone`` is the instance's."""
    found = Showback()
    grouped = replace(question, group_by=showback.dimensions(rules), interval=Interval.NONE)
    for window in showback.stretches(question.window, rules):
        asked = replace(grouped, window=window)
        rows = reads.spend(connection, asked, sources(asked, zone), zone.key)
        found.add(rows, [rule for rule in rules if rule.covers(window.start)])
    return found


def _json(value: Mapping[str, str | None]) -> str:
    return json.dumps(value, sort_keys=True)


def _projects(connection: Connection) -> dict[int, str]:
    return dict(connection.execute("SELECT id, name FROM project").fetchall())


def _versions(connection: Connection, statement: str, values: Mapping[str, Any]) -> list[Version]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_version(row) for row in cursor.execute(statement.encode(), values).fetchall()]


def _version(row: dict[str, Any]) -> Version:
    changed: tuple[int, int, Decimal | None] = (
        row["changed_calls"],
        row["changed_unpriced_calls"],
        row["changed_cost"],
    )
    kept = ("id", "at", "actor", "source", "undoes", "state", "at_project", "at_time", "finished_at")
    return Version(
        window=Window(row["window_start"], row["window_end"]),
        totals=Totals(row["looked_at"], row["changed_spans"], Sum(*changed)),
        **{name: row[name] for name in kept},
    )
