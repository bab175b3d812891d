"""Sums by user, customer, session and tag, and by model over all projects, say what the rows say: clean, stale and half made."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outlay_collector.db.engine import connect
from outlay_collector.db.names import OTHER
from outlay_collector.errors import Conflict, NotFound
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import DAY, HOUR, Window, day_of, day_window
from outlay_collector.ledger.later import sql, store
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Basis, Interval, Question, Sources, parse_filters, sources

from tests.builders import a_model_call
from tests.integration.test_ledger import Ledger
from tests.servers import wait_until

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime.now(UTC).replace(microsecond=0)


def last_change_of_the_clock() -> datetime:
    """The midnight of New York's last day of 23 or 25 hours that is a week past."""
    day = day_of(NOW - timedelta(days=7), NEW_YORK)
    while (window := day_window(day, NEW_YORK)).end - window.start == DAY:
        day -= DAY
    return window.start


CHANGE = last_change_of_the_clock()


def a_line(shop: Ledger, charged: datetime, incurred: datetime, cost: str, dimensions: str) -> None:
    shop.connection.execute(
        "INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, dimensions)"
        " VALUES (%s, %s, %s, 'adjustment', 'a correction', %s, %s)",
        (shop.project_id, charged, incurred, cost, dimensions),
    )
    minutes = [at.replace(second=0, microsecond=0) for at in (charged, incurred)]
    ledger.mark_dirty(shop.connection, shop.project_id, minutes)
    shop.connection.commit()


def make_all(shop: Ledger) -> None:
    """As the worker does, when everything has been quiet for a while."""
    while found := store.waiting(shop.connection, now=datetime.now(UTC) + store.QUIET, zone=shop.zone):
        for stale in found:
            store.make(shop.connection, stale, zone=shop.zone)
            shop.connection.commit()
    shop.connection.commit()


def answer(shop: Ledger, question: Question) -> tuple[list[dict[str, Any]], Sources]:
    plan = reads.plan(shop.connection, question, shop.zone, NOW)
    rows = reads.spend(shop.connection, question, plan, shop.zone.key)
    shop.connection.commit()
    return rows, plan


