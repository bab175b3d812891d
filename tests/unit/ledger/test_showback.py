"""Showback: direct and shared add up to everything that was spent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.ledger.attribution.rules import Condition
from outlay_collector.ledger.attribution.sharing import EVEN, FIXED, PROPORTIONAL, SharedRule
from outlay_collector.ledger.attribution.showback import Showback, as_json, stretches
from outlay_collector.ledger.buckets import Window

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def spend(cost: str | None, center: str | None = None, **said: str) -> dict[str, Any]:
    unknown = int(cost is None)
    return {"cost_center": center, "calls": 1, "unpriced_calls": unknown, "cost": cost and Decimal(cost), **said}


def a_rule(split: str, *, name: str = "platform", **more: Any) -> SharedRule:
    return SharedRule(name=name, costs=(Condition("project", "in", (name,)),), split=split, **more)


def test_a_platform_is_borne_by_what_each_spends() -> None:
    found = Showback()
    found.add(
        [spend("30", "ads"), spend("10", "search"), spend("5"), spend("8", project="platform")],
        [a_rule(PROPORTIONAL)],
    )
    answer = as_json(found)
    assert (answer["direct"], answer["shared"], answer["total"]) == ("45", "8", "53")
    assert [(row["cost_center"], row["direct"], Decimal(row["shared"])) for row in answer["rows"]] == [
        ("ads", "30", 6),
        ("search", "10", 2),
        (None, "5", 0),
    ]
    assert answer["pools"] == [{"rule": "platform", "calls": 1, "unpriced_calls": 0, "cost": "8"}]


def test_what_nobody_can_bear_stays_without_a_cost_center() -> None:
    found = Showback()
    found.add([spend("8", project="platform")], [a_rule(PROPORTIONAL)])
    assert as_json(found)["rows"][0] | {"shares": None} == {
        "cost_center": None, "calls": 0, "unpriced_calls": 0, "direct": "0", "shared": "8", "total": "8", "shares": None,
    }  # fmt: skip


def test_an_unknown_cost_is_no_zero() -> None:
    found = Showback()
    found.add([spend(None, "ads"), spend(None, project="platform")], [a_rule(EVEN)])
    answer = as_json(found)
    assert [(row["direct"], row["unpriced_calls"]) for row in answer["rows"]] == [(None, 1)]
    assert answer["pools"][0]["cost"] is None


def test_the_first_rule_that_takes_a_cost_shares_it() -> None:
    found = Showback()
    shares = {"x": Decimal(100)}
    rules = [a_rule(FIXED, shares=shares), a_rule(EVEN, over=("y",)), a_rule(EVEN, name="other", over=("z",))]
    found.add([spend("1", project="platform"), spend("2", project="other")], [rules[0], rules[2]])
    assert {center: bearer.total for center, bearer in found.bearers.items()} == {"x": 1, "z": 2}


def test_time_is_cut_where_rules_begin_and_end() -> None:
    rule = a_rule(EVEN, valid_from=NOON, valid_to=NOON + timedelta(days=9))
    window = Window(NOON - timedelta(days=1), NOON + timedelta(days=1))
    assert stretches(window, [rule]) == [Window(window.start, NOON), Window(NOON, window.end)]


CENTERS = st.none() | st.sampled_from(["ads", "search", "ops"])
ROWS = st.lists(
    st.builds(
        lambda cost, center, project: spend(cost, center, project=project),
        st.none() | st.decimals(-100, 1000, places=10).map(str),
        CENTERS,
        st.sampled_from(["platform", "gateway", "shop"]),
    ),
    max_size=12,
)
RULES = st.lists(
    st.builds(
        lambda name, split, over: a_rule(
            split,
            name=name,
            over=() if split == FIXED else tuple(over),
            shares={"ads": Decimal("33.3"), "hr": Decimal("66.7")} if split == FIXED else {},
        ),
        st.sampled_from(["platform", "gateway"]),
        st.sampled_from([EVEN, PROPORTIONAL, FIXED]),
        st.lists(st.sampled_from(["ads", "search", "new"]), unique=True, max_size=3),
    ),
    max_size=2,
    unique_by=lambda rule: rule.name,
)


@given(ROWS, RULES, st.randoms(use_true_random=False))
def test_direct_and_shared_are_the_total_in_whatever_order(
    rows: list[dict[str, Any]], rules: list[SharedRule], random: Any
) -> None:
    found, shuffled = Showback(), Showback()
    found.add(rows, rules)
    random.shuffle(rows)
    shuffled.add(rows, rules)
    assert found.total == sum((row["cost"] or Decimal(0) for row in rows), Decimal(0))
    assert as_json(found)["rows"] == as_json(shuffled)["rows"]
