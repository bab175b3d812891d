"""Group commit: requests that arrive while a commit is under way share the next one.

One thread and one connection each. A request's future is resolved only after COMMIT, so an answer of 200 is a promise
that is already kept. When the database fails, everybody waiting is told to come again; nothing is acknowledged.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import psycopg
from psycopg import errors

from outlay_collector.errors import NotReady, Unavailable
from outlay_collector.receive import store
from outlay_collector.receive.batch import Batch, Receipt
from outlay_collector.receive.decode import Refused

logger = logging.getLogger("outlay.ingest")

MAX_ROWS = 4096
"""Rows in one commit; more would only make the first in line wait."""

_ATTEMPTS = 4
_TRANSIENT = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)
# A partition that was dropped behind our back, or a server that was restored: look again, then write.
_STALE = (errors.CheckViolation, errors.UndefinedTable)


class _Pending:
    __slots__ = ("batch", "future")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.future: Future[Receipt] = Future()


class Committer:
    """Writers that share one queue of batches."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], *, writers: int) -> None:
        self._connect = connect
        self._queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"outlay-commit-{n}", daemon=True) for n in range(writers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, batch: Batch) -> Future[Receipt]:
        pending = _Pending(batch)
        self._queue.put(pending)
        return pending.future

    def close(self) -> None:
        """Write what is queued, then stop."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(timeout=10)

    def _run(self) -> None:
        writer = _Writer(self._connect)
        stop = False
        while not stop:
            first = self._queue.get()
            if first is None:
                break
            waiting, stop = self._gather(first)
            # Who gave up waiting need not be served, and who is being served can no longer give up.
            group = [pending for pending in waiting if pending.future.set_running_or_notify_cancel()]
            if group:
                writer.write(group)
        writer.close()

    def _gather(self, first: _Pending) -> tuple[list[_Pending], bool]:
        """``first`` and whoever waits behind it, up to a commit's worth; True when asked to stop on the way."""
        group, rows = [first], len(first.batch.rows)
        while rows < MAX_ROWS:
            try:
                pending = self._queue.get_nowait()
            except queue.Empty:
                break
            if pending is None:
                return group, True
            group.append(pending)
            rows += len(pending.batch.rows)
        return group, False


class _Writer:
    """One connection, opened when needed and thrown away when it failed."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._connection: psycopg.Connection[Any] | None = None
        self._session = store.Session()

    def write(self, group: list[_Pending]) -> None:
        """Commit the group and answer each of it; a batch that poisons the commit is found and answered alone."""
        try:
            self._commit([pending.batch for pending in group])
        except errors.DataError:
            self._write_apart(group)
        except Exception as error:  # noqa: BLE001 - whatever happened, nobody may be left waiting
            _fail(group, error)
        else:
            for pending in group:
                pending.future.set_result(_receipt(pending.batch))

    def _write_apart(self, group: list[_Pending]) -> None:
        if len(group) > 1:
            for pending in group:
                self.write([pending])
            return
        try:
            self._write_halves(group[0].batch)
        except Exception as error:  # noqa: BLE001
            _fail(group, error)
        else:
            group[0].future.set_result(_receipt(group[0].batch))

    def _write_halves(self, batch: Batch) -> None:
        """Store all rows of ``batch`` that Postgres takes; each it refuses becomes a dead letter of its own."""
        batch.rows = self._acceptable(batch, batch.rows)
        try:
            self._commit([batch])
        except errors.DataError as error:
            # Not the spans but what came beside them; sent again it would be refused again, for ever.
            logger.exception("what came beside %d spans cannot be stored", len(batch.rows))
            dropped = len(batch.contents) + len(batch.late_usage) + len(batch.scores) + len(batch.counts)
            refused = Refused("unstorable", str(error).splitlines()[0])
            batch.refused += [refused] * dropped
            batch.contents, batch.late_usage, batch.scores, batch.counts, batch.clients = [], [], [], {}, []
            self._commit([batch])

    def _acceptable(self, batch: Batch, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        try:
            self._try(Batch(batch.project_id, rows))
        except errors.DataError as error:
            if len(rows) == 1:
                item = batch.sent(*rows[0][2:4])
                raw = b"" if item else repr(rows[0]).encode("utf-8", "replace")
                batch.refused.append(Refused("unstorable", str(error).splitlines()[0], item, raw=raw))
                return []
            middle = len(rows) // 2
            return self._acceptable(batch, rows[:middle]) + self._acceptable(batch, rows[middle:])
        return rows

    def _try(self, batch: Batch) -> None:
        """Write without committing: only to see whether Postgres takes it."""
        connection = self._open()
        try:
            with connection.cursor() as cursor, cursor.copy(store.COPY_TO_STAGE) as copy:
                copy.set_types(store.TYPES)
                for values in batch.rows:
                    copy.write_row(values)
        finally:
            connection.rollback()

    def _commit(self, batches: list[Batch]) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            connection = self._open()
            try:
                store.write(connection, batches, self._session)
            except _TRANSIENT:
                connection.rollback()
                if attempt == _ATTEMPTS:
                    raise
            except _STALE:
                connection.rollback()
                self._session.days.clear()
                if attempt == _ATTEMPTS:
                    raise
            except errors.DataError:
                connection.rollback()
                raise
            except BaseException:
                # In what state the session is nobody knows; a new one is certain.
                self.close()
                raise
            else:
                return

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            store.prepare(self._connection)
            self._session = store.Session()
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


def _receipt(batch: Batch) -> Receipt:
    reasons = sorted({f"{item.reason}: {item.detail}"[:300] for item in batch.refused})
    message = "" if not reasons else "; ".join(reasons[:3]) + ("; …" if len(reasons) > 3 else "")
    return Receipt(len(batch.rows), len(batch.refused), message)


def _fail(group: list[_Pending], error: BaseException) -> None:
    """Tell everybody to come again: with the outcome unknown that is always safe, for what is stored stays once."""
    if not isinstance(error, (psycopg.Error, NotReady)):
        logger.exception("a commit failed unexpectedly")
    else:
        logger.warning(
            "a commit failed: %s", str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        )
    for pending in group:
        pending.future.set_exception(Unavailable("The database does not take spans at the moment; send again."))
