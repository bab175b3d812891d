"""Budgets follow sums and time, for as long as a worker runs."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

import psycopg

from outlay_collector.budgets.store import projects, unsummed_projects
from outlay_collector.budgets.watch import store
from outlay_collector.db.engine import connect
from outlay_collector.db.store import beat
from outlay_collector.ledger.store import changed_projects
from outlay_collector.settings import Settings

logger = logging.getLogger("outlay.worker")

BUDGET_SECONDS = 1.0
"""Between two looks whether sums changed that budgets follow."""

REST = 3.0
"""A project rests this many times as long as its last look took, up to LONGEST_REST_SECONDS: a quarter of a core at most."""

LONGEST_REST_SECONDS = 10.0

SWEEP_SECONDS = 300.0
"""Between two looks at every budget: time alone makes forecasts, and arms what was told."""


class Follower:
    """Budgets follow the sums that settlement makes; in a thread of its own, shared between workers by project."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        del settings  # budgets carry their own zones
        self._url = database_url
        self._stop = threading.Event()
        self._swept: dict[int, float] = {}  # project -> when its budgets were all looked at, by the monotonic clock
        self._resting: dict[int, float] = {}  # project -> when it is looked at again
        self._summing: set[int] = set()  # projects of which more of the past waits to be summed
        self._thread = threading.Thread(target=self._run, name="outlay-budgets", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=8)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url, application="outlay-budgets") as connection:
                    self._until_stopped(connection)
            except Exception as error:  # noqa: BLE001 - what was not followed is still there to be followed
                logger.warning("budgets could not be evaluated (%s); trying again", error)
                self._stop.wait(2)

    def _until_stopped(self, connection: psycopg.Connection[Any]) -> None:
        while not self._stop.is_set():
            self.once(connection)
            self._stop.wait(0.05 if self._summing else BUDGET_SECONDS)

    def once(self, connection: psycopg.Connection[Any]) -> None:
        """One look at every project whose sums changed, or whose budgets have not been looked at for a while."""
        began = time.monotonic()
        with_budgets = projects(connection)
        changed = set(changed_projects(connection)) | unsummed_projects(connection) | self._summing
        connection.commit()
        for project_id in sorted(changed | set(with_budgets)):
            if self._stop.is_set():
                return
            if self._resting.get(project_id, began) > began:
                continue
            try:
                self._look(connection, project_id, project_id in changed, began)
            except psycopg.Error as error:
                if connection.closed:
                    raise
                connection.rollback()  # the others go on meanwhile
                logger.warning("budgets of project %d could not be evaluated: %s", project_id, error, exc_info=error)
        beat(connection, "evaluation", {"lag_seconds": store.lag_seconds(connection)})
        connection.commit()

    def _look(self, connection: psycopg.Connection[Any], project_id: int, is_changed: bool, began: float) -> None:
        looked = time.monotonic()
        if is_changed:
            done = store.follow(connection, project_id, now=datetime.now(UTC))
            (self._summing.add if done is not None and done.more else self._summing.discard)(project_id)
        if began - self._swept.get(project_id, -SWEEP_SECONDS) >= SWEEP_SECONDS:
            store.sweep(connection, project_id, now=datetime.now(UTC))
            self._swept[project_id] = began
        took = time.monotonic() - looked
        self._resting[project_id] = looked + took + min(REST * took, LONGEST_REST_SECONDS)
