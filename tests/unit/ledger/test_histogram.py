from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.ledger.reads.histogram import BASE, Histogram


def bucket(value: float) -> int:
    return math.ceil(math.log(value) / math.log(BASE))


def histogram(values: list[float]) -> Histogram:
    made = Histogram()
    for value in values:
        made.add([bucket(value)], [1])
    return made


@given(st.lists(st.floats(1, 1e12), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_within_one_percent_of_the_exact_one(values: list[float], share: float) -> None:
    exact = sorted(values)[math.ceil(round(share * len(values), 6)) - 1]
    (found,) = histogram(values).percentiles([share])
    assert found == pytest.approx(exact, rel=0.0101)


@given(st.lists(st.floats(1, 1e9), min_size=1), st.lists(st.floats(1, 1e9), min_size=1))
def test_merging_is_the_same_as_measuring_together(left: list[float], right: list[float]) -> None:
    merged = histogram(left)
    for value in right:
        merged.add([bucket(value)], [1])
    assert merged.percentiles([0.5, 0.95]) == histogram([*left, *right]).percentiles([0.5, 0.95])
    assert merged.total == len(left) + len(right)


def test_no_values_have_no_percentile() -> None:
    assert Histogram().percentiles([0.5, 0.95]) == [None, None]
