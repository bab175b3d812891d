"""Who served a call, told from what telemetry says; and which model names mean one model."""

from __future__ import annotations

import pytest
from outlay_collector.calls.models import families, family, same_family
from outlay_collector.calls.providers import FROM_ADDRESS, FROM_MODEL, NAMED, place_of, provider_of, tier_of


@pytest.mark.parametrize(
    ("said", "model", "address", "expected"),
    [
        ("openai", "gpt-4o", None, ("openai", NAMED)),
        ("OpenAI", None, None, ("openai", NAMED)),
        ("openai.chat", "gpt-4o", None, ("openai", NAMED)),
        ("anthropic.messages", None, None, ("anthropic", NAMED)),
        ("gemini", None, None, ("gcp.gemini", NAMED)),
        ("google", None, None, ("gcp.gemini", NAMED)),
        ("google.generative-ai", None, None, ("gcp.gemini", NAMED)),
        ("vertex_ai", None, None, ("gcp.vertex_ai", NAMED)),
        ("az.ai.openai", None, None, ("azure.ai.openai", NAMED)),
        ("azure", None, None, ("azure.ai.openai", NAMED)),
        ("bedrock", None, None, ("aws.bedrock", NAMED)),
        ("xai", None, None, ("x_ai", NAMED)),
        ("mistral", None, None, ("mistral_ai", NAMED)),
        ("acme", "x", None, ("acme", NAMED)),
        ("langchain", "o4-mini", None, ("openai", FROM_MODEL)),
        ("strands-agents", "claude-sonnet-4-5", None, ("anthropic", FROM_MODEL)),
        (None, "us.anthropic.claude-3-5-sonnet-20241022-v2:0", None, ("aws.bedrock", FROM_MODEL)),
        (None, "groq/llama-3.3-70b", None, ("groq", FROM_MODEL)),
        (None, "models/gemini-2.5-pro", None, ("gcp.gemini", FROM_MODEL)),
        (None, "my-own-model", None, (None, FROM_ADDRESS)),
        # Gateways and compatible servers say "openai", for they speak its protocol.
        ("openai", "deepseek-chat", "api.deepseek.com", ("deepseek", FROM_ADDRESS)),
        ("openai", "gpt-4o", "https://my.openai.azure.com/openai/", ("azure.ai.openai", FROM_ADDRESS)),
        ("openai", "claude-sonnet-4-5", "gateway.internal", ("anthropic", FROM_MODEL)),
        ("openai", "llama-3.3-70b", "10.0.0.7", ("openai", NAMED)),
        (None, "my-own-model", "https://api.groq.com/openai/v1", ("groq", FROM_ADDRESS)),
        ("anthropic", "claude-sonnet-4-5", "bedrock-runtime.eu-west-1.amazonaws.com", ("anthropic", NAMED)),
    ],
)
def test_the_provider_is_told_by_name_then_model_then_address(
    said: str | None, model: str | None, address: str | None, expected: tuple[str | None, str]
) -> None:
    assert provider_of(said, model, address) == expected


def test_an_address_tells_region_and_account() -> None:
    assert place_of("bedrock-runtime.eu-west-1.amazonaws.com") == ("eu-west-1", None)
    assert place_of("us-central1-aiplatform.googleapis.com") == ("us-central1", None)
    assert place_of("https://team-a.openai.azure.com/openai/") == (None, "team-a")
    assert place_of("127.0.0.1") == (None, None)


def test_service_tiers_are_ours() -> None:
    assert [tier_of(said) for said in ("default", "Standard", "auto", "flex", "priority", "batch", None, "gold")] == [
        "standard", "standard", None, "flex", "priority", "batch", None, "gold",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("openai/gpt-4o", "gpt-4o"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet@20241022"),
        ("gpt-4-0613", "gpt-4"),
        ("models/gemini-2.5-flash-001", "gemini-2.5-flash"),
        ("gpt-4.1", "gpt-4-1"),
    ],
)
def test_aliases_snapshots_and_prefixed_names_are_one_family(one: str, other: str) -> None:
    assert family(one) == family(other)


@pytest.mark.parametrize(
    ("one", "other"), [("gpt-4o", "gpt-4o-mini"), ("claude-haiku-4-5", "claude-sonnet-4-5"), ("gpt-4", "gpt-4o")]
)
def test_different_models_are_different_families(one: str, other: str) -> None:
    assert family(one) != family(other)


def test_a_call_without_any_model_fits_all() -> None:
    assert same_family(families(None, None), families("gpt-4o", None))
    assert same_family(families("my-deployment", "gpt-4o"), families("gpt-4o-2024-08-06", None))
    assert not same_family(families("gpt-4o", None), families("o3", None))
