"""Budgets are told once: whatever comes late, twice, anew or to be taken back, and however many evaluate at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from outlay_collector.budgets import store
from outlay_collector.budgets.periods import period_at
from outlay_collector.budgets.watch import store as watch
from outlay_collector.db.engine import connect
from outlay_collector.errors import BadRequest, Conflict
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.months import store as months

from tests.builders import a_model_call
from tests.integration.purse import Purse
from tests.integration.shop import DAY_ONE, UTC_ZONE, a_call

SECOND_MONTH = (DAY_ONE + timedelta(days=32)).replace(day=1)
MID_MONTH = DAY_ONE + timedelta(days=14)
NOW = datetime.now(UTC)
CALL = Decimal("0.21")

_numbers = itertools.count()


@pytest.fixture
def purse(database_url: str) -> Iterator[Purse]:
    made = Purse(database_url)
    yield made
    made.close()


def test_a_threshold_is_told_once_and_the_highest_speaks_for_those_reached_with_it(purse: Purse) -> None:
    purse.budget()
    assert purse.follow() == 0
    purse.send(a_call(NOW), a_call(NOW))
    assert purse.follow() == 1
    assert purse.follow() == 0
    ((kind, title),) = purse.events()
    assert kind == "budget.crossed"
    assert title.startswith("Budget all is spent for ")
    assert purse.rows() == [("", "actual:100%", 0), ("", "actual:50%", 0)]


def test_thresholds_reached_one_after_the_other_are_told_one_after_the_other(purse: Purse) -> None:
    purse.budget()
    for told in (1, 1, 0):
        purse.send(a_call(NOW))
        assert purse.follow() == told
    assert purse.types() == ["budget.crossed"] * 2


def test_what_is_sent_twice_is_told_once(purse: Purse) -> None:
    purse.budget(amount="0.42", thresholds=[{"percent": 100}])
    call = a_call(NOW)
    for _ in range(3):
        purse.send(call)
        assert purse.follow() == 0
    purse.send(a_call(NOW))
    purse.follow()
    purse.send(call)
    assert purse.follow() == 0
    assert purse.types() == ["budget.crossed"]


def test_a_description_that_settlement_has_not_looked_at_yet_is_not_counted(purse: Purse) -> None:
    """Two spans of one call: for a moment both count, and nobody is to be told of the second."""
    purse.budget(amount="0.42", thresholds=[{"percent": 100}])
    said = {"gen_ai.response.id": "resp-1"}
    purse.send(a_call(NOW, attributes=said), scope="shop.own.wrapper")
    purse.settle()
    purse.send(a_call(NOW, attributes=said), scope="opentelemetry.instrumentation.genai.openai")
    assert watch.follow(purse.connection, purse.project_id, now=NOW) == watch.Followed(0, True)
    assert purse.follow() == 0
    assert purse.rows() == []
    purse.send(a_call(NOW))
    assert purse.follow() == 1


def test_a_budget_that_is_over_when_it_is_made_is_told_at_once(purse: Purse) -> None:
    purse.send(a_call(NOW), a_call(NOW))
    purse.settle()
    purse.budget()
    assert purse.follow() == 1


def test_backfill_of_a_month_that_is_past_is_told_once_and_called_late(purse: Purse) -> None:
    purse.budget(starts=f"{DAY_ONE:%Y-%m-%d}", amount="0.42")
    purse.send(a_call(MID_MONTH), a_call(NOW))
    purse.follow()
    purse.send(a_call(MID_MONTH - timedelta(days=3)))
    purse.follow()
    purse.send(a_call(MID_MONTH - timedelta(days=4)))
    purse.follow()
    told = purse.connection.execute(
        "SELECT data ->> 'period', data ->> 'late', data -> 'thresholds' -> 0 ->> 'key' FROM alert_event ORDER BY created_at"
    ).fetchall()
    month = f"{DAY_ONE:%Y-%m}"
    assert sorted(told) == sorted(
        [
            (month, "true", "actual:50%"),
            (f"{NOW:%Y-%m}", "false", "actual:50%"),
            (month, "true", "actual:100%"),
        ]
    )


def test_months_before_a_budget_was_made_are_summed_and_not_told(purse: Purse) -> None:
    purse.send(a_call(MID_MONTH), a_call(MID_MONTH), a_call(MID_MONTH))
    stored = purse.budget()
    assert purse.follow() == 0
    month = period_at(stored.budget.calendar, MID_MONTH)
    assert store.spent(purse.connection, stored, month) == (3 * CALL, 0)


def test_a_reprice_up_and_back_and_up_again_is_one_alert_and_one_correction(purse: Purse) -> None:
    purse.budget(amount="1", thresholds=[{"percent": 80}, {"percent": 100}])
    purse.send(a_call(NOW - timedelta(minutes=1)))
    purse.follow()
    purse.override(rates_usd_per_mtok={"input": "1", "output": "1"})
    scope = purse.scope(since=NOW - timedelta(days=10))
    job = purse.reprice(scope)
    assert purse.follow() == 1  # 1.10 of 1
    purse.undo(job)
    assert purse.follow() == 1
    purse.reprice(scope)
    assert purse.follow() == 0
    assert purse.types() == ["budget.crossed", "budget.corrected"]
    opened = purse.connection.execute("SELECT state, events FROM alert").fetchall()
    assert opened == [("resolved", 2)]


def test_settlement_that_uncounts_a_call_corrects_what_was_told(purse: Purse) -> None:
    """An agent's sum counts while it is all that is known of it; then the calls inside arrive, and they were fewer."""
    purse.budget(amount="0.20", thresholds=[{"percent": 100}])
    usage = {"gen_ai.usage.input_tokens": 1_000_000, "gen_ai.usage.output_tokens": 100_000}
    agent = a_call(NOW, attributes={"gen_ai.operation.name": "invoke_agent", **usage})
    purse.send(agent)
    assert purse.follow() == 1
    inner = a_model_call(start=NOW, trace_id=agent.trace_id, parent=agent.span_id, input_tokens=10_000)
    purse.send(inner)
    assert purse.follow() == 1
    assert purse.follow() == 0
    assert purse.types() == ["budget.crossed", "budget.corrected"]


