"""What can be asked about a group of calls: each measure with its unit, how it adds up and how it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from outlay_dashboard import formats
from outlay_dashboard.answers import Totals


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """``of`` gives the value of a group, None where it is unknown. Only an ``adds_up`` measure can be stacked; the others
    are ratios of sums and are drawn as lines."""

    name: str
    of: Callable[[Totals], Decimal | None]
    adds_up: bool = True
    is_money: bool = False

    def say(self, value: Decimal | None, currency: str, language: str) -> str:
        """The value with its unit, as it stands in texts and hovers."""
        if self.is_money:
            return formats.money(value, currency)
        if value is None:
            return formats.DASH
        if self.name == "error_rate":
            return formats.share(value)
        return formats.tokens(value, language) if "tokens" in self.name else formats.count(int(value))

    def say_short(self, value: Decimal, currency: str, language: str) -> str:
        """As it stands beside an axis."""
        if self.is_money:
            return formats.short_money(value, currency)
        if self.name == "error_rate":
            return f"{formats.trimmed(value * 100)} %"
        return formats.tokens(value, language, exact=True)


def _per(total: Decimal | int | None, number: int, times: int = 1) -> Decimal | None:
    return None if total is None or not number else Decimal(total) * times / number


COST = Measure(name="cost", of=lambda sums: sums.cost, is_money=True)
CALLS = Measure(name="calls", of=lambda sums: Decimal(sums.calls))
TOKENS = Measure(name="tokens", of=lambda sums: Decimal(sums.tokens))
INPUT = Measure(name="input_tokens", of=lambda sums: Decimal(sums.input_tokens))
OUTPUT = Measure(name="output_tokens", of=lambda sums: Decimal(sums.output_tokens))
ERRORS = Measure(name="errors", of=lambda sums: Decimal(sums.errors))
PER_CALL = Measure(name="cost_per_call", of=lambda sums: _per(sums.cost, sums.calls), adds_up=False, is_money=True)
PER_MILLION = Measure(
    name="cost_per_million", of=lambda sums: _per(sums.cost, sums.tokens, 10**6), adds_up=False, is_money=True
)
ERROR_RATE = Measure(name="error_rate", of=lambda sums: _per(sums.errors, sums.calls), adds_up=False)

MEASURES = {
    measure.name: measure for measure in (COST, CALLS, TOKENS, INPUT, OUTPUT, ERRORS, PER_CALL, PER_MILLION, ERROR_RATE)
}
