"""Prices in a real database: imported once, never edited, undone and read back; and asked for by people and programs."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from datetime import time as clock
from decimal import Decimal
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from outlay_collector.access import store as access
from outlay_collector.db.engine import connect
from outlay_collector.errors import Conflict, NotFound
from outlay_collector.pricing import jobs, store
from outlay_collector.pricing.bundled import default_book
from outlay_collector.pricing.imports import Catalogue, bundled_catalogue, from_feed, from_providers
from outlay_collector.pricing.quote import override_rows, quote
from outlay_collector.pricing.rows import CATALOGUE
from outlay_collector.pricing.store import Imported
from outlay_collector.pricing.usage import Usage
from outlay_collector.settings import Settings

from tests.servers import Collector, outlay

GOLDEN = Path(__file__).parents[1] / "data" / "golden-costs" / "cases.json"
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
MILLION = Usage(input_tokens=1_000_000)

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def template(server_url: str, template: str) -> Iterator[str]:
    """A migrated database with the prices of this release, to clone."""
    name = f"outlay_priced_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        with connect(urlsplit(server_url)._replace(path=f"/{name}").geturl()) as connection:
            store.import_bundled(connection)
        yield name
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        yield connection


def everything(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT 'price', id, opened_in, closed_in, amount::text FROM price"
        " UNION ALL SELECT 'model', id, opened_in, closed_in, model FROM price_model"
        " UNION ALL SELECT 'discount', id, opened_in, closed_in, percent::text FROM price_discount ORDER BY 1, 2"
    ).fetchall()


def visible(connection: Connection, version: int | None = None) -> set[tuple[object, ...]]:
    """What a version says, without the ids it says it under."""
    book = store.load_book(connection, version)
    rows = {replace(row, id=0, amount=row.amount.normalize()) for row in book.prices}
    return {*rows, *((row.layer, row.provider, row.model, json.dumps(row.match), row.note) for row in book.models)}


def cost(
    connection: Connection, model: str, provider: str = "openai", at: datetime = NOW, **said: Any
) -> Decimal | None:
    book = store.load_book(connection)
    return book.charge(provider=provider, model=model, usage=MILLION, at=at, **said).cost


def with_price(model: str, amount: str) -> Catalogue:
    """Today's catalogue with one standard input price changed."""
    catalogue = bundled_catalogue()
    prices = [
        replace(row, amount=Decimal(amount))
        if (row.provider, row.model, row.unit, row.tier) == ("openai", model, "input", "standard")
        else row
        for row in catalogue.prices
    ]
    return Catalogue("changed", catalogue.models, prices)


def imported(connection: Connection, catalogue: Catalogue, **said: Any) -> store.Imported:
    return store.import_catalogue(connection, catalogue, **{"kind": "file", "actor": "tests", "at": NOW} | said)


def test_the_database_prices_every_golden_case_as_the_files_do(connection: Connection):
    cases = json.loads(GOLDEN.read_text("utf-8"), parse_float=Decimal)
    stored = [(result["status"], result["cost_usd"]) for result in quote(store.load_book(connection), cases)]
    assert stored == [(result["status"], result["cost_usd"]) for result in quote(default_book(), cases)]
    assert stored == [(case["expected_status"], _plain(case["expected_cost_usd"])) for case in cases]


def _plain(cost: str | None) -> str | None:
    return cost.rstrip("0").rstrip(".") if cost and "." in cost else cost


def test_importing_the_same_again_changes_nothing(connection: Connection):
    before = everything(connection)
    assert store.import_bundled(connection).version is None
    assert imported(connection, bundled_catalogue()).version is None
    assert everything(connection) == before


def test_a_first_import_and_a_look_at_an_up_to_date_database_are_quick(connection: Connection, database_url: str):
    begun = time.perf_counter()
    store.import_bundled(connection)
    assert time.perf_counter() - begun < 0.5
    begun = time.perf_counter()
    store.load_book(connection)
    assert time.perf_counter() - begun < 1.5


def test_a_changed_price_is_closed_and_opened_and_the_past_keeps_its_own(connection: Connection):
    first = store.newest_version(connection)
    done = imported(connection, with_price("gpt-4.1", "1.5"))
    assert done.version == first + 1
    assert cost(connection, "gpt-4.1") == Decimal("1.5")
    assert cost(connection, "gpt-4.1", at=datetime(2026, 11, 20, tzinfo=UTC)) == 2
    assert cost(connection, "gpt-4.1", tier="batch") == 1  # Listed apart, and unchanged.
    old = store.load_book(connection, first)
    assert old.charge(provider="openai", model="gpt-4.1", usage=MILLION, at=NOW).cost == 2


