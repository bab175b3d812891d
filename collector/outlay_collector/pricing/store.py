"""The price book in the database. Transactions belong to the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from outlay_collector.errors import Conflict, NotFound
from outlay_collector.pricing import bundled, corrections, diff
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.corrections import Corrections
from outlay_collector.pricing.currencies import store as fx
from outlay_collector.pricing.currencies.rates import Rate, RateDiff
from outlay_collector.pricing.currencies.rates import compare as compare_rates
from outlay_collector.pricing.diff import Diff
from outlay_collector.pricing.imports import Catalogue, bundled_catalogue
from outlay_collector.pricing.rows import (
    CATALOGUE,
    CORRECTION,
    FALLBACK,
    LOCAL,
    RULE,
    DiscountRow,
    ModelRow,
    Pooled,
    PriceRow,
)
from outlay_collector.pricing.windows import Window

Connection = psycopg.Connection[Any]

# Any number serves, as long as every process uses the same one.
_LOCK = 0x0071_AE05

_MODEL_COLUMNS: LiteralString = "layer, provider, model, match, position, project_id, billed_as, complete, note"
_PRICE_COLUMNS: LiteralString = (
    "layer, provider, model, unit, amount, per, currency, tier, context_over, day_window, region_class, valid_from,"
    " valid_to, project_id, source_url, source_kind, checked"
)
_DISCOUNT_COLUMNS: LiteralString = "provider, model, unit, percent, valid_from, valid_to, project_id, note"


_TABLES: tuple[tuple[LiteralString, LiteralString], ...] = (
    ("price", _PRICE_COLUMNS),
    ("price_model", _MODEL_COLUMNS),
    ("price_discount", _DISCOUNT_COLUMNS),
    ("fx_rate", fx.COLUMNS),
)


@dataclass(slots=True)
class _Stored:
    """Open rows with the ids they have in the database."""

    models: dict[int, ModelRow] = field(default_factory=dict[int, ModelRow])
    prices: list[PriceRow] = field(default_factory=list[PriceRow])
    discounts: list[DiscountRow] = field(default_factory=list[DiscountRow])


def newest_version(connection: Connection) -> int:
    """The number that changes whenever a price does; 0 before the first import."""
    found = connection.execute("SELECT coalesce(max(id), 0) FROM price_catalogue").fetchone()
    return found[0] if found else 0


def load_book(connection: Connection, version: int | None = None) -> Book:
    """The book as of ``version``, or the newest. Rows closed since are read with an older version."""
    wanted = newest_version(connection) if version is None else version
    stored = _rows(connection, wanted)
    currencies = {row.currency for row in stored.prices}
    currencies |= {currency for (currency,) in connection.execute("SELECT DISTINCT currency FROM gpu_rate").fetchall()}
    return Book.from_rows(
        stored.models.values(),
        stored.prices,
        stored.discounts,
        version=wanted,
        signature=f"catalogue:{wanted}",
        rates=fx.load(connection, wanted, currencies=sorted(currencies)),
        pooled=_pooled(connection),
    )


def _pooled(connection: Connection) -> list[Pooled]:
    """As it is now: which pool a model runs on is no matter of versions."""
    rows = connection.execute(
        "SELECT providers, model, project_id, valid_from, valid_to FROM gpu_serving ORDER BY id"
    ).fetchall()
    return [
        Pooled(
            providers=frozenset(name.lower() for name in providers),
            model=model.lower(),
            project_id=project_id,
            valid_from=_utc(valid_from),
            valid_to=_utc(valid_to),
        )
        for providers, model, project_id, valid_from, valid_to in rows
    ]


def note_pools(connection: Connection, name: str, *, actor: str) -> int:
    """Have every process load the book again, because models run on another pool than before."""
    return _new_version(connection, kind="pools", name=name, actor=actor, summary={})


def _rows(connection: Connection, version: int) -> _Stored:
    visible: LiteralString = "opened_in <= %(version)s AND (closed_in IS NULL OR closed_in > %(version)s)"
    bound = {"version": version}
    stored = _Stored()
    for number, layer, provider, model, match, position, project_id, billed_as, complete, note in connection.execute(
        f"SELECT id, {_MODEL_COLUMNS} FROM price_model WHERE {visible} ORDER BY id",
        bound,
    ):
        stored.models[number] = ModelRow(
            layer=layer,
            provider=provider,
            model=model,
            match=match,
            position=position,
            project_id=project_id,
            billed_as=billed_as,
            complete=complete,
            note=note,
        )
    windows = _Windows()
    stored.prices = [
        _price(row, windows)
        for row in connection.execute(
            f"SELECT id, {_PRICE_COLUMNS} FROM price WHERE {visible} ORDER BY id",
            bound,
        )
    ]
    stored.discounts = [
        DiscountRow(
            id=row[0],
            provider=row[1],
            model=row[2],
            unit=row[3],
            percent=row[4],
            valid_from=_utc(row[5]),
            valid_to=_utc(row[6]),
            project_id=row[7],
            note=row[8],
        )
        for row in connection.execute(
            f"SELECT id, {_DISCOUNT_COLUMNS} FROM price_discount WHERE {visible} ORDER BY id",
            bound,
        )
    ]
    return stored


class _Windows(dict[str, Window]):
    """Equal windows are one object, so that a card compares them quickly."""

    def of(self, raw: dict[str, Any] | None) -> Window | None:
        if raw is None:
            return None
        key = repr(raw)
        if key not in self:
            self[key] = Window.from_json(raw)
        return self[key]


def _price(row: tuple[Any, ...], windows: _Windows) -> PriceRow:
    return PriceRow(
        id=row[0],
        layer=row[1],
        provider=row[2],
        model=row[3],
        unit=row[4],
        amount=row[5],
        per=row[6],
        currency=row[7],
        tier=row[8],
        context_over=row[9],
        window=windows.of(row[10]),
        region_class=row[11],
        valid_from=_utc(row[12]),
        valid_to=_utc(row[13]),
        project_id=row[14],
        source_url=row[15],
        source_kind=row[16],
        checked=row[17],
    )


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Imported:
    """``version`` is None when nothing was written: nothing changed, it was refused, or it was only a look."""

    version: int | None
    diff: Diff


def import_bundled(connection: Connection, *, now: datetime | None = None) -> Imported:
    """Bring the tables up to what this version of Outlay comes with; at once when they are.

    The sanity gate does not stop it: what comes with a release was reviewed with the release.
    """
    digest = bundled.digest()
    if _bundled_digest(connection) == digest:
        return Imported(None, Diff())
    _lock(connection)
    if _bundled_digest(connection) == digest:
        return Imported(None, Diff())
    return _import(
        connection,
        bundled_catalogue(),
        kind="bundled",
        actor="outlay migrate",
        at=now or datetime.now(UTC),
        digest=digest,
    )


def _bundled_digest(connection: Connection) -> str | None:
    found = connection.execute(
        "SELECT digest FROM price_catalogue WHERE kind = 'bundled' ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return found[0] if found else None


def import_catalogue(
    connection: Connection,
    catalogue: Catalogue,
    *,
    kind: str,
    actor: str,
    at: datetime,
    apply: bool = True,
    allow_leaps: bool = False,
) -> Imported:
    """Make what ``catalogue`` says the newest version. ``diff.refusals`` says why when the sanity gate stops it.

    Importing the same thing again changes nothing and makes no version.
    """
    _lock(connection)
    return _import(connection, catalogue, kind=kind, actor=actor, at=at, apply=apply, gate=not allow_leaps)


def _import(
    connection: Connection,
    catalogue: Catalogue,
    *,
    kind: str,
    actor: str,
    at: datetime,
    digest: str | None = None,
    apply: bool = True,
    gate: bool = False,
) -> Imported:
    stored = _rows(connection, newest_version(connection))
    found = compare(stored.models.values(), stored.prices, catalogue, bundled.corrections(), at=at)
    if not apply or (gate and found.refusals) or (found.is_empty and digest is None):
        return Imported(None, found)
    version = _new_version(
        connection, kind=kind, name=catalogue.name, actor=actor, digest=digest, summary=found.summary()
    )
    _apply(connection, found, stored, version)
    return Imported(version, found)


@dataclass(frozen=True, slots=True)
class ImportedRates:
    """``version`` is None when nothing was written: nothing changed, it was refused, or it was only a look."""

    version: int | None
    diff: RateDiff


def import_rates(
    connection: Connection,
    rates: Iterable[Rate],
    *,
    name: str,
    actor: str,
    apply: bool = True,
    allow_leaps: bool = False,
) -> ImportedRates:
    """Make exchange rates known as a version of the price book. The same rates again change nothing and make no version."""
    _lock(connection)
    found = compare_rates(fx.rates(connection, newest_version(connection)), rates)
    if not apply or not found.open or (found.refusals and not allow_leaps):
        return ImportedRates(None, found)
    version = _new_version(connection, kind="rates", name=name, actor=actor, summary=found.summary())
    fx.write(connection, close=found.close, open_=found.open, version=version)
    return ImportedRates(version, found)


def compare(
    models: Iterable[ModelRow], prices: Sequence[PriceRow], catalogue: Catalogue, ours: Corrections, *, at: datetime
) -> Diff:
    """What importing ``catalogue`` beside our corrections would change of the open rows ``models`` and ``prices``."""
    models = list(models)
    listed = [row for row in models if row.layer == CATALOGUE]
    priced = [row for row in prices if row.layer == CATALOGUE]
    found = diff.models(listed, catalogue.models, keep_unlisted=True)
    found.join(diff.observed(priced, catalogue.prices, at=at))

    # Rules are worked out from the catalogue as it will stand, so that history we observed is kept in them too.
    standing_models = [*(row for row in listed if row not in found.close_models), *found.open_models]
    closed = {row.id for row in found.close}
    standing = [*(row for row in priced if row.id not in closed), *found.open]
    stated_models, stated = corrections.by_rules(
        ours.rules, [*ours.models, *standing_models], [*ours.prices, *standing]
    )
    reviewed = (CORRECTION, RULE, FALLBACK, LOCAL)
    found.join(
        diff.models(
            (row for row in models if row.layer in reviewed), [*ours.models, *stated_models], keep_unlisted=False
        )
    )
    found.join(diff.reviewed((row for row in prices if row.layer in reviewed), [*ours.prices, *stated]))
    return found


def _lock(connection: Connection) -> None:
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def _new_version(
    connection: Connection,
    *,
    kind: str,
    name: str,
    actor: str,
    digest: str | None = None,
    undoes: int | None = None,
    summary: dict[str, Any],
) -> int:
    found = connection.execute(
        "INSERT INTO price_catalogue (kind, name, actor, digest, undoes, summary)"
        " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        (kind, name, actor, digest, undoes, Jsonb(summary)),
    ).fetchone()
    assert found is not None
    return found[0]


def _apply(connection: Connection, found: Diff, stored: _Stored, version: int) -> None:
    ids = {id(row): number for number, row in stored.models.items()}
    _close(connection, "price", [row.id for row in found.close], version)
    _close(connection, "price_model", [ids[id(row)] for row in found.close_models], version)
    _open_models(connection, found.open_models, version)
    _open_prices(connection, found.open, version)


def _close(connection: Connection, table: LiteralString, ids: Sequence[int], version: int) -> None:
    if ids:
        connection.execute(
            f"UPDATE {table} SET closed_in = %s WHERE id = ANY(%s) AND closed_in IS NULL",
            (version, list(ids)),
        )


def _open_models(connection: Connection, rows: Iterable[ModelRow], version: int) -> None:
    _copy(
        connection,
        "price_model",
        _MODEL_COLUMNS,
        rows,
        lambda row: (
            row.layer,
            row.provider,
            row.model,
            Jsonb(row.match),
            row.position,
            row.project_id,
            Jsonb(row.billed_as),
            row.complete,
            row.note,
            version,
        ),
    )


def _open_prices(connection: Connection, rows: Iterable[PriceRow], version: int) -> None:
    _copy(
        connection,
        "price",
        _PRICE_COLUMNS,
        rows,
        lambda row: (
            row.layer,
            row.provider,
            row.model,
            row.unit,
            row.amount,
            row.per,
            row.currency,
            row.tier,
            row.context_over,
            Jsonb(row.window.as_json()) if row.window else None,
            row.region_class,
            row.valid_from,
            row.valid_to,
            row.project_id,
            row.source_url,
            row.source_kind,
            row.checked,
            version,
        ),
    )


def _open_discounts(connection: Connection, rows: Iterable[DiscountRow], version: int) -> None:
    _copy(
        connection,
        "price_discount",
        _DISCOUNT_COLUMNS,
        rows,
        lambda row: (
            row.provider,
            row.model,
            row.unit,
            row.percent,
            row.valid_from,
            row.valid_to,
            row.project_id,
            row.note,
            version,
        ),
    )


def _copy(
    connection: Connection,
    table: LiteralString,
    columns: LiteralString,
    rows: Iterable[Any],
    values: Callable[[Any], tuple[Any, ...]],
) -> None:
    with connection.cursor().copy(f"COPY {table} ({columns}, opened_in) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(values(row))


def add_own(
    connection: Connection,
    *,
    models: Sequence[ModelRow] = (),
    prices: Sequence[PriceRow] = (),
    discounts: Sequence[DiscountRow] = (),
    actor: str,
    name: str,
) -> int:
    """Enter the user's own prices and discounts as a new version; returns it.

    A price of the same model, unit, tier, context and project ends where the new one begins; discounts stand side by side.
    """
    _lock(connection)
    stored = _rows(connection, newest_version(connection))
    known = {(row.layer, row.provider, row.model, row.project_id) for row in stored.models.values()}
    found = Diff(
        open_models=[row for row in models if (row.layer, row.provider, row.model, row.project_id) not in known]
    )
    keys = {diff.key_of(row) for row in prices}
    before = [row for row in stored.prices if diff.key_of(row) in keys]
    found.join(diff.reviewed(before, _succeeded(before, prices)))
    version = _new_version(
        connection, kind="override", name=name, actor=actor, summary={**found.summary(), "discounts": len(discounts)}
    )
    _apply(connection, found, stored, version)
    _open_discounts(connection, discounts, version)
    return version


def _succeeded(before: Sequence[PriceRow], after: Sequence[PriceRow]) -> list[PriceRow]:
    """The old timeline with the new stretches cut out of it and put in their place."""
    found = list(before)
    for new in after:
        cut: list[PriceRow] = []
        for old in found:
            cut.extend(_outside(old, new) if diff.key_of(old) == diff.key_of(new) else [old])
        found = [*cut, new]
    return found


def _outside(old: PriceRow, new: PriceRow) -> Iterable[PriceRow]:
    """What is left of ``old`` before and after ``new``."""
    if new.valid_from is not None and (old.valid_from is None or old.valid_from < new.valid_from):
        end = new.valid_from if old.valid_to is None else min(old.valid_to, new.valid_from)
        yield replace(old, valid_to=end)
    if new.valid_to is not None and (old.valid_to is None or old.valid_to > new.valid_to):
        start = new.valid_to if old.valid_from is None else max(old.valid_from, new.valid_to)
        yield replace(old, valid_from=start)


def undo(connection: Connection, version: int, *, actor: str) -> int:
    """Take a version back, as a new version: what it opened is closed, what it closed is open again.

    Conflict when a later version already closed something that this one opened: that one must be undone first.
    """
    _lock(connection)
    named = connection.execute("SELECT name, kind FROM price_catalogue WHERE id = %s", (version,)).fetchone()
    if named is None:
        raise NotFound(f"There is no version {version} of the price book; outlay price versions lists them.")
    if connection.execute("SELECT 1 FROM price_catalogue WHERE undoes = %s", (version,)).fetchone():
        raise Conflict(f"Version {version} of the price book is undone already.")
    for table, _ in _TABLES:
        later = connection.execute(
            f"SELECT closed_in FROM {table} WHERE opened_in = %s AND closed_in IS NOT NULL LIMIT 1",
            (version,),
        ).fetchone()
        if later:
            raise Conflict(f"Version {later[0]} of the price book builds on version {version}: undo that one first.")
    taken_back = _new_version(
        connection, kind="undo", name=f"undo of {version} ({named[0]})", actor=actor, undoes=version, summary={}
    )
    for table, columns in _TABLES:
        connection.execute(
            f"UPDATE {table} SET closed_in = %s WHERE opened_in = %s AND closed_in IS NULL",
            (taken_back, version),
        )
        connection.execute(
            f"INSERT INTO {table} ({columns}, opened_in)"
            f" SELECT {columns}, %s FROM {table} WHERE closed_in = %s ORDER BY id",
            (taken_back, version),
        )
    return taken_back


def versions(connection: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """What changed the book, newest first."""
    rows = connection.execute(
        "SELECT id, at, kind, name, actor, undoes, summary FROM price_catalogue ORDER BY id DESC LIMIT %s", (limit,)
    ).fetchall()
    return [
        dict(zip(("version", "at", "kind", "name", "actor", "undoes", "summary"), row, strict=True)) for row in rows
    ]
