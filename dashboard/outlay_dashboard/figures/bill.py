"""From the invoice to what explains it: how much was traced, how much was not, and what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import plotly.graph_objects as go

from outlay_dashboard import formats
from outlay_dashboard.figures.frame import frame, hatched
from outlay_dashboard.theme import Look


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the invoice. ``kind`` is ``traced``, ``untraced``, ``unpriced`` or ``residual``."""

    kind: str
    name: str
    amount: Decimal


def waterfall(billed: Decimal, steps: Sequence[Step], *, invoice: str, currency: str, look: Look) -> go.Figure:
    """The invoice stands; its parts lead up to it, each from where the one before ended. What has no price is hatched."""
    figure = frame(look, height=320, top=28, bottom=40, left=4, right=4)
    labels, starts, sizes, texts, hovers = [invoice], [0.0], [float(billed)], [formats.money(billed, currency)], []
    hovers.append(f"{invoice}<br>{formats.exact_money(billed, currency)}")
    markers: list[Mapping[str, Any]] = [_filled(look.ink)]
    level, levels = Decimal(0), [float(billed)]
    for step in steps:
        labels.append(step.name)
        starts.append(float(min(level, level + step.amount)))
        sizes.append(float(abs(step.amount)))
        texts.append(formats.money(step.amount, currency))
        hovers.append(f"{step.name}<br>{formats.exact_money(step.amount, currency)}")
        markers.append(_marker(step.kind, look))
        level += step.amount
        levels.append(float(level))
    for place, marker in enumerate(markers):
        figure.add_bar(
            x=[place],
            y=[sizes[place]],
            base=[starts[place]],
            marker=marker,
            width=0.62,
            hovertext=[hovers[place]],
            hoverinfo="text",
        )
        figure.add_annotation(
            x=place,
            y=starts[place] + sizes[place],
            text=texts[place],
            yanchor="bottom",
            showarrow=False,
            font={"size": 12.5, "color": look.ink},
        )
    level = Decimal(0)
    for place, step in enumerate(steps[:-1], start=1):
        level += step.amount
        figure.add_shape(
            type="line",
            x0=place + 0.31,
            x1=place + 0.69,
            y0=float(level),
            y1=float(level),
            line={"color": look.muted, "width": 1},
        )
    high, low = max(levels), _floor(billed, steps)
    places = list(range(len(labels)))
    figure.update_xaxes(tickmode="array", tickvals=places, ticktext=labels, tickfont={"size": 12}, tickangle=0)
    figure.update_yaxes(visible=False, range=[low, high + (high - low) * 0.06])
    figure.update_layout(bargap=0.3, barmode="overlay")
    return figure


def is_cut(billed: Decimal, steps: Sequence[Step]) -> bool:
    """Whether the figure leaves out the lower part of the invoice, which then has to be said."""
    return _floor(billed, steps) > 0


def _floor(billed: Decimal, steps: Sequence[Step]) -> float:
    """Where the axis begins: above zero where nearly all is traced, or the rest could not be seen; below it for a part that
    leads there."""
    level, levels = Decimal(0), [billed]
    for step in steps:
        level += step.amount
        levels.append(level)
    low, high = float(min(levels)), float(max(levels))
    return max(0.0, low - (high - low) * 0.6) if low > high / 2 else min(0.0, low)


def _marker(kind: str, look: Look) -> Mapping[str, Any]:
    if kind == "unpriced":
        return hatched(look)
    return _filled({"traced": look.accent, "untraced": look.other}.get(kind, look.muted))


def _filled(colour: str) -> Mapping[str, Any]:
    return {"color": colour, "line": {"width": 0}}
