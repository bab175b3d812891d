"""Unit costs: known where both sides are, and never infinite or zero where one is not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from outlay_collector.units.economics import Judged, Key, as_json, largest, per, units


def a_row(cost: str | None, calls: int = 1, **of: str | None) -> dict[str, Any]:
    return {"period_start": None, "cost": cost and Decimal(cost), "calls": calls, "unpriced_calls": 0, **of}


def test_each_unit_has_the_cost_of_the_calls_that_name_it() -> None:
    (row,) = as_json(
        units(
            [a_row("10", 8)],
            [a_row("6", user="ann"), a_row("2", user="bob"), a_row("2", user=None)],
            [a_row("9", customer="acme"), a_row("1", customer=None)],
            {(None, ()): Judged(outcomes=4, successes=3, cost=Decimal("7.5"))},
            {(None, ()): Decimal(25)},
            (),
        ),
        (),
    )
    assert row == {
        "period_start": None, "cost": "10", "requests": 8, "unpriced_calls": 0, "cost_per_request": "1.25",
        "users": 2, "cost_of_users": "8", "cost_per_user": "4",
        "customers": 1, "cost_of_customers": "9", "cost_per_customer": "9",
        "outcomes": 4, "successes": 3, "cost_of_outcomes": "7.5", "cost_per_success": "2.5",
        "revenue": "25", "margin": "15",
    }  # fmt: skip


def test_what_is_not_known_is_null() -> None:
    (row,) = as_json(
        units([a_row(None, 8)], [a_row("1", user="__other__")], [a_row("1", customer=None)], None, {}, ()), ()
    )
    unknown = ("cost", "cost_per_request", "users", "cost_per_user", "customers", "cost_per_customer", "outcomes",
               "cost_per_success", "revenue", "margin")  # fmt: skip
    assert {name: row[name] for name in unknown} == dict.fromkeys(unknown)
    assert row["cost_of_users"] == "1"


def test_no_success_has_no_cost_per_success() -> None:
    judged: dict[Key, Judged] = {(None, ()): Judged(outcomes=2, successes=0, cost=Decimal(3))}
    (row,) = as_json(units([a_row("3")], [], [], judged, {}, ()), ())
    assert (row["successes"], row["cost_per_success"]) == (0, None)


def test_a_third_has_fifteen_digits() -> None:
    assert per(Decimal(1), 3) == Decimal("0.333333333333333")
    assert per(Decimal(1), 0) is None
    assert per(None, 3) is None


def test_beyond_the_largest_groups_the_rest_is_one() -> None:
    spend = [
        a_row("1", customer="a"),
        a_row("5", customer="b"),
        a_row("2", customer=None),
        a_row("3", customer="__other__"),
    ]
    earned: dict[Key, Decimal] = {(None, ("a",)): Decimal(4)}
    found = units(spend, [], spend, None, earned, ("customer",))
    rows = as_json(largest(found, 1), ("customer",))
    assert [(row["customer"], row["cost"], row["requests"], row["customers"], row["revenue"]) for row in rows] == [
        ("__other__", "6", 3, None, "4"),
        ("b", "5", 1, 1, None),
    ]


def test_groups_are_kept_apart_and_those_that_only_earn_are_there() -> None:
    acme = [a_row("2", customer="acme")]
    earned: dict[Key, Decimal] = {(None, ("new",)): Decimal(5)}
    rows = as_json(units(acme, [], acme, None, earned, ("customer",)), ("customer",))
    assert [(row["customer"], row["cost"], row["revenue"], row["margin"]) for row in rows] == [
        ("acme", "2", None, None),
        ("new", None, "5", None),
    ]
