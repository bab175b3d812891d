"""A Postgres server from programs of the machine, for tests of other versions than the embedded one."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from outlay_collector import launch

from tests.servers import wait_until


@contextmanager
def server(programs: Path) -> Iterator[str]:
    """The URL of a new, empty server run by ``programs/postgres``; it is gone afterwards. Nothing is flushed to disk."""
    folder = Path(tempfile.mkdtemp(prefix="outlay-other-"))
    uid, gid = (-1, -1)
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        uid, gid = user.pw_uid, user.pw_gid
        os.chown(folder, uid, gid)
    data = folder / "data"
    initdb = [programs / "initdb", "-D", data, "-U", "outlay", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    options = ["-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
    try:
        subprocess.run(launch.command_line(*initdb, uid=uid, gid=gid), check=True, capture_output=True, cwd="/")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                launch.command_line(programs / "postgres", *options, uid=uid, gid=gid, when_we_die=signal.SIGINT),
                stdout=log,
                stderr=log,
                cwd="/",
            )
        try:
            url = f"postgresql://outlay@/postgres?host={folder}"
            wait_until(lambda: _answers(url))
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)
    finally:
        shutil.rmtree(folder)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
