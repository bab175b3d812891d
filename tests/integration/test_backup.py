"""Backups: everything comes back as it was, into an empty database only, and a broken file brings nothing back."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from outlay_collector.access import store as access
from outlay_collector.db.backup.manifest import Digest, in_order
from outlay_collector.db.backup.store import backup, restore
from outlay_collector.db.engine import connect
from outlay_collector.db.migrate import upgrade
from outlay_collector.db.revisions import newest_revision
from outlay_collector.errors import BadRequest, Conflict

from tests.builders import a_model_call
from tests.integration.shop import Shop
from tests.servers import outlay


def test_what_was_backed_up_comes_back_to_the_last_digit(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    shop = Shop(database_url)
    shop.send(*[a_model_call(name=f"tab\tnew\nline\\ {number}") for number in range(50)])
    shop.settle()
    shop.connection.close()
    shop.writer.close()
    with connect(database_url) as connection:
        key = access.create_key(connection, project=None, scopes=["read"])
        spent = connection.execute("SELECT count(*), sum(cost) FROM span").fetchone()
    file = tmp_path / "ledger.outlay"
    backup(database_url, file)
    assert file.stat().st_mode & 0o777 == 0o600

    back = outlay("db", "restore", str(file), env={"OUTLAY_DATABASE_URL": empty_database_url}, timeout=120)
    assert back.returncode == 0, back.stderr
    assert "each was compared" in back.stdout
    with connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*), sum(cost) FROM span").fetchone() == spent
        assert connection.execute("SELECT sum(calls) FROM cost_day").fetchone() == (50,)
        assert access.access_of(connection, key) is not None, "keys go on working"
        access.create_project(connection, "after")  # its id is a new one
    with pytest.raises(Conflict, match="empty one"):
        restore(empty_database_url, file)
    with pytest.raises(Conflict, match="exists already"):
        backup(database_url, file)


def test_a_backup_of_an_older_schema_is_brought_to_this_one(
    empty_database_url: str, server_url: str, tmp_path: Path
) -> None:
    upgrade(empty_database_url, to="0003_dead_letters")
    with connect(empty_database_url) as connection:
        connection.execute("INSERT INTO project (name) VALUES ('old')")
    file = tmp_path / "old.outlay"
    assert backup(empty_database_url, file).revision == "0003_dead_letters"
    name = f"{urlsplit(empty_database_url).path[1:]}_new"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            target = urlsplit(empty_database_url)._replace(path=f"/{name}").geturl()
            restore(target, file)
            with connect(target) as restored:
                assert restored.execute("SELECT version_num FROM outlay_revision").fetchone() == (newest_revision(),)
                assert ("old",) in restored.execute("SELECT name FROM project").fetchall()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def test_a_file_that_was_cut_short_brings_nothing_back(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "ledger.outlay"
    backup(database_url, file)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(BadRequest, match="cut short"):
        restore(empty_database_url, file)


def test_rows_are_compared_in_whatever_order_they_come() -> None:
    one, other, less = Digest(), Digest(), Digest()
    one.add(b"a\tb\nc\td\n")
    other.add(b"c\td\n")
    other.add(b"a\tb\n")
    less.add(b"a\tb\n")
    assert str(one) == str(other) != str(less)


def test_a_table_is_filled_after_those_it_refers_to() -> None:
    order = in_order({"delivery": ["event", "webhook"], "event": ["alert"], "alert": ["alert"], "webhook": []})
    assert order.index("alert") < order.index("event") < order.index("delivery") > order.index("webhook")


def test_a_postgres_without_citus_is_told_so_and_left_alone(database_url: str) -> None:
    done = outlay("db", "distribute", env={"OUTLAY_DATABASE_URL": database_url})
    assert done.returncode == 1
    assert "has not the extension citus" in done.stderr
    assert "nothing was distributed" in done.stderr
