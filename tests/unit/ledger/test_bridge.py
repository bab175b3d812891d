"""The change is explained to the last digit, and by the factor that changed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.ledger.bridge import Effect, bridge


def a_row(cost: str | None, *, calls: int = 1, tokens: int = 10, **more: Any) -> dict[str, Any]:
    return {
        "model": "a", "cost": None if cost is None else Decimal(cost), "calls": calls, "errors": 0, "lines": 0,
        "input_tokens": tokens * calls, "cache_read_tokens": 0, "output_tokens": 0, **more,
    }  # fmt: skip


def effects(before: list[dict[str, Any]], after: list[dict[str, Any]], worth: Any = None) -> dict[Effect, Decimal]:
    return dict(bridge(before, after, ["model"], worth).effects)


def at_a_dollar(group: Any, tokens: Any) -> tuple[float, float]:
    """A token costs a dollar, a cached one a tenth."""
    return tokens["input_tokens"] - 0.9 * tokens["cache_read_tokens"], tokens["input_tokens"]


def test_twice_the_calls_is_all_volume() -> None:
    assert effects([a_row("10", calls=5)], [a_row("20", calls=10)]) == {Effect.VOLUME: Decimal(10)}


def test_a_new_price_for_the_same_work_is_all_price() -> None:
    assert effects([a_row("10")], [a_row("8")], at_a_dollar) == {Effect.PRICE: Decimal(-2)}


def test_longer_prompts_at_the_same_price_are_all_size() -> None:
    assert effects([a_row("10")], [a_row("20", tokens=20)], at_a_dollar) == {Effect.SIZE: Decimal(10)}


def test_half_of_the_same_prompt_from_the_cache_is_all_cache() -> None:
    after = a_row("5.5", cache_read_tokens=5)
    assert effects([a_row("10")], [after], at_a_dollar) == {Effect.CACHE: Decimal("-4.5")}


def test_the_same_successes_with_more_attempts_are_all_retries() -> None:
    assert effects([a_row("10", calls=10)], [a_row("20", calls=20, errors=10)]) == {Effect.RETRIES: Decimal(10)}


def test_the_same_calls_moved_to_a_dearer_model_are_mix() -> None:
    before = [a_row("10", calls=50, model="cheap"), a_row("100", calls=50, model="dear")]
    after = [a_row("2", calls=10, model="cheap"), a_row("180", calls=90, model="dear")]
    assert effects(before, after) == {Effect.MIX: Decimal(72)}


def test_what_costs_without_calls_is_told_apart() -> None:
    line = a_row("3", calls=0, tokens=0, lines=1, model=None)
    assert effects([a_row("10")], [a_row("10"), line]) == {Effect.OTHER: Decimal(3)}


def test_calls_that_lost_their_price_are_not_told_as_a_saving() -> None:
    assert effects([a_row("10", calls=5)], [a_row(None, calls=5)]) == {Effect.UNKNOWN: Decimal(-10)}


_cost = st.one_of(st.none(), st.decimals(min_value=-5, max_value=10_000, places=12))
_rows = st.lists(
    st.builds(
        lambda cost, calls, errors, tokens, read, model, lines: a_row(
            None if cost is None else str(cost), calls=calls, tokens=tokens, model=model, lines=lines,
            errors=min(errors, calls), cache_read_tokens=min(read, tokens * calls),
        ),
        _cost, st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 5000), st.integers(0, 5000),
        st.sampled_from("abcd"), st.integers(0, 2),
    ),
    max_size=8,
)  # fmt: skip


@given(_rows, _rows, st.sampled_from([None, at_a_dollar]))
def test_effects_and_parts_always_sum_to_the_change_exactly(before: Any, after: Any, worth: Any) -> None:
    made = bridge(before, after, ["model"], worth)
    change = sum((row["cost"] or 0 for row in after), Decimal(0)) - sum(
        (row["cost"] or 0 for row in before), Decimal(0)
    )
    assert made.after - made.before == change
    assert sum(made.effects.values(), Decimal(0)) == change
    assert sum((part.change for part in made.parts), Decimal(0)) == change
    for part in made.parts:
        assert sum(part.effects.values(), Decimal(0)) == part.change
