"""Our own price files: every row can be checked by somebody else, and no two rows contradict each other."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from urllib.parse import urlsplit

import pytest
from outlay_collector.pricing import names
from outlay_collector.pricing.bundled import corrections, default_book
from outlay_collector.pricing.corrections import by_rules, read
from outlay_collector.pricing.diff import key_of
from outlay_collector.pricing.rows import LAYERS, TIERS, PriceRow

from tests.unit.pricing.builders import a_model, a_price

KINDS = {"official", "official_quoted", "catalogue", "archive", "recalled", "definition", "litellm"}


def a_file(**said: object) -> dict[str, object]:
    return {
        "provider": "acme",
        "sources": {"page": {"url": "https://acme.example/prices", "kind": "official", "checked": "2026-11-21"}},
    } | said


def test_every_row_names_a_page_a_kind_and_the_day_somebody_looked():
    for row in corrections().prices:
        assert urlsplit(row.source_url).scheme == "https", row
        assert row.source_kind in KINDS, row
        assert row.checked is not None, row
        assert row.checked >= date(2026, 11, 1), row


def test_every_provider_is_one_that_names_lead_to():
    for row in corrections().models:
        assert names.provider(row.provider) == row.provider, row


def test_no_two_prices_of_one_line_hold_at_the_same_time():
    lines: dict[object, list[PriceRow]] = defaultdict(list)
    for row in default_book().prices:
        lines[key_of(row)].append(row)
    endless = datetime.max.replace(tzinfo=UTC)
    for rows in lines.values():
        rows.sort(key=lambda row: row.valid_from or datetime.min.replace(tzinfo=UTC))
        for before, after in pairwise(rows):
            assert (before.valid_to or endless) <= (after.valid_from or datetime.min.replace(tzinfo=UTC)), (
                before,
                after,
            )


def test_every_row_is_of_a_known_layer_and_tier_and_begins_before_it_ends():
    for row in default_book().prices:
        assert row.layer in LAYERS
        assert row.tier is None or row.tier in TIERS, row
        assert row.valid_from is None or row.valid_to is None or row.valid_from < row.valid_to, row
        assert row.amount >= 0


def test_a_file_is_read_to_rows():
    prices = [
        {"from": "2026-01-01", "to": "2026-08-16T16:00:00Z", "source": "page", "usd_per_mtok": {"input": "0.27"}},
        {"tier": "batch", "context_over": "200000", "source": "page", "krw_per_k": {"output": "5"}},
    ]
    found = read([("acme.yaml", a_file(models=[{"model": "m1", "prices": prices}]))])
    first, second = found.prices
    assert (first.amount, first.per, first.currency) == (Decimal("0.27"), 1_000_000, "USD")
    assert (first.valid_from, first.valid_to) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 8, 16, 16, tzinfo=UTC),
    )
    assert (second.amount, second.per, second.currency, second.tier) == (5, 1_000, "KRW", "batch")
    assert second.context_over == 200_000


@pytest.mark.parametrize(
    "price",
    [
        {"source": "page", "usd_per_mtok": {"input": "cheap"}},
        {"source": "nowhere", "usd_per_mtok": {"input": "1"}},
        {"source": "page", "usd_per_furlong": {"input": "1"}},
        {"source": "page", "from": "soon", "usd_per_mtok": {"input": "1"}},
    ],
)
def test_a_mistake_in_a_file_names_the_file(price: dict[str, object]):
    with pytest.raises(ValueError, match=r"^acme\.yaml: "):
        read([("acme.yaml", a_file(models=[{"model": "m1", "prices": [price]}]))])


class TestRules:
    def stated(self, rule: dict[str, object], *prices: PriceRow) -> list[PriceRow]:
        ours = read([("acme.yaml", a_file(rules=[{"source": "page", "tier": "batch"} | rule]))])
        return by_rules(ours.rules, [a_model()], prices)[1]

    def test_a_stated_factor_is_applied_to_every_standard_price_of_its_time(self):
        change = datetime(2026, 1, 1, tzinfo=UTC)
        made = self.stated(
            {"from": "2025-01-01", "factor": "0.5"},
            a_price("input", "4", valid_to=change),
            a_price("input", "2", valid_from=change),
            a_price("cache_read", "1"),
        )
        begin = datetime(2025, 1, 1, tzinfo=UTC)
        assert [(row.amount, row.valid_from, row.valid_to) for row in made] == [(2, begin, change), (1, change, None)]
        assert {row.source_url for row in made} == {"https://acme.example/prices"}

    def test_a_listed_price_of_the_tier_is_dated_back_and_never_overridden(self):
        listed = datetime(2026, 10, 14, tzinfo=UTC)
        made = self.stated(
            {"from": "2025-01-01", "factor": "0.5"},
            a_price("input", "1.25"),
            a_price("input", "0.63", tier="batch", valid_from=listed),
        )
        assert [(row.amount, row.valid_to) for row in made] == [(Decimal("0.63"), listed)]

    def test_a_tier_listed_for_all_time_needs_no_rule(self):
        assert not self.stated({"factor": "0.5"}, a_price("input", "2"), a_price("input", "1.1", tier="batch"))

    def test_without_a_factor_nothing_is_guessed(self):
        assert not self.stated({}, a_price("input", "2"))

    def test_a_rule_covers_the_models_it_names(self):
        assert not self.stated({"factor": "0.5", "models": ["other*"]}, a_price("input", "2"))
        assert not self.stated({"factor": "0.5", "without": ["m*"]}, a_price("input", "2"))