def test_an_edit_repeats_nothing_that_still_holds_and_arms_what_does_not(purse: Purse) -> None:
    purse.budget()
    purse.send(a_call(NOW), a_call(NOW))
    purse.follow()
    purse.budget(amount="0.41", webhooks=[])
    assert purse.follow() == 0
    purse.sweep(NOW)
    assert purse.types() == ["budget.crossed"]
    purse.budget(amount="0.80")  # 52 %: half of it is still reached, all of it is not
    purse.sweep(NOW)
    assert purse.types() == ["budget.crossed", "budget.corrected"]
    purse.send(a_call(NOW), a_call(NOW))
    assert purse.follow() == 1
    assert purse.rows() == [("", "actual:100%", 0), ("", "actual:100%", 1), ("", "actual:50%", 0)]


def test_an_edit_may_ask_to_be_told_again(purse: Purse) -> None:
    purse.budget(thresholds=[{"percent": 100}])
    purse.send(a_call(NOW), a_call(NOW))
    purse.follow()
    purse.budget(amount="0.41", thresholds=[{"percent": 100}], re_alert=True)
    assert purse.sweep(NOW) == 1
    assert purse.sweep(NOW) == 0
    assert purse.rows() == [("", "actual:100%", 0), ("", "actual:100%", 1)]


def test_another_scope_is_summed_anew(purse: Purse) -> None:
    purse.send(a_call(NOW, attributes={"outlay.team": "search"}), a_call(NOW))
    stored = purse.budget(amount="9")
    purse.follow()
    month = period_at(stored.budget.calendar, NOW)
    assert store.spent(purse.connection, stored, month)[0] == 2 * CALL
    purse.connection.commit()
    purse.budget(amount="9", filter={"team": ["search"]})
    purse.follow()
    assert store.spent(purse.connection, stored, month)[0] == CALL


