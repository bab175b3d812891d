"""Fernweh, a maker of freight software that does not exist: its models, customers and features, as data.

The model names are those of November 2026, so that real prices apply. Two have none on purpose: the company's own
fine-tuned model, which no catalogue knows, and the self-hosted one, whose cost is that of its GPUs.
"""

from __future__ import annotations

from outlay_collector.demo.shapes import (
    Agent,
    Ask,
    Batch,
    Checked,
    Customer,
    Feature,
    Model,
    Rhythm,
    Sequence,
    Spread,
    Tool,
)

UNPRICED_MODEL = "accounts/fernweh/models/claims-extractor-v3"
SELF_HOSTED_MODEL = "Qwen/Qwen3-32B"

_MODELS = (
    Model(name="gpt-5.5", provider="openai", ttft=Spread(0.9), speed=70, cache="free"),
    Model(name="gpt-6.1-sol", provider="openai", ttft=Spread(0.6), speed=120, cache="paid"),
    Model(name="gpt-6.1-terra", provider="openai", ttft=Spread(0.45), speed=170, cache="paid"),
    Model(name="gpt-6-luna", provider="openai", ttft=Spread(0.25), speed=240, cache="paid"),
    Model(name="gpt-audio-mini", provider="openai", ttft=Spread(0.8), speed=90),
    Model(name="text-embedding-3-small", provider="openai", ttft=Spread(0.09), speed=1e9, errors=0.001),
    Model(name="claude-opus-4-8", provider="anthropic", ttft=Spread(1.4), speed=55, errors=0.008, cache="5m"),
    Model(name="claude-opus-5-5", provider="anthropic", ttft=Spread(1.1), speed=80, errors=0.008, cache="5m"),
    Model(name="claude-sonnet-5-5", provider="anthropic", ttft=Spread(0.7), speed=110, errors=0.007, cache="5m"),
    Model(name="claude-haiku-5-5", provider="anthropic", ttft=Spread(0.3), speed=210, errors=0.006, cache="5m"),
    Model(name="gemini-4-argon", provider="gcp.gemini", ttft=Spread(1.2), speed=95, cache="free"),
    Model(
        name="gemini-flash-latest", provider="gcp.gemini", answers_as="gemini-3.8-flash", ttft=Spread(0.5), speed=180, cache="free"
    ),
    Model(name="gemini-3.5-flash-lite", provider="gcp.gemini", ttft=Spread(0.3), speed=260, cache="free"),
    Model(name="mistral-large-4", provider="mistral_ai", ttft=Spread(0.7), speed=85, errors=0.006, cache="free"),
    Model(name="mistral-small-2603", provider="mistral_ai", ttft=Spread(0.25), speed=150, errors=0.005),
    Model(name="codestral-2508", provider="mistral_ai", ttft=Spread(0.14), speed=230, errors=0.005, cache="free"),
    Model(name="deepseek-v4-pro", provider="deepseek", ttft=Spread(1.0), speed=60, errors=0.012, cache="free"),
    Model(name=SELF_HOSTED_MODEL, provider="vllm", ttft=Spread(0.18, 0.5), speed=45, errors=0.003),
    Model(name=UNPRICED_MODEL, provider="fireworks_ai", ttft=Spread(0.4), speed=130, errors=0.005),
)  # fmt: skip
MODELS = {model.name: model for model in _MODELS}

ERRORS = {
    "openai": ("openai.RateLimitError", "openai.APITimeoutError", "openai.InternalServerError"),
    "anthropic": ("anthropic.RateLimitError", "anthropic.APITimeoutError", "anthropic.OverloadedError"),
    "gcp.gemini": ("google.genai.errors.ClientError", "httpx.ReadTimeout", "google.genai.errors.ServerError"),
    "mistral_ai": ("mistralai.models.SDKError", "httpx.ReadTimeout", "mistralai.models.SDKError"),
    "deepseek": ("openai.RateLimitError", "openai.APITimeoutError", "openai.InternalServerError"),
    "vllm": ("openai.APIConnectionError", "openai.APITimeoutError", "openai.InternalServerError"),
    "fireworks_ai": ("openai.RateLimitError", "openai.APITimeoutError", "openai.InternalServerError"),
}
"""What each provider's client raises when it is told to slow down, when it waited too long, when the server failed."""

