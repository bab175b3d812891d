"""Rows become layers without losing a cent."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from outlay_dashboard.movers import movers
from outlay_dashboard.stacks import OTHER, stack, weeks_back

from tests.unit.dashboard.rows import NOON, a_row

DAYS = [NOON + timedelta(days=place) for place in range(3)]


def test_groups_are_ranked_by_cost_and_the_rest_is_one_layer():
    rows = [a_row(str(cost), at=DAYS[0], team=f"team-{cost}") for cost in range(1, 12)]
    layers = stack(rows, "team", DAYS).series
    assert [layer.key for layer in layers] == [f"team-{cost}" for cost in range(11, 4, -1)] + [OTHER]
    assert layers[-1].totals.cost == Decimal(1 + 2 + 3 + 4)
    assert layers[-1].members == 4


def test_a_single_group_is_not_hidden_behind_other():
    rows = [a_row(str(cost), at=DAYS[0], team=f"team-{cost}") for cost in range(1, 9)]
    assert OTHER not in [layer.key for layer in stack(rows, "team", DAYS).series]


def test_a_group_without_any_price_stands_last_and_has_no_cost():
    rows = [a_row("2", at=DAYS[0], model="known"), a_row(None, at=DAYS[1], calls=90, model="unknown")]
    known, unknown = stack(rows, "model", DAYS).series
    assert known.key == "known"
    assert unknown.is_unknown
    assert unknown.values == (Decimal(0), None, Decimal(0))
    assert unknown.totals.unpriced_calls == 90


def test_a_period_without_calls_cost_nothing_and_one_without_prices_is_unknown():
    rows = [a_row("2", at=DAYS[0], model="a"), a_row(None, at=DAYS[1], model="a")]
    assert stack(rows, "model", DAYS).series[0].values == (Decimal(2), None, Decimal(0))


_costs = st.one_of(st.none(), st.decimals(min_value=0, max_value=1000, places=9))
_names = st.sampled_from([*"abcdefghijklm", None])


@given(st.lists(st.tuples(_costs, st.sampled_from(DAYS), _names)))
def test_layers_add_up_to_the_total_exactly(cells):
    rows = [a_row(None if cost is None else str(cost), at=day, team=team) for cost, day, team in cells]
    made = stack(rows, "team", DAYS)
    expected = [row.cost for row in rows if row.cost is not None]
    assert sum((layer.totals.cost or 0 for layer in made.series), Decimal(0)) == sum(expected, Decimal(0))
    assert sum(cost or 0 for layer in made.series for cost in layer.values) == sum(expected, Decimal(0))
    assert sum(layer.totals.calls for layer in made.series) == len(rows)


def test_weekdays_meet_weekdays():
    assert [weeks_back(days) for days in (30, 7, 90, 5)] == [28, 7, 84, 5]


def test_movers_are_the_largest_changes_either_way():
    before = [a_row("10", team="fell"), a_row("1", team="rose"), a_row("5", team="same")]
    after = [a_row("2", team="fell"), a_row("4", team="rose"), a_row("5", team="same"), a_row("1", team="new")]
    assert [(mover.key, mover.difference) for mover in movers(before, after, "team")] == [
        ("fell", Decimal(-8)),
        ("rose", Decimal(3)),
        ("new", Decimal(1)),
    ]


def test_a_group_whose_price_became_unknown_has_not_moved_to_zero():
    assert movers([a_row("10", team="a")], [a_row(None, team="a")], "team") == []
