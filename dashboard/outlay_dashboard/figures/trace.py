"""The waterfall of a trace: one line per step, its text above its bar, so that it reads on a phone as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from outlay_dashboard.figures.frame import frame, hatched
from outlay_dashboard.theme import Look

ROW_HEIGHT = 44
_INDENT = 16  # pixels per level
_DEEPEST = 8  # levels beyond this are not indented further


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One step. Times in ms from the start of the trace; ``left`` and ``right`` are its texts, ready to show.

    ``strength``: 1 for a counted call, less for what only frames or helps it.
    """

    depth: int
    start_ms: float
    duration_ms: float
    first_token_ms: float | None
    left: str
    note: str
    failure: str
    right: str
    colour: str
    counted: bool = True
    strength: float = 1.0
    selected: bool = False


def waterfall(bars: Sequence[Bar], *, ticks: Mapping[float, str], look: Look) -> go.Figure:
    """Time runs to the right from zero. Point ``i`` of the first trace is step ``i``: the whole line can be clicked."""
    figure = frame(look, height=ROW_HEIGHT * len(bars) + 30, top=26, bottom=4, right=2)
    end = max((bar.start_ms + bar.duration_ms for bar in bars), default=0.0) or 1.0
    rows = list(range(len(bars)))
    figure.add_bar(  # the line itself, seen only when chosen
        x=[end * 1.0] * len(bars),
        y=rows,
        orientation="h",
        width=1,
        marker={"color": [look.panel if bar.selected else "rgba(0,0,0,0)" for bar in bars], "line": {"width": 0}},
        hoverinfo="none",
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )
    # A step shorter than this would not be seen; it is drawn a hair wide, its text says how long it was.
    least = end * 0.004
    for row, bar in enumerate(bars):
        solid = {"color": bar.colour, "opacity": bar.strength, "line": {"width": 0}}
        figure.add_bar(
            x=[max(bar.duration_ms, least)],
            base=[min(bar.start_ms, end - least)],
            y=[row],
            orientation="h",
            width=0.2,
            offset=0.14,
            marker=solid if bar.counted else hatched(look, bar.colour),
            hoverinfo="skip",
        )
        if bar.first_token_ms is not None:
            moment = bar.start_ms + bar.first_token_ms
            figure.add_shape(
                type="line", x0=moment, x1=moment, y0=row + 0.08, y1=row + 0.4, line={"color": look.ink, "width": 1.6}
            )
        note = f"  <span style='color:{look.muted}'>{bar.note}</span>" if bar.note else ""
        note += f"  <span style='color:{look.bad}'>{bar.failure}</span>" if bar.failure else ""
        figure.add_annotation(
            text=bar.left + note,
            xref="paper",
            x=0,
            xanchor="left",
            xshift=min(bar.depth, _DEEPEST) * _INDENT + 4,
            y=row - 0.14,
            yanchor="middle",
            showarrow=False,
            align="left",
            font={"size": 13.5, "color": look.ink},
        )
        figure.add_annotation(
            text=bar.right,
            xref="paper",
            x=1,
            xanchor="right",
            xshift=-4,
            y=row - 0.14,
            yanchor="middle",
            showarrow=False,
            bgcolor=look.panel if bar.selected else look.page,
            borderpad=0,
            font={"size": 13.5, "color": look.ink},
        )
    figure.update_layout(barmode="overlay", hovermode="closest")
    figure.update_xaxes(
        side="top",
        range=[0, end],
        tickmode="array",
        tickvals=list(ticks),
        ticktext=list(ticks.values()),
        showgrid=True,
        gridcolor=look.hairline,
        tickfont={"size": 11.5},
        layer="below traces",
    )
    figure.update_yaxes(range=[len(bars) - 0.45, -0.55], visible=False)
    return figure
