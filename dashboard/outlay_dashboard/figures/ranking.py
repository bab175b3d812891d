"""Who most: horizontal bars with their value at the end; and how far apart fast and slow are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from outlay_dashboard.figures.frame import frame, hatched
from outlay_dashboard.figures.spend import escaped
from outlay_dashboard.theme import Look

_ROW = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Rank:
    """One bar. ``value`` None is unknown: a hatched stub with its text."""

    key: str | None
    name: str
    value: float | None
    text: str
    colour: str
    note: str = ""


def ranking(ranks: Sequence[Rank], *, look: Look, band: tuple[float, float] | None = None) -> go.Figure:
    """From the first down, name above its bar and text at the right; point ``i`` is rank ``i``. ``band`` is shaded, as
    something to compare with."""
    figure = frame(look, height=_ROW * len(ranks) + 8, top=2, bottom=2)
    top = max((rank.value or 0.0 for rank in ranks), default=0.0) or 1.0
    if band:
        top = max(top, band[1] * 1.1)
        figure.add_shape(
            type="rect",
            x0=band[0],
            x1=band[1],
            yref="paper",
            y0=0,
            y1=1,
            fillcolor=look.accent,
            opacity=0.1,
            line={"width": 0},
            layer="below",
        )
    figure.add_bar(  # the whole line takes the click
        x=[top] * len(ranks),
        y=list(range(len(ranks))),
        orientation="h",
        width=1,
        marker={"color": "rgba(0,0,0,0)", "line": {"width": 0}},
        hovertext=[f"{escaped(rank.name)}<br><b>{rank.text}</b>" for rank in ranks],
        hoverinfo="text",
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )
    for row, rank in enumerate(ranks):
        known = {"color": rank.colour, "line": {"width": 0}}
        figure.add_bar(
            x=[top * 0.03 if rank.value is None else rank.value],
            y=[row],
            orientation="h",
            width=0.26,
            offset=0.1,
            marker=hatched(look) if rank.value is None else known,
            hoverinfo="skip",
        )
        note = f"  <span style='color:{look.muted}'>{escaped(rank.note)}</span>" if rank.note else ""
        for text, side in ((escaped(rank.name) + note, "left"), (f"<b>{rank.text}</b>", "right")):
            figure.add_annotation(
                text=text,
                xref="paper",
                x=0 if side == "left" else 1,
                xanchor=side,
                y=row - 0.16,
                yanchor="middle",
                showarrow=False,
                font={"size": 13, "color": look.muted if rank.value is None else look.ink},
            )
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(range=[0, top], visible=False)
    figure.update_yaxes(range=[len(ranks) - 0.4, -0.6], visible=False)
    return figure


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """p50, p95 and p99 of one entity, with its texts."""

    key: str | None
    name: str
    p50: float
    p95: float
    p99: float
    text: str
    note: str
    colour: str


def spreads(rows: Sequence[Spread], *, steps: Mapping[float, str], look: Look) -> go.Figure:
    """A line from p50 to p99 per entity, a dot at each of the three, the largest dot at p95."""
    figure = frame(look, height=_ROW * len(rows) + 30, top=4, bottom=24)
    top = max((row.p99 for row in rows), default=1.0) or 1.0
    for place, row in enumerate(rows):
        at = place + 0.18
        figure.add_scatter(
            x=[row.p50, row.p99],
            y=[at, at],
            mode="lines",
            line={"color": row.colour, "width": 3},
            opacity=0.4,
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=[row.p50, row.p95, row.p99],
            y=[at, at, at],
            mode="markers",
            marker={"color": row.colour, "size": [7, 11, 7], "line": {"color": look.page, "width": 1.5}},
            hovertext=[f"{escaped(row.name)}<br>{escaped(row.text)}"] * 3,
            hoverinfo="text",
        )
        note = f"  <span style='color:{look.muted}'>{escaped(row.note)}</span>" if row.note else ""
        for text, side in ((escaped(row.name) + note, "left"), (row.text, "right")):
            figure.add_annotation(
                text=text,
                xref="paper",
                x=0 if side == "left" else 1,
                xanchor=side,
                y=place - 0.22,
                yanchor="middle",
                showarrow=False,
                font={"size": 12.5, "color": look.ink if side == "left" else look.muted},
            )
    figure.update_xaxes(
        range=[0, top * 1.02],
        tickmode="array",
        tickvals=list(steps),
        ticktext=list(steps.values()),
        showgrid=True,
        gridcolor=look.hairline,
        tickfont={"size": 11.5},
    )
    figure.update_yaxes(range=[len(rows) - 0.4, -0.6], visible=False)
    return figure
