"""What became of a peer's calls."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Calls made by a peer, and what Outlay says of them. ``given_up``: not delivered, by the exporter's own word."""

    peer: str
    version: str
    load: str
    calls: int
    refused: int
    given_up: int
    stored: int
    counted: int
    cost: Decimal

    def row(self) -> str:
        """A line of a table in Markdown."""
        figures = (self.calls, self.refused, self.given_up, self.stored, self.counted, f"{self.cost:.6f}")
        return f"| {self.peer} | {self.version} | {self.load} | {' | '.join(map(str, figures))} |"
