"""The worker: settles and sums what commits touched, keeps partitions ahead, and says that it is alive.

Two kinds of work. The *pulse* follows the commits: it wakes on a notification or every second, and several workers share
it by project. Everything that follows the clock is a job of the queue (procrastinate), run by one worker among many.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from datetime import UTC, datetime
from typing import Any

import psycopg

from outlay_collector.alerts.unusual.jobs import Unusual
from outlay_collector.alerts.watch.jobs import Watch
from outlay_collector.alerts.webhooks.jobs import Deliverer
from outlay_collector.alerts.webhooks.store import forget as forget_events
from outlay_collector.bills import jobs as bills
from outlay_collector.budgets.watch.jobs import Follower
from outlay_collector.budgets.watch.store import forget as forget_budgets
from outlay_collector.calls.store import lag_seconds, settle_round, waiting_projects
from outlay_collector.costs import jobs as costs
from outlay_collector.db.engine import connect, conninfo
from outlay_collector.db.jobs import queue
from outlay_collector.db.store import analyse_new_days, beat, maintain
from outlay_collector.errors import NotReady
from outlay_collector.gpu.allocation import store as allocation
from outlay_collector.gpu.jobs import Allocator, Scraper
from outlay_collector.ledger.attribution import store as attribution
from outlay_collector.ledger.buckets import DAY
from outlay_collector.ledger.later import store as later
from outlay_collector.ledger.months import store as months
from outlay_collector.ledger.store import forget_minutes
from outlay_collector.pricing import jobs as feed
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.currencies import store as currencies
from outlay_collector.pricing.reprice import store as reprice
from outlay_collector.pricing.store import load_book, newest_version
from outlay_collector.receive.deadletters.store import forget as forget_letters
from outlay_collector.receive.store import forget_clients
from outlay_collector.reports.store import send_weekly
from outlay_collector.reports.weekly import is_due
from outlay_collector.settings import Settings

logger = logging.getLogger("outlay.worker")

PULSE_SECONDS = 1.0
"""Longest wait between two looks for work; a commit's notification ends it sooner."""

HEARTBEAT_SECONDS = 5.0

REST = 3.0
"""A project rests this many times as long as its last round took: sums read the whole minute again, however little was
added, so under load fewer and larger rounds cost less, and settlement takes at most a quarter of a core."""

LONGEST_REST_SECONDS = 5.0
"""Under more load than that, being late is worse than taking more than a quarter."""

SICK_SECONDS = 10.0
"""Rest of a project whose settlement failed: the others go on meanwhile."""

JOBS_SECONDS = 2.0
"""Between two looks for jobs."""

LATER_SECONDS = 5.0
"""Between two looks for sums of past hours and days that have to be made."""

CHUNKS_PER_ROUND = 8
"""Transactions of settlement before sums are made, where there is that much to settle."""

PARTITION_DAYS_AHEAD = 7

LOCK_TIMEOUT = "5s"
"""Longest that housekeeping waits for others, while whoever needs a new partition waits behind it."""


