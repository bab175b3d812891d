"""What the words of a bill mean: model, meter and tier out of descriptions that were written for people.

Samples of each are in ``tests/unit/bills/test_words.py``. What is not recognised stays as it is, and reconciliation shows it
as billed under that name; nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from outlay_collector.pricing import units


@dataclass(frozen=True, slots=True)
class Meant:
    model: str | None
    meter: str
    tier: str | None


_TIERS = ("batch", "flex", "priority")


def openai_line_item(text: str) -> Meant:
    """``gpt-5.5-2026-04-23, cached input``; ``priority | gpt-5.6-sol, output, long context``; ``web search tool calls``.

    As the costs API returns them with ``group_by=line_item``
    (https://platform.openai.com/docs/api-reference/usage/costs).
    """
    tier, bar, rest = text.partition("|")
    named_tier = tier.strip().lower() if bar else None
    rest = rest.strip() if bar else text.strip()
    head, *pieces = [part.strip() for part in rest.split(",")]
    if not pieces:
        return Meant(None, _tool(rest), named_tier)
    model, _, modality = head.partition(" ")
    said = " ".join([modality, *pieces]).lower()
    for word in _TIERS:
        named_tier = named_tier or (word if word in said else None)
    return Meant(model.lower().replace("ft-", "ft:", 1) if model.startswith("ft-") else model, meter(said), named_tier)


def _tool(text: str) -> str:
    lowered = text.lower()
    if "web search" in lowered:
        return units.WEB_SEARCH
    if "code interpreter" in lowered or "code execution" in lowered:
        return "code_execution"
    if "storage" in lowered:
        return "storage"
    return lowered or "all"


def meter(said: str) -> str:
    """The unit of the price book that a description of tokens means."""
    text = re.sub(r"[^a-z0-9]+", " ", said.lower())
    modality = next((name for name in ("audio", "image", "video") if re.search(rf"\b{name[:3]}\w*\b", text)), None)
    is_output = bool(re.search(r"\b(out|outp|outpt|output|response|completion|generated)\b", text))
    if "storage" in text:
        return "cache_storage"
    if re.search(r"\b(write|writes|creation|cwt)\b|cachewrite", text):
        return units.CACHE_WRITE_1H if re.search(r"\b1 ?h\b|1hour|1 hour", text) else units.CACHE_WRITE
    if not is_output and re.search(r"\b(cached|cache|caching|cchd|cd|hit)\b|cacheread", text):
        return units.CACHE_READ_AUDIO if modality == "audio" else units.CACHE_READ
    if re.search(r"\b(web search|search)\b", text):
        return units.WEB_SEARCH
    if is_output:
        return f"output_{modality}" if modality else units.OUTPUT
    if re.search(r"\b(in|inp|inpt|input|prompt|embedding|embeddings)\b", text):
        return f"input_{modality}" if modality else units.INPUT
    return "all"


def tier(said: str) -> str | None:
    """``batch``, ``flex`` or ``priority`` where a description says so."""
    text = re.sub(r"[^a-z0-9]+", " ", said.lower())
    return next((word for word in _TIERS if re.search(rf"\b{word}\b", text)), None)


_BEDROCK_USAGE = re.compile(
    r"^(?:[A-Z]{2,4}\d?-)?(?:MP:[A-Z0-9]+_)?(?P<model>.+?)-?(?:mantle-)?(?P<what>cache-?(?:read|write)-?input-token-count"
    r"|(?:input|output)-(?:tokens?|image)|(?:Input|Output|CacheRead|CacheWrite)\w*?TokenCount)(?P<rest>.*)$",
    re.IGNORECASE,
)


def bedrock(usage_type: str, description: str) -> Meant:
    """``USE1-Claude3.5Sonnet-input-tokens-batch``, ``USE1-qwen.qwen3-32b-mantle-output-tokens-flex``.

    Usage types as in AWS price lists (https://docs.aws.amazon.com/cur/latest/userguide/Lineitem-columns.html).
    """
    found = _BEDROCK_USAGE.match(usage_type)
    said = f"{usage_type} {description}"
    if found is None:
        return Meant(family(said), meter(said), tier(said))
    what = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", found["what"])
    name = found["model"]
    model = name.lower() if re.match(r"^[a-z0-9]+\.[a-z]", name) else family(_spaced(name)) or family(description)
    return Meant(model or name, meter(f"{what} {found['rest']}"), tier(found["rest"]) or tier(description))


def azure(meter_name: str, subcategory: str = "") -> Meant:
    """``gpt-4o-mini-0718-Inp-glbl Tokens``, ``gpt 4o 1120 cached Inp glbl``, ``gpt-4-8K-Batch-Outp-glbl Tokens``."""
    text = re.sub(r"[\s_]+", "-", meter_name.strip()).lower().removesuffix("-tokens")
    cut = re.search(
        r"-(?:cached|cchd|batch|inp?|input|out|outp|outpt|output|rt|aud|txt|img|pp|dzone|data|glbl|global|regnl|regional)(?:-|$)",
        text,
    )
    head = text[: cut.start()] if cut else text
    # Dates of versions are written MMDD, context sizes 4k, 32k: neither is in the names that calls carry.
    head = re.sub(r"-(?:\d{4}|\d{1,3}k)$", "", re.sub(r"-(?:\d{4}|\d{1,3}k)$", "", head))
    head = re.sub(r"^gpt-?35", "gpt-35", re.sub(r"^gpt-?(\d)", r"gpt-\1", head))
    said = f"{meter_name} {subcategory}"
    return Meant(head or None, meter(said), tier(said))


def family(said: str) -> str | None:
    """The model's usual name out of a description: ``Gemini 2.5 Flash GA Text Input`` is ``gemini-2.5-flash``."""
    text = re.sub(r"[^a-z0-9.]+", " ", said.lower())
    if found := re.search(r"\bgemini (\d+(?:\.\d+)?) (flash lite|flash|pro|ultra|nano)\b", text):
        return f"gemini-{found[1]}-{found[2].replace(' ', '-')}"
    if found := re.search(r"\bgemini (flash lite|flash|pro) (\d+(?:\.\d+)?)\b", text):
        return f"gemini-{found[2]}-{found[1].replace(' ', '-')}"
    if found := re.search(r"\bclaude (\d+)[. ]?(\d)? ?(opus|sonnet|haiku)\b(?: v(\d))?", text):
        version = f"{found[1]}-{found[2]}" if found[2] else found[1]
        return f"claude-{version}-{found[3]}" + (f"-v{found[4]}" if found[4] else "")
    if found := re.search(r"\bclaude (opus|sonnet|haiku) (\d+)(?:[. ](\d))?\b", text):
        return f"claude-{found[1]}-{found[2]}" + (f"-{found[3]}" if found[3] else "")
    if found := re.search(r"\bnova (?:(\d) )?(micro|lite|pro|premier)\b", text):
        return f"amazon.nova-{found[1] + '-' if found[1] else ''}{found[2]}"
    if found := re.search(
        r"\b((?:ft:)?gpt \d[a-z0-9.]*(?: (?:mini|nano|turbo|audio))?|o[134](?: (?:mini|pro))?)\b", text
    ):
        return found[1].replace(" ", "-")
    if found := re.search(r"\btext embedding (3 (?:small|large)|ada 002)\b", text):
        return f"text-embedding-{found[1].replace(' ', '-')}"
    return None


def _spaced(name: str) -> str:
    """``Claude3.5Sonnet`` as ``Claude 3.5 Sonnet``."""
    return re.sub(r"(?<=[a-zA-Z])(?=\d)|(?<=\d)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", " ", name)