def a_call(chance: random.Random, start: datetime) -> Any:
    return a_model_call(
        model=chance.choice(["gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "unheard-of-1"]),
        start=start,
        input_tokens=chance.choice([None, 10, 12_345]),
        duration_ms=chance.randint(1, 20_000),
        error=chance.random() < 0.1,
        attributes={
            name: value
            for name, value in {
                "user.id": chance.choice(["u1", "u2", None]),
                "outlay.customer": chance.choice(["c1", "c2", "c3"]),
                "session.id": f"s{chance.randint(1, 40)}",
                "outlay.tag.tier": chance.choice(["gold", "100% pure", "it's", None]),
            }.items()
            if value is not None
        },
    )


@pytest.fixture(scope="module")
def shop(shared_database_url: str) -> Iterator[Ledger]:
    """Calls around a change of the clock and of the last days; sums made, and some of them stale again."""
    made = Ledger(shared_database_url, NEW_YORK)
    store.declare(made.connection, "tier", actor="test", now=NOW)
    chance = random.Random(3)
    spread = [CHANGE + timedelta(seconds=chance.randint(-4 * 86_400, 6 * 86_400)) for _ in range(250)]
    recent = [NOW - timedelta(seconds=chance.randint(60, 3 * 86_400)) for _ in range(200)]
    made.send([a_call(chance, start) for start in (*spread, *recent)], scope="outlay")
    a_line(made, NOW - 2 * HOUR, CHANGE + HOUR, "-0.05", '{"user": "u1", "model": "m", "tags": {"tier": "gold"}}')
    made.settle()
    make_all(made)
    late = [CHANGE + timedelta(hours=30), CHANGE + timedelta(hours=3), NOW - timedelta(hours=5)]
    made.send([a_call(chance, start) for start in late], scope="outlay")
    made.settle()
    made.assert_exact()
    yield made
    made.close()


windows = st.tuples(
    st.sampled_from([CHANGE - timedelta(days=4), NOW - timedelta(days=4)]),
    st.integers(0, 8 * 24 * 4),
    st.integers(1, 9 * 24 * 4),
    st.sampled_from([15, 60, 24 * 60]),
).map(lambda drawn: _window(*drawn))


def _window(start: datetime, after: int, length: int, minutes: int) -> Window:
    """Some start at a midnight or at a full hour, as those of pages do."""
    begin = start.replace(minute=0, second=0) + timedelta(minutes=15 * after // minutes * minutes)
    if minutes == 24 * 60:
        begin = day_window(day_of(begin, NEW_YORK), NEW_YORK).start
    return Window(begin, begin + timedelta(minutes=max(15 * length // minutes, 1) * minutes))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    window=windows,
    interval=st.sampled_from(list(Interval)),
    zone=st.sampled_from(["America/New_York", "America/New_York", "UTC", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    key=st.sampled_from(["user", "customer", "session", "tag:tier", "tag:undeclared", "model", "provider"]),
    grouped=st.booleans(),
    by_project=st.booleans(),
    filters=st.lists(
        st.sampled_from(["{}:*", "{}!:*", "{}:u1", "{}!:u1", "{}:gold", "{}:s7"]), max_size=2, unique=True
    ),
    basis=st.sampled_from(list(Basis)),
)
def test_every_answer_from_later_sums_equals_the_one_from_rows(
    shop: Ledger,
    window: Window,
    interval: Interval,
    zone: str,
    key: str,
    grouped: bool,
    by_project: bool,
    filters: list[str],
    basis: Basis,
) -> None:
    question = Question(
        project_ids=(shop.project_id, *_others(shop)),
        window=window,
        interval=interval,
        zone=ZoneInfo(zone),
        group_by=(*([key] if grouped else []), *(["project"] if by_project else [])),
        filters=parse_filters([text.format(key) for text in filters]),
        basis=basis,
    )
    rows, _ = answer(shop, question)
    assert rows == shop.spend(question, from_rows=True)


def _others(shop: Ledger) -> list[int]:
    rows = shop.connection.execute("SELECT id FROM project WHERE id <> %s", (shop.project_id,)).fetchall()
    shop.connection.commit()
    return [number for (number,) in rows]


def test_days_that_are_over_come_from_sums_and_what_is_stale_from_rows(shop: Ledger) -> None:
    start = day_window(day_of(CHANGE, NEW_YORK) - DAY, NEW_YORK).start
    end = day_window(day_of(CHANGE, NEW_YORK) + 3 * DAY, NEW_YORK).start
    question = Question(project_ids=(shop.project_id,), window=Window(start, end), zone=NEW_YORK, group_by=("user",))
    _, plan = answer(shop, question)
    first = day_of(CHANGE, NEW_YORK)
    # The day of the change and the one after it have a call that came late.
    assert plan.key_days == ((first - DAY, first), (first + 2 * DAY, first + 3 * DAY))
    assert plan.rows == (Window(CHANGE, day_window(first + 2 * DAY, NEW_YORK).start),)


def test_hours_of_today_that_are_over_come_from_sums(shop: Ledger) -> None:
    window = Window(NOW - timedelta(hours=30), NOW)
    question = Question(project_ids=(shop.project_id,), window=window, zone=NEW_YORK, group_by=("user",))
    _, plan = answer(shop, question)
    assert plan.key_hours
    stale = next(part for part in plan.rows if part.start <= NOW - timedelta(hours=5) < part.end)
    assert stale.end - stale.start <= 2 * HOUR


def test_latency_by_model_is_the_same_from_all_projects_together(shop: Ledger) -> None:
    question = Question(
        project_ids=(shop.project_id, *_others(shop)),
        window=Window(CHANGE - timedelta(days=3), CHANGE + timedelta(days=5)),
        interval=Interval.DAY,
        zone=NEW_YORK,
        group_by=("model",),
    )
    plan = reads.latency_plan(shop.connection, question, NEW_YORK, NOW)
    assert plan.models
    assert plan.hours  # those with late calls
    together = reads.latency(shop.connection, question, plan)
    assert together == reads.latency(shop.connection, question, sources(question, NEW_YORK))
    assert together == reads.latency(shop.connection, question, Sources(rows=(question.window,)))
    shop.connection.commit()


@pytest.fixture
def fresh(database_url: str) -> Iterator[Ledger]:
    made = Ledger(database_url)
    yield made
    made.close()


def by_session(shop: Ledger, day: datetime, *filters: str) -> Question:
    return Question(
        project_ids=(shop.project_id,),
        window=Window(day, day + DAY),
        group_by=("session",),
        filters=parse_filters(filters),
    )


def test_beyond_the_most_values_the_rest_is_one_and_totals_stay_exact(
    fresh: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sql.MOST_VALUES, "session", 2)
    day = (NOW - timedelta(days=5)).replace(hour=0, minute=0, second=0)
    tokens = {"dear": 9_000_000, "less": 5_000_000, "little": 1_000_000, "least": 10}
    fresh.send(
        [
            a_model_call(start=day + HOUR, input_tokens=number, output_tokens=0, attributes={"session.id": name})
            for name, number in tokens.items()
        ]
        + [a_model_call(start=day, input_tokens=1, output_tokens=0)]
    )
    fresh.settle()
    make_all(fresh)
    rows, plan = answer(fresh, by_session(fresh, day))
    assert not plan.rows
    assert {row["session"]: row["calls"] for row in rows} == {None: 1, "dear": 1, "less": 1, OTHER: 2}
    assert sum(row["cost"] for row in rows) == sum(
        (row["cost"] for row in fresh.spend(by_session(fresh, day), from_rows=True)), Decimal(0)
    )
    # Who asks for one of the rest gets it.
    ((row,), plan) = answer(fresh, by_session(fresh, day, "session:little"))
    assert (row["session"], row["calls"], plan.key_days) == ("little", 1, ())


def test_a_bucket_can_be_made_again_and_again(fresh: Ledger) -> None:
    day = (NOW - timedelta(days=5)).replace(hour=0, minute=0, second=0)
    fresh.send([a_model_call(start=day + HOUR, attributes={"session.id": "a"}) for _ in range(3)])
    fresh.settle()
    make_all(fresh)
    for _ in range(2):
        store.mark(fresh.connection, fresh.project_id, [day + HOUR], [day.date()], NOW)
        fresh.connection.commit()
        make_all(fresh)
    (row,), plan = answer(fresh, by_session(fresh, day))
    assert (row["calls"], plan.rows) == (3, ())
    assert fresh.count("SELECT sum(calls) FROM model_hour") == 3


def test_what_is_committed_while_a_bucket_is_made_is_in_it_or_makes_it_stale_again(
    fresh: Ledger, database_url: str
) -> None:
    """Somebody sums a late call of a day that is stale already, and has not committed when the day is made."""
    day = (NOW - timedelta(days=5)).replace(hour=0, minute=0, second=0)
    fresh.send([a_model_call(start=day, attributes={"session.id": "a"})])
    fresh.settle()
    (stale,) = (
        one
        for one in store.waiting(fresh.connection, now=datetime.now(UTC) + HOUR, zone=fresh.zone)
        if one.name == "key_day"
    )
    fresh.connection.commit()
    with connect(database_url) as late:
        late.execute(
            "INSERT INTO span SELECT (jsonb_populate_record(span, '{\"span_id\": 77}')).* FROM span WHERE start_time = %s",
            (day,),
        )
        store.mark(late, fresh.project_id, [day], [day.date()], NOW)

        def make() -> None:
            with connect(database_url) as maker:
                store.make(maker, stale, zone=fresh.zone)

        making = threading.Thread(target=make)
        making.start()
        wait_until(lambda: not making.is_alive() or _somebody_waits(fresh), seconds=30)
        late.commit()
        making.join(30)
    rows, plan = answer(fresh, by_session(fresh, day))
    assert (rows[0]["calls"], plan.rows) == (2, ())


def _somebody_waits(shop: Ledger) -> bool:
    return shop.count("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") > 0


def test_a_declared_tag_has_its_history_summed_and_a_withdrawn_one_is_answered_from_calls(fresh: Ledger) -> None:
    day = (NOW - timedelta(days=5)).replace(hour=0, minute=0, second=0)
    fresh.send([a_model_call(start=day, attributes={"outlay.tag.tier": tier}) for tier in ("gold", "gold", "tin")])
    fresh.settle()
    make_all(fresh)
    question = Question(project_ids=(fresh.project_id,), window=Window(day, day + DAY), group_by=("tag:tier",))
    before, plan = answer(fresh, question)
    assert plan.rows

    store.declare(fresh.connection, "tier", actor="test", now=NOW)
    fresh.connection.commit()
    (tag,) = store.listed(fresh.connection)
    assert (tag["key"], tag["days_to_go"]) == ("tier", 1)
    halfway, plan = answer(fresh, question)
    assert plan.rows
    make_all(fresh)
    after, plan = answer(fresh, question)
    assert plan.key_days
    assert not plan.rows
    assert before == halfway == after
    with pytest.raises(Conflict, match="declared already"):
        store.declare(fresh.connection, "tier", actor="test", now=NOW)
    fresh.connection.rollback()

    store.withdraw(fresh.connection, "tier", actor="test")
    fresh.connection.commit()
    again, plan = answer(fresh, question)
    assert plan.rows
    assert again == before
    with pytest.raises(NotFound):
        store.withdraw(fresh.connection, "tier", actor="test")
    fresh.connection.rollback()


def test_a_project_summed_anew_has_its_later_sums_made_again(fresh: Ledger) -> None:
    day = (NOW - timedelta(days=5)).replace(hour=0, minute=0, second=0)
    fresh.send([a_model_call(start=day, attributes={"session.id": "a"})])
    fresh.settle()
    make_all(fresh)
    ledger.rebuild(fresh.connection, fresh.project_id, now=NOW, zone=fresh.zone)
    fresh.connection.commit()
    _, plan = answer(fresh, by_session(fresh, day))
    assert plan.rows
    make_all(fresh)
    (row,), plan = answer(fresh, by_session(fresh, day))
    assert (row["calls"], plan.rows) == (1, ())
