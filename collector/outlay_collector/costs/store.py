"""Costs in the database: what was entered, and its lines in the ledger. Transactions belong to the caller.

Lines of one entry and day always add up to that day's part, or to nothing once it is removed. Those booked in a closed month
stand; what differs from them is a line of the month that is open. So adding, changing and removing are one operation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from outlay_collector.costs.entries import Entry, dimensions_of, midnight, spread
from outlay_collector.errors import Conflict, NotFound
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.months import store as months
from outlay_collector.pricing.currencies import store as fx
from outlay_collector.pricing.price import difference, times
from outlay_collector.pricing.store import newest_version

Connection = psycopg.Connection[Any]

_ENTRY = (
    "id, project_id, key, kind, amount, currency, cost, fx_rate_id, starts, ends, dimensions, quantity, unit, note,"
    " created_at, created_by, removed_at, removed_by"
)


@dataclass(frozen=True, slots=True)
class Share:
    """What falls on one day: ``cost`` in the instance's currency, ``charge_cost`` in the entry's if that is another."""

    cost: Decimal
    charge_cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of an entry: ``added``, ``replaced`` (another one of the same key) or ``known``."""

    outcome: str
    entry: dict[str, Any]


def enter(
    connection: Connection, project_id: int, entry: Entry, *, actor: str, zone: ZoneInfo, replace: bool = False
) -> Entered:
    """Book a cost. The same again is ``known`` and changes nothing.

    Conflict when its key is known with something else (unless ``replace``), or when there is no exchange rate for its first day.
    """
    ledger.lock(connection, project_id)
    before = _standing(connection, project_id, entry.key)
    if before is not None and _says(before, entry):
        return Entered("known", before)
    if before is not None and not replace:
        raise Conflict(
            f"Cost {entry.key!r} is entered already, as {before['amount']} {before['currency']} {before['kind']} from"
            f" {before['starts']}: remove it first, or give this one another key."
        )
    if before is not None:
        take_back(connection, before, actor=actor)
    rate, rate_id = _rate(connection, entry, zone)
    row = _one(
        connection,
        f"""
        INSERT INTO cost_entry (project_id, key, kind, amount, currency, cost, fx_rate_id, starts, ends, dimensions,
                                quantity, unit, note, created_by)
        VALUES (%(project)s, %(key)s, %(kind)s, %(amount)s, %(currency)s, %(cost)s, %(fx_rate_id)s, %(starts)s, %(ends)s,
                %(dimensions)s, %(quantity)s, %(unit)s, %(note)s, %(actor)s)
        RETURNING {_ENTRY}
        """,
        {
            "project": project_id,
            "key": entry.key,
            "kind": entry.kind,
            "amount": entry.amount,
            "currency": entry.currency,
            "cost": times(entry.amount, rate),
            "fx_rate_id": rate_id,
            "starts": entry.start,
            "ends": entry.end,
            "dimensions": Jsonb(dimensions_of(entry)),
            "quantity": entry.quantity,
            "unit": entry.unit,
            "note": entry.note,
            "actor": actor,
        },
    )
    assert row is not None
    wanted = {
        part.at: Share(times(part.amount, rate), part.amount if rate_id is not None else None)
        for part in spread(entry.amount, entry.start, entry.end, zone)
        if part.amount
    }
    _book(connection, row, wanted)
    return Entered("added" if before is None else "replaced", row)


def _rate(connection: Connection, entry: Entry, zone: ZoneInfo) -> tuple[Decimal, int | None]:
    """Of the first day: a cost is converted once, when it begins."""
    rates = fx.load(connection, newest_version(connection), currencies=[entry.currency])
    if entry.currency == rates.target:
        return Decimal(1), None
    at = midnight(entry.start, zone)
    found = rates.find(entry.currency, at)
    if found is None:
        raise Conflict(f"Cost {entry.key!r} is in {entry.currency}: {rates.why_not(entry.currency, at)}.")
    return found.rate, found.id


def remove(connection: Connection, project_id: int, key: str, *, actor: str) -> dict[str, Any]:
    """Take a cost back: its lines go, and of closed months the reversal is booked in the open one. NotFound if unknown."""
    ledger.lock(connection, project_id)
    row = _standing(connection, project_id, key)
    if row is None:
        raise NotFound(f"There is no cost {key!r:.80}; outlay cost list names them.")
    return take_back(connection, row, actor=actor)


