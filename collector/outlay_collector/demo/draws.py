"""Chance that can be repeated: numbers and ids that are a function of a seed, a date and a number alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from hashlib import blake2b
from math import exp
from random import Random
from typing import TypeVar

from outlay_collector.demo.shapes import Spread

T = TypeVar("T")

_MASK = 2**64 - 1
_STEP = 0x9E3779B97F4A7C15  # odd, so that multiples of it never meet within 64 bits


def hashed(*parts: object, bits: int) -> int:
    """A number of ``bits`` bits that is a hash of the parts, and never 0 (which OpenTelemetry reads as "no id")."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=bits // 8).digest(), "big") or 1


class Ids:
    """The ids of one trace: that of the trace, and those of its spans in the order they are asked for."""

    def __init__(self, seed: int, day: date, n: int, turn: int) -> None:
        both = hashed(seed, day, n, turn, bits=192)
        self.trace = both >> 64 or 1
        self._span = both & _MASK

    def span(self) -> int:
        self._span = (self._span + _STEP) & _MASK
        return self._span or self.span()


class Draws:
    """A stream of chance. Only ``Random.random`` is used: Python promises that alone not to change between versions."""

    def __init__(self, *parts: object) -> None:
        # S311: nothing here is secret; being predictable is the point.
        self.share = Random(hashed(*parts, bits=64)).random  # noqa: S311

    def spread(self, spread: Spread) -> float:
        """One value; sums of uniforms stand for the normal distribution and have no endless tails."""
        if not spread.sigma or not spread.middle:
            return spread.middle
        share = self.share
        return spread.middle * exp(spread.sigma * 1.7320508 * (share() + share() + share() + share() - 2))

    def count(self, spread: Spread) -> int:
        return round(self.spread(spread))

    def happens(self, share: float) -> bool:
        return self.share() < share

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.share() * len(choices))]

    def weighted(self, weights: Sequence[float]) -> int:
        """An index, drawn by weight."""
        left = self.share() * sum(weights)
        for index, weight in enumerate(weights):
            left -= weight
            if left < 0:
                return index
        return len(weights) - 1
