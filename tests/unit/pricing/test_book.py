"""How a book decides which price holds, shown on prices made up for it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from outlay_collector.pricing.rows import (
    CATALOGUE,
    CONTRACT,
    CORRECTION,
    CUSTOM,
    FALLBACK,
    LOCAL,
    RULE,
    DiscountRow,
)
from outlay_collector.pricing.usage import Usage
from outlay_collector.pricing.windows import Window

from tests.unit.pricing.builders import NOON, a_book, a_model, a_price, cost, status

MILLION = Usage(input_tokens=1_000_000)
BOTH = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


def test_layers_are_asked_in_order_unit_by_unit():
    book = a_book([a_price("input", "1", layer=CONTRACT), a_price("input", "2"), a_price("output", "5")])
    assert cost(book, BOTH) == 6


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (CONTRACT, CUSTOM),
        (CUSTOM, CORRECTION),
        (CORRECTION, RULE),
        (RULE, CATALOGUE),
        (CATALOGUE, FALLBACK),
        (FALLBACK, LOCAL),
    ],
)
def test_each_layer_goes_before_the_next(first: str, then: str):
    book = a_book([a_price(amount="7", layer=then), a_price(amount="3", layer=first)])
    assert cost(book, MILLION) == 3


def test_a_price_holds_from_its_first_instant_to_just_before_its_last():
    change = datetime(2026, 8, 16, 16, tzinfo=UTC)
    book = a_book([a_price(amount="1", valid_to=change), a_price(amount="2", valid_from=change)])
    assert cost(book, MILLION, at=change - timedelta(microseconds=1)) == 1
    assert cost(book, MILLION, at=change) == 2


def test_a_correction_of_one_period_leaves_the_others_to_the_catalogue():
    until = datetime(2025, 6, 10, tzinfo=UTC)
    book = a_book([a_price(amount="10", layer=CORRECTION, valid_to=until), a_price(amount="2")])
    assert cost(book, MILLION, at=until - timedelta(days=1)) == 10
    assert cost(book, MILLION, at=until) == 2


def test_the_whole_prompt_chooses_the_context_tier_and_the_boundary_stays_low():
    book = a_book(
        [
            a_price("input", "1"),
            a_price("input", "2", context_over=200_000),
            a_price("cache_read", "0.1"),
            a_price("cache_read", "0.2", context_over=200_000),
            a_price("output", "10"),
            a_price("output", "15", context_over=200_000),
        ]
    )
    at_boundary = Usage(input_tokens=200_000, cache_read_tokens=100_000, output_tokens=1_000)
    assert cost(book, at_boundary) == Decimal("0.1") + Decimal("0.01") + Decimal("0.01")
    one_over = Usage(input_tokens=200_001, cache_read_tokens=100_000, output_tokens=1_000)
    assert cost(book, one_over) == Decimal("0.200002") + Decimal("0.02") + Decimal("0.015")


def test_a_window_goes_before_the_price_without_one():
    book = a_book([a_price(amount="1"), a_price(amount="2", window=Window(start=time(9), end=time(18)))])
    assert cost(book, MILLION, at=NOON) == 2
    assert cost(book, MILLION, at=NOON.replace(hour=18)) == 1


class TestTiers:
    def test_a_tier_has_its_own_prices_and_keeps_the_others(self):
        book = a_book([a_price("input", "2"), a_price("output", "8"), a_price("input", "1", tier="batch")])
        assert cost(book, BOTH) == 10
        assert cost(book, BOTH, tier="batch") == 9

    def test_a_tier_the_model_does_not_have_is_unknown_not_standard(self):
        book = a_book([a_price("input", "2")])
        assert status(book, MILLION, tier="flex") == "unpriced"
        assert cost(book, MILLION, tier="flex") is None

    def test_a_tier_nobody_knows_is_unknown(self):
        assert cost(a_book([a_price()]), MILLION, tier="turbo") is None

    @pytest.mark.parametrize("word", [None, "", "default", "auto", "standard", "Standard", "on_demand", "on-demand"])
    def test_these_words_mean_the_standard_tier(self, word: str | None):
        assert cost(a_book([a_price(amount="2")]), MILLION, tier=word) == 2

    def test_tiers_are_recognised_in_any_case(self):
        book = a_book([a_price(amount="2"), a_price(amount="3", tier="priority")])
        assert cost(book, MILLION, tier="Priority") == 3

    def test_fees_per_request_are_the_same_in_every_tier(self):
        book = a_book([a_price("input", "2", tier="batch"), a_price("web_search", "10", per=1000)])
        assert cost(book, Usage(input_tokens=1_000_000, web_search_calls=3), tier="batch") == Decimal("2.03")


class TestUnknown:
    def test_an_unknown_model_costs_nothing_known(self):
        book = a_book([a_price()])
        assert cost(book, MILLION, model="m2") is None
        assert status(book, MILLION, model="m2") == "unpriced"

    def test_an_unknown_model_stays_unknown_with_no_tokens_at_all(self):
        assert cost(a_book([a_price()]), Usage(input_tokens=0), model="m2") is None

    def test_no_tokens_of_a_known_model_cost_zero(self):
        assert cost(a_book([a_price()]), Usage(input_tokens=0, output_tokens=0)) == 0

    def test_no_usage_at_all_is_unknown_not_zero(self):
        assert cost(a_book([a_price()]), Usage()) is None

    def test_audio_is_not_billed_as_text(self):
        book = a_book([a_price("input", "1"), a_price("output", "2")])
        heard = Usage(input_tokens=1_000_000, input_audio_tokens=400_000)
        assert status(book, heard) == "partly_priced"
        assert cost(book, heard) == Decimal("0.6")

    def test_cached_input_without_a_price_is_not_billed_as_fresh(self):
        assert status(a_book([a_price()]), Usage(input_tokens=10, cache_read_tokens=5)) == "partly_priced"

    def test_a_longer_cache_lifetime_is_not_billed_as_the_default_one(self):
        book = a_book([a_price("input"), a_price("cache_write", "1.25")])
        assert status(book, Usage(input_tokens=10, cache_write_1h_tokens=5)) == "partly_priced"

    def test_reasoning_is_output_and_pictures_are_input(self):
        book = a_book([a_price("input", "1"), a_price("output", "2")])
        seen = Usage(
            input_tokens=1_000_000, output_tokens=1_000_000, reasoning_tokens=400_000, extra={"input_image": 5}
        )
        assert (status(book, seen), cost(book, seen)) == ("priced", 3)

    def test_contradictory_usage_has_no_cost(self):
        usage = Usage(input_tokens=1, cache_read_tokens=2)
        assert (status(a_book([a_price()]), usage), cost(a_book([a_price()]), usage)) == ("invalid", None)

    def test_prices_in_two_currencies_are_never_summed(self):
        book = a_book([a_price("input", "1"), a_price("output", "1000", currency="KRW")])
        charge = book.charge(provider="acme", model="m1", usage=BOTH, at=NOON)
        assert (charge.cost, charge.currency, charge.status) == (1, "USD", "partly_priced")


def test_a_model_may_say_what_it_bills_as_what():
    model = a_model(billed_as={"input_audio": "input"})
    book = a_book([a_price("input", "1")], models=[model])
    assert cost(book, Usage(input_tokens=1_000_000, input_audio_tokens=400_000)) == 1


def test_a_complete_row_hides_what_later_layers_say():
    rows = [a_price(amount="1", layer=CORRECTION, valid_to=NOON), a_price(amount="2")]
    models = [a_model(layer=CORRECTION, complete=True), a_model()]
    book = a_book(rows, models=models)
    assert cost(book, MILLION, at=NOON - timedelta(days=1)) == 1
    assert cost(book, MILLION, at=NOON) is None


def test_an_answer_that_was_thought_about_may_have_a_price_of_its_own():
    book = a_book([a_price("output", "0.6"), a_price("output:thinking", "3.5")])
    assert cost(book, Usage(output_tokens=1_000_000)) == Decimal("0.6")
    assert cost(book, Usage(output_tokens=1_000_000, reasoning_tokens=1)) == Decimal("3.5")


def test_a_fee_per_request_is_charged_once_even_if_nobody_counts_requests():
    book = a_book([a_price("input", "1"), a_price("request", "5", per=1000)])
    assert cost(book, MILLION) == Decimal("1.005")
    assert cost(book, Usage(input_tokens=1_000_000, requests=2)) == Decimal("1.01")


def test_counting_requests_of_a_model_without_a_fee_changes_nothing():
    book = a_book([a_price("input", "1")])
    counted = Usage(input_tokens=1_000_000, requests=3)
    assert (status(book, counted), cost(book, counted)) == ("priced", 1)
    assert [line.bucket for line in book.explain(provider="acme", model="m1", usage=counted, at=NOON).lines] == [
        "input"
    ]


class TestOwnPrices:
    def test_a_project_has_its_own_price_and_others_do_not_see_it(self):
        book = a_book([a_price(amount="1", layer=CONTRACT, project_id=7), a_price(amount="3")])
        assert cost(book, MILLION, project_id=7) == 1
        assert cost(book, MILLION, project_id=8) == 3
        assert cost(book, MILLION) == 3

    def test_a_projects_own_price_goes_before_one_for_all(self):
        book = a_book([a_price(amount="1", layer=CONTRACT), a_price(amount="2", layer=CONTRACT, project_id=7)])
        assert cost(book, MILLION, project_id=7) == 2

    def test_of_two_patterns_the_more_particular_one_holds(self):
        rows = [
            a_price(amount="1", layer=CONTRACT, model="all"),
            a_price(amount="2", layer=CONTRACT, model="some"),
        ]
        models = [
            a_model("all", layer=CONTRACT, match={"glob": "*"}),
            a_model("some", layer=CONTRACT, match={"glob": "m*"}),
        ]
        assert cost(a_book(rows, models=models), MILLION) == 2

    def test_for_a_model_nobody_else_prices_input_and_output_cover_their_parts(self):
        book = a_book([a_price("input", "1", layer=CUSTOM), a_price("output", "2", layer=CUSTOM)])
        usage = Usage(input_tokens=1_000_000, cache_read_tokens=900_000, input_audio_tokens=50_000, output_tokens=0)
        assert (status(book, usage), cost(book, usage)) == ("priced", 1)

    def test_beside_a_list_price_they_cover_only_what_they_name(self):
        book = a_book([a_price("input", "1", layer=CUSTOM), a_price("input", "3"), a_price("cache_read", "0.3")])
        assert cost(book, Usage(input_tokens=1_000_000, cache_read_tokens=1_000_000)) == Decimal("0.3")

    def test_a_priced_server_of_ones_own_is_not_free_in_part(self):
        rows = [a_price("input", "1", layer=CUSTOM), a_price("*", "0", layer=LOCAL, tier=None)]
        assert status(a_book(rows), BOTH) == "partly_priced"

    def test_a_server_of_ones_own_is_free_by_rule_in_every_tier(self):
        book = a_book([a_price("*", "0", layer=LOCAL, tier=None)])
        assert (cost(book, BOTH), cost(book, BOTH, tier="batch")) == (0, 0)


class TestDiscounts:
    def off(self, percent: str, **said: object) -> DiscountRow:
        return DiscountRow(**{"id": 1, "provider": "acme", "percent": Decimal(percent)} | said)  # type: ignore[arg-type]

    def test_a_percentage_multiplies_the_list_price(self):
        book = a_book([a_price(amount="2"), a_price(amount="1", tier="batch")], discounts=[self.off("15")])
        assert cost(book, MILLION) == Decimal("1.7")
        assert cost(book, MILLION, tier="batch") == Decimal("0.85")

    def test_contracts_are_not_discounted_again(self):
        book = a_book([a_price(amount="1", layer=CONTRACT), a_price(amount="2")], discounts=[self.off("50")])
        assert cost(book, MILLION) == 1

    def test_it_holds_for_its_time_project_model_and_unit(self):
        end = NOON + timedelta(days=1)
        said = self.off("50", model="m1*", unit="input", project_id=7, valid_from=NOON, valid_to=end)
        book = a_book([a_price("input", "2"), a_price("output", "2")], discounts=[said])
        assert cost(book, BOTH, project_id=7) == 3
        assert cost(book, BOTH, project_id=8) == 4
        assert cost(book, BOTH, project_id=7, at=end) == 4
        assert cost(book, BOTH, project_id=7, at=NOON - timedelta(seconds=1)) == 4

    def test_the_most_particular_one_is_taken_not_the_product(self):
        book = a_book([a_price(amount="10")], discounts=[self.off("10"), self.off("20", id=2, model="m1")])
        assert cost(book, MILLION) == 8

    def test_a_vendors_discount_does_not_reach_a_host_that_sells_at_its_price(self):
        rows = [a_price(amount="2", provider="openai", model="gpt-x")]
        book = a_book(rows, discounts=[self.off("50", provider="openai")])
        assert cost(book, MILLION, provider="openai", model="gpt-x") == 1
        assert cost(book, MILLION, provider="azure.ai.openai", model="gpt-x") == 2


def test_a_region_may_have_its_own_price():
    book = a_book([a_price(amount="10"), a_price(amount="11", region_class="regional")])
    assert cost(book, MILLION) == 10
    assert cost(book, MILLION, region="global") == 10
    assert cost(book, MILLION, region="us-east5") == 11


def test_overrides_go_before_the_book_they_are_put_on_and_leave_it_as_it_was():
    book = a_book([a_price(amount="2")])
    above = book.with_overrides([a_model(layer=CONTRACT)], [a_price(amount="1", layer=CONTRACT)])
    assert (cost(above, MILLION), cost(book, MILLION)) == (1, 2)


def test_an_explanation_adds_up_and_says_what_is_missing():
    book = a_book([a_price("input", "2", source_url="https://acme.example/prices"), a_price("output", "8")])
    usage = Usage(input_tokens=1_000, input_audio_tokens=100, output_tokens=10)
    said = book.explain(provider="acme", model="m1", usage=usage, at=NOON)
    assert sum(line.cost for line in said.lines if line.cost is not None) == said.charge.cost == Decimal("0.00188")
    assert said.reason == "no price is known for: input_audio"
    by_bucket = {line.bucket: line for line in said.lines}
    assert by_bucket["input"].source_url == "https://acme.example/prices"
    assert by_bucket["input_audio"].cost is None


def test_an_explanation_of_an_unknown_model_says_so():
    said = a_book([a_price()]).explain(provider="acme", model="m2", usage=MILLION, at=NOON)
    assert "'m2'" in said.reason
    assert said.charge.cost is None


def test_a_million_strange_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("outlay_collector.pricing.book._MAX_CARDS", 10)
    book = a_book([a_price()])
    for number in range(100):
        cost(book, MILLION, model=f"strange-{number}")
    assert len(book._cards) <= 10
