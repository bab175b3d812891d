"""A report for a terminal: what the page shows, in lines. Pure: Rich draws what this returns."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from outlay_collector.reports import facts
from outlay_collector.reports.report import Report
from outlay_collector.reports.words import Words

_BAR = 24


def text(report: Report, words: Words) -> Group:
    """Everything in reading order; each part is left out when there is nothing to say."""
    parts: list[RenderableType] = [Text(facts.title(report, words), style="bold")]
    if report.scope:
        parts.append(Text(words("of", scope=", ".join(report.scope)), style="dim"))
    counted = "   ".join(f"{figure} {what}" for figure, what in facts.counts(report, words))
    parts += [
        Text(""),
        Text(facts.headline(report, words), style="bold"),
        Text(facts.comparison(report, words), style="dim"),
        Text(counted),
    ]
    if told := facts.outlook(report, words):
        parts += _headed(words("outlook"), Text(told))
    if steps := facts.effects(report, words):
        parts += _headed(words("why"), _table([(name, told) for name, _, told in steps], right=1))
    for part in report.breakdowns:
        rows = [
            (line.name, "█" * round(line.weight * _BAR), line.money, line.share, line.change)
            for line in facts.lines(part, report, words)
        ]
        parts += _headed(words(f"by_{part.dimension}"), _table(rows, right=2))
    if gaps := facts.unpriced(report, words):
        parts += _headed(words("unpriced"), *(Text(f"{row} ({about})" if about else row) for row, about in gaps))
    parts += _headed(words("sure"), Text(facts.sureness(report, words)))
    return Group(*parts)


def _headed(title: str, *body: RenderableType) -> list[RenderableType]:
    return [Text(""), Text(title, style="bold"), *body]


def _table(rows: list[tuple[str, ...]], *, right: int) -> Table:
    """Columns from ``right`` on are figures."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for column in range(len(rows[0])):
        table.add_column(justify="right" if column >= right else "left", no_wrap=column >= right)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
