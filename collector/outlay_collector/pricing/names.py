"""What a call's provider and model are called in the price book.

Telemetry spells one model in many ways: behind gateways (``openai/gpt-4o``, ``bedrock/us-east-1/anthropic.claude-…``), as
resource paths (``models/gemini-2.5-pro``, ARNs, ``publishers/google/models/…``), with dots for dashes, with a provider
that is a gateway, an SDK or missing. ``candidates`` lists the ways to look a name up, most literal first.
Nothing here loosens a name so far that another model's price could be taken: no dates are dropped, no parts guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

OPENAI: str = "openai"
ANTHROPIC: str = "anthropic"
GEMINI: str = "gcp.gemini"
VERTEX: str = "gcp.vertex_ai"
BEDROCK: str = "aws.bedrock"
AZURE: str = "azure.ai.openai"
AZURE_INFERENCE: str = "azure.ai.inference"
MISTRAL: str = "mistral_ai"
XAI: str = "x_ai"

_SPELLINGS: dict[str, str] = {
    OPENAI: "openai openai_chat openai_responses open_ai openai_text text_completion_openai chatopenai openai_embeddings",
    ANTHROPIC: "anthropic anthropic_messages anthropic_text claude chatanthropic",
    GEMINI: "gcp_gemini gcp_gen_ai gemini google google_gla google_genai google_ai_studio google_generative_ai googleai "
    "google_ai generativelanguage generative_ai palm",
    VERTEX: "gcp_vertex_ai vertex vertex_ai vertexai google_vertex google_vertexai google_vertex_ai vertex_ai_beta gcp "
    "vertex_ai_anthropic anthropic_vertex vertex_anthropic google_vertex_anthropic",
    BEDROCK: "aws_bedrock bedrock amazon_bedrock bedrock_converse amazon aws bedrock_runtime chatbedrock anthropic_bedrock",
    AZURE: "azure_ai_openai az_ai_openai azure_openai azure azureopenai azure_openai_responses microsoft_azure azure_text "
    "azurechatopenai",
    AZURE_INFERENCE: "azure_ai_inference az_ai_inference azure_ai azure_ai_foundry azure_foundry azureai",
    MISTRAL: "mistral_ai mistral mistralai chatmistralai",
    XAI: "x_ai xai grok",
    "deepseek": "deepseek",
    "cohere": "cohere cohere_chat cohereai",
    "groq": "groq",
    "perplexity": "perplexity perplexity_ai pplx",
    "moonshot_ai": "moonshot_ai moonshot moonshotai kimi",
    "ibm.watsonx.ai": "ibm_watsonx_ai watsonx watsonx_ai ibm watsonx_text",
    "together_ai": "together_ai together togetherai",
    "fireworks_ai": "fireworks_ai fireworks fireworksai",
    "openrouter": "openrouter open_router",
    "cerebras": "cerebras",
    "cloudflare": "cloudflare cloudflare_workers workers_ai cloudflare_workers_ai",
    "databricks": "databricks",
    "voyageai": "voyageai voyage voyage_ai",
    "novita": "novita novita_ai",
    "deepinfra": "deepinfra deep_infra",
    "sambanova": "sambanova samba_nova",
    "nvidia": "nvidia nvidia_nim nim",
    "replicate": "replicate",
    "ai21": "ai21 ai21_labs ai21_chat",
    "jina_ai": "jina_ai jina",
    "github": "github github_models",
    "github-copilot": "github_copilot copilot",
    "cursor": "cursor",
    "huggingface": "huggingface hugging_face hf huggingface_hub",
    "dashscope": "dashscope alibaba alibaba_cloud qwen tongyi bailian",
    "zai": "zai z_ai zhipu_ai",
    "zhipuai": "zhipuai zhipu bigmodel",
    "minimax": "minimax",
    "baseten": "baseten",
    "ovhcloud": "ovhcloud ovh",
    "nebius": "nebius",
    "hyperbolic": "hyperbolic",
    "meta": "meta meta_llama llama_api",
    "elevenlabs": "elevenlabs eleven_labs",
    "assemblyai": "assemblyai",
    "deepgram": "deepgram",
    "modal": "modal",
    "arcee": "arcee",
    "avian": "avian",
    "doubleword": "doubleword",
    "quicksilverpro": "quicksilverpro",
    "typesafe": "typesafe",
    "naver": "naver naver_cloud clova clova_studio clovastudio hyperclova hyperclova_x ncp chatclovax",
    "upstage": "upstage upstage_ai chatupstage",
    "kakao": "kakao kakao_brain kakaobrain kakaoi",
    "lgai": "lgai lg_ai lg_ai_research exaone",
    "skt": "skt sk_telecom adotx a_x",
    "ollama": "ollama ollama_chat chatollama",
    "vllm": "vllm hosted_vllm vllm_openai",
    "sglang": "sglang",
    "tgi": "tgi text_generation_inference",
    "llama.cpp": "llama_cpp llamacpp llama_cpp_server llamafile",
    "lm_studio": "lm_studio lmstudio",
    "localai": "localai local_ai local",
    "mlx": "mlx mlx_lm",
    "triton": "triton triton_inference_server tensorrt_llm",
}

_CANONICAL = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings.split()}

_GATEWAYS = frozenset(
    [
        "litellm",
        "litellm_proxy",
        "portkey",
        "helicone",
        "vercel",
        "vercel_ai",
        "vercel_ai_gateway",
        "ai_gateway",
        "gateway",
        "kong",
        "cloudflare_ai_gateway",
        "bifrost",
        "langchain",
        "llamaindex",
        "llama_index",
        "custom",
        "custom_openai",
        "openai_compatible",
        "openai_like",
        "unknown",
        "other",
        "none",
        "null",
        "default",
        "langfuse",
        "traceloop",
        "openllmetry",
        "pydantic_ai",
        "strands",
        "mlflow",
    ]
)

# Hosts that sell a vendor's models at the vendor's own price: one price list in two places.
_SAME_PRICE: dict[str, tuple[str, ...]] = {
    AZURE: (OPENAI,),
    AZURE_INFERENCE: (AZURE, OPENAI),
    VERTEX: (GEMINI, ANTHROPIC),
    GEMINI: (ANTHROPIC,),
    "zai": ("zhipuai",),
    "zhipuai": ("zai",),
}
# Hosts whose own price of a model may be unknown here, while its vendor's is what they usually charge.
_LAST_RESORT: dict[str, tuple[str, ...]] = {
    GEMINI: (VERTEX,),
    AZURE: (ANTHROPIC, "deepseek", XAI, "moonshot_ai"),
    AZURE_INFERENCE: (ANTHROPIC, "deepseek", XAI, "moonshot_ai"),
}

# Portkey writes "@openai/…".
_PREFIX = re.compile(r"^@?([a-z0-9_.\- ]{2,40})[/:]")

# What a vendor's own API calls its models. Only names that cannot be anybody else's: open-weight models are not here.
_NATIVE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), provider)
    for pattern, provider in (
        (r"^arn:aws[a-z-]*:bedrock:", BEDROCK),
        (
            r"^(?:(?:us|eu|apac|jp|au|in|ca|us-gov|global)\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|stability|writer|qwen|nvidia)\.[a-z]",
            BEDROCK,
        ),
        (r"^(?:ft:)?(?:gpt-(?!oss|neo|j-)|gpt-35|chatgpt-|o[134](?:$|-)|chat-latest|codex-mini|computer-use)", OPENAI),
        (
            r"^(?:text-embedding-(?:3|ada)|text-davinci|text-curie|text-babbage|text-ada|code-davinci|(?:ft:)?davinci-002|(?:ft:)?babbage-002|davinci$|curie$)",
            OPENAI,
        ),
        (r"^(?:whisper-1|tts-1|dall-e|omni-moderation|text-moderation)", OPENAI),
        (r"^claude-", ANTHROPIC),
        (
            r"^(?:gemini-|learnlm-|text-embedding-00|text-multilingual-embedding|text-bison|chat-bison|imagen-|veo-)",
            GEMINI,
        ),
        (r"^deepseek-(?:chat|reasoner|coder|flash|v4)", "deepseek"),
        (
            r"^(?:mistral-(?:large|medium|small|tiny|embed|saba|ocr|moderation)|codestral|devstral|ministral|magistral|pixtral|voxtral|open-mi[sx]tral)",
            MISTRAL,
        ),
        (r"^grok-", XAI),
        (r"^(?:command(?:$|-)|c4ai-|embed-(?:english|multilingual|v4)|rerank-)", "cohere"),
        (r"^(?:sonar(?:$|-)|pplx-|r1-1776)", "perplexity"),
        (r"^(?:kimi-k\d|kimi-latest|moonshot-v1)", "moonshot_ai"),
        (r"^voyage-", "voyageai"),
        (r"^jamba-", "ai21"),
        (r"^qwen-(?:max|plus|turbo|flash|long|vl)", "dashscope"),
        (r"^(?:hcx-|hyperclova)", "naver"),
        (r"^(?:solar-(?:pro|mini|1|embedding)|embedding-(?:query|passage)$)", "upstage"),
        (r"^kanana-", "kakao"),
        (r"^accounts/fireworks/", "fireworks_ai"),
        (r"^@(?:cf|hf)/", "cloudflare"),
        (r"^databricks-", "databricks"),
    )
)

_TIERS = {
    **dict.fromkeys(
        ("", "default", "auto", "standard", "standard_only", "on_demand", "ondemand", "normal", "regular", "none"),
        "standard",
    ),
    **dict.fromkeys(("batch", "batches", "batch_api"), "batch"),
}


def tier(raw: str | None) -> str:
    """A service tier as the book calls it. A word nobody knows stays itself, so that nothing has a price under it."""
    word = (raw or "").strip().lower().replace("-", "_").replace(" ", "_").removeprefix("service_tier_")
    return _TIERS.get(word, word)


def region_class(region: str | None) -> str | None:
    """``global`` or ``regional``; None when nothing is said."""
    if not region:
        return None
    return "global" if region.strip().lower() == "global" else "regional"


def provider(raw: str | None) -> str | None:
    """The provider's name in the book; None for a gateway, an SDK, or nothing. An unknown one stays as it is, in lower case."""
    if not raw:
        return None
    word = re.sub(r"[^a-z0-9]+", "_", raw.strip().lower()).strip("_")
    if word in _GATEWAYS:
        return None
    return _CANONICAL.get(word) or _of_sdk(word) or raw.strip().lower()


