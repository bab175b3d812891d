from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from outlay_collector.errors import BadRequest
from outlay_collector.pricing.quote import quote

from tests.unit.pricing.builders import a_book, a_price

BOOK = a_book([a_price("input", "2"), a_price("output", "8"), a_price("cache_write", "3")])


def quoted(**said: Any) -> dict[str, Any]:
    case = {
        "id": "c1",
        "provider": "acme",
        "model": "m1",
        "timestamp": "2026-06-01T00:00:00Z",
        "usage": {"input_tokens": 1_000_000},
        "tier": "standard",
    } | said
    (result,) = quote(BOOK, [case])
    return result


def test_a_result_has_the_case_its_status_its_cost_and_its_lines():
    result = quoted()
    assert (result["id"], result["status"], result["cost_usd"]) == ("c1", "priced", "2")
    (line,) = result["lines"]
    assert (line["bucket"], line["quantity"], line["rate"], line["per"], line["cost"]) == (
        "input",
        1_000_000,
        "2",
        1_000_000,
        "2",
    )
    json.dumps(result)


def test_five_minute_writes_are_the_default_lifetime():
    assert quoted(usage={"input_tokens": 1_000_000, "cache_write_5m_tokens": 1_000_000})["cost_usd"] == "3"


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 100, "cache_read_tokens": 500},
        {"input_tokens": -1},
        {"input_tokens": 1.5},
        {"input_tokens": "many"},
        {"input_tokens": True},
        {"input_tokens": float("inf")},
        {"input_tokens": float("nan")},
        {"input_tokens": 2_000_000_000},
        {"cache_read_tokens": 10},
    ],
)
def test_usage_that_cannot_be_is_invalid(usage: dict[str, Any]):
    result = quoted(usage=usage)
    assert (result["status"], result["cost_usd"], result["lines"]) == ("invalid_usage", None, [])
    assert result["reason"]


def test_a_whole_number_may_come_as_a_float():
    assert quoted(usage={"input_tokens": 1e6})["cost_usd"] == "2"


def test_an_unknown_model_has_no_cost():
    assert quoted(model="m2")["status"] == "unknown_model"
    assert quoted(model="m2")["cost_usd"] is None


def test_a_bucket_without_a_price_is_said_to_be():
    result = quoted(usage={"input_tokens": 1_000_000, "input_audio_tokens": 500_000})
    assert (result["status"], result["cost_usd"]) == ("partly_priced", "1")
    assert "input_audio" in result["reason"]


def an_override(**said: Any) -> list[dict[str, Any]]:
    return [{"provider": "acme", "model": "m1", "valid_from": None, "valid_to": None} | said]


class TestOverrides:
    def test_a_rate_replaces_the_list_price(self):
        assert quoted(price_overrides=an_override(rates_usd_per_mtok={"input": "1.5"}))["cost_usd"] == "1.5"

    def test_a_discount_multiplies_it(self):
        assert quoted(price_overrides=an_override(discount_percent="15"))["cost_usd"] == "1.7"

    @pytest.mark.parametrize("model", ["*", "m*", "M1", "m1"])
    def test_names_may_have_wildcards(self, model: str):
        assert quoted(price_overrides=an_override(model=model, rates_usd_per_mtok={"input": 1}))["cost_usd"] == "1"

    @pytest.mark.parametrize("provider", ["*", "acme", "Acme"])
    def test_so_may_providers(self, provider: str):
        said = an_override(provider=provider, discount_percent=50)
        assert quoted(price_overrides=said)["cost_usd"] == "1"

    def test_one_for_another_model_does_nothing(self):
        assert quoted(price_overrides=an_override(model="m2", discount_percent=50))["cost_usd"] == "2"

    def test_it_holds_from_its_first_instant_to_just_before_its_last(self):
        said = an_override(
            valid_from="2026-01-01T00:00:00Z", valid_to="2026-07-01T00:00:00Z", rates_usd_per_mtok={"input": "1"}
        )
        assert quoted(price_overrides=said, timestamp="2025-12-31T23:59:59Z")["cost_usd"] == "2"
        assert quoted(price_overrides=said, timestamp="2026-01-01T00:00:00Z")["cost_usd"] == "1"
        assert quoted(price_overrides=said, timestamp="2026-07-01T09:00:00+09:00")["cost_usd"] == "2"

    def test_one_contract_may_follow_another(self):
        first = an_override(valid_to="2026-03-01T00:00:00Z", rates_usd_per_mtok={"input": "1"})
        then = an_override(valid_from="2026-03-01T00:00:00Z", rates_usd_per_mtok={"input": "0.5"})
        assert quoted(price_overrides=first + then, timestamp="2026-02-01T00:00:00Z")["cost_usd"] == "1"
        assert quoted(price_overrides=first + then)["cost_usd"] == "0.5"

    def test_a_contract_holds_in_every_tier_unless_it_names_one(self):
        assert quoted(price_overrides=an_override(rates_usd_per_mtok={"input": "1"}), tier="batch")["cost_usd"] == "1"
        batch_only = an_override(rates_usd_per_mtok={"input": "1"}, tier="batch")
        assert quoted(price_overrides=batch_only)["cost_usd"] == "2"

    def test_it_prices_a_model_nobody_knows_and_all_its_parts(self):
        said = an_override(model="mine", rates_usd_per_mtok={"input": "0.20", "output": "0.60"})
        usage = {
            "input_tokens": 1_000_000,
            "cache_read_tokens": 500_000,
            "output_tokens": 1_000_000,
            "reasoning_tokens": 9,
        }
        assert quoted(model="mine", usage=usage, price_overrides=said)["cost_usd"] == "0.8"

    def test_another_currency_is_not_called_dollars(self):
        result = quoted(price_overrides=an_override(rates_per_mtok={"input": "2700"}, currency="KRW"))
        assert (result["cost_usd"], result["cost"], result["currency"]) == (None, "2700", "KRW")


@pytest.mark.parametrize(
    "wrong",
    [
        {"timestamp": "soon"},
        {"timestamp": None},
        {"price_overrides": an_override(rates_usd_per_mtok={"input": "cheap"})},
        {"price_overrides": an_override(rates_usd_per_mtok={"input": "-1"})},
        {"price_overrides": an_override(discount_percent="NaN")},
        {"price_overrides": ["10%"]},
        {"usage": [1, 2]},
    ],
)
def test_a_case_that_is_no_case_is_refused_by_name(wrong: dict[str, Any]):
    with pytest.raises(BadRequest, match="c1"):
        quoted(**wrong)


def test_a_case_without_a_model_is_refused():
    with pytest.raises(BadRequest):
        quote(BOOK, [{"id": "c1", "timestamp": "2026-06-01T00:00:00Z"}])


def test_decimals_survive_any_spelling():
    assert quoted(usage={"audio_seconds": Decimal("12.5")})["status"] == "unknown_model"
