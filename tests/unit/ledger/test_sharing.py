"""Shared costs: shares add up to what is shared, to the last digit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.ledger.attribution.rules import Condition
from outlay_collector.ledger.attribution.sharing import EVEN, FIXED, PROPORTIONAL, SharedRule, split

MONEY = st.decimals(-(10**9), 10**9, places=12)
WEIGHTS = st.dictionaries(
    st.text("abc", min_size=1, max_size=3), st.decimals(0, 10**6, places=9), min_size=1, max_size=8
).filter(lambda weights: any(weights.values()))


def test_a_third_each_leaves_the_last_digit_to_the_first_name() -> None:
    third = split(Decimal(10), dict.fromkeys("cab", Decimal(1)))
    assert third == {"a": Decimal("3.333333334"), "b": Decimal("3.333333333"), "c": Decimal("3.333333333")}


def test_the_largest_remainder_goes_first() -> None:
    assert split(Decimal("0.000000001"), {"a": Decimal(1), "b": Decimal(2)}) == {"a": 0, "b": Decimal("0.000000001")}


def test_a_credit_is_shared_like_a_cost() -> None:
    assert split(Decimal("-0.3"), {"a": Decimal(2), "b": Decimal(1)}) == {"a": Decimal("-0.2"), "b": Decimal("-0.1")}


@given(MONEY, WEIGHTS)
def test_shares_add_up_exactly_and_are_within_a_unit_of_their_weight(
    amount: Decimal, weights: dict[str, Decimal]
) -> None:
    shares = split(amount, weights)
    assert sum(shares.values()) == amount
    total = sum(weights.values())
    for name, share in shares.items():
        assert abs(share - amount * weights[name] / total) <= Decimal("0.000000000001") + abs(amount) / 10**26


@given(MONEY, WEIGHTS, st.randoms(use_true_random=False))
def test_the_order_of_names_does_not_matter(amount: Decimal, weights: dict[str, Decimal], random: object) -> None:
    names = sorted(weights, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert split(amount, weights) == split(amount, {name: weights[name] for name in names})


def test_without_a_weight_nothing_can_be_shared() -> None:
    with pytest.raises(ValueError, match="share out nothing"):
        split(Decimal(1), {"a": Decimal(0)})


def a_shared_rule(kind: str, **more: object) -> SharedRule:
    return SharedRule(name="r", costs=(Condition("project", "in", ("platform",)),), split=kind, **more)  # type: ignore[arg-type]


def test_who_bears_how_much() -> None:
    direct = {"ads": Decimal(3), "search": Decimal(1), "credited": Decimal(-5)}
    assert a_shared_rule(EVEN).weights(direct) == {"ads": 1, "search": 1, "credited": 1}
    assert a_shared_rule(EVEN, over=("search", "new")).weights(direct) == {"search": 1, "new": 1}
    assert a_shared_rule(PROPORTIONAL).weights(direct) == {"ads": 3, "search": 1}
    assert a_shared_rule(PROPORTIONAL, over=("search", "new")).weights(direct) == {"search": 1}
    assert a_shared_rule(FIXED, shares={"x": Decimal(100)}).weights(direct) == {"x": 100}
    assert a_shared_rule(PROPORTIONAL).weights({}) == {}
