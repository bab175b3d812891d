"""Connections to Postgres: one place that knows how they are made, bounded and checked."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
from psycopg_pool import ConnectionPool

from outlay_collector.errors import NotReady, TooOld

OLDEST_POSTGRES = 15

# With these either side notices within half a minute that the other one's machine is gone: the server then gives up the
# session's locks, which would otherwise hold up everybody else for hours.
_ALIVE: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 8000,
}
_ALIVE_OPTIONS = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"

T = TypeVar("T")


class PatientConnection(psycopg.Connection[Any]):
    """Ends when the server has said nothing for ``patience`` seconds.

    Timeouts of the server end statements of a server that lives, and keep-alives end connections to a machine that is
    gone. Neither helps when the peer's kernel acknowledges and nobody answers: a stopped process, a relay that lost its
    other side. ``patience`` must be longer than the session's statement timeout.
    """

    patience: float | None = None

    def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
        """Like ``psycopg.Connection.wait``; OperationalError when patience ends."""
        if self.patience is None:
            return super().wait(gen, *arguments, **options)
        return super().wait(self._until_silent(gen, self.patience), *arguments, **options)

    def _until_silent(self, gen: Generator[Any, Any, T], patience: float) -> Generator[Any, Any, T]:
        deadline = time.monotonic() + patience
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    deadline = time.monotonic() + patience
                elif time.monotonic() > deadline:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server has said nothing for {patience:g} s")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value


def conninfo(url: str) -> str:
    """The URL as libpq takes it; SQLAlchemy's ``postgresql+psycopg://`` spelling is accepted too."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def connect(
    url: str, *, autocommit: bool = False, application: str = "outlay", patience: float | None = None
) -> psycopg.Connection[Any]:
    """One connection; NotReady in one sentence when there is no database or it is too old.

    With ``patience``, in seconds, it ends when the server says nothing for so long.
    """
    try:
        connection = PatientConnection.connect(
            conninfo(url),
            autocommit=autocommit,
            connect_timeout=5,
            application_name=application,
            options=f"-c timezone=UTC {_ALIVE_OPTIONS}",
            **_ALIVE,
        )
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise NotReady(
            f"No connection to the database ({reason}). Check OUTLAY_DATABASE_URL and that it runs."
        ) from error
    connection.patience = patience
    check_version(connection)
    return connection


def check_version(connection: psycopg.Connection[Any]) -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST_POSTGRES:
        connection.close()
        raise TooOld(f"Postgres {version} is too old: Outlay needs {OLDEST_POSTGRES} or newer.")


def pool(
    url: str,
    *,
    size: int,
    statement_timeout: timedelta,
    application: str = "outlay",
    lock_timeout: timedelta | None = None,
    writes: bool = False,
    options: Sequence[str] = (),
) -> ConnectionPool[psycopg.Connection[Any]]:
    """A pool whose sessions cannot hang: statements, locks and idle transactions are all bounded.

    It opens without waiting, so that a collector starts, says it is not ready, and heals when the database comes. With
    ``writes`` a session is given up when its server has stepped down: it would answer for ever, and take nothing. ``options``
    are further settings of its sessions, as libpq takes them.
    """
    lock = lock_timeout or min(statement_timeout, timedelta(seconds=5))
    session = " ".join(
        (
            "-c timezone=UTC",
            f"-c statement_timeout={_milliseconds(statement_timeout)}",
            f"-c lock_timeout={_milliseconds(lock)}",
            "-c idle_in_transaction_session_timeout=30000",
            _ALIVE_OPTIONS,
            *options,
        )
    )
    patience = statement_timeout.total_seconds() + 2

    def configure(connection: psycopg.Connection[Any]) -> None:
        connection.patience = patience  # type: ignore[attr-defined]

    return ConnectionPool(
        conninfo(url),
        connection_class=PatientConnection,
        configure=configure,
        min_size=0 if size == 1 else 1,
        max_size=size,
        open=True,
        timeout=2.0,
        max_waiting=4 * size,
        # The pool's own default of five minutes between attempts would outlive every client's patience.
        reconnect_timeout=2.0,
        check=_check_writable if writes else _check,
        kwargs={
            "application_name": application,
            "options": session,
            "connect_timeout": 3,
            **_ALIVE,
        },
    )


def _check(connection: psycopg.Connection[Any]) -> None:
    """That the server answers, before somebody is given this connection; it may take two seconds at most."""
    assert isinstance(connection, PatientConnection)
    patience, connection.patience = connection.patience, 2.0
    try:
        ConnectionPool.check_connection(connection)
    finally:
        connection.patience = patience


def _check_writable(connection: psycopg.Connection[Any]) -> None:
    """The same, and that it takes what is written."""
    _check(connection)
    (read_only,) = connection.execute("SHOW transaction_read_only").fetchone() or ("on",)
    connection.rollback()
    if read_only == "on":
        connection.close()  # or the pool would take it for good
        raise psycopg.OperationalError("the server takes no writes any more")


def _milliseconds(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
