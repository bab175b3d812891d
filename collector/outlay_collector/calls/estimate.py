"""How many tokens a text has, without a tokenizer: by kinds of characters, and the family's factor.

The rule and the factors were measured against real vocabularies (o200k and the families'): within 25 % on running text.
Every count made here is marked ``estimated``. Hidden reasoning cannot be estimated at all.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from typing import Any

from outlay_collector.calls.models import family
from outlay_collector.calls.values import MAX_JSON_CHARS, structure

_WHOLE_CHARS = 200_000
"""Longer texts are counted by samples; the ratio of tokens to characters settles long before."""

# Tokens of o200k per character.
_LETTER, _HANGUL, _KANA, _CJK, _DIGIT, _SIGN = 0.2, 0.72, 0.5, 0.75, 0.5, 0.45
_MESSAGE_TOKENS = 4  # chat framing around every message

# Runs of blanks and repeated punctuation become one token in every vocabulary measured.
_REPEATED = re.compile(r"([\s!-/:-@\[-`{-~])\1+")
_LETTERS = string.ascii_letters.encode() + b" \t\n\r"
_DIGITS = string.digits.encode()
_HANGUL_RUNS = re.compile("[\uac00-\ud7a3\u1100-\u11ff]+")
_KANA_RUNS = re.compile("[\u3040-\u30ff]+")
_CJK_RUNS = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")

# Beginning of the family -> factor for Latin text, Hangul, digits (× o200k).
_FACTORS: tuple[tuple[str, float, float, float], ...] = (
    ("claude-opus-4-7", 1.4, 1.85, 1.4), ("claude-opus-4-8", 1.4, 1.85, 1.4), ("claude-opus-5", 1.4, 1.85, 1.4),
    ("claude-sonnet-5", 1.4, 1.85, 1.4), ("claude-haiku-5", 1.4, 1.85, 1.4), ("claude-fable-5", 1.4, 1.85, 1.4),
    ("claude", 1.10, 1.8, 1.1),
    ("deepseek", 1.05, 1.15, 1.05),
    ("llama-4", 1.0, 0.87, 1.0), ("llama", 1.0, 1.0, 1.0),
    ("qwen", 1.0, 1.15, 1.5),
    ("mistral", 1.02, 1.0, 1.5), ("ministral", 1.02, 1.0, 1.5), ("codestral", 1.02, 1.0, 1.5),
    ("gpt-4-", 1.0, 1.7, 1.0), ("gpt-3-5", 1.0, 1.7, 1.0), ("text-embedding", 1.0, 1.7, 1.0),
)  # fmt: skip
_REASONING = ("o1", "o3", "o4", "gpt-5", "deepseek-reasoner", "gemini-2-5", "gemini-3", "grok-4", "magistral", "qwq")

# Of a message's members, those that are said or heard; the rest frames them.
_TEXT_KEYS = frozenset((
    "content", "text", "arguments", "args", "input", "output", "result", "prompt", "parts", "messages", "kwargs",
    "contents", "response", "system", "value", "function", "reasoning", "thinking", "choices", "message", "candidates",
    "generations", "delta", "gen_ai.input.messages", "gen_ai.output.messages", "mlflow.chunk.value",
))  # fmt: skip
# Sources repeat the same texts under several names; the first group present is read, the others would count twice.
_INPUT_GROUPS: tuple[tuple[str, ...], ...] = (
    ("gen_ai.input.messages", "gen_ai.system_instructions"), ("llm.input_messages.",), ("gen_ai.prompt.",),
    ("ai.prompt.messages",), ("ai.prompt",), ("ai.values", "ai.value"), ("langfuse.observation.input",),
    ("mlflow.spanInputs",), ("gen_ai.prompt",), ("embedding.embeddings.",), ("input.value",), ("llm.prompts.",),
    ("outlay.content.input", "outlay.content.system"), ("event.input.",),
)  # fmt: skip
_OUTPUT_GROUPS: tuple[tuple[str, ...], ...] = (
    ("gen_ai.output.messages",), ("llm.output_messages.",), ("gen_ai.completion.",),
    ("ai.response.text", "ai.response.toolCalls", "ai.response.object"), ("langfuse.observation.output",),
    ("mlflow.spanOutputs",), ("gen_ai.completion",), ("output.value",), ("llm.completions.",), ("response_data",),
    ("outlay.content.output",), ("event.output.",),
)  # fmt: skip


def tokens(text: str, model: str | None = None) -> int:
    """Estimated tokens of ``text`` for ``model`` (o200k if unknown). Linear in the text, at most 200,000 characters are read."""
    if not text:
        return 0
    scale = 1.0
    if len(text) > _WHOLE_CHARS:
        scale = len(text) / _WHOLE_CHARS
        third = _WHOLE_CHARS // 3
        middle = len(text) // 2
        text = text[:third] + text[middle : middle + third] + text[-third:]
    latin, hangul, digit = factors(model)
    text = _REPEATED.sub(r"\1", text)
    plain = text.encode("ascii", "ignore")
    letters = len(plain) - len(plain.translate(None, _LETTERS))
    digits = len(plain) - len(plain.translate(None, _DIGITS))
    syllables = sum(map(len, _HANGUL_RUNS.findall(text)))
    kana = sum(map(len, _KANA_RUNS.findall(text)))
    ideographs = sum(map(len, _CJK_RUNS.findall(text)))
    signs = len(text) - letters - digits - syllables - kana - ideographs
    total = (
        latin * (letters * _LETTER + kana * _KANA + ideographs * _CJK + signs * _SIGN) + hangul * syllables * _HANGUL
    )
    return max(1, round((total + digit * digits * _DIGIT) * scale))


def factors(model: str | None) -> tuple[float, float, float]:
    """``(Latin, Hangul, digits)``: tokens of the model's family per token of o200k."""
    if model:
        name = family(model)
        for beginning, latin, hangul, digit in _FACTORS:
            if name.startswith(beginning) or (beginning == "gpt-4-" and name == "gpt-4"):
                if beginning == "gpt-4-" and name.startswith("gpt-4-1"):
                    continue
                return latin, hangul, digit
    return 1.0, 1.0, 1.0


def reasons_in_secret(model: str | None) -> bool:
    """Whether the model may bill reasoning that no text shows."""
    return model is not None and family(model).startswith(_REASONING)


def of_content(content: dict[str, Any], model: str | None) -> tuple[int | None, int | None]:
    """Estimated ``(input, output)`` tokens from a span's texts; None where there is no text to count."""
    return _side(content, _INPUT_GROUPS, model), _side(content, _OUTPUT_GROUPS, model)


def _side(content: dict[str, Any], groups: tuple[tuple[str, ...], ...], model: str | None) -> int | None:
    for group in groups:
        parts = [
            value
            for name, value in content.items()
            for key in group
            if name == key
            or (key.endswith(".") and name.startswith(key) and not name.endswith((".role", ".id", ".type")))
        ]
        found = [text for part in parts for text in _texts(part, 0) if text and not text.isspace()]
        if found:
            return sum(tokens(text, model) for text in found) + _MESSAGE_TOKENS * max(1, _messages(parts))
    return None


def _messages(parts: list[Any]) -> int:
    decoded = [structure(part) if isinstance(part, str) and part[:1] in "[{" else part for part in parts]
    return sum(len(part) if isinstance(part, list) else 1 for part in decoded)


def _texts(value: Any, depth: int) -> Iterable[str]:
    """The texts inside messages, however they are nested; keys, roles and ids are framing, not text."""
    if depth > 8:
        return
    if isinstance(value, str):
        if depth == 0 and value[:1] in "[{" and len(value) <= MAX_JSON_CHARS:
            decoded = structure(value)
            if decoded is not None:
                yield from _texts(decoded, 1)
                return
        yield value
    elif isinstance(value, list):
        for item in value:  # type: ignore[var-annotated]
            yield from _texts(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():  # type: ignore[var-annotated]
            if key in _TEXT_KEYS and (depth > 0 or isinstance(item, (str, list, dict))):
                yield from _texts(item, depth + 1)


def has_answer(content: dict[str, Any]) -> bool:
    """Whether any of the texts is the model's answer."""
    return bool(content) and _side(content, _OUTPUT_GROUPS, None) is not None
