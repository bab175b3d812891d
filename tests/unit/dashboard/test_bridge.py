"""The change is explained to the last digit, and by the factor that changed."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from outlay_dashboard.bridge import MIX, RATE, SIZE, UNKNOWN, VOLUME, bridge

from tests.unit.dashboard.rows import a_row


def test_twice_the_calls_is_all_volume():
    assert bridge([a_row("10", calls=5, model="a")], [a_row("20", calls=10, model="a")], ["model"]).effects == {
        VOLUME: Decimal(10)
    }


def test_a_new_price_for_the_same_work_is_all_rate():
    assert bridge([a_row("10", calls=5, model="a")], [a_row("8", calls=5, model="a")], ["model"]).effects == {
        RATE: Decimal(-2)
    }


def test_longer_prompts_at_the_same_price_are_all_size():
    before, after = a_row("10", calls=5, model="a"), a_row("20", calls=5, tokens=22, model="a")
    assert bridge([before], [after], ["model"]).effects == {SIZE: Decimal(10)}


def test_the_same_calls_moved_to_a_dearer_model_are_mix():
    before = [a_row("10", calls=50, model="cheap"), a_row("100", calls=50, model="dear")]
    after = [a_row("2", calls=10, model="cheap"), a_row("180", calls=90, model="dear")]
    assert bridge(before, after, ["model"]).effects == {MIX: Decimal(72)}


def test_a_model_that_was_not_there_before_is_mix():
    made = bridge(
        [a_row("10", calls=5, model="a")], [a_row("10", calls=5, model="a"), a_row("3", model="new")], ["model"]
    )
    assert sum(made.effects.values()) == 3
    assert made.effects[MIX] > 0


def test_calls_that_lost_their_price_are_not_told_as_a_saving():
    made = bridge([a_row("10", calls=5, model="a")], [a_row(None, calls=5, model="a")], ["model"])
    assert made.effects == {UNKNOWN: Decimal(-10)}


_cost = st.one_of(st.none(), st.decimals(min_value=0, max_value=10_000, places=9))
_side = st.lists(st.tuples(_cost, st.integers(1, 1000), st.integers(0, 5000), st.sampled_from("abcd")), max_size=8)


@given(_side, _side)
def test_the_effects_always_sum_to_the_change_exactly(before, after):
    sides = [
        [
            a_row(None if cost is None else str(cost), calls=calls, tokens=tokens, model=model)
            for cost, calls, tokens, model in side
        ]
        for side in (before, after)
    ]
    made = bridge(*sides, ["model"])
    assert sum(made.effects.values(), Decimal(0)) == made.after - made.before
