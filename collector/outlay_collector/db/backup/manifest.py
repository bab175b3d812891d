"""What a backup holds, and how its rows are compared: whatever order they come in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from outlay_collector.errors import BadRequest

FORMAT = 1
MEMBER = "manifest.json"

_RING = 2**128


@dataclass(slots=True)
class Digest:
    """Of a table's rows as COPY writes them, one line each: their number, and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def add(self, lines: bytes) -> None:
        for line in lines.splitlines(keepends=True):
            self.rows += 1
            self.total = (self.total + int.from_bytes(hashlib.sha256(line).digest()[:16])) % _RING

    def __str__(self) -> str:
        return f"{self.rows}:{self.total:032x}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """``tables`` are columns by table, in an order in which they can be filled; ``parts`` tables and days that need a part."""

    revision: str
    made_at: str
    tables: dict[str, list[str]]
    parts: list[list[str]]
    digests: dict[str, str] = field(default_factory=dict[str, str])
    format: int = FORMAT

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @property
    def rows(self) -> int:
        return sum(int(digest.partition(":")[0]) for digest in self.digests.values())


def read(text: str) -> Manifest:
    """BadRequest when this version cannot read it."""
    found: dict[str, Any] = json.loads(text)
    if found.get("format") != FORMAT:
        raise BadRequest(f"The backup has format {found.get('format')!r}, and this version reads {FORMAT}.")
    return Manifest(**found)


def in_order(refers: Mapping[str, Iterable[str]]) -> list[str]:
    """Every table after those that it refers to. Tables that refer to each other come in the order of their names."""
    waiting = {name: set(others) - {name} for name, others in sorted(refers.items())}
    done: list[str] = []
    while waiting:
        ready = [name for name, others in waiting.items() if not others & waiting.keys()] or [next(iter(waiting))]
        done += ready
        for name in ready:
            del waiting[name]
    return done


def differing(wanted: Mapping[str, str], found: Mapping[str, str]) -> Sequence[str]:
    """Tables whose rows are not the same."""
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
