"""The bars of an invoice: its parts lead up to it, and a small rest can still be seen."""

from __future__ import annotations

from decimal import Decimal

from outlay_dashboard.figures.bill import Step, is_cut, waterfall
from outlay_dashboard.theme import LIGHT


def steps(traced: int, untraced: int, unpriced: int, residual: int) -> list[Step]:
    amounts = {"traced": traced, "untraced": untraced, "unpriced": unpriced, "residual": residual}
    return [Step(kind, kind, Decimal(amount)) for kind, amount in amounts.items()]


def test_each_part_begins_where_the_one_before_ended():
    figure = waterfall(Decimal(100), steps(60, 30, 15, -5), invoice="Invoice", currency="USD", look=LIGHT)
    bars = [(bar.base[0], bar.base[0] + bar.y[0]) for bar in figure.data]
    assert bars == [(0, 100), (0, 60), (60, 90), (90, 105), (100, 105)]
    assert figure.data[3].marker.pattern.shape == "/"  # what has no price is hatched


def test_the_axis_is_cut_only_where_nearly_all_is_traced():
    assert is_cut(Decimal(100), steps(97, 2, 1, 0))
    assert not is_cut(Decimal(100), steps(40, 50, 10, 0))
