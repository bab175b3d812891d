"""Usage × rate → money, exactly. Nothing here knows models, dates or where a rate came from.

Sums are kept as whole numbers of ``10**-SCALE`` of a currency, so that nothing is rounded on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from outlay_collector.pricing import units
from outlay_collector.pricing.rows import PriceRow
from outlay_collector.pricing.usage import MAX_TOKENS, Usage

SCALE = 24
_ONE = 10**SCALE
_EXACT = Context(prec=200)

PRICED = "priced"
PARTLY_PRICED = "partly_priced"
UNPRICED = "unpriced"
INVALID = "invalid"
PENDING = "pending"
"""Waits for the allocation of GPU hours, after which it is ``allocated``."""

_INPUT_PARTS = frozenset({"input_image", "input_video"})
_OUTPUT_PARTS = frozenset({"output_image", "output_video", "output_citation"})
_RESTATED = frozenset({"input_text", "output_text"})  # what is left of a total once its other parts are taken off


class Charge(NamedTuple):
    """What one call cost. ``cost`` is None, never 0, when nothing is known.

    ``partly_priced``: ``cost`` is the sum of the known lines, a lower bound. ``price_ids`` name the rows used.
    """

    cost: Decimal | None
    currency: str
    status: str
    price_ids: tuple[int, ...] = ()


class Booked(NamedTuple):
    """A charge as a call's row keeps it: ``cost`` in the instance's currency, which is what is summed.

    ``charge_cost`` and ``charge_currency`` are the price's own, None where that is the instance's. Without an exchange
    rate for the day ``cost`` is None and the status ``unpriced``, while ``charge_cost`` says what is to be converted.
    """

    cost: Decimal | None
    status: str
    price_ids: tuple[int, ...] = ()
    charge_cost: Decimal | None = None
    charge_currency: str | None = None
    fx_rate_id: int | None = None


class Rate(NamedTuple):
    """One unit's price, prepared: the cost of ``n`` is ``n * numerator / denominator``, in ``10**-SCALE``."""

    numerator: int
    denominator: int
    price_id: int
    row: PriceRow
    percent_off: Decimal | None = None


class InvalidUsageError(ValueError):
    """Counts that contradict each other. The text says which; such a call gets no cost."""


def rate(row: PriceRow, percent_off: Decimal | None = None) -> Rate:
    """Prepare ``row``, less a discount in percent."""
    exact = Fraction(row.amount) / row.per
    if percent_off is not None:
        exact *= 1 - Fraction(percent_off) / 100
    scaled = exact * _ONE
    return Rate(scaled.numerator, scaled.denominator, row.id, row, percent_off)


def amount_of(quantity: int, rate: Rate) -> int:
    """Cost in ``10**-SCALE`` of the currency; exact, or rounded half to even there where decimals cannot be."""
    cost = quantity * rate.numerator
    return cost if rate.denominator == 1 else round(Fraction(cost, rate.denominator))


def as_decimal(amount: int) -> Decimal:
    """A sum of ``amount_of`` as money, without trailing zeros."""
    whole, rest = divmod(amount, _ONE)
    if not rest:
        return Decimal(whole)
    return _EXACT.normalize(_EXACT.scaleb(Decimal(amount), -SCALE))


def plus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """The sum of what is known; unknown only if both are. Exact, where Python's own context keeps 28 digits."""
    if one is None or other is None:
        return other if one is None else one
    return _EXACT.add(one, other)


def difference(before: Decimal | None, after: Decimal | None) -> Decimal:
    """How much more ``after`` is than ``before``; what is unknown was no money yet."""
    return _EXACT.subtract(after or Decimal(0), before or Decimal(0))


def times(cost: Decimal, factor: Decimal) -> Decimal:
    """Exactly, without trailing zeros."""
    return _EXACT.normalize(_EXACT.multiply(cost, factor))


def buckets(usage: Usage) -> list[tuple[str, int]]:
    """The disjoint parts of a call's usage by unit; their sum is its totals. Zero parts are left out.

    InvalidUsageError when a part is larger than its whole, has no whole, is negative, no number, or absurdly large.
    """
    fresh = _count("input_tokens", usage.input_tokens)
    answer = _count("output_tokens", usage.output_tokens)
    found: list[tuple[str, int]] = []
    if (
        usage.cache_read_tokens is not None
        or usage.cache_read_audio_tokens is not None
        or usage.input_audio_tokens is not None
    ):
        fresh -= _read_and_audio(usage, found)
    if (
        usage.cache_write_tokens is not None
        or usage.cache_write_5m_tokens is not None
        or usage.cache_write_1h_tokens is not None
    ):
        fresh -= _written(usage, found)
    if usage.reasoning_tokens is not None:
        answer -= _add(found, units.REASONING, _count("reasoning_tokens", usage.reasoning_tokens))
    if usage.output_audio_tokens is not None:
        answer -= _add(found, units.OUTPUT_AUDIO, _count("output_audio_tokens", usage.output_audio_tokens))
    if usage.extra:
        taken_in, taken_out = _further(usage, found)
        fresh -= taken_in
        answer -= taken_out
    if fresh < 0:
        raise InvalidUsageError(f"the parts of input_tokens exceed it by {-fresh}")
    if answer < 0:
        raise InvalidUsageError(f"the parts of output_tokens exceed it by {-answer}")
    if fresh:
        found.append((units.INPUT, fresh))
    if answer:
        found.append((units.OUTPUT, answer))
    if usage.web_search_calls is not None:
        _add(found, units.WEB_SEARCH, _count("web_search_calls", usage.web_search_calls))
    if usage.requests is not None:
        _add(found, units.REQUEST, _count("requests", usage.requests))
    if usage.audio_seconds is not None:
        _add(found, units.AUDIO_SECOND, _count("audio_seconds", usage.audio_seconds))
    return found


