"""What one currency was worth in another, and when that is known. Pure.

Publishers quote many currencies against one base: one euro is so many dollars, so many won. A *rate* is worked out from two
such quotes of one day, once, and kept with both, so that whoever doubts a charge can do the division again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

HOLDS_FOR = timedelta(days=10)
"""How long a rate is used when no newer one comes: longer than any run of bank holidays, shorter than being forgotten."""

DIGITS = 18
"""Significant digits of a rate, half to even. All money after it is exact."""

LEAP = 2
"""A rate that became more than this many times larger or smaller is taken for a mistake until somebody says it is not."""

_ROUNDED = Context(prec=DIGITS, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """As published: on ``day`` one ``base`` was ``value`` of ``currency``. ``until``: not to be used from that day on."""

    day: date
    base: str
    currency: str
    value: Decimal
    until: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """One ``currency`` is ``rate`` of ``target``, for charges in ``[starts, ends)`` unless a newer rate begins before.

    It follows from one ``base`` being ``base_currency`` of the one and ``base_target`` of the other.
    """

    id: int = 0
    currency: str
    target: str
    day: date
    starts: datetime
    ends: datetime
    rate: Decimal
    base: str
    base_currency: Decimal
    base_target: Decimal
    source: str

    @property
    def key(self) -> tuple[str, str, date]:
        """A currency has one rate a day."""
        return self.currency, self.target, self.day

    def says(self, other: Rate) -> bool:
        """Does it state the same, whatever its id and whoever published it?"""
        return replace(self, id=0, source="") == replace(other, id=0, source="")


class Converted(NamedTuple):
    """``cost`` is None when no rate is known for that day. ``fx_rate_id`` is None where none was needed."""

    cost: Decimal | None
    fx_rate_id: int | None


class Rates:
    """All rates into one currency, for looking up. Never changes."""

    __slots__ = ("_rows", "_starts", "target")

    def __init__(self, target: str = "USD", rows: Iterable[Rate] = ()) -> None:
        self.target = target
        self._rows: dict[str, list[Rate]] = {}
        for row in sorted((row for row in rows if row.target == target), key=lambda row: row.starts):
            self._rows.setdefault(row.currency, []).append(row)
        self._starts = {currency: [row.starts for row in listed] for currency, listed in self._rows.items()}

    def find(self, currency: str, at: datetime) -> Rate | None:
        """The newest rate of ``at`` or before, if it is recent enough; one of the future never."""
        starts = self._starts.get(currency)
        number = bisect_right(starts, at) if starts else 0
        if not number:
            return None
        row = self._rows[currency][number - 1]
        return row if at < row.ends else None

    def why_not(self, currency: str, at: datetime) -> str:
        """The sentence for a charge that has no rate."""
        starts = self._starts.get(currency, [])
        number = bisect_right(starts, at)
        if number:
            last = self._rows[currency][number - 1].day
            said = f"the last exchange rate of {currency} before it is of {last}, which is too old"
        elif starts:
            said = f"exchange rates of {currency} begin on {self._rows[currency][0].day}"
        else:
            said = f"no exchange rate from {currency} to {self.target} is known"
        return f"{said}; outlay price rates import brings them"

    def turns(self, currency: str, start: datetime, end: datetime) -> list[datetime]:
        """The instants after ``start`` and before ``end`` from which another rate holds, or none."""
        rows = self._rows.get(currency, [])
        edges = {edge for row in rows for edge in (row.starts, row.ends) if start < edge < end}
        moment = timedelta(microseconds=1)
        return sorted(at for at in edges if self.find(currency, at) is not self.find(currency, at - moment))

    @property
    def rows(self) -> list[Rate]:
        return [row for listed in self._rows.values() for row in listed]


def crossed(quotes: Iterable[Quote], *, target: str, zone: ZoneInfo, source: str) -> list[Rate]:
    """Rates into ``target`` from what was published against other bases. A day begins at midnight in ``zone``.

    ValueError when two lines of one day contradict each other.
    """
    by_day: dict[tuple[date, str], dict[str, Quote]] = {}
    for quote in quotes:
        listed = by_day.setdefault((quote.day, quote.base), {})
        known = listed.setdefault(quote.currency, quote)
        if known != quote:
            raise ValueError(f"{quote.day}: one {quote.base} is {known.value} {quote.currency}, and {quote.value} too")
    found: dict[tuple[str, str, date], Rate] = {}
    for (day, base), listed in sorted(by_day.items()):
        one = Quote(day=day, base=base, currency=base, value=Decimal(1))
        into = one if base == target else listed.get(target)
        if into is None:
            continue
        for quote in (one, *listed.values()):
            if quote.currency != target:
                rate = _rate(quote, into, zone, source)
                if found.setdefault(rate.key, rate).rate != rate.rate:
                    raise ValueError(f"{day}: the lines give two rates from {rate.currency} to {target}")
    return list(found.values())


def _rate(quote: Quote, into: Quote, zone: ZoneInfo, source: str) -> Rate:
    exact = Fraction(into.value) / Fraction(quote.value)
    untils = [until for until in (quote.until, into.until) if until is not None]
    until = min(untils) if untils else quote.day + HOLDS_FOR
    if until <= quote.day:
        raise ValueError(f"{quote.day}: a rate cannot be used until {until}")
    return Rate(
        currency=quote.currency,
        target=into.currency,
        day=quote.day,
        starts=_midnight(quote.day, zone),
        ends=_midnight(until, zone),
        rate=_ROUNDED.divide(Decimal(exact.numerator), Decimal(exact.denominator)),
        base=quote.base,
        base_currency=quote.value,
        base_target=into.value,
        source=source,
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


@dataclass(slots=True)
class RateDiff:
    """Closing and opening these applies an import. ``refusals`` are sentences; any of them stops it."""

    close: list[Rate] = field(default_factory=list[Rate])
    open: list[Rate] = field(default_factory=list[Rate])
    added: int = 0
    changed: list[tuple[Rate, Rate]] = field(default_factory=list[tuple[Rate, Rate]])
    refusals: list[str] = field(default_factory=list[str])

    def summary(self) -> dict[str, int]:
        return {"rates_opened": len(self.open), "rates_closed": len(self.close)}

    @property
    def since(self) -> datetime | None:
        """The first instant from which a charge may have another rate."""
        return min((row.starts for row in (*self.open, *self.close)), default=None)

    @property
    def currencies(self) -> list[str]:
        return sorted({row.currency for row in (*self.open, *self.close)})


def compare(before: Sequence[Rate], after: Iterable[Rate]) -> RateDiff:
    """What importing ``after`` changes. What it does not name stays; the same again is no change."""
    diff = RateDiff()
    known = {row.key: row for row in before}
    for row in after:
        old = known.get(row.key)
        if old is not None and old.says(row):
            continue
        diff.open.append(row)
        if old is None:
            diff.added += 1
        else:
            diff.close.append(old)
            diff.changed.append((old, row))
    diff.refusals.extend(_leaps(before, diff))
    return diff


def _leaps(before: Sequence[Rate], diff: RateDiff) -> Iterable[str]:
    """Each rate is compared with the one before it, be it known or new."""
    closed = {row.id for row in diff.close}
    by_currency: dict[str, list[Rate]] = {}
    for row in (*(row for row in before if row.id not in closed), *diff.open):
        by_currency.setdefault(row.currency, []).append(row)
    opened = {id(row) for row in diff.open}
    for listed in by_currency.values():
        listed.sort(key=lambda row: row.day)
        for one, next_one in pairwise(listed):
            low, high = sorted((one.rate, next_one.rate))
            if high / low > LEAP and (id(one) in opened or id(next_one) in opened):
                yield (
                    f"One {one.currency} would be {_plain(one.rate)} {one.target} on {one.day} and"
                    f" {_plain(next_one.rate)} on {next_one.day}, which is more than {LEAP} times."
                )
    for old, new in diff.changed:
        low, high = sorted((old.rate, new.rate))
        if high / low > LEAP:
            yield (
                f"One {old.currency} on {old.day} would change from {_plain(old.rate)} to {_plain(new.rate)}"
                f" {old.target}, which is more than {LEAP} times."
            )


def _plain(rate: Decimal) -> str:
    return f"{rate.normalize():f}"


def latest(rows: Iterable[Rate]) -> list[Rate]:
    """The newest rate of each currency."""
    newest: dict[str, Rate] = {}
    for row in rows:
        if row.currency not in newest or newest[row.currency].day < row.day:
            newest[row.currency] = row
    return [newest[currency] for currency in sorted(newest)]


def as_json(row: Rate) -> dict[str, object]:
    """The shape of the API's and the command's rows; amounts are decimal strings."""
    return {
        "id": row.id,
        "day": row.day,
        "currency": row.currency,
        "target": row.target,
        "rate": _plain(row.rate),
        "base": row.base,
        "base_currency": _plain(row.base_currency),
        "base_target": _plain(row.base_target),
        "used_from": row.starts,
        "used_until": row.ends,
        "source": row.source,
    }


def sentence(row: Rate) -> str:
    """How the rate came about, for whoever reads a charge."""
    said = f"1 {row.currency} = {_plain(row.rate)} {row.target} on {row.day}"
    if row.base not in (row.currency, row.target):
        said += f" (1 {row.base} = {_plain(row.base_currency)} {row.currency} = {_plain(row.base_target)} {row.target})"
    return f"{said}, {row.source}"
