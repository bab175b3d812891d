from __future__ import annotations

from decimal import Decimal

import pytest
from outlay_collector.pricing.price import InvalidUsageError, amount_of, as_decimal, buckets, rate
from outlay_collector.pricing.usage import Usage

from tests.unit.pricing.builders import a_price


def parts(**counts: object) -> dict[str, int]:
    return dict(buckets(Usage(**counts)))  # type: ignore[arg-type]


def test_cached_written_and_audio_tokens_are_taken_out_of_the_input():
    assert parts(
        input_tokens=1000,
        cache_read_tokens=300,
        cache_read_audio_tokens=100,
        cache_write_5m_tokens=50,
        cache_write_1h_tokens=150,
        input_audio_tokens=250,
        output_tokens=90,
        reasoning_tokens=40,
        output_audio_tokens=20,
    ) == {
        "cache_read": 200,
        "cache_read_audio": 100,
        "input_audio": 150,
        "cache_write": 50,
        "cache_write:1h": 150,
        "input": 350,
        "reasoning": 40,
        "output_audio": 20,
        "output": 30,
    }


def test_writes_of_no_stated_lifetime_are_of_the_default_one():
    assert parts(input_tokens=100, cache_write_tokens=60, cache_write_1h_tokens=20) == {
        "cache_write": 40,
        "cache_write:1h": 20,
        "input": 40,
    }


def test_further_lifetimes_and_modalities_are_parts_too():
    assert parts(
        input_tokens=100, output_tokens=50, extra={"cache_write:12h": 30, "input_image": 20, "output_image": 40}
    ) == {
        "cache_write:12h": 30,
        "input_image": 20,
        "output_image": 40,
        "input": 50,
        "output": 10,
    }


def test_cached_pictures_are_cached_input_and_pictures():
    assert parts(input_tokens=100, cache_read_tokens=30, extra={"input_image": 50, "cache_read_image": 30}) == {
        "cache_read_image": 30,
        "input_image": 20,
        "input": 50,
    }


def test_what_is_not_tokens_stands_beside_them():
    assert parts(input_tokens=10, web_search_calls=3, audio_seconds=90, extra={"input_page": 4}) == {
        "input": 10,
        "web_search": 3,
        "audio_second": 90,
        "input_page": 4,
    }


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": 100, "cache_read_tokens": 101},
        {"input_tokens": 100, "cache_read_tokens": 60, "cache_write_5m_tokens": 41},
        {"input_tokens": 100, "input_audio_tokens": 101},
        {"input_tokens": 100, "cache_read_tokens": 10, "cache_read_audio_tokens": 11},
        {"input_tokens": 100, "cache_read_tokens": 20, "cache_read_audio_tokens": 20, "input_audio_tokens": 10},
        {"input_tokens": 100, "cache_write_tokens": 10, "cache_write_1h_tokens": 11},
        {"input_tokens": 100, "extra": {"input_image": 101}},
        {"input_tokens": 100, "extra": {"cache_write:30m": 101}},
        {"input_tokens": 100, "extra": {"input_image": 10, "cache_read_image": 20}, "cache_read_tokens": 20},
        {"output_tokens": 10, "reasoning_tokens": 11},
        {"output_tokens": 10, "output_audio_tokens": 11},
        {"output_tokens": 10, "reasoning_tokens": 6, "output_audio_tokens": 6},
        {"cache_read_tokens": 5},
        {"reasoning_tokens": 5},
        {"extra": {"cache_read_image": 5}},
        {"input_tokens": -1},
        {"input_tokens": 1_000_000_001},
        {"input_tokens": float("nan")},
        {"output_tokens": -5},
        {"web_search_calls": -1},
        {"extra": {"input_page": -1}},
    ],
)
def test_counts_that_contradict_each_other_are_refused(counts: dict[str, object]):
    with pytest.raises(InvalidUsageError):
        parts(**counts)


def test_a_price_that_no_decimal_holds_is_still_exact_where_the_cost_is():
    per_hour = rate(a_price("audio_second", "0.111", per=3600))
    assert as_decimal(amount_of(3600, per_hour)) == Decimal("0.111")
    assert as_decimal(amount_of(90, per_hour)) == Decimal("0.002775")


def test_money_has_no_trailing_zeros_and_no_exponent():
    assert str(as_decimal(36 * 10**24)) == "36"
    assert str(as_decimal(120 * 10**24)) == "120"
    assert str(as_decimal(65 * 10**20)) == "0.0065"
    assert str(as_decimal(0)) == "0"


def test_more_digits_than_floating_point_holds_are_kept():
    assert as_decimal(123_456_789_012_345_678 * 10**12) == Decimal("123456.789012345678")
    assert as_decimal(10**33 + 1) == Decimal("1000000000.000000000000000000000001")
