"""What several pages arrange alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import exports, formats, parts, sentences
from outlay_dashboard.answers import LatencyRow, Spend, SpendRow, Totals, totals_by
from outlay_dashboard.colours import colours
from outlay_dashboard.figures import frame, lines
from outlay_dashboard.figures.spend import Axis
from outlay_dashboard.parts import LedgerRow
from outlay_dashboard.scope import Scope
from outlay_dashboard.stacks import OTHER, Stack
from outlay_dashboard.windows import period_end, window_between, window_named
from outlay_dashboard.words import Words


def axis_of(scope: Scope, periods: Sequence[datetime], complete_until: datetime | None) -> Axis:
    """The periods in words; those not over, or not yet summed up to their end, are incomplete."""
    interval, language = scope.window.interval, scope.words.language
    filled_until = min(complete_until or scope.now, scope.now)
    return Axis(
        short=[sentences.period_short(start, interval, language) for start in periods],
        long=[sentences.period_long(start, interval, language) for start in periods],
        incomplete=frozenset(
            place for place, start in enumerate(periods) if period_end(start, interval) > filled_until
        ),
    )


def names_in(layers: Stack, scope: Scope) -> dict[str | None, str]:
    return {
        layer.key: sentences.name_of(layer.key, layers.dimension, scope.words, layer.members) for layer in layers.series
    }


def ranking(scope: Scope, dimension: str) -> api.Question[Spend]:
    """Ninety days by a dimension, whatever is on screen: what colours are given by, so that they stay."""
    long = window_named("90d", scope.now, scope.window.zone) or scope.window
    return api.spend(long, group_by=[dimension], project=scope.project, filters=scope.leaves_out)


def painted(dimension: str, shown: Sequence[str | None], ranks: Spend, scope: Scope) -> dict[str | None, str]:
    """The colours of what is shown, given by the long ranking."""
    sums = totals_by(ranks.rows, lambda row: row.of.get(dimension))
    spenders = [(key, total.cost or Decimal(0)) for key, total in sums.items() if total.cost]
    ranked = [key for key, _ in sorted(spenders, key=lambda pair: (-pair[1], pair[0] or ""))]
    return colours(dimension, shown, ranked, scope.look)


def chart(figure: Any, *, name: str, alt: str, clickable: bool = False) -> Any:
    """A figure on the page. With ``clickable`` the chosen points come back, else None."""
    behaviour: dict[str, Any] = {"on_select": "rerun", "selection_mode": "points"} if clickable else {}
    shown = st.plotly_chart(
        figure, theme=None, key=name, config=frame.config(f"outlay-{name.replace('_', '-')}"), alt=alt, **behaviour
    )
    return shown.selection.points if clickable else None


def open_clicked(scope: Scope, layers: Stack, points: Sequence[dict[str, Any]]) -> None:
    """A bar leads to the calls it is made of: its period and its group."""
    if not points:
        return
    point = points[0]
    start = layers.periods[int(point["x"])]
    end = period_end(start, scope.window.interval)
    window = window_between(start, end, scope.window.zone).as_parameter()
    key = point.get("customdata")
    key = key[0] if isinstance(key, (list, tuple)) else key
    filters = scope.filters if key in (None, OTHER) else scope.with_filter(layers.dimension, key)
    st.switch_page(scope.pages["traces"], query_params=scope.address(window=window, filter=filters))


def latency_line(
    rows: Sequence[LatencyRow], starts: Sequence[datetime], field: str, name: str, colour: str, *, weight: float = 1.0
) -> lines.Line:
    """One percentile over the periods; a period without calls is a gap."""
    found = {row.period_start: getattr(row, field) for row in rows}
    values: list[float | None] = [found.get(start.astimezone(UTC)) for start in starts]
    texts = [formats.duration(value) for value in values]
    return lines.Line(name=name, values=values, texts=texts, colour=colour, weight=weight)


def cost_of(sums: Totals, currency: str, words: Words) -> str:
    """What a group cost; ``not priced`` where its calls have no price, a dash where there is nothing to price (all failed,
    or nobody reported usage)."""
    if sums.cost is not None:
        return formats.money(sums.cost, currency)
    return words("not_priced") if sums.unpriced_calls else formats.DASH


def costs_by(scope: Scope, spend: Spend, latency: Sequence[LatencyRow], by: str, *, title: str, most: int = 20) -> None:
    """What each group spent, and how fast and how surely it answered; its name leads to its calls."""
    words = scope.words
    fast = {row.of.get(by): row for row in latency}
    groups = sorted(
        totals_by(spend.rows, lambda row: row.of.get(by)).items(),
        key=lambda pair: (-(pair[1].cost or Decimal(0)), -pair[1].calls),
    )
    rows: list[LedgerRow] = []
    for key, sums in groups[:most]:
        timed = fast.get(key)
        per_call = sums.cost / sums.calls if sums.cost is not None and sums.calls else None
        cells = (
            cost_of(sums, spend.currency, words),
            formats.money(per_call, spend.currency),
            formats.count(sums.calls),
            formats.duration(timed.p95_ms if timed else None),
            formats.duration(timed.ttft_p95_ms if timed else None),
            formats.share(sums.errors, sums.calls),
        )
        href = scope.link("traces", filter=scope.with_filter(by, key))
        rows.append(LedgerRow(name=sentences.name_of(key, by, words), cells=cells, href=href))
    st.html(parts.title(title, measure_of_window(scope, spend.currency)))
    columns = ("column.spend", "stat.per_call", "column.calls", "stat.p95_short", "stat.ttft_short", "column.errors")
    st.html(parts.ledger((capitalised(words.dimension(by)), *(words(column) for column in columns)), rows))


def comparable(before: int, now: int) -> bool:
    """Whether there were enough calls before to compare percentiles and rates with."""
    return before * 10 >= now > 0


def heading(scope: Scope, page: str, *, note: str = "") -> None:
    st.html(parts.page_title(scope.words(f"page.{page}"), note))


def downloads(scope: Scope, rows: Sequence[SpendRow], dimensions: Sequence[str], name: str) -> None:
    """The rows on screen as files."""
    with st.popover(scope.words("download.title"), icon=":material/download:"):
        st.download_button(
            "CSV",
            lambda: exports.as_csv(rows, dimensions),
            file_name=f"{name}.csv",
            mime="text/csv",
            on_click="ignore",
            key=f"{name}_csv",
        )
        st.download_button(
            "Parquet",
            lambda: exports.as_parquet(rows, dimensions),
            file_name=f"{name}.parquet",
            mime="application/vnd.apache.parquet",
            on_click="ignore",
            key=f"{name}_parquet",
        )


def capitalised(text: str) -> str:
    """The first letter only: names keep their own capitals."""
    return text[:1].upper() + text[1:]


def measure_of_window(scope: Scope, *before: str) -> str:
    """``USD per day · Oct 23 – Nov 21 · UTC``."""
    span = sentences.span_of_days(scope.window, scope.words)
    return " · ".join([*before, span, scope.window.zone.key])