def test_a_closed_month_is_not_told_again_its_late_calls_count_in_the_open_one(purse: Purse) -> None:
    purse.budget(starts=f"{DAY_ONE:%Y-%m-%d}", thresholds=[{"percent": 100}])
    purse.send(a_call(MID_MONTH))
    assert purse.follow() == 0
    months.close(purse.connection, f"{DAY_ONE:%Y-%m}", actor="test", now=NOW, zone=UTC_ZONE)
    purse.connection.commit()
    purse.send(a_call(MID_MONTH))
    assert purse.follow() == 0  # 0.21 in each of two months
    purse.send(a_call(NOW))
    assert purse.follow() == 1
    (period,) = purse.connection.execute("SELECT data ->> 'period' FROM alert_event").fetchone() or ("",)
    assert period == f"{NOW:%Y-%m}"


def test_a_rolling_budget_is_told_again_only_after_a_day_clearly_below(purse: Purse) -> None:
    start = NOW - timedelta(days=6)
    purse.budget(period="rolling", days=1, thresholds=[{"percent": 100}], now=start)
    told: dict[int, list[str]] = {}
    for hours in (0, 20, 26, 30, 34, 40, 60, 64, 80, 90, 95, 100):
        at = start + timedelta(hours=hours, minutes=1)
        if hours in (0, 30, 95):  # twice 0.21 of 0.40, for a day
            purse.send(a_call(at), a_call(at))
            purse.follow(at)
        purse.sweep(at)
        told[hours] = purse.types()
    assert told[0] == ["budget.crossed"]
    assert told[40] == ["budget.crossed"]  # below from 24 to 30 only
    assert told[80] == ["budget.crossed"]  # below since 60, which is less than a day
    assert told[90] == ["budget.crossed", "budget.corrected"]
    assert told[100].count("budget.crossed") == 2
    assert purse.rows() == [("", "actual:100%", 0), ("", "actual:100%", 1)]


def test_what_is_likely_to_be_reached_is_told_once_and_not_too_early(purse: Purse) -> None:
    days = [SECOND_MONTH + timedelta(days=day, hours=12) for day in range(-45, 12)]
    purse.insert([{"start_time": at, "cost": Decimal(1), "charge_status": "priced"} for at in days])
    said = {"amount": "28", "thresholds": [{"percent": 100}, {"kind": "forecast", "percent": 100}]}
    purse.budget(starts=f"{SECOND_MONTH:%Y-%m-%d}", **said)
    purse.follow(SECOND_MONTH + timedelta(days=12))
    assert purse.sweep(SECOND_MONTH + timedelta(days=2)) == 0  # nobody knows yet
    at = SECOND_MONTH + timedelta(days=12)
    assert purse.sweep(at) == 1
    assert purse.sweep(at + timedelta(minutes=5)) == 0
    ((_, title),) = purse.events()
    assert title.startswith("Budget all is likely to reach 100 % by the end of ")
    status = store.status(purse.connection, purse.there(), now=at)
    assert status.forecast is not None
    length = (period_at(purse.there().budget.calendar, at).end - SECOND_MONTH).days
    assert status.forecast.p50 == pytest.approx(length, rel=0.05)
    assert [cost for _, cost in status.days] == [Decimal(1)] * 12


def test_a_split_budget_judges_each_value_by_itself(purse: Purse) -> None:
    purse.budget(per="customer", amount="0.42", thresholds=[{"percent": 100}])
    for customer, calls in {"acme": 2, "bolt": 1, "corp": 3}.items():
        purse.send(*(a_call(NOW, attributes={"outlay.customer": customer}) for _ in range(calls)))
    purse.send(a_call(NOW))
    assert purse.follow() == 2
    assert purse.rows() == [("acme", "actual:100%", 0), ("corp", "actual:100%", 0)]
    purse.send(a_call(NOW, attributes={"outlay.customer": "bolt"}))
    assert purse.follow() == 1


