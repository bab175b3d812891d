"""Costs that many have in common, shared out to the last digit. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal

from outlay_collector.ledger.attribution.rules import Condition

EVEN, PROPORTIONAL, FIXED = "even", "proportional", "fixed"

FINEST = -9
"""Shares are whole multiples of this power of ten, or of the amount's own last digit where that is finer."""

_EXACT = Context(prec=200)


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedRule:
    """Spend that ``costs`` describes is borne by cost centers: each alike, by what they spend themselves, or as agreed.

    ``over`` names them (none: all that spend anything themselves); ``shares`` are the percentages of a fixed split.
    """

    name: str
    costs: tuple[Condition, ...]
    split: str
    over: tuple[str, ...] = ()
    shares: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def covers(self, at: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= at) and (self.valid_to is None or at < self.valid_to)

    def takes(self, values: Mapping[str, str | None]) -> bool:
        return all(condition.holds(values.get(condition.dimension)) for condition in self.costs)

    def weights(self, direct: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """``direct``: what cost centers spend themselves. Empty when nobody is there to bear it."""
        if self.split == FIXED:
            return dict(self.shares)
        bearers = self.over or tuple(sorted(direct))
        if self.split == EVEN:
            return {center: Decimal(1) for center in bearers}
        found = {center: max(direct.get(center, Decimal(0)), Decimal(0)) for center in bearers}
        return {center: weight for center, weight in found.items() if weight}


def split(amount: Decimal, weights: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """``amount`` by weight; the shares add up to it exactly. ValueError unless some weight is positive and none negative.

    Hamilton's method: what is left after rounding down goes to the largest remainders, of equal ones to the first name.
    """
    total = sum(weights.values(), Decimal(0))
    if total <= 0 or any(weight < 0 for weight in weights.values()):
        raise ValueError(f"weights {dict(weights)} share out nothing: some must be positive and none negative")
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)
    unit = Decimal(1).scaleb(min(exponent, FINEST))
    units = int(_EXACT.divide(abs(amount), unit))
    # Whole numbers throughout, so that nothing depends on how many digits a division keeps.
    scale = 10 ** max(0, *(-_exponent(weight) for weight in weights.values()))
    whole = {name: int(_EXACT.multiply(weight, Decimal(scale))) for name, weight in weights.items()}
    of = sum(whole.values())
    floors = {name: units * weight // of for name, weight in whole.items()}
    remainders = sorted(whole, key=lambda name: (-(units * whole[name] % of), name))
    for name in remainders[: units - sum(floors.values())]:
        floors[name] += 1
    sign = -1 if amount < 0 else 1
    return {name: _EXACT.multiply(Decimal(sign * number), unit) for name, number in floors.items()}


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent
