"""How many tokens a text has: by kinds of characters or, if asked for, by o200k itself; and the model family's factor.

For streams that were cut short or came without usage. Measured against real vocabularies by whoever made the collector's
table of the same rule (within 25 % on running text); whatever is counted here is marked ``estimated``.
"""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Tokens of o200k per character.
_LETTER, _HANGUL, _CJK, _DIGIT, _SIGN = 0.2, 0.72, 0.75, 0.5, 0.45
MESSAGE_TOKENS = 4  # framing around every message
_REPEATED = re.compile(r"([\s!-/:-@\[-`{-~])\1+")  # a run of blanks or punctuation is one token everywhere
_LETTERS = string.ascii_letters.encode() + b" \t\n\r"
_DIGITS = string.digits.encode()
_HANGUL_RUNS = re.compile("[\uac00-\ud7a3\u1100-\u11ff]+")
_CJK_RUNS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")

# Beginning of the model's name → factor for Latin text, Hangul, digits, times o200k.
_FACTORS: tuple[tuple[tuple[str, ...], float, float, float], ...] = (
    (("claude-opus-4-7", "claude-opus-4-8", "claude-opus-5", "claude-sonnet-5", "claude-haiku-5"), 1.4, 1.85, 1.4),
    (("claude",), 1.10, 1.8, 1.1),
    (("deepseek",), 1.05, 1.15, 1.05),
    (("llama-4",), 1.0, 0.87, 1.0),
    (("qwen",), 1.0, 1.15, 1.5),
    (("mistral", "ministral", "codestral"), 1.02, 1.0, 1.5),
    (("gpt-4-", "gpt-3.5", "text-embedding"), 1.0, 1.7, 1.0),
)


def tokens(text: str, model: str | None) -> int:
    """Estimated tokens of ``text`` for ``model`` (o200k's if unknown); 0 for none."""
    if not text:
        return 0
    amounts = _amounts(text)
    by_family = sum(amount * factor for amount, factor in zip(amounts, _factors(model), strict=True))
    if exact is None:
        return max(1, round(by_family))
    # The vocabulary's own count, and what the family makes of a text of this kind.
    return max(1, round(exact(text) * by_family / (sum(amounts) or 1)))


exact: Callable[[str], int] | None = None
"""Counts tokens of o200k; None: they are estimated from characters. Set by ``configure``."""


def _amounts(text: str) -> tuple[float, float, float]:
    """Tokens of o200k that Latin text and signs, Hangul, and digits make."""
    text = _REPEATED.sub(r"\1", text)
    ascii_text = text.encode("ascii", "ignore")
    letters = len(ascii_text) - len(ascii_text.translate(None, _LETTERS))
    digits = len(ascii_text) - len(ascii_text.translate(None, _DIGITS))
    syllables = sum(map(len, _HANGUL_RUNS.findall(text)))
    ideographs = sum(map(len, _CJK_RUNS.findall(text)))
    signs = len(text) - letters - digits - syllables - ideographs
    return letters * _LETTER + ideographs * _CJK + signs * _SIGN, syllables * _HANGUL, digits * _DIGIT


def _factors(model: str | None) -> tuple[float, float, float]:
    name = (model or "").lower().rpartition("/")[2]
    for beginnings, latin, hangul, digit in _FACTORS:
        if name == "gpt-4" or name.startswith(beginnings):
            return (1.0, 1.7, 1.0) if name == "gpt-4" else (latin, hangul, digit)
    return 1.0, 1.0, 1.0


def reasons_in_secret(model: str | None) -> bool:
    """Whether the model may bill reasoning that no text shows, so that its output cannot be estimated at all."""
    name = (model or "").lower().rpartition("/")[2]
    return name.startswith(
        ("o1", "o3", "o4", "gpt-5", "deepseek-reasoner", "gemini-2.5", "gemini-3", "grok-4", "magistral")
    )
