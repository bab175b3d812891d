"""The command line: what it prints, and that whatever goes wrong is one sentence and exit code 1."""

import json
import time

import httpx
import pytest

from tests.servers import free_port, outlay, wait_until


@pytest.fixture
def run(database_url):
    """Run a command on the test's database."""

    def run(*arguments: str, **env: str):
        return outlay(*arguments, env={"OUTLAY_DATABASE_URL": database_url} | env)

    return run


def only_sentence(done) -> str:
    """The one line on stderr of a command that failed."""
    assert done.returncode == 1, done
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("outlay: ")
    return done.stderr.removeprefix("outlay: ").strip()


def test_help_is_there_at_once():
    begun = time.monotonic()
    done = outlay("--help")
    assert done.returncode == 0
    assert "doctor" in done.stdout
    assert time.monotonic() - begun < 5, "imports crept into the way to --help"


def test_help_imports_nothing_heavy():
    done = outlay("--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert imported.isdisjoint({"pydantic", "psycopg", "httpx", "sqlalchemy", "fastapi", "streamlit", "numpy"})


def test_a_project_and_a_key_are_made_without_a_key(run):
    assert json.loads(run("project", "create", "shop", "--json").stdout) == {"name": "shop"}
    made = json.loads(
        run("key", "create", "--project", "shop", "--scope", "ingest", "--scope", "read", "--json").stdout
    )
    assert made["key"].startswith("out_")
    assert made["scopes"] == ["ingest", "read"]
    listed = json.loads(run("key", "list", "--json").stdout)
    assert [(key["project"], key["scopes"]) for key in listed] == [("shop", ["ingest", "read"])]
    assert made["key"] not in run("key", "list").stdout
    assert "shop" in [project["name"] for project in json.loads(run("project", "list", "--json").stdout)]


def test_a_key_made_here_opens_the_collector_until_it_is_revoked(run, collector):
    made = json.loads(run("key", "create", "--scope", "read", "--json").stdout)

    def status() -> int:
        return httpx.get(f"{collector.url}/api/v1/projects", headers={"x-api-key": made["key"]}).status_code

    assert status() == 200
    assert run("key", "revoke", made["key"].split("_")[1]).returncode == 0
    wait_until(lambda: {status() for _ in range(10)} == {401}, seconds=15)  # every acceptor has heard of it


def test_creating_what_exists_says_so(run):
    run("project", "create", "shop")
    assert "Project 'shop' exists already" in only_sentence(run("project", "create", "shop"))


def test_an_unknown_project_says_how_to_see_those_there_are(run):
    assert "`outlay project list`" in only_sentence(run("key", "create", "--project", "nope", "--scope", "read"))


def test_an_unknown_scope_lists_the_scopes(run):
    assert "ingest, read, finance, admin" in only_sentence(run("key", "create", "--scope", "everything"))


def test_a_key_cannot_be_revoked_twice(run):
    assert "There is no active key" in only_sentence(run("key", "revoke", "abcdefgh"))


def test_a_schema_that_is_missing_says_how_to_make_it(run, empty_database_url):
    done = run("project", "list", OUTLAY_DATABASE_URL=empty_database_url)
    assert "run `outlay migrate`" in only_sentence(done)


def test_a_database_that_is_away_says_where_to_look(run):
    done = run("project", "list", OUTLAY_DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    assert "OUTLAY_DATABASE_URL" in only_sentence(done)


def test_a_setting_that_cannot_be_is_named(run):
    assert "OUTLAY_TIME_ZONE cannot be 'Mars/Base'" in only_sentence(
        run("project", "list", OUTLAY_TIME_ZONE="Mars/Base")
    )


def test_migrating_twice_changes_nothing_the_second_time(run, empty_database_url):
    first = run("migrate", OUTLAY_DATABASE_URL=empty_database_url)
    assert first.stdout.endswith("The database is up to date.\n")
    second = run("migrate", OUTLAY_DATABASE_URL=empty_database_url)
    assert second.stdout == "The database was up to date already.\n"


def test_the_state_of_the_database(run):
    status = json.loads(run("db", "status", "--json").stdout)
    assert status["schema"] == status["schema_of_this_version"]
    assert status["days"] == 0
    assert "no partitions yet" in run("db", "partitions").stdout


def test_an_unknown_command_is_a_usage_error():
    assert outlay("frobnicate").returncode == 2
