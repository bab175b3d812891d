"""Billed against traced: the parts of every difference sum to it exactly, and each cause is found where it is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from outlay_collector.bills import shape
from outlay_collector.bills.reconcile import CAUSES, Billed, Gap, Traced, compare, summed

DAY = date(2026, 10, 1)
COVERS = {"openai": (DAY, DAY + timedelta(days=3))}


def billed(quantity: Any = 1_000, cost: str = "1", **more: Any) -> Billed:
    row = {"day": DAY, "project": None, "provider": "openai", "model": "m", "meter": "input", "tier": "standard"} | more
    return Billed(quantity=None if quantity is None else Decimal(quantity), cost=Decimal(cost), **row)


def traced(quantity: int = 1_000, cost: str | None = "1", *, hour: int = 12, day: int = 0, **more: Any) -> Traced:
    row = {"project": None, "provider": "openai", "model": "m", "meter": "input", "tier": "standard"} | more
    at = datetime(2026, 10, 1 + day, hour, tzinfo=UTC)
    return Traced(hour=at, quantity=Decimal(quantity), cost=None if cost is None else Decimal(cost), **row)


def compared(bills: list[Billed], calls: list[Traced], **more: Any) -> list[Gap]:
    found = compare(bills, calls, covers=more.get("covers", COVERS), rate_of=more.get("rate_of", lambda *_: None))
    return [gap for gap in found if gap.gap]


def parts(bills: list[Billed], calls: list[Traced], **more: Any) -> dict[str, Decimal]:
    return summed(compared(bills, calls, **more))["causes"]


def test_equal_bills_leave_nothing() -> None:
    assert compared([billed()], [traced(600, "0.6"), traced(400, "0.4")]) == []


def test_what_nobody_traced_is_missing_instrumentation_at_the_bills_rate() -> None:
    assert parts([billed(1_000, "2")], [traced(750, "1.5")]) == {"missing_instrumentation": Decimal("0.5")}
    assert parts([billed(None, "2")], []) == {"missing_instrumentation": Decimal(2)}


def test_what_nobody_billed_is_named_too() -> None:
    assert parts([billed()], [traced(), traced(500, "0.5")]) == {"not_billed": Decimal("-0.5")}


def test_a_quantity_without_a_price_is_an_unknown_price() -> None:
    assert parts([billed(1_000, "2")], [traced(1_000, None)]) == {"unknown_price": Decimal(2)}
    half = parts([billed(1_000, "2")], [traced(500, "1"), traced(250, None)])
    assert half == {"unknown_price": Decimal("0.5"), "missing_instrumentation": Decimal("0.5")}


def test_another_tier_is_seen_by_its_name_or_by_its_price() -> None:
    (gap,) = compared([billed(cost="2", tier="priority")], [traced()])
    assert (gap.cause, gap.note) == ("other_tier", "billed as priority, traced as standard")
    prices = {"batch": Decimal("0.0005")}
    (gap,) = compared([billed(cost="0.5")], [traced()], rate_of=lambda _p, _m, tier, _u, _a: prices.get(tier))
    assert (gap.cause, gap.note) == ("other_tier", "billed at the price of batch, traced as standard")


def test_another_price_is_neither() -> None:
    (gap,) = compared([billed(cost="1.1")], [traced()])
    assert (gap.cause, gap.note) == ("other_price", "billed at 1100, priced at 1000 for a million")


def test_the_same_prompts_cut_otherwise_are_cache_semantics() -> None:
    bills = [billed(600, "0.6"), billed(400, "0.04", meter="cache_read"), billed(100, "1", meter="output")]
    calls = [traced(1_000, "1"), traced(100, "1", meter="output")]
    assert parts(bills, calls) == {"cache_semantics": Decimal("-0.36")}
    # Cached tokens counted beside the input that holds them.
    assert parts(bills, [traced(1_000, "1"), traced(400, "0.04", meter="cache_read"), calls[1]]) == {
        "cache_semantics": Decimal("-0.4")
    }


def test_days_that_begin_at_another_hour_are_a_time_zone() -> None:
    calls = [traced(100 * (day + 1) + hour, "1", day=day, hour=hour) for day in range(4) for hour in (3, 12, 21)]
    seven: dict[date, int] = {}
    for call in calls:
        day = (call.hour - timedelta(hours=8)).date()
        seven[day] = seven.get(day, 0) + int(call.quantity)
    counts: dict[date, int] = {}
    for call in calls:
        day = (call.hour - timedelta(hours=8)).date()
        counts[day] = counts.get(day, 0) + 1
    bills = [billed(seven[day], str(counts[day]), day=day) for day in seven if day >= DAY]
    found = compared(bills, calls)
    assert {gap.cause for gap in found} == {"time_zone"}
    assert set(summed(found)["causes"]) == {"time_zone"}


def test_bills_that_say_less_are_compared_by_what_they_say() -> None:
    calls = [traced(1_000, "1"), traced(100, "2", meter="output"), traced(5, "1", model="n")]
    assert parts([billed(None, "4", model=None, meter="all")], calls) == {}
    by_model = [billed(None, "3", meter="all"), billed(None, "1", model="n", meter="all")]
    assert parts(by_model, calls) == {}


def test_reasoning_is_compared_with_the_output_that_it_is_billed_as() -> None:
    assert (
        parts(
            [billed(300, "3", meter="output")], [traced(200, "2", meter="output"), traced(100, "1", meter="reasoning")]
        )
        == {}
    )


def test_providers_that_no_bill_speaks_of_are_left_out() -> None:
    assert compare([], [traced()], covers={}, rate_of=lambda *_: None) == []


AMOUNTS = st.decimals(min_value=0, max_value=10_000, places=12)
LINES = st.builds(
    Billed,
    day=st.sampled_from([DAY + timedelta(days=n) for n in range(4)]),
    project=st.sampled_from([None, "shop"]),
    provider=st.just("openai"),
    model=st.sampled_from([None, "m", "n"]),
    meter=st.sampled_from(["all", "input", "cache_read", "output"]),
    tier=st.sampled_from(["standard", "batch"]),
    quantity=st.one_of(st.none(), st.integers(0, 1_000_000).map(Decimal)),
    cost=st.one_of(AMOUNTS, AMOUNTS.map(lambda cost: -cost)),
)
CALLS = st.builds(
    Traced,
    hour=st.integers(-24, 5 * 24).map(lambda hours: datetime(2026, 10, 1, tzinfo=UTC) + timedelta(hours=hours)),
    project=st.sampled_from([None, "shop"]),
    provider=st.sampled_from(["openai", "anthropic"]),
    model=st.sampled_from([None, "m", "n"]),
    meter=st.sampled_from(["input", "cache_read", "cache_write", "output", "reasoning", "request"]),
    tier=st.sampled_from(["standard", "priority"]),
    quantity=st.integers(0, 1_000_000).map(Decimal),
    cost=st.one_of(st.none(), AMOUNTS),
)


@given(bills=st.lists(LINES, max_size=12), calls=st.lists(CALLS, max_size=20))
def test_parts_sum_to_the_gap_and_gaps_to_the_whole_exactly(bills: list[Billed], calls: list[Traced]) -> None:
    gaps = compare(bills, calls, covers=COVERS, rate_of=lambda *_: Decimal("0.001"))
    for gap in gaps:
        assert sum(gap.parts.values()) == gap.billed - gap.traced == gap.gap
        assert set(gap.parts) <= set(CAUSES)
    whole = summed(gaps)
    assert whole["billed"] == sum((line.cost for line in bills), Decimal(0))
    days = {DAY + timedelta(days=n) for n in range(4)}
    seen = [call for call in calls if call.provider == "openai" and call.hour.date() in days]
    assert whole["traced"] == sum((call.cost or Decimal(0) for call in seen), Decimal(0))
    assert whole["billed"] == whole["traced"] + whole["untraced"] + whole["unpriced"] + whole["residual"]
    assert sum(whole["causes"].values()) == whole["gap"]
    by_model = shape.rows(gaps, ("provider", "model"))
    assert sum(Decimal(row["gap"]) for row in by_model) == whole["gap"]
