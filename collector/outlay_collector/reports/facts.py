"""The sentences and figures of a report, as every form of it shows them. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from outlay_dashboard import formats

from outlay_collector.reports.report import Breakdown, Part, Report, Sums
from outlay_collector.reports.words import Words


class Line(NamedTuple):
    """A row of a breakdown: its name, money, share of the total, change; ``weight`` from 0 to 1 for a bar."""

    name: str
    money: str
    share: str
    change: str
    weight: float


def title(report: Report, words: Words) -> str:
    told = words("title", period=words.period(report.period))
    return f"{told} ({words('so_far')})" if report.period.is_running else told


def headline(report: Report, words: Words) -> str:
    """The total."""
    return spent(report.now, report, words) if report.now.calls or report.now.cost is not None else words("none")


def comparison(report: Report, words: Words) -> str:
    """``$4,210.00 → $5,030.00, +19.5 %``: both figures, then the change."""
    if report.before.cost is None:
        return words("no_before") if not report.before.calls else words("before", before=words("not_priced"))
    before = words("before", before=formats.money(report.before.cost, report.currency))
    change = formats.change(report.before.cost, report.now.cost)
    return f"{change}; {before}" if change else before


def counts(report: Report, words: Words) -> list[tuple[str, str]]:
    """Figure and what it counts."""
    now = report.now
    found = [(formats.count(now.calls), words("calls")), (formats.tokens(now.tokens, words.language), words("tokens"))]
    priced = now.calls - now.unpriced_calls
    if now.cost is not None and priced:
        found.append((formats.money(now.cost * 1000 / priced, report.currency), words("per_1000")))
    if now.errors:
        found.append((formats.share(now.errors, now.calls), words("failed")))
    return found


def lines(part: Breakdown, report: Report, words: Words) -> list[Line]:
    largest = max((one.now.cost or Decimal(0) for one in part.parts), default=Decimal(0))
    found = [_line(one, words.name_of(one.name, part.dimension), largest, report, words) for one in part.parts]
    if part.others:
        name = words("others", n=str(part.others))
        share = formats.share(part.rest.cost, report.now.cost) if report.now.cost else ""
        found.append(Line(name, spent(part.rest, report, words), share, "", _weight(part.rest.cost, largest)))
    return found


def _line(one: Part, name: str, largest: Decimal, report: Report, words: Words) -> Line:
    share = formats.share(one.now.cost, report.now.cost) if one.now.cost is not None and report.now.cost else ""
    gone = not one.now.calls and one.now.cost is None
    cost = formats.money(Decimal(0), report.currency) if gone else spent(one.now, report, words)
    return Line(name, cost, share, _change(one, words), _weight(one.now.cost, largest))


def _change(one: Part, words: Words) -> str:
    if not one.before.calls and one.before.cost is None:
        return words("new")
    now = one.now.cost if one.now.calls or one.now.cost is not None else Decimal(0)
    return formats.change(one.before.cost, now) or ""


def _weight(cost: Decimal | None, largest: Decimal) -> float:
    return max(0.0, float(cost / largest)) if cost is not None and largest else 0.0


def effects(report: Report, words: Words) -> list[tuple[str, Decimal, str]]:
    """Name, amount and amount in words, the largest first; empty when there is nothing to compare with."""
    found = sorted(report.change.items(), key=lambda item: -abs(item[1]))
    return [
        (words(f"effect.{name}"), amount, ("+" if amount > 0 else "") + formats.money(amount, report.currency))
        for name, amount in found
        if amount
    ]


def unpriced(report: Report, words: Words) -> list[tuple[str, str]]:
    """A model without a price with its size, and what it would cost as the nearest one known."""
    told: list[tuple[str, str]] = []
    for gap in report.gaps:
        row = words(
            "unpriced_row",
            model=gap.model or words("no_model"),
            calls=formats.count(gap.unpriced_calls),
            tokens=formats.tokens(gap.unpriced_tokens, words.language),
        )
        about = (
            words("about", money=formats.money(gap.estimate, gap.currency), model=gap.nearest[1])
            if gap.estimate is not None and gap.currency and gap.nearest
            else ""
        )
        told.append((row, about))
    return told


def outlook(report: Report, words: Words) -> str | None:
    found = report.outlook
    if found is None:
        return None
    shown = {name: formats.money(getattr(found, name), report.currency) for name in ("low", "middle", "high")}
    told = words("outlook_is", **shown)
    return f"{told} ({words('outlook_young')})" if found.low_confidence else told


def sureness(report: Report, words: Words) -> str:
    """Up to when the total is complete, and what is known to be missing from it."""
    found = report.completeness
    until = min(found.complete_until, report.period.window.end).astimezone(report.period.zone)
    named = {
        "n_estimated": found.estimated_calls,
        "n_missing": found.missing_usage_calls,
        "n_unpriced": found.unpriced_calls,
        "n_refused": sum(found.refused.values()),
        "n_dropped": found.dropped_by_clients,
    }
    said = [words(name, n=formats.count(number)) for name, number in named.items() if number]
    if not said:
        said = [words("all_priced")]
    elif not found.is_complete:
        said.append(words("at_least"))
    return f"{words('complete', until=f'{until:%Y-%m-%d %H:%M %Z}')}: {', '.join(said)}."


def spent(sums: Sums, report: Report, words: Words) -> str:
    """Money; ``not priced`` where a price is missing, and a dash where the calls used nothing that could have one."""
    if sums.cost is None and sums.unpriced_calls:
        return words("not_priced")
    return formats.money(sums.cost, report.currency)
