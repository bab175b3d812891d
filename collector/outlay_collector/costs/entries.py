"""A cost that somebody enters, and the ledger lines it becomes. Pure.

key: cursor-2026-11        # by which it is known again: entering it twice is entering it once
kind: seats
amount: "1200.00"
currency: USD
from: 2026-11-01           # spread over these days, the last not included; "on" instead: on one day
to: 2026-12-01
provider: cursor
team: platform
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from outlay_collector.db.names import ALLOCATION_DIMENSIONS
from outlay_collector.errors import BadRequest
from outlay_collector.pricing.currencies.codes import currency as known_currency

KINDS = {
    "seats": "seats of a tool or a plan",
    "subscription": "a subscription",
    "provisioned_throughput": "throughput that is reserved, used or not",
    "fine_tuning": "training of a model",
    "vector_store": "storage of vectors and files",
    "search": "a search service",
    "storage": "cached or stored data",
    "support": "support plans and services",
    "other": "anything else",
}

COMPUTED = "volume:"
"""How keys begin of entries that follow from what was used."""

FINEST = 9
"""Decimals of a part, where the whole has no more: of a dollar, a billionth."""

MOST_DAYS = 366 * 5
MOST_ENTRIES = 10_000
_LARGEST = Decimal("1e15")
_EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)
_KEY = re.compile(r"[^\x00-\x1f]{1,200}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """``end`` is excluded; a cost of one day ends with the next. ``amount`` may be negative, as a refund is."""

    key: str
    kind: str
    amount: Decimal
    currency: str
    start: date
    end: date
    dimensions: Mapping[str, str] = field(default_factory=dict[str, str])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    quantity: Decimal | None = None
    unit: str | None = None
    note: str | None = None

    @property
    def days(self) -> int:
        return (self.end - self.start).days


@dataclass(frozen=True, slots=True)
class Part:
    """What falls on one day, which begins at ``at``."""

    at: datetime
    amount: Decimal


def spread(amount: Decimal, start: date, end: date, zone: ZoneInfo) -> list[Part]:
    """Equal parts for every day of ``zone``'s calendar in ``[start, end)``; they add up to ``amount`` to the last digit.

    What does not go into equal parts is handed out one last digit at a time, evenly over the days.
    """
    days = (end - start).days
    digits = max(FINEST, -int(amount.as_tuple().exponent))
    step = Decimal(1).scaleb(-digits)
    parts: list[Part] = []
    before = Decimal(0)
    for number in range(1, days + 1):
        share = _EXACT.divide(_EXACT.multiply(amount, Decimal(number)), Decimal(days))
        until = amount if number == days else share.quantize(step, context=_EXACT)
        parts.append(Part(midnight(start + timedelta(days=number - 1), zone), _EXACT.subtract(until, before)))
        before = until
    return parts


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which the day begins by the wall clock."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def dimensions_of(entry: Entry) -> dict[str, Any]:
    """As a ledger line keeps them. Without an operation of its own, a cost is found under its kind."""
    found: dict[str, Any] = {"operation": entry.kind, **entry.dimensions}
    if entry.tags:
        found["tags"] = dict(entry.tags)
    return found


def read(raw: Mapping[str, Any], *, default_currency: str) -> Entry:
    """BadRequest names what is wrong with it."""
    key = str(raw.get("key") or "")
    if not _KEY.fullmatch(key):
        raise BadRequest(
            f"key={key!r:.60}: every cost needs one of its own, up to 200 characters; with it, it is known again."
        )
    if key.startswith(COMPUTED):
        raise BadRequest(f"key={key!r:.60}: keys that begin with {COMPUTED} are those of volume terms.")
    try:
        return _read(raw, key, default_currency)
    except (ValueError, TypeError, InvalidOperation) as error:
        raise BadRequest(f"Cost {key!r:.60}: {error or type(error).__name__}.") from error


def _read(raw: Mapping[str, Any], key: str, default_currency: str) -> Entry:
    known = {
        "key",
        "kind",
        "amount",
        "currency",
        "from",
        "to",
        "on",
        "month",
        "quantity",
        "unit",
        "note",
        "project",
        "tags",
    }
    unknown = set(raw) - known - set(ALLOCATION_DIMENSIONS)
    if unknown:
        raise ValueError(f"{sorted(unknown)[0]!r} is no field of a cost and no dimension")
    kind = str(raw.get("kind") or "other")
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind; use {', '.join(KINDS)}")
    start, end = _period(raw)
    tags = raw.get("tags") or {}
    if not isinstance(tags, Mapping):
        raise TypeError("tags are names with values")
    return Entry(
        key=key,
        kind=kind,
        amount=_number(raw.get("amount"), "amount"),
        currency=known_currency(str(raw.get("currency") or default_currency)),
        start=start,
        end=end,
        dimensions={name: str(raw[name])[:1024] for name in ALLOCATION_DIMENSIONS if raw.get(name) not in (None, "")},
        tags={str(name): str(value)[:1024] for name, value in tags.items()},  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        quantity=None if raw.get("quantity") in (None, "") else _number(raw["quantity"], "quantity"),
        unit=str(raw["unit"])[:100] if raw.get("unit") else None,
        note=str(raw["note"])[:1000] if raw.get("note") else None,
    )


def _number(raw: Any, name: str) -> Decimal:
    if isinstance(raw, float) or raw is None or raw == "":
        raise ValueError(f'{name} must be a decimal string such as "12.50"')
    amount = Decimal(str(raw))
    if not amount.is_finite() or not amount or abs(amount) > _LARGEST or int(amount.as_tuple().exponent) < -24:
        raise ValueError(f"{name}={raw!r:.40} is no amount")
    return amount


def _period(raw: Mapping[str, Any]) -> tuple[date, date]:
    said = [name for name in ("on", "month", "from") if raw.get(name)]
    if len(said) != 1 or (raw.get("to") and said != ["from"]):
        raise ValueError("say either on (a day), month (such as 2026-11), or from and to (the day after the last)")
    if said == ["on"]:
        day = _day(raw["on"])
        return day, day + timedelta(days=1)
    if said == ["month"]:
        start = _day(f"{raw['month']}-01")
        return start, (start + timedelta(days=31)).replace(day=1)
    start, end = _day(raw["from"]), _day(raw.get("to") or "")
    if not start < end:
        raise ValueError(f"from {start} to {end} is no period; to is the day after the last")
    if (end - start).days > MOST_DAYS:
        raise ValueError(f"from {start} to {end} is more than five years")
    return start, end


def _day(raw: Any) -> date:
    if isinstance(raw, date) and not isinstance(raw, datetime):
        return raw
    try:
        day = date.fromisoformat(str(raw))
    except ValueError:
        raise ValueError(f"{str(raw)!r:.40} is no day; write it as 2026-11-20") from None
    if not 1990 <= day.year <= 2200:
        raise ValueError(f"{day} is too far away")
    return day


class _Texts(yaml.SafeLoader):
    """Numbers and days stay text: a float in between would be a wrong amount."""


_Texts.yaml_implicit_resolvers = {}


def read_file(text: str) -> Iterator[Mapping[str, Any]]:
    """The entries of a YAML file: a list, or a list under ``costs``."""
    try:
        raw: Any = yaml.load(text, Loader=_Texts)  # noqa: S506  # derived from SafeLoader
    except yaml.YAMLError as error:
        raise BadRequest(f"That is no YAML: {' '.join(str(error).split())}.") from error
    listed: Any = raw.get("costs") if isinstance(raw, Mapping) else raw  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):  # pyright: ignore[reportUnknownVariableType]
        raise BadRequest("Costs are a list, each with key, kind, amount and a period.")
    yield from listed  # pyright: ignore[reportUnknownVariableType]
