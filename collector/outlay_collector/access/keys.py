"""The form of an API key: ``out_<id>_<secret><checksum>``.

The prefix lets secret scanners find a leaked key, the checksum lets anyone reject a typo without asking the database,
and only the SHA-256 of the whole key is ever stored (the secret is random enough to need no slow hash).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass

SCOPES = ("ingest", "read", "finance", "admin")

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"out_([0-9A-Za-z]{8})_([0-9A-Za-z]{30})([0-9A-Za-z]{6})", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What a key lets its bearer do."""

    key_id: str
    project_id: int | None  # None: all projects
    scopes: frozenset[str]

    def allows(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes


def generate_key() -> tuple[str, str]:
    """A new key and its id: ``("k3Jd…", "out_k3Jd…_…")``."""
    key_id = _random(8)
    secret = _random(30)
    return key_id, f"out_{key_id}_{secret}{_checksum(key_id + secret)}"


def key_id_of(key: str) -> str | None:
    """The id inside a well-formed key; ``None`` when form or checksum are wrong."""
    match = _KEY.fullmatch(key)
    if match is None or _checksum(match[1] + match[2]) != match[3]:
        return None
    return match[1]


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    number = zlib.crc32(text.encode())
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits
