"""Small pieces of HTML, as pure functions. Everything that comes from data is escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from outlay_dashboard.words import Words


@dataclass(frozen=True, kw_only=True, slots=True)
class Stat:
    label: str
    value: str
    notes: tuple[str, ...] = ()
    exact: str = ""  # every digit, for hover


@dataclass(frozen=True, slots=True)
class Fact:
    """``href`` is where a click on the value leads."""

    name: str
    value: str | None
    href: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerRow:
    """``colour`` is a CSS colour, ``"hatched"``, or None for no chip; ``cells`` are ready texts, right-aligned."""

    name: str
    cells: tuple[str, ...]
    colour: str | None = None
    muted: bool = False
    note: str = ""  # a muted second line under the name
    has_unknown: bool = False  # a hatched mark after the name: part of it has no price
    href: str = ""  # where a click on the name leads


def brand(name: str = "Outlay") -> str:
    # The mark is drawn by CSS: Streamlit's sanitizer takes inline SVG away.
    return f'<div class="o o-brand"><i></i>{escape(name)}</div>'


def headline(*, label: str, total: str, exact: str, change: str, sentences: Iterable[str]) -> str:
    """The largest thing on the page. ``exact`` is the total to its last digit, for hover and for tests; ``change`` may
    hold the catalogue's own markup."""
    said = " ".join(escape(sentence) for sentence in sentences)
    return (
        f'<div class="o o-headline"><div class="label">{escape(label)}</div>'
        f'<div class="total" title="{escape(exact)}" data-exact="{escape(exact)}" data-testid="total">'
        f"{escape(total)}</div>"
        f'<div class="change">{change}</div><div class="sentence">{said}</div></div>'
    )


def stats(items: Sequence[Stat], *, wide: bool = False) -> str:
    """Figures side by side: two columns, or with ``wide`` as many as fit."""
    pieces = [
        f'<div class="stat"><div class="label">{escape(item.label)}</div>'
        f'<div class="value" title="{escape(item.exact)}">{escape(item.value)}</div>'
        + "".join(f'<div class="note">{escape(note)}</div>' for note in item.notes)
        + "</div>"
        for item in items
    ]
    return f'<div class="o o-stats{" wide" if wide else ""}">{"".join(pieces)}</div>'


def title(answer: str, measure: str) -> str:
    """A figure's title: the answer in words, and under it measure, unit, window and zone."""
    said = f'<div class="answer">{escape(answer)}</div><div class="measure">{escape(measure)}</div>'
    return f'<div class="o o-title">{said}</div>'


def page_title(text: str, note: str = "") -> str:
    return f'<div class="o"><h1 class="o-page-title">{escape(text)}</h1><div class="muted">{escape(note)}</div></div>'


def ledger(columns: Sequence[str], rows: Sequence[LedgerRow], foot: LedgerRow | None = None) -> str:
    """A table of names and right-aligned figures; the first column header is ``columns[0]``."""
    head = "".join(
        f"<th{'' if place == 0 else ' class=num'}>{escape(column)}</th>" for place, column in enumerate(columns)
    )
    body = "".join(_ledger_row(row) for row in rows)
    tail = f"<tfoot>{_ledger_row(foot)}</tfoot>" if foot else ""
    table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>{tail}"
    return f'<div class="o o-scroll"><table class="o-ledger">{table}</table></div>'


def sentence(text: str) -> str:
    return f'<div class="o muted">{escape(text)}</div>' if text else '<div class="o"></div>'


def linked(text: str, href: str) -> str:
    """A sentence that leads to the page that explains it."""
    return f'<div class="o muted"><a href="{escape(href)}" target="_self">{escape(text)}</a></div>'


def legend(items: Sequence[tuple[str, str]]) -> str:
    """Names with their colours (or ``"hatched"``), in a line that wraps."""
    pieces = [f"<span>{_chip(colour)}{escape(name)}</span>" for name, colour in items]
    return f'<div class="o o-legend">{"".join(pieces)}</div>'


def sources(found: Sequence[tuple[str | None, str | None]], words: Words) -> str:
    """Links to where prices come from, with the day somebody looked."""
    links: list[str] = []
    for url, checked in found:
        text = escape(str(url))
        link = f'<a href="{text}" target="_blank" rel="noopener">{text.removeprefix("https://")}</a>'
        links.append(link if not checked else f"{link}, {escape(words('call.checked', date=str(checked)[:10]))}")
    return (
        f'<div class="o muted">{words("call.source")}: {"; ".join(links)}</div>' if links else '<div class="o"></div>'
    )


def notice(what: str, do: str = "", kind: str = "") -> str:
    return (
        f'<div class="o o-notice {kind}"><div class="what">{escape(what)}</div><div class="do">{escape(do)}</div></div>'
    )


def empty(what: str, do: str, kind: str = "") -> str:
    """A state of the whole page. ``kind`` is ``bad`` when something is broken."""
    return (
        f'<div class="o o-empty {kind}"><div class="what">{escape(what)}</div><div class="do">{escape(do)}</div></div>'
    )


def waiting(text: str) -> str:
    return f'<div class="o o-waiting" role="status"><i></i>{escape(text)}</div>'


def facts(found: Iterable[Fact]) -> str:
    """Names and values, the unknown left out."""
    rows = "".join(_fact(fact) for fact in found if fact.value)
    return f'<div class="o"><dl class="o-facts">{rows}</dl></div>'


def said(found: Iterable[tuple[str, str, str]]) -> str:
    """Who said what, as it was written; the third text is a muted note below."""
    pieces = [
        f'<div class="who">{escape(who)}</div><div class="what">{escape(what)}</div><div class="muted">{escape(note)}</div>'
        for who, what, note in found
    ]
    return f'<div class="o o-said">{"".join(pieces)}</div>'


def _fact(fact: Fact) -> str:
    value = escape(fact.value or "")
    shown = f'<a href="{escape(fact.href)}" target="_self">{value}</a>' if fact.href else value
    return f"<dt>{escape(fact.name)}</dt><dd>{shown}</dd>"


def _chip(colour: str | None) -> str:
    if not colour:
        return ""
    if colour == "hatched":
        return '<span class="o-chip o-hatched"></span>'
    return f'<span class="o-chip" style="background:{escape(colour)}"></span>'


def _ledger_row(row: LedgerRow) -> str:
    chip = _chip(row.colour)
    cells = "".join(f'<td class="num">{escape(cell)}</td>' for cell in row.cells)
    mark = ' <span class="o-chip o-hatched o-after"></span>' if row.has_unknown else ""
    note = f'<span class="sub{" under-chip" if chip else ""}">{escape(row.note)}</span>' if row.note else ""
    label = f'<a href="{escape(row.href)}" target="_self">{escape(row.name)}</a>' if row.href else escape(row.name)
    name = f'<td class="name" title="{escape(row.name)}">{chip}{label}{mark}{note}</td>'
    return f"<tr{' class=muted' if row.muted else ''}>{name}{cells}</tr>"
