"""What is committed is settled and summed exactly, whatever the order; questions answered from sums equal those from rows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outlay_collector.access import store as access
from outlay_collector.calls.store import settle_round, waiting_projects
from outlay_collector.db.engine import connect
from outlay_collector.db.store import create_days, maintain
from outlay_collector.ledger import store as ledger
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Interval, Question, Sources, parse_filters, sources
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.store import import_bundled, load_book
from outlay_collector.receive import store as receive
from outlay_collector.receive.ingest import Limits, ingest

from tests.builders import SpanSpec, a_model_call, otlp

NOW = datetime.now(UTC).replace(microsecond=0)
LIMITS = Limits(retention=timedelta(days=400), future_tolerance=timedelta(minutes=10))
UTC_ZONE = ZoneInfo("UTC")


class Ledger:
    """A database with one project, written to as the collector does and settled as the worker does."""

    def __init__(self, url: str, zone: ZoneInfo = UTC_ZONE) -> None:
        self.url, self.zone = url, zone
        self.connection = connect(url)
        import_bundled(self.connection)
        self.project_id = access.create_project(self.connection, "shop")
        self.connection.commit()
        self.book: Book = load_book(self.connection)
        self.connection.commit()
        self.writer = connect(url)
        receive.prepare(self.writer)
        self.session = receive.Session()

    def send(self, spans: Sequence[SpanSpec], **request: Any) -> None:
        batches = ingest(
            otlp(spans, **request),
            json=False,
            project_id=self.project_id,
            key_id="testkey1",
            book=self.book,
            limits=LIMITS,
            now=datetime.now(UTC),
        )
        receive.write(self.writer, batches, self.session)

    def settle(self) -> None:
        while self.project_id in waiting_projects(self.connection):
            settle_round(self.connection, self.project_id, book=self.book, now=datetime.now(UTC), zone=self.zone)

    def count(self, what: str) -> Any:
        (found,) = self.connection.execute(what).fetchone() or (None,)
        self.connection.commit()
        return found

    def spend(self, question: Question, *, from_rows: bool = False) -> list[dict[str, Any]]:
        plan = Sources(rows=(question.window,)) if from_rows else sources(question, self.zone)
        rows = reads.spend(self.connection, question, plan, self.zone.key)
        self.connection.commit()
        return rows

    def assert_exact(self) -> None:
        assert ledger.differences(self.connection, self.project_id) == {}
        self.connection.commit()

    def close(self) -> None:
        self.connection.close()
        self.writer.close()


@pytest.fixture
def shop(database_url: str) -> Iterator[Ledger]:
    made = Ledger(database_url)
    yield made
    made.close()


def everything(shop: Ledger, **more: Any) -> Question:
    window = Window(NOW - timedelta(days=40), NOW + timedelta(days=1))
    return Question(project_ids=(shop.project_id,), window=window, **more)


def test_a_committed_call_is_priced_and_summed(shop: Ledger) -> None:
    shop.send([a_model_call(input_tokens=1_000_000, output_tokens=100_000)])
    shop.settle()
    (row,) = shop.spend(everything(shop, group_by=("model",)))
    assert row["cost"] == Decimal("0.21")  # 1 M x $0.15 + 0.1 M x $0.60, per million
    assert (row["calls"], row["input_tokens"], row["output_tokens"]) == (1, 1_000_000, 100_000)
    shop.assert_exact()


def test_sending_again_adds_nothing(shop: Ledger) -> None:
    calls = [a_model_call() for _ in range(10)]
    for _ in range(3):
        shop.send(calls)
        shop.settle()
    assert shop.count("SELECT count(*) FROM span") == 10
    (row,) = shop.spend(everything(shop))
    assert row["calls"] == 10
    assert shop.count("SELECT n FROM ingest_count WHERE name = 'repeated'") == 20
    shop.assert_exact()


def test_the_first_payload_under_an_id_stays_and_the_other_is_counted(shop: Ledger) -> None:
    first = a_model_call(input_tokens=100)
    other = a_model_call(input_tokens=999, start=first.start, trace_id=first.trace_id, span_id=first.span_id)
    shop.send([first])
    shop.send([other])
    shop.settle()
    (row,) = shop.spend(everything(shop))
    assert (row["calls"], row["input_tokens"]) == (1, 100)
    assert shop.count("SELECT n FROM ingest_count WHERE name = 'conflicting'") == 1


def test_a_model_without_a_price_is_unknown_and_never_zero(shop: Ledger) -> None:
    shop.send([a_model_call(model="nobody-knows-7b", provider="acme")])
    shop.settle()
    (row,) = shop.spend(everything(shop))
    assert row["cost"] is None
    assert (row["calls"], row["unpriced_calls"], row["unpriced_tokens"]) == (1, 1, 1200)
    shop.assert_exact()


def test_usage_that_contradicts_itself_has_no_cost(shop: Ledger) -> None:
    attributes = {"gen_ai.usage.reasoning.output_tokens": 5000}
    shop.send([a_model_call(output_tokens=1000, attributes=attributes)])
    shop.settle()
    (row,) = shop.spend(everything(shop))
    assert row["cost"] is None
    assert shop.count("SELECT charge_status FROM span") == "invalid"


def test_a_call_without_usage_is_missing_not_zero(shop: Ledger) -> None:
    shop.send([a_model_call(input_tokens=None, output_tokens=None)])
    shop.settle()
    (row,) = shop.spend(everything(shop))
    assert (row["cost"], row["missing_usage_calls"], row["unpriced_calls"]) == (None, 1, 0)


def test_two_descriptions_of_one_call_are_counted_once_whichever_comes_first(shop: Ledger) -> None:
    for order in (1, -1):
        outer = a_model_call(attributes={"gen_ai.response.id": f"resp-{order}"}, duration_ms=900)
        inner = a_model_call(
            attributes={"gen_ai.response.id": f"resp-{order}"},
            trace_id=outer.trace_id,
            parent=outer.span_id,
            start=outer.start + timedelta(milliseconds=10),
        )
        both = [(outer, "shop.own.wrapper"), (inner, "opentelemetry.instrumentation.genai.openai")]
        for span, scope in both[::order]:
            shop.send([span], scope=scope)
            shop.settle()
    (row,) = shop.spend(everything(shop))
    assert row["calls"] == 2
    shop.assert_exact()


def test_a_request_made_again_and_again_is_settled_without_comparing_all_with_all(shop: Ledger) -> None:
    """Two thousand root calls of one service, alike in all but their ids: four million pairs."""
    start = NOW - timedelta(minutes=5)
    for _ in range(2):
        shop.send([a_model_call(start=start, input_tokens=1000, output_tokens=200) for _ in range(1000)])
    shop.settle()
    (row,) = shop.spend(everything(shop))
    assert (row["calls"], row["cost"]) == (2000, Decimal("0.54"))
    shop.assert_exact()


def test_late_data_is_summed_under_its_own_hour(shop: Ledger) -> None:
    late = NOW - timedelta(days=33)
    shop.send([a_model_call(start=late)])
    shop.send([a_model_call()])
    shop.settle()
    rows = shop.spend(everything(shop, interval=Interval.DAY, zone=UTC_ZONE))
    assert [row["calls"] for row in rows] == [1, 1]
    assert rows[0]["period_start"] == late.replace(hour=0, minute=0, second=0)
    shop.assert_exact()


def test_sums_follow_when_spans_come_one_after_another(shop: Ledger) -> None:
    """All in one minute, so that each makes the same sums again."""
    start = NOW - timedelta(minutes=5)
    for number in range(3):
        shop.send([a_model_call(start=start)])
        shop.settle()
        (row,) = shop.spend(everything(shop))
        assert row["calls"] == number + 1
        shop.assert_exact()


def test_ledger_lines_count_with_calls(shop: Ledger) -> None:
    shop.send([a_model_call(input_tokens=1_000_000, output_tokens=0)])
    at = NOW - timedelta(days=3)
    shop.connection.execute(
        "INSERT INTO ledger_line (project_id, charge_time, incurred_time, kind, cause, cost, dimensions)"
        " VALUES (%s, %s, %s, 'adjustment', 'a correction', -0.05, '{\"team\": \"search\"}')",
        (shop.project_id, at, at),
    )
    ledger.mark_dirty(shop.connection, shop.project_id, [at.replace(second=0)])
    shop.connection.commit()
    shop.settle()
    (row,) = shop.spend(everything(shop))
    assert (row["cost"], row["lines"], row["calls"]) == (Decimal("0.10"), 1, 1)
    by_team = {row["team"]: row["cost"] for row in shop.spend(everything(shop, group_by=("team",)))}
    assert by_team["search"] == Decimal("-0.05")
    shop.assert_exact()


def test_a_crash_in_the_middle_of_settlement_changes_nothing(shop: Ledger, database_url: str) -> None:
    """The database fails at the last of a round's statements, and works again in the next round."""
    shop.send([a_model_call() for _ in range(5)])
    with psycopg.connect(database_url, autocommit=True) as operator:
        operator.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'out of order'; END $$"
        )
        operator.execute("CREATE TRIGGER fail BEFORE INSERT ON cost_day EXECUTE FUNCTION fail()")
        with pytest.raises(psycopg.errors.RaiseException):
            shop.settle()
        shop.connection.rollback()
        assert shop.count("SELECT count(*) FROM cost_hour") == 0
        operator.execute("DROP FUNCTION fail CASCADE")
    shop.settle()
    (row,) = shop.spend(everything(shop))
    assert row["calls"] == 5
    shop.assert_exact()


