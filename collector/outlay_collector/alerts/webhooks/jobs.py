"""Delivers what is due: a thread that asks the outbox, and one more per receiver that is being talked to."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg

from outlay_collector.alerts.store import CHANNEL
from outlay_collector.alerts.webhooks import signing, store
from outlay_collector.alerts.webhooks.schedule import Outcome
from outlay_collector.alerts.webhooks.sender import Sender
from outlay_collector.alerts.webhooks.store import Ours, Parcel
from outlay_collector.db.engine import connect
from outlay_collector.db.store import beat
from outlay_collector.errors import NotReady
from outlay_collector.settings import Settings

logger = logging.getLogger("outlay.delivery")

RECEIVERS_AT_ONCE = 32
"""Per worker. A receiver that hangs holds one of them for 15 seconds and then rests for longer and longer."""

LOOK_SECONDS = 1.0
BEAT_SECONDS = 5.0
STOP_SECONDS = 4.0

_CONTENT_TYPE = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Outlay"}


def sender_of(settings: Settings) -> Sender:
    return Sender(allowed=settings.webhook_networks, smtp_url=settings.smtp_url, smtp_from=settings.smtp_from)


def ours_of(settings: Settings) -> Ours:
    return Ours(dashboard_url=settings.dashboard_url.rstrip("/"), smtp_from=settings.smtp_from)


def attempt(sender: Sender, parcel: Parcel, now: datetime) -> Outcome:
    """Send one message, signed as of now."""
    if parcel.kind == "email":
        return sender.mail(parcel.url, parcel.body)
    headers = signing.headers(f"evt_{parcel.event_id.hex}", now, parcel.body, parcel.secrets)
    return sender.post(parcel.url, headers | _CONTENT_TYPE, parcel.body)


def deliver(
    connection: psycopg.Connection[Any], sender: Sender, parcel: Parcel, clock: Callable[[], datetime]
) -> Outcome:
    """One attempt and its outcome, committed."""
    outcome = attempt(sender, parcel, clock())
    disabled = store.finish(
        connection,
        parcel,
        outcome,
        now=clock(),
        chance=random.random(),  # noqa: S311 - spreads attempts, keeps no secret
    )
    connection.commit()
    if disabled:
        logger.warning("webhook %s is disabled: %s", parcel.webhook_id, disabled)
    elif outcome.error:
        logger.info("delivery %s, attempt %d: %s", parcel.delivery_id, parcel.attempt, outcome.error)
    return outcome


class Deliverer:
    """Follows the outbox: wakes on a notification or after a second; any number of workers share it."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._url = database_url
        self._sender = sender_of(settings)
        self._ours = ours_of(settings)
        self._stop = threading.Event()
        self._free = threading.Semaphore(RECEIVERS_AT_ONCE)
        self._last_beat = datetime.min.replace(tzinfo=UTC)
        self._thread = threading.Thread(target=self._run, name="outlay-delivery", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What is being sent has a few seconds to be done; what is not is sent again when its lease ends."""
        self._stop.set()
        self._thread.join(timeout=8)
        deadline = time.monotonic() + STOP_SECONDS
        for _ in range(RECEIVERS_AT_ONCE):
            self._free.acquire(timeout=max(deadline - time.monotonic(), 0))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url, autocommit=True, application="outlay-listen") as listener:
                    listener.execute(f"LISTEN {CHANNEL}".encode())
                    with connect(self._url, application="outlay-delivery") as connection:
                        self._until_stopped(connection, listener)
            except (psycopg.Error, NotReady) as error:
                said = str(error).strip().splitlines() or [type(error).__name__]
                logger.warning("the database is away (%s); trying again", said[0])
                self._stop.wait(2)
            except Exception:
                # One message that cannot be made must not keep all others from being sent for ever.
                logger.exception("delivery stumbled; trying again")
                self._stop.wait(2)

    def _until_stopped(self, connection: psycopg.Connection[Any], listener: psycopg.Connection[Any]) -> None:
        while not self._stop.is_set():
            taken = self._once(connection)
            if not taken:
                for _ in listener.notifies(timeout=LOOK_SECONDS, stop_after=1):
                    pass

    def _once(self, connection: psycopg.Connection[Any]) -> int:
        now = datetime.now(UTC)
        slots = 0
        while slots < RECEIVERS_AT_ONCE and self._free.acquire(blocking=False):
            slots += 1
        parcels: list[Parcel] = []
        try:
            if slots:
                parcels = store.claim(connection, now=now, limit=slots, ours=self._ours)
        finally:
            for _ in range(slots - len(parcels)):
                self._free.release()
        for parcel in parcels:
            threading.Thread(target=self._deliver, args=(parcel,), name="outlay-deliver", daemon=True).start()
        if (now - self._last_beat).total_seconds() >= BEAT_SECONDS:
            beat(connection, "delivery", {"lag_seconds": store.lag_seconds(connection)})
            connection.commit()
            self._last_beat = now
        return len(parcels)

    def _deliver(self, parcel: Parcel) -> None:
        """This one, and what else is due to the same receiver, one after the other."""
        try:
            with connect(self._url, application="outlay-deliver") as connection:
                following = [parcel]
                while following:
                    parcel = following[0]
                    deliver(connection, self._sender, parcel, lambda: datetime.now(UTC))
                    if self._stop.is_set():
                        break
                    following = store.claim(
                        connection, now=datetime.now(UTC), limit=1, ours=self._ours, only=parcel.webhook_id
                    )
        except Exception as error:  # noqa: BLE001 - not marked, so it is sent again when the lease ends, under the same id
            logger.warning("delivery %s could not be marked (%s); it is tried again", parcel.delivery_id, error)
        finally:
            self._free.release()
