"""Quiet lines over time, labelled where they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from outlay_dashboard.figures.frame import frame, money_axis, round_steps, ticks
from outlay_dashboard.figures.spend import Axis, escaped
from outlay_dashboard.theme import Look


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line; ``texts`` are its values in words, one per position. ``weight`` 1 is the line that matters most."""

    name: str
    values: Sequence[float | None]
    texts: Sequence[str]
    colour: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """A range to compare with, named at its left edge."""

    low: float
    high: float
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """Something that happened at a position, such as a release."""

    position: int
    name: str


def over_time(
    lines: Sequence[Line],
    axis: Axis,
    *,
    steps: Mapping[float, str],
    look: Look,
    band: Band | None = None,
    markers: Sequence[Marker] = (),
    height: int = 280,
) -> go.Figure:
    """Lines from zero up. Names stand at the right end, moved apart where they would touch."""
    widest = max((len(line.name) for line in lines), default=0) if len(lines) > 1 else 2
    figure = frame(look, height=height, right=8 + 7 * widest, top=20)
    top = max((value for line in lines for value in line.values if value is not None), default=0.0)
    top = max(top, band.high if band else 0.0)
    positions = list(range(len(axis.short)))
    if band:
        figure.add_shape(
            type="rect",
            x0=-0.5,
            x1=len(positions) - 0.5,
            y0=band.low,
            y1=band.high,
            fillcolor=look.accent,
            opacity=0.09,
            line={"width": 0},
            layer="below",
        )
        figure.add_annotation(
            text=band.name, x=-0.4, y=band.high, xanchor="left", yanchor="top", showarrow=False, font={"size": 11.5}
        )
    for marker in markers:
        figure.add_shape(
            type="line",
            x0=marker.position,
            x1=marker.position,
            yref="paper",
            y0=0,
            y1=1,
            line={"color": look.muted, "width": 1, "dash": "dot"},
        )
        figure.add_annotation(
            text=escaped(marker.name),
            x=marker.position,
            yref="paper",
            y=1,
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            font={"size": 11, "color": look.muted},
        )
    whole = len(positions) - len(axis.incomplete)
    for line in lines:
        if 0 < whole < len(positions):  # what is still filling is dotted
            figure.add_scatter(
                x=positions[whole - 1 :],
                y=list(line.values[whole - 1 :]),
                mode="lines",
                line={"color": line.colour, "width": 1 + line.weight, "dash": "dot"},
                opacity=0.5,
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=positions,
            y=[value if place not in axis.incomplete else None for place, value in enumerate(line.values)],
            # A point alone between two gaps would not be seen as a line.
            mode="lines+markers" if _has_islands(line.values) else "lines",
            marker={"size": 4, "color": line.colour},
            line={"color": line.colour, "width": 1 + line.weight},
            opacity=0.45 + 0.55 * line.weight,
            hovertext=[
                f"<b>{text}</b>  {escaped(line.name)}<br>{long}"
                for text, long in zip(line.texts, axis.long, strict=True)
            ],
            hoverinfo="text",
        )
    for name, colour, value in _labels(lines, top, height) if len(lines) > 1 else ():
        figure.add_annotation(
            text=escaped(name),
            xref="paper",
            x=1,
            xanchor="left",
            xshift=4,
            y=value,
            yanchor="middle",
            showarrow=False,
            font={"size": 12, "color": colour},
        )
    figure.update_layout(hovermode="closest", hoverdistance=40)
    figure.update_xaxes(range=[-0.5, max(len(positions) - 0.5, 0.5)], **ticks(axis.short), tickfont={"size": 12})
    figure.update_yaxes(**money_axis(look, top, steps))
    return figure


def nice_steps(lines: Sequence[Line], band: Band | None = None) -> list[float]:
    values = [value for line in lines for value in line.values if value is not None]
    return round_steps(max([*values, band.high if band else 0.0], default=0.0))


def _labels(lines: Sequence[Line], top: float, height: int) -> list[tuple[str, str, float]]:
    """Where each name stands: at its line's last value, at least a text's height above the one below."""
    apart = top * 16 / max(height - 60, 1)
    ends = sorted(
        (next((value for value in reversed(line.values) if value is not None), 0.0), line.name, line.colour)
        for line in lines
        if any(value is not None for value in line.values)
    )
    placed: list[tuple[str, str, float]] = []
    for value, name, colour in ends:
        at = max(value, placed[-1][2] + apart) if placed else value
        placed.append((name, colour, at))
    return placed


def _has_islands(values: Sequence[float | None]) -> bool:
    padded = [None, *values, None]
    return any(
        here is not None and before is None and after is None
        for before, here, after in zip(padded, padded[1:], padded[2:], strict=False)
    )