def test_values_beyond_the_cap_are_summed_together_and_reported(purse: Purse) -> None:
    stored = purse.budget(per="customer", max_instances=2, amount="0.42")
    for number in range(4):
        purse.send(*(a_call(NOW, attributes={"outlay.customer": f"c{number}"}) for _ in range(4 - number)))
    purse.follow()
    status = store.status(purse.connection, stored, now=NOW)
    assert [(one.instance, one.actual) for one in status.instances] == [("c0", 4 * CALL), ("c1", 3 * CALL)]
    assert (status.actual, status.overflow) == (10 * CALL, 3 * CALL)
    assert {instance for instance, _, _ in purse.rows()} == {"c0", "c1"}


def test_many_values_at_once_share_a_message_that_is_corrected_when_none_holds(purse: Purse) -> None:
    purse.budget(per="customer", amount="0.20", thresholds=[{"percent": 100}])
    purse.send(*(a_call(NOW, attributes={"outlay.customer": f"c{number}"}) for number in range(30)))
    assert purse.follow() == 1
    assert len(purse.rows()) == 30
    purse.budget(per="customer", amount="9", thresholds=[{"percent": 100}])
    assert purse.sweep(NOW) == 1
    assert purse.types() == ["budget.crossed", "budget.corrected"]


ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Havana",
    "Pacific/Chatham",
)


@pytest.mark.parametrize("zone", ZONES)
def test_sums_of_days_are_those_of_the_zone_through_every_clock_change(purse: Purse, zone: str) -> None:
    """Calls around clock changes of the last year, summed by day and compared with each call's own date."""
    from zoneinfo import ZoneInfo

    here = ZoneInfo(zone)
    hours = [NOW - timedelta(hours=hours) for hours in range(1, 24 * 390)]
    changes = [
        at for at in hours if at.astimezone(here).utcoffset() != (at - timedelta(hours=1)).astimezone(here).utcoffset()
    ]
    starts = [at + timedelta(minutes=minutes) for at in changes for minutes in range(-26 * 60, 27 * 60, 97)]
    starts += [NOW - timedelta(days=3, minutes=minutes) for minutes in range(0, 2880, 97)]
    purse.insert([{"start_time": at, "cost": Decimal("0.01"), "charge_status": "priced"} for at in starts])
    stored = purse.budget(period="day", time_zone=zone, amount="999", starts="2020-01-01")
    purse.follow()
    wanted: dict[Any, Decimal] = {}
    for at in starts:
        day = at.astimezone(here).date()
        wanted[day] = wanted.get(day, Decimal(0)) + Decimal("0.01")
    for day, cost in wanted.items():
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=here)
        assert store.spent(purse.connection, stored, period_at(stored.budget.calendar, noon))[0] == cost, day


ROUNDS = 40
"""Of racing evaluators; `python -m benchmarks.budgets race` runs 500."""