def take_back(connection: Connection, row: dict[str, Any], *, actor: str) -> dict[str, Any]:
    """Like ``remove``, of an entry at hand. The caller holds the project's lock."""
    removed = _one(
        connection,
        f"UPDATE cost_entry SET removed_at = clock_timestamp(), removed_by = %(actor)s WHERE id = %(id)s RETURNING {_ENTRY}",
        {"id": row["id"], "actor": actor},
    )
    assert removed is not None
    _book(connection, removed, {})
    return removed


def compute(
    connection: Connection,
    project_id: int,
    *,
    key: str,
    kind: str,
    amount: Decimal,
    currency: str,
    cost: Decimal,
    month: date,
    dimensions: Mapping[str, Any],
    wanted: Mapping[datetime, Share],
) -> bool:
    """Make an entry that follows from something else what that asks for now; True if it was anything else.

    The caller holds the project's lock.
    """
    row = _standing(connection, project_id, key)
    if row is None and not wanted:
        return False
    if row is None:
        row = _one(
            connection,
            f"""
            INSERT INTO cost_entry (project_id, key, kind, amount, currency, cost, starts, ends, dimensions, created_by)
            VALUES (%(project)s, %(key)s, %(kind)s, %(amount)s, %(currency)s, %(cost)s, %(starts)s, %(ends)s,
                    %(dimensions)s, 'outlay worker')
            RETURNING {_ENTRY}
            """,
            {
                "project": project_id, "key": key, "kind": kind, "amount": amount, "currency": currency, "cost": cost,
                "starts": month, "ends": (month + timedelta(days=31)).replace(day=1), "dimensions": Jsonb(dict(dimensions)),
            },
        )  # fmt: skip
        assert row is not None
    elif (row["amount"], row["cost"]) != (amount, cost):
        connection.execute("UPDATE cost_entry SET amount = %s, cost = %s WHERE id = %s", (amount, cost, row["id"]))
    return _book(connection, row, wanted)


def _book(connection: Connection, row: dict[str, Any], wanted: Mapping[datetime, Share]) -> bool:
    """Make the lines of an entry add up to ``wanted``; False if they do. The caller holds the project's lock."""
    closed = list(months.closed(connection).values())
    now = datetime.now(UTC)
    open_from = max([now, *(month.end for month in closed)])
    standing: dict[datetime, list[dict[str, Any]]] = {}
    for line in _lines(connection, row["id"]):
        standing.setdefault(line["incurred_time"].astimezone(UTC), []).append(line)
    minutes: set[datetime] = set()
    for at in sorted({*wanted, *standing}):
        lines = standing.get(at, [])
        stay = [line for line in lines if _within(line["charge_time"], closed)]
        go = [line for line in lines if line not in stay]
        share = wanted.get(at, Share(Decimal(0), None))
        cost = _less(share.cost, [line["cost"] for line in stay])
        if not _less(cost, [line["cost"] for line in go]) and (go or not cost):
            continue
        _delete(connection, go)
        charge = _less(share.charge_cost, [line["charge_cost"] for line in stay])
        minutes |= {moment for line in go for moment in (line["charge_time"], line["incurred_time"])}
        if cost:
            booked = open_from if _within(at, closed) else at
            foreign = share.charge_cost is not None or any(line["charge_cost"] is not None for line in stay)
            _insert(connection, row, booked, at, Share(cost, charge if foreign else None), reverses=at not in wanted)
            minutes |= {booked, at}
    ledger.mark_dirty(
        connection, row["project_id"], {moment.astimezone(UTC).replace(second=0, microsecond=0) for moment in minutes}
    )
    return bool(minutes)


def _less(amount: Decimal | None, parts: Iterable[Decimal | None]) -> Decimal:
    """Exactly; Python's own context keeps 28 digits."""
    for part in parts:
        amount = difference(part, amount)
    return amount or Decimal(0)


def _within(at: datetime, closed: Sequence[Window]) -> bool:
    return any(month.start <= at < month.end for month in closed)


def _lines(connection: Connection, entry_id: Any) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT id, charge_time, incurred_time, cost, charge_cost FROM ledger_line WHERE entry_id = %s", (entry_id,)
        ).fetchall()


