from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.ledger.reads import histogram as histogram_module
from outlay_collector.ledger.reads.histogram import BASE, Histograms


def bucket(value: float) -> int:
    return math.ceil(math.log(value) / math.log(BASE))


def packed(bucket: int, count: int = 1) -> bytes:
    return struct.pack(">hi", bucket, count)


def histogram(values: list[float]) -> Histograms:
    made = Histograms()
    for value in values:
        made.add_packed("all", packed(bucket(value)))
    return made


@given(st.lists(st.floats(1, 1e12), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_within_one_percent_of_the_exact_one(values: list[float], share: float) -> None:
    exact = sorted(values)[math.ceil(round(share * len(values), 6)) - 1]
    ((total, (found,)),) = histogram(values).percentiles([share]).values()
    assert total == len(values)
    assert found == pytest.approx(exact, rel=0.0101)


@given(st.lists(st.floats(1, 1e9), min_size=1), st.lists(st.floats(1, 1e9), min_size=1))
def test_merging_is_the_same_as_measuring_together(left: list[float], right: list[float]) -> None:
    merged = histogram(left)
    for value in right:
        merged.add_packed("all", packed(bucket(value)))
    assert merged.percentiles([0.5, 0.95]) == histogram([*left, *right]).percentiles([0.5, 0.95])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1300), st.integers(1, 99)), min_size=1, max_size=60))
def test_many_histograms_at_once_are_each_by_itself(values: list[tuple[int, int, int]]) -> None:
    together = Histograms()
    for key, at, count in values:
        together.add_packed(key, packed(at, count))
    for key, found in together.percentiles([0.5, 0.99]).items():
        alone = Histograms()
        for other, at, count in values:
            if other == key:
                alone.add_packed(key, packed(at, count))
        assert alone.percentiles([0.5, 0.99]) == {key: found}


def test_what_does_not_fit_at_once_is_taken_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Histograms()
    for key in range(100):
        made.add_packed(key, packed(key * 10) + packed(key))
    whole = made.percentiles([0.5])
    monkeypatch.setattr(histogram_module, "_CELLS", 7_000)
    assert made.percentiles([0.5]) == whole


def test_both_ways_of_packing_say_the_same() -> None:
    compact, sent = Histograms(), Histograms()
    compact.add_packed("a", packed(700, 3) + packed(800, 1))
    sent.add_sent("a", struct.pack(">ihih", 2, 700, 2, 800), struct.pack(">iiii", 4, 3, 4, 1))
    assert compact.percentiles([0.5, 1.0]) == sent.percentiles([0.5, 1.0]) == {"a": (4, [BASE**699.5, BASE**799.5])}


def test_no_values_have_no_percentile() -> None:
    assert Histograms().percentiles([0.5, 0.95]) == {}
