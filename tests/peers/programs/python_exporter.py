"""Model calls as OpenTelemetry's Python SDK sends them.

    python python_exporter.py http|grpc ENDPOINT KEY CALLS

Call number n has 1000 + n input tokens and 100 output tokens. The last line is JSON: what became of the calls.
"""

import json
import sys
import time

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

protocol, endpoint, key, calls = *sys.argv[1:4], int(sys.argv[4])
headers = {"authorization": f"Bearer {key}"}
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # type: ignore[import-not-found]

    exporter = OTLPSpanExporter(endpoint=endpoint, headers=tuple(headers.items()), insecure=True)
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", headers=headers)


class Watched(SpanExporter):
    """The exporter, and what it says of its batches."""

    delivered = given_up = 0

    def export(self, spans):
        result = exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.delivered += len(spans)
        else:
            self.given_up += len(spans)
        return result

    def shutdown(self):
        exporter.shutdown()


watched = Watched()
provider = TracerProvider(resource=Resource({"service.name": "shop"}))
provider.add_span_processor(BatchSpanProcessor(watched, schedule_delay_millis=100, max_export_batch_size=10))
tracer = provider.get_tracer("shop", "1.0")
for number in range(calls):
    with tracer.start_as_current_span("chat gpt-4o-mini") as span:
        span.set_attribute("gen_ai.operation.name", "chat")
        span.set_attribute("gen_ai.provider.name", "openai")
        span.set_attribute("gen_ai.request.model", "gpt-4o-mini")
        span.set_attribute("gen_ai.response.model", "gpt-4o-mini-2024-07-18")
        span.set_attribute("gen_ai.usage.input_tokens", 1000 + number)
        span.set_attribute("gen_ai.usage.output_tokens", 100)
    time.sleep(0.02)
# A program that goes on running: what was refused is tried again until the exporter's own deadline.
until = time.monotonic() + 120
while watched.delivered + watched.given_up < calls and time.monotonic() < until:
    time.sleep(0.05)
provider.force_flush()
provider.shutdown()
print(json.dumps({"given_up": calls - watched.delivered}))
