"""Watches the other parts and the data, in a thread of its own, and tells a dead man's switch that all is well."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

import psycopg

from outlay_collector.alerts.watch import store
from outlay_collector.alerts.watch.checks import keeps_up, of_data, of_ourselves
from outlay_collector.alerts.webhooks.jobs import sender_of
from outlay_collector.db.engine import connect
from outlay_collector.db.store import beat
from outlay_collector.settings import Settings

logger = logging.getLogger("outlay.watch")

LOOK_SECONDS = 10.0
DATA_SECONDS = 60.0
HEARTBEAT_SECONDS = 60.0


class Watch:
    """One worker among many does it at a time; all of them look whether they should."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._url = database_url
        self._sender = sender_of(settings)
        self._heartbeat_url = settings.heartbeat_url
        self._stop = threading.Event()
        self._looked_at_data = -DATA_SECONDS
        self._called = -HEARTBEAT_SECONDS
        self._thread = threading.Thread(target=self._run, name="outlay-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=8)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                with connect(self._url, application="outlay-watch") as connection:
                    while not self._stop.is_set():
                        self.once(connection)
                        self._stop.wait(LOOK_SECONDS)
            except Exception as error:  # noqa: BLE001 - who watches the others must not end
                logger.warning("watching was interrupted (%s); trying again", error)

    def once(self, connection: psycopg.Connection[Any]) -> None:
        """One look, if no other worker is looking."""
        if not store.alone(connection):
            connection.rollback()
            return
        now = datetime.now(UTC)
        vitals = store.vitals(connection)
        findings = of_ourselves(vitals)
        if time.monotonic() - self._looked_at_data >= DATA_SECONDS:
            self._looked_at_data = time.monotonic()
            findings += [finding for health in store.health(connection, now=now) for finding in of_data(health)]
        for finding in findings:
            if store.tell(connection, finding, now=now):
                logger.warning("%s: %s", finding.title, finding.summary if finding.bad else "over")
        beat(connection, "watch")
        connection.commit()
        if self._heartbeat_url and keeps_up(vitals) and time.monotonic() - self._called >= HEARTBEAT_SECONDS:
            self._called = time.monotonic()
            outcome = self._sender.post(self._heartbeat_url, {"User-Agent": "Outlay"}, b"")
            if outcome.error:
                logger.warning("the heartbeat was not taken: %s", outcome.error)