FINISHES = {
    "anthropic": {"done": "end_turn", "tool": "tool_use", "limit": "max_tokens"},
    "gcp.gemini": {"done": "STOP", "tool": "STOP", "limit": "MAX_TOKENS"},
}
"""Why an answer ended, in the provider's words; everybody else says it as OpenAI does."""
OPENAI_FINISHES = {"done": "stop", "tool": "tool_calls", "limit": "length"}

CUSTOMERS = (
    Customer(name="nordwind-shipping", weight=22, region="eu", people=60),
    Customer(name="pacific-crest-lines", weight=15, region="us", people=45),
    Customer(name="halden-logistik", weight=11, region="eu", people=30),
    Customer(name="blue-heron-freight", weight=9, region="us", people=28),
    Customer(name="sakura-cargo", weight=8, region="apac", people=25),
    Customer(name="terra-austral", weight=6, region="apac", people=18),
    Customer(name="rhone-transports", weight=6, region="eu", people=16),
    Customer(name="great-lakes-haulage", weight=5, region="us", people=14),
    Customer(name="baltic-reefer", weight=4, region="eu", people=12),
    Customer(name="mesa-verde-trucking", weight=4, region="us", people=10),
    Customer(name="hanbit-express", weight=3, region="apac", people=10),
    Customer(name="iberia-contenedores", weight=3, region="eu", people=8),
    Customer(name="old-dominion-drayage", weight=2, region="us", people=6),
    Customer(name="polder-bulk", weight=2, region="eu", people=5),
)
STAFF = 38  # engineers and analysts who use the inner tools

