"""Figures said in words: completeness, change, the answer that a chart's title gives. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape

from outlay_dashboard import formats
from outlay_dashboard.answers import Bridge, Totals
from outlay_dashboard.movers import Mover
from outlay_dashboard.stacks import OTHER, Stack
from outlay_dashboard.windows import HOUR, MONTH, WEEK, Window, period_end
from outlay_dashboard.words import Words

_MOST = Decimal("0.5")


def name_of(key: str | None, dimension: str, words: Words, members: int = 1) -> str:
    """An entity by its name; calls without one are ``no team``, the rest of a stack ``Other (12)``."""
    if key is None or key == "":
        return words("not_set", dimension=words.dimension(dimension))
    return words("other", n=members) if key == OTHER else key


def listed(names: Sequence[str], words: Words) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return words("list.and", first=", ".join(names[:-1]), last=names[-1])


def spend_change(before: Totals, after: Totals, window: Window, currency: str, words: Words) -> str:
    """Both figures and the change; our own markup around escaped values."""
    base = words(f"before.{window.name}")
    if after.cost is None:
        return ""
    change = formats.change(before.cost, after.cost)
    if before.cost is None or change is None:
        return words("overview.no_before", base=escape(base)) if not before.calls else ""
    return words(
        "overview.change",
        before=formats.money(before.cost, currency),
        after=formats.money(after.cost, currency),
        change=change,
        base=escape(base),
    )


def completeness(totals: Totals, complete_until: datetime | None, window: Window, words: Words) -> list[str]:
    """How far and how well the total is known, a sentence for each thing there is to say."""
    said: list[str] = []
    if complete_until is not None and complete_until < window.end:
        said.append(words("overview.complete", until=_until(complete_until.astimezone(window.zone), window, words)))
    if totals.calls and totals.unpriced_calls >= totals.calls:
        said.append(words("overview.none_priced", n=totals.calls))
    elif totals.unpriced_calls:
        share = formats.share(totals.unpriced_calls, totals.calls)
        said.append(words("overview.unpriced", n=totals.unpriced_calls, share=share))
    elif totals.calls and not totals.missing_usage_calls:
        said.append(words("overview.all_priced"))
    if totals.estimated_calls:
        said.append(words("overview.estimated", n=totals.estimated_calls))
    if totals.missing_usage_calls:
        said.append(words("overview.missing", n=totals.missing_usage_calls))
    return said


def who_spends(stack: Stack, words: Words) -> str:
    """The chart's answer: who makes up most of the spend."""
    whole = stack.measure.of(stack.totals)
    known = [series for series in stack.series if series.key != OTHER and series.total]
    if not whole or not known:
        return words("overview.no_money")
    names = [name_of(series.key, stack.dimension, words) for series in known]
    what = words(f"of.{stack.measure.name}")
    first = known[0].total or Decimal(0)
    if len(known) == 1:
        return words("overview.all_of_it", name=names[0], what=what)
    if first / whole >= _MOST:
        return words("overview.top_one", name=names[0], share=formats.share(first, whole), what=what)
    both = formats.share(first + (known[1].total or Decimal(0)), whole)
    return words("overview.top_two", first=names[0], second=names[1], share=both, what=what)


def who_moved(movers: Sequence[Mover], dimension: str, currency: str, words: Words) -> str:
    if not movers:
        return words("overview.nothing_moved")
    most = movers[0]
    return words(
        "overview.moved",
        name=name_of(most.key, dimension, words),
        difference=formats.money_change(most.before, most.after, currency),
    )


def why_changed(made: Bridge, currency: str, words: Words) -> str:
    """The largest effect, with its amount."""
    effect, amount = max(made.effects.items(), key=lambda pair: abs(pair[1]))
    sign = "up" if amount > 0 else "down"
    return words(f"why.{effect}_{sign}", amount=formats.money(abs(amount), currency))


def span_of_days(window: Window, words: Words) -> str:
    """``Oct 23 – Nov 21``, the last day included; hours where the window is short."""
    language = words.language
    start, end = window.start, window.end
    if window.interval == HOUR:
        return f"{formats.day_and_clock(start, language)} – {formats.day_and_clock(end, language)}"
    last = (end - timedelta(microseconds=1)).date()
    years = start.year != last.year
    return f"{formats.day(start, language, year=years)} – {formats.day(last, language, year=years)}"


def period_short(start: datetime, interval: str, language: str) -> str:
    if interval == HOUR:
        return formats.clock(start) if start.hour else formats.short_day(start, language)
    return formats.month(start, language) if interval == MONTH else formats.short_day(start, language)


def period_long(start: datetime, interval: str, language: str) -> str:
    if interval == HOUR:
        return f"{formats.day(start, language)}, {formats.clock(start)}–{formats.clock(period_end(start, interval))}"
    if interval == MONTH:
        return formats.month(start, language)
    if interval == WEEK:
        last = period_end(start, interval) - timedelta(days=1)
        return f"{formats.day(start, language)} – {formats.day(last, language)}"
    return f"{formats.weekday(start, language)}, {formats.day(start, language)}"


def _until(moment: datetime, window: Window, words: Words) -> str:
    last_day = (window.end - timedelta(microseconds=1)).date()
    if moment.date() == last_day:
        return formats.clock(moment)
    return formats.day_and_clock(moment, words.language)