def test_eight_that_evaluate_at_once_tell_once(purse: Purse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the lock that keeps them apart: the key of what was told is enough."""
    from benchmarks.budgets import race

    stored = purse.budget(per="customer", amount="1", thresholds=[{"percent": 80}, {"percent": 100}])
    purse.follow()
    monkeypatch.setattr(watch, "try_lock", lambda *_: True)
    race(purse.connection.info.dsn, purse.there(), rounds=ROUNDS, evaluators=8)
    assert len(purse.rows()) == 2 * ROUNDS
    assert purse.types() == ["budget.crossed"] * ROUNDS
    del stored


@given(st.data())
@settings(
    max_examples=12, deadline=None, phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_whatever_the_order_and_repetition_the_same_is_told(purse: Purse, data: st.DataObject) -> None:
    """Calls in any order, in any batches, some twice, followed in between or not: the same figures, the same tellings."""
    name = f"b{next(_numbers)}"  # examples share the database
    team = f"team-{name}"
    calls = [
        a_call(DAY_ONE + timedelta(days=day), attributes={"outlay.team": team})
        for day in data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=12))
    ]
    stored = purse.budget(name=name, filter={"team": [team]}, starts=f"{DAY_ONE:%Y-%m-%d}", amount="0.84", now=DAY_ONE)
    order = data.draw(st.permutations(calls + calls[: data.draw(st.integers(0, len(calls)))]))
    while order:
        size = data.draw(st.integers(1, len(order)))
        purse.send(*order[:size])
        order = order[size:]
        if data.draw(st.booleans()):
            purse.follow()
    purse.follow()
    wanted: set[tuple[datetime, str]] = set()
    for period in {period_at(stored.budget.calendar, call.start) for call in calls}:
        spent = CALL * sum(period.start <= call.start < period.end for call in calls)
        assert store.spent(purse.connection, stored, period)[0] == spent
        wanted |= {
            (period.start, f"actual:{percent}%") for percent in (50, 100) if spent >= Decimal("0.84") * percent / 100
        }
    told = purse.connection.execute(
        "SELECT period_start, threshold FROM budget_alert WHERE budget_id = %s", (stored.id,)
    ).fetchall()
    purse.connection.commit()
    assert sorted(told) == sorted(wanted)


def test_budgets_of_one_project_fit_together(purse: Purse) -> None:
    purse.budget(name="company", amount="100", strict=True)
    purse.budget(name="search", amount="60", filter={"team": ["search"]}, parent="company")
    with pytest.raises(BadRequest, match=r"strict, and ads, search add up to 110 of its 100 USD"):
        purse.budget(name="ads", amount="50", filter={"team": ["ads"]}, parent="company")
    purse.connection.rollback()
    with pytest.raises(BadRequest, match="there is no such budget"):
        purse.budget(name="ads", amount="5", parent="nobody")
    purse.connection.rollback()
    with pytest.raises(Conflict, match="is the parent of search"):
        store.remove(purse.connection, purse.there("company"), actor="test")
    purse.connection.rollback()


def test_a_removed_budget_is_told_of_no_more_and_its_name_is_free(purse: Purse) -> None:
    stored = purse.budget()
    purse.send(a_call(NOW), a_call(NOW))
    store.remove(purse.connection, stored, actor="test")
    purse.connection.commit()
    assert purse.follow() == 0
    purse.budget()
    assert purse.follow() == 1


def test_unpriced_calls_are_counted_and_said(purse: Purse) -> None:
    purse.budget(thresholds=[{"percent": 50}])
    purse.send(a_call(NOW), a_model_call(start=NOW, model="nobody-knows-1", provider="nobody"))
    purse.follow()
    (summary,) = purse.connection.execute("SELECT summary FROM alert_event").fetchone() or ("",)
    assert "1 calls of it have no known price, so it is at least that much." in summary


def test_workers_take_turns_at_a_project(purse: Purse) -> None:
    purse.budget()
    with connect(purse.connection.info.dsn) as other:
        assert store.try_lock(other, purse.project_id)
        assert watch.follow(purse.connection, purse.project_id, now=NOW) is None


def test_young_hours_are_kept_by_minute_and_folded_when_they_are_old(purse: Purse) -> None:
    stored = purse.budget(amount="9", period="rolling", days=3)
    window = Window(NOW - timedelta(days=2), NOW + timedelta(days=2))

    def kept() -> list[tuple[bool, int, Decimal]]:
        rows = purse.connection.execute(
            "SELECT whole, count(*), sum(cost) FROM budget_hour GROUP BY whole ORDER BY whole"
        ).fetchall()
        purse.connection.commit()
        return rows

    hour = NOW.replace(minute=0, second=0, microsecond=0)
    purse.send(a_call(hour), a_call(hour + timedelta(seconds=1)), a_call(hour - timedelta(hours=9)))
    purse.follow()
    assert kept() == [(False, 1, 2 * CALL), (True, 1, CALL)]
    purse.send(a_call(hour - timedelta(hours=1)))
    purse.follow()
    assert kept() == [(False, 2, 3 * CALL), (True, 1, CALL)]
    purse.sweep(NOW + timedelta(hours=4))
    assert kept() == [(True, 3, 4 * CALL)]
    purse.send(a_call(hour + timedelta(seconds=3)))  # by a clock that is behind, the hour is young
    purse.follow()
    assert kept() == [(True, 3, 5 * CALL)]
    assert store.spent(purse.connection, stored, window) == (5 * CALL, 0)
