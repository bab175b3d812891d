"""Why spend changed from one window to another, as an exact sum of effects.

A group's spend (a model in a feature, say) is successful calls × attempts per success × the group's share of calls × what
a call is worth × how much of that caching leaves × money per worth. The logarithmic mean Divisia index (LMDI-I: B. W. Ang,
Energy Policy 33, 2005) splits the change into one term per factor, without a remainder and without preferring one order
of factors over another. What a group's tokens are *worth* is asked of the caller: their price at fixed rates, with and
without caching. So prices, lengths and caching are told apart; without it, a token is worth a token.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any


class Effect(StrEnum):
    VOLUME = "volume"  # more or fewer successful calls altogether
    RETRIES = "retries"  # attempts per success
    MIX = "mix"  # calls moved between groups; groups that are new or gone
    SIZE = "size"  # what a call is worth at fixed prices, nothing cached: longer prompts, longer answers
    CACHE = "cache"  # how much of that worth caching saved
    PRICE = "price"  # money per worth: rates, tiers, discounts
    OTHER = "other"  # ledger lines without calls
    UNKNOWN = "unknown"  # groups whose calls have no price on one side: no change of spend that anybody knows of


Group = tuple[str | None, ...]
Worth = Callable[[Group, Mapping[str, int]], tuple[float, float] | None]
"""Of a group's summed tokens: what they are worth at fixed rates as they were cached, and if nothing had been cached."""

_TOKENS = (
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "input_audio_tokens", "output_tokens",
    "reasoning_tokens", "output_audio_tokens",
)  # fmt: skip
_COUNTS = ("calls", "errors", "lines", *_TOKENS)
_DIGITS = Decimal("1e-9")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One group's share of a change. ``effects`` sum to ``after - before`` exactly."""

    group: Group
    before: Decimal
    after: Decimal
    effects: Mapping[Effect, Decimal]

    @property
    def change(self) -> Decimal:
        return self.after - self.before


@dataclass(frozen=True, kw_only=True, slots=True)
class Bridge:
    """``effects`` sum to ``after - before`` exactly, and so do the ``parts``; those that changed most come first."""

    before: Decimal
    after: Decimal
    effects: Mapping[Effect, Decimal]
    parts: tuple[Part, ...]


def bridge(
    before: Iterable[Mapping[str, Any]],
    after: Iterable[Mapping[str, Any]],
    dimensions: Sequence[str],
    worth: Worth | None = None,
) -> Bridge:
    """``before`` and ``after`` are rows as ``reads.store.spend`` gives them, grouped by ``dimensions`` at least."""
    was, now = _by_group(before, dimensions), _by_group(after, dimensions)
    totals = _Totals.of(was.values()), _Totals.of(now.values())
    parts = [
        _part(group, was.get(group, _NOTHING), now.get(group, _NOTHING), totals, worth)
        for group in dict.fromkeys([*was, *now])
    ]
    parts.sort(key=lambda part: (-abs(part.change), tuple(str(value) for value in part.group)))
    effects: dict[Effect, Decimal] = {}
    for part in parts:
        for effect, amount in part.effects.items():
            effects[effect] = effects.get(effect, Decimal(0)) + amount
    return Bridge(
        before=sum((part.before for part in parts), Decimal(0)),
        after=sum((part.after for part in parts), Decimal(0)),
        effects={effect: effects[effect] for effect in Effect if effects.get(effect)},
        parts=tuple(parts),
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """One group in one window."""

    cost: Decimal | None
    counts: Mapping[str, int]

    def __getitem__(self, name: str) -> int:
        return self.counts.get(name, 0)


_NOTHING = _Side(None, {})


@dataclass(frozen=True, slots=True)
class _Totals:
    calls: int
    successes: int

    @classmethod
    def of(cls, sides: Iterable[_Side]) -> _Totals:
        counted = [(side["calls"], side["errors"]) for side in sides]
        return cls(sum(calls for calls, _ in counted), sum(calls - errors for calls, errors in counted))


def _by_group(rows: Iterable[Mapping[str, Any]], dimensions: Sequence[str]) -> dict[Group, _Side]:
    found: dict[Group, _Side] = {}
    for row in rows:
        group = tuple(row[name] for name in dimensions)
        old = found.get(group, _NOTHING)
        cost = row["cost"] if old.cost is None else old.cost if row["cost"] is None else old.cost + row["cost"]
        found[group] = _Side(cost, {name: old[name] + (row.get(name) or 0) for name in _COUNTS})
    return found


def _part(group: Group, was: _Side, now: _Side, totals: tuple[_Totals, _Totals], worth: Worth | None) -> Part:
    before, after = was.cost or Decimal(0), now.cost or Decimal(0)
    amounts = _effects(group, was, now, totals, worth)
    return Part(group=group, before=before, after=after, effects=_exact(amounts, after - before))


def _effects(
    group: Group, was: _Side, now: _Side, totals: tuple[_Totals, _Totals], worth: Worth | None
) -> dict[Effect, float]:
    before, after = float(was.cost or 0), float(now.cost or 0)
    change = after - before
    if (was["calls"] and was.cost is None) or (now["calls"] and now.cost is None):
        return {Effect.UNKNOWN: change}
    if not was["calls"] and not now["calls"]:
        return {Effect.OTHER: change}
    both = before > 0 and after > 0 and was["calls"] and now["calls"]
    sizes = _worths(group, was, now, worth) if both else None
    if sizes is None:
        return {Effect.MIX: change}
    (worth_was, uncached_was), (worth_now, uncached_now) = sizes
    weight = before if math.isclose(before, after, rel_tol=1e-12) else change / math.log(after / before)
    ratios = _volume(*totals) | {
        Effect.MIX: (now["calls"] / totals[1].calls) / (was["calls"] / totals[0].calls),
        Effect.SIZE: (uncached_now / now["calls"]) / (uncached_was / was["calls"]),
        Effect.CACHE: (worth_now / uncached_now) / (worth_was / uncached_was),
        Effect.PRICE: (after / worth_now) / (before / worth_was),
    }
    return {effect: weight * math.log(ratio) for effect, ratio in ratios.items()}


def _volume(was: _Totals, now: _Totals) -> dict[Effect, float]:
    """Calls are successes × attempts per success; where nothing succeeded there is no telling."""
    if not was.successes or not now.successes:
        return {Effect.VOLUME: now.calls / was.calls}
    return {
        Effect.VOLUME: now.successes / was.successes,
        Effect.RETRIES: (now.calls / now.successes) / (was.calls / was.successes),
    }


def _worths(
    group: Group, was: _Side, now: _Side, worth: Worth | None
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Of both sides by one measure: money at fixed rates, else tokens. ``None`` where a side has no tokens."""
    if worth is not None:
        first, last = worth(group, was.counts), worth(group, now.counts)
        if first is not None and last is not None and min(*first, *last) > 0:
            return first, last
    tokens = [float(side["input_tokens"] + side["output_tokens"]) for side in (was, now)]
    return ((tokens[0], tokens[0]), (tokens[1], tokens[1])) if all(tokens) else None


def _exact(amounts: Mapping[Effect, float], change: Decimal) -> dict[Effect, Decimal]:
    """As decimals; what floating point and rounding left over goes to the largest, so that they sum to the change."""
    parts = {effect: Decimal(repr(amount)).quantize(_DIGITS) for effect, amount in amounts.items()}
    largest = max(parts, key=lambda effect: abs(parts[effect]))
    parts[largest] += change - sum(parts.values(), Decimal(0))
    return {effect: amount for effect, amount in parts.items() if amount}
