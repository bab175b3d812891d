"""Percentiles from mergeable histograms whose buckets grow by 2 %: within 1 % of the exact value.

Bucket ``b`` holds the values in ``(1.02^(b-1), 1.02^b]``; a percentile is answered by the geometric middle of its bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

BASE = 1.02


class Histogram:
    """Counts by bucket; adding two is adding their counts."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, buckets: Iterable[int], counts: Iterable[int]) -> None:
        mine = self._counts
        for bucket, count in zip(buckets, counts, strict=True):
            mine[bucket] = mine.get(bucket, 0) + count

    @property
    def total(self) -> int:
        return sum(self._counts.values())

    def percentiles(self, shares: Sequence[float]) -> list[float | None]:
        """For each share (0.95 …) the smallest value that at least this share of all values does not exceed."""
        total = self.total
        if not total:
            return [None] * len(shares)
        ordered = sorted(self._counts.items())
        return [_at(ordered, max(1, -(-int(share * 1_000_000) * total // 1_000_000))) for share in shares]


def _at(ordered: list[tuple[int, int]], rank: int) -> float:
    seen = 0
    for bucket, count in ordered:
        seen += count
        if seen >= rank:
            return BASE ** (bucket - 0.5)
    return BASE ** (ordered[-1][0] - 0.5)
