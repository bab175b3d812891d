"""A span understood: what kind of thing it was, for whom, and what it used."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from outlay_collector.calls.span import Attributes, Event, Span
from outlay_collector.pricing.usage import Usage

# What a span is. Only CALL can be billed; see settle.py for which of several descriptions of one call is.
CALL = "call"  # one request to a model: chat, completion, embeddings, rerank …
AGGREGATE = "aggregate"  # restates what its children used: agents, workflows, outer framework spans
TOOL = "tool"
RETRIEVAL = "retrieval"
OTHER = "other"  # everything else: web handlers, HTTP clients, database spans


@dataclass(slots=True)
class Call:
    """One normalised span. Every dialect ends here; nothing below knows dialects.

    Absent facts are ``None``. ``usage_source`` is ``reported`` (the provider's own count), ``estimated`` or ``missing``.
    ``attributes`` holds what no field took, content excluded.
    """

    span: Span
    dialect: str
    span_type: str = OTHER
    operation: str | None = None  # OTel gen_ai.operation.name: chat, text_completion, embeddings, …
    provider: str | None = None  # OTel gen_ai.provider.name, canonical: openai, anthropic, gcp.gemini, aws.bedrock …
    request_model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    service_tier: str | None = None
    region: str | None = None
    account: str | None = None
    streaming: bool | None = None
    time_to_first_token_ms: float | None = None
    finish_reasons: tuple[str, ...] = ()
    error_type: str | None = None
    usage: Usage | None = None
    usage_source: str = "missing"
    flags: tuple[str, ...] = ()  # contradictions and gaps found on the way, e.g. "cache_write_ttl_assumed"
    reported_cost: Decimal | None = None  # USD, as an emitter or gateway computed it; never summed with ours
    service: str | None = None
    environment: str | None = None
    release: str | None = None
    team: str | None = None
    feature: str | None = None
    customer: str | None = None
    user: str | None = None
    session: str | None = None
    agent: str | None = None
    tool: str | None = None
    prompt_version: str | None = None
    attributes: Attributes = field(default_factory=dict[str, object])  # type: ignore[assignment]
    content: Attributes = field(default_factory=dict[str, object])  # type: ignore[assignment]
    events: list[Event] = field(default_factory=list[Event])  # the span's, without the texts: those are content

    @property
    def model(self) -> str | None:
        """The model that answered, else the one that was asked for."""
        return self.response_model or self.request_model
