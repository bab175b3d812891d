"""The job queue: procrastinate on the same Postgres, so that there is no broker to run."""

from __future__ import annotations

import procrastinate


def queue(conninfo: str) -> procrastinate.App:
    """A queue on this database. Jobs are registered by ``worker.py``; each has a lock where two runs would collide."""
    return procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo, min_size=1, max_size=4))
