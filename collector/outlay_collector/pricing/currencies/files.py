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
from outlay_collector.pricing.currencies.rates import DIGITS, Quote, Rate, crossed

ECB = "EUR"
_NONE = ("", "N/A", "-")
# No two currencies are further apart; what is written with more is not meant as a rate.
_SMALLEST, _LARGEST = Decimal("1e-12"), Decimal("1e12")
_LONG = {"date", "base", "currency", "rate"}


def read(text: str, *, base: str = ECB) -> list[Quote]:
    """ValueError with the line that cannot be read. ``base`` is that of a wide file."""
    rows = csv.reader(io.StringIO(text.lstrip("\ufeff")))
    found: list[Quote] = []
    try:
        header = [name.strip() for name in next(rows, [])]
        names = [name.lower() for name in header]
        if not names or names[0] != "date":
            raise ValueError("it must be date,base,currency,rate or, as the ECB writes it, Date,USD,JPY,…")
        for row in rows:
            values = [field.strip() for field in row]
            if any(values):
                long = set(names) >= _LONG
                found.extend(_long(dict(zip(names, values, strict=False))) if long else _wide(header, values, base))
    except (ValueError, KeyError, InvalidOperation, csv.Error) as error:
        said = _why(error)
        raise ValueError(f"line {max(rows.line_num, 1)}: {said}") from error
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


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]}"
    return "a number is missing or none" if isinstance(error, InvalidOperation) else str(error)


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
    if not value.is_finite() or not _SMALLEST < value < _LARGEST or len(value.as_tuple().digits) > DIGITS:
        raise ValueError(f"{text!r} is no rate")
    return value


def _day(text: str) -> date:
    day = None
    for read_day in (date.fromisoformat, _in_words):
        try:
            day = day or read_day(text)
        except ValueError:
            continue
    if day is None or not 1990 <= day.year <= 2200:
        raise ValueError(f"{text!r:.40} is no day; write it as 2026-11-20")
    return day


def _in_words(text: str) -> date:
    return datetime.strptime(text, "%d %B %Y").date()  # noqa: DTZ007 - a day has no zone