def _of_sdk(word: str) -> str | None:
    """``openai.chat``, ``anthropic.messages``, ``google.vertex.chat``: an SDK's name for a provider and one of its APIs."""
    parts = word.split("_")
    for length in range(len(parts) - 1, 0, -1):
        found = _CANONICAL.get("_".join(parts[:length]))
        if found and "_".join(parts[length:]) in (
            "chat",
            "messages",
            "responses",
            "completion",
            "embedding",
            "embeddings",
            "generative_ai",
        ):
            return found
    return None


def sellers_of(owner: str) -> tuple[str, ...]:
    """The providers whose price lists are one with ``owner``'s, itself first."""
    return (owner, *_SAME_PRICE.get(owner, ()))


Candidates = tuple[tuple[str, str], ...]
"""(provider, name) pairs of one seller, most literal first. Names are lower case."""


@lru_cache(maxsize=8192)
def candidates(raw_provider: str | None, raw_model: str) -> tuple[Candidates, ...]:
    """Who may have sold the call under which names. A later group is asked only when nothing before it is known."""
    name = raw_model.strip().lower()
    groups: dict[Candidates, None] = {}
    seen: set[tuple[str, str]] = set()
    for owner, inners in _readings(provider(raw_provider), name):
        for hosts in (sellers_of(owner), _LAST_RESORT.get(owner, ())):
            group = dict.fromkeys(
                (host, variant) for inner in inners for host in hosts for variant in _variants(host, inner)
            )
            fresh = tuple(pair for pair in group if pair not in seen)
            if fresh:
                groups[fresh] = None
                seen.update(fresh)
    return tuple(groups)


