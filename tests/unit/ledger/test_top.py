from __future__ import annotations

from decimal import Decimal
from typing import Any

from outlay_collector.db.names import OTHER, SUMS
from outlay_collector.ledger.reads.top import top


def a_row(user: str | None, cost: str | None, *, calls: int = 1, period: int = 0) -> dict[str, Any]:
    money = None if cost is None else Decimal(cost)
    sums = dict.fromkeys(SUMS, 0) | {"calls": calls, "cost": money, "reported_cost": None}
    return {"period_start": period, "user": user, **sums}


def test_the_rest_is_one_group_per_period_and_nothing_is_lost() -> None:
    rows = [a_row("a", "5"), a_row("b", "1"), a_row(None, "0.5"), a_row("a", "1", period=1), a_row("b", "2", period=1)]
    found = top(rows, ["user"], 1)
    assert [(row["period_start"], row["user"], row["cost"], row["calls"]) for row in found] == [
        (0, "a", Decimal(5), 1),
        (0, OTHER, Decimal("1.5"), 2),
        (1, "a", Decimal(1), 1),
        (1, OTHER, Decimal(2), 1),
    ]


def test_groups_without_a_known_cost_come_after_those_with_one_by_their_calls() -> None:
    rows = [a_row("many", None, calls=9), a_row("few", None, calls=1), a_row("cheap", "0.01")]
    assert [row["user"] for row in top(rows, ["user"], 2)] == ["many", "cheap", OTHER]
    assert top(rows, ["user"], 2)[-1]["cost"] is None


def test_what_was_summed_as_other_before_stays_so() -> None:
    assert [row["user"] for row in top([a_row(OTHER, "100"), a_row("a", "1")], ["user"], 1)] == ["a", OTHER]
