"""Exchange rates in the database, and the currency that all costs are in. Transactions belong to the caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from outlay_collector.errors import Conflict, OtherCurrency
from outlay_collector.pricing.currencies.rates import Rate, Rates

Connection = psycopg.Connection[Any]

COLUMNS: LiteralString = "currency, target, day, starts, ends, rate, base, base_currency, base_target, source"
DEFAULT = "USD"

_SETTING = "currency"
_VISIBLE: LiteralString = "opened_in <= %(version)s AND (closed_in IS NULL OR closed_in > %(version)s)"


def instance_currency(connection: Connection) -> str:
    """What every stored cost is in."""
    row = connection.execute("SELECT value FROM instance_setting WHERE name = %s", (_SETTING,)).fetchone()
    return row[0] if row else DEFAULT


def adopt(connection: Connection, wanted: str) -> None:
    """Have costs in ``wanted`` from the first one on. Conflict when there are some in another currency."""
    known = instance_currency(connection)
    if wanted != known and _has_costs(connection):
        raise Conflict(
            f"Costs of this database are in {known}, and OUTLAY_CURRENCY={wanted}: stored costs are not converted."
            f" Set OUTLAY_CURRENCY={known}, or begin with a new database."
        )
    connection.execute(
        "INSERT INTO instance_setting (name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_SETTING, wanted),
    )


def _has_costs(connection: Connection) -> bool:
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM span WHERE cost IS NOT NULL) OR EXISTS (SELECT FROM ledger_line)"
        " OR EXISTS (SELECT FROM cost_day)"
    ).fetchone()
    return bool(row and row[0])


def check(connection: Connection, configured: str) -> None:
    """OtherCurrency when this process is told of another currency than costs are in: it would add up two of them."""
    known = instance_currency(connection)
    if known != configured:
        raise OtherCurrency(
            f"Costs of this database are in {known}, and OUTLAY_CURRENCY={configured}. Set OUTLAY_CURRENCY={known}; of a"
            " database without costs, outlay migrate changes it."
        )


def load(connection: Connection, version: int, *, currencies: Sequence[str]) -> Rates:
    """Rates from ``currencies`` into the instance's, as of a version of the price book."""
    target = instance_currency(connection)
    if not set(currencies) - {target}:
        return Rates(target)
    return Rates(target, rates(connection, version, currencies=currencies))


def rates(connection: Connection, version: int, *, currencies: Sequence[str] | None = None) -> list[Rate]:
    """Into the instance's currency, by currency and day."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            f"SELECT id, {COLUMNS} FROM fx_rate WHERE target = %(target)s AND {_VISIBLE}"
            " AND (%(currencies)s::text[] IS NULL OR currency = ANY(%(currencies)s)) ORDER BY currency, day",
            {
                "target": instance_currency(connection),
                "version": version,
                "currencies": None if currencies is None else list(currencies),
            },
        ).fetchall()
    return [Rate(**row) for row in rows]


def write(connection: Connection, *, close: Iterable[Rate], open_: Iterable[Rate], version: int) -> None:
    """Close and open rows in a version that was made for it."""
    connection.execute(
        "UPDATE fx_rate SET closed_in = %s WHERE id = ANY(%s) AND closed_in IS NULL",
        (version, [row.id for row in close]),
    )
    names = [name.strip() for name in COLUMNS.split(",")]
    with connection.cursor().copy(f"COPY fx_rate ({COLUMNS}, opened_in) FROM STDIN") as copy:
        for row in open_:
            copy.write_row((*(getattr(row, name) for name in names), version))


def rate(connection: Connection, rate_id: int) -> Rate | None:
    """The rate that a charge names, though it may have been closed since."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(f"SELECT id, {COLUMNS} FROM fx_rate WHERE id = %s", (rate_id,)).fetchone()
    return Rate(**row) if row else None
