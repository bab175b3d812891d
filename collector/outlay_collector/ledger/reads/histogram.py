"""Percentiles from mergeable histograms whose buckets grow by 2 %: within 1 % of the exact value.

Bucket ``b`` holds the values in ``(1.02^(b-1), 1.02^b]``; a percentile is answered by the geometric middle of its bucket.
Histograms come as bytes and are merged all at once: number by number it would take a second for a week by the hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

BASE = 1.02

_PACKED = np.dtype([("bucket", ">i2"), ("count", ">i4")])
_SENT_BUCKET = np.dtype([("length", ">i4"), ("value", ">i2")])
_SENT_COUNT = np.dtype([("length", ">i4"), ("value", ">i4")])

_CELLS = 4_000_000
"""Counts looked at together; more groups than fit are taken in turns."""


class Histograms:
    """Histograms by key; those added under one key are merged."""

    def __init__(self) -> None:
        self._rows: dict[Any, int] = {}
        self._packed: list[bytes] = []
        self._packed_rows: list[int] = []
        self._sent: list[tuple[bytes, bytes]] = []
        self._sent_rows: list[int] = []

    def add_packed(self, key: Any, packed: bytes) -> None:
        """Two bytes of bucket and four of count, over and over."""
        self._packed.append(packed)
        self._packed_rows.append(self._row(key))

    def add_sent(self, key: Any, buckets: bytes, counts: bytes) -> None:
        """Values as Postgres sends those of an array, ``smallint`` and ``integer``, each after its length."""
        self._sent.append((buckets, counts))
        self._sent_rows.append(self._row(key))

    def _row(self, key: Any) -> int:
        return self._rows.setdefault(key, len(self._rows))

    def _cells(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Row, bucket and count of everything that was added, sorted by row."""
        packed = np.frombuffer(b"".join(self._packed), _PACKED)
        buckets = np.frombuffer(b"".join(sent[0] for sent in self._sent), _SENT_BUCKET)["value"]
        counts = np.frombuffer(b"".join(sent[1] for sent in self._sent), _SENT_COUNT)["value"]
        rows = np.concatenate(
            (
                np.repeat(self._packed_rows, [len(one) // _PACKED.itemsize for one in self._packed]),
                np.repeat(self._sent_rows, [len(one[0]) // _SENT_BUCKET.itemsize for one in self._sent]),
            )
        ).astype(np.int64)
        order = np.argsort(rows, kind="stable")
        return (
            rows[order],
            np.concatenate((packed["bucket"], buckets)).astype(np.int64)[order],
            np.concatenate((packed["count"], counts)).astype(np.int64)[order],
        )

    def percentiles(
        self, shares: Sequence[float], *, unit: float = 1, digits: int | None = None
    ) -> dict[Any, tuple[int, list[float | None]]]:
        """By key how many values there are, and for each share (0.95 …) the smallest that this share does not exceed.

        In ``unit`` (1000: of values in microseconds, milliseconds), and rounded to ``digits`` after the point.
        """
        keys = list(self._rows)
        rows, buckets, counts = self._cells()
        if not len(rows):
            return {key: (0, [None] * len(shares)) for key in keys}
        lowest, width = int(buckets.min()), int(buckets.max()) - int(buckets.min()) + 1
        found: dict[Any, tuple[int, list[float | None]]] = {}
        at_once = max(1, _CELLS // width)
        for first in range(0, len(keys), at_once):
            last = min(first + at_once, len(keys))
            low, high = np.searchsorted(rows, [first, last])
            cells = (rows[low:high] - first) * width + buckets[low:high] - lowest
            merged = np.bincount(cells, weights=counts[low:high], minlength=(last - first) * width)
            found |= _answers(keys[first:last], merged.reshape(last - first, width), lowest, shares, unit, digits)
        return found


def _answers(
    keys: Sequence[Any],
    merged: npt.NDArray[Any],
    lowest: int,
    shares: Sequence[float],
    unit: float,
    digits: int | None,
) -> dict[Any, tuple[int, list[float | None]]]:
    seen = np.cumsum(merged, axis=1).astype(np.int64)
    totals = seen[:, -1]
    columns: list[npt.NDArray[np.float64]] = []
    for share in shares:
        ranks = np.maximum(1, -(-int(share * 1_000_000) * totals // 1_000_000))
        buckets = (seen < ranks[:, None]).sum(axis=1) + lowest
        columns.append(np.power(BASE, buckets - 0.5))
    stacked = np.stack(columns, axis=1) / unit
    values = (stacked if digits is None else np.round(stacked, digits)).tolist()
    return {
        key: (total, [value if total else None for value in row])
        for key, total, row in zip(keys, totals.tolist(), values, strict=True)
    }
