"""Protobuf messages as trees of fields, damaged one field at a time.

A tree keeps every field's own bytes, so a request is parsed once and a mutation rebuilds only the way from the damaged
field up to the root. Lengths around the damage are right unless the damage is a wrong length: what a mutation spoils
stays inside the message it was done to.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

VARINT, FIXED64, SIZED, FIXED32 = 0, 1, 2, 5
SPAN = "opentelemetry.proto.trace.v1.Span"

NUMBERS = (0, 1, 2, 15, 127, 128, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1)
DOUBLES = (0.0, -0.0, -1.5, 1e-320, 1e15, 1e18, 1.7e308, float("nan"), float("inf"), float("-inf"))
TIMES_NS = (
    0, 1, 10**9, 1_577_836_800 * 10**9, 1_700_000_000, 1_700_000_000_000, 9_000_000_000 * 10**9, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip
TEXTS = (
    b"", b"\x00", b"a\x00b", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xef\xbf\xbf",
    "한국어 🙂".encode(), b"NaN", b"-1", b"1e999", b"9" * 400, b"[", b'{"a":' * 40, b"%s%n", b"'; --", b"x" * 5000,
    b"sk-proj-a1B2c3D4a1B2c3D4a1B2c3D4", b"2026-11-21T00:00:00Z", b"null", b"true", b"\\u0000", b"\x1b[2J",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One field as it stands on the wire. ``kids`` are the fields of a message, ``None`` for what is none."""

    number: int
    wire: int
    content: bytes  # without tag and length
    message: str = ""  # its full name, for a message
    kids: tuple[Field, ...] | None = None

    def encoded(self) -> bytes:
        head = varint(self.number << 3 | self.wire)
        return head + varint(len(self.content)) + self.content if self.wire == SIZED else head + self.content


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def parse(content: bytes, message: Any) -> tuple[Field, ...]:
    """The fields of a sound message with the descriptor ``message``."""
    fields: list[Field] = []
    at = 0
    while at < len(content):
        tag, at = _read(content, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            start = at
            _, at = _read(content, at)
            fields.append(Field(number, wire, content[start:at]))
            continue
        if wire == SIZED:
            size, at = _read(content, at)
        else:
            size = 8 if wire == FIXED64 else 4
        inside = content[at : at + size]
        at += size
        inner = message.fields_by_number[number].message_type if wire == SIZED else None
        if inner is None:
            fields.append(Field(number, wire, inside))
        else:
            fields.append(Field(number, wire, inside, inner.full_name, parse(inside, inner)))
    return tuple(fields)


def _read(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


class Mutator:
    """Damages trees. ``donors`` are attributes of other sources, to put where they do not belong."""

    def __init__(self, choose: random.Random, donors: list[Field]) -> None:
        self._choose = choose
        self._donors = donors
        self._damages: tuple[Callable[[Field], bytes], ...] = (
            self._other_content, self._other_content, self._other_content, self._other_type, self._wrong_length,
            self._unknown_beside, self._twice, self._many, self._nothing, self._deep, self._cut, self._flip,
            self._other_number, self._donated, self._donated, self._group,
        )  # fmt: skip

    def damaged(self, root: Field, within: str = "") -> Field:
        """``root`` with one field damaged; with ``within``, inside a message of that name only."""
        if within and root.message != within:
            places = [place for place, kid in enumerate(root.kids or ()) if _holds(kid, within)]
            if not places:
                return root
            return self._rebuilt(root, self._choose.choice(places), within)
        kids = root.kids
        if not kids:
            return root
        place = self._choose.randrange(len(kids))
        if kids[place].kids and self._choose.random() < 0.75:
            return self._rebuilt(root, place, "")
        damage = self._choose.choice(self._damages)
        parts = [kid.encoded() for kid in kids]
        parts[place] = damage(kids[place])
        # What is inside may be no message any more; its fields are no longer known.
        return Field(root.number, root.wire, b"".join(parts), root.message, None)

    def _rebuilt(self, root: Field, place: int, within: str) -> Field:
        assert root.kids is not None
        new = self.damaged(root.kids[place], within)
        kids = (*root.kids[:place], new, *root.kids[place + 1 :])
        return Field(root.number, root.wire, b"".join(kid.encoded() for kid in kids), root.message, kids)

    def _other_content(self, field: Field) -> bytes:
        choose = self._choose
        if field.wire == VARINT:
            return Field(field.number, VARINT, varint(choose.choice(NUMBERS))).encoded()
        if field.wire == FIXED64:
            if choose.random() < 0.5:
                return Field(field.number, FIXED64, struct.pack("<d", choose.choice(DOUBLES))).encoded()
            return Field(field.number, FIXED64, struct.pack("<Q", choose.choice(TIMES_NS))).encoded()
        if field.wire == FIXED32:
            return Field(field.number, FIXED32, choose.randbytes(4)).encoded()
        if len(field.content) in (8, 16) and choose.random() < 0.5:  # ids, mostly
            size = choose.choice((0, 1, 7, 8, 9, 15, 16, 17, 32, 300))
            return Field(
                field.number, SIZED, bytes(size) if choose.random() < 0.3 else choose.randbytes(size)
            ).encoded()
        return Field(field.number, SIZED, choose.choice(TEXTS)).encoded()

    def _other_type(self, field: Field) -> bytes:
        """The same field with another wire type."""
        wire = self._choose.choice((VARINT, FIXED64, SIZED, FIXED32))
        content = {
            VARINT: varint(self._choose.choice(NUMBERS)),
            FIXED64: self._choose.randbytes(8),
            FIXED32: self._choose.randbytes(4),
            SIZED: field.content,
        }[wire]
        return Field(field.number, wire, content).encoded()

    def _other_number(self, field: Field) -> bytes:
        number = self._choose.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 100, 19_500, 2**29 - 1))
        return Field(number, field.wire, field.content).encoded()

    def _wrong_length(self, field: Field) -> bytes:
        size = self._choose.choice(
            (0, 1, len(field.content) + 1, max(len(field.content) - 1, 0), 2**31, 2**35, 2**64 - 1)
        )
        return varint(field.number << 3 | SIZED) + varint(size) + field.content

    def _unknown_beside(self, field: Field) -> bytes:
        number = self._choose.choice((99, 1000, 2**29 - 1))
        wire = self._choose.choice((VARINT, FIXED64, SIZED, FIXED32))
        content = {VARINT: b"\x05", FIXED64: bytes(8), FIXED32: bytes(4), SIZED: b"\xff\x00unknown"}[wire]
        return field.encoded() + Field(number, wire, content).encoded()

    def _group(self, field: Field) -> bytes:
        """Groups, which this protocol never used, and the two wire types that there are not."""
        return field.encoded() + varint(self._choose.choice((7, 99)) << 3 | self._choose.choice((3, 4, 6, 7)))

    def _twice(self, field: Field) -> bytes:
        return field.encoded() * 2

    def _many(self, field: Field) -> bytes:
        encoded = field.encoded()
        return encoded * max(1, min(600, 20_000 // max(len(encoded), 1)))

    def _nothing(self, field: Field) -> bytes:
        del field
        return b""

    def _cut(self, field: Field) -> bytes:
        encoded = field.encoded()
        return encoded[: self._choose.randrange(len(encoded))]

    def _flip(self, field: Field) -> bytes:
        encoded = bytearray(field.encoded())
        for _ in range(self._choose.randint(1, 4)):
            encoded[self._choose.randrange(len(encoded))] ^= 1 << self._choose.randrange(8)
        return bytes(encoded)

    def _donated(self, field: Field) -> bytes:
        return field.encoded() + b"".join(
            self._choose.choice(self._donors).encoded() for _ in range(self._choose.choice((1, 3, 30)))
        )

    def _deep(self, field: Field) -> bytes:
        """A value nested in lists or maps, as an attribute, in place of the field."""
        value = b"\x0a\x01x"
        as_list = self._choose.random() < 0.5
        for _ in range(self._choose.choice((5, 17, 40, 120, 600))):
            if as_list:
                value = Field(5, SIZED, Field(1, SIZED, value).encoded()).encoded()
            else:
                pair = b"\x0a\x01k" + Field(2, SIZED, value).encoded()
                value = Field(6, SIZED, Field(1, SIZED, pair).encoded()).encoded()
        pair = Field(1, SIZED, b"deep").encoded() + Field(2, SIZED, value).encoded()
        return Field(9 if self._choose.random() < 0.5 else field.number, SIZED, pair).encoded()


def _holds(field: Field, message: str) -> bool:
    return field.message == message or any(_holds(kid, message) for kid in field.kids or ())
