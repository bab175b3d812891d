"""Every worked case of tests/data/golden-costs, exactly: status and cost as Decimals, compared with ==."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from outlay_collector.pricing.bundled import default_book
from outlay_collector.pricing.quote import quote

CASES = json.loads(
    (Path(__file__).parents[2] / "data" / "golden-costs" / "cases.json").read_text("utf-8"), parse_float=Decimal
)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_golden_case_costs_exactly_what_its_provider_lists(case: dict[str, Any]):
    (result,) = quote(default_book(), [case])
    assert result["status"] == case["expected_status"], result["reason"]
    expected = case["expected_cost_usd"]
    assert result["cost_usd"] is None if expected is None else Decimal(result["cost_usd"]) == Decimal(expected)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_lines_of_a_quote_add_up_to_its_cost_and_name_their_source(case: dict[str, Any]):
    (result,) = quote(default_book(), [case])
    if result["cost_usd"] is None:
        return
    assert sum((Decimal(line["cost"]) for line in result["lines"]), Decimal(0)) == Decimal(result["cost_usd"])
    assert all(line["source_url"] or line["source_kind"] == "contract" for line in result["lines"])
