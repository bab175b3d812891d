"""Bills in the database. Imports are versions: a later one takes the place of earlier ones where it speaks, and can be undone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from outlay_collector.access.store import note, project_id, project_ids
from outlay_collector.bills import sql
from outlay_collector.bills.line import Bill, BillLine
from outlay_collector.bills.reconcile import CAUSES, EXACT, Billed, Gap, Traced, compare
from outlay_collector.errors import BadRequest, Conflict, NotFound
from outlay_collector.export.focus import meters
from outlay_collector.export.store import charged
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import DAY, Window
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Basis, Question, sources
from outlay_collector.pricing import names
from outlay_collector.pricing.book import Book

Connection = psycopg.Connection[Any]

_UTC = ZoneInfo("UTC")
_ZERO = Decimal(0)
_A_DAY = timedelta(hours=25)
"""Lines longer than the longest day are of a whole period; only that can be compared then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What became of a bill. ``is_new`` is false when it was known: nothing was written then."""

    id: int
    is_new: bool
    format: str
    lines: int
    billed: Decimal
    left_out: int
    left_out_cost: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciled:
    """``outside`` is what was traced for providers and days that no bill speaks of."""

    window: Window
    gaps: tuple[Gap, ...]
    covers: Mapping[str, tuple[date, date]]
    outside: Mapping[str, Decimal]
    booked: Decimal


def import_bill(connection: Connection, bill: Bill, *, name: str, actor: str, book: Book) -> Imported:
    """Store a bill as a version; the same bill again is no other one.

    BadRequest when a line is in a currency that no exchange rate of its day is known for.
    """
    rows = [_row(line, position, book) for position, line in enumerate(bill.lines)]
    billed = sum_of(row["billed"] for row in rows if row["billed"] is not None)
    digest = _digest(bill)
    connection.execute("LOCK TABLE bill_import IN SHARE ROW EXCLUSIVE MODE")
    known = connection.execute(sql.SAME, {"digest": digest}).fetchone()
    said: dict[str, Any] = {
        "format": bill.format,
        "lines": len(rows),
        "billed": billed,
        "left_out": bill.left_out,
        "left_out_cost": bill.left_out_cost,
    }
    if known is not None:
        return Imported(id=known[0], is_new=False, **said)
    made = connection.execute(sql.NEW, said | {"actor": actor, "name": name[:500], "digest": digest}).fetchone()
    assert made is not None
    with connection.cursor() as cursor, cursor.copy(sql.COPY_LINES.encode()) as copy:
        for row in rows:
            copy.write_row([made[0] if column == "import_id" else row[column] for column in sql.LINE_COLUMNS])
    for scope, (starts, ends) in bill.covers.items():
        connection.execute(
            "INSERT INTO bill_cover (import_id, scope, starts, ends) VALUES (%s, %s, %s, %s)",
            (made[0], scope, starts, ends),
        )
    note(connection, actor, "bill.import", str(made[0]), {"name": name, "lines": len(rows), "billed": str(billed)})
    return Imported(id=made[0], is_new=True, **said)


def _row(line: BillLine, position: int, book: Book) -> dict[str, Any]:
    billed, rate_id = line.cost, None
    if line.cost is not None and line.currency != book.currency:
        rate = book.rates.find(line.currency, line.starts)
        if rate is None:
            why = book.rates.why_not(line.currency, line.starts)
            raise BadRequest(f"Line {line.number} is in {line.currency}, and {why}. Nothing was imported.")
        billed, rate_id = EXACT.multiply(line.cost, rate.rate), rate.id
    row = asdict(line)
    row["model"] = line.model[:300] if line.model else None
    return row | {"position": position, "billed": billed, "fx_rate_id": rate_id, "description": line.description[:500]}


def _digest(bill: Bill) -> str:
    """Of what the bill says, however its file is written."""
    said = {
        "format": bill.format,
        "covers": {scope: list(map(str, stretch)) for scope, stretch in sorted(bill.covers.items())},
        "lines": [[str(value) for name, value in asdict(line).items() if name != "number"] for line in bill.lines],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def undo(connection: Connection, import_id: int, *, actor: str) -> None:
    """Lines of earlier imports hold again where this one spoke."""
    row = connection.execute(
        "UPDATE bill_import SET undone_at = clock_timestamp(), undone_by = %s WHERE id = %s AND undone_at IS NULL RETURNING id",
        (actor, import_id),
    ).fetchone()
    if row is None:
        known = connection.execute("SELECT undone_at FROM bill_import WHERE id = %s", (import_id,)).fetchone()
        if known is None:
            raise NotFound(f"There is no bill import {import_id}; outlay bill list names them.")
        raise Conflict(f"Bill import {import_id} is undone already.")
    note(connection, actor, "bill.undo", str(import_id))


def listed(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """Imports, newest first, and whether they are in force, replaced by later ones, or undone."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql.LISTED.encode(), {"limit": limit}).fetchall()


