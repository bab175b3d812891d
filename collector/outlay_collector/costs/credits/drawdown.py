"""Which credit pays for which day's use. Pure.

What is bought is billed when it is bought and costs nothing then; use costs what it costs, and is billed only where no credit
covers it (FOCUS 1.2, "Virtual Currency Pricing Model": the purchase has BilledCost, use has EffectiveCost). So nothing is
counted twice, whichever of the two one adds up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase

from outlay_collector.pricing.price import difference, plus

_NOTHING = Decimal(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """``amount`` in the instance's currency, for use of ``provider`` (with ``*``) on days in ``[start, end)``."""

    key: str
    provider: str
    amount: Decimal
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Use:
    """What a provider's calls of one day cost."""

    day: date
    provider: str
    cost: Decimal


def drawn(grants: Iterable[Grant], uses: Iterable[Use]) -> dict[tuple[str, date], Decimal]:
    """What each grant pays on each day, day by day; of several the one that expires first, then the older, then by key."""
    order = sorted(grants, key=lambda grant: (grant.end, grant.start, grant.key))
    left = {grant.key: grant.amount for grant in order}
    found: dict[tuple[str, date], Decimal] = {}
    for use in sorted(uses, key=lambda use: (use.day, use.provider)):
        open_part = use.cost
        for grant in order:
            if open_part <= 0:
                break
            if not (grant.start <= use.day < grant.end and fnmatchcase(use.provider, grant.provider)):
                continue
            part = min(left[grant.key], open_part)
            if part > 0:
                left[grant.key] = difference(part, left[grant.key])
                open_part = difference(part, open_part)
                found[grant.key, use.day] = plus(found.get((grant.key, use.day)), part) or _NOTHING
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Month:
    """``effective`` is what use cost, ``billed`` what has to be paid: use without what credits paid, and what was bought."""

    month: str
    effective: Decimal
    drawn: Decimal
    bought: Decimal

    @property
    def billed(self) -> Decimal:
        return plus(difference(self.drawn, self.effective), self.bought) or _NOTHING


def by_month(grants: Sequence[Grant], uses: Sequence[Use], paid: Mapping[tuple[str, date], Decimal]) -> list[Month]:
    """Months with use or a purchase, in order."""
    effective: dict[str, Decimal] = {}
    taken: dict[str, Decimal] = {}
    bought: dict[str, Decimal] = {}
    for sums, items in (
        (effective, ((use.day, use.cost) for use in uses)),
        (taken, ((day, part) for (_, day), part in paid.items())),
        (bought, ((grant.start, grant.amount) for grant in grants)),
    ):
        for day, amount in items:
            sums[f"{day:%Y-%m}"] = plus(sums.get(f"{day:%Y-%m}"), amount) or _NOTHING
    return [
        Month(
            month=month,
            effective=effective.get(month, _NOTHING),
            drawn=taken.get(month, _NOTHING),
            bought=bought.get(month, _NOTHING),
        )
        for month in sorted({*effective, *bought})
    ]
