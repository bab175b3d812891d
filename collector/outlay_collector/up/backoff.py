"""When a child that ended is started again."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A child that ran this long was healthy: its next end counts as the first again."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a child ended in a row. Immutable: ``after`` gives the next state."""

    deaths: int = 0

    def after(self, lived_seconds: float) -> Backoff:
        return Backoff(1 if lived_seconds >= STEADY_SECONDS else self.deaths + 1)

    @property
    def seconds(self) -> float:
        """The pause before the next start: 0.5, 1, 2, … up to 30."""
        if self.deaths == 0:
            return 0.0
        return min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(self.deaths - 1, 10))