# Europe's and America's offices together; machines; the quiet hours in which jobs run.
OFFICE: Rhythm = (2, 1, 1, 1, 2, 4, 9, 18, 26, 28, 26, 22, 24, 32, 36, 36, 32, 24, 20, 18, 14, 9, 5, 3)
STEADY: Rhythm = (7, 7, 6, 6, 7, 8, 9, 10, 11, 11, 11, 11, 11, 11, 11, 11, 11, 10, 10, 9, 9, 8, 8, 7)
NIGHTLY: Rhythm = (0, 10, 30, 30, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

_EMBED = Ask(step="embed_question", kind="embeddings", model="text-embedding-3-small", fresh=Spread(48, 0.5))
_KNOWLEDGE = Tool(name="search_knowledge_base", seconds=Spread(0.08), fails=0.002)

_CUSTOMS = Agent(
    name="customs-checker",
    ask=Ask(
        step="check_customs",
        model="claude-haiku-5-5",
        fixed=3_100,
        fresh=Spread(420),
        answer=Spread(160),
        cached=True,
    ),
    rounds=Spread(2.6, 0.3),
    tools=(Tool(name="look_up_tariff", seconds=Spread(0.35), gives=Spread(600)),),
)

FEATURES = (
    Feature(
        name="answer-ticket",
        team="support",
        service="support-desk",
        work=Sequence(
            name="answer_ticket",
            parts=(
                _EMBED,
                _KNOWLEDGE,
                Ask(
                    step="write_answer",
                    model="gpt-5.5",
                    fixed=2_600,
                    fresh=Spread(7_400),
                    answer=Spread(380),
                    cached=True,
                    streams=True,
                    remembers=True,
                ),
            ),
        ),
        visits=68,
        growth=0.14,
        rhythm=OFFICE,
        weekend=0.35,
        turns=Spread(2.2, 0.45),
        users="customers",
        prompt="support-answer",
    ),
    Feature(
        name="triage-ticket",
        team="support",
        service="support-desk",
        work=Checked(
            ask=Ask(
                step="triage_ticket", model="gpt-6.1-terra", fixed=760, fresh=Spread(310, 0.5), answer=Spread(14, 0.2)
            ),
            check="parse_triage",
            fails=0.004,
        ),
        visits=130,
        growth=0.10,
        rhythm=OFFICE,
        weekend=0.35,
        users="customers",
        prompt="triage",
    ),
    Feature(
        name="summarise-call",
        team="support",
        service="support-desk",
        work=Sequence(
            name="summarise_call",
            parts=(
                Tool(name="fetch_recording", seconds=Spread(0.6)),
                Ask(
                    step="summarise_recording",
                    model="gpt-audio-mini",
                    fixed=350,
                    fresh=Spread(60),
                    audio=Spread(4_200, 0.5),
                    answer=Spread(260),
                ),
            ),
        ),
        visits=34,
        growth=0.06,
        rhythm=OFFICE,
        weekend=0.2,
        users="customers",
    ),
    Feature(
        name="plan-route",
        team="dispatch",
        service="dispatch-agent",
        work=Agent(
            name="route-planner",
            ask=Ask(
                step="think",
                model="claude-opus-4-8",
                fixed=12_500,
                fresh=Spread(2_600),
                answer=Spread(340),
                cached=True,
            ),
            rounds=Spread(4.6, 0.35),
            tools=(
                Tool(name="find_carriers", seconds=Spread(0.5), gives=Spread(3_900)),
                Tool(name="quote_leg", seconds=Spread(0.9, 0.5), gives=Spread(1_200), fails=0.03),
                Tool(name="check_weather", seconds=Spread(0.3), gives=Spread(700)),
            ),
            helper=_CUSTOMS,
            helper_share=0.4,
            runaway=0.015,
        ),
        visits=26,
        growth=0.18,
        rhythm=OFFICE,
        weekend=0.4,
        users="customers",
        prompt="route-planner",
    ),
    Feature(
        name="classify-event",
        team="dispatch",
        service="tracking",
        work=Ask(
            step="classify_event", model=SELF_HOSTED_MODEL, fixed=520, fresh=Spread(240, 0.5), answer=Spread(32, 0.3)
        ),
        visits=185,
        growth=0.12,
        rhythm=STEADY,
        weekend=0.7,
    ),
    Feature(
        name="search-catalog",
        team="search",
        service="catalog-search",
        work=Sequence(
            name="search_catalog",
            parts=(
                Ask(
                    step="rewrite_query",
                    model="mistral-small-2603",
                    fixed=290,
                    fresh=Spread(22, 0.5),
                    answer=Spread(18, 0.3),
                ),
                _EMBED,
                Tool(name="vector_search", seconds=Spread(0.05)),
            ),
        ),
        visits=80,
        growth=0.12,
        rhythm=OFFICE,
        weekend=0.45,
        turns=Spread(1.3, 0.4),
        users="customers",
    ),
    Feature(
        name="index-catalog",
        team="search",
        service="catalog-search",
        work=Batch(
            name="index_catalog",
            ask=Ask(step="embed_listing", kind="embeddings", model="text-embedding-3-small", fresh=Spread(1_900, 0.6)),
            items=Spread(24, 0.3),
        ),
        visits=3,
        growth=0.05,
        rhythm=NIGHTLY,
        weekend=1.0,
        staging=0,
    ),
    Feature(
        name="review-contract",
        team="legal",
        service="contract-desk",
        work=Sequence(
            name="review_contract",
            parts=(
                Tool(name="read_pdf", seconds=Spread(2.2)),
                Ask(
                    step="find_clauses",
                    model="claude-haiku-5-5",
                    fixed=900,
                    fresh=Spread(44_000, 0.4),
                    answer=Spread(900),
                ),
                Checked(
                    ask=Ask(
                        step="assess_risk",
                        model="claude-opus-4-8",
                        fixed=4_200,
                        fresh=Spread(88_000, 0.4),
                        answer=Spread(1_900),
                        thinking=Spread(2_600, 0.5),
                    ),
                    check="parse_assessment",
                ),
            ),
        ),
        visits=34,
        growth=0.08,
        rhythm=OFFICE,
        weekend=0.06,
        users="customers",
        prompt="contract-risk",
    ),
    Feature(
        name="extract-clauses",
        team="legal",
        service="contract-desk",
        work=Batch(
            name="extract_clauses",
            ask=Ask(
                step="extract_clause",
                model="gemini-flash-latest",
                fixed=1_400,
                fresh=Spread(34_000, 0.4),
                answer=Spread(650),
                tier="batch",
            ),
            items=Spread(22, 0.3),
        ),
        visits=5,
        growth=0.05,
        rhythm=NIGHTLY,
        weekend=0.5,
        staging=0,
    ),
    Feature(
        name="review-pull-request",
        team="platform",
        service="code-assistant",
        work=Agent(
            name="code-reviewer",
            ask=Ask(
                step="review",
                model="claude-opus-4-8",
                fixed=11_000,
                fresh=Spread(34_000, 0.6),
                answer=Spread(420),
                thinking=Spread(500, 0.5),
                cached=True,
            ),
            rounds=Spread(5.4, 0.45),
            tools=(
                Tool(name="read_file", seconds=Spread(0.04), gives=Spread(3_600, 0.6)),
                Tool(name="search_code", seconds=Spread(0.12), gives=Spread(900)),
                Tool(name="run_tests", seconds=Spread(24, 0.6), gives=Spread(1_500), fails=0.12),
            ),
        ),
        visits=20,
        growth=0.10,
        rhythm=OFFICE,
        weekend=0.08,
        users="staff",
        prompt="code-review",
    ),
    Feature(
        name="complete-code",
        team="platform",
        service="code-assistant",
        work=Ask(
            step="complete_code",
            model="codestral-2508",
            kind="text_completion",
            fresh=Spread(1_700, 0.5),
            answer=Spread(38, 0.6),
            streams=True,
            limit=120,
        ),
        visits=54,
        growth=0.15,
        rhythm=OFFICE,
        weekend=0.07,
        turns=Spread(3.2, 0.5),
        users="staff",
        staging=0,
    ),
    Feature(
        name="write-campaign",
        team="growth",
        service="campaigns",
        work=Sequence(
            name="write_campaign",
            parts=(
                Ask(step="outline", model="gemini-4-argon", fixed=1_800, fresh=Spread(11_000), answer=Spread(420)),
                Ask(
                    step="draft",
                    model="gemini-4-argon",
                    fixed=1_800,
                    fresh=Spread(14_500),
                    answer=Spread(2_900),
                    streams=True,
                ),
            ),
        ),
        visits=46,
        growth=0.20,
        rhythm=OFFICE,
        weekend=0.12,
        users="customers",
        prompt="campaign",
    ),
    Feature(
        name="translate-listing",
        team="growth",
        service="campaigns",
        work=Batch(
            name="translate_listings",
            ask=Ask(
                step="translate",
                model="mistral-large-4",
                fixed=420,
                fresh=Spread(2_400, 0.5),
                answer=Spread(2_600, 0.5),
            ),
            items=Spread(17, 0.3),
        ),
        visits=5,
        growth=0.16,
        rhythm=NIGHTLY,
        weekend=0.8,
        staging=0,
    ),
    Feature(
        name="price-outlook",
        team="growth",
        service="campaigns",
        work=Ask(
            step="price_outlook",
            model="deepseek-v4-pro",
            fixed=2_200,
            fresh=Spread(5_200),
            answer=Spread(700),
            thinking=Spread(2_400, 0.5),
            cached=True,
        ),
        visits=44,
        growth=0.08,
        rhythm=STEADY,
        weekend=1.0,
    ),
    Feature(
        name="extract-claim",
        team="risk",
        service="claims",
        work=Sequence(
            name="extract_claim",
            parts=(
                Tool(name="read_email", seconds=Spread(0.2)),
                Ask(
                    step="extract_fields",
                    model=UNPRICED_MODEL,
                    fixed=380,
                    fresh=Spread(1_300, 0.5),
                    answer=Spread(210, 0.3),
                    silent=0.02,
                ),
            ),
        ),
        visits=90,
        growth=0.10,
        rhythm=OFFICE,
        weekend=0.3,
        users="customers",
    ),
    Feature(
        name="score-fraud",
        team="risk",
        service="claims",
        work=Checked(
            ask=Ask(
                step="score_fraud",
                model="gpt-6.1-sol",
                fixed=9_400,
                fresh=Spread(1_500),
                answer=Spread(60, 0.2),
                thinking=Spread(900, 0.6),
            ),
            check="parse_score",
            fails=0.01,
        ),
        visits=88,
        growth=0.10,
        rhythm=OFFICE,
        weekend=0.3,
        users="customers",
        prompt="fraud-score",
    ),
    Feature(
        name="ask-data",
        team="risk",
        service="analyst",
        work=Agent(
            name="data-analyst",
            ask=Ask(
                step="write_query", model="gpt-5.5", fixed=5_200, fresh=Spread(700), answer=Spread(190), streams=True
            ),
            rounds=Spread(3.4, 0.35),
            tools=(
                Tool(name="describe_table", seconds=Spread(0.06), gives=Spread(800)),
                Tool(name="run_query", seconds=Spread(1.6, 0.7), gives=Spread(1_300, 0.6), fails=0.08),
            ),
        ),
        visits=30,
        growth=0.12,
        rhythm=OFFICE,
        weekend=0.1,
        turns=Spread(1.4, 0.4),
        users="staff",
        prompt="analyst-sql",
    ),
)
FEATURE = {feature.name: feature for feature in FEATURES}
