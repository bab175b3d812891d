"""What rules move: money and calls, from where to where, by which rule. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any, NamedTuple

from outlay_collector.ledger.attribution.rules import Decisions

_EXACT = Context(prec=200)


class Path(NamedTuple):
    """``rule`` ``None``: no rule says anything any more, and what was reported stands again."""

    project_id: int
    rule: str | None
    dimension: str
    before: str | None
    after: str | None


@dataclass(slots=True)
class Sum:
    """Calls that count, those of them without a known cost, and the known costs; ``None``: none is known."""

    calls: int = 0
    unpriced_calls: int = 0
    cost: Decimal | None = None

    def add(self, other: Sum) -> None:
        self.calls += other.calls
        self.unpriced_calls += other.unpriced_calls
        if other.cost is not None:
            self.cost = other.cost if self.cost is None else _EXACT.add(self.cost, other.cost)


@dataclass(slots=True)
class Totals:
    """``looked_at`` are spans of any kind, ``changed_spans`` those that are written; ``changed`` those that count of them."""

    looked_at: int = 0
    changed_spans: int = 0
    changed: Sum = field(default_factory=Sum)

    def as_json(self) -> dict[str, Any]:
        return {
            "spans": self.looked_at,
            "changed_spans": self.changed_spans,
            "changed_calls": self.changed.calls,
            "changed_unpriced_calls": self.changed.unpriced_calls,
            "changed_cost": _money(self.changed.cost),
        }


@dataclass(slots=True)
class Moves:
    """All that moves. A call of which two dimensions change is in two paths, and once in the totals."""

    totals: Totals = field(default_factory=Totals)
    paths: dict[Path, Sum] = field(default_factory=dict[Path, Sum])

    def add(
        self,
        project_id: int,
        reported: Mapping[str, str | None],
        before: Mapping[str, str],
        after: Decisions,
        spans: int,
        sums: Sum,
    ) -> dict[str, str] | None:
        """Calls alike. ``reported`` are their own values, ``before`` what was laid over them; what is to be, if it differs."""
        self.totals.looked_at += spans
        laid = {one.dimension: one.value for one in after}
        if laid == before:
            return None
        self.totals.changed_spans += spans
        self.totals.changed.add(sums)
        by_rule = {one.dimension: one.rule for one in after}
        for dimension in sorted(before.keys() | laid.keys()):
            was, will = (side.get(dimension, reported.get(dimension)) for side in (before, laid))
            if was != will and sums.calls:
                path = Path(project_id, by_rule.get(dimension), dimension, was, will)
                self.paths.setdefault(path, Sum()).add(sums)
        return laid

    def join(self, other: Moves) -> None:
        self.totals.looked_at += other.totals.looked_at
        self.totals.changed_spans += other.totals.changed_spans
        self.totals.changed.add(other.totals.changed)
        for path, sums in other.paths.items():
            self.paths.setdefault(path, Sum()).add(sums)


def as_json(paths: Iterable[tuple[Path, Sum]], projects: Mapping[int, str]) -> list[dict[str, Any]]:
    """Largest first."""
    ordered = sorted(paths, key=lambda one: (-(one[1].cost or Decimal(0)), -one[1].calls, str(one[0])))
    return [
        {
            "project": projects.get(path.project_id),
            "rule": path.rule,
            "dimension": path.dimension,
            "from": path.before,
            "to": path.after,
            "calls": sums.calls,
            "unpriced_calls": sums.unpriced_calls,
            "cost": _money(sums.cost),
        }
        for path, sums in ordered
    ]


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
