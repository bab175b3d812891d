"""Without our SDK: any OpenTelemetry span with the GenAI attributes is a call to Outlay.

python examples/plain_opentelemetry.py
"""

from __future__ import annotations

import os

from openai import OpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

ENDPOINT = os.environ.get("OUTLAY_ENDPOINT", "http://127.0.0.1:4318")
KEY = os.environ.get("OUTLAY_API_KEY")


def main() -> None:
    """One call, described by hand."""
    provider = TracerProvider(resource=Resource({"service.name": "plain-otel"}))
    headers = {"authorization": f"Bearer {KEY}"} if KEY else {}
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{ENDPOINT}/v1/traces", headers=headers)))
    tracer = trace.get_tracer("example", tracer_provider=provider)
    with OpenAI() as client, tracer.start_as_current_span("chat gpt-4o-mini", kind=trace.SpanKind.CLIENT) as span:
        response = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "What does a token cost?"}]
        )
        span.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.response.model": response.model,
                "gen_ai.response.id": response.id,
            }
        )
        if response.usage is not None:
            span.set_attribute("gen_ai.usage.input_tokens", response.usage.prompt_tokens)
            span.set_attribute("gen_ai.usage.output_tokens", response.usage.completion_tokens)
    provider.shutdown()


if __name__ == "__main__":
    main()