def test_one_worker_at_a_time_settles_a_project(shop: Ledger, database_url: str) -> None:
    shop.send([a_model_call()])
    with connect(database_url) as other:
        assert ledger.try_lock(other, shop.project_id)
        now = datetime.now(UTC)
        assert settle_round(shop.connection, shop.project_id, book=shop.book, now=now, zone=UTC_ZONE) is None
    shop.settle()
    shop.assert_exact()


def test_sums_can_be_made_again_from_nothing(shop: Ledger) -> None:
    shop.send([a_model_call(start=NOW - timedelta(hours=n)) for n in range(60)])
    shop.settle()
    before = shop.spend(everything(shop, interval=Interval.DAY, zone=UTC_ZONE))
    ledger.rebuild(shop.connection, shop.project_id, now=NOW, zone=UTC_ZONE)
    shop.connection.commit()
    assert shop.spend(everything(shop, interval=Interval.DAY, zone=UTC_ZONE)) == before
    shop.assert_exact()


def test_a_missing_partition_is_made_on_demand(shop: Ledger) -> None:
    long_ago = NOW - timedelta(days=200)
    shop.send([a_model_call(start=long_ago)])
    assert shop.count("SELECT count(*) FROM span") == 1


def test_two_sessions_that_need_the_same_partition_take_turns(shop: Ledger, database_url: str) -> None:
    day = (NOW - timedelta(days=150)).date()
    with connect(database_url) as other:
        create_days(other, {day})
        other.commit()
        create_days(shop.connection, {day})
        shop.connection.commit()