def accounts(connection: Connection) -> list[dict[str, Any]]:
    """Accounts in bills in force, what they cost, and the project they are mapped to."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql.ACCOUNTS.encode()).fetchall()


def name_account(connection: Connection, provider: str, account: str, project: str, *, actor: str) -> None:
    """What a provider calls ``account`` is our ``project``."""
    project_id(connection, project)
    _name(connection, provider, "account", account, project, actor)


def name_model(connection: Connection, provider: str, name: str, model: str, *, actor: str) -> None:
    """What a provider's bills call ``name`` is the model that calls call ``model``."""
    _name(connection, provider, "model", name, model, actor)


def _name(connection: Connection, provider: str, kind: str, name: str, meaning: str, actor: str) -> None:
    seller = names.provider(provider) or provider
    connection.execute(
        "INSERT INTO bill_name (provider, kind, name, meaning) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (provider, kind, name) DO UPDATE SET meaning = excluded.meaning",
        (seller, kind, name, meaning),
    )
    note(connection, actor, f"bill.map.{kind}", f"{seller}/{name}", {"meaning": meaning})


def has_bills(connection: Connection) -> bool:
    row = connection.execute("SELECT EXISTS (SELECT FROM bill_import WHERE undone_at IS NULL)").fetchone()
    return bool(row and row[0])


def reconcile(connection: Connection, window: Window, *, book: Book, provider: str | None = None) -> Reconciled:
    """What bills in force and calls say of the UTC days that ``window`` touches."""
    days = Window(_midnight(window.start), _midnight(window.end - timedelta(microseconds=1)) + DAY)
    asked = {"start": days.start, "end": days.end, "provider": names.provider(provider) if provider else None}
    covers = {
        seller: (start.astimezone(UTC).date(), (end - timedelta(microseconds=1)).astimezone(UTC).date())
        for seller, start, end in connection.execute(sql.COVERS, asked).fetchall()
    }
    said = _Names(connection, book)
    billed, whole = _billed(connection, asked, covers, said)
    traced, outside = _traced(connection, days, covers, whole, said, book)
    gaps = compare(billed, traced, covers=covers, rate_of=_rate_of(book))
    booked = sum_of(cost for *_, cost in connection.execute(sql.BOOKED, asked).fetchall())
    return Reconciled(window=days, gaps=tuple(gaps), covers=covers, outside=outside, booked=booked)


