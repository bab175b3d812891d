"""Costs that are no call's: parts that add up, and entries that say what they mean."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.costs.entries import dimensions_of, read, read_file, spread
from outlay_collector.errors import BadRequest
from outlay_collector.pricing.price import plus

UTC_ZONE = ZoneInfo("UTC")


def an_entry(**said: Any) -> dict[str, Any]:
    return {"key": "k", "kind": "seats", "amount": "100", "from": "2026-11-01", "to": "2026-11-04", **said}


def test_a_cost_is_spread_by_day_and_nothing_is_lost() -> None:
    parts = spread(Decimal("100"), date(2026, 11, 1), date(2026, 11, 4), UTC_ZONE)
    assert [part.amount for part in parts] == [
        Decimal("33.333333333"),
        Decimal("33.333333334"),
        Decimal("33.333333333"),
    ]
    assert [part.at.day for part in parts] == [1, 2, 3]


def test_days_are_those_of_the_calendar() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    parts = spread(Decimal("3"), date(2026, 3, 28), date(2026, 3, 31), berlin)
    # The 29th has 23 hours, and is a day like any other.
    assert [part.at for part in parts] == [
        datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)
    ]  # fmt: skip
    assert {part.amount for part in parts} == {Decimal(1)}


def test_an_entry_is_of_a_day_a_month_or_a_period() -> None:
    def period(**said: Any) -> tuple[date, date]:
        raw = {name: value for name, value in an_entry(**said).items() if value is not None}
        entry = read(raw, default_currency="KRW")
        return entry.start, entry.end

    assert period() == (date(2026, 11, 1), date(2026, 11, 4))
    assert period(on="2026-11-07", **{"from": None, "to": None}) == (date(2026, 11, 7), date(2026, 11, 8))
    assert period(month="2028-02", **{"from": None, "to": None}) == (date(2028, 2, 1), date(2028, 3, 1))
    assert period(month="2026-12", **{"from": None, "to": None}) == (date(2026, 12, 1), date(2027, 1, 1))
    assert read(an_entry(), default_currency="KRW").currency == "KRW"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"key": ""}, "every cost needs one of its own"),
        ({"kind": "yacht"}, "'yacht' is no kind; use seats"),
        ({"amount": "ten"}, "Cost 'k'"),
        ({"amount": 12.5}, "must be a decimal string"),
        ({"amount": "NaN"}, "is no amount"),
        ({"amount": "0"}, "is no amount"),
        ({"currency": "WON"}, "no currency of ISO 4217"),
        ({"from": "2026-11-04", "to": "2026-11-04"}, "is no period"),
        ({"to": "tomorrow"}, "'tomorrow' is no day"),
        ({"on": "2026-11-01"}, "say either on"),
        ({"colour": "red"}, "'colour' is no field of a cost and no dimension"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        read(an_entry(**wrong), default_currency="USD")


def test_a_file_keeps_numbers_as_they_are_written() -> None:
    text = """
    costs:
      - {key: a, kind: fine_tuning, amount: 0.10, on: 2026-11-02, team: search, tags: {run: 7}}
    """
    (raw,) = read_file(text)
    entry = read(raw, default_currency="USD")
    assert (entry.amount, entry.start) == (Decimal("0.10"), date(2026, 11, 2))
    assert dimensions_of(entry) == {"operation": "fine_tuning", "team": "search", "tags": {"run": "7"}}
    with pytest.raises(BadRequest, match="no YAML"):
        list(read_file("{"))
    with pytest.raises(BadRequest, match="Costs are a list"):
        list(read_file("costs: 5"))


amounts = st.decimals(min_value=-(10**9), max_value=10**9, places=12).filter(bool)


@given(
    amounts,
    st.dates(min_value=date(2020, 1, 1), max_value=date(2030, 1, 1)),
    st.integers(1, 400),
    st.sampled_from(["UTC", "Asia/Seoul", "America/New_York", "Australia/Lord_Howe"]),
)
def test_parts_always_add_up_and_hardly_differ(amount: Decimal, start: date, days: int, zone: str) -> None:
    parts = spread(amount, start, start + timedelta(days=days), ZoneInfo(zone))
    total = Decimal(0)
    for part in parts:
        total = plus(total, part.amount) or Decimal(0)
    assert total == amount
    assert len({part.at for part in parts}) == len(parts) == days
    found = sorted(part.amount for part in parts)
    assert found[-1] - found[0] <= Decimal("2e-12")
