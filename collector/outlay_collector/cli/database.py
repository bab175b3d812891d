"""The database a command works on: ``OUTLAY_DATABASE_URL``, or else the embedded one of the home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from outlay_collector.db.engine import connect
from outlay_collector.settings import Settings


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """Its URL, for as long as the block runs; an embedded server that nobody else uses is stopped afterwards."""
    if settings.database_url:
        yield settings.database_url
        return
    from outlay_collector.db.embedded import EmbeddedPostgres

    with EmbeddedPostgres(settings.home) as url:
        yield url


@contextmanager
def transaction(settings: Settings | None = None) -> Iterator[psycopg.Connection[Any]]:
    """One transaction on it: committed at the end of the block, rolled back when that raises."""
    with database(settings or Settings()) as url, connect(url, application="outlay-cli") as connection:
        yield connection
