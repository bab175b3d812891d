"""Evidence without content: what suggestions need to know of a prompt, and nothing that could be read.

Salted hashes of the whole prompt, of its growing beginnings (what a prompt cache could keep) and of tools' arguments
(an agent going in circles), and how many characters came from whom. The salt is the ingest key unless
``OUTLAY_EVIDENCE_SALT`` says otherwise, so equal prompts are equal within a project and nobody can try texts out.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from outlay import semconv

if TYPE_CHECKING:
    from collections.abc import Iterable

    from outlay.hearing import Answer, Text
    from outlay.otlp import Pair

FIRST_PREFIX = 4_096  # characters, about the least a provider caches; each next one is twice as long
_MAX_HASHED = 262_144  # characters of one prompt
_MAX_TOOLS = 32
_SEPARATOR = b"\x1f"


def evidence(
    said: Iterable[Text], answered: Iterable[Answer], *, settings: tuple[object, ...], salt: bytes
) -> list[Pair]:
    """Span attributes. ``settings`` are what else decides the answer: model, temperature, limit."""
    whole = blake2b(digest_size=8, key=salt)
    prefixes: list[str] = []
    sizes: dict[str, int] = {}
    length, boundary = 0, FIRST_PREFIX
    for role, text in said:
        sizes[role] = sizes.get(role, 0) + len(text)
        whole.update(role.encode() + _SEPARATOR)
        text = text[: max(_MAX_HASHED - length, 0)]
        while length + len(text) >= boundary:
            cut = boundary - length
            whole.update(text[:cut].encode("utf-8", "replace"))
            prefixes.append(f"{boundary}:{whole.hexdigest()}")
            text, length, boundary = text[cut:], boundary, boundary * 2
        whole.update(text.encode("utf-8", "replace") + _SEPARATOR)
        length += len(text)
    pairs: list[Pair] = [(semconv.EVIDENCE_INPUT, whole.hexdigest())]
    whole.update(repr(settings).encode("utf-8", "replace"))
    pairs.append((semconv.EVIDENCE_PROMPT, whole.hexdigest()))
    if prefixes:
        pairs.append((semconv.EVIDENCE_PREFIXES, tuple(prefixes)))
    if sizes:
        pairs.append((semconv.EVIDENCE_SIZES, tuple([f"{role}:{size}" for role, size in sizes.items()])))
    tools = [call for answer in answered for call in answer.tools][:_MAX_TOOLS]
    if tools:
        pairs.append((semconv.EVIDENCE_TOOLS, tuple([f"{call.name}:{_hash(call.arguments, salt)}" for call in tools])))
    return pairs


def salt_of(secret: str) -> bytes:
    """A key for the hashes, of the length they take, that does not give the secret away."""
    return blake2b(secret.encode(), digest_size=32, person=b"outlay evidence").digest()


def _hash(text: str, salt: bytes) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=8, key=salt).hexdigest()