def test_no_row_is_ever_edited_but_for_closing_it_once(connection: Connection):
    def facts() -> dict[int, tuple[Any, ...]]:
        rows = connection.execute(
            "SELECT id, layer, provider, model, unit, amount, per, tier, context_over, valid_from, valid_to, opened_in FROM price"
        ).fetchall()
        return {row[0]: row[1:] for row in rows}

    before = facts()
    version = imported(connection, with_price("gpt-4.1", "1.5")).version
    assert version is not None
    store.undo(connection, version, actor="tests")
    after = facts()
    assert {number: after[number] for number in before} == before


def test_a_leap_is_refused_until_somebody_allows_it(connection: Connection):
    before = everything(connection)
    refused = imported(connection, with_price("gpt-4.1", "200"))
    assert refused.version is None
    assert "more than 10 times" in refused.diff.refusals[0]
    assert everything(connection) == before
    assert imported(connection, with_price("gpt-4.1", "200"), allow_leaps=True).version is not None


def test_a_look_writes_nothing(connection: Connection):
    before = everything(connection)
    looked = imported(connection, with_price("gpt-4.1", "1.5"), apply=False)
    assert (looked.version, len(looked.diff.changed)) == (None, 1)
    assert everything(connection) == before


def test_undo_restores_what_held_before_and_can_itself_be_undone(connection: Connection):
    first = store.newest_version(connection)
    begun = visible(connection)
    changed = imported(connection, with_price("gpt-4.1", "1.5")).version
    assert changed is not None
    after = visible(connection)
    assert after != begun
    undone = store.undo(connection, changed, actor="tests")
    assert visible(connection) == begun
    store.undo(connection, undone, actor="tests")
    assert visible(connection) == after
    assert visible(connection, first) == begun
    assert visible(connection, changed) == after


def test_what_a_later_version_builds_on_is_not_undone_first(connection: Connection):
    once = imported(connection, with_price("gpt-4.1", "1.5")).version
    assert once is not None
    imported(connection, with_price("gpt-4.1", "1.2"), at=datetime(2026, 11, 22, tzinfo=UTC))
    with pytest.raises(Conflict, match="undo that one first"):
        store.undo(connection, once, actor="tests")


def test_a_version_is_undone_once_and_must_exist(connection: Connection):
    version = imported(connection, with_price("gpt-4.1", "1.5")).version
    assert version is not None
    store.undo(connection, version, actor="tests")
    with pytest.raises(Conflict):
        store.undo(connection, version, actor="tests")
    with pytest.raises(NotFound):
        store.undo(connection, 999, actor="tests")


def test_an_import_that_fails_half_way_leaves_nothing(connection: Connection):
    before = everything(connection)
    broken = with_price("gpt-4.1", "1.5")
    wrong = replace(next(row for row in broken.prices if row.layer == CATALOGUE), model="new", currency="money")
    with pytest.raises(psycopg.errors.CheckViolation):
        imported(connection, Catalogue("broken", broken.models, [*broken.prices, wrong]))
    connection.rollback()
    assert everything(connection) == before


def test_two_imports_after_another_are_one(database_url: str):
    with connect(database_url) as one, connect(database_url) as two:
        one.execute("UPDATE price_catalogue SET digest = 'of an older release'")
        assert store.import_bundled(one).version is not None
        one.commit()
        assert store.import_bundled(two).version is None


def enter(connection: Connection, project_id: int | None = None, **said: Any) -> int:
    override = {"provider": "openai", "model": "gpt-4.1*"} | said
    models, prices, discounts = override_rows([override], project_id)
    return store.add_own(connection, models=models, prices=prices, discounts=discounts, actor="tests", name="contract")


class TestOwnPrices:
    def test_a_contract_goes_before_the_list_until_it_is_undone(self, connection: Connection):
        version = enter(connection, rates_usd_per_mtok={"input": "1.1"})
        assert cost(connection, "gpt-4.1-2025-04-14") == Decimal("1.1")
        store.undo(connection, version, actor="tests")
        assert cost(connection, "gpt-4.1-2025-04-14") == 2

    def test_the_next_contract_ends_the_one_before_where_it_begins(self, connection: Connection):
        enter(connection, rates_usd_per_mtok={"input": "1.1"})
        enter(connection, rates_usd_per_mtok={"input": "0.9"}, valid_from="2026-12-01T00:00:00Z")
        assert cost(connection, "gpt-4.1") == Decimal("1.1")
        assert cost(connection, "gpt-4.1", at=datetime(2026, 12, 1, tzinfo=UTC)) == Decimal("0.9")
        enter(
            connection,
            rates_usd_per_mtok={"input": "0.5"},
            valid_from="2026-12-10T00:00:00Z",
            valid_to="2026-12-20T00:00:00Z",
        )
        december = [cost(connection, "gpt-4.1", at=datetime(2026, 12, day, tzinfo=UTC)) for day in (9, 10, 19, 20)]
        assert december == [Decimal("0.9"), Decimal("0.5"), Decimal("0.5"), Decimal("0.9")]

    def test_a_discount_and_a_project_are_kept(self, connection: Connection):
        enter(connection, project_id=7, discount_percent="50")
        assert cost(connection, "gpt-4.1", project_id=7) == 1
        assert cost(connection, "gpt-4.1") == 2

    def test_they_survive_the_next_import(self, connection: Connection):
        enter(connection, rates_usd_per_mtok={"input": "1.1"})
        imported(connection, with_price("gpt-4.1", "1.5"))
        assert cost(connection, "gpt-4.1") == Decimal("1.1")

    def test_a_price_may_be_in_another_currency(self, connection: Connection):
        enter(connection, provider="naver", model="HCX-005", rates_per_mtok={"input": "1250"}, currency="KRW")
        charge = store.load_book(connection).charge(provider="naver", model="HCX-005", usage=MILLION, at=NOW)
        assert (charge.cost, charge.currency, charge.status) == (1250, "KRW", "priced")


