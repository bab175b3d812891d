"""The collector's web application: wires the parts together and opens and closes what they share."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from outlay_collector import __version__
from outlay_collector.access import api as access_api
from outlay_collector.access import store as access_store
from outlay_collector.access.people.roles import parse_roles
from outlay_collector.access.ring import KeyRing
from outlay_collector.access.wall import store as wall
from outlay_collector.alerts import api as alerts_api
from outlay_collector.alerts.watch import api as watch_api
from outlay_collector.alerts.webhooks import api as webhooks_api
from outlay_collector.bills import api as bills_api
from outlay_collector.budgets import api as budgets_api
from outlay_collector.calls.reads import api as calls_api
from outlay_collector.costs import api as costs_api
from outlay_collector.db.engine import connect, pool
from outlay_collector.db.revisions import current_revision, newest_revision
from outlay_collector.errors import NotReady, OutlayError, Unavailable
from outlay_collector.export import api as export_api
from outlay_collector.gpu import api as gpu_api
from outlay_collector.gpu.otlp import may_tell, read_otlp
from outlay_collector.gpu.telemetry import store as telemetry
from outlay_collector.ledger.attribution import api as attribution_api
from outlay_collector.ledger.attribution import store as attribution_store
from outlay_collector.ledger.attribution.rules import Rules
from outlay_collector.ledger.later import api as later_api
from outlay_collector.ledger.months import api as months_api
from outlay_collector.ledger.reads import api as reads_api
from outlay_collector.pricing import api as pricing_api
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.currencies import store as currencies
from outlay_collector.pricing.reprice import api as reprice_api
from outlay_collector.pricing.store import load_book, newest_version
from outlay_collector.process import leave_alone_what_stays
from outlay_collector.receive import api as receive_api
from outlay_collector.receive.committer import Committer
from outlay_collector.receive.deadletters import api as deadletters_api
from outlay_collector.receive.traffic import Traffic
from outlay_collector.settings import Settings
from outlay_collector.state import State
from outlay_collector.units import api as units_api

logger = logging.getLogger("outlay.collector")

KEY_TIMEOUT = timedelta(seconds=3)
"""Longest that asking for a key, or whether the database is there, may take."""

LOOK_AGAIN_SECONDS = 0.05

REFRESH_SECONDS = 3.0
"""How often a process looks whether prices or projects changed."""

if TYPE_CHECKING:
    from outlay_collector.access.people.api import People


def create_app(settings: Settings, database_url: str) -> FastAPI:
    """The application for one acceptor process."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        parts = _Parts(settings, database_url)
        app.state.outlay = parts.state
        # Imported here: in the acceptor, after the fork, which gRPC's threads would not survive.
        from outlay_collector.receive import grpc_api

        grpc_server = await grpc_api.start(parts.state)
        try:
            yield
        finally:
            await grpc_server.stop(grace=5)
            parts.close()

    app = FastAPI(
        title="Outlay",
        version=__version__,
        summary="What LLM calls cost, exactly, and for whom.",
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.routes.extend(receive_api.routes)
    for router in (
        reads_api.router,
        months_api.router,
        later_api.router,
        attribution_api.router,
        calls_api.router,
        access_api.router,
        pricing_api.router,
        reprice_api.router,
        deadletters_api.router,
        gpu_api.router,
        units_api.router,
        costs_api.router,
        export_api.router,
        alerts_api.router,
        bills_api.router,
        webhooks_api.router,
        watch_api.router,
        budgets_api.router,
    ):
        app.include_router(router)
    _add_health(app)
    _add_error_handlers(app)
    if origins := [part.strip() for part in settings.cors_origins.split(",") if part.strip()]:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["POST"],
            allow_headers=["authorization", "content-type", "content-encoding", "x-outlay-project"],
            max_age=600,
        )
    return app


