"""Reconciliation as the API and the command line show it. Money is a decimal string; what is not told is null."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from outlay_collector.bills.reconcile import EXACT, Gap, summed
from outlay_collector.errors import BadRequest

BY = ("day", "project", "provider", "model", "meter")


def parse_by(text: str | None) -> tuple[str, ...]:
    """Dimensions of cells joined by commas; BadRequest that lists them otherwise."""
    if not text:
        return BY
    wanted = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in wanted:
        if name not in BY:
            raise BadRequest(f"Reconciliation knows {', '.join(BY)}, and not {name!r:.40}.")
    return wanted


def rows(gaps: Iterable[Gap], by: tuple[str, ...]) -> list[dict[str, Any]]:
    """Cells summed by some of their dimensions, the largest difference first; cells without money are left out."""
    found: dict[tuple[Any, ...], Gap] = {}
    for gap in gaps:
        if not gap.billed and not gap.traced:
            continue
        key = tuple(getattr(gap, name) for name in by)
        known = found.get(key)
        found[key] = gap if known is None else _joined(known, gap)
    ordered = sorted(found.items(), key=lambda item: (-abs(item[1].gap), tuple(str(part) for part in item[0])))
    return [_row(gap, dict(zip(by, key, strict=True)), whole=by == BY) for key, gap in ordered]


def _joined(one: Gap, other: Gap) -> Gap:
    parts = dict(one.parts)
    for cause, amount in other.parts.items():
        parts[cause] = EXACT.add(parts.get(cause, Decimal(0)), amount)
    return replace(
        one,
        billed=EXACT.add(one.billed, other.billed),
        traced=EXACT.add(one.traced, other.traced),
        parts=parts,
        note=one.note if one.note == other.note else "",
    )


def _row(gap: Gap, named: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        **named,
        "billed": money(gap.billed),
        "traced": money(gap.traced),
        "gap": money(gap.gap),
        "percent": percent(gap.gap, gap.billed),
        "cause": gap.cause,
        "parts": {cause: money(amount) for cause, amount in gap.parts.items()},
        "note": gap.note,
    }
    if whole:
        row["billed_quantity"] = None if gap.billed_quantity is None else money(gap.billed_quantity)
        row["traced_quantity"] = money(gap.traced_quantity)
    return row


def totals(gaps: Iterable[Gap]) -> dict[str, Any]:
    """``billed = traced + untraced + unpriced + residual``."""
    whole = summed(gaps)
    causes = {cause: money(amount) for cause, amount in whole.pop("causes").items()}
    share = whole.pop("percent")
    return {name: money(amount) for name, amount in whole.items()} | {
        "percent": None if share is None else money(share),
        "causes": causes,
    }


def percent(part: Decimal, whole: Decimal) -> str | None:
    if not whole:
        return None
    return money(EXACT.divide(part * 100, whole).quantize(Decimal("0.01"), context=EXACT))


def money(amount: Decimal) -> str:
    """Without exponent and trailing zeros."""
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
