"""Explore: any measure by any dimensions, as bars over time, a ranking or a table; every mark leads further."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import streamlit as st

from outlay_dashboard import client as api
from outlay_dashboard import controls, formats, parts, sentences, states
from outlay_dashboard.answers import Spend, Totals, total, totals_by
from outlay_dashboard.figures import heat, lines, ranking
from outlay_dashboard.figures import spend as figures
from outlay_dashboard.measures import MEASURES, Measure
from outlay_dashboard.parts import LedgerRow
from outlay_dashboard.scope import DIMENSIONS, Scope
from outlay_dashboard.stacks import OTHER, Stack, per_period, stack
from outlay_dashboard.views import shared
from outlay_dashboard.windows import periods
from outlay_dashboard.words import Words

_SHAPES = ("time", "ranking", "pivot", "table")
_RANKS = 25
_PIVOT = (12, 8)  # most rows and columns of a pivot
_NONE = ""


def show(scope: Scope) -> None:
    asked = st.query_params
    measure = MEASURES.get(asked.get("measure", ""), MEASURES["cost"])
    shape = asked.get("shape", "") if asked.get("shape") in _SHAPES else "time"
    across = asked.get("across", _NONE) if asked.get("across") in DIMENSIONS else _NONE
    if shape == "pivot" and across in (_NONE, scope.by):
        across = "provider" if scope.by == "model" else "model"
    _controls(scope, measure, shape, across)

    dimensions = [scope.by, *([across] if shape in ("pivot", "table") and across and across != scope.by else [])]
    interval = scope.window.interval if shape == "time" else "none"
    asked_spend = scope.client.begin(api.spend(scope.window, interval=interval, group_by=dimensions, **scope.about))
    asked_ranks = scope.client.begin(shared.ranking(scope, scope.by))
    spend = asked_spend.get()
    if not total(spend.rows).calls:
        if states.nothing_recorded(scope):
            states.first_run(scope)
        else:
            states.nothing_here(scope)
        return
    layers = stack(spend.rows, scope.by, periods(scope.window) if shape == "time" else [], measure=measure)
    painted = shared.painted(scope.by, [layer.key for layer in layers.series], asked_ranks.get(), scope)
    _title(scope, layers, spend, shape, across)
    if shape == "time":
        _over_time(scope, layers, spend, painted)
    elif shape == "ranking":
        _ranking(scope, spend, measure, painted)
    elif shape == "pivot":
        _pivot(scope, spend, measure, across)
    else:
        _table(scope, spend, dimensions)
    shared.downloads(scope, spend.rows, dimensions, "explore")


def _controls(scope: Scope, measure: Measure, shape: str, across: str) -> None:
    words = scope.words
    controls.bar(scope)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        controls.choose(
            "measure",
            list(MEASURES),
            measure.name,
            label=words("control.measure"),
            say=lambda name: words(f"measure.{name}"),
        )
        controls.choose(
            "shape",
            list(_SHAPES),
            shape,
            label=words("control.shape"),
            say=lambda name: words(f"shape.{name}"),
            flat=True,
        )
        if shape in ("pivot", "table"):
            controls.choose(
                "across",
                [name for name in (_NONE, *DIMENSIONS) if name != scope.by and (name or shape == "table")],
                across,
                label=words("control.across"),
                say=lambda name: (
                    words("control.across_dimension", dimension=words.dimension(name))
                    if name
                    else words("control.across_none")
                ),
            )


def _title(scope: Scope, layers: Stack, spend: Spend, shape: str, across: str) -> None:
    words, measure = scope.words, layers.measure
    whole = measure.of(layers.totals)
    said = f"{words(f'measure.{measure.name}')}: {measure.say(whole, spend.currency, words.language)}"
    answer = sentences.who_spends(layers, words) if measure.adds_up else said
    by = words("control.by_dimension", dimension=words.dimension(scope.by))
    if across:
        by = f"{by}, {words('control.across_dimension', dimension=words.dimension(across))}"
    unit = [said, by] if measure.adds_up else [by]
    if shape == "time":
        unit.append(words("explore.per", interval=words(f"interval.{scope.window.interval}")))
    exact = formats.exact_money(whole, spend.currency) if measure.is_money else str(whole)
    st.html(
        f'<div data-testid="explored" data-exact="{exact}">'
        + parts.title(answer, shared.measure_of_window(scope, *unit))
        + "</div>"
    )


def _over_time(scope: Scope, layers: Stack, spend: Spend, painted: dict[str | None, str]) -> None:
    words, measure = scope.words, layers.measure
    names = shared.names_in(layers, scope)
    axis = shared.axis_of(scope, layers.periods, spend.complete_until)
    alt = f"{words(f'measure.{measure.name}')}, {words.dimension(scope.by)}"
    if not measure.adds_up:
        drawn_lines = [
            lines.Line(
                name=names[layer.key],
                values=[None if value is None else float(value) for value in layer.values],
                texts=[measure.say(value, spend.currency, words.language) for value in layer.values],
                colour=scope.look.other if layer.key == OTHER else painted[layer.key],
            )
            for layer in layers.series
            if not layer.is_unknown
        ]
        steps = {
            step: measure.say_short(Decimal(str(step)), spend.currency, words.language)
            for step in lines.nice_steps(drawn_lines)
        }
        drawn = lines.over_time(drawn_lines, axis, steps=steps, look=scope.look, height=400)
        shared.chart(drawn, name="explored_over_time", alt=alt)
        unknown = [layer for layer in layers.series if layer.is_unknown]
        if unknown:
            st.html(
                parts.legend([(f"{names[layer.key]}  {_unknown(layer.totals, words)}", "hatched") for layer in unknown])
            )
        return
    unpriced = [sums.unpriced_calls for sums in per_period(spend.rows, layers.periods)]
    drawn = figures.spend_over_time(
        layers,
        axis,
        names=names,
        colours=painted,
        before=None,
        unpriced_calls=unpriced if measure.is_money else [0] * len(unpriced),
        currency=spend.currency,
        look=scope.look,
        words=words,
        height=420,
    )
    points = shared.chart(drawn, name="explored_over_time", alt=alt, clickable=True)
    shared.open_clicked(scope, layers, points or [])
    legend = [
        (
            f"{names[layer.key]}  "
            + (
                _unknown(layer.totals, words)
                if layer.is_unknown
                else measure.say(layer.total, spend.currency, words.language)
            ),
            "hatched" if layer.is_unknown else painted.get(layer.key, scope.look.other),
        )
        for layer in layers.series
    ]
    st.html(parts.legend(legend))


def _ranking(scope: Scope, spend: Spend, measure: Measure, painted: dict[str | None, str]) -> None:
    words = scope.words
    groups = totals_by(spend.rows, lambda row: row.of.get(scope.by))
    values = {key: measure.of(sums) for key, sums in groups.items()}
    ordered = sorted(values, key=lambda key: (values[key] is None, -(values[key] or Decimal(0)), key or ""))
    whole = measure.of(total(spend.rows))
    shown = [
        ranking.Rank(
            key=key,
            name=sentences.name_of(key, scope.by, words),
            value=None if (value := values[key]) is None else float(value),
            text=words("not_priced") if value is None else measure.say(value, spend.currency, words.language),
            colour=painted.get(key, scope.look.accent),
            note=formats.share(value, whole) if measure.adds_up and value is not None else "",
        )
        for key in ordered[:_RANKS]
    ]
    alt = f"{words(f'measure.{measure.name}')}, {words.dimension(scope.by)}"
    points = shared.chart(ranking.ranking(shown, look=scope.look), name="explored_ranking", alt=alt, clickable=True)
    if len(ordered) > len(shown):
        st.caption(words("explore.and_more", n=len(ordered) - len(shown)))
    if points:
        key = shown[int(points[0]["y"])].key
        filters = scope.with_filter(scope.by, key)
        st.switch_page(scope.pages["traces"], query_params=scope.address(filter=filters))


def _pivot(scope: Scope, spend: Spend, measure: Measure, across: str) -> None:
    words = scope.words
    cells = totals_by(spend.rows, lambda row: (row.of.get(scope.by), row.of.get(across)))

    def largest(dimension: str, most: int) -> list[str | None]:
        sums = totals_by(spend.rows, lambda row: row.of.get(dimension))
        return sorted(sums, key=lambda key: -(measure.of(sums[key]) or Decimal(0)))[:most]

    rows, columns = largest(scope.by, _PIVOT[0]), largest(across, _PIVOT[1])
    values = [
        [measure.of(cells[row, column]) if (row, column) in cells else None for column in columns] for row in rows
    ]
    row_names = [sentences.name_of(key, scope.by, words) for key in rows]
    column_names = [sentences.name_of(key, across, words) for key in columns]
    texts = [
        [
            measure.say(value, spend.currency, words.language)
            if value is not None
            else words("not_priced")
            if (row, column) in cells
            else ""
            for column, value in zip(columns, line, strict=True)
        ]
        for row, line in zip(rows, values, strict=True)
    ]
    drawn = heat.heat(
        [[None if value is None else float(value) for value in line] for line in values],
        columns=column_names,
        rows=row_names,
        hovers=[
            [
                f"{figures.escaped(row)} · {figures.escaped(column)}<br><b>{text}</b>"
                for column, text in zip(column_names, line, strict=True)
            ]
            for row, line in zip(row_names, texts, strict=True)
        ],
        look=scope.look,
        texts=texts,
    )
    alt = f"{words(f'measure.{measure.name}')}, {words.dimension(scope.by)} × {words.dimension(across)}"
    shared.chart(drawn, name="explored_pivot", alt=alt)
    left_out = len({key for key, _ in cells}) - len(rows) + len({key for _, key in cells}) - len(columns)
    if left_out:
        st.caption(words("explore.and_more", n=left_out))


def _table(scope: Scope, spend: Spend, dimensions: Sequence[str]) -> None:
    """Every measure of every group, the costliest first."""
    words, language = scope.words, scope.words.language
    groups = totals_by(spend.rows, lambda row: tuple(row.of.get(name) for name in dimensions))
    ordered = sorted(groups.items(), key=lambda pair: (-(pair[1].cost or Decimal(0)), -pair[1].calls))
    columns = ("cost", "calls", "cost_per_call", "input_tokens", "output_tokens", "cost_per_million", "error_rate")
    rows: list[LedgerRow] = []
    for keys, sums in ordered[:200]:
        names = [sentences.name_of(key, name, words) for key, name in zip(keys, dimensions, strict=True)]
        cells = [
            shared.cost_of(sums, spend.currency, words)
            if name == "cost"
            else MEASURES[name].say(MEASURES[name].of(sums), spend.currency, language)
            for name in columns
        ]
        filters = scope.with_filter(dimensions[0], keys[0])
        rows.append(
            LedgerRow(
                name=" · ".join(names),
                cells=tuple(cells),
                href=scope.link("traces", filter=filters),
                has_unknown=sums.unpriced_calls > 0,
            )
        )
    head = " · ".join(words.dimension(name) for name in dimensions)
    st.html(parts.ledger((shared.capitalised(head), *(words(f"measure.{name}") for name in columns)), rows))
    if len(ordered) > len(rows):
        st.caption(words("explore.and_more", n=len(ordered) - len(rows)))


def _unknown(sums: Totals, words: Words) -> str:
    """Why a group has no value: its calls have no price, or there is nothing to measure."""
    return words("not_priced") if sums.unpriced_calls else formats.DASH
