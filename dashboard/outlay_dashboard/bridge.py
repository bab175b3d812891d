"""Why spend changed, as an exact sum of effects.

Spend is calls × who makes them × tokens per call × money per token. Per group (a model in a feature, say) the logarithmic
mean Divisia index (LMDI-I: B. W. Ang, Energy Policy 33, 2005) splits the change into one term per factor, without a
remainder and without preferring one order of factors over another. A group that is new or gone has no factors on one side:
all of it is *mix*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from outlay_dashboard.answers import SpendRow, Totals, totals_by

VOLUME, MIX, SIZE, RATE, UNKNOWN = "volume", "mix", "size", "rate", "unknown"
EFFECTS: tuple[str, ...] = (VOLUME, MIX, SIZE, RATE, UNKNOWN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bridge:
    """``effects`` sum to ``after - before`` exactly.

    ``volume``: more or fewer calls altogether. ``mix``: calls moved between groups. ``size``: tokens per call.
    ``rate``: money per token: prices, and how much was cached, reasoned or written. ``unknown``: groups whose calls have
    no price on one side, so that their change is not a change of spend.
    """

    before: Decimal
    after: Decimal
    effects: dict[str, Decimal]


def bridge(before: Sequence[SpendRow], after: Sequence[SpendRow], dimensions: Sequence[str]) -> Bridge:
    """The change from ``before`` to ``after``, taken apart over the groups of ``dimensions``."""
    key: Callable[[SpendRow], tuple[str | None, ...]] = lambda row: tuple(row.of.get(name) for name in dimensions)  # noqa: E731
    was, now = totals_by(before, key), totals_by(after, key)
    calls = sum(sums.calls for sums in was.values()), sum(sums.calls for sums in now.values())
    parts = dict.fromkeys(EFFECTS, 0.0)
    for group in dict.fromkeys([*was, *now]):
        for effect, amount in _effects(was.get(group, Totals()), now.get(group, Totals()), calls).items():
            parts[effect] += amount
    first, last = (sum((sums.cost or Decimal(0) for sums in side.values()), Decimal(0)) for side in (was, now))
    return Bridge(before=first, after=last, effects=_exact(parts, last - first))


def _effects(was: Totals, now: Totals, calls: tuple[int, int]) -> dict[str, float]:
    before, after = float(was.cost or 0), float(now.cost or 0)
    if (was.calls and was.cost is None) or (now.calls and now.cost is None):
        return {UNKNOWN: after - before}
    if not all((before, after, was.tokens, now.tokens)):
        return {MIX: after - before}
    weight = before if math.isclose(before, after, rel_tol=1e-12) else (after - before) / math.log(after / before)
    return {
        VOLUME: weight * math.log(calls[1] / calls[0]),
        MIX: weight * math.log((now.calls / calls[1]) / (was.calls / calls[0])),
        SIZE: weight * math.log((now.tokens / now.calls) / (was.tokens / was.calls)),
        RATE: weight * math.log((after / now.tokens) / (before / was.tokens)),
    }


def _exact(parts: dict[str, float], change: Decimal) -> dict[str, Decimal]:
    """The parts as decimals; what floating point left over goes to the largest, so that they sum to the change."""
    amounts = {effect: Decimal(repr(amount)).quantize(Decimal("1e-9")) for effect, amount in parts.items()}
    largest = max(amounts, key=lambda effect: abs(amounts[effect]))
    amounts[largest] += change - sum(amounts.values(), Decimal(0))
    return {effect: amount for effect, amount in amounts.items() if amount}