def summary(connection: Connection, window: Window, *, zone: ZoneInfo) -> tuple[Decimal, Decimal] | None:
    """What was billed in the UTC days that ``window`` touches, and what was spent by calls of the same providers and days.

    From sums alone, so that a page may ask it every time. None when no bill speaks of these days.
    """
    days = Window(_midnight(window.start), _midnight(window.end - timedelta(microseconds=1)) + DAY)
    asked = {"start": days.start, "end": days.end, "provider": None}
    covers = connection.execute(sql.COVERS, asked).fetchall()
    if not covers:
        return None
    billed = sum_of(row[-1] for row in connection.execute(sql.BILLED.encode(), asked).fetchall())
    ids = tuple(project_ids(connection).values())
    traced = _ZERO
    for bounds in {(start, end) for _, start, end in covers}:
        sellers = {seller for seller, start, end in covers if (start, end) == bounds}
        question = Question(
            project_ids=ids, window=Window(*bounds), zone=_UTC, group_by=("provider",), basis=Basis.INCURRED
        )
        for row in reads.spend(connection, question, sources(question, zone), zone.key):
            seller = names.provider(row["provider"]) or row["provider"] or "unknown"
            if seller in sellers and row["cost"] is not None:
                traced = EXACT.add(traced, row["cost"])
    booked = sum_of(cost for *_, cost in connection.execute(sql.BOOKED, asked).fetchall())
    return billed, EXACT.subtract(traced, booked)


class _Names:
    """What the names in bills and calls have in common."""

    def __init__(self, connection: Connection, book: Book) -> None:
        self._book = book
        self._models: dict[tuple[str, str], str] = {}
        self._projects: dict[tuple[str, str], str] = {}
        self.mapped: dict[str, set[str]] = {}
        for seller, kind, name, meaning in connection.execute("SELECT provider, kind, name, meaning FROM bill_name"):
            (self._projects if kind == "account" else self._models)[seller, name] = meaning
            if kind == "account":
                self.mapped.setdefault(seller, set()).add(meaning)
        self._known: dict[tuple[str, str | None], str | None] = {}

    def model(self, seller: str, name: str | None) -> str | None:
        """The name in the price book, where it has one, so that an alias and its snapshot are one."""
        key = (seller, name)
        if key not in self._known:
            meant = self._models.get((seller, name or ""), name)
            rows = self._book.find(seller, meant) if meant else []
            self._known[key] = rows[0].model if rows else (meant.strip().lower() if meant else None)
        return self._known[key]

    def project_of_account(self, seller: str, account: str | None) -> str | None:
        return self._projects.get((seller, account or ""))

    def project(self, seller: str, project: str) -> str | None:
        """Projects that no account is mapped to are told apart by nobody."""
        return project if project in self.mapped.get(seller, ()) else None


def _billed(
    connection: Connection, asked: Mapping[str, Any], covers: Mapping[str, tuple[date, date]], said: _Names
) -> tuple[list[Billed], set[str]]:
    """Lines in force, and the providers whose lines are of longer periods than days."""
    rows = connection.execute(sql.BILLED.encode(), asked).fetchall()
    whole = {seller for _, seller, _, _, _, _, longest, _, _ in rows if longest > _A_DAY}
    found = [
        Billed(
            day=covers[seller][0] if seller in whole else day,
            project=said.project_of_account(seller, account),
            provider=seller,
            model=said.model(seller, model),
            meter=meter,
            tier=names.tier(tier),
            quantity=quantity,
            cost=billed,
        )
        for day, seller, account, model, meter, tier, _, quantity, billed in rows
    ]
    return found, whole


def _traced(
    connection: Connection,
    days: Window,
    covers: Mapping[str, tuple[date, date]],
    whole: Collection[str],
    said: _Names,
    book: Book,
) -> tuple[list[Traced], dict[str, Decimal]]:
    """Calls by hour, a day beyond the bills on either side; and what was traced where no bill speaks."""
    projects = {number: name for name, number in project_ids(connection).items()}
    wider = Window(days.start - DAY, days.end + DAY)
    question = Question(project_ids=tuple(projects), window=wider, zone=_UTC)
    found: list[Traced] = []
    outside: dict[str, Decimal] = {}
    for group, its_book in charged(connection, question, projects=projects, book=book, hourly=True):
        seller = names.provider(group.provider) or group.provider or "unknown"
        assert group.hour is not None
        first, last = covers.get(seller, (date.max, date.min))
        hour = group.hour.astimezone(UTC)
        if not first <= hour.date() <= last and days.start <= hour < days.end and group.cost is not None:
            outside[seller] = EXACT.add(outside.get(seller, _ZERO), group.cost)
        if seller not in covers or (seller in whole and not first <= hour.date() <= last):
            continue
        found.extend(
            Traced(
                hour=datetime.combine(first, time(), UTC) if seller in whole else hour,
                project=said.project(seller, group.project),
                provider=seller,
                model=said.model(seller, group.model),
                meter=meter.name,
                tier=names.tier(group.service_tier),
                quantity=Decimal(meter.quantity),
                cost=meter.cost,
            )
            for meter in meters(group, its_book)
        )
    return found, outside