def _readings(asked: str | None, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Sellers, the likeliest first, with what the model is called once path and prefix are taken off."""
    inner = _without_path(name)
    if asked:
        own, rest = _split_prefix(inner)
        # "bedrock/…" of Bedrock, "gemini/…" of Gemini: a prefix that says what is known.
        bare = (_without_path(rest),) if own == asked else ()
        yield asked, tuple(dict.fromkeys((name, inner, *bare)))
    named, rest = _split_prefix(inner)
    while named == "*":
        inner = _without_path(rest)
        named, rest = _split_prefix(inner)
    if named:
        yield named, tuple(dict.fromkeys((rest, _without_path(rest))))
        return
    if asked in (None, OPENAI) or asked not in _SPELLINGS:
        native = _native(inner)
        if native and native != asked:
            yield native, (inner,)


def _split_prefix(name: str) -> tuple[str | None, str]:
    """(provider named by a prefix, rest); (``*``, rest) for a gateway's own prefix; (None, name) without one."""
    found = _PREFIX.match(name)
    if not found:
        return None, name
    word = re.sub(r"[^a-z0-9]+", "_", found[1]).strip("_")
    rest = name[found.end() :]
    if name[found.end() - 1] == ":" and word == "ft":
        return None, name
    if word in _GATEWAYS:
        return "*", rest
    owner = _CANONICAL.get(word)
    return (owner, rest) if owner and rest else (None, name)


_ARN = re.compile(
    r"^arn:aws[a-z-]*:bedrock:[^/]*?(?:foundation-model|inference-profile|provisioned-model|imported-model)/(.+)$"
)
_RESOURCE = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/(.+)$")
_BEDROCK_PATH = re.compile(r"^(?:converse|converse_like|invoke)/(.+)$")
_BEDROCK_REGION = re.compile(r"^[a-z]{2}(?:-gov)?-[a-z]+-\d/(?:[0-9]+-month-commitment/|[0-9a-z]+-commitment/)?(.+)$")


def _without_path(name: str) -> str:
    """The model inside a resource path: ARNs, ``models/…``, ``publishers/…/models/…``, ``…/deployments/…``."""
    for pattern in (_ARN, _RESOURCE):
        found = pattern.match(name)
        if found:
            return found[1]
    if name.startswith("publishers/") and name.count("/") == 2:
        return name.rpartition("/")[2]
    return name


def _variants(host: str, name: str) -> Iterator[str]:
    """Other spellings of the same model at this provider."""
    yield name
    if host == BEDROCK:
        yield from _bedrock(name)
    if host in (OPENAI, AZURE) and name.startswith("gpt-35"):
        yield name.replace("gpt-35", "gpt-3.5", 1)
    if "claude" in name:
        yield from _claude(name)
    if host in (GEMINI, VERTEX) and "@" in name:
        yield name.replace("@", "-", 1)
    if host == "openrouter" and name.endswith((":nitro", ":floor", ":beta", ":exacto")):
        # These pick a server, not another price list entry.
        yield name.rpartition(":")[0]
    if host == "huggingface" and "/" in name:
        yield name.partition("/")[2]


def _bedrock(name: str) -> Iterable[str]:
    inner = name
    for pattern in (_BEDROCK_PATH, _BEDROCK_REGION):
        found = pattern.match(inner)
        if found:
            inner = found[1]
            yield inner
    inner = _without_path(inner)
    # "…-v1:0:200k" names a context size, "…:provisioned" a way of paying that has no price per token.
    yield re.sub(r"(:\d+):\d+k$", r"\1", inner)


def _claude(name: str) -> Iterable[str]:
    plain = re.sub(r"(?<=\d)\.(?=\d)", "-", name).replace("@", "-", 1)
    plain = re.sub(r"(?::|-)(?:thinking|beta)$", "", plain)
    yield plain
    yield plain.removesuffix("-latest")


def _native(name: str) -> str | None:
    for pattern, owner in _NATIVE:
        if pattern.search(name):
            return owner
    return None
