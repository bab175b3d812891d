"""Volume terms in the database, and what they take off as ledger lines. Transactions belong to the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from outlay_collector.costs import store as costs
from outlay_collector.costs.entries import COMPUTED, midnight
from outlay_collector.costs.store import Share
from outlay_collector.costs.volume.tiers import PER, Tier, by_day, counted
from outlay_collector.errors import Conflict, NotFound
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Interval, Question
from outlay_collector.pricing import store as prices
from outlay_collector.pricing.currencies import store as fx
from outlay_collector.pricing.price import plus, times
from outlay_collector.pricing.quote import override_rows

Connection = psycopg.Connection[Any]

KIND = "volume_tier"
LOOK_BACK = timedelta(days=100)
"""Late calls and repricing change what was used; months older than this are not looked at again."""

_TERM = "id, project_id, key, provider, model, unit, currency, tiers, starts, ends, created_at, created_by, removed_at"


def add(
    connection: Connection,
    project_id: int,
    *,
    key: str,
    provider: str,
    model: str,
    unit: str,
    currency: str,
    tiers: Sequence[Tier],
    start: date,
    end: date | None,
    actor: str,
    zone: ZoneInfo,
) -> int:
    """Enter a term, and its first tier's rate as a price of the project; returns the version of the price book.

    Conflict when the key is known.
    """
    ledger.lock(connection, project_id)
    if _named(connection, project_id, key) is not None:
        raise Conflict(f"Volume term {key!r} is entered already: remove it first, or give this one another key.")
    connection.execute(
        "INSERT INTO volume_term (project_id, key, provider, model, unit, currency, tiers, starts, ends, created_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            project_id, key, provider, model, unit, currency,
            Jsonb([[tier.over, format(tier.rate, "f")] for tier in tiers]), start, end, actor,
        ),
    )  # fmt: skip
    models, rows, discounts = override_rows(
        [
            {
                "provider": provider,
                "model": model,
                "valid_from": midnight(start, zone).isoformat(),
                "valid_to": midnight(end, zone).isoformat() if end else None,
                "rates_per_mtok": {unit: format(tiers[0].rate, "f")},
                "currency": currency,
            }
        ],
        project_id,
    )
    return prices.add_own(
        connection, models=models, prices=rows, discounts=discounts, actor=actor, name=f"volume term {key}"
    )


def remove(connection: Connection, project_id: int, key: str, *, actor: str) -> None:
    """Take a term and all that it took off back; the first tier's price stays until its version is undone."""
    ledger.lock(connection, project_id)
    term = _named(connection, project_id, key)
    if term is None:
        raise NotFound(f"There is no volume term {key!r:.80}; outlay price volume list names them.")
    connection.execute("UPDATE volume_term SET removed_at = clock_timestamp() WHERE id = %s", (term["id"],))
    for row in costs.standing_of(connection, project_id, prefix(key)):
        costs.take_back(connection, row, actor=actor)


def terms(connection: Connection, project_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Those in force or to come, by project and key."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"SELECT {_TERM} FROM volume_term WHERE project_id = ANY(%s) AND removed_at IS NULL ORDER BY project_id, key",
            (list(project_ids),),
        ).fetchall()


def settle(connection: Connection, project_id: int, *, now: datetime, zone: ZoneInfo) -> int:
    """Make the lines of a project's terms what its use asks for; returns how many months changed.

    Run again it changes nothing. Days whose exchange rate is unknown have no line, as their calls have no cost.
    """
    found = terms(connection, [project_id])
    if not found:
        return 0
    ledger.lock(connection, project_id)
    changed = 0
    today = now.astimezone(zone).date()
    for term in found:
        since = max(term["starts"], (today - LOOK_BACK).replace(day=1))
        tiers = [Tier(over, Decimal(rate)) for over, rate in term["tiers"]]
        parts = by_day(_quantities(connection, term, since, now=now, zone=zone), tiers)
        rates = fx.load(connection, prices.newest_version(connection), currencies=[term["currency"]])
        for month in _months(since, today):
            wanted: dict[datetime, Share] = {}
            total, converted = Decimal(0), Decimal(0)
            for day, part in parts.items():
                at = midnight(day, zone)
                rate = rates.find(term["currency"], at)
                own = term["currency"] == rates.target
                if (day.year, day.month) != (month.year, month.month) or not (own or rate):
                    continue
                cost = part if rate is None or own else times(part, rate.rate)
                wanted[at] = Share(cost, None if own else part)
                total, converted = plus(total, part) or total, plus(converted, cost) or converted
            changed += costs.compute(
                connection,
                project_id,
                key=f"{prefix(term['key'])}{month:%Y-%m}",
                kind=KIND,
                amount=total,
                currency=term["currency"],
                cost=converted,
                month=month,
                dimensions={"operation": KIND, "provider": term["provider"], "model": term["model"]},
                wanted=wanted,
            )
    return changed


def prefix(key: str) -> str:
    """Of the keys of the entries that a term becomes, one a month."""
    return f"{COMPUTED}{key}:"


def _months(since: date, today: date) -> list[date]:
    found = [since.replace(day=1)]
    while (following := (found[-1] + timedelta(days=31)).replace(day=1)) <= today:
        found.append(following)
    return found


def _quantities(
    connection: Connection, term: dict[str, Any], since: date, *, now: datetime, zone: ZoneInfo
) -> dict[date, int]:
    """Tokens by day, of calls that count."""
    until = min(midnight(term["ends"], zone), now) if term["ends"] else now
    start = midnight(since, zone)
    if start >= until:
        return {}
    question = Question(
        project_ids=(term["project_id"],),
        window=Window(start, until),
        interval=Interval.DAY,
        zone=zone,
        group_by=("provider", "model"),
    )
    rows = reads.spend(connection, question, reads.plan(connection, question, zone, now), zone.key)
    found: dict[date, int] = {}
    for row in rows:
        named = ((row[name] or "").lower() for name in ("provider", "model"))
        if all(fnmatchcase(name, term[of].lower()) for name, of in zip(named, ("provider", "model"), strict=True)):
            day = row["period_start"].astimezone(zone).date()
            found[day] = found.get(day, 0) + counted(term["unit"], row)
    return found


def _named(connection: Connection, project_id: int, key: str) -> dict[str, Any] | None:
    return next((term for term in terms(connection, [project_id]) if term["key"] == key), None)


def as_json(term: Mapping[str, Any], projects: Mapping[int, str]) -> dict[str, Any]:
    """As the API and the command show it."""
    return {
        "key": term["key"],
        "project": projects.get(term["project_id"]),
        "provider": term["provider"],
        "model": term["model"],
        "unit": term["unit"],
        "currency": term["currency"],
        "per": PER,
        "tiers": [{"over": over, "rate": rate} for over, rate in term["tiers"]],
        "from": term["starts"],
        "to": term["ends"],
        "created_at": term["created_at"],
        "created_by": term["created_by"],
    }