def plain(value: Any) -> Any:
    """An object of the catalogue's package as the JSON it was made from."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "__dict__"):
        return {key.rstrip("_"): plain(item) for key, item in vars(value).items() if item is not None}
    return str(value) if isinstance(value, Decimal | date | clock) else value


def test_the_catalogues_own_json_is_read_like_its_package():
    from genai_prices.data import providers

    chosen = [provider for provider in providers if provider.id in ("anthropic", "deepseek", "openai")]
    raw = [plain(provider) | {"extractors": None} for provider in chosen]
    read, package = from_feed(json.loads(json.dumps(raw)), name="feed"), from_providers(chosen, name="package")
    assert list(read.models) == list(package.models)
    assert list(read.prices) == list(package.prices)


def test_the_feed_is_imported_when_it_is_switched_on_and_passes_the_gate(database_url: str, tmp_path: Path):
    from genai_prices.data import providers

    raw = [plain(provider) | {"extractors": None} for provider in providers]
    page = tmp_path / "data.json"

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/data.json"

    def import_feed(text: str, **said: Any) -> Imported | None:
        page.write_text(text, "utf-8")
        settings = Settings(database_url=database_url, price_feed_url=url, **({"price_feed": True} | said))
        return jobs.import_feed(settings, database_url)

    def refusals(done: Imported | None) -> list[str]:
        assert done is not None
        assert done.version is None
        return done.diff.refusals

    try:
        whole = json.dumps(raw)
        assert import_feed(whole, price_feed=False) is None
        assert import_feed("no json") is None
        assert refusals(import_feed(json.dumps(raw[1:]))) == [f"Provider {raw[0]['id']} is gone from the catalogue."]
        page.unlink()
        assert jobs.import_feed(Settings(price_feed=True, price_feed_url=url), database_url) is None
        assert refusals(import_feed(whole)) == [], "what is known already makes no version"
    finally:
        server.shutdown()
        server.server_close()


def test_what_is_no_catalogue_is_refused():
    with pytest.raises(ValueError, match="is not a genai-prices catalogue"):
        from_feed([{"id": "x"}], name="feed")


class TestCommandLine:
    @pytest.fixture
    def run(self, database_url: str, connection: Connection):
        connection.commit()

        def run(*arguments: str):
            return outlay("price", *arguments, env={"OUTLAY_DATABASE_URL": database_url})

        return run

    def test_golden_cases_are_quoted_without_a_database(self, tmp_path: Path):
        done = outlay("price", "quote", str(GOLDEN), env={"OUTLAY_HOME": str(tmp_path)})
        assert done.returncode == 0, done.stderr
        cases = json.loads(GOLDEN.read_text("utf-8"))
        results = json.loads(done.stdout)
        assert [(r["id"], r["status"], r["cost_usd"]) for r in results] == [
            (case["id"], case["expected_status"], _plain(case["expected_cost_usd"])) for case in cases
        ]

    def test_a_price_is_listed_and_its_history_shown(self, run: Any):
        rows = json.loads(run("list", "gpt-4.1-nano", "-p", "openai", "--json").stdout)
        assert {row["model"] for row in rows} == {"gpt-4.1-nano", "ft:gpt-4.1-nano"}
        usual = [
            row for row in rows if (row["model"], row["unit"], row["tier"]) == ("gpt-4.1-nano", "input", "standard")
        ]
        assert [row["amount"] for row in usual] == ["0.1"]
        shown = json.loads(run("show", "o3", "-p", "openai", "--json").stdout)
        assert shown["matches"][0] == {"layer": "correction", "provider": "openai", "model": "o3", "note": None}
        assert run("show", "o3").returncode == 0
        assert "nearest known name is gpt-4o-mini" in run("show", "gpt-4o-mni", "-p", "openai").stdout

    def test_an_override_is_entered_used_and_undone(self, run: Any, tmp_path: Path):
        case = tmp_path / "case.json"
        case.write_text(
            json.dumps(
                [
                    {
                        "provider": "vllm",
                        "model": "acme/m",
                        "timestamp": "2026-11-21T00:00:00Z",
                        "usage": {"input_tokens": 1_000_000},
                    }
                ]
            )
        )

        def quoted() -> str:
            return json.loads(run("quote", str(case)).stdout)[0]["cost_usd"]

        assert quoted() == "0"
        done = run("override", "-p", "vllm", "-m", "acme/*", "--input", "0.2", "--output", "0.6")
        assert done.returncode == 0, done.stderr
        assert quoted() == "0.2"
        version = json.loads(run("versions", "--json").stdout)[0]["version"]
        assert run("undo", str(version)).returncode == 0
        assert quoted() == "0"

    def test_a_mistake_is_one_sentence(self, run: Any):
        for wrong in (
            ["override", "-m", "x"],
            ["override", "-m", "x", "--input", "cheap"],
            ["override", "-m", "x", "--input", "1", "--from", "soon"],
            ["override", "-m", "x", "--rate", "input"],
            ["override", "-m", "x", "--input", "1", "--project", "none"],
            ["undo", "999"],
            ["quote", "/no/such/file"],
            ["list", "--at", "soon"],
        ):
            done = run(*wrong)
            assert (done.returncode, done.stderr.count("\n")) == (1, 1), (wrong, done.stderr)

    def test_import_says_what_it_did(self, run: Any, tmp_path: Path):
        assert "Nothing changed" in run("import").stdout
        not_one = tmp_path / "prices.json"
        not_one.write_text('[{"id": "x"}]')
        done = run("import", str(not_one))
        assert done.returncode == 1
        assert "is not a genai-prices catalogue" in done.stderr

    def test_coverage_of_nothing_is_complete(self, run: Any):
        assert json.loads(run("coverage", "--json").stdout)["rows"] == []


class TestHttp:
    @pytest.fixture
    def api(self, database_url: str, connection: Connection, collector: Collector):
        with httpx.Client(base_url=collector.url, headers=collector.headers) as client:
            yield client

    def test_prices_are_quoted_and_listed_with_their_sources(self, api: httpx.Client):
        cases = json.loads(GOLDEN.read_text("utf-8"))
        results = api.post("/api/v1/prices/quote", json={"cases": cases}).json()["results"]
        assert [(r["id"], r["status"], r["cost_usd"]) for r in results] == [
            (case["id"], case["expected_status"], _plain(case["expected_cost_usd"])) for case in cases
        ]
        found = api.get("/api/v1/prices", params={"provider": "openai", "model": "o3", "exact": True}).json()
        assert {row["unit"] for row in found["rows"]} >= {"input", "cache_read", "output"}
        assert all(row["source_url"].startswith("https://") for row in found["rows"])
        missing = api.get("/api/v1/prices", params={"provider": "openai", "model": "gpt-4o-mni", "exact": True}).json()
        assert missing["nearest"] == {"provider": "openai", "model": "gpt-4o-mini"}
        covered = api.get("/api/v1/coverage").json()
        assert (covered["calls"], covered["rows"], covered["share_of_calls"]) == (0, [], None)

    def test_an_override_is_a_version_that_can_be_undone_by_whoever_may(
        self, api: httpx.Client, connection: Connection
    ):
        said = {"overrides": [{"provider": "openai", "model": "gpt-4.1", "discount_percent": "10"}], "name": "deal"}
        made = api.post("/api/v1/prices/overrides", json=said)
        assert made.status_code == 201
        version = made.json()["price_version"]
        assert api.get("/api/v1/prices/versions").json()["rows"][0]["name"] == "deal"
        assert api.post(f"/api/v1/prices/versions/{version}/undo").status_code == 201
        for wrong in ({"overrides": ["10%"]}, {"overrides": [{"discount_percent": "NaN"}]}, {"overrides": []}):
            assert api.post("/api/v1/prices/overrides", json=wrong).status_code in (400, 422)
        reader = access.create_key(connection, project=None, scopes=["read"], name="reader")
        connection.commit()
        refused = api.post("/api/v1/prices/overrides", json=said, headers={"authorization": f"Bearer {reader}"})
        assert refused.status_code == 403
