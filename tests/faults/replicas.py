"""A database server and its replica, for faults in which one takes the place of the other."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from outlay_collector import launch
from outlay_collector.db import programs
from outlay_collector.db.embedded import EmbeddedPostgres

from tests.faults.stand import crash
from tests.servers import wait_until


@dataclass
class Pair:
    """Two servers with one database, ``name``; ``url`` leads to whichever of them takes writes."""

    primary: EmbeddedPostgres
    replica: EmbeddedPostgres
    name: str

    @property
    def url(self) -> str:
        folders = ",".join(str(server.data.resolve()) for server in (self.primary, self.replica))
        return f"postgresql://outlay@/{self.name}?host={folders}&target_session_attrs=read-write&connect_timeout=3"

    def synchronous(self) -> None:
        """From now on a commit is one when the replica has it on disk too."""
        set_and_reload(self.primary, "synchronous_standby_names", "*")
        wait_until(lambda: self._replication() == [("sync",)], seconds=60)

    def cut(self) -> None:
        """The replica hears nothing more, and the primary goes on without it."""
        set_and_reload(self.replica, "primary_conninfo", "")
        wait_until(lambda: self._replication() == [], seconds=60)

    def promote(self) -> None:
        with psycopg.connect(self.replica.url, autocommit=True) as operator:
            assert operator.execute("SELECT pg_promote(true, 60)").fetchone() == (True,)

    def _replication(self) -> list[tuple[str]]:
        with psycopg.connect(self.primary.url, autocommit=True) as operator:
            return operator.execute("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'").fetchall()


def set_and_reload(server: EmbeddedPostgres, name: str, value: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as operator:
        operator.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
        operator.execute("SELECT pg_reload_conf()")


@contextmanager
def a_pair(source: EmbeddedPostgres, template: str) -> Iterator[Pair]:
    """A copy of ``source`` with a new database, and its replica."""
    if not (programs.folder(programs.bundled()) / "pg_basebackup").exists():
        pytest.skip("this installation of the embedded Postgres comes without pg_basebackup")
    folder = Path(tempfile.mkdtemp(prefix="outlay-pair-"))
    folder.chmod(0o755)
    servers: list[EmbeddedPostgres] = []
    try:
        servers.append(primary := _copy(source, folder / "a"))
        primary.start()
        with psycopg.connect(primary.url, autocommit=True) as operator:
            operator.execute(f"CREATE DATABASE pair TEMPLATE {template}".encode())
        servers.append(replica := _copy(primary, folder / "b", "--write-recovery-conf"))
        replica.start()
        yield Pair(primary, replica, "pair")
    finally:
        for server in servers:
            if server.is_running():
                crash(server)
            server.stop()
        shutil.rmtree(folder)


def _copy(source: EmbeddedPostgres, home: Path, *arguments: str) -> EmbeddedPostgres:
    """A server, not started, with what ``source`` holds at the moment."""
    # Processes die here, and the machine does not: what was written is there, flushed or not.
    made = EmbeddedPostgres(home, bound=True, settings={"fsync": "off"})
    made.data.mkdir(parents=True, mode=0o700)
    home.chmod(0o755)
    owner = source.data.resolve().stat()
    os.chown(made.data, owner.st_uid, owner.st_gid)
    packages = programs.bundled()
    for copied in source.home.glob("programs-*"):  # run by another user, it has programs that he can reach
        packages = home / copied.name
        packages.symlink_to(copied.resolve())
    uid, gid = (owner.st_uid, owner.st_gid) if os.geteuid() == 0 else (-1, -1)
    backup = [programs.folder(packages) / "pg_basebackup", "-d", source.url, "-D", made.data, "-X", "stream"]
    done = subprocess.run(
        launch.command_line(*backup, "--checkpoint=fast", "--no-sync", *arguments, uid=uid, gid=gid),
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for left in made.data.glob(".s.PGSQL*"):  # the source's socket lies among its data, and so did its lock
        left.unlink()
    return made