class Pulse:
    """Settlement and rollups, in a thread of its own with a connection of its own."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._settings = settings
        self._url = database_url
        self._stop = threading.Event()
        self._book: Book | None = None
        self._last_beat = 0.0
        self._resting: dict[int, float] = {}  # project -> when it is looked at again, by the monotonic clock
        self._thread = threading.Thread(target=self._run, name="outlay-pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=8)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url, autocommit=True, application="outlay-listen") as listener:
                    listener.execute("LISTEN outlay_touched")
                    with connect(self._url, application="outlay-pulse") as connection:
                        self._beat_until_stopped(connection, listener)
            except (psycopg.Error, NotReady) as error:
                said = str(error).strip().splitlines() or [type(error).__name__]
                logger.warning("the database is away (%s); trying again", said[0])
                self._stop.wait(2)
            except Exception:
                # A worker whose pulse has stopped looks alive and does nothing; whatever it was, go on.
                logger.exception("the pulse stumbled; trying again")
                self._stop.wait(2)

    def _beat_until_stopped(self, connection: psycopg.Connection[Any], listener: psycopg.Connection[Any]) -> None:
        while not self._stop.is_set():
            self.once(connection)
            rest = min(self._resting.values(), default=0.0) - time.monotonic()
            if rest > 0:
                # Work is known to wait; notifications would only say so again.
                self._stop.wait(min(rest, PULSE_SECONDS))
            else:
                # The first notification ends the wait; what else is queued of them says nothing more.
                for _ in listener.notifies(timeout=PULSE_SECONDS, stop_after=1):
                    pass

    def once(self, connection: psycopg.Connection[Any]) -> None:
        """One look at every waiting project that does not rest."""
        book = self._current_book(connection)
        began = time.monotonic()
        self._resting = {project_id: until for project_id, until in self._resting.items() if until > began}
        waiting = [project_id for project_id in waiting_projects(connection) if project_id not in self._resting]
        connection.commit()
        if waiting:
            analyse_new_days(connection)
            connection.commit()
        for project_id in waiting:
            if self._stop.is_set():
                break
            began = time.monotonic()
            settled = self._settle_or_say_why(connection, project_id, book)
            now = time.monotonic()
            rest = min(REST * (now - began), LONGEST_REST_SECONDS) if settled else SICK_SECONDS
            self._resting[project_id] = now + rest
        self._say_alive(connection)

    def _settle_or_say_why(self, connection: psycopg.Connection[Any], project_id: int, book: Book) -> bool:
        """False when this project cannot be settled at the moment. Only the end of the session is an error."""
        try:
            self._settle(connection, project_id, book)
        except Exception as error:
            if connection.closed:
                raise
            connection.rollback()
            logger.warning("project %d cannot be settled: %s", project_id, error, exc_info=error)
            return False
        return True

    def _settle(self, connection: psycopg.Connection[Any], project_id: int, book: Book) -> None:
        """Everything that waits, within bounds, with its sums made once at the end."""
        for chunk in range(CHUNKS_PER_ROUND):
            done = settle_round(
                connection,
                project_id,
                book=book,
                now=datetime.now(UTC),
                zone=self._settings.zone,
                sums_may_wait=chunk < CHUNKS_PER_ROUND - 1,
                told=allocation.mark,
            )
            if done is None or not done.more or self._stop.is_set():
                break

    def _current_book(self, connection: psycopg.Connection[Any]) -> Book:
        if self._book is None or newest_version(connection) != self._book.version:
            self._book = load_book(connection)
        connection.commit()
        return self._book

    def _say_alive(self, connection: psycopg.Connection[Any]) -> None:
        now = datetime.now(UTC).timestamp()
        if now - self._last_beat >= HEARTBEAT_SECONDS:
            beat(connection, "worker", {"lag_seconds": lag_seconds(connection)})
            connection.commit()
            self._last_beat = now


class Jobs:
    """Repricing and attribution that the API was asked for, and what a killed process left of them; in a thread of its own."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._zone = settings.zone
        self._url = database_url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outlay-jobs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=8)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url, application="outlay-jobs") as connection:
                    self._until_stopped(connection)
            except Exception as error:  # noqa: BLE001 - a job is taken up where it stood, whatever happened to it
                logger.warning("a job was interrupted (%s); trying again", error)
                self._stop.wait(JOBS_SECONDS)

    def _until_stopped(self, connection: psycopg.Connection[Any]) -> None:
        while not self._stop.is_set():
            for job_id in reprice.waiting_jobs(connection):
                connection.commit()
                reprice.run(connection, job_id, zone=self._zone, stop=self._stop.is_set)
            for version in attribution.waiting(connection):
                connection.commit()
                attribution.run(connection, version, zone=self._zone, stop=self._stop.is_set)
            connection.commit()
            self._stop.wait(JOBS_SECONDS)


class LaterSums:
    """Sums of hours and days that are over, and again of those that late data touched; in a thread of its own.

    It rests as long as it works: a history that has to be summed anew takes half a core, not all of one.
    """

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._zone = settings.zone
        self._url = database_url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outlay-sums", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=8)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url, application="outlay-sums") as connection:
                    self._until_stopped(connection)
            except Exception as error:  # noqa: BLE001 - answers come from rows meanwhile
                logger.warning("sums of past days could not be made (%s); trying again", error)
                self._stop.wait(LATER_SECONDS)

    def _until_stopped(self, connection: psycopg.Connection[Any]) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            made = self._round(connection)
            self._stop.wait(time.monotonic() - began if made else LATER_SECONDS)

    def _round(self, connection: psycopg.Connection[Any]) -> int:
        """What can be made of what is waiting, each in a transaction of its own; how many were made."""
        found = later.waiting(connection, now=datetime.now(UTC), zone=self._zone)
        connection.commit()
        made = 0
        for stale in found:
            if self._stop.is_set():
                break
            try:
                made += later.make(connection, stale, zone=self._zone)
                connection.commit()
            except psycopg.Error as error:
                if connection.closed:
                    raise
                connection.rollback()
                logger.warning("%s of project %d, %s: %s", stale.name, stale.project_id, stale.bucket, error)
        return made


