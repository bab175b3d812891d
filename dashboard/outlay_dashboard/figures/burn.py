"""How a budget is used up: spent day by day, likely from here on, against the amount and its thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from outlay_dashboard.figures.frame import frame, money_axis, ticks
from outlay_dashboard.figures.spend import escaped
from outlay_dashboard.theme import Look


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A line across: the amount itself (``is_amount``), or a threshold."""

    level: float
    name: str
    is_amount: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Burn:
    """Sums since the period began, one per day that has begun; ``likely``, ``low`` and ``high`` from today on, beginning with
    what is spent already, up to the period's last day. ``short`` and ``long`` name all days of the period."""

    short: Sequence[str]
    long: Sequence[str]
    spent: Sequence[float]
    likely: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def burn(
    found: Burn,
    limits: Sequence[Limit],
    *,
    texts: Sequence[str],
    likely_texts: Sequence[str],
    steps: Mapping[float, str],
    look: Look,
    height: int = 340,
) -> go.Figure:
    """The line of what was spent; dashed in a pale band what is likely. Lines across are named at the left."""
    figure = frame(look, height=height, bottom=30, right=22, top=14)
    today = len(found.spent) - 1
    ahead = list(range(today, today + len(found.likely)))
    top = max([*found.spent, *found.high, *(limit.level for limit in limits)], default=0.0)
    if found.likely:
        figure.add_scatter(
            x=[*ahead, *reversed(ahead)],
            y=[*found.high, *reversed(found.low)],
            fill="toself",
            fillcolor=look.accent,
            opacity=0.14,
            mode="lines",
            line={"width": 0},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=ahead,
            y=list(found.likely),
            mode="lines",
            line={"color": look.accent, "width": 2, "dash": "dash"},
            hovertext=list(likely_texts),
            hoverinfo="text",
        )
    figure.add_scatter(
        x=list(range(len(found.spent))),
        y=list(found.spent),
        mode="lines+markers" if len(found.spent) == 1 else "lines",
        line={"color": look.accent, "width": 2.4},
        hovertext=list(texts),
        hoverinfo="text",
    )
    for limit in limits:
        _across(figure, limit, len(found.short), look)
    figure.update_xaxes(range=[-0.4, len(found.short) - 0.6], **ticks(found.short), tickfont={"size": 12})
    figure.update_yaxes(**money_axis(look, top, steps))
    figure.update_layout(hovermode="closest")
    return figure


def _across(figure: go.Figure, limit: Limit, days: int, look: Look) -> None:
    figure.add_shape(
        type="line",
        x0=-0.4,
        x1=days - 0.6,
        y0=limit.level,
        y1=limit.level,
        line={
            "color": look.ink if limit.is_amount else look.muted,
            "width": 1.2 if limit.is_amount else 1,
            "dash": "solid" if limit.is_amount else "dot",
        },
    )
    figure.add_annotation(
        text=escaped(limit.name),
        x=-0.3,
        y=limit.level,
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12, "color": look.ink if limit.is_amount else look.muted},
    )
