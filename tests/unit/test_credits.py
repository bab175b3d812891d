"""Prepaid credits: what they pay for, exactly, and never more than there is."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.costs.credits.drawdown import Grant, Use, by_month, drawn

FIRST = date(2026, 10, 30)


def a_grant(key: str = "a", amount: str = "10", **said: Any) -> Grant:
    return Grant(**{"key": key, "provider": "*", "amount": Decimal(amount), "start": FIRST,
                    "end": FIRST + timedelta(days=30)} | said)  # fmt: skip


def used(day: int, cost: str, provider: str = "openai") -> Use:
    return Use(FIRST + timedelta(days=day), provider, Decimal(cost))


def test_use_draws_until_nothing_is_left() -> None:
    paid = drawn([a_grant(amount="5")], [used(0, "3"), used(1, "4"), used(2, "1")])
    assert paid == {("a", FIRST): 3, ("a", FIRST + timedelta(days=1)): 2}


def test_what_expires_first_is_drawn_first_and_pays_for_its_provider_alone() -> None:
    soon = a_grant("soon", "1", end=FIRST + timedelta(days=1))
    other = a_grant("other", "9", provider="anthropic", end=FIRST + timedelta(days=1))
    assert drawn([a_grant(), other, soon], [used(0, "3"), used(1, "2")]) == {
        ("soon", FIRST): 1, ("a", FIRST): 2, ("a", FIRST + timedelta(days=1)): 2
    }  # fmt: skip


def test_a_purchase_is_billed_and_the_use_it_pays_for_is_not() -> None:
    grants, uses = [a_grant(amount="5")], [used(0, "3"), used(3, "4")]
    october, november = by_month(grants, uses, drawn(grants, uses))
    assert (october.month, october.effective, october.drawn, october.bought, october.billed) == ("2026-10", 3, 3, 5, 5)
    assert (november.effective, november.drawn, november.billed) == (4, 2, 2)
    assert october.billed + november.billed == october.effective + november.effective


costs = st.decimals(min_value=0, max_value=100, places=9)


@given(
    st.lists(st.tuples(st.integers(0, 60), costs), max_size=20),
    st.lists(st.tuples(st.integers(0, 40), costs), max_size=4),
)
def test_nothing_is_drawn_twice_or_beyond_use_and_grant(
    days: list[tuple[int, Decimal]], bought: list[tuple[int, Decimal]]
) -> None:
    grants = [
        Grant(
            key=str(number),
            provider="*",
            amount=amount,
            start=FIRST + timedelta(days=day),
            end=FIRST + timedelta(days=day + 15),
        )
        for number, (day, amount) in enumerate(bought)
        if amount
    ]
    uses = [Use(FIRST + timedelta(days=day), f"p{number}", cost) for number, (day, cost) in enumerate(days)]
    paid = drawn(grants, uses)
    for grant in grants:
        assert sum((part for (key, _), part in paid.items() if key == grant.key), Decimal(0)) <= grant.amount
    for use_day in {use.day for use in uses}:
        of_day = sum((part for (_, day), part in paid.items() if day == use_day), Decimal(0))
        assert of_day <= sum((use.cost for use in uses if use.day == use_day), Decimal(0))
    assert drawn(list(reversed(grants)), list(reversed(uses))) == paid