def housekeeping(settings: Settings, database_url: str) -> None:
    """Partitions of the coming days, retention, and what nobody reads any more."""
    now = datetime.now(UTC)
    with connect(database_url, autocommit=True, application="outlay-housekeeping") as connection:
        connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'".encode())
        try:
            done = maintain(connection, now=now, ahead=PARTITION_DAYS_AHEAD, retention=settings.retention)
        except psycopg.errors.LockNotAvailable:
            logger.warning("partitions could not be made: another session has locked them; a later run makes them")
            return
        forget_minutes(connection, now=now)
        later.forget(connection, now=now)
        forget_letters(connection, now=now, retention=settings.retention)
        forget_clients(connection, now=now, retention=settings.retention)
        forget_events(connection, before=now - settings.retention)
        # A partition goes when all of its day is too old.
        reprice.forget(connection, before=now - settings.retention - DAY)
        months.forget(connection, before=now - settings.retention - DAY)
        forget_budgets(connection, now=now)
        allocation.forget(connection, before=now - settings.retention - DAY)
    if done.create or done.drop:
        logger.info("partitions: %d made, %d dropped", len(done.create), len(done.drop))
    if done.left:
        logger.warning(
            "retention: %d days back to %s are still in use, by a transaction that has been open for longer than %s; "
            "they are dropped by a later run",
            len(done.left), done.left[0], LOCK_TIMEOUT,
        )  # fmt: skip


def weekly_reports(settings: Settings, database_url: str) -> None:
    """Last week's spend to whoever listens, on Mondays at the hour that was asked for."""
    now = datetime.now(UTC)
    if settings.weekly_report is None or not is_due(settings.weekly_report, settings.zone, now):
        return
    with connect(database_url, application="outlay-reports") as connection:
        sent = send_weekly(connection, settings, now)
    if sent:
        logger.info("weekly reports: %d queued", sent)


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. NotReady when the database is missing or too old."""
    database_url = settings.database_url
    assert database_url is not None
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    with connect(database_url) as connection:
        currencies.check(connection, settings.currency)
    housekeeping(settings, database_url)
    parts = (Pulse, Jobs, LaterSums, Follower, Deliverer, Watch, Unusual, Allocator, Scraper)
    threads = [part(settings, database_url) for part in parts]
    for thread in threads:
        thread.start()
    try:
        asyncio.run(_work_queue(settings, database_url))
    finally:
        for thread in reversed(threads):
            thread.stop()


async def _work_queue(settings: Settings, database_url: str) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)

    app = queue(conninfo(database_url))

    @app.periodic(cron="*/10 * * * *")
    @app.task(name="outlay.housekeeping", queueing_lock="housekeeping", pass_context=False)
    async def _(timestamp: int) -> None:  # pyright: ignore[reportUnusedFunction]
        del timestamp
        await asyncio.to_thread(housekeeping, settings, database_url)

    @app.periodic(cron="*/5 * * * *")
    @app.task(name="outlay.weekly_reports", queueing_lock="weekly_reports", pass_context=False)
    async def _(timestamp: int) -> None:  # pyright: ignore[reportUnusedFunction]
        del timestamp
        await asyncio.to_thread(weekly_reports, settings, database_url)

    @app.periodic(cron=feed.SCHEDULE)
    @app.task(name="outlay.price_feed", queueing_lock="price_feed", pass_context=False)
    async def _(timestamp: int) -> None:  # pyright: ignore[reportUnusedFunction]
        del timestamp
        await asyncio.to_thread(feed.import_feed, settings, database_url)

    @app.periodic(cron=costs.SCHEDULE)
    @app.task(name="outlay.volume", queueing_lock="volume", pass_context=False)
    async def _(timestamp: int) -> None:  # pyright: ignore[reportUnusedFunction]
        del timestamp
        await asyncio.to_thread(costs.settle_volume, settings, database_url)

    @app.periodic(cron=bills.SCHEDULE)
    @app.task(name="outlay.bills", queueing_lock="bills", lock="bills", pass_context=False)
    async def _(timestamp: int) -> None:  # pyright: ignore[reportUnusedFunction]
        del timestamp
        await asyncio.to_thread(bills.pull_all, settings, database_url)

    while not stopped.is_set():
        try:
            async with app.open_async():
                worker = asyncio.ensure_future(app.run_worker_async(install_signal_handlers=False, concurrency=2))
                waiter = asyncio.ensure_future(stopped.wait())
                await asyncio.wait({worker, waiter}, return_when=asyncio.FIRST_COMPLETED)
                waiter.cancel()
                worker.cancel()
                await asyncio.gather(worker, return_exceptions=True)
        except Exception as error:  # noqa: BLE001 - the queue comes back with the database; the pulse goes on meanwhile
            logger.warning("the job queue is away (%s); trying again", error)
        if not stopped.is_set():
            await asyncio.sleep(2)
