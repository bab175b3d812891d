"""Who bears how much: what cost centers spend themselves, and their shares of what all have in common. Pure.

Direct plus shared is the total, to the last digit. A shared rule with nobody to bear its costs leaves them without a cost
center.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from itertools import pairwise
from typing import Any

from outlay_collector.ledger.attribution.moves import Sum
from outlay_collector.ledger.attribution.sharing import SharedRule, split
from outlay_collector.ledger.buckets import Window

CENTER = "cost_center"

_EXACT = Context(prec=200)
_NOTHING = Decimal(0)


@dataclass(slots=True)
class Bearer:
    """A cost center: ``direct`` is what it spends itself, ``shared`` its shares by rule."""

    direct: Sum = field(default_factory=Sum)
    shared: dict[str, Decimal] = field(default_factory=dict[str, Decimal])

    @property
    def shares(self) -> Decimal:
        return _sum(self.shared.values())

    @property
    def total(self) -> Decimal:
        return _EXACT.add(self.direct.cost or _NOTHING, self.shares)

    def bear(self, rule: str, amount: Decimal) -> None:
        self.shared[rule] = _EXACT.add(self.shared.get(rule, _NOTHING), amount)


@dataclass(slots=True)
class Showback:
    """By cost center; ``None``: calls that have none. ``pools`` is what each rule shared out."""

    bearers: dict[str | None, Bearer] = field(default_factory=dict[str | None, Bearer])
    pools: dict[str, Sum] = field(default_factory=dict[str, Sum])

    def bearer(self, center: str | None) -> Bearer:
        return self.bearers.setdefault(center, Bearer())

    @property
    def total(self) -> Decimal:
        return _sum(bearer.total for bearer in self.bearers.values())

    def add(self, rows: Iterable[Mapping[str, Any]], rules: Sequence[SharedRule]) -> None:
        """Spend of one stretch of time by cost center and by what ``rules``, which all hold in it, ask about."""
        direct: dict[str, Decimal] = {}
        pools: dict[str, Decimal] = {}
        for row in rows:
            sums = Sum(row["calls"], row["unpriced_calls"], row["cost"])
            rule = next((rule for rule in rules if rule.takes(row)), None)
            if rule is not None:
                self.pools.setdefault(rule.name, Sum()).add(sums)
                pools[rule.name] = _EXACT.add(pools.get(rule.name, _NOTHING), sums.cost or _NOTHING)
                continue
            center = row[CENTER]
            self.bearer(center).direct.add(sums)
            if center is not None:
                direct[center] = _EXACT.add(direct.get(center, _NOTHING), sums.cost or _NOTHING)
        for rule in rules:
            self._share(rule, pools.get(rule.name), direct)

    def _share(self, rule: SharedRule, amount: Decimal | None, direct: Mapping[str, Decimal]) -> None:
        if amount is None:
            return
        weights = rule.weights(direct)
        for center, part in split(amount, weights).items() if weights else ((None, amount),):
            self.bearer(center).bear(rule.name, part)


def dimensions(rules: Iterable[SharedRule]) -> tuple[str, ...]:
    """What spend has to be grouped by."""
    return tuple(sorted({CENTER, *(condition.dimension for rule in rules for condition in rule.costs)}))


def stretches(window: Window, rules: Iterable[SharedRule]) -> list[Window]:
    """``window`` cut where rules begin and end."""
    bounds = {bound for rule in rules for bound in (rule.valid_from, rule.valid_to) if bound is not None}
    cuts = [window.start, *sorted(bound for bound in bounds if window.start < bound < window.end), window.end]
    return [Window(start, end) for start, end in pairwise(cuts)]


def as_json(found: Showback) -> dict[str, Any]:
    """Largest first, calls without a cost center last."""
    ordered = sorted(found.bearers.items(), key=lambda one: (one[0] is None, -one[1].total, one[0] or ""))
    return {
        "total": _shown(found.total),
        "direct": _shown(_sum(bearer.direct.cost or _NOTHING for bearer in found.bearers.values())),
        "shared": _shown(_sum(bearer.shares for bearer in found.bearers.values())),
        "rows": [
            {
                "cost_center": center,
                "calls": bearer.direct.calls,
                "unpriced_calls": bearer.direct.unpriced_calls,
                "direct": None
                if bearer.direct.calls and bearer.direct.cost is None
                else _shown(bearer.direct.cost or _NOTHING),
                "shared": _shown(bearer.shares),
                "total": _shown(bearer.total),
                "shares": {rule: _shown(amount) for rule, amount in bearer.shared.items()},
            }
            for center, bearer in ordered
        ],
        "pools": [
            {
                "rule": rule,
                "calls": pool.calls,
                "unpriced_calls": pool.unpriced_calls,
                "cost": None if pool.cost is None else _shown(pool.cost),
            }
            for rule, pool in found.pools.items()
        ],
    }


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = _NOTHING
    for amount in amounts:
        total = _EXACT.add(total, amount)
    return total


def _shown(amount: Decimal) -> str:
    """Without the zeros that sharing in billionths leaves at the end."""
    return f"{amount.normalize(_EXACT):f}"
