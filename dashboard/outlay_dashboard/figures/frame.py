"""What all figures share: an empty frame in the look of the page, and how a figure behaves in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from outlay_dashboard.theme import FONT, Look


def frame(look: Look, *, height: int, left: int = 0, right: int = 0, top: int = 8, bottom: int = 28) -> go.Figure:
    """An empty figure: page colour, our font, no legend (marks are labelled directly), nothing to drag."""
    figure = go.Figure()
    figure.update_layout(
        template=None,
        height=height,
        margin={"l": left, "r": right, "t": top, "b": bottom, "pad": 0},
        paper_bgcolor=look.page,
        plot_bgcolor=look.page,
        font={"family": FONT, "size": 13, "color": look.muted},
        showlegend=False,
        dragmode=False,
        hoverlabel={
            "bgcolor": look.panel,
            "bordercolor": look.hairline,
            "font": {"family": FONT, "size": 13, "color": look.ink},
            "align": "left",
        },
    )
    axis = {
        "fixedrange": True,
        "zeroline": False,
        "showgrid": False,
        "showline": False,
        "ticks": "",
        "automargin": True,
    }
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


def config(name: str) -> dict[str, Any]:
    """How the figure behaves: no tools but the picture's download, as ``name.png``."""
    return {
        "displaylogo": False,
        "displayModeBar": "hover",
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "filename": name, "scale": 2},
        "scrollZoom": False,
        "doubleClick": False,
    }


def ticks(labels: Sequence[str], most: int = 6) -> dict[str, Any]:
    """Tick settings for an axis of positions 0..n-1: every k-th label, counted from the last so that today has one."""
    step = max(1, -(-len(labels) // most))
    shown = list(range(len(labels) - 1, -1, -step))[::-1]
    return {"tickmode": "array", "tickvals": shown, "ticktext": [labels[place] for place in shown], "tickangle": 0}


def hatched(look: Look, colour: str | None = None) -> Mapping[str, Any]:
    """The marker of what is unknown: hatched grey."""
    return {
        "color": look.page,
        "line": {"color": colour or look.unknown, "width": 1},
        "pattern": {"shape": "/", "fgcolor": colour or look.unknown, "size": 5, "solidity": 0.28},
    }


def money_axis(look: Look, top: float, sign_and_unit: Mapping[float, str]) -> dict[str, Any]:
    """From zero to just above ``top`` and the highest tick, with hairlines and the given tick texts."""
    return {
        "range": [0, max(top, *sign_and_unit) * 1.04 if top else 1],
        "tickmode": "array",
        "tickvals": list(sign_and_unit),
        "ticktext": list(sign_and_unit.values()),
        "showgrid": True,
        "gridcolor": look.hairline,
        "tickfont": {"size": 12},
    }


def round_steps(top: float, about: int = 4) -> list[float]:
    """Round values from zero to about ``top``: steps of 1, 2, 2.5 or 5 times a power of ten. The last may lie
    above it, so that a tall bar ends between two lines, not far above one."""
    if top <= 0:
        return [0.0]
    raw = top / about
    power = 10.0 ** _exponent(raw)
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    highest = -(-top // step) if top % step > step * 0.35 else top // step
    return [round(place * step, 12) for place in range(int(highest) + 1)]


def _exponent(value: float) -> int:
    exponent = 0
    while value >= 10:
        value, exponent = value / 10, exponent + 1
    while value < 1:
        value, exponent = value * 10, exponent - 1
    return exponent
