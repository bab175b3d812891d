"""Spend over time and what moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import plotly.graph_objects as go

from outlay_dashboard import formats
from outlay_dashboard.figures.frame import frame, hatched, money_axis, round_steps, ticks
from outlay_dashboard.movers import Mover
from outlay_dashboard.stacks import OTHER, Stack
from outlay_dashboard.theme import Look
from outlay_dashboard.words import Words

_INCOMPLETE = 0.5  # opacity of a period that is still filling


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """The periods of a window in words: short under the axis, long in the hover."""

    short: Sequence[str]
    long: Sequence[str]
    incomplete: frozenset[int] = frozenset()  # positions still filling


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """An earlier stretch to compare with, one entry per position; a cost is None where nothing is known of it."""

    label: str
    costs: Sequence[Decimal | None]
    long: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """What may be spent per period: a thin line with its name on it."""

    value: Decimal
    name: str


def spend_over_time(
    stack: Stack,
    axis: Axis,
    *,
    names: Mapping[str | None, str],
    colours: Mapping[str | None, str],
    before: Before | None,
    unpriced_calls: Sequence[int],
    currency: str,
    look: Look,
    words: Words,
    height: int = 340,
    pace: Pace | None = None,
) -> go.Figure:
    """Bars per period, stacked by group, largest at the bottom; the previous window's total as a muted line.

    Where calls have no price a lane under the axis shows them hatched, by their share of the largest such count: their
    money is unknown, so they have no place on the money axis.
    """

    def say(value: Decimal | None) -> str:
        return stack.measure.say(value, currency, words.language)

    lane = any(unpriced_calls)
    figure = frame(look, height=height, bottom=30, right=22)
    totals = stack.values_per_period() if stack.series else []
    top = max([float(cost or 0) for cost in [*totals, *(before.costs if before else ())]], default=0.0)
    top = max(top, float(pace.value)) if pace else top
    positions = list(range(len(stack.periods)))
    opacity = [_INCOMPLETE if position in axis.incomplete else 1.0 for position in positions]

    for series in stack.series:
        if series.is_unknown:
            continue
        name = names.get(series.key, str(series.key))
        figure.add_bar(
            x=positions,
            y=[float(cost) if cost else None for cost in series.values],
            name=name,
            marker={
                "color": look.other if series.key == OTHER else colours.get(series.key, look.other),
                "opacity": opacity,
                "line": {"width": 0},
            },
            customdata=[series.key if series.key is not None else ""] * len(positions),
            hovertext=[
                f"<b>{say(cost)}</b>  {escaped(name)}<br>"
                + words(
                    "chart.of_total",
                    share=formats.share(cost, whole),
                    total=say(whole),
                    period=long,
                )
                for cost, whole, long in zip(series.values, totals, axis.long, strict=True)
            ],
            hoverinfo="text",
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 0.45}},
        )
    if before is not None and any(before.costs):
        figure.add_scatter(
            x=positions,
            y=[float(cost) if cost is not None else None for cost in before.costs],
            mode="lines",
            line={"color": look.muted, "width": 1.4},
            opacity=0.75,
            connectgaps=True,
            name=before.label,
            hovertext=[
                f"<b>{say(cost)}</b>  {before.label}<br>{long}"
                for cost, long in zip(before.costs, before.long, strict=True)
            ],
            hoverinfo="text",
        )
    if pace is not None:
        _add_pace(figure, pace, len(positions), look)
    figure.update_layout(barmode="stack", bargap=0.16 if len(positions) < 60 else 0.08, hovermode="closest")
    figure.update_xaxes(
        range=[-0.6, len(positions) - 0.4],
        **ticks(axis.short),
        tickfont={"size": 12},
    )
    steps = {step: stack.measure.say_short(Decimal(str(step)), currency, words.language) for step in round_steps(top)}
    figure.update_yaxes(**money_axis(look, top, steps), domain=[0.17 if lane else 0, 1])
    if lane:
        _add_unpriced_lane(figure, unpriced_calls, axis, look, words)
    return figure


def _add_pace(figure: go.Figure, pace: Pace, count: int, look: Look) -> None:
    level = float(pace.value)
    line = {"color": look.ink, "width": 1.2}
    figure.add_shape(type="line", x0=-0.6, x1=count - 0.4, y0=level, y1=level, line=line)
    figure.add_annotation(
        text=escaped(pace.name), x=-0.5, y=level, xanchor="left", yanchor="bottom", showarrow=False,
        font={"size": 12, "color": look.ink}, bgcolor=look.page, opacity=0.85, borderpad=0,
    )  # fmt: skip


def _add_unpriced_lane(figure: go.Figure, calls: Sequence[int], axis: Axis, look: Look, words: Words) -> None:
    figure.add_bar(
        x=list(range(len(calls))),
        y=[number or None for number in calls],
        yaxis="y2",
        marker=hatched(look),
        name=words("not_priced"),
        hovertext=[
            f"<b>{formats.count(number)}</b>  {words('chart.unpriced_calls')}<br>{long}"
            for number, long in zip(calls, axis.long, strict=True)
        ],
        hoverinfo="text",
    )
    figure.update_layout(
        yaxis2={
            "domain": [0, 0.07],
            "range": [0, max(calls) * 1.05],
            "showticklabels": False,
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
            "anchor": "x",
        }
    )
    figure.update_xaxes(anchor="y2")
    figure.add_annotation(
        text=words("chart.unpriced_lane"),
        xref="paper",
        x=0,
        xanchor="left",
        yref="paper",
        y=0.072,
        yanchor="bottom",
        showarrow=False,
        font={"size": 11, "color": look.muted},
    )


def what_moved(movers: Sequence[Mover], *, names: Mapping[str | None, str], currency: str, look: Look) -> go.Figure:
    """Bars to the right for growth and to the left for decline, each labelled with both figures; no good or bad colour,
    since spending more is neither."""
    figure = frame(look, height=44 * len(movers) + 12, bottom=4, top=4)
    for place, mover in enumerate(movers):
        grew = mover.difference > 0
        figure.add_bar(
            x=[float(mover.difference)],
            y=[place],
            base=0,
            orientation="h",
            width=0.3,
            offset=0.08,
            marker={"color": look.accent if grew else look.other, "line": {"width": 0}},
            customdata=[[mover.key if mover.key is not None else ""]],
            hovertemplate=(
                f"{escaped(names[mover.key])}<br>{formats.exact_money(mover.before, currency)} {formats.ARROW} "
                f"{formats.exact_money(mover.after, currency)}<extra></extra>"
            ),
        )
        label = f"<b>{escaped(names[mover.key])}</b>"
        both = f"{formats.money(mover.before, currency)} {formats.ARROW} {formats.money(mover.after, currency)}"
        for text, side in ((label, "left"), (f"{formats.money_change(mover.before, mover.after, currency)}", "right")):
            figure.add_annotation(
                text=text if side == "right" else f"{label}  <span style='color:{look.muted}'>{both}</span>",
                xref="paper",
                x=0 if side == "left" else 1,
                xanchor=side,
                y=place - 0.18,
                yanchor="middle",
                showarrow=False,
                font={"size": 13, "color": look.ink},
            )
    low = min((float(mover.difference) for mover in movers if mover.difference < 0), default=0.0)
    high = max((float(mover.difference) for mover in movers if mover.difference > 0), default=0.0)
    figure.update_xaxes(range=[low * 1.02, high * 1.02], visible=False)
    figure.update_yaxes(range=[len(movers) - 0.45, -0.6], visible=False)
    figure.update_layout(bargap=0.5, barmode="overlay")
    if low and high:
        figure.add_shape(
            type="line", x0=0, x1=0, y0=-0.5, y1=len(movers) - 0.5, line={"color": look.hairline, "width": 1}
        )
    return figure


def escaped(text: str) -> str:
    """Plotly reads a little HTML in texts; names are data."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
