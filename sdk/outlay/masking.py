"""Secrets, and on request personal data, replaced before content leaves the process. The collector masks again."""

from __future__ import annotations

import re

# Every pattern is bounded and begins where a word begins, so the time is linear in the text.
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]{0,16384}?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)",
         "[masked key]"),
        (r"\beyJ[\w-]{8,4096}\.[\w-]{8,8192}(?:\.[\w-]{0,4096})?", "[masked token]"),
        (r"\b(?:sk|pk-lf)-[\w-]{16,256}", "[masked key]"),
        (r"\bout_[0-9A-Za-z]{8}_[0-9A-Za-z]{16,128}", "[masked key]"),
        (r"\bAIza[\w-]{30,64}", "[masked key]"),
        (r"\bya29\.[\w-]{20,512}", "[masked token]"),
        (r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b", "[masked key]"),
        (r"\b(?:gh[pousr]|github_pat)_\w{20,255}", "[masked token]"),
        (r"\b(?:xox[abeprs]|xapp)-[\w-]{10,255}", "[masked token]"),
        (r"\b(?:hf_|gsk_|r8_|lsv2_|npm_|glpat-|pypi-|nvapi-|tvly-|pplx-|xai-)[\w-]{20,255}", "[masked key]"),
        (r"\b[sr]k_(?:live|test)_\w{16,255}", "[masked key]"),
        (r"(?i)\b((?:bearer|basic)\s{1,4})[\w.~+/-]{16,8192}={0,2}", r"\1[masked credentials]"),
        (r"(://[^\s/:@\"'<>]{0,128}:)[^\s/@\"'<>]{1,256}(?=@)", r"\1[masked password]"),
        (r"(?i)((?:api[_-]?key|secret[_-]?key|client[_-]?secret|access[_-]?token|password|passwd)"
         r"[\\\"']{0,3}\s{0,3}[:=]\s{0,3}[\\\"']{0,3})(?!\[masked)[^\s\"'\\,;&<>{}\[\]()]{6,512}",
         r"\1[masked secret]"),
    )
)  # fmt: skip
_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_NUMBER = re.compile(r"(?<![\w.:/+-])\+?\(?\d[\d ().-]{7,22}\d(?![\w:/])")


def masked(text: str, *, personal: bool) -> str:
    """``text`` without secrets; with ``personal`` also without e-mail addresses, card and phone numbers."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    if personal:
        text = _EMAIL.sub("[masked e-mail]", text)
        text = _NUMBER.sub(_number, text)
    return text


def _number(match: re.Match[str]) -> str:
    said = match.group()
    digits = [int(character) for character in said if character.isdigit()]
    if 13 <= len(digits) <= 19 and any(digits):
        doubled = [digit * 2 - 9 * (digit > 4) if at % 2 else digit for at, digit in enumerate(reversed(digits))]
        if sum(doubled) % 10 == 0:
            return "[masked card]"
    separated = said.startswith("+") or sum(character in " -.()" for character in said) >= 2
    return "[masked phone]" if 9 <= len(digits) <= 15 and separated else said
