"""Two dimensions at a glance: a heat map."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from outlay_dashboard.figures.frame import frame
from outlay_dashboard.theme import Look

_TALL = 14  # rows; more are drawn lower, so that a month still fits a screen


def heat(
    cells: Sequence[Sequence[float | None]],
    *,
    columns: Sequence[str],
    rows: Sequence[str],
    hovers: Sequence[Sequence[str]],
    look: Look,
    column_ticks: Sequence[int] | None = None,
    texts: Sequence[Sequence[str]] | None = None,
) -> go.Figure:
    """Rows from the top down; a cell without a value stays empty. One hue, from the page's colour to the accent, so that
    the order of values is also the order of lightness. ``texts`` are written into the cells."""
    row = 26 if len(rows) <= _TALL else 17
    figure = frame(look, height=max(row * len(rows) + 40, 150), left=4, right=4, top=4, bottom=26)
    figure.add_heatmap(
        z=[list(row) for row in cells],
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        text=[list(row) for row in hovers],
        hoverinfo="text",
        hoverongaps=False,
        showscale=False,
        xgap=2,
        ygap=2,
        colorscale=[[0.0, look.panel], [0.08, _between(look.panel, look.accent, 0.16)], [1.0, look.accent]],
    )
    top = max((value for row in cells for value in row if value is not None), default=0.0)
    for place, line in enumerate(texts or ()):
        for column, text in enumerate(line):
            value = cells[place][column]
            # On the darker half of the scale the page's colour reads, on the lighter half the ink.
            dark = value is not None and value > top * 0.55
            figure.add_annotation(
                x=column,
                y=place,
                text=text,
                showarrow=False,
                font={"size": 12, "color": look.page if dark else look.ink},
            )
    shown = list(column_ticks) if column_ticks is not None else list(range(len(columns)))
    figure.update_xaxes(
        tickmode="array",
        tickvals=shown,
        ticktext=[columns[place] for place in shown],
        tickangle=0,
        tickfont={"size": 11.5},
    )
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(rows))),
        ticktext=list(rows),
        tickfont={"size": 12},
        range=[len(rows) - 0.5, -0.5],
    )
    return figure


def _between(first: str, second: str, share: float) -> str:
    """The colour ``share`` of the way from one to the other."""
    parts = [
        round(int(first[place : place + 2], 16) * (1 - share) + int(second[place : place + 2], 16) * share)
        for place in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)
