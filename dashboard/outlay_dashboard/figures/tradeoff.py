"""Two qualities against each other, with the front of what nothing beats in both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from outlay_dashboard.figures.frame import frame
from outlay_dashboard.figures.spend import escaped
from outlay_dashboard.theme import Look

_USUAL_PIXELS = (960.0, 290.0)
_WIDE = 2.2  # powers of ten


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """One entity; less is better on both axes, and both are above zero. ``size`` is a share of the largest, 0 to 1."""

    name: str
    x: float
    y: float
    size: float
    text: str
    colour: str


def front(spots: Sequence[Spot]) -> list[Spot]:
    """Those that no other spot beats on one axis without losing on the other, from left to right."""
    found: list[Spot] = []
    for spot in sorted(spots, key=lambda spot: (spot.x, spot.y)):
        if not found or spot.y < found[-1].y:
            found.append(spot)
    return found


def tradeoff(
    spots: Sequence[Spot],
    *,
    x_steps: Mapping[float, str],
    y_steps: Mapping[float, str],
    x_title: str,
    y_title: str,
    look: Look,
) -> go.Figure:
    """Every point named, the front as a thin line, both axes logarithmic: models differ by orders of magnitude."""
    figure = frame(look, height=360, top=22, bottom=44, right=24)
    best = front(spots)
    figure.add_scatter(
        x=[spot.x for spot in best],
        y=[spot.y for spot in best],
        mode="lines",
        line={"color": look.muted, "width": 1.2, "dash": "dot"},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[spot.x for spot in spots],
        y=[spot.y for spot in spots],
        mode="markers",
        marker={
            "size": [9 + 22 * spot.size**0.5 for spot in spots],
            "color": [spot.colour for spot in spots],
            "line": {"color": look.page, "width": 1.5},
            "opacity": 0.9,
        },
        hovertext=[f"<b>{escaped(spot.name)}</b><br>{escaped(spot.text)}" for spot in spots],
        hoverinfo="text",
    )
    x_range, y_range = (_range([getattr(spot, axis) for spot in spots]) for axis in ("x", "y"))
    for spot, (xanchor, yanchor, xshift, yshift) in zip(spots, _placed(spots, x_range, y_range), strict=True):
        figure.add_annotation(
            # On a logarithmic axis an annotation stands at the exponent.
            x=math.log10(spot.x),
            y=math.log10(spot.y),
            text=escaped(spot.name),
            showarrow=False,
            xanchor=xanchor,
            yanchor=yanchor,
            xshift=xshift,
            yshift=yshift,
            font={"size": 12, "color": look.ink if spot in best else look.muted},
        )
    for update, steps, title in (
        (figure.update_xaxes, x_steps, x_title),
        (figure.update_yaxes, y_steps, y_title),
    ):
        update(
            type="log",
            tickmode="array",
            tickvals=list(steps),
            ticktext=list(steps.values()),
            showgrid=True,
            gridcolor=look.hairline,
            tickfont={"size": 11.5},
            title={"text": title, "font": {"size": 12}, "standoff": 8},
        )
    figure.update_xaxes(range=x_range)
    figure.update_yaxes(range=y_range)
    return figure


def _placed(
    spots: Sequence[Spot], x_range: Sequence[float], y_range: Sequence[float]
) -> list[tuple[str, str, float, float]]:
    """Where each name stands beside its spot (anchors and shifts in pixels): right, left, above or below, the first of
    them where it touches no name placed before. Judged on a figure of usual size."""
    taken: list[tuple[float, float, float, float]] = []
    found: list[tuple[str, str, float, float]] = []
    for spot in spots:
        x = (math.log10(spot.x) - x_range[0]) / (x_range[1] - x_range[0]) * _USUAL_PIXELS[0]
        y = (math.log10(spot.y) - y_range[0]) / (y_range[1] - y_range[0]) * _USUAL_PIXELS[1]
        away, width = 8 + 11 * spot.size**0.5, 6.6 * len(spot.name)
        choices = [
            ("left", "middle", away, 0.0, (x + away, y - 8, x + away + width, y + 8)),
            ("right", "middle", -away, 0.0, (x - away - width, y - 8, x - away, y + 8)),
            ("center", "bottom", 0.0, away - 4, (x - width / 2, y + away - 4, x + width / 2, y + away + 12)),
            ("center", "top", 0.0, 4 - away, (x - width / 2, y - away - 12, x + width / 2, y + 4 - away)),
        ]
        fitting = [c for c in choices if _fits(c[4]) and not any(_touch(c[4], box) for box in taken)]
        xanchor, yanchor, xshift, yshift, box = (fitting or choices)[0]
        taken.append(box)
        found.append((xanchor, yanchor, xshift, yshift))
    return found


def _fits(box: tuple[float, float, float, float]) -> bool:
    return box[0] >= 0 and box[2] <= _USUAL_PIXELS[0]


def _touch(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _range(values: Sequence[float]) -> list[float]:
    """Exponents from below the smallest to above the largest, with room for the spots and their names."""
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max((high - low) * 0.14, 0.12)
    return [low - room, high + room]


def steps_for(values: Sequence[float]) -> list[float]:
    """Ticks of a logarithmic axis: 1, 2 and 5 times the powers of ten that the values span, only the powers if wide."""
    low, high = _range(values)
    factors = (1, 2, 5) if high - low < _WIDE else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    steps = [round(factor * 10.0**power, 12) for power in powers for factor in factors]
    return [step for step in steps if low <= math.log10(step) <= high]
