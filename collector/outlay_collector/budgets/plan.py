"""How much a budget allows in which of its periods. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from outlay_collector.budgets.periods import Calendar, first_day, number_of
from outlay_collector.ledger.buckets import Window

_SMALLEST = Decimal("0.000001")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """``amounts`` are those of the period that holds ``since`` and of those after it; the last one goes on, growing by
    ``growth_percent`` from period to period. Before ``since`` the first amount holds."""

    amounts: tuple[Decimal, ...]
    since: date | None = None
    growth_percent: Decimal = Decimal(0)

    def amount(self, calendar: Calendar, period: Window) -> Decimal:
        if self.since is None or calendar.is_rolling:
            return self.amounts[0]
        first = period.start.astimezone(calendar.zone).date()
        passed = number_of(calendar, first) - number_of(calendar, first_day(calendar, self.since))
        if passed < len(self.amounts):
            return self.amounts[max(passed, 0)]
        grown = self.amounts[-1] * (1 + self.growth_percent / 100) ** (passed - len(self.amounts) + 1)
        return grown.quantize(_SMALLEST, ROUND_HALF_EVEN).normalize() if self.growth_percent else grown
