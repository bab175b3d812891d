"""A whole installation for a run outside the test suite: its own Postgres, a collector and a worker."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from outlay_collector.access import store as access
from outlay_collector.access.keys import SCOPES
from outlay_collector.db.embedded import EmbeddedPostgres
from outlay_collector.db.engine import connect
from outlay_collector.up.store import prepare

from tests.servers import Collector, Running, ended

# Crashes are other tests' business, so nothing is flushed.
UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "256MB"}


@contextmanager
def system() -> Iterator[Collector]:
    """A collector that is ready, with a worker beside it."""
    home = Path(tempfile.mkdtemp(prefix="outlay-fuzz-"))
    home.chmod(0o755)  # the run may be root's, Postgres never is
    try:
        with EmbeddedPostgres(home, bound=True, settings=UNSAFE) as url:
            prepare(url)
            with connect(url) as connection:
                key = access.create_key(connection, project=None, scopes=list(SCOPES), name="fuzz")
            collector = Collector(url, key, log=home / "collector.log")
            worker = Running("worker", env={"OUTLAY_DATABASE_URL": url}, log=home / "worker.log")
            with ended(worker), ended(collector):
                yield collector
    finally:
        shutil.rmtree(home, ignore_errors=True)
