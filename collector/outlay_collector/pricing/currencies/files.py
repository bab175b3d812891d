"""Files of exchange rates as quotes: the European Central Bank's, and one of our own. Pure.

The ECB's ``eurofxref-hist.csv`` and ``eurofxref.csv`` are wide: ``Date, USD, JPY, …``, one euro each. Ours is long:
``date,base,currency,rate`` with an optional ``until``: one ``base`` is ``rate`` of ``currency``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from outlay_collector.pricing.currencies.codes import currency
from outlay_collector.pricing.currencies.rates import Quote, Rate, crossed

ECB = "EUR"
_NONE = ("", "N/A", "-")
_LONG = {"date", "base", "currency", "rate"}


def read(text: str, *, base: str = ECB) -> list[Quote]:
    """ValueError with the line that cannot be read. ``base`` is that of a wide file."""
    rows = csv.reader(io.StringIO(text.lstrip("\ufeff")))
    header = [name.strip() for name in next(rows, [])]
    names = [name.lower() for name in header]
    if not names or names[0] != "date":
        raise ValueError("the first line must be date,base,currency,rate or, as the ECB writes it, Date,USD,JPY,…")
    found: list[Quote] = []
    for row in rows:
        if not any(field.strip() for field in row):
            continue
        try:
            values = [field.strip() for field in row]
            long = set(names) >= _LONG
            found.extend(_long(dict(zip(names, values, strict=False))) if long else _wide(header, values, base))
        except (ValueError, KeyError, InvalidOperation) as error:
            said = "a number is missing or none" if isinstance(error, InvalidOperation) else error
            raise ValueError(f"line {rows.line_num}: {said}") from error
    return found


def imported(
    text: str, *, base: str, target: str, zone: ZoneInfo, source: str, since: date | None = None
) -> list[Rate]:
    """A file's rates into ``target``, from the day ``since`` on. ValueError when it has none, or cannot be read."""
    quotes = [quote for quote in read(text, base=base) if since is None or quote.day >= since]
    found = crossed(quotes, target=target, zone=zone, source=source)
    if not found:
        raise ValueError(f"there is no line from which a rate into {target}, the instance's currency, follows")
    return found


def _long(row: dict[str, str]) -> Iterator[Quote]:
    until = row.get("until") or ""
    yield Quote(
        day=_day(row["date"]),
        base=currency(row["base"]),
        currency=currency(row["currency"]),
        value=_value(row["rate"]),
        until=_day(until) if until else None,
    )


def _wide(header: list[str], row: list[str], base: str) -> Iterator[Quote]:
    """Columns of currencies that are gone, of which the ECB keeps some, are read like any other."""
    day = _day(row[0])
    for name, text in zip(header[1:], row[1:], strict=False):
        if name and text not in _NONE:
            if len(name) != 3 or not name.isalpha():
                raise ValueError(f"{name!r} is no currency of ISO 4217, such as USD, EUR, KRW or JPY")
            yield Quote(day=day, base=currency(base), currency=name.upper(), value=_value(text))


def _value(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite() or value <= 0:
        raise ValueError(f"{text!r} is no rate")
    return value


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.strptime(text, "%d %B %Y").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise ValueError(f"{text!r} is no day; write it as 2026-11-20") from None
