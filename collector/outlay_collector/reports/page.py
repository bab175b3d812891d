"""A report as one HTML file: no script, no font or picture from elsewhere, readable in a mail and on paper. Pure."""

from __future__ import annotations

from decimal import Decimal
from html import escape

from outlay_dashboard import formats

from outlay_collector.reports import facts
from outlay_collector.reports.report import Breakdown, Report
from outlay_collector.reports.words import Words

WIDTH = 720
"""Of the page, in pixels; narrower screens wrap."""

_CHART_WIDTH, _CHART_HEIGHT = 672, 132

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --muted: #636b78; --line: #e5e7eb; --page: #fff; --accent: #0b6e99;
        --pale: #d6e6ee; --unknown: #9498a0 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --muted: #9aa3af; --line: #2d333b; --page: #0f1318;
        --accent: #5cb8e4; --pale: #1f3d4c; --unknown: #9498a0 } }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 "Source Sans 3", "Source Sans Pro",
       "Noto Sans KR", "Noto Sans CJK KR", system-ui, sans-serif; font-variant-numeric: tabular-nums }
main { max-width: 672px; margin: 0 auto; padding: 32px 24px 24px }
h1 { font-size: 16px; font-weight: 600; margin: 0 } h2 { font-size: 15px; font-weight: 600; margin: 32px 0 8px }
.scope, .muted { color: var(--muted) } .total { font-size: 44px; line-height: 1.15; font-weight: 600; margin: 8px 0 0 }
.counts { display: flex; flex-wrap: wrap; gap: 4px 24px; margin: 12px 0 0; padding: 0; list-style: none }
.counts b { font-weight: 600 }
table { border-collapse: collapse; width: 100%; table-layout: fixed } td { padding: 3px 0; vertical-align: middle }
td.name { width: 30%; overflow-wrap: anywhere; padding-right: 12px } td.bar { width: 30% }
td.figure { text-align: right; white-space: nowrap; padding-left: 12px }
td.change { color: var(--muted) } .bar div { height: 12px; background: var(--accent); border-radius: 2px; min-width: 1px }
svg { display: block; width: 100%; height: auto } svg text { fill: var(--muted); font-size: 11px }
.sum { fill: var(--ink) } .part { fill: var(--accent) } .less { fill: var(--pale); stroke: var(--accent) }
.unknown { fill: url(#hatched) } .axis { stroke: var(--line) }
footer { margin-top: 32px; padding-top: 12px; border-top: 1px solid var(--line); color: var(--muted) }
a { color: var(--accent) }
"""

_HATCHED = (
    '<defs><pattern id="hatched" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="3" height="6" style="fill: var(--unknown)"/></pattern></defs>'
)


def page(report: Report, words: Words, *, link: str | None = None) -> str:
    """The whole document; ``link`` leads to the same window in the dashboard."""
    scope = f'<p class="scope">{escape(words("of", scope=", ".join(report.scope)))}</p>' if report.scope else ""
    counts = "".join(f"<li><b>{escape(figure)}</b> {escape(what)}</li>" for figure, what in facts.counts(report, words))
    parts = [
        f"<header><h1>{escape(facts.title(report, words))}</h1>{scope}",
        f'<p class="total">{escape(facts.headline(report, words))}</p>',
        f'<p class="muted" style="margin:0">{escape(facts.comparison(report, words))}</p>',
        f'<ul class="counts">{counts}</ul></header>',
        _outlook(report, words),
        _days(report, words) if len(report.days) > 1 else "",
        _bridge(report, words),
        *(_breakdown(part, report, words) for part in report.breakdowns),
        _unpriced(report, words),
        f"<h2>{escape(words('sure'))}</h2><p style='margin:0'>{escape(facts.sureness(report, words))}</p>",
        f'<footer><a href="{escape(link)}">{escape(words("open"))}</a></footer>' if link else "",
    ]
    return (
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(facts.title(report, words))}</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _outlook(report: Report, words: Words) -> str:
    told = facts.outlook(report, words)
    return f"<h2>{escape(words('outlook'))}</h2><p style='margin:0'>{escape(told)}</p>" if told else ""


def _days(report: Report, words: Words) -> str:
    """A column per day; a day whose calls have no price is hatched, for nobody knows its height."""
    most = max((cost for _, cost in report.days if cost is not None), default=Decimal(0))
    step = _CHART_WIDTH / len(report.days)
    drawn: list[str] = []
    label_every = max(1, round(len(report.days) / 8))
    for number, (day, cost) in enumerate(report.days):
        tall = _CHART_HEIGHT if cost is None else float(max(cost, Decimal(0)) / most) * _CHART_HEIGHT if most else 0.0
        kind = "unknown" if cost is None else "part"
        told = f"{words.day(day)}: {words('not_priced') if cost is None else formats.money(cost, report.currency)}"
        drawn.append(
            f'<rect class="{kind}" x="{number * step + 1:.1f}" y="{20 + _CHART_HEIGHT - tall:.1f}"'
            f' width="{max(step - 2, 1):.1f}" height="{tall:.1f}"><title>{escape(told)}</title></rect>'
        )
        if number % label_every == 0:
            drawn.append(f'<text x="{number * step + 1:.1f}" y="{_CHART_HEIGHT + 36}">{escape(words.day(day))}</text>')
    top = f'<text x="1" y="11">{escape(formats.short_money(most, report.currency))}</text>'
    axis = f'<line class="axis" x1="0" x2="{_CHART_WIDTH}" y1="{20 + _CHART_HEIGHT}" y2="{20 + _CHART_HEIGHT}"/>'
    roof = f'<line class="axis" x1="0" x2="{_CHART_WIDTH}" y1="18" y2="18"/>'
    return (
        f"<h2>{escape(words('by_day'))}</h2>"
        f'<svg viewBox="0 0 {_CHART_WIDTH} {_CHART_HEIGHT + 42}" role="img" aria-label="{escape(words("by_day"))}">'
        f"{_HATCHED}{roof}{top}{''.join(drawn)}{axis}</svg>"
    )


def _bridge(report: Report, words: Words) -> str:
    """From then to now, effect by effect: every bar begins where the one above it ended."""
    steps = facts.effects(report, words)
    if not steps or report.before.cost is None or report.now.cost is None:
        return ""
    before, after = report.before.cost, report.now.cost
    shown = [(words("was"), Decimal(0), before, formats.money(before, report.currency), "sum")]
    level = before
    for name, amount, told in steps:
        shown.append((name, level, level + amount, told, "part" if amount > 0 else "less"))
        level += amount
    shown.append((words("now"), Decimal(0), after, formats.money(after, report.currency), "sum"))
    low = min(min(start, end) for _, start, end, _, _ in shown)
    high = max(max(start, end) for _, start, end, _, _ in shown)
    left, right, tall = 190, 110, 24
    scale = (_CHART_WIDTH - left - right) / float(high - low or 1)
    drawn: list[str] = []
    for number, (name, start, end, told, kind) in enumerate(shown):
        x, wide = left + float(min(start, end) - low) * scale, float(abs(end - start)) * scale
        y = number * tall
        drawn.append(
            f'<text x="0" y="{y + 16}" style="font-size:13px;fill:var(--ink)">{escape(name)}</text>'
            f'<rect class="{kind}" x="{x:.1f}" y="{y + 5}" width="{max(wide, 1):.1f}" height="14" rx="2"/>'
            f'<text x="{_CHART_WIDTH}" y="{y + 16}" text-anchor="end" style="font-size:13px;fill:var(--ink)">'
            f"{escape(told)}</text>"
        )
    return (
        f"<h2>{escape(words('why'))}</h2>"
        f'<svg viewBox="0 0 {_CHART_WIDTH} {len(shown) * tall}" role="img" aria-label="{escape(words("why"))}">'
        f"{''.join(drawn)}</svg>"
    )


def _breakdown(part: Breakdown, report: Report, words: Words) -> str:
    rows = "".join(
        f'<tr><td class="name">{escape(line.name)}</td>'
        f'<td class="bar"><div style="width:{line.weight * 100:.1f}%"></div></td>'
        f'<td class="figure">{escape(line.money)}</td><td class="figure">{escape(line.share)}</td>'
        f'<td class="figure change">{escape(line.change)}</td></tr>'
        for line in facts.lines(part, report, words)
    )
    return f"<h2>{escape(words(f'by_{part.dimension}'))}</h2><table>{rows}</table>"


def _unpriced(report: Report, words: Words) -> str:
    rows = "".join(
        f"<li>{escape(row)}{f' <span class=muted>({escape(about)})</span>' if about else ''}</li>"
        for row, about in facts.unpriced(report, words)
    )
    return f"<h2>{escape(words('unpriced'))}</h2><ul style='margin:0;padding-left:20px'>{rows}</ul>" if rows else ""
