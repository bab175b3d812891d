"""Instrumentors of others, for everything we have no wrapper of our own for: which exist, and switching them on.

They are the OpenTelemetry, OpenInference and OpenLLMetry packages the user has installed. They get a provider whose
spans go into our pipeline, unless we joined the user's own; content stays off unless it is asked for.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider


class Instrumentor(NamedTuple):
    """A package that instruments a library."""

    package: str
    module: str
    name: str


def _openinference(library: str, name: str) -> Instrumentor:
    module = f"openinference.instrumentation.{library}"
    return Instrumentor(f"openinference-instrumentation-{library.replace('_', '-')}", module, name)


def _openllmetry(library: str, name: str) -> Instrumentor:
    module = f"opentelemetry.instrumentation.{library}"
    return Instrumentor(f"opentelemetry-instrumentation-{library.replace('_', '-')}", module, name)


# Library → its package on PyPI, and who instruments it: the first that is installed is taken.
KNOWN: dict[str, tuple[str, tuple[Instrumentor, ...]]] = {
    "bedrock": (
        "boto3",
        (
            _openllmetry("botocore", "BotocoreInstrumentor"),
            _openinference("bedrock", "BedrockInstrumentor"),
            _openllmetry("bedrock", "BedrockInstrumentor"),
        ),
    ),
    "mistral": (
        "mistralai",
        (_openinference("mistralai", "MistralAIInstrumentor"), _openllmetry("mistralai", "MistralAiInstrumentor")),
    ),
    "cohere": ("cohere", (_openllmetry("cohere", "CohereInstrumentor"),)),
    "groq": ("groq", (_openinference("groq", "GroqInstrumentor"), _openllmetry("groq", "GroqInstrumentor"))),
    "litellm": ("litellm", (_openinference("litellm", "LiteLLMInstrumentor"),)),
    "langchain": (
        "langchain-core",
        (_openinference("langchain", "LangChainInstrumentor"), _openllmetry("langchain", "LangchainInstrumentor")),
    ),
    "llama-index": (
        "llama-index-core",
        (
            _openinference("llama_index", "LlamaIndexInstrumentor"),
            _openllmetry("llamaindex", "LlamaIndexInstrumentor"),
        ),
    ),
    "crewai": (
        "crewai",
        (_openinference("crewai", "CrewAIInstrumentor"), _openllmetry("crewai", "CrewAIInstrumentor")),
    ),
    "openai-agents": ("openai-agents", (_openinference("openai_agents", "OpenAIAgentsInstrumentor"),)),
    "dspy": ("dspy", (_openinference("dspy", "DSPyInstrumentor"),)),
    "haystack": (
        "haystack-ai",
        (_openinference("haystack", "HaystackInstrumentor"), _openllmetry("haystack", "HaystackInstrumentor")),
    ),
    "ollama": ("ollama", (_openllmetry("ollama", "OllamaInstrumentor"),)),
    "together": ("together", (_openllmetry("together", "TogetherAiInstrumentor"),)),
    "vertexai": (
        "google-cloud-aiplatform",
        (_openllmetry("vertexai", "VertexAIInstrumentor"), _openinference("vertexai", "VertexAIInstrumentor")),
    ),
    "chroma": ("chromadb", (_openllmetry("chromadb", "ChromaInstrumentor"),)),
    "pinecone": ("pinecone", (_openllmetry("pinecone", "PineconeInstrumentor"),)),
    "qdrant": ("qdrant-client", (_openllmetry("qdrant", "QdrantInstrumentor"),)),
    "weaviate": ("weaviate-client", (_openllmetry("weaviate", "WeaviateInstrumentor"),)),
    "milvus": ("pymilvus", (_openllmetry("milvus", "MilvusInstrumentor"),)),
}

# How each family is told to leave content out. A choice the user has made in the environment stands.
_NO_CONTENT = {
    "TRACELOOP_TRACE_CONTENT": "false",
    "OPENINFERENCE_HIDE_INPUTS": "true",
    "OPENINFERENCE_HIDE_OUTPUTS": "true",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "false",
}


def installed_version(package: str) -> str | None:
    """The version of an installed package, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def instrument_other(library: str, provider: TracerProvider, *, content: bool) -> str:
    """Switch the best installed instrumentor of ``library`` on; says in words what was done, or what is missing."""
    _, candidates = KNOWN[library]
    for candidate in candidates:
        found = installed_version(candidate.package)
        if found is None:
            continue
        if not content:
            for name, value in _NO_CONTENT.items():
                os.environ.setdefault(name, value)
        instrumentor: Any = getattr(import_module(candidate.module), candidate.name)()
        instrumentor.instrument(tracer_provider=provider)
        _active.append(instrumentor)
        return f"instrumented by {candidate.package} {found}"
    return f"not instrumented: install {candidates[0].package}"


def stop_others() -> None:
    """Switch off what was switched on here."""
    while _active:
        _active.pop().uninstrument()


_active: list[Any] = []
