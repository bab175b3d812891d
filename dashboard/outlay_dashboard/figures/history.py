"""How prices went: steps over the years."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import plotly.graph_objects as go

from outlay_dashboard.figures.frame import frame, money_axis
from outlay_dashboard.figures.spend import escaped
from outlay_dashboard.theme import Look


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """One price over time: from each moment on it is the value beside it. ``dashed`` marks what is computed from others."""

    name: str
    moments: Sequence[datetime]
    values: Sequence[float]
    texts: Sequence[str]
    colour: str
    dashed: bool = False


def price_history(courses: Sequence[Course], *, until: datetime, steps: Mapping[float, str], look: Look) -> go.Figure:
    """Steps, never slopes: a price holds until it changes. Named at the right, where they hold now."""
    figure = frame(look, height=260, right=120, top=12)
    top = max((value for course in courses for value in course.values), default=0.0)
    apart = top * 16 / 210
    last = -apart
    for course in sorted(courses, key=lambda course: course.values[-1]):
        figure.add_scatter(
            x=[*course.moments, until],
            y=[*course.values, course.values[-1]],
            mode="lines",
            line={"color": course.colour, "width": 2, "shape": "hv", "dash": "dot" if course.dashed else "solid"},
            hovertext=[f"<b>{text}</b>  {escaped(course.name)}" for text in [*course.texts, course.texts[-1]]],
            hoverinfo="text",
        )
        last = max(course.values[-1], last + apart)
        figure.add_annotation(
            text=escaped(course.name),
            xref="paper",
            x=1,
            xanchor="left",
            xshift=5,
            y=last,
            showarrow=False,
            font={"size": 12, "color": course.colour if not course.dashed else look.muted},
        )
    figure.update_xaxes(tickformat="%Y-%m", nticks=6, tickfont={"size": 12})
    figure.update_yaxes(**money_axis(look, top, steps))
    return figure
