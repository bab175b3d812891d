"""Where GPU hours went over time, and what a million tokens cost at any utilisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import plotly.graph_objects as go

from outlay_dashboard import formats
from outlay_dashboard.answers import VersusPoint
from outlay_dashboard.figures.frame import frame, hatched, money_axis, round_steps, ticks
from outlay_dashboard.theme import Look

PARTS = ("calls", "jobs", "unattributed", "idle", "startup", "unobserved")
"""From the bottom up: what was used, then what was not."""


def colours(look: Look) -> dict[str, str]:
    """Used in the accent and the first categories, idle in grey, what nobody saw hatched."""
    return {
        "calls": look.accent,
        "jobs": look.categories[1],
        "unattributed": look.categories[2],
        "idle": look.other,
        "startup": look.categories[3],
        "unobserved": "hatched",
    }


def hours_over_time(
    values: Mapping[str, Sequence[Decimal]],
    *,
    short: Sequence[str],
    long: Sequence[str],
    names: Mapping[str, str],
    currency: str,
    look: Look,
) -> go.Figure:
    """Bars per period, each part of the cost above the one before."""
    figure = frame(look, height=280, bottom=30, right=22)
    painted = colours(look)
    totals = [float(sum(part[place] for part in values.values())) for place in range(len(short))]
    for part in PARTS:
        amounts = values.get(part)
        if not amounts or not any(amounts):
            continue
        marker = hatched(look) if painted[part] == "hatched" else {"color": painted[part], "line": {"width": 0}}
        figure.add_bar(
            x=list(range(len(short))),
            y=[float(amount) for amount in amounts],
            marker=marker,
            hovertext=[
                f"{names[part]}<br>{when}<br>{formats.money(amount, currency)}"
                for when, amount in zip(long, amounts, strict=True)
            ],
            hoverinfo="text",
        )
    top = max(totals, default=0.0)
    steps = {step: formats.short_money(Decimal(str(step)), currency) for step in round_steps(top)}
    figure.update_layout(barmode="stack", bargap=0.25)
    figure.update_yaxes(**money_axis(look, top, steps))
    figure.update_xaxes(**ticks(short, 8))
    return figure


def own_against_api(
    points: Sequence[VersusPoint], *, now: float | None, names: tuple[str, str], currency: str, look: Look
) -> go.Figure:
    """What a million tokens cost by how much of the pool is used: on own hardware, and by an API."""
    figure = frame(look, height=260, bottom=34, right=60, left=4, top=16)
    places = [float(point.utilization) * 100 for point in points]
    own, api = [float(point.own) for point in points], [float(point.api) for point in points]
    top = min(max([*own, *api], default=1.0), max(api, default=1.0) * 4)
    for line, colour, name in ((own, look.accent, names[0]), (api, look.muted, names[1])):
        figure.add_scatter(
            x=places,
            y=line,
            mode="lines",
            line={"color": colour, "width": 2},
            hovertext=[
                f"{name}<br>{place:.0f} %<br>{formats.money(Decimal(str(value)), currency)}"
                for place, value in zip(places, line, strict=True)
            ],
            hoverinfo="text",
        )
        figure.add_annotation(
            x=places[-1],
            y=min(line[-1], top),
            text=name,
            xanchor="right",
            yanchor="bottom",
            showarrow=False,
            font={"size": 12, "color": colour},
        )
    if now is not None:
        figure.add_vline(x=min(now * 100, 100), line={"color": look.hairline, "width": 2, "dash": "dot"})
    steps = {step: formats.short_money(Decimal(str(step)), currency) for step in round_steps(top)}
    figure.update_yaxes(**money_axis(look, top, steps))
    figure.update_xaxes(
        tickmode="array", tickvals=[0, 25, 50, 75, 100], ticktext=[f"{n} %" for n in (0, 25, 50, 75, 100)]
    )
    return figure