@pytest.fixture(scope="module")
def busy(shared_database_url: str) -> Iterator[Ledger]:
    """Forty days of varied calls in a ledger whose instance zone is Seoul."""
    made = Ledger(shared_database_url, ZoneInfo("Asia/Seoul"))
    chance = random.Random(7)
    calls = [
        a_model_call(
            model=chance.choice(["gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "unheard-of-1"]),
            start=NOW - timedelta(seconds=chance.randint(60, 40 * 86_400)),
            input_tokens=chance.choice([None, 10, 1_000, 12_345]),
            output_tokens=chance.choice([None, 7, 300]),
            duration_ms=chance.randint(1, 20_000),
            error=chance.random() < 0.1,
            attributes={
                "outlay.team": chance.choice(["search", "support"]),
                "user.id": chance.choice(["u1", "u2", "u3"]),
                "outlay.tag.tier": chance.choice(["gold", "100% pure"]),
            },
        )
        for _ in range(600)
    ]
    made.send(calls, scope="outlay")
    made.settle()
    made.assert_exact()
    yield made
    made.close()


windows_of_time = st.tuples(st.integers(0, 41 * 24 * 60), st.integers(1, 20 * 24 * 60)).map(
    lambda pair: Window(NOW - timedelta(minutes=pair[0]), NOW - timedelta(minutes=pair[0]) + timedelta(minutes=pair[1]))
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    window=windows_of_time,
    interval=st.sampled_from(list(Interval)),
    zone=st.sampled_from(["UTC", "Asia/Seoul", "Asia/Kolkata", "America/New_York"]),
    group_by=st.lists(
        st.sampled_from(["project", "model", "team", "user", "provider", "tag:tier"]), max_size=3, unique=True
    ),
    filters=st.lists(
        st.sampled_from(["team:search", "team!:search", "model:*", "user:u1", "tag:tier:100% pure"]),
        max_size=2,
        unique=True,
    ),
)
def test_every_answer_from_sums_equals_the_one_from_rows(
    busy: Ledger, window: Window, interval: Interval, zone: str, group_by: list[str], filters: list[str]
) -> None:
    question = Question(
        project_ids=(busy.project_id,),
        window=window,
        interval=interval,
        zone=ZoneInfo(zone),
        group_by=tuple(group_by),
        filters=parse_filters(filters),
    )
    assert busy.spend(question) == busy.spend(question, from_rows=True)


def test_percentiles_from_histograms_are_within_one_percent_of_exact_ones(busy: Ledger) -> None:
    window = Window(NOW - timedelta(days=30), NOW)
    question = Question(project_ids=(busy.project_id,), window=window, group_by=("model",), zone=busy.zone)
    rows = reads.latency(busy.connection, question, sources(question, busy.zone))
    exact: dict[str, tuple[float, float]] = dict(
        busy.connection.execute(
            """
            SELECT model, ARRAY[percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_us),
                                percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_us)]
              FROM call WHERE counted AND status <> 2 AND start_time >= %s AND start_time < %s GROUP BY model
            """,
            (window.start, window.end),
        ).fetchall()
    )
    busy.connection.commit()
    assert {row["model"] for row in rows} == set(exact)
    for row in rows:
        assert row["p50_ms"] == pytest.approx(exact[row["model"]][0] / 1000, rel=0.0101)
        assert row["p95_ms"] == pytest.approx(exact[row["model"]][1] / 1000, rel=0.0101)


def test_a_span_is_refused_alone_when_postgres_will_not_take_it(database_url: str) -> None:
    from outlay_collector.receive.committer import Committer
    from outlay_collector.receive.rows import COLUMNS

    with connect(database_url) as connection:
        project_id = access.create_project(connection, "shop")
    batches = ingest(
        otlp([a_model_call() for _ in range(20)]),
        json=False,
        project_id=project_id,
        key_id="testkey1",
        book=Book(),
        limits=LIMITS,
        now=datetime.now(UTC),
    )
    poisoned = list(batches[0].rows[7])
    poisoned[COLUMNS.index("name")] = "a\x00b"  # NUL is what Postgres never takes
    batches[0].rows[7] = tuple(poisoned)
    committer = Committer(lambda: connect(database_url), writers=1)
    receipt = committer.submit(batches[0]).result(timeout=20)
    committer.close()
    assert (receipt.accepted, receipt.rejected) == (19, 1)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM span").fetchone() == (19,)
        assert connection.execute("SELECT reason FROM dead_letter").fetchone() == ("unstorable",)


def test_what_comes_beside_spans_and_cannot_be_stored_is_refused_without_them(database_url: str) -> None:
    from outlay_collector.receive.committer import Committer

    with connect(database_url) as connection:
        project_id = access.create_project(connection, "shop")
    (batch,) = ingest(
        otlp([a_model_call() for _ in range(3)]),
        json=False,
        project_id=project_id,
        key_id="testkey1",
        book=Book(),
        limits=LIMITS,
        now=datetime.now(UTC),
    )
    batch.counts["a\x00b"] = 1  # NUL is what Postgres never takes
    committer = Committer(lambda: connect(database_url), writers=1)
    receipt = committer.submit(batch).result(timeout=20)
    committer.close()
    assert (receipt.accepted, receipt.rejected) == (3, 1)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM span").fetchone() == (3,)


def test_a_reader_does_not_stop_a_new_day(shop: Ledger, database_url: str) -> None:
    with connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM span")  # and the transaction stays open, as a page's or the worker's may
        shop.writer.execute("SET lock_timeout = '1s'")
        shop.writer.commit()
        shop.send([a_model_call(start=NOW - timedelta(days=321))])
    assert shop.count("SELECT count(*) FROM span") == 1


def test_retention_drops_days_while_others_read_and_write(shop: Ledger, database_url: str) -> None:
    shop.send([a_model_call(start=NOW - timedelta(days=100)), a_model_call()])
    with connect(database_url, autocommit=True) as keeper:
        done = maintain(keeper, now=NOW, ahead=1, retention=timedelta(days=30))
    assert (NOW - timedelta(days=100)).date() in done.drop
    assert shop.count("SELECT count(*) FROM span") == 1
    with connect(database_url, autocommit=True) as keeper:
        assert maintain(keeper, now=NOW, ahead=1, retention=timedelta(days=30)).drop == ()


def test_a_sender_that_gave_up_does_not_stop_the_others(shop: Ledger, database_url: str) -> None:
    from outlay_collector.receive.committer import Committer

    def a_batch() -> Any:
        return ingest(
            otlp([a_model_call()]),
            json=False,
            project_id=shop.project_id,
            key_id="testkey1",
            book=shop.book,
            limits=LIMITS,
            now=datetime.now(UTC),
        )[0]

    committer = Committer(lambda: connect(database_url), writers=1)
    with connect(database_url) as blocker:
        blocker.execute("LOCK TABLE span IN ACCESS EXCLUSIVE MODE")
        first, second = committer.submit(a_batch()), committer.submit(a_batch())
        second.cancel()
    assert first.result(timeout=20).accepted == 1
    assert committer.submit(a_batch()).result(timeout=20).accepted == 1
    committer.close()
    assert shop.count("SELECT count(*) FROM span") == 2


def test_a_session_that_met_a_repetition_expects_more_and_then_no_longer(shop: Ledger) -> None:
    span = a_model_call()
    shop.send([span])
    assert shop.session.careful == 0
    shop.send([span, a_model_call()])
    assert shop.session.careful == receive.CAREFUL_COMMITS
    for _ in range(receive.CAREFUL_COMMITS):
        shop.send([span])
    assert shop.session.careful == 0
    assert shop.count("SELECT count(*) FROM span") == 2
