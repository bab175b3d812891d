"""Who served a call: one canonical name per provider, told from what telemetry says, however it says it.

Canonical names are the values of ``gen_ai.provider.name`` in the OpenTelemetry GenAI conventions, and lower-case
product names for providers they do not list. Order: the name given, then the model's name, then the server's address.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "openai": ("open_ai", "openai.chat", "openai.responses", "openai.completion", "openai.embedding", "chatopenai"),
    "anthropic": ("claude", "anthropic.messages", "chatanthropic"),
    "gcp.gemini": ("gemini", "google", "google.generative-ai", "google_genai", "google-genai", "google_ai", "googleai",
                   "google_gla", "google-gla", "google.genai", "palm", "chatgooglegenerativeai", "google_generativeai",
                   "google-generativeai", "googlegenai"),
    "gcp.vertex_ai": ("vertex_ai", "vertexai", "vertex", "vertex_ai_beta", "google.vertex", "google_vertexai",
                      "google-vertex", "google-vertexai", "google_vertex", "chatvertexai", "google.vertexai"),
    "gcp.gen_ai": (),
    "aws.bedrock": ("bedrock", "aws_bedrock", "amazon_bedrock", "amazon-bedrock", "bedrock_converse", "amazon bedrock",
                    "aws-bedrock", "chatbedrock", "chatbedrockconverse", "bedrock-converse", "amazon.bedrock", "aws"),
    "azure.ai.openai": ("az.ai.openai", "azure_openai", "azure-openai", "azure", "azureopenai", "azurechatopenai",
                        "azure.openai", "azure-openai.chat", "azure-openai.responses", "azure openai", "azure.chat"),
    "azure.ai.inference": ("az.ai.inference", "azure_ai", "azure-ai", "azure_ai_inference", "azure-ai-inference"),
    "cohere": ("cohere_chat", "cohere.chat", "chatcohere"),
    "mistral_ai": ("mistral", "mistralai", "mistral-ai", "mistral.chat", "chatmistralai", "codestral"),
    "groq": ("groq.chat", "chatgroq"),
    "deepseek": ("deepseek.chat", "chatdeepseek", "deep_seek"),
    "x_ai": ("xai", "x-ai", "x.ai", "grok", "xai.chat", "chatxai"),
    "perplexity": ("perplexity.chat", "perplexity_ai", "chatperplexity", "pplx"),
    "ibm.watsonx.ai": ("watsonx", "watsonx_ai", "watsonx.ai", "ibm", "ibm_watsonx", "ibm-watsonx-ai"),
    "moonshot_ai": ("moonshot", "moonshotai", "kimi"),
    "together_ai": ("together", "togetherai", "together-ai", "together.chat"),
    "fireworks_ai": ("fireworks", "fireworksai", "fireworks.chat", "fireworks-ai"),
    "openrouter": ("open_router", "openrouter.chat", "open-router"),
    "huggingface": ("hugging_face", "hf", "huggingface_hub", "hugging-face"),
    "replicate": (), "cerebras": ("cerebras.chat",), "sambanova": (), "deepinfra": ("deepinfra.chat",),
    "novita": (), "nvidia_nim": ("nvidia", "nim"), "databricks": (), "alibaba_cloud": ("dashscope", "qwen", "alibaba"),
    "zhipu_ai": ("zhipu", "zai", "z.ai", "bigmodel"), "voyage_ai": ("voyage", "voyageai"), "jina_ai": ("jina",),
    "ollama": ("ollama_chat", "ollama.chat", "chatollama"), "vllm": ("hosted_vllm", "chatvllm", "vllm-openai"),
    "lm_studio": ("lmstudio",), "sglang": (), "tgi": ("text-generation-inference",), "llama_cpp": ("llama.cpp", "llamacpp"),
}  # fmt: skip

_NAMES: dict[str, str] = {alias: name for name, aliases in _ALIASES.items() for alias in (name, *aliases)}

# Says which program talked, not who answered.
_NOT_PROVIDERS = frozenset((
    "langchain", "langgraph", "llamaindex", "llama_index", "strands-agents", "strands", "autogen", "crewai", "pydantic-ai",
    "ai", "litellm", "litellm_proxy", "langsmith", "langfuse", "openinference", "traceloop", "agent_framework",
    "microsoft.agent_framework", "unknown", "custom", "none", "null",
))  # fmt: skip

# Beginning of a model's name -> the one provider that owns such names. Open weights are served by many and are left out.
_MODELS: tuple[tuple[str, str], ...] = (
    ("gpt-", "openai"), ("chatgpt-", "openai"), ("o1", "openai"), ("o3", "openai"), ("o4", "openai"),
    ("text-embedding-3", "openai"), ("text-embedding-ada", "openai"), ("dall-e", "openai"), ("whisper-1", "openai"),
    ("tts-1", "openai"), ("davinci", "openai"), ("babbage", "openai"), ("codex-", "openai"), ("omni-moderation", "openai"),
    ("ft:gpt-", "openai"), ("computer-use-preview", "openai"), ("sora-", "openai"),
    ("claude", "anthropic"),
    ("gemini", "gcp.gemini"), ("text-embedding-004", "gcp.gemini"), ("models/gemini", "gcp.gemini"), ("imagen-", "gcp.gemini"),
    ("veo-", "gcp.gemini"), ("learnlm", "gcp.gemini"),
    ("command", "cohere"), ("embed-english", "cohere"), ("embed-multilingual", "cohere"), ("rerank-", "cohere"),
    ("c4ai-", "cohere"), ("embed-v4", "cohere"),
    ("mistral-large", "mistral_ai"), ("mistral-medium", "mistral_ai"), ("mistral-small", "mistral_ai"),
    ("mistral-embed", "mistral_ai"), ("codestral", "mistral_ai"), ("ministral", "mistral_ai"), ("magistral", "mistral_ai"),
    ("pixtral", "mistral_ai"), ("devstral", "mistral_ai"),
    ("grok", "x_ai"), ("deepseek-chat", "deepseek"), ("deepseek-reasoner", "deepseek"), ("sonar", "perplexity"),
    ("moonshot", "moonshot_ai"), ("kimi-", "moonshot_ai"), ("voyage-", "voyage_ai"), ("jina-", "jina_ai"),
    ("amazon.", "aws.bedrock"), ("anthropic.claude", "aws.bedrock"), ("us.anthropic.", "aws.bedrock"),
    ("eu.anthropic.", "aws.bedrock"), ("apac.anthropic.", "aws.bedrock"), ("global.anthropic.", "aws.bedrock"),
    ("meta.llama", "aws.bedrock"), ("us.meta.", "aws.bedrock"), ("us.amazon.", "aws.bedrock"), ("eu.amazon.", "aws.bedrock"),
)  # fmt: skip

# OpenAI's protocol is spoken by gateways: a model that OpenAI never served names its owner better than "openai" does.
_NEVER_OPENAI = ("claude", "gemini", "grok", "command-")

_ADDRESSES: tuple[tuple[str, str], ...] = (
    ("openai.azure.com", "azure.ai.openai"), ("cognitiveservices.azure.com", "azure.ai.openai"),
    ("services.ai.azure.com", "azure.ai.inference"), ("models.ai.azure.com", "azure.ai.inference"),
    ("models.inference.ai.azure.com", "azure.ai.inference"),
    ("api.openai.com", "openai"), ("api.anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "gcp.gemini"), ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("api.deepseek.com", "deepseek"), ("api.groq.com", "groq"), ("api.x.ai", "x_ai"), ("openrouter.ai", "openrouter"),
    ("api.mistral.ai", "mistral_ai"), ("codestral.mistral.ai", "mistral_ai"), ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"), ("api.perplexity.ai", "perplexity"), ("api.moonshot.ai", "moonshot_ai"),
    ("api.moonshot.cn", "moonshot_ai"), ("api.together.xyz", "together_ai"), ("api.together.ai", "together_ai"),
    ("api.fireworks.ai", "fireworks_ai"), ("api.deepinfra.com", "deepinfra"), ("api.cerebras.ai", "cerebras"),
    ("api.sambanova.ai", "sambanova"), ("api.replicate.com", "replicate"), ("huggingface.co", "huggingface"),
    ("integrate.api.nvidia.com", "nvidia_nim"), ("dashscope.aliyuncs.com", "alibaba_cloud"),
    ("dashscope-intl.aliyuncs.com", "alibaba_cloud"), ("open.bigmodel.cn", "zhipu_ai"), ("api.z.ai", "zhipu_ai"),
    ("ml.cloud.ibm.com", "ibm.watsonx.ai"), ("api.voyageai.com", "voyage_ai"), ("api.jina.ai", "jina_ai"),
)  # fmt: skip

NAMED, FROM_MODEL, FROM_ADDRESS = "named", "from_model", "from_address"


@lru_cache(maxsize=8192)
def provider_of(said: str | None, model: str | None, address: str | None) -> tuple[str | None, str]:
    """The canonical provider and how it was told: ``named``, ``from_model`` or ``from_address``.

    ``said`` is what the span says, ``address`` a host name or URL. A provider nobody knows is kept as it was said, in
    lower case; None where nothing tells.
    """
    named = _named(said)
    hosted = _at(address)
    if named in (None, "openai") and hosted not in (None, "openai"):
        return hosted, FROM_ADDRESS
    owner = _owner(model)
    if named == "openai" and owner != "openai" and model and model.lower().startswith(_NEVER_OPENAI):
        return owner, FROM_MODEL
    if named:
        return named, NAMED
    prefixed = _prefixed(model)
    if prefixed or owner:
        return prefixed or owner, FROM_MODEL
    return hosted, FROM_ADDRESS


def _named(said: str | None) -> str | None:
    if not said:
        return None
    name = said.strip().lower()
    if name in _NOT_PROVIDERS or not name:
        return None
    known = _NAMES.get(name)
    if known:
        return known
    # "openai.chat" style suffixes of the AI SDK, "langchain_openai" style prefixes of others.
    head = name.split(".", 1)[0]
    tail = name.rsplit("_", 1)[-1]
    return _NAMES.get(head) or (_NAMES.get(tail) if name.startswith(("langchain_", "llama_index_")) else None) or name


def _owner(model: str | None) -> str | None:
    if not model:
        return None
    name = model.strip().lower()
    for candidate in (name, name.rsplit("/", 1)[-1]):
        for beginning, owner in _MODELS:
            if candidate.startswith(beginning):
                return owner
    return None


def _prefixed(model: str | None) -> str | None:
    """``groq/llama-3.3-70b`` names its provider."""
    if not model or "/" not in model:
        return None
    return _NAMES.get(model.strip().lower().split("/", 1)[0])


def _host(address: str) -> str:
    host = address.strip().lower()
    if "://" in host:
        host = host.split("://", 1)[1]
    return host.split("/", 1)[0].rsplit("@", 1)[-1].split(":", 1)[0]


def _at(address: str | None) -> str | None:
    if not address:
        return None
    host = _host(address)
    if host.startswith(("bedrock-runtime.", "bedrock.")) and host.endswith(("amazonaws.com", "amazonaws.com.cn")):
        return "aws.bedrock"
    for ending, name in _ADDRESSES:
        if host.endswith(ending):
            return name
    return None


@lru_cache(maxsize=4096)
def place_of(address: str | None) -> tuple[str | None, str | None]:
    """``(region, account)`` as far as a provider's host name tells them: Bedrock and Vertex regions, Azure resources."""
    if not address:
        return None, None
    host = _host(address)
    parts = host.split(".")
    if host.endswith("amazonaws.com") and parts[0].startswith("bedrock") and len(parts) > 3:
        return parts[1], None
    if host.endswith("-aiplatform.googleapis.com"):
        return host.removesuffix("-aiplatform.googleapis.com"), None
    if host.endswith((".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")):
        return None, parts[0]
    return None, None


_TIERS: Mapping[str, str | None] = {
    "default": "standard", "standard": "standard", "on_demand": "standard", "auto": None, "standard_only": "standard",
    "batch": "batch", "flex": "flex", "priority": "priority", "fast": "fast", "scale": "scale",
}  # fmt: skip


def tier_of(said: str | None) -> str | None:
    """The service tier in our words (``standard|batch|flex|priority|fast``); ``auto`` says nothing. Others stay as said."""
    if not said:
        return None
    if said in _TIERS:
        return _TIERS[said]
    name = said.strip().lower()
    return _TIERS.get(name, name)
