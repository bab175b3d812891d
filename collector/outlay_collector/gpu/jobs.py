"""What the worker does for GPUs, each in a thread of its own: scrape targets, and allocate windows that are over."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg

from outlay_collector.db.engine import connect
from outlay_collector.gpu import store
from outlay_collector.gpu.allocation import store as allocation
from outlay_collector.gpu.exposition import parse
from outlay_collector.gpu.readings import Readings, read
from outlay_collector.gpu.telemetry.store import Told, write
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.store import load_book, newest_version
from outlay_collector.settings import Settings

logger = logging.getLogger("outlay.gpu")

LOOK_SECONDS = 5.0
"""Between two looks for windows to allocate, and for targets that were added."""

WRITE_SECONDS = 1.0
"""Readings wait so long for others, and share a commit."""

MAX_BODY_BYTES = 8 * 2**20
"""Of one scrape; more is no metrics."""

AT_ONCE = 64
"""Scrapes under way at once."""

_SCRAPER_LOCK = 0x0071_AE04


class Allocator:
    """Runs windows of pools: what is over, and what is to be run again."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        self._settings = settings
        self._url = database_url
        self._stop = threading.Event()
        self._book: Book | None = None
        self._thread = threading.Thread(target=self._run, name="outlay-allocate", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=8)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url, application="outlay-allocate") as connection:
                    while not self._stop.is_set():
                        if not self.once(connection):
                            self._stop.wait(LOOK_SECONDS)
            except Exception as error:  # noqa: BLE001 - a window is run again as a whole, whatever happened to it
                logger.warning("allocation was interrupted (%s); trying again", error)
                self._stop.wait(LOOK_SECONDS)

    def once(self, connection: psycopg.Connection[Any]) -> int:
        """Everything there is to do at the moment, within bounds; how many windows."""
        now = datetime.now(UTC)
        windows = allocation.due(connection, now=now, kept_since=now - self._settings.retention)
        if not windows:
            connection.commit()
            return 0
        if self._book is None or newest_version(connection) != self._book.version:
            self._book = load_book(connection)
        connection.commit()
        return run_windows(connection, windows, self._book, zone=self._settings.zone, stopped=self._stop.is_set)


def run_windows(
    connection: psycopg.Connection[Any],
    windows: list[tuple[int, datetime]],
    book: Book,
    *,
    zone: ZoneInfo,
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    done = 0
    for pool_id, start in windows:
        if stopped():
            break
        done += allocation.run(connection, pool_id, start, rates=book.rates, zone=zone)
    return done


@dataclass(slots=True)
class _Target:
    id: int
    name: str
    url: str
    model: str
    interval: int
    next_at: float = 0.0
    is_asked: bool = False


@dataclass(slots=True)
class _Waiting:
    """Readings on their way into the database."""

    told: list[Told] = field(default_factory=list[Told])

    def take(self) -> list[Told]:
        taken, self.told = self.told, []
        return taken


class Scraper:
    """Reads every target by its interval. One worker among many does it: the one that holds the lock."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        del settings  # threads of the worker are all made alike
        self._url = database_url
        self._stop = threading.Event()
        self._targets: dict[int, _Target] = {}
        self._waiting = _Waiting()
        self._thread = threading.Thread(target=self._run, name="outlay-scrape", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=8)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url, autocommit=True, application="outlay-scrape") as connection:
                    if _is_only_one(connection):
                        asyncio.run(self._until_stopped(connection))
            except Exception as error:  # noqa: BLE001 - the next scrape is as good as this one
                logger.warning("scraping was interrupted (%s); trying again", error)
            self._stop.wait(LOOK_SECONDS)

    async def _until_stopped(self, connection: psycopg.Connection[Any]) -> None:
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=2000, keepalive_expiry=60)
        at_once = asyncio.Semaphore(AT_ONCE)
        running: set[asyncio.Task[None]] = set()
        looked = written = 0.0
        writing: asyncio.Future[None] | None = None
        async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
            while not self._stop.is_set():
                now = time.monotonic()
                if now - looked >= LOOK_SECONDS and writing is None:
                    self._look(connection, now)
                    looked = now
                for target in self._targets.values():
                    if target.next_at <= now and not target.is_asked:
                        target.is_asked = True
                        target.next_at = max(target.next_at + target.interval, now)
                        task = asyncio.create_task(self._scrape(client, at_once, target))
                        running.add(task)
                        task.add_done_callback(running.discard)
                if writing is not None and writing.done():
                    writing.result()
                    writing = None
                if writing is None and self._waiting.told and now - written >= WRITE_SECONDS:
                    # In a thread: scrapes go on while the database is waited for.
                    writing = asyncio.ensure_future(asyncio.to_thread(_commit, connection, self._waiting.take()))
                    written = now
                await asyncio.sleep(0.05)
            if writing is not None:
                await writing
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _look(self, connection: psycopg.Connection[Any], now: float) -> None:
        """Targets that were added begin spread over their interval; what was known keeps its turn."""
        found: dict[int, _Target] = {}
        for number, (target_id, name, url, model, interval) in enumerate(store.scraped_targets(connection)):
            known = self._targets.get(target_id)
            if known is not None and (known.url, known.model, known.interval) == (url, model, interval):
                found[target_id] = known
            else:
                wait = (number * 0.618034 % 1.0) * interval if len(self._targets) or number else 0.0
                found[target_id] = _Target(target_id, name, url, model, interval, now + wait)
        self._targets = found

    async def _scrape(self, client: httpx.AsyncClient, at_once: asyncio.Semaphore, target: _Target) -> None:
        try:
            async with at_once:
                readings, error = await _ask(client, target)
            self._waiting.told.append(Told(target.id, datetime.now(UTC), readings, error))
        finally:
            target.is_asked = False


def _commit(connection: psycopg.Connection[Any], told: list[Told]) -> None:
    with connection.transaction():
        write(connection, told, now=datetime.now(UTC))


def _is_only_one(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_SCRAPER_LOCK,)).fetchone()
    return bool(row and row[0])


async def _ask(client: httpx.AsyncClient, target: _Target) -> tuple[Readings | None, str | None]:
    """What a target says, or why it said nothing."""
    timeout = max(min(target.interval * 0.8, 10.0), 1.0)
    try:
        async with client.stream("GET", target.url, timeout=timeout) as answer:
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    return None, f"its answer is longer than {MAX_BODY_BYTES} bytes"
            if not answer.is_success:
                return None, f"HTTP {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return None, f"{type(error).__name__}: {error}"[:500]
    found = parse(body.decode("utf-8", "replace"))
    readings = read(found.samples, model=target.model)
    if not readings.engines and not readings.gpus:
        return None, f"no metric that is known in {len(found.samples)} samples"
    return readings, None
