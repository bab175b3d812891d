"""Attribution: what a look says is what applying does; every row comes back; booked months stand; sums follow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from outlay_collector.errors import Conflict
from outlay_collector.ledger.attribution import store
from outlay_collector.ledger.attribution.moves import Moves
from outlay_collector.ledger.attribution.reading import read
from outlay_collector.ledger.buckets import Window
from outlay_collector.ledger.months import store as months
from outlay_collector.ledger.months.calendar import month_window
from outlay_collector.ledger.reads import store as reads
from outlay_collector.ledger.reads.question import Basis, Question, sources
from outlay_collector.receive import store as receive
from outlay_collector.receive.attribute import NO_RULES, Attribution
from outlay_collector.receive.ingest import ingest

from tests.builders import SpanSpec, a_model_call, otlp
from tests.integration.shop import DAY_ONE, LIMITS, UTC_ZONE, Shop, a_call
from tests.servers import Collector, Running, outlay, wait_until

MONTH = f"{DAY_ONE:%Y-%m}"
CLOSED = month_window(MONTH, UTC_ZONE)
ALWAYS = Window(CLOSED.start - timedelta(days=200), datetime.now(UTC) + timedelta(days=1))


class Company(Shop):
    """A shop whose calls belong to teams."""

    def arrive(self, *spans: SpanSpec, attribution: Attribution | None = None, **request: Any) -> None:
        """Spans by a collector that knows the rules in force, unless it is said to know others."""
        if attribution is None:
            rules = store.load(self.connection, store.newest(self.connection))
            names = dict(self.connection.execute("SELECT name, id FROM project").fetchall())
            attribution = Attribution(rules, names)
        batches = ingest(
            otlp(spans, **request), json=False, project_id=self.project_id, key_id="testkey1", book=self.book,
            limits=LIMITS, now=datetime.now(UTC), attribution=attribution,
        )  # fmt: skip
        receive.write(self.writer, batches, receive.Session())

    def look(self, text: str) -> Moves:
        found = store.preview(self.connection, read(text, UTC_ZONE).rules)
        self.connection.commit()
        return found

    def apply(self, text: str, **options: Any) -> store.Version:
        made = store.apply(self.connection, text, source="test", actor="test", zone=UTC_ZONE)
        return store.run(self.connection, made.id, zone=UTC_ZONE, **options)

    def take_back(self, version: int, **options: Any) -> store.Version:
        made = store.undo(self.connection, version, actor="test")
        return store.run(self.connection, made.id, zone=UTC_ZONE, **options)

    def moves(self, version: int) -> dict[Any, Any]:
        found = dict(store.moves(self.connection, version))
        self.connection.commit()
        return found

    def laid(self) -> list[Any]:
        rows = self.connection.execute(
            "SELECT attributed FROM span WHERE project_id = %s ORDER BY start_time, span_id", (self.project_id,)
        ).fetchall()
        self.connection.commit()
        return [laid for (laid,) in rows]

    def by(self, *dimensions: str, basis: Basis = Basis.BOOKED, window: Window = ALWAYS) -> dict[Any, Decimal]:
        self.spent()  # settles, and compares sums with rows
        question = Question(project_ids=(self.project_id,), window=window, group_by=dimensions, basis=basis)
        rows = reads.spend(self.connection, question, sources(question, UTC_ZONE), "UTC")
        self.connection.commit()
        return {tuple(row[name] for name in dimensions): row["cost"] for row in rows if row["cost"]}

    def close_month(self) -> None:
        self.settle()
        months.close(self.connection, MONTH, actor="test", now=datetime.now(UTC), zone=UTC_ZONE)
        self.connection.commit()

    def reopen_month(self) -> None:
        months.reopen(self.connection, MONTH, kept_since=DAY_ONE - timedelta(days=330))
        self.connection.commit()
        self.settle()


@pytest.fixture
def company(database_url: str) -> Iterator[Company]:
    made = Company(database_url)
    yield made
    made.close()


def a_team_call(at: datetime = DAY_ONE, **said: str) -> SpanSpec:
    names = {"team": "outlay.team", "feature": "outlay.feature", "customer": "outlay.customer", "user": "user.id"}
    return a_call(at, attributes={names.get(name, f"outlay.tag.{name}"): value for name, value in said.items()})


RULES = """
rules:
  - {name: tags, when: {tag:cc: {exists: true}}, set: {cost_center: tagged}}
  - {name: search, when: {feature: [find, rank]}, set: {team: search, cost_center: "4711"}}
  - {name: moved, when: {team: old}, set: {team: new}, override: true, valid_from: %s}
