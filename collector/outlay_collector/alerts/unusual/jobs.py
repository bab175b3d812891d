"""Looks for unusual spend every few minutes and for runaways every minute, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

import psycopg

from outlay_collector.alerts.store import send
from outlay_collector.alerts.unusual import store
from outlay_collector.alerts.unusual.store import Look
from outlay_collector.db.engine import connect
from outlay_collector.ledger.buckets import HOUR
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.store import load_book
from outlay_collector.settings import Settings

logger = logging.getLogger("outlay.unusual")

RUNAWAY_SECONDS = 60.0
LOOK_SECONDS = 300.0

_LOCK = 0x0071_AE08


class Unusual:
    """One worker among many does it at a time. A project that cannot be looked at does not keep others from it."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._settings = settings
        self._url = database_url
        self._stop = threading.Event()
        self._looked = -LOOK_SECONDS
        self._thread = threading.Thread(target=self._run, name="outlay-unusual", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=8)

    def _run(self) -> None:
        while not self._stop.wait(RUNAWAY_SECONDS / 4):
            try:
                with connect(self._url, application="outlay-unusual") as connection:
                    while not self._stop.is_set():
                        self.once(connection)
                        self._stop.wait(RUNAWAY_SECONDS)
            except Exception as error:  # noqa: BLE001 - it is looked again a minute later
                logger.warning("looking for unusual spend was interrupted (%s); trying again", error)

    def once(self, connection: psycopg.Connection[Any]) -> None:
        """Every project with spend lately: runaways, and when it is time for it, unusual hours and days."""
        thorough = time.monotonic() - self._looked >= LOOK_SECONDS
        if not self._alone(connection):
            return
        try:
            now = datetime.now(UTC)
            for project_id, name in store.busy(connection, since=now - 48 * HOUR):
                if self._stop.is_set():
                    return
                self._one(connection, project_id, name, now, thorough)
            if thorough:
                self._looked = time.monotonic()
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
            connection.commit()

    def _one(
        self, connection: psycopg.Connection[Any], project_id: int, name: str, now: datetime, thorough: bool
    ) -> None:
        def book() -> Book:
            return load_book(connection)

        how = Look(
            now=now,
            zone=self._settings.zone,
            currency=self._settings.currency,
            floor=self._settings.unusual_floor,
            book=book,
        )
        try:
            for event in store.runaways(connection, project_id, name, how):
                send(connection, event)
            if thorough:
                finding = store.look(connection, project_id, name, how)
                if finding is not None:
                    store.tell(connection, finding)
                seen = finding.scope.key if finding is not None else None
                store.close_old(connection, project_id, now=now, seen=seen)
            connection.commit()
        except Exception as error:
            if connection.closed:
                raise
            connection.rollback()
            logger.warning("project %d cannot be looked at: %s", project_id, error, exc_info=error)

    def _alone(self, connection: psycopg.Connection[Any]) -> bool:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        connection.commit()
        return bool(row and row[0])