def _delete(connection: Connection, lines: Sequence[dict[str, Any]]) -> None:
    if lines:
        connection.execute("DELETE FROM ledger_line WHERE id = ANY(%s)", ([line["id"] for line in lines],))


def _insert(
    connection: Connection, row: dict[str, Any], booked: datetime, at: datetime, share: Share, *, reverses: bool
) -> None:
    connection.execute(
        """
        INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, dimensions, detail, entry_id,
                                 charge_cost, charge_currency, fx_rate_id)
        VALUES (%(project)s, %(booked)s, %(at)s, %(kind)s, %(cause)s, %(cost)s, %(dimensions)s, %(detail)s, %(entry)s,
                %(charge_cost)s, %(charge_currency)s, %(fx_rate_id)s)
        """,
        {
            "project": row["project_id"],
            "booked": booked,
            "at": at,
            "kind": row["kind"],
            "cause": "cost_removed" if reverses else "cost_entered",
            "cost": share.cost,
            "dimensions": Jsonb(row["dimensions"]),
            "detail": Jsonb({"key": row["key"]}),
            "entry": row["id"],
            "charge_cost": share.charge_cost,
            "charge_currency": row["currency"] if share.charge_cost is not None else None,
            "fx_rate_id": row["fx_rate_id"],
        },
    )


def listed(
    connection: Connection, project_ids: Sequence[int], *, with_removed: bool = False, limit: int = 1_000
) -> list[dict[str, Any]]:
    """Newest first. ``booked`` is what its lines add up to."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            SELECT {_ENTRY}, (SELECT coalesce(sum(line.cost), 0) FROM ledger_line AS line WHERE line.entry_id = cost_entry.id)
                   AS booked
              FROM cost_entry
             WHERE project_id = ANY(%s) AND (%s OR removed_at IS NULL)
             ORDER BY starts DESC, created_at DESC, key
             LIMIT %s
            """,
            (list(project_ids), with_removed, limit),
        ).fetchall()


def as_json(row: Mapping[str, Any], projects: Mapping[int, str], currency: str) -> dict[str, Any]:
    """As the API and the command show it; money as decimal strings."""

    def plain(amount: Decimal | None) -> str | None:
        return None if amount is None else format(amount, "f")

    return {
        "id": str(row["id"]),
        "key": row["key"],
        "project": projects.get(row["project_id"]),
        "kind": row["kind"],
        "amount": plain(row["amount"]),
        "currency": row["currency"],
        "cost": plain(row["cost"]),
        "cost_currency": currency,
        "fx_rate_id": row["fx_rate_id"],
        "from": row["starts"],
        "to": row["ends"],
        "days": (row["ends"] - row["starts"]).days,
        "dimensions": row["dimensions"],
        "quantity": plain(row["quantity"]),
        "unit": row["unit"],
        "note": row["note"],
        "created_at": row["created_at"],
        "created_by": row["created_by"],
        "removed_at": row["removed_at"],
        "removed_by": row["removed_by"],
        "booked": plain(row.get("booked")),
    }


def _standing(connection: Connection, project_id: int, key: str) -> dict[str, Any] | None:
    return _one(
        connection,
        f"SELECT {_ENTRY} FROM cost_entry WHERE project_id = %(project)s AND key = %(key)s AND removed_at IS NULL",
        {"project": project_id, "key": key},
    )


def standing_of(connection: Connection, project_id: int, prefix: str) -> list[dict[str, Any]]:
    """Entries whose key begins with ``prefix``."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"SELECT {_ENTRY} FROM cost_entry WHERE project_id = %s AND starts_with(key, %s) AND removed_at IS NULL",
            (project_id, prefix),
        ).fetchall()


def _says(row: Mapping[str, Any], entry: Entry) -> bool:
    return (
        row["kind"], row["amount"], row["currency"], row["starts"], row["ends"], row["dimensions"],
        row["quantity"], row["unit"], row["note"],
    ) == (
        entry.kind, entry.amount, entry.currency, entry.start, entry.end, dimensions_of(entry),
        entry.quantity, entry.unit, entry.note,
    )  # fmt: skip


def _one(connection: Connection, statement: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), values).fetchone()
