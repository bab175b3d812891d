"""From then to now: a bridge of effects."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from outlay_dashboard import formats
from outlay_dashboard.answers import Bridge
from outlay_dashboard.figures.frame import frame
from outlay_dashboard.theme import Look


def what_changed(
    bridge: Bridge, *, names: Mapping[str, str], ends: tuple[str, str], currency: str, look: Look
) -> go.Figure:
    """Two solid ends and the effects hanging between them, each labelled with its amount. Neither direction is good or
    bad, so both wear the accent, a decline paler."""
    figure = frame(look, height=300, top=26, bottom=40, left=4, right=4)
    level = bridge.before
    labels, starts, sizes, colours, texts, hovers = [ends[0]], [0.0], [float(level)], [look.other], [], []
    texts.append(formats.money(level, currency))
    hovers.append(formats.exact_money(level, currency))
    for effect, amount in bridge.effects.items():
        labels.append(names[effect])
        starts.append(float(min(level, level + amount)))
        sizes.append(float(abs(amount)))
        colours.append(look.accent if amount > 0 else _pale(look))
        texts.append(("+" if amount > 0 else "") + formats.money(amount, currency))
        hovers.append(f"{names[effect]}<br>{formats.exact_money(amount, currency)}")
        level += amount
    labels.append(ends[1])
    starts.append(0.0)
    sizes.append(float(bridge.after))
    colours.append(look.ink)
    texts.append(formats.money(bridge.after, currency))
    hovers.append(formats.exact_money(bridge.after, currency))
    places = list(range(len(labels)))
    figure.add_bar(
        x=places,
        y=sizes,
        base=starts,
        marker={"color": colours, "line": {"width": 0}},
        width=0.62,
        hovertext=hovers,
        hoverinfo="text",
    )
    floor, high = _floor(bridge), max(start + size for start, size in zip(starts, sizes, strict=True))
    for place, (start, size, text) in enumerate(zip(starts, sizes, texts, strict=True)):
        figure.add_annotation(
            x=place,
            y=start + size,
            text=text,
            yanchor="bottom",
            showarrow=False,
            font={"size": 12.5, "color": look.ink},
        )
    level = bridge.before
    for place, amount in enumerate([*bridge.effects.values(), None]):
        figure.add_shape(
            type="line",
            x0=place + 0.31,
            x1=place + 0.69,
            y0=float(level),
            y1=float(level),
            line={"color": look.muted, "width": 1},
        )
        level += amount or 0
    figure.update_xaxes(tickmode="array", tickvals=places, ticktext=labels, tickfont={"size": 12}, tickangle=0)
    figure.update_yaxes(visible=False, range=[floor, high + (high - floor) * 0.04])
    figure.update_layout(bargap=0.3)
    return figure


def is_cut(bridge: Bridge) -> bool:
    """Whether the figure leaves out the lower part of its ends, which then has to be said."""
    return _floor(bridge) > 0


def _floor(bridge: Bridge) -> float:
    """Where the axis begins: above zero when the change is small beside the ends, or its effects could not be seen."""
    level, levels = bridge.before, [bridge.before, bridge.after]
    for amount in bridge.effects.values():
        level += amount
        levels.append(level)
    low, high = float(min(levels)), float(max(levels))
    return max(0.0, low - (high - low) * 0.6) if low > high / 2 else 0.0


def _pale(look: Look) -> str:
    red, green, blue = (int(look.accent[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.42)"
