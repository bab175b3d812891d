"""A trace in reading order, with nothing left out."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from outlay_dashboard.tree import counted_total, steps

from tests.unit.dashboard.rows import NOON, a_call


def _at(seconds: int) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat()


def test_children_follow_their_parent_in_order_of_start():
    spans = [
        a_call("late", parent_span_id="root", start_time=_at(5)),
        a_call("root"),
        a_call("early", parent_span_id="root", start_time=_at(1)),
        a_call("inner", parent_span_id="early", start_time=_at(2)),
    ]
    walked = steps(spans)
    assert [(step.span.span_id, step.depth) for step in walked] == [
        ("root", 0),
        ("early", 1),
        ("inner", 2),
        ("late", 1),
    ]
    assert walked[2].start_ms == 2000


def test_a_span_whose_parent_never_arrived_stands_at_the_top():
    assert steps([a_call("orphan", parent_span_id="lost")])[0].depth == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=10, unique_by=lambda pair: pair[0]))
def test_every_span_is_shown_once_whatever_the_parents_say(pairs):
    spans = [a_call(str(own), parent_span_id=str(parent)) for own, parent in pairs]
    assert sorted(step.span.span_id for step in steps(spans)) == sorted(span.span_id for span in spans)


def test_only_counted_calls_cost():
    spans = [
        a_call("a", cost="0.5"),
        a_call("b", cost="0.5", counted=False, not_counted_reason="duplicate"),
        a_call("c", cost=None),
        a_call("d", cost="9", span_type="aggregate"),
    ]
    totals = counted_total(spans)
    assert totals.cost == Decimal("0.5")
    assert (totals.calls, totals.unpriced_calls) == (2, 1)
