"""The embedded Postgres: on any home, as any user, through every kind of end."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from outlay_collector.db import programs
from outlay_collector.db.embedded import Account, EmbeddedPostgres
from outlay_collector.errors import NotReady

from tests.servers import wait_until

NAMELESS = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can enter, unlike ``tmp_path``."""
    place = Path(tempfile.mkdtemp(prefix="outlay-pg-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@pytest.fixture
def home(folder: Path) -> Path:
    return folder / "home"


def setting(url: str, name: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        assert row is not None
        return row[0]


def remember(url: str, note: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS note (text text)")
        connection.execute("INSERT INTO note VALUES (%s)", (note,))


def remembered(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM note").fetchall()]


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def test_a_new_home_becomes_a_durable_postgres_18_without_a_network_port(home):
    with EmbeddedPostgres(home) as url:
        assert setting(url, "server_version").startswith("18.")
        assert setting(url, "fsync") == "on"
        assert setting(url, "listen_addresses") == ""
        assert setting(url, "TimeZone") == "UTC"


def test_starting_again_on_the_same_home_continues(home):
    with EmbeddedPostgres(home) as url:
        remember(url, "before")
    with EmbeddedPostgres(home) as url:
        assert remembered(url) == ["before"]


def test_nothing_runs_after_the_last_user_left(home):
    server = EmbeddedPostgres(home)
    server.start()
    pid = postmaster(server)
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_second_user_joins_and_the_server_stays_until_both_have_left(home):
    first, second = EmbeddedPostgres(home), EmbeddedPostgres(home)
    assert first.start() == second.start()
    first.stop()
    assert second.is_running()
    remember(second.url, "still here")
    second.stop()
    assert not second.is_running()


def test_what_was_committed_survives_kill_nine(home):
    server = EmbeddedPostgres(home)
    remember(server.start(), "committed")
    os.kill(postmaster(server), signal.SIGKILL)
    wait_until(lambda: not server.is_running())
    try:
        assert remembered(server.start()) == ["committed"]
    finally:
        server.stop()


def test_a_stale_pid_file_whose_number_belongs_to_another_program_is_no_obstacle(home):
    server = EmbeddedPostgres(home)
    server.start()
    server.stop()
    lines = [str(os.getpid()), str(server.data), "1700000000", "5432", str(server.data), "", "", "ready"]
    (server.data / "postmaster.pid").write_text("\n".join(lines))
    with server as url:
        assert setting(url, "server_version")


def test_a_bound_server_dies_with_the_process_that_started_it(home):
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent died")
    program = f"""
import time
from pathlib import Path
from outlay_collector.db.embedded import EmbeddedPostgres
print(EmbeddedPostgres(Path({str(home)!r}), bound=True).start(), flush=True)
time.sleep(60)
"""
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with closing(owner.stdout):
        assert owner.stdout.readline()
        server = EmbeddedPostgres(home)
        assert server.is_running()
        owner.kill()
        owner.wait()
    wait_until(lambda: not server.is_running())


def test_a_home_too_deep_for_a_socket_gets_a_short_private_one(folder):
    home = folder / ("deep" * 25)
    server = EmbeddedPostgres(home)
    with server as url:
        sockets = Path(url.partition("host=")[2])
        assert len(str(sockets)) < 60
        assert sockets.stat().st_mode & 0o077 == 0
    assert not sockets.exists()


def test_a_socket_folder_that_somebody_else_made_is_refused(folder):
    home = folder / ("deep" * 25)
    server = EmbeddedPostgres(home)
    sockets = Path(server.url.partition("host=")[2])
    sockets.mkdir(mode=0o777)
    sockets.chmod(0o777)
    try:
        with pytest.raises(NotReady, match="belongs to somebody else"):
            server.start()
    finally:
        sockets.rmdir()


def test_data_of_another_major_version_are_refused_in_one_sentence(home):
    with EmbeddedPostgres(home):
        pass
    (home / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(NotReady, match=r"made by Postgres 16 and this is 18: .* or start with another --home\."):
        EmbeddedPostgres(home).start()


def test_a_home_that_cannot_be_written_is_named_in_one_sentence():
    with pytest.raises(NotReady, match=r"The home /proc/outlay cannot be written .* --home or OUTLAY_HOME\."):
        EmbeddedPostgres(Path("/proc/outlay")).start()


def test_a_failed_start_gives_the_reason_that_postgres_gave(home):
    with EmbeddedPostgres(home):
        pass
    with pytest.raises(NotReady, match="max_connections"):
        EmbeddedPostgres(home, settings={"max_connections": "none"}).start()


def test_an_interrupted_first_start_leaves_nothing_half_made(home, monkeypatch):
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EmbeddedPostgres, "_initdb", interrupted)
    with pytest.raises(KeyboardInterrupt):
        EmbeddedPostgres(home).start()
    monkeypatch.undo()
    assert not [path for path in home.iterdir() if path.is_dir() and path.name.startswith("postgres")]
    with EmbeddedPostgres(home) as url:
        assert setting(url, "server_version")


@as_root
def test_for_root_the_server_runs_as_somebody_without_rights(home):
    with EmbeddedPostgres(home) as url, psycopg.connect(url) as connection:
        owner = Path(f"/proc/{connection.info.backend_pid}").stat().st_uid
    assert owner != 0
    assert (home / "postgres").stat().st_uid == owner


@as_root
def test_root_leaves_the_permissions_of_foreign_folders_alone(folder):
    locked = folder / "locked"
    locked.mkdir(mode=0o700)
    with EmbeddedPostgres(locked / "home") as url:
        remember(url, "sheltered")
    assert locked.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_mode & 0o777 == 0o755
    shelter = (locked / "home" / "postgres").resolve().parent
    assert shelter.is_relative_to("/var/lib/outlay/homes")
    with EmbeddedPostgres(locked / "home") as url:
        assert remembered(url) == ["sheltered"]
    shutil.rmtree(shelter)


@as_root
def test_a_user_without_a_name_can_make_and_run_a_server(home, monkeypatch):
    with pytest.raises(KeyError):
        pwd.getpwuid(NAMELESS)
    account = Account(NAMELESS, NAMELESS, switch=True)
    monkeypatch.setattr(EmbeddedPostgres, "_account", lambda self: account)
    with EmbeddedPostgres(home) as url, psycopg.connect(url) as connection:
        assert Path(f"/proc/{connection.info.backend_pid}").stat().st_uid == NAMELESS
        assert setting(url, "server_version").startswith("18.")
    assert [path.name for path in home.glob("initdb.*")] == []


@as_root
def test_the_data_folder_keeps_its_owner_when_another_user_could_be_borrowed_later(home):
    with EmbeddedPostgres(home):
        pass
    data = home / "postgres"
    for path in [data, *data.rglob("*")]:
        os.chown(path, NAMELESS, NAMELESS, follow_symlinks=False)
    with EmbeddedPostgres(home) as url, psycopg.connect(url) as connection:
        assert Path(f"/proc/{connection.info.backend_pid}").stat().st_uid == NAMELESS


def test_without_the_wheel_the_way_out_is_told(monkeypatch):
    monkeypatch.setattr(programs, "_WHEEL", "no_such_wheel")
    with pytest.raises(NotReady, match=r"outlay-server\[embedded\], or set OUTLAY_DATABASE_URL"):
        programs.bundled()


def test_nobody_reaches_it_over_the_network(home):
    with EmbeddedPostgres(home), socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 5432)) != 0