def _count(name: str, value: int | None) -> int:
    if value is None:
        return 0
    # Written this way round, NaN fails too. What a client sends is typed by its good will only.
    if not 0 <= value <= MAX_TOKENS:
        raise InvalidUsageError(f"{name} is {value}")
    return value


def _add(found: list[tuple[str, int]], unit: str, count: int) -> int:
    if count:
        found.append((unit, count))
    return count


def _read_and_audio(usage: Usage, found: list[tuple[str, int]]) -> int:
    read = _count("cache_read_tokens", usage.cache_read_tokens)
    audio = _count("input_audio_tokens", usage.input_audio_tokens)
    read_audio = _count("cache_read_audio_tokens", usage.cache_read_audio_tokens)
    read_other = sum(
        _count(name, n)
        for name, n in usage.extra.items()
        if name.startswith("cache_read_") and name != units.CACHE_READ_AUDIO
    )
    if read_audio + read_other > read:
        raise InvalidUsageError(f"the parts of cache_read_tokens ({read_audio + read_other}) exceed it ({read})")
    if usage.input_audio_tokens is not None and read_audio > audio:
        raise InvalidUsageError(f"cache_read_audio_tokens ({read_audio}) exceed input_audio_tokens ({audio})")
    taken = _add(found, units.CACHE_READ, read - read_audio - read_other)
    taken += _add(found, units.CACHE_READ_AUDIO, read_audio)
    return taken + _add(found, units.INPUT_AUDIO, max(audio - read_audio, 0))


def _written(usage: Usage, found: list[tuple[str, int]]) -> int:
    hour = _count("cache_write_1h_tokens", usage.cache_write_1h_tokens)
    other = [(name, _count(name, n)) for name, n in usage.extra.items() if name.startswith("cache_write:")]
    known = _count("cache_write_5m_tokens", usage.cache_write_5m_tokens) + hour + sum(n for _, n in other)
    written = known if usage.cache_write_tokens is None else _count("cache_write_tokens", usage.cache_write_tokens)
    if known > written:
        raise InvalidUsageError(f"the parts of cache_write_tokens ({known}) exceed it ({written})")
    # Writes of no stated lifetime are of the provider's default one.
    taken = _add(found, units.CACHE_WRITE, written - hour - sum(n for _, n in other))
    taken += _add(found, units.CACHE_WRITE_1H, hour)
    return taken + sum(_add(found, name, n) for name, n in other)


def _further(usage: Usage, found: list[tuple[str, int]]) -> tuple[int, int]:
    """Take off what ``extra`` names; returns how much of input and of output that was."""
    taken_in = taken_out = 0
    lifetimes_seen = any(
        count is not None
        for count in (usage.cache_write_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens)
    )
    read_seen = usage.cache_read_tokens is not None
    for name, raw in usage.extra.items():
        count = _count(name, raw)
        if name in _INPUT_PARTS:
            cached = _count(name, usage.extra.get(name.replace("input_", "cache_read_")))
            if cached > count:
                raise InvalidUsageError(f"the cached part of {name} ({cached}) exceeds it ({count})")
            taken_in += _add(found, name, count - cached)
        elif name in _OUTPUT_PARTS:
            taken_out += _add(found, name, count)
        elif name.startswith("cache_write:"):
            taken_in += 0 if lifetimes_seen else count
            if not lifetimes_seen:
                _add(found, name, count)
        elif name.startswith("cache_read_"):
            if not read_seen:
                raise InvalidUsageError(f"{name} is part of cache_read_tokens, which is missing")
            taken_in += _add(found, name, count)
        elif name not in _RESTATED:
            _add(found, name, count)
    return taken_in, taken_out


def total(parts: Sequence[tuple[str, int]]) -> int:
    """Tokens of the buckets together."""
    return sum(count for unit, count in parts if units.per(unit) == units.TOKENS)
