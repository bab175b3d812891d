"""How much of what was used has a price, model by model, and what would give the rest one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from shlex import quote
from typing import Any

from outlay_collector.pricing.book import Book
from outlay_collector.pricing.nearest import nearest
from outlay_collector.pricing.quote import money
from outlay_collector.pricing.usage import MAX_TOKENS, Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """One model with calls that have no price, or only part of one.

    ``estimate`` is what its tokens would cost as the nearest known model, in ``currency``: to see what is at stake, never
    booked. ``priced_by_now``: the book knows it today; repricing would give those calls a cost.
    """

    provider: str | None
    model: str | None
    calls: int
    unpriced_calls: int
    unpriced_tokens: int
    priced_by_now: bool
    reason: str
    nearest: tuple[str, str] | None
    estimate: Decimal | None
    currency: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """Sums over all models, and the gaps, those with the most tokens first."""

    calls: int
    unpriced_calls: int
    tokens: int
    unpriced_tokens: int
    gaps: tuple[Gap, ...]

    @property
    def share_of_calls(self) -> Decimal | None:
        """Priced calls of all calls, 0 to 1; None without calls."""
        return None if not self.calls else 1 - Decimal(self.unpriced_calls) / self.calls

    @property
    def estimates(self) -> dict[str, Decimal]:
        """What the gaps would cost as their nearest known models, by currency."""
        sums: dict[str, Decimal] = {}
        for gap in self.gaps:
            if gap.estimate is not None and gap.currency is not None:
                sums[gap.currency] = sums.get(gap.currency, Decimal(0)) + gap.estimate
        return sums

    @property
    def share_of_tokens(self) -> Decimal | None:
        return None if not self.tokens else 1 - Decimal(self.unpriced_tokens) / self.tokens


def coverage(book: Book, rows: Iterable[Mapping[str, Any]], *, at: datetime, project_id: int | None = None) -> Coverage:
    """``rows`` are sums per provider and model, as the ledger gives them; ``at`` is the instant whose prices are asked."""
    sums = list(rows)
    gaps = [_gap(book, row, at, project_id) for row in sums if row["unpriced_calls"]]
    gaps.sort(key=lambda gap: (-gap.unpriced_tokens, -gap.unpriced_calls, str(gap.provider), str(gap.model)))
    return Coverage(
        calls=sum(row["calls"] for row in sums),
        unpriced_calls=sum(row["unpriced_calls"] for row in sums),
        tokens=sum(row["input_tokens"] + row["output_tokens"] for row in sums),
        unpriced_tokens=sum(row["unpriced_tokens"] for row in sums),
        gaps=tuple(gaps),
    )


def _gap(book: Book, row: Mapping[str, Any], at: datetime, project_id: int | None) -> Gap:
    provider, model = row["provider"], row["model"]
    usage = _scaled(row)
    now = book.explain(provider=provider, model=model, usage=usage, at=at, project_id=project_id)
    known = now.charge.status == "priced"
    near = None if known or not model else nearest(book, provider, model)
    guess = book.charge(provider=near[0], model=near[1], usage=usage, at=at) if near else None
    estimated = None if guess is None or guess.cost is None else guess.cost * _scale(row)
    return Gap(
        provider=provider,
        model=model,
        calls=row["calls"],
        unpriced_calls=row["unpriced_calls"],
        unpriced_tokens=row["unpriced_tokens"],
        priced_by_now=known,
        reason=now.reason,
        nearest=near,
        estimate=estimated,
        currency=guess.currency if guess is not None and estimated is not None else None,
    )


def remedy(gap: Gap) -> str:
    """The one command that gives these calls a price, those of the past included."""
    if gap.priced_by_now:
        return f"outlay reprice --from … --model {quote(gap.model or '*')} --apply"
    return f"{_override(gap)} --input … --output … --reprice"


def borrowed(gap: Gap) -> str | None:
    """The command that prices it, past calls included, as the nearest known model; None where none is near."""
    return f"{_override(gap)} --like {quote('/'.join(gap.nearest))} --reprice" if gap.nearest else None


def _override(gap: Gap) -> str:
    return f"outlay price override -p {quote(gap.provider or '*')} -m {quote(gap.model or '*')}"


def _scaled(row: Mapping[str, Any]) -> Usage:
    """A usage in the proportions of the sums, small enough to be one call's."""
    factor = _scale(row)
    return Usage(
        input_tokens=int(row["input_tokens"] / factor),
        cache_read_tokens=min(int(row["cache_read_tokens"] / factor), int(row["input_tokens"] / factor)),
        output_tokens=int(row["output_tokens"] / factor),
    )


def _scale(row: Mapping[str, Any]) -> Decimal:
    # Long-context prices are for long prompts, not for many short ones: an estimate is made of prompts of ordinary length.
    most = max(row["input_tokens"], row["output_tokens"], 1)
    return max(Decimal(1), Decimal(most) / min(10_000, MAX_TOKENS))


def as_json(found: Coverage) -> dict[str, Any]:
    """Shares are decimal strings from 0 to 1, null where there was nothing."""
    return {
        "calls": found.calls,
        "unpriced_calls": found.unpriced_calls,
        "tokens": found.tokens,
        "unpriced_tokens": found.unpriced_tokens,
        "share_of_calls": money(found.share_of_calls),
        "share_of_tokens": money(found.share_of_tokens),
        "estimates": {currency: money(cost) for currency, cost in sorted(found.estimates.items())},
        "rows": [_gap_as_json(gap) for gap in found.gaps],
    }


def _gap_as_json(gap: Gap) -> dict[str, Any]:
    return {
        "provider": gap.provider,
        "model": gap.model,
        "calls": gap.calls,
        "unpriced_calls": gap.unpriced_calls,
        "unpriced_tokens": gap.unpriced_tokens,
        "priced_by_now": gap.priced_by_now,
        "reason": gap.reason or None,
        "nearest": {"provider": gap.nearest[0], "model": gap.nearest[1]} if gap.nearest else None,
        "estimate": money(gap.estimate),
        "currency": gap.currency,
        "command": remedy(gap),
        "command_like": borrowed(gap),
    }
