"""Who is measured: a function that makes the canned call under each product's own decorator or span, and its flush.

A contender's module is imported in a process of its own, in its own environment; nothing here is imported before.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks._sdk.call import canned

Contender = tuple[Callable[..., object], Callable[[], object]]


def attributes(model: str, temperature: float, max_tokens: int, response: Any) -> dict[str, Any]:
    """The twelve attributes."""
    usage = response.usage
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.request.temperature": temperature,
        "gen_ai.request.max_tokens": max_tokens,
        "gen_ai.response.model": response.model,
        "gen_ai.response.id": response.id,
        "gen_ai.response.finish_reasons": (response.choices[0].finish_reason,),
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.prompt_tokens_details.cached_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.completion_tokens_details.reasoning_tokens,
    }


def otel(endpoint: str) -> Contender:
    """A careful hand-written span: started, made current, twelve attributes, batch processor, OTLP/HTTP exporter."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    trace.set_tracer_provider(provider)
    tracer, response = trace.get_tracer("benchmark"), canned()

    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        with tracer.start_as_current_span("chat " + model) as span:
            span.set_attributes(attributes(model, temperature, max_tokens, response))
            return response

    return call, provider.force_flush


def outlay(endpoint: str) -> Contender:
    """Our decorator: the same twelve attributes and the service tier."""
    import outlay as sdk

    sdk.configure(endpoint=endpoint, service="benchmark")
    response = canned()

    @sdk.observe
    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        return response

    return call, sdk.flush


def langfuse(endpoint: str) -> Contender:
    """Langfuse's decorator without inputs and outputs, told model and usage."""
    os.environ.update(LANGFUSE_PUBLIC_KEY="pk-lf-x", LANGFUSE_SECRET_KEY="sk-lf-x", LANGFUSE_HOST=endpoint)
    from langfuse import get_client, observe

    client, response = get_client(), canned()

    @observe(as_type="generation", capture_input=False, capture_output=False)
    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        client.update_current_generation(model=model, usage_details={"input": 312, "output": 96, "total": 408})
        return response

    return call, client.flush


def traceloop(endpoint: str) -> Contender:
    """Traceloop's ``task`` without content: names and times only, no usage."""
    os.environ.update(TRACELOOP_TELEMETRY="false", TRACELOOP_METRICS_ENABLED="false", TRACELOOP_TRACE_CONTENT="false")
    from opentelemetry import trace
    from traceloop.sdk import Traceloop
    from traceloop.sdk.decorators import task

    Traceloop.init(app_name="benchmark", api_endpoint=endpoint, api_key="x", instruments=set())
    response = canned()

    @task()
    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        return response

    return call, trace.get_tracer_provider().force_flush  # type: ignore[attr-defined]


def logfire(endpoint: str) -> Contender:
    """Logfire's span with the same attributes."""
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    import logfire as sdk

    sdk.configure(send_to_logfire=False, console=False, metrics=False, inspect_arguments=False)
    response = canned()

    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        with sdk.span("chat", model=model, temperature=temperature, input_tokens=312, output_tokens=96):
            return response

    return call, sdk.force_flush


def openlit(endpoint: str) -> Contender:
    """OpenLIT's ``trace``, with the attributes set by hand."""
    import openlit as sdk
    from opentelemetry import trace

    sdk.init(otlp_endpoint=endpoint, disable_metrics=True, disable_events=True)
    response = canned()

    @sdk.trace
    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        trace.get_current_span().set_attributes(attributes(model, temperature, max_tokens, response))
        return response

    return call, trace.get_tracer_provider().force_flush  # type: ignore[attr-defined]


def openinference(endpoint: str) -> Contender:
    """OpenInference's ``llm`` with its attributes of input and output."""
    from openinference.instrumentation import get_llm_attributes
    from phoenix.otel import register

    provider = register(endpoint=f"{endpoint}/v1/traces", protocol="http/protobuf", batch=True, verbose=False)
    response = canned()

    def asked(model: str, messages: Any, temperature: float, max_tokens: int) -> Any:
        return get_llm_attributes(model_name=model, input_messages=messages)

    def told(answer: Any) -> Any:
        said = [{"role": "assistant", "content": answer.choices[0].message.content}]
        return get_llm_attributes(output_messages=said, token_count={"prompt": 312, "completion": 96, "total": 408})

    @provider.get_tracer("benchmark").llm(process_input=asked, process_output=told)
    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        return response

    return call, provider.force_flush


