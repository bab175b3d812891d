"""Settlement under load: sums wait while there is more to settle, and traces with nothing to decide are not loaded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from outlay_collector.access import store as access
from outlay_collector.calls import store as calls
from outlay_collector.calls.store import Round, settle_round
from outlay_collector.db.engine import connect
from outlay_collector.db.store import analyse_new_days
from outlay_collector.ledger import store as ledger
from outlay_collector.pricing.store import load_book
from outlay_collector.receive import store as receive
from outlay_collector.receive.batch import Batch
from outlay_collector.receive.ingest import Limits, ingest

from tests.builders import SpanSpec, a_model_call, otlp

LIMITS = Limits(retention=timedelta(days=400), future_tolerance=timedelta(minutes=10))


class Project:
    """A project that spans are committed to, one commit per ``send``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection, self.writer = connect(url), connect(url)
        self.id = access.create_project(self.connection, "shop")
        self.book = load_book(self.connection)
        self.connection.commit()
        receive.prepare(self.writer)

    def batches(self, *spans: SpanSpec, **source: Any) -> list[Batch]:
        request: dict[str, Any] = {"project_id": self.id, "key_id": "testkey1", "book": self.book, "limits": LIMITS}
        return ingest(otlp(spans, **source), json=False, now=datetime.now(UTC), **request)

    def send(self, *spans: SpanSpec) -> None:
        receive.write(self.writer, self.batches(*spans), receive.Session())

    def send_as(self, scope: str, *spans: SpanSpec) -> None:
        receive.write(self.writer, self.batches(*spans, scope=scope), receive.Session())

    def settle(self, **options: Any) -> Round:
        zone = ZoneInfo("UTC")
        done = settle_round(self.connection, self.id, book=self.book, now=datetime.now(UTC), zone=zone, **options)
        assert done is not None
        return done

    def counted(self) -> list[bool]:
        rows = self.connection.execute("SELECT counted FROM span ORDER BY start_time, span_id").fetchall()
        self.connection.commit()
        return [value for (value,) in rows]

    def undecided(self) -> set[bytes]:
        """Traces that a round would load."""
        now = datetime.now(UTC)
        window = {"project": self.id, "start": now - timedelta(days=1), "end": now + timedelta(days=1)}
        traces = [trace for (trace,) in self.connection.execute("SELECT DISTINCT trace_id FROM span").fetchall()]
        rows = self.connection.execute(calls._UNDECIDED, {**window, "traces": traces}).fetchall()  # pyright: ignore[reportPrivateUsage]
        self.connection.commit()
        return {trace.bytes for (trace,) in rows}


@pytest.fixture
def project(database_url: str) -> Iterator[Project]:
    made = Project(database_url)
    yield made
    made.connection.close()
    made.writer.close()


def test_sums_wait_for_the_last_of_several_rounds(project: Project) -> None:
    for _ in range(5):
        project.send(a_model_call())
    first = project.settle(traces=2, sums_may_wait=True)
    assert (first.commits, first.more) == (2, True)
    assert project.connection.execute("SELECT count(*) FROM cost_hour").fetchone() == (0,)
    project.settle(traces=2, sums_may_wait=True)
    last = project.settle(traces=2, sums_may_wait=True)
    assert (last.commits, last.more) == (1, False)
    assert project.connection.execute("SELECT sum(calls) FROM cost_hour").fetchone() == (5,)
    assert ledger.differences(project.connection, project.id) == {}


def siblings(**second: Any) -> tuple[SpanSpec, SpanSpec]:
    """Two calls of one trace that differ; ``second`` changes the second one."""
    one = a_model_call(attributes={"gen_ai.response.id": "resp-1"})
    attributes = {"gen_ai.response.id": "resp-2", **second.pop("attributes", {})}
    return one, a_model_call(trace_id=one.trace_id, input_tokens=77, attributes=attributes, **second)


def test_separate_calls_of_one_source_are_not_loaded(project: Project) -> None:
    one, other = siblings()
    project.send(one, other)
    assert project.undecided() == set()
    project.settle()
    assert project.counted() == [True, True]


def test_calls_that_share_an_id_are_loaded(project: Project) -> None:
    one, other = siblings(attributes={"gen_ai.response.id": "resp-1"})
    project.send(one, other)
    assert project.undecided() == {one.trace_id}


def test_a_call_inside_a_call_is_loaded(project: Project) -> None:
    one, other = siblings()
    other.parent = one.span_id
    project.send(one, other)
    assert project.undecided() == {one.trace_id}


def test_calls_of_two_sources_are_loaded(project: Project) -> None:
    one, other = siblings()
    project.send(one)
    project.send_as("another.source", other)
    assert project.undecided() == {one.trace_id}


def test_an_agent_is_loaded_only_if_it_restates_usage(project: Project) -> None:
    quiet, loud = a_model_call(), a_model_call()
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}
    project.send(quiet, SpanSpec(name="invoke_agent planner", trace_id=quiet.trace_id, attributes=agent))
    totals = {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 200}
    project.send(loud, SpanSpec(name="invoke_agent planner", trace_id=loud.trace_id, attributes=agent | totals))
    assert project.undecided() == {loud.trace_id}


def test_the_planner_is_told_about_every_table_of_a_new_day_once(project: Project) -> None:
    project.send(*siblings())
    assert analyse_new_days(project.connection) == 2  # span and response_ref; there is no content
    assert analyse_new_days(project.connection) == 0


def test_one_response_told_in_two_traces_is_one_call(project: Project) -> None:
    """By the application and by the gateway it asked, which knows nothing of the application's trace."""
    one = a_model_call(attributes={"gen_ai.response.id": "resp-1"})
    other = a_model_call(attributes={"gen_ai.response.id": "resp-1"}, start=one.start)
    project.send(one)
    project.settle()
    project.send_as("gateway", other)
    project.settle()
    assert sorted(project.counted()) == [False, True]


def test_a_commit_that_was_overtaken_is_settled_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers are given before a commit, so a larger one may be seen first."""
    project.send(a_model_call())  # makes the day's partitions, for which the others would have to wait
    slow = connect(project.url)
    receive.prepare(slow)
    batches = project.batches(a_model_call())
    with monkeypatch.context() as patch:
        patch.setattr(slow, "commit", lambda: None)
        receive.write(slow, batches, receive.Session(days=batches[0].days()))
    project.send(a_model_call())
    project.settle()
    assert project.connection.execute("SELECT sum(calls) FROM cost_hour").fetchone() == (2,)
    slow.commit()
    slow.close()
    project.settle()
    assert project.connection.execute("SELECT sum(calls) FROM cost_hour").fetchone() == (3,)
    assert ledger.differences(project.connection, project.id) == {}
