"""Secrets, and on request personal data, replaced in whatever a span carries before it is stored.

Every pattern is bounded, and anchored where a run begins, so the time is linear in the text. A text is searched for a
pattern only if it contains the pattern's hint, a plain substring, and for most patterns only if it has a long run of word
characters at all, which prose has not: most values are done in a microsecond.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from outlay_collector.calls.call import Call
from outlay_collector.calls.span import Attributes, Value

_SHORTEST = 12  # a secret, or a name and a secret, is longer
_MAX_DEPTH = 16

Replace = str | Callable[[re.Match[str]], str]


class _Rule(NamedTuple):
    hints: tuple[str, ...]  # one of them is in every text the pattern can match
    pattern: re.Pattern[str]
    replacement: Replace


def _keep_name(what: str) -> Callable[[re.Match[str]], str]:
    return lambda match: f"{match.group(1)}[masked {what}]"


_WORD = r"(?<![A-Za-z0-9])"

# Secrets that are one long run of word characters. Hints are looked for in such runs only, and as they are written.
_RUNS: tuple[_Rule, ...] = (
    _Rule(("eyJ",), re.compile(_WORD + r"eyJ[\w-]{8,4096}\.[\w-]{8,8192}(?:\.[\w-]{0,4096})?", re.A), "[masked token]"),
    _Rule(("sk-", "pk-lf-"), re.compile(_WORD + r"(?:sk|pk-lf)-[\w-]{16,256}", re.A), "[masked key]"),
    _Rule(("out_",), re.compile(_WORD + r"out_[0-9A-Za-z]{8}_[0-9A-Za-z]{16,128}"), "[masked key]"),
    _Rule(("AIza",), re.compile(_WORD + r"AIza[\w-]{30,64}", re.A), "[masked key]"),
    _Rule(("ya29.",), re.compile(_WORD + r"ya29\.[\w-]{20,512}", re.A), "[masked token]"),
    _Rule(("AKIA", "ASIA"), re.compile(_WORD + r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])"), "[masked key]"),
    _Rule(
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(_WORD + r"(?:gh[pousr]|github_pat)_\w{20,255}", re.A),
        "[masked token]",
    ),
    _Rule(("xox", "xapp-"), re.compile(_WORD + r"(?:xox[abeprs]|xapp)-[\w-]{10,255}", re.A), "[masked token]"),
    _Rule(
        ("hf_", "gsk_", "r8_", "lsv2_", "npm_", "glpat-", "pypi-", "nvapi-", "tvly-", "pplx-", "xai-", "dapi", "fw_"),
        re.compile(_WORD + r"(?:hf_|gsk_|r8_|lsv2_|npm_|glpat-|pypi-|nvapi-|tvly-|pplx-|xai-|dapi|fw_)[\w-]{20,255}", re.A),
        "[masked key]",
    ),
    _Rule(
        ("k_live_", "k_test_"),
        re.compile(_WORD + r"[sr]k_(?:live|test)_\w{16,255}", re.A),
        "[masked key]",
    ),
    _Rule(("SG.",), re.compile(_WORD + r"SG\.[\w-]{16,64}\.[\w-]{16,128}", re.A), "[masked key]"),
)  # fmt: skip

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", re.S
)
_CREDENTIALS = re.compile(_WORD + r"((?:bearer|basic|token)\s{1,4})[\w.~+/-]{16,8192}={0,2}", re.A | re.I)
_URL_PASSWORD = re.compile(r"(://[^\s/:@\"'<>]{0,128}:)[^\s/@\"'<>]{1,256}(?=@)")
_ASSIGNED = re.compile(
    r"((?:api[_-]?key|x-goog-api-key|secret[_-]?(?:access[_-]?)?key|client[_-]?secret|access[_-]?token|"
    r"refresh[_-]?token|account[_-]?key|private[_-]?key|password|passwd|pwd|[?&](?:key|sig|signature|token|secret))"
    r"[\\\"']{0,3}\s{0,3}[:=]\s{0,3}[\\\"']{0,3})(?!\[masked)[^\s\"'\\,;&<>{}\[\]()]{6,512}",
    re.I,
)
_ASSIGNED_HINTS = ("key", "passw", "secret", "token", "pwd", "sig")
_ASSIGNED_NAMES = (
    "api_key", "api-key", "apikey", "passw", "pwd", "secret", "access_token", "access-token", "accesstoken",
    "refresh_token", "refresh-token", "refreshtoken", "account_key", "account-key", "accountkey", "private_key",
    "private-key", "privatekey", "?key=", "&key=", "sig=", "signature=", "?token=", "&token=",
)  # fmt: skip

_PASSWORD, _CREDENTIAL, _SECRET = _keep_name("password"), _keep_name("credentials"), _keep_name("secret")

_SHORTEST_RUN = 16
_RUN = b"a" * _SHORTEST_RUN
_RUN_CHARACTERS = (string.ascii_letters + string.digits + "_-./+=~").encode()
_CLASSES = bytes(97 if code in _RUN_CHARACTERS else 32 for code in range(256))


def _long_runs(text: str) -> str:
    """All runs of at least 16 word characters, separated by blanks; prose has none."""
    classes = text.encode("ascii", "replace").translate(_CLASSES)
    at = classes.find(_RUN)
    if at < 0:
        return ""
    runs: list[str] = []
    while at >= 0:
        end = classes.find(b" ", at)
        end = len(text) if end < 0 else end
        runs.append(text[at:end])
        at = classes.find(_RUN, end)
    return " ".join(runs)


def _card(match: re.Match[str]) -> str:
    digits = [int(character) for character in match.group() if character.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return "[masked card]" if 13 <= len(digits) <= 19 and sum(doubled) % 10 == 0 and any(digits) else match.group()


def _phone(match: re.Match[str]) -> str:
    said = match.group()
    digits = sum(character.isdigit() for character in said)
    separated = said.startswith("+") or sum(character in " -.()" for character in said) >= 2
    return "[masked phone]" if 9 <= digits <= 15 and separated else said


_PERSONAL: tuple[_Rule, ...] = (
    _Rule(
        ("@",),
        re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}", re.A),
        "[masked e-mail]",
    ),
    _Rule((), re.compile(r"(?<![\d.+-])\d(?:[ -]?\d){12,18}(?![\d.-]?\d)"), _card),
    _Rule((), re.compile(r"(?<![\w.:/+-])\+?\(?\d[\d ().-]{7,18}\d(?![\w:/])"), _phone),
)

# Attributes whose whole value is a secret, told by the end of their name.
_SECRET_NAMES = (
    "authorization", "api-key", "api_key", "apikey", "cookie", "set-cookie", "password", "passwd", "client_secret",
    "access_token", "refresh_token", "private_key", "secret_key", "secret_access_key", "auth_token", "x-amz-security-token",
)  # fmt: skip
_secret_names: dict[str, bool] = {}
_MAX_REMEMBERED = 20_000


def mask_text(text: str, *, personal: bool = False) -> str:
    """``text`` with secrets replaced; with ``personal`` also cards (by checksum), e-mail addresses and phone numbers."""
    if len(text) >= _SHORTEST:
        text = _mask_secrets(text)
    if personal:
        for hints, pattern, replacement in _PERSONAL:
            if all(hint in text for hint in hints):
                text = pattern.sub(replacement, text)
    return text


def _mask_secrets(text: str) -> str:
    if "-----BEGIN" in text:
        text = _PRIVATE_KEY.sub("[masked private key]", text)
    runs = _long_runs(text)
    if runs:
        for hints, pattern, replacement in _RUNS:
            for hint in hints:
                if hint in runs:
                    text = pattern.sub(replacement, text)
                    break
    if "@" in text and "://" in text:
        text = _URL_PASSWORD.sub(_PASSWORD, text)
    if runs or "=" in text or ":" in text:
        lowered = text.lower()
        if runs and ("bearer" in lowered or "basic " in lowered or "token " in lowered):
            text = _CREDENTIALS.sub(_CREDENTIAL, text)
        # Words like "key" and "token" are common in prose; only then are the names themselves looked for.
        if any(hint in lowered for hint in _ASSIGNED_HINTS) and any(name in lowered for name in _ASSIGNED_NAMES):
            text = _ASSIGNED.sub(_SECRET, text)
    return text


def mask_attributes(attributes: Attributes, *, personal: bool = False) -> Attributes:
    """``attributes`` masked: the same object if there was nothing to mask."""
    masked: Attributes | None = None
    for name, value in attributes.items():
        kind = value.__class__
        if kind is int or kind is float or kind is bool or value is None:
            continue
        safe = "[masked]" if _is_secret_name(name) else _mask_value(value, personal, 0)
        if safe is not value:
            masked = dict(attributes) if masked is None else masked
            masked[name] = safe
    return attributes if masked is None else masked


def mask_call(call: Call, *, personal: bool = False) -> None:
    """Mask everything of a call that may hold free text: attributes, content, events and the status message, in place."""
    call.attributes = mask_attributes(call.attributes, personal=personal)
    if call.content:
        call.content = mask_attributes(call.content, personal=personal)
    span = call.span
    if span.status_message:
        span.status_message = mask_text(span.status_message, personal=personal)
    for event in call.events:
        if event.attributes:
            event.attributes = mask_attributes(event.attributes, personal=personal)


def _is_secret_name(name: str) -> bool:
    known = _secret_names.get(name)
    if known is None:
        known = name.lower().endswith(_SECRET_NAMES)
        if len(_secret_names) < _MAX_REMEMBERED and len(name) <= 256:
            _secret_names[name] = known
    return known


def _mask_value(value: Value, personal: bool, depth: int) -> Value:
    """``value`` masked, and itself where nothing was."""
    if isinstance(value, str):
        safe = mask_text(value, personal=personal)
        return value if safe == value else safe
    if depth >= _MAX_DEPTH:
        return value
    if isinstance(value, list):
        items: list[Any] = [_mask_value(item, personal, depth + 1) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else items
    if isinstance(value, dict):
        members = {
            name: "[masked]"
            if isinstance(item, str) and _is_secret_name(name)
            else _mask_value(item, personal, depth + 1)
            for name, item in value.items()
        }
        return value if all(members[name] is value[name] for name in value) else cast(Value, members)
    return value