class _Parts:
    """Everything a process shares between requests."""

    def __init__(self, settings: Settings, database_url: str) -> None:
        read_url = settings.read_database_url or database_url
        self._reads = pool(
            read_url, size=settings.read_connections, statement_timeout=settings.read_timeout, application="outlay-read"
        )
        self._questions = pool(
            read_url,
            size=settings.read_connections,
            statement_timeout=settings.read_timeout,
            application="outlay-ask",
            # Sums have few groups, which the planner cannot know: sorting what is summed takes several times as long.
            options=("-c work_mem=32MB", "-c enable_sort=off"),
        )
        self._writes = pool(
            database_url,
            size=2,
            statement_timeout=settings.ingest_timeout,
            application="outlay-write",
            writes=True,
        )
        # Of its own, so that dashboards that wait for their answers do not keep senders from being recognised.
        self._keys = pool(database_url, size=2, statement_timeout=KEY_TIMEOUT, application="outlay-keys")
        # What a process goes by is read where it is written: a replica may be behind.
        self._cached = _Cached(self._writes if settings.read_database_url else self._reads, settings.currency)
        self._decoders = ThreadPoolExecutor(2, thread_name_prefix="outlay-decode")
        self.state = State(
            settings=settings,
            reads=self._reads,
            questions=self._questions,
            writes=self._writes,
            health=self._keys,
            keys=KeyRing(self._look_up_key),
            people=self._people(settings),
            book=self._cached.book,
            rules=self._cached.rules,
            project_ids=self._cached.project_ids,
            content_modes=self._cached.content_modes,
            look_again=self._cached.look_again,
            walled=self._cached.walled,
            committer=Committer(
                lambda: _ingest_connection(database_url, settings.ingest_timeout), writers=settings.ingest_connections
            ),
            decoders=self._decoders,
            traffic=Traffic(settings.max_bytes_in_flight),
            tells_of_gpus=may_tell,
            take_telemetry=self._take_telemetry,
        )
        self._cached.start(self._mark_keys_used)

    def _take_telemetry(self, project_id: int, body: bytes, json: bool) -> None:
        """Unavailable when it could not be committed; sent again it is stored once."""
        sent = read_otlp(body, json=json)
        try:
            with self._writes.connection() as connection:
                telemetry.take(
                    connection,
                    project_id,
                    sent,
                    now=datetime.now(UTC),
                    limits=(self.state.settings.retention, self.state.settings.future_tolerance),
                )
        except (psycopg.Error, PoolTimeout, TooManyRequests) as error:
            raise Unavailable("The database does not take telemetry at the moment; send again.") from error

    def _people(self, settings: Settings) -> People | None:
        if not settings.oidc_issuer:
            return None
        from outlay_collector.access.people.api import People

        return People(
            issuer=settings.oidc_issuer,
            audience=settings.oidc_audience,
            roles=parse_roles(settings.oidc_roles),
            claim=settings.oidc_claim,
            project_id=lambda name: self._cached.project_ids().get(name),
        )

    def _look_up_key(self, key: str) -> Any:
        with self._keys.connection() as connection:
            return access_store.access_of(connection, key)

    def _mark_keys_used(self) -> None:
        used = self.state.keys.take_used()
        if used:
            with self._writes.connection() as connection:
                access_store.mark_used(connection, used)

    def close(self) -> None:
        self._cached.stop()
        self._decoders.shutdown(wait=True)
        self.state.committer.close()
        self._reads.close(timeout=2)
        self._questions.close(timeout=2)
        self._writes.close(timeout=2)
        self._keys.close(timeout=2)


def _ingest_connection(database_url: str, timeout: timedelta) -> psycopg.Connection[Any]:
    seconds = timeout.total_seconds()
    connection = connect(database_url, application="outlay-ingest", patience=seconds + 1)
    connection.execute(
        """
        SELECT set_config('statement_timeout', %(ms)s, false), set_config('lock_timeout', %(ms)s, false),
               set_config('idle_in_transaction_session_timeout', %(ms)s, false)
        """,
        {"ms": str(int(seconds * 1000))},
    )
    connection.commit()
    return connection