def langsmith(endpoint: str) -> Contender:
    """LangSmith's ``traceable``."""
    os.environ.update(LANGSMITH_TRACING="true", LANGSMITH_ENDPOINT=endpoint, LANGSMITH_API_KEY="lsv2_pt_x")
    import langsmith as sdk

    client, response = sdk.Client(), canned()

    @sdk.traceable(run_type="llm", client=client, metadata={"ls_provider": "openai", "ls_model_name": "gpt-4o"})
    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        return response

    return call, client.flush


def mlflow(endpoint: str) -> Contender:
    """MLflow's ``trace``, told model and usage."""
    os.environ.update(
        MLFLOW_TRACKING_URI=endpoint,
        MLFLOW_DISABLE_TELEMETRY="true",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{endpoint}/v1/traces",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf",
    )
    import mlflow as sdk
    from mlflow.tracing.provider import provider

    response = canned()
    used = {"mlflow.chat.tokenUsage": {"input_tokens": 312, "output_tokens": 96, "total_tokens": 408}}

    @sdk.trace(span_type="LLM")
    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        sdk.get_current_active_span().set_attributes({**used, "mlflow.llm.model": model})
        return response

    return call, lambda: provider.get().force_flush()


def opik(endpoint: str) -> Contender:
    """Opik's ``track``, told model and usage."""
    os.environ.update(OPIK_URL_OVERRIDE=f"{endpoint}/api", OPIK_SENTRY_ENABLE="false")
    import opik as sdk

    response = canned()
    used = {"prompt_tokens": 312, "completion_tokens": 96, "total_tokens": 408}

    @sdk.track(type="llm")
    def call(model: str, messages: object, temperature: float, max_tokens: int) -> Any:
        sdk.opik_context.update_current_span(model=model, provider="openai", usage=used)
        return response

    return call, sdk.flush_tracker


class Peer(NamedTuple):
    """Packages of a contender, and what its import is; none: ours, measured in this environment."""

    make: Callable[[str], Contender]
    statement: str
    packages: tuple[str, ...] = ()


CONTENDERS: dict[str, Peer] = {
    "otel": Peer(otel, "import opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.http.trace_exporter"),
    "outlay": Peer(outlay, "import outlay"),
    "langfuse": Peer(langfuse, "import langfuse", ("langfuse",)),
    # httpx: imported by traceloop-sdk and not declared.
    "traceloop": Peer(traceloop, "import traceloop.sdk", ("traceloop-sdk", "httpx")),
    "openlit": Peer(openlit, "import openlit", ("openlit",)),
    "openinference": Peer(
        openinference,
        "import phoenix.otel, openinference.instrumentation",
        ("arize-phoenix-otel", "openinference-instrumentation", "openinference-instrumentation-openai"),
    ),
    "logfire": Peer(logfire, "import logfire", ("logfire",)),
    "langsmith": Peer(langsmith, "import langsmith", ("langsmith",)),
    "mlflow": Peer(mlflow, "import mlflow", ("mlflow-tracing", "opentelemetry-exporter-otlp-proto-http")),
    "opik": Peer(opik, "import opik", ("opik",)),
}


# What records an OpenAI client's calls without a decorator, by contender


def record_clients(name: str, endpoint: str) -> None:
    """Switch it on. ``bare`` records nothing."""
    if name == "outlay":
        import outlay as sdk

        sdk.configure(endpoint=endpoint, service="benchmark")
        sdk.instrument("openai")
    elif name == "openinference":
        from openinference.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(tracer_provider=_provider(endpoint))
    elif name == "traceloop":
        os.environ["TRACELOOP_TRACE_CONTENT"] = "false"
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor

        OpenAIInstrumentor().instrument(tracer_provider=_provider(endpoint))
    elif name == "logfire":
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        import logfire as sdk

        sdk.configure(send_to_logfire=False, console=False, metrics=False, inspect_arguments=False)
        sdk.instrument_openai()


RECORDS_CLIENTS = ("outlay", "openinference", "traceloop", "logfire")


def _provider(endpoint: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    return provider
