"""What an import changes, and what it refuses to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.pricing import diff
from outlay_collector.pricing.diff import Diff
from outlay_collector.pricing.rows import PriceRow

from tests.unit.pricing.builders import a_model, a_price

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def applied(rows: list[PriceRow], found: Diff) -> list[PriceRow]:
    closed = {row.id for row in found.close}
    kept = [row for row in rows if row.id not in closed]
    return [*kept, *(replace(row, id=1_000_000 + number) for number, row in enumerate(found.open))]


def timeline(rows: list[PriceRow]) -> list[tuple[object, ...]]:
    return sorted(((row.valid_from, row.valid_to, row.amount) for row in rows), key=str)


def test_the_same_catalogue_again_changes_nothing():
    rows = [a_price("input", "2.50"), a_price("output", "10")]
    again = [replace(row, id=0, amount=row.amount.normalize()) for row in rows]
    assert diff.observed(rows, again, at=NOW).is_empty
    assert diff.reviewed(rows, again).is_empty


def test_a_changed_number_without_a_date_ends_the_old_price_when_it_was_seen():
    rows = [a_price(amount="2.50")]
    found = diff.observed(rows, [a_price(amount="2")], at=NOW)
    assert timeline(applied(rows, found)) == [(None, NOW, Decimal("2.50")), (NOW, None, Decimal(2))]
    assert [(line.old, line.new) for line in found.changed] == [(Decimal("2.50"), Decimal(2))]


def test_history_that_was_observed_is_kept_by_the_next_import():
    rows = [a_price(amount="2.50")]
    once = applied(rows, diff.observed(rows, [a_price(amount="2")], at=NOW))
    assert diff.observed(once, [a_price(amount="2")], at=datetime(2026, 12, 1, tzinfo=UTC)).is_empty


def test_a_catalogue_with_dates_of_its_own_knows_better():
    change = datetime(2026, 10, 1, tzinfo=UTC)
    rows = [a_price(amount="2.50")]
    theirs = [a_price(amount="2.50", valid_to=change), a_price(amount="2", valid_from=change)]
    assert timeline(applied(rows, diff.observed(rows, theirs, at=NOW))) == timeline(theirs)


def test_a_model_the_catalogue_forgot_keeps_its_prices():
    rows = [a_price(amount="2", model="old"), a_price(amount="3", model="m1")]
    assert diff.observed(rows, [a_price(amount="3", model="m1")], at=NOW).is_empty


def test_a_unit_the_catalogue_dropped_from_a_listed_model_ends_now():
    rows = [a_price("input", "1"), a_price("input_audio", "5")]
    found = diff.observed(rows, [a_price("input", "1")], at=NOW)
    assert timeline(applied(rows, found)) == [(None, None, Decimal(1)), (None, NOW, Decimal(5))]


def test_a_vanished_provider_is_refused():
    rows = [a_price(provider="acme"), a_price(provider="other")]
    assert "Provider other is gone" in diff.observed(rows, [a_price(provider="acme")], at=NOW).refusals[0]


def test_a_price_ten_times_off_is_refused_and_one_just_below_is_not():
    assert diff.observed([a_price(amount="1")], [a_price(amount="10.01")], at=NOW).refusals
    assert diff.observed([a_price(amount="10.01")], [a_price(amount="1")], at=NOW).refusals
    assert diff.observed([a_price(amount="1")], [a_price(amount="0")], at=NOW).refusals
    assert not diff.observed([a_price(amount="1")], [a_price(amount="10")], at=NOW).refusals


def test_a_reviewed_publisher_says_all_there_is():
    rows = [a_price("input", "1"), a_price("output", "2")]
    found = diff.reviewed(rows, [a_price("input", "3")])
    assert timeline(applied(rows, found)) == [(None, None, Decimal(3))]
    assert [line.unit for line in found.ended] == ["output"]


def test_a_model_whose_names_changed_is_closed_and_opened():
    old, new = a_model(position=3), a_model(match={"or": [{"equals": "m1"}, {"equals": "m-1"}]})
    found = diff.models([old], [new], keep_unlisted=True)
    assert (found.close_models, found.open_models) == ([old], [new])
    assert diff.models([old], [replace(old, position=9)], keep_unlisted=True).is_empty


_AMOUNTS = st.decimals(min_value=Decimal("0.01"), max_value=Decimal(100), places=2)


@given(st.lists(_AMOUNTS, min_size=1, max_size=8))
def test_after_any_number_of_imports_exactly_one_price_holds_at_any_instant(amounts: list[Decimal]):
    rows = [a_price(amount="1")]
    for day, amount in enumerate(amounts, start=1):
        at = datetime(2026, 12, day, tzinfo=UTC)
        rows = applied(rows, diff.observed(rows, [a_price(amount=str(amount))], at=at))
    probes = [datetime(2026, 11, 1, tzinfo=UTC), *(datetime(2026, 12, day, 12, tzinfo=UTC) for day in range(1, 10))]
    for probe in probes:
        holding = [
            row
            for row in rows
            if (row.valid_from is None or row.valid_from <= probe) and (row.valid_to is None or row.valid_to > probe)
        ]
        assert len(holding) == 1
    assert [row.amount for row in rows if row.valid_to is None] == [amounts[-1]]