def _rate_of(book: Book) -> Callable[[str, str | None, str, str, datetime], Decimal | None]:
    def rate_of(seller: str, model: str | None, tier: str, meter: str, at: datetime) -> Decimal | None:
        rule = book.rule((seller, model, tier, None, None), at=at, prompt=0, used=[meter])
        if rule is None or rule.rates is None or rule.factor is None:
            return None
        rate = rule.rates.get(meter)
        return None if rate is None else EXACT.multiply(rate, rule.factor)

    return rate_of


def book_gaps(
    connection: Connection,
    found: Reconciled,
    *,
    actor: str,
    causes: Sequence[str] = CAUSES,
    provider: str | None = None,
    default_project: str | None = None,
    undo: bool = False,
) -> tuple[int, Decimal]:
    """Bring the ledger to what was billed: a line per day, project, model and cause, for what is not booked yet.

    Again, it books what has changed since; with ``undo`` it takes back all that was booked in the window. Days in closed
    months are booked in the month that is open. Returns how many lines that were, and their sum.
    """
    wanted: dict[tuple[str, date, str, str | None, str], Decimal] = {}
    for gap in () if undo else found.gaps:
        project = gap.project or default_project
        for cause, amount in gap.parts.items():
            if cause not in causes:
                continue
            if project is None:
                raise BadRequest(
                    f"{gap.provider} of {gap.day} is of no project: map its accounts (outlay bill map), or say to which"
                    " project it is booked (--project)."
                )
            key = (project, gap.day, gap.provider, gap.model, cause)
            wanted[key] = EXACT.add(wanted.get(key, _ZERO), amount)
    ids = project_ids(connection)
    for name in sorted(ids, key=lambda name: ids[name]):
        ledger.lock(connection, ids[name])
    asked = {
        "start": found.window.start,
        "end": found.window.end,
        "provider": names.provider(provider) if provider else None,
    }
    for *key, cost in connection.execute(sql.BOOKED, asked).fetchall():
        if key[4] in causes:
            place = (key[0], key[1], key[2], key[3], key[4])
            wanted[place] = EXACT.subtract(wanted.get(place, _ZERO), cost)
    lines, total = 0, _ZERO
    for (project, day, seller, model, cause), cost in sorted(wanted.items(), key=str):
        if not cost:
            continue
        dimensions = {"provider": seller} | ({"model": model} if model else {})
        row = connection.execute(
            sql.BOOK,
            {
                "project": ids[project],
                "at": datetime.combine(day, time(), UTC),
                "cause": cause,
                "cost": cost,
                "dimensions": Jsonb(dimensions),
                "detail": Jsonb({"by": actor}),
            },
        ).fetchone()
        assert row is not None
        ledger.mark_dirty(connection, ids[project], [at.replace(second=0, microsecond=0) for at in row])
        lines, total = lines + 1, EXACT.add(total, cost)
    window = f"{found.window.start:%Y-%m-%d}/{found.window.end:%Y-%m-%d}"
    note(connection, actor, "bill.unbook" if undo else "bill.book", window, {"lines": lines, "sum": str(total)})
    return lines, total


def sum_of(amounts: Iterable[Decimal]) -> Decimal:
    """Exact, however many digits."""
    total = _ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _midnight(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