class _Cached:
    """The price book, the attribution rules and the projects' ids, looked at again every few seconds in the background."""

    def __init__(self, reads: ConnectionPool[psycopg.Connection[Any]], currency: str) -> None:
        self._reads = reads
        self._currency = currency
        self._book: Book | None = None
        self._rules = Rules()
        self._projects: dict[str, int] = {}
        self._content: dict[int, str] = {}
        self._walled: bool | None = None  # not looked at yet
        self._looked_at = 0.0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, and_also: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(and_also,), name="outlay-refresh", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def book(self) -> Book:
        if self._book is None:
            self._refresh()
        assert self._book is not None
        return self._book

    def rules(self) -> Rules:
        return self._rules

    def project_ids(self) -> dict[str, int]:
        """As last seen. Never asks: it is called on the event loop, which waits for nobody."""
        return self._projects

    def content_modes(self) -> dict[int, str]:
        return self._content

    def walled(self) -> bool:
        """Whether the wall between projects stands in the database."""
        if self._walled is None:
            self._refresh()
        return bool(self._walled)

    def look_again(self) -> None:
        """See what was made a moment ago; at most twenty times a second, whoever asks."""
        with self._lock:
            recent = time.monotonic() - self._looked_at < LOOK_AGAIN_SECONDS
        if not recent:
            self._refresh()

    def _run(self, and_also: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                self._refresh()
                and_also()
            except Exception as error:  # noqa: BLE001 - the last good book and list go on serving
                logger.warning("prices and projects could not be looked at: %s", error)
            self._stop.wait(REFRESH_SECONDS)

    def _refresh(self) -> None:
        with self._lock:
            self._looked_at = time.monotonic()
            try:
                with self._reads.connection() as connection:
                    self._projects = access_store.project_ids(connection)
                    self._content = access_store.content_modes(connection)
                    self._walled = wall.stands(connection)
                    if (version := attribution_store.newest(connection)) != self._rules.version:
                        self._rules = attribution_store.load(connection, version)
                    if self._book is None or newest_version(connection) != self._book.version:
                        currencies.check(connection, self._currency)
                        self._book = load_book(connection)
                        leave_alone_what_stays()
            except (psycopg.Error, PoolTimeout, TooManyRequests) as error:
                raise Unavailable("The database cannot be asked at the moment; try again.") from error


def _add_health(app: FastAPI) -> None:
    started = time.time()

    @app.get("/healthz", tags=["health"])
    def healthz() -> dict[str, Any]:  # pyright: ignore[reportUnusedFunction]
        """The process answers. `time` is its clock, for comparing."""
        return {
            "status": "ok",
            "version": __version__,
            "time": datetime.now(UTC),
            "uptime_seconds": time.time() - started,
        }

    @app.get("/readyz", tags=["health"])
    def readyz(request: Request) -> JSONResponse:  # pyright: ignore[reportUnusedFunction]
        """200 when the database answers and is at this version's revision, 503 with the reason otherwise."""
        try:
            with access_api.state_of(request).health.connection() as connection:
                found, wanted = current_revision(connection), newest_revision()
        except (psycopg.Error, PoolTimeout, TooManyRequests) as error:
            return JSONResponse({"status": "no database", "detail": str(error).strip()[:300]}, 503)
        if found != wanted:
            return JSONResponse(
                {"status": "migrations pending", "found": found, "wanted": wanted, "mend": "outlay migrate"}, 503
            )
        return JSONResponse({"status": "ready", "revision": found})


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(OutlayError)
    def _(request: Request, error: OutlayError) -> JSONResponse:  # pyright: ignore[reportUnusedFunction]
        del request
        headers = (
            {"Retry-After": str(Unavailable.retry_after_seconds)}
            if isinstance(error, (Unavailable, NotReady))
            else None
        )
        return JSONResponse({"detail": str(error)}, error.status, headers)

    @app.exception_handler(RequestValidationError)
    def _(request: Request, error: RequestValidationError) -> JSONResponse:  # pyright: ignore[reportUnusedFunction]
        del request
        said = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()[:5])
        return JSONResponse({"detail": said}, 422)

    @app.exception_handler(psycopg.DataError)
    def _(request: Request, error: psycopg.DataError) -> JSONResponse:  # pyright: ignore[reportUnusedFunction]
        # A NUL or a number past every column, somewhere in a question: asked again it would fail again.
        del request
        detail = f"The question holds a value that cannot be asked for: {str(error).strip().splitlines()[0]}"
        return JSONResponse({"detail": detail}, 400)

    async def away(request: Request, error: Exception) -> JSONResponse:
        del request
        logger.warning(
            "the database did not answer: %s", str(error).strip().splitlines()[0] if str(error).strip() else error
        )
        detail = "The database does not answer at the moment, or the question took too long; try again."
        return JSONResponse({"detail": detail}, 503, {"Retry-After": str(Unavailable.retry_after_seconds)})

    for kind in (psycopg.Error, PoolTimeout, TooManyRequests):
        app.add_exception_handler(kind, away)
