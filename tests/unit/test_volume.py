"""Graduated rates: exact, by day, and whatever the order of the days' calls."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.costs.volume.tiers import Tier, by_day, counted, difference, read
from outlay_collector.errors import BadRequest
from outlay_collector.pricing.price import plus

TIERS = (Tier(0, Decimal(2)), Tier(1_000_000, Decimal("1.5")), Tier(3_000_000, Decimal(1)))
FIRST = date(2026, 10, 30)


def test_each_tiers_rate_is_for_what_falls_into_it() -> None:
    assert difference(1_000_000, TIERS) == 0
    assert difference(2_000_000, TIERS) == Decimal("-0.5")
    # Four million: one at 2, two at 1.50 and one at 1, which is 2 less than all at 2.
    assert difference(4_000_000, TIERS) == -2


def test_a_month_begins_at_nothing() -> None:
    million = 1_000_000
    days = {FIRST: 2 * million, FIRST + timedelta(days=1): million, FIRST + timedelta(days=2): 2 * million}
    assert by_day(days, TIERS) == {
        FIRST: Decimal("-0.5"), FIRST + timedelta(days=1): Decimal("-0.5"), FIRST + timedelta(days=2): Decimal("-0.5")
    }  # fmt: skip


def test_what_is_counted_is_what_the_rate_is_for() -> None:
    row = {
        "input_tokens": 100, "cache_read_tokens": 30, "cache_write_tokens": 5, "input_audio_tokens": 1,
        "output_tokens": 10, "output_audio_tokens": 4,
    }  # fmt: skip
    assert [counted(unit, row) for unit in ("input", "cache_read", "output")] == [64, 30, 6]


@pytest.mark.parametrize(
    "said", [["0=2"], ["1=2", "2=1"], ["0=2", "0=1"], ["0=2", "x=1"], ["0=2", "5=-1"], ["0=2", "5=NaN"]]
)
def test_tiers_that_are_none_are_refused(said: list[str]) -> None:
    with pytest.raises(BadRequest):
        read(said)
    assert read(["1_000_000=1.5", "0=2"]) == TIERS[:2]


@given(st.dictionaries(st.integers(0, 70), st.integers(0, 10**7), max_size=30))
def test_days_add_up_to_their_months(used: dict[int, int]) -> None:
    quantities = {FIRST + timedelta(days=day): tokens for day, tokens in used.items()}
    found, months = by_day(quantities, TIERS), {(day.year, day.month) for day in quantities}
    for month in months:
        whole = difference(sum(n for day, n in quantities.items() if (day.year, day.month) == month), TIERS)
        total = Decimal(0)
        for day, part in found.items():
            if (day.year, day.month) == month:
                total = plus(total, part) or Decimal(0)
        assert total == whole
    assert all(part < 0 for part in found.values())
