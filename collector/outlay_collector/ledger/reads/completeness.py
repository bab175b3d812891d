"""How much of the truth a total holds: up to when, and what is estimated, missing, refused or lost on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

REFUSED, RETRIED = "refused:", "retried:"
"""How counts of refused spans, and of those accepted after all, are named; the reason follows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Completeness:
    """``at_least`` is what is known to have been spent; ``None`` when nothing has a price.

    ``refused`` are spans by reason without those that were accepted after all. These and ``dropped_by_clients`` are known
    by the hour of their arrival, for whole projects.
    """

    complete_until: datetime
    currency: str
    at_least: Decimal | None
    calls: int
    estimated_calls: int
    missing_usage_calls: int
    unpriced_calls: int
    refused: Mapping[str, int]
    dropped_by_clients: int

    @property
    def is_complete(self) -> bool:
        """Whether nothing is known to be missing from the total."""
        return not (self.missing_usage_calls or self.unpriced_calls or self.refused or self.dropped_by_clients)

    def sentence(self, zone: ZoneInfo) -> str:
        """In words, with the time as the clock of ``zone`` shows it."""
        known = "nothing has a price" if self.at_least is None else f"{_shown(self.at_least)} {self.currency}"
        total = known if self.at_least is None or self.is_complete else f"at least {known}"
        parts = [
            f"{self.estimated_calls} estimated",
            f"{self.missing_usage_calls} without usage",
            f"{self.unpriced_calls} not priced",
            f"{sum(self.refused.values())} refused",
            f"{self.dropped_by_clients} dropped by clients",
        ]
        return f"complete to {self.complete_until.astimezone(zone):%H:%M}; {', '.join(parts)}; {total}"


def completeness(
    sums: Mapping[str, Any],
    counts: Mapping[str, int],
    *,
    dropped_by_clients: int,
    complete_until: datetime,
    currency: str,
) -> Completeness:
    """``sums`` are those of the ledger over the whole window, ``counts`` what ingest counted in it, by name."""
    refused = {
        name.removeprefix(REFUSED): left
        for name, number in sorted(counts.items())
        if name.startswith(REFUSED) and (left := number - counts.get(RETRIED + name.removeprefix(REFUSED), 0)) > 0
    }
    return Completeness(
        complete_until=complete_until,
        currency=currency,
        at_least=sums.get("cost"),
        calls=sums.get("calls", 0),
        estimated_calls=sums.get("estimated_calls", 0),
        missing_usage_calls=sums.get("missing_usage_calls", 0),
        unpriced_calls=sums.get("unpriced_calls", 0),
        refused=refused,
        dropped_by_clients=dropped_by_clients,
    )


def as_json(found: Completeness, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "complete_until": found.complete_until,
        "is_complete": found.is_complete,
        "at_least": None if found.at_least is None else format(found.at_least, "f"),
        "currency": found.currency,
        "calls": found.calls,
        "estimated_calls": found.estimated_calls,
        "missing_usage_calls": found.missing_usage_calls,
        "unpriced_calls": found.unpriced_calls,
        "refused": sum(found.refused.values()),
        "refused_by_reason": dict(found.refused),
        "dropped_by_clients": found.dropped_by_clients,
        "sentence": found.sentence(zone),
    }


def _shown(money: Decimal) -> str:
    """To the cent; what is less than that in full."""
    return format(money.quantize(Decimal("0.01")), "f") if money >= Decimal("0.01") or not money else format(money, "f")