"""
RULES %= (DAY_ONE + timedelta(days=2)).date()


def test_from_a_look_to_undo(company: Company) -> None:
    company.arrive(
        a_team_call(feature="find"),
        a_team_call(feature="find", team="ads"),
        a_team_call(team="old"),
        a_team_call(DAY_ONE + timedelta(days=2), team="old"),
        a_team_call(feature="rank", cc="x"),
    )
    company.settle()
    before = company.laid()
    looked = company.look(RULES)
    assert company.laid() == before == [None] * 5
    done = company.apply(RULES, rows=2)
    assert (done.state, done.totals) == ("done", looked.totals)
    assert company.moves(done.id) == looked.paths
    assert {
        (path.rule, path.dimension, path.before, path.after): sums.calls for path, sums in looked.paths.items()
    } == {
        ("tags", "cost_center", None, "tagged"): 1,
        ("search", "cost_center", None, "4711"): 2,
        ("search", "team", None, "search"): 2,
        ("moved", "team", "old", "new"): 1,
    }
    assert company.by("team") == {
        ("search",): Decimal("0.42"), ("ads",): Decimal("0.21"), ("old",): Decimal("0.21"), ("new",): Decimal("0.21"),
    }  # fmt: skip
    assert company.by("cost_center") == {
        ("4711",): Decimal("0.42"), ("tagged",): Decimal("0.21"), (None,): Decimal("0.42"),
    }  # fmt: skip
    assert company.look(RULES).totals.changed_spans == 0
    company.take_back(done.id, rows=1)
    assert company.laid() == before
    assert company.by("team") == {(None,): Decimal("0.42"), ("ads",): Decimal("0.21"), ("old",): Decimal("0.42")}
    with pytest.raises(Conflict, match="undone already"):
        company.take_back(done.id)


def test_of_two_versions_the_later_is_undone_first_and_then_the_earlier_stands(company: Company) -> None:
    company.arrive(a_team_call(feature="find"))
    one = company.apply("rules: [{name: a, set: {team: x, owner: kim}}]")
    two = company.apply("rules: [{name: a, set: {team: y}}]")
    assert company.laid() == [{"team": "y"}]
    with pytest.raises(Conflict, match=f"undo version {two.id} first"):
        company.take_back(one.id)
    back = company.take_back(two.id)
    assert company.laid() == [{"team": "x", "owner": "kim"}]
    with pytest.raises(Conflict, match="apply their file"):
        company.take_back(back.id)
    company.take_back(one.id)
    assert company.laid() == [None]


def test_what_arrives_has_the_rules_in_force_whatever_the_collector_knew(company: Company) -> None:
    company.apply(RULES)
    company.arrive(a_team_call(feature="find"))
    assert company.laid() == [{"team": "search", "cost_center": "4711"}]
    company.arrive(a_team_call(DAY_ONE + timedelta(hours=1), feature="rank"), attribution=NO_RULES)
    company.settle()
    assert company.laid() == [{"team": "search", "cost_center": "4711"}] * 2
    assert company.by("cost_center") == {("4711",): Decimal("0.42")}


def test_a_rule_that_asks_for_a_project_is_right_even_where_its_name_was_not_known_yet(company: Company) -> None:
    (name,) = company.connection.execute("SELECT name FROM project WHERE id = %s", (company.project_id,)).fetchone()  # type: ignore[misc]
    company.apply(f"rules: [{{name: a, when: {{project: {name!r}}}, set: {{cost_center: shop}}}}]")
    rules = store.load(company.connection, store.newest(company.connection))
    company.arrive(a_call(), attribution=Attribution(rules, {}))
    assert company.laid() == [None]
    company.settle()
    assert company.laid() == [{"cost_center": "shop"}]


def test_settlement_that_learns_more_of_a_call_asks_the_rules_again(company: Company) -> None:
    company.apply("rules: [{name: a, set: {team: nobody}}]")
    said = {"gen_ai.response.id": "resp-1"}
    company.arrive(a_call(attributes=said), scope="opentelemetry.instrumentation.genai.openai")
    assert company.by("team") == {("nobody",): Decimal("0.21")}
    company.arrive(a_call(attributes=said | {"outlay.team": "ads"}), scope="shop.own.wrapper")
    assert company.by("team") == {("ads",): Decimal("0.21")}


def test_a_run_that_was_killed_half_way_ends_the_same(company: Company) -> None:
    company.arrive(*(a_team_call(DAY_ONE + timedelta(hours=n), feature="find") for n in range(7)))
    company.settle()
    looked = company.look(RULES)
    batches = iter(range(3))
    half = company.apply(RULES, rows=2, stop=lambda: next(batches, None) is None)
    assert half.state == "running"
    assert 0 < half.totals.changed_spans < looked.totals.changed_spans
    done = company.apply(RULES, rows=2)
    assert (done.id, done.state, done.totals) == (half.id, "done", looked.totals)
    assert company.moves(done.id) == looked.paths
    assert company.by("team") == {("search",): Decimal("1.47")}


def test_a_newer_version_ends_one_that_is_under_way(company: Company) -> None:
    company.arrive(*(a_team_call(DAY_ONE + timedelta(hours=n)) for n in range(5)))
    batches = iter(range(2))
    first = company.apply("rules: [{name: a, set: {owner: kim}}]", rows=1, stop=lambda: next(batches, None) is None)
    company.apply("rules: [{name: a, set: {team: x}}]")
    assert company.laid() == [{"team": "x"}] * 5
    assert store.run(company.connection, first.id, zone=UTC_ZONE).state == "superseded"
    assert company.laid() == [{"team": "x"}] * 5


def test_money_of_a_closed_month_is_moved_by_lines_and_booked_figures_stand(company: Company) -> None:
    company.arrive(
        a_team_call(feature="find", customer="acme"), a_team_call(team="ads"), a_team_call(CLOSED.end, feature="find")
    )
    company.close_month()
    frozen = company.laid()
    booked = company.by("team", window=CLOSED)
    looked = company.look(RULES)
    done = company.apply(RULES, rows=1)
    assert (done.totals, company.moves(done.id)) == (looked.totals, looked.paths)
    assert company.laid()[:2] == frozen[:2]
    assert company.by("team", window=CLOSED) == booked == {(None,): Decimal("0.21"), ("ads",): Decimal("0.21")}
    assert company.by("team", window=CLOSED, basis=Basis.INCURRED) == {
        ("search",): Decimal("0.21"), ("ads",): Decimal("0.21"),
    }  # fmt: skip
    assert company.by("customer", window=CLOSED, basis=Basis.INCURRED)["acme",] == Decimal("0.21")
    assert company.by("team") == company.by("team", basis=Basis.INCURRED)
    assert company.look(RULES).totals.changed_spans == 0
    # A new price of the call is the new team's, too.
    company.override(rates_usd_per_mtok={"input": "1", "output": "0"})
    company.reprice(company.scope())
    assert company.by("team", window=CLOSED, basis=Basis.INCURRED) == {("search",): Decimal(1), ("ads",): Decimal(1)}
    assert company.by("team", window=CLOSED) == booked
    company.take_back(done.id)
    assert company.by("team", window=CLOSED, basis=Basis.INCURRED) == {(None,): Decimal(1), ("ads",): Decimal(1)}
    assert company.by("team", window=CLOSED) == booked


def test_reopening_lays_over_the_rows_what_the_rules_said_meanwhile(company: Company) -> None:
    company.arrive(a_team_call(feature="find"))
    company.close_month()
    company.apply(RULES)
    assert company.laid() == [None]
    company.reopen_month()
    assert company.laid() == [{"team": "search", "cost_center": "4711"}]
    for basis in Basis:
        assert company.by("team", window=CLOSED, basis=basis) == {("search",): Decimal("0.21")}
    assert company.by("team") == {("search",): Decimal("0.21")}


SOME = st.none() | st.sampled_from(["a", "ab", "b"])
CALLS = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 40, 69]), st.fixed_dictionaries({"team": SOME, "feature": SOME, "tier": SOME})),
    min_size=1,
    max_size=6,
)
DAYS = st.none() | st.sampled_from([0, 1, 2, 40])
FILES = st.lists(
    st.tuples(
        st.dictionaries(
            st.sampled_from(["team", "feature", "tag:tier"]),
            st.sampled_from([{"prefix": "a"}, {"missing": "true"}, {"exists": "true"}, "b"]),
            max_size=2,
        ),
        st.dictionaries(st.sampled_from(["team", "feature", "cost_center"]), st.sampled_from("bcd"), min_size=1),
        st.booleans(),
        DAYS,
    ),
    max_size=3,
)  # fmt: skip


def a_file(rules: Sequence[Any]) -> str:
    return json.dumps(
        {
            "rules": [
                {"name": f"r{n}", "when": when, "set": assigns, "override": str(override).lower()}
                | ({} if day is None else {"valid_from": (DAY_ONE + timedelta(days=day)).date().isoformat()})
                for n, (when, assigns, override, day) in enumerate(rules)
            ]
        }
    )


@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(calls=CALLS, one=FILES, two=FILES, rows=st.integers(1, 4), is_closed=st.booleans())
def test_laws(company: Company, calls: Any, one: Any, two: Any, rows: int, is_closed: bool) -> None:
    """Whatever the calls and the rules: looks are kept, sums stay, rows come back, booked months stand."""
    fresh = Company(company.connection.info.dsn)
    try:
        fresh.arrive(
            *(
                a_team_call(DAY_ONE + timedelta(days=day), **{name: value for name, value in said.items() if value})
                for day, said in calls
            ),
            attribution=NO_RULES,
        )
        fresh.settle()
        total = fresh.spent()
        first = fresh.apply(a_file(one), rows=rows)
        laid, groups = fresh.laid(), fresh.by("team", "feature", "cost_center", "tag:tier")
        if is_closed:
            fresh.close_month()
        booked = fresh.by("team", "cost_center", window=CLOSED)
        looked = fresh.look(a_file(two))
        second = fresh.apply(a_file(two), rows=rows)
        assert (second.totals, fresh.moves(second.id)) == (looked.totals, looked.paths)
        assert fresh.look(a_file(two)).totals.changed_spans == 0
        for basis in Basis:
            for group in (("team",), ("feature", "cost_center"), ("tag:tier", "team"), ("team", "model", "feature")):
                assert sum(fresh.by(*group, basis=basis).values()) == total
        assert fresh.by("team", "cost_center") == fresh.by("team", "cost_center", basis=Basis.INCURRED)
        if is_closed:
            assert fresh.by("team", "cost_center", window=CLOSED) == booked
        fresh.take_back(second.id, rows=rows)
        assert fresh.laid() == laid
        assert fresh.by("team", "feature", "cost_center", basis=Basis.INCURRED) == _without_tag(groups)
        fresh.take_back(first.id, rows=rows)
        if is_closed:
            fresh.reopen_month()
        assert fresh.laid() == [None] * len(calls)
    finally:
        fresh.connection.execute("DELETE FROM closed_month")
        fresh.connection.commit()
        fresh.close()


def _without_tag(groups: dict[Any, Decimal]) -> dict[Any, Decimal]:
    found: dict[Any, Decimal] = {}
    for key, cost in groups.items():
        found[key[:3]] = found.get(key[:3], Decimal(0)) + cost
    return found


def test_from_the_command_line(collector: Collector, tmp_path: Path) -> None:
    env = {"OUTLAY_DATABASE_URL": collector.database_url}
    file = tmp_path / "teams.yaml"
    start = datetime.now(UTC) - timedelta(hours=3)
    body = otlp([a_model_call(start=start, input_tokens=1_000_000, output_tokens=0)])
    headers = collector.headers | {"Content-Type": "application/x-protobuf"}
    assert httpx.post(f"{collector.url}/v1/traces", content=body, headers=headers).status_code == 200

    def run(*arguments: str) -> Any:
        ran = outlay("attribution", *arguments, "--json", env=env)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def team() -> str | None:
        (row,) = collector.get("/api/v1/calls").json()["rows"]
        return row["team"]

    file.write_text("rules: [{name: a, set: {teem: x}}]")
    assert (
        "teams.yaml: rule 'a': set: 'teem' cannot be set" in outlay("attribution", "preview", str(file), env=env).stderr
    )
    file.write_text("rules: [{name: shop's, when: {service: shop}, set: {team: sales}}]")
    looked = run("preview", str(file))
    assert [(row["rule"], row["to"], row["cost"]) for row in looked["moves"]] == [("shop's", "sales", "0.15")]
    assert "Nothing was written" in outlay("attribution", "preview", str(file), env=env).stdout
    assert team() is None
    done = run("apply", str(file))
    assert (done["state"], done["totals"]) == ("done", looked["totals"])
    assert team() == "sales"
    assert run("show", str(done["version"]))["moves"] == looked["moves"]
    run("undo", str(done["version"]))
    assert team() is None
    assert [row["undoes"] for row in run("list")] == [done["version"], None]


def test_over_http_the_worker_applies_what_a_look_said(collector: Collector, worker: Running) -> None:
    start = datetime.now(UTC) - timedelta(hours=3)
    body = otlp([a_model_call(start=start, input_tokens=1_000_000, output_tokens=0)])
    headers = collector.headers | {"Content-Type": "application/x-protobuf"}
    assert httpx.post(f"{collector.url}/v1/traces", content=body, headers=headers).status_code == 200

    def post(path: str, body: dict[str, Any] | None = None) -> Any:
        answer = httpx.post(f"{collector.url}/api/v1/{path}", json=body, headers=collector.headers, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def spent_by_team() -> list[tuple[str | None, str]]:
        rows = collector.get("/api/v1/spend", group_by="team").json()["rows"]
        return [(row["team"], row["cost"]) for row in rows]

    rules = "rules: [{name: all, set: {team: sales}}]"
    looked = post("attribution", {"rules": rules})
    assert [(row["to"], row["calls"]) for row in looked["moves"]] == [("sales", 1)]
    version = post("attribution", {"rules": rules, "apply": True})["version"]["version"]
    wait_until(lambda: spent_by_team() == [("sales", "0.15")], seconds=60)
    shown = collector.get(f"/api/v1/attribution/{version}").json()
    assert (shown["totals"], shown["moves"], shown["rules"]) == (looked["totals"], looked["moves"], rules)
    post(f"attribution/{version}/undo")
    wait_until(lambda: spent_by_team() == [(None, "0.15")], seconds=60)
    assert collector.get("/api/v1/attribution").json()["rules"] == ""


def test_showback_by_what_is_in_force_and_by_a_file_that_is_not(collector: Collector, tmp_path: Path) -> None:
    env = {"OUTLAY_DATABASE_URL": collector.database_url}
    start = datetime.now(UTC) - timedelta(hours=3)
    calls = [
        a_model_call(start=start, input_tokens=1_000_000, output_tokens=0, attributes={"outlay.feature": feature})
        for feature in ("find", "ads", "ads", "gateway")
    ]
    headers = collector.headers | {"Content-Type": "application/x-protobuf"}
    assert httpx.post(f"{collector.url}/v1/traces", content=otlp(calls), headers=headers).status_code == 200
    file = tmp_path / "teams.yaml"
    rules = """
    rules:
      - {name: search, when: {feature: find}, set: {cost_center: search}}
      - {name: ads, when: {feature: ads}, set: {cost_center: ads}}
    shared:
      - {name: gateway, costs: {feature: gateway}, split: %s}
    """
    file.write_text(rules % "proportional")
    assert outlay("attribution", "apply", str(file), env=env).returncode == 0
    shop = Shop(collector.database_url)
    for (project_id,) in shop.connection.execute("SELECT id FROM project").fetchall():
        shop.project_id = project_id
        shop.settle()
    shop.close()
    answer = collector.get("/api/v1/attribution/showback").json()
    shown = [(row["cost_center"], row["direct"], row["shared"]) for row in answer["rows"]]
    assert shown == [("ads", "0.3", "0.1"), ("search", "0.15", "0.05")]
    assert answer["total"] == "0.6"
    file.write_text(rules % "even")
    ran = outlay("attribution", "showback", "--file", str(file), env=env)
    assert "0.45 direct and 0.15 shared are 0.6 USD." in ran.stdout, ran.stderr
    by_file = httpx.post(
        f"{collector.url}/api/v1/attribution/showback", json={"rules": rules % "even"}, headers=collector.headers
    ).json()
    assert [row["shared"] for row in by_file["rows"]] == ["0.075", "0.075"]
