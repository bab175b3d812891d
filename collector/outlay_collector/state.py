"""What request handlers are handed: made once by ``app.py``, found on the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import Connection
from psycopg_pool import ConnectionPool

from outlay_collector.access.keys import Access
from outlay_collector.access.ring import KeyRing
from outlay_collector.ledger.attribution.rules import Rules
from outlay_collector.pricing.book import Book
from outlay_collector.receive.committer import Committer
from outlay_collector.receive.traffic import Traffic
from outlay_collector.settings import Settings

if TYPE_CHECKING:  # brings cryptography and an HTTP client, for installations with a login
    from outlay_collector.access.people.api import People


@dataclass(kw_only=True)
class State:
    settings: Settings
    reads: ConnectionPool[Connection[Any]]
    questions: ConnectionPool[Connection[Any]]  # about sums; of their own, so that calls are looked up meanwhile
    writes: ConnectionPool[Connection[Any]]
    health: ConnectionPool[Connection[Any]]  # for short questions that no reader may hold up
    keys: KeyRing
    people: People | None  # who logged in elsewhere; None where no provider is set
    book: Callable[[], Book]
    rules: Callable[[], Rules]
    project_ids: Callable[[], dict[str, int]]
    content_modes: Callable[[], dict[int, str]]
    look_again: Callable[[], None]
    walled: Callable[[], bool]  # whether the database keeps readers apart by itself
    committer: Committer
    decoders: ThreadPoolExecutor
    traffic: Traffic
    # Of a metric request: whether it tells of GPUs or engines, and what commits that: (project, body, is JSON).
    tells_of_gpus: Callable[[bytes], bool]
    take_telemetry: Callable[[int, bytes, bool], None]
    asking: dict[str, asyncio.Future[Access | None]] = field(default_factory=dict)  # by key: who is being asked for
