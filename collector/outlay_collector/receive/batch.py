"""What one request brings to the database, and what the sender is told about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from outlay_collector.calls.span import Span
from outlay_collector.receive.decode import Refused
from outlay_collector.receive.letter import Letter, letters

_DAY_US = 86_400_000_000
_MINUTE_US = 60_000_000


@dataclass(slots=True)
class Batch:
    """Rows of one project, ready to be written. ``starts_us`` says which days and minutes they touch.

    ``is_retry``: of dead letters; what is refused again is neither counted nor kept a second time. ``sent`` finds a span
    of the request by its ids, for a row that the database will not take. ``attribution`` is the version of the rules that the
    rows were given.
    """

    project_id: int
    rows: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    starts_us: list[int] = field(default_factory=list[int])
    traces: set[bytes] = field(default_factory=set[bytes])
    contents: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    refused: list[Refused] = field(default_factory=list[Refused])
    late_usage: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    scores: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    clients: list[tuple[str, str, int]] = field(default_factory=list[tuple[str, str, int]])  # instance, outcome, sum
    key_id: str | None = None
    attribution: int = 0
    content_mode: str = "none"
    is_retry: bool = False
    sent: Callable[[bytes, int], Span | None] = lambda _trace_id, _span_id: None

    def letters(self) -> list[Letter]:
        """What is kept of what was refused."""
        return [] if self.is_retry else letters(self.refused, self.content_mode)

    def is_empty(self) -> bool:
        further = self.contents or self.late_usage or self.scores or self.counts or self.clients
        return not (self.rows or self.refused or further)

    def days(self) -> set[date]:
        return {
            datetime.fromtimestamp(day * 86_400, UTC).date() for day in {start // _DAY_US for start in self.starts_us}
        }

    def minutes(self) -> list[datetime]:
        return [datetime.fromtimestamp(m * 60, UTC) for m in sorted({start // _MINUTE_US for start in self.starts_us})]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request: everything not rejected is committed."""

    accepted: int
    rejected: int = 0
    message: str = ""
