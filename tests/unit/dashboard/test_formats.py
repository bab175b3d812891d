"""How figures read: LOOK's rules, on both sides of each boundary."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_dashboard import formats


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("1234.5", "$1,234.50"),
        ("1", "$1.00"),
        ("0.9999", "$1.00"),
        ("0.999", "$0.999"),
        ("0.00312", "$0.00312"),
        ("0.003125", "$0.00312"),
        ("0.0000000247", "$0.0000000247"),
        ("1E-7", "$0.000000100"),
        ("-12.4", "−$12.40"),
        ("1E+6", "$1,000,000.00"),
    ],
)
def test_money_has_cents_from_one_up_and_three_digits_below(amount, shown):
    assert formats.money(Decimal(amount)) == shown


def test_unknown_money_is_a_dash_and_never_zero():
    assert formats.money(None) == formats.exact_money(None) == "–"


@pytest.mark.parametrize(
    ("currency", "shown"), [("EUR", "€1,234.50"), ("KRW", "₩1,234"), ("JPY", "¥1,234"), ("CHF", "CHF 1,234.50")]
)
def test_money_wears_its_currency(currency, shown):
    assert formats.money(Decimal("1234.5"), currency) == shown


@given(st.decimals(min_value="-1e9", max_value="1e9", allow_nan=False, places=12))
def test_exact_money_keeps_every_digit_and_money_is_never_scientific(amount):
    exact = formats.exact_money(amount).replace("$", "").replace(",", "").replace("−", "-")
    assert Decimal(exact) == amount
    assert "e" not in formats.money(amount).lower()


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0", "$0"), ("50", "$50"), ("0.05", "$0.05"), ("0.00002", "$0.00002"), ("1200", "$1.2k"), ("2500000", "$2.5M")],
)
def test_axis_money_is_as_short_as_it_can_be(amount, shown):
    assert formats.short_money(Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("number", "english", "korean"),
    [
        (0, "0", "0"),
        (840, "840", "840"),
        (12_345, "12.3 k", "1.23만"),
        (12_345_678, "12.3 M", "1,230만"),
        (123_456_789, "123 M", "1.23억"),
        (2_000_000_000_000, "2.00 T", "2.00조"),
    ],
)
def test_tokens_scale_as_each_language_counts(number, english, korean):
    assert formats.tokens(number) == english
    assert formats.tokens(number, formats.KOREAN) == korean


def test_a_price_unit_is_written_without_empty_digits():
    assert formats.tokens(1_000_000, exact=True) == "1 M"


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0.42, "0.4 ms"),
        (840, "840 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00 s"),
        (2_400, "2.4 s"),
        (59_940, "59.9 s"),
        (59_960, "1 min 00 s"),
        (200_000, "3 min 20 s"),
        (3_840_000, "1 h 04 min"),
        (None, "–"),
    ],
)
def test_durations_change_unit_with_size(milliseconds, shown):
    assert formats.duration(milliseconds) == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (124, 1000, "12.4 %"),
        (1, 100_000, "<0.1 %"),
        (0, 10, "0 %"),
        (1, 0, "–"),
        (10, 10, "100 %"),
        (9999, 10_000, ">99.9 %"),
    ],
)
def test_a_share_that_is_there_is_never_shown_as_nothing(part, whole, shown):
    assert formats.share(part, whole) == shown


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (Decimal(4210), Decimal(5030), "+19.5 %"),
        (Decimal(10), Decimal(5), "−50.0 %"),
        (Decimal(1), Decimal(12), "×12"),
        (Decimal(0), Decimal(5), None),
        (None, Decimal(5), None),
        (Decimal(5), Decimal(5), "±0 %"),
    ],
)
def test_change_needs_something_to_compare_with(before, after, shown):
    assert formats.change(before, after) == shown


def test_dates_follow_the_language_not_the_locale_of_the_server():
    assert formats.day(date(2026, 11, 21)) == "Nov 21"
    assert formats.day(date(2026, 11, 21), formats.KOREAN, year=True) == "2026년 11월 21일"
    assert formats.weekday(date(2026, 11, 21)) == "Sat"
