"""Allocation: the worked example to the digit, and nothing lost or made whatever happens in a window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outlay_collector.gpu.allocate import (
    NANO,
    CallSeen,
    Claim,
    EngineSeen,
    GpuSeen,
    Unit,
    Weights,
    allocate,
    claims,
    effective_prices,
    processor_sharing,
    shares,
)
from outlay_collector.gpu.rates import GpuHours, GpuRate, Owned, cost_of, default_rate, owned_rate, rate_at, same_gpu

START = datetime(2026, 11, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
T0 = round(START.timestamp() * 1_000_000)
S = 1_000_000


def a_call(key: str, start: float, end: float, **more: Any) -> CallSeen:
    return CallSeen(key=key, start=T0 + round(start * S), end=T0 + round(end * S), **more)


def an_engine(start: float, end: float, instance: str = "0", **more: Any) -> EngineSeen:
    return EngineSeen(instance=instance, start=T0 + round(start * S), end=T0 + round(end * S), **more)


def test_the_worked_example() -> None:
    """H100 at $3.60 for a minute, half of it busy; 1,160 prompt tokens computed and 360 written, of which calls tell most."""
    cost = cost_of(
        [GpuHours(gpu="H100", gpus=Fraction(1), starts=START)],
        [GpuRate(gpu="H100", kind="on_demand", amount=Decimal("3.60"))],
        pool_id=1,
        start=START,
        end=START + MINUTE,
    )
    assert cost.nano == 60_000_000
    unit = Unit(
        key="llama",
        cost=cost.nano,
        calls=[
            a_call("A", 0, 25, prompt=1000, cached=400, output=200),
            a_call("B", 20, 30, prompt=500, output=100),
        ],
        engines=[
            an_engine(0, 30, running=1, computed=1160, output=360, prefill_seconds=0.116, decode_seconds=2.88),
            an_engine(30, 60, running=0, computed=0, output=0),
        ],
    )
    found = allocate(unit, START, START + MINUTE)
    assert (round(found.weights.prefill, 12), round(found.weights.decode, 12)) == (1e-4, 8e-3)
    assert found.calls == {"A": 16_622_163, "B": 8_511_348}
    assert found.kinds == {"unattributed": 4_866_489, "idle": 30_000_000, "startup": 0, "unobserved": 0}
    assert found.evidence == "running"


def test_effective_prices_of_a_busy_minute() -> None:
    weights = Weights(1e-4, 8e-3, "engine")
    work = (30_000 * 10**6 * weights.prefill_pico()) + (12_000 * 10**6 * weights.decode_pico())
    prices = effective_prices(60_000_000, work, weights)
    assert prices is not None
    assert (round(prices.prompt, 4), round(prices.output, 3)) == (0.0606, 4.848)


def test_seconds_of_requests_served_together_are_shared_by_them() -> None:
    alone, together = (
        allocate(
            Unit(key=1, cost=1, engines=[an_engine(0, 60, running=n, computed=10, output=10, prefill_seconds=1,
                                                   decode_seconds=80)]),
            START, START + MINUTE,
        ).weights.decode
        for n in (1, 8)
    )  # fmt: skip
    assert alone == pytest.approx(8 * together)


def test_a_call_that_crosses_two_windows_is_charged_in_both_for_what_it_did_there() -> None:
    call = a_call("A", 30, 90, first=T0 + 45 * S, prompt=100, output=90)
    first, second = (
        allocate(
            Unit(key=1, cost=NANO, calls=[call], weights=Weights(1e-3, 1e-3, "engine")),
            START + n * MINUTE,
            START + (n + 1) * MINUTE,
        )
        for n in (0, 1)
    )
    assert (first.work_seen, second.work_seen) == ((100 + 30) * 10**15, 60 * 10**15)
    assert (first.calls, first.kinds["unobserved"]) == ({"A": NANO // 2}, NANO // 2)


def test_a_cached_prompt_costs_less_than_the_same_one_uncached() -> None:
    calls = [
        a_call("fresh", 0, 10, prompt=1000, output=10),
        a_call("cached", 0, 10, prompt=1000, cached=900, output=10),
    ]
    found = allocate(Unit(key=1, cost=NANO, calls=calls), START, START + MINUTE).calls
    assert found["fresh"] > found["cached"] > 0


def test_more_idle_time_changes_no_calls_cost() -> None:
    def cost(minutes: int) -> int:
        unit = Unit(
            key=1,
            cost=minutes * NANO,
            calls=[a_call("A", 0, 30, prompt=10, output=10)],
            gpus=[GpuSeen(gpu="g", start=T0, end=T0 + minutes * 60 * S, active=0.5)],
        )
        return allocate(unit, START, START + minutes * MINUTE).calls["A"]

    assert cost(1) == cost(2) == cost(4)


def test_an_engine_that_does_not_answer_is_starting_and_what_nobody_looked_at_is_unobserved() -> None:
    unit = Unit(
        key=1, cost=60, engines=[an_engine(0, 20, up=False), an_engine(20, 35, running=0), an_engine(35, 40, running=2)]
    )
    found = allocate(unit, START, START + MINUTE)
    assert found.kinds == {"startup": 20, "idle": 15, "unobserved": 20, "unattributed": 5}


def test_missed_scrapes_do_not_charge_more_than_there_is() -> None:
    unit = Unit(
        key=1, cost=60, calls=[a_call("A", 0, 60, output=100)],
        engines=[an_engine(0, 60, running=1, computed=0, output=40)],
    )  # fmt: skip
    found = allocate(unit, START, START + MINUTE)
    assert (found.calls, found.more_seen_than_counted) == ({"A": 60}, True)


def test_busy_without_any_token_is_unattributed() -> None:
    found = allocate(Unit(key=1, cost=60, engines=[an_engine(0, 60, running=1)]), START, START + MINUTE)
    assert found.kinds["unattributed"] == 60


def test_a_gpu_tells_how_busy_it_was_where_no_engine_does() -> None:
    found = allocate(
        Unit(key=1, cost=100, gpus=[GpuSeen(gpu="g", start=T0, end=T0 + 60 * S, active=0.25)]), START, START + MINUTE
    )
    assert (found.evidence, found.kinds["unattributed"], found.kinds["idle"]) == ("engine_active", 25, 75)


def test_processor_sharing_gives_every_moment_once() -> None:
    calls = [a_call("A", 0, 20), a_call("B", 10, 20), a_call("C", 30, 40)]
    assert processor_sharing(calls, (T0, T0 + 60 * S)) == {"A": 15, "B": 5, "C": 10}


@given(total=st.integers(0, 10**15), weights=st.lists(st.integers(0, 10**20), min_size=1, max_size=30))
def test_shares_sum_to_the_whole(total: int, weights: list[int]) -> None:
    if not sum(weights):
        return
    parts = shares(total, weights)
    assert sum(parts) == total
    assert all(
        abs(part - Fraction(total * weight, sum(weights))) < 1 for part, weight in zip(parts, weights, strict=True)
    )


_SECONDS = st.floats(-30, 150, allow_nan=False)
_COUNT = st.one_of(st.none(), st.floats(0, 1e7, allow_nan=False))


@st.composite
def calls_seen(draw: st.DrawFn) -> Sequence[CallSeen]:
    made: list[CallSeen] = []
    for number in range(draw(st.integers(0, 12))):
        start = draw(_SECONDS)
        end = start + draw(st.floats(-1, 200))
        prompt = draw(st.integers(0, 200_000))
        first = draw(st.one_of(st.none(), _SECONDS.map(lambda at: T0 + round(at * S))))
        made.append(
            a_call(
                str(number), start, end,
                first=first, prompt=prompt, cached=draw(st.integers(0, prompt + 5)), output=draw(st.integers(0, 50_000)),
            )
        )  # fmt: skip
    return made


@st.composite
def engines_seen(draw: st.DrawFn) -> Sequence[EngineSeen]:
    made: list[EngineSeen] = []
    for instance in range(draw(st.integers(0, 3))):
        at = draw(st.floats(-20, 30))
        for _ in range(draw(st.integers(0, 8))):
            at += draw(st.sampled_from((0, 0, 0, 17.5)))  # missed scrapes
            end = at + draw(st.sampled_from((0, 5, 15, 15, 40)))
            made.append(
                an_engine(
                    at, end, instance=str(instance), up=draw(st.booleans()),
                    running=draw(st.one_of(st.none(), st.floats(0, 300))),
                    computed=draw(_COUNT), cached=draw(_COUNT), output=draw(_COUNT),
                    prefill_seconds=draw(_COUNT), decode_seconds=draw(_COUNT), is_residency=draw(st.booleans()),
                )
            )  # fmt: skip
            at = end
    return made


_PARTS = st.sampled_from((Fraction(1), Fraction(8), Fraction(3, 7), Fraction(1, 7)))


@st.composite
def pool_hours(draw: st.DrawFn) -> list[GpuHours]:
    made: list[GpuHours] = []
    for _ in range(draw(st.integers(1, 3))):
        starts = START + timedelta(seconds=draw(st.integers(-100, 100)))
        length = draw(st.one_of(st.none(), st.integers(1, 200)))
        ends = None if length is None else starts + timedelta(seconds=length)
        made.append(GpuHours(gpu="H100", gpus=draw(_PARTS), starts=starts, ends=ends))
    return made


@st.composite
def pool_rates(draw: st.DrawFn) -> list[GpuRate]:
    """Some of which begin or end inside the window."""
    made: list[GpuRate] = []
    for number in range(draw(st.integers(0, 4))):
        at = START + timedelta(milliseconds=draw(st.integers(-1000, 70_000)))
        amount = draw(st.decimals(0, 100, places=6))
        made.append(GpuRate(id=number, gpu="H100", kind="on_demand", amount=amount, valid_from=at))
    return made


@settings(max_examples=60, deadline=None)
@given(
    hours=pool_hours(),
    rates=pool_rates(),
    models=st.lists(st.tuples(calls_seen(), engines_seen(), st.one_of(st.none(), st.integers(1, 120 * S))), max_size=3),
    jobs=st.lists(st.integers(1, 60 * S), max_size=2),
)
def test_whatever_happens_calls_and_kinds_are_the_cost_of_the_gpus(
    hours: list[GpuHours],
    rates: list[GpuRate],
    models: list[tuple[Sequence[CallSeen], Sequence[EngineSeen], int | None]],
    jobs: list[int],
) -> None:
    cost = cost_of(hours, rates, pool_id=1, start=START, end=START + MINUTE)
    assert cost.nano is not None
    claimed = [Claim(key=("model", n), gpu_us=gpu_us) for n, (_, _, gpu_us) in enumerate(models)]
    claimed += [Claim(key=("job", n), gpu_us=gpu_us) for n, gpu_us in enumerate(jobs)]
    split, unclaimed = claims(cost.nano, cost.gpu_us, claimed)
    spent = sum(part for (kind, _), part in split.items() if kind == "job") + unclaimed  # type: ignore[misc]
    for number, (calls, engines, _) in enumerate(models):
        found = allocate(
            Unit(key=number, cost=split[("model", number)], calls=calls, engines=engines), START, START + MINUTE
        )
        assert min([0, *found.calls.values(), *found.kinds.values()]) == 0
        spent += sum(found.calls.values()) + sum(found.kinds.values())
    assert spent == cost.nano


@settings(max_examples=60, deadline=None)
@given(hours=pool_hours(), rates=pool_rates(), cuts=st.lists(st.integers(1, 59), max_size=6))
def test_windows_side_by_side_cost_what_one_long_one_costs_but_for_a_rounding_at_each_change(
    hours: list[GpuHours], rates: list[GpuRate], cuts: list[int]
) -> None:
    bounds = [START + timedelta(seconds=cut) for cut in sorted({0, 60, *cuts})]
    one = cost_of(hours, rates, pool_id=1, start=bounds[0], end=bounds[-1]).nano
    several = sum(cost_of(hours, rates, pool_id=1, start=start, end=end).nano or 0 for start, end in pairwise(bounds))
    assert one == several


def test_a_rate_of_the_pool_goes_before_any_pools_and_a_default_says_so() -> None:
    any_pool = GpuRate(id=1, gpu="H100", kind="on_demand", amount=Decimal(3))
    own = GpuRate(id=2, pool_id=7, gpu="H100", kind="reserved", amount=Decimal(2), valid_to=START)
    found = [rate_at([any_pool, own], pool_id=7, gpu="NVIDIA H100 80GB HBM3", at=START + n * MINUTE) for n in (-1, 0)]
    assert found == [own, any_pool]
    default = rate_at([], pool_id=7, gpu="NVIDIA L4", at=START)
    assert default is not None
    assert (default.is_default, default.amount) == (True, Decimal("0.8048"))
    assert default_rate("RTX 4090") is None


def test_names_of_parts() -> None:
    assert same_gpu("H100", "NVIDIA H100 80GB HBM3")
    assert same_gpu("a100-80gb", "NVIDIA A100-SXM4-80GB")
    assert not same_gpu("A100-40GB", "NVIDIA A100-SXM4-80GB")
    assert not same_gpu("L4", "NVIDIA L40S")


def test_hardware_of_ones_own() -> None:
    assert owned_rate(
        Owned(capex=Decimal(30_000), kilowatts=Decimal("0.7"), per_kilowatt_hour=Decimal("0.12"))
    ) == Decimal("0.725638")
