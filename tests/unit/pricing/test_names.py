"""Names as seen in the wild, and what they cost: the table is tests/data/model-names.tsv."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from outlay_collector.pricing import names
from outlay_collector.pricing.bundled import default_book
from outlay_collector.pricing.nearest import nearest
from outlay_collector.pricing.usage import Usage

LINES = (Path(__file__).parents[2] / "data" / "model-names.tsv").read_text("utf-8").splitlines()
TABLE = [line.split("\t") for line in LINES if not line.startswith("#")]
WHEN = datetime(2026, 11, 17, 12, tzinfo=UTC)


def test_the_table_is_long_enough_to_mean_something():
    assert len(TABLE) >= 250


@pytest.mark.parametrize(("said", "model", "seller", "price"), TABLE, ids=[f"{row[0]}:{row[1]}" for row in TABLE])
def test_a_name_is_sold_by_whom_at_what_price(said: str, model: str, seller: str, price: str):
    provider = None if said == "-" else said
    book = default_book()
    found = book.find(provider, model)
    assert (found[-1].provider if found else "-") == seller
    charge = book.charge(provider=provider, model=model, usage=Usage(input_tokens=1_000), at=WHEN)
    fee = Decimal("0.006") if "sonar-" in model else Decimal("0.005") if "sonar" in model else Decimal(0)
    assert charge.cost == (None if price == "-" else Decimal(price) / 1000 + fee)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("openai.chat", "openai"),
        ("google-gla", "gcp.gemini"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("Amazon Bedrock", "aws.bedrock"),
        ("az.ai.openai", "azure.ai.openai"),
        ("mistralai", "mistral_ai"),
        ("xai", "x_ai"),
        ("hosted_vllm", "vllm"),
        ("Acme Cloud", "acme cloud"),
        ("litellm", None),
        ("vercel-ai-gateway", None),
        ("", None),
        (None, None),
    ],
)
def test_a_provider_has_one_name_and_a_gateway_none(raw: str | None, canonical: str | None):
    assert names.provider(raw) == canonical


@pytest.mark.parametrize(
    ("region", "kind"), [(None, None), ("", None), ("global", "global"), ("Global", "global"), ("us-east5", "regional")]
)
def test_a_region_is_global_or_regional(region: str | None, kind: str | None):
    assert names.region_class(region) == kind


@pytest.mark.parametrize(
    "name",
    ["", " ", "/", ":", "a/b/c/d/e", "x" * 5_000, "ft:", "arn:aws:bedrock:", "\x00", "🦊", "openai/openai/gpt-4o"],
)
def test_no_name_is_too_strange_to_be_asked_about(name: str):
    default_book().find("openai", name)
    default_book().find(None, name)


def test_the_nearest_known_name_is_offered_for_a_misspelt_one():
    assert nearest(default_book(), "openai", "gpt-4o-mni") == ("openai", "gpt-4o-mini")
    assert nearest(default_book(), "openai", "zzz") is None
