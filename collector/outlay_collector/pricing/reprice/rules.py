"""The price book as formulas that Postgres can multiply out for a million calls at once.

The cost of a call is Σ tokens × rate, and a rate is the same for all calls of one model, tier and region that fall between
two changes of its prices, on one side of its context thresholds, and use the same buckets. So the book is asked once per
such group, and the rows are multiplied where they are. What is no such sum (usage with further units, contradictions,
rates without finite decimals) is priced call by call, by the function that ingest calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outlay_collector.ledger.buckets import Window
from outlay_collector.pricing import units
from outlay_collector.pricing.book import Book, CardKey, Rule
from outlay_collector.pricing.card import Cuts
from outlay_collector.pricing.price import INVALID, PARTLY_PRICED, PRICED, UNPRICED, Booked
from outlay_collector.pricing.stored import stored_usage, usage_in_force
from outlay_collector.pricing.usage import Usage

REPRICED = (PRICED, PARTLY_PRICED, UNPRICED, INVALID)
"""Statuses of charges that come from the price book; others come from allocation, or are no charge at all."""

BUCKETS = (
    units.CACHE_READ,
    units.INPUT_AUDIO,
    units.CACHE_WRITE,
    units.CACHE_WRITE_1H,
    units.REASONING,
    units.OUTPUT_AUDIO,
    units.INPUT,
    units.OUTPUT,
)
"""Buckets that have columns, in the order of the bits of ``used`` and of the price ids of a charge."""

SAYS_NOTHING = 1 << len(BUCKETS)
"""The bit of ``used`` for calls that report neither input nor output."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """What prices are looked up by, with its changes within a window."""

    card: CardKey
    cuts: Cuts
    window: Window

    def stretch(self, segment: int) -> Window:
        """The part of the window between two changes."""
        bounds = (self.window.start, *self.cuts.instants, self.window.end)
        return Window(bounds[segment], bounds[segment + 1])


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that one rule holds for: ``used`` are bits of ``BUCKETS``; ``-1`` if they have to be priced one by one."""

    key: int
    segment: int
    side: int
    used: int


def keys(book: Book, project_id: int, named: Iterable[Sequence[str | None]], window: Window) -> list[Key]:
    """One for each provider, model, tier and region of calls in ``window``."""
    cards: list[CardKey] = [(provider, model, tier, region, project_id) for provider, model, tier, region in named]
    return [Key(card=card, cuts=book.cuts(card, window.start, window.end), window=window) for card in cards]


def rule(book: Book, key: Key, group: Group) -> Rule | None:
    """``None``: calls of this group are priced one by one."""
    if group.used < 0:
        return None
    if group.used & SAYS_NOTHING:
        return Rule(status=UNPRICED)
    return book.rule(
        key.card,
        at=key.stretch(group.segment).start,
        prompt=key.cuts.prompts[group.side - 1] + 1 if group.side else 0,
        used=[bucket for bit, bucket in enumerate(BUCKETS) if group.used >> bit & 1],
    )


def charge(book: Book, row: Any, project_id: int) -> Booked:
    """One call's charge, from a row of the view ``call``; what its ``joined`` knows is laid over the rest."""
    at: datetime = row.start_time
    joined = row.joined or {}
    priced = book.charge(
        provider=joined.get("provider") or row.provider,
        model=joined.get("response_model") or row.model,
        usage=usage_in_force(stored_usage(row), joined) or Usage(),
        at=at,
        tier=joined.get("service_tier") or row.service_tier,
        region=joined.get("region") or row.region,
        project_id=project_id,
    )
    return book.booked(priced, at)
