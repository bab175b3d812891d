"""The largest groups of an answer by their own names, the rest as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay_collector.db.names import OTHER, SUMS

_ADDED = (*SUMS, "cost", "reported_cost")


def top(rows: Iterable[Mapping[str, Any]], group_by: Sequence[str], most: int) -> list[dict[str, Any]]:
    """Rows of the ``most`` groups that cost most over all periods; all others summed per period under ``__other__``.

    Totals stay what they were. What has no known cost ranks after what has, by its calls.
    """
    rows = list(rows)
    totals: dict[tuple[Any, ...], tuple[Decimal | None, int]] = {}
    for row in rows:
        group = tuple(row[name] for name in group_by)
        cost, calls = totals.get(group, (None, 0))
        totals[group] = _plus(cost, row["cost"]), calls + row["calls"]
    ranked = sorted((group for group in totals if OTHER not in group), key=lambda group: _rank(*totals[group]))
    kept = set(ranked[:most])
    named = [dict(row) for row in rows if tuple(row[name] for name in group_by) in kept]
    rest: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if tuple(row[name] for name in group_by) in kept:
            continue
        into = rest.setdefault(
            row["period_start"], {"period_start": row["period_start"], **dict.fromkeys(group_by, OTHER)}
        )
        into.update({name: _plus(into.get(name), row[name]) for name in _ADDED})
    return sorted([*named, *rest.values()], key=lambda row: row["period_start"])


def _plus(left: Any, right: Any) -> Any:
    return right if left is None else left if right is None else left + right


def _rank(cost: Decimal | None, calls: int) -> tuple[bool, Decimal, int]:
    return cost is None, -(cost or Decimal(0)), -calls
