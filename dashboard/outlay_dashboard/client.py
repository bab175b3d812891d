"""Asks the collector's API. Knows HTTP and nothing of pages.

asked = client.begin(spend(window, group_by=["team"]))   # goes out at once, on its own thread
asked.get()                                              # the parsed answer, or an ApiError

ApiError
├── UnreachableError    nobody answers at the endpoint
├── TooSlowError        no answer in time, or the collector says it is busy
├── NotAllowedError     the key is missing, wrong, or may not read this
├── NotThereError       no such thing, or this collector does not offer it yet
└── RefusedError        the question or the answer was not understood; the message is the collector's
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Generic, TypeVar

import httpx

from outlay_dashboard import answers
from outlay_dashboard.answers import Json
from outlay_dashboard.windows import Window

T = TypeVar("T")

FRESH_SECONDS = 10.0  # reruns within a look at a page ask once; a reader's reload after that sees new spend
_KEPT_ANSWERS = 512
# A page asks about eight questions at once; a few readers share the pool.
_PARALLEL = 16
_TIMEOUT = httpx.Timeout(30.0, connect=3.0)


class ApiError(Exception):
    """The API gave no usable answer. ``endpoint`` is the base URL asked, ``detail`` what is known beyond the kind."""

    def __init__(self, endpoint: str, detail: str = "") -> None:
        super().__init__(f"{endpoint}: {detail}" if detail else endpoint)
        self.endpoint = endpoint
        self.detail = detail


class UnreachableError(ApiError):
    """Nobody answers at the endpoint."""


class TooSlowError(ApiError):
    """No answer in time, or the collector says it is busy (503)."""


class NotAllowedError(ApiError):
    """The key is missing, wrong, revoked, or may not read this."""


class NotThereError(ApiError):
    """No such thing, or this collector does not offer it."""


class RefusedError(ApiError):
    """The collector did not understand the question, or failed on it."""


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """One GET: where, with what, and how its answer is read."""

    path: str
    read: Callable[[Json], T]
    parameters: tuple[tuple[str, str], ...] = ()


class Asked(Generic[T]):
    """A question on its way."""

    def __init__(self, future: Future[T]) -> None:
        self._future = future

    def get(self) -> T:
        return self._future.result()

    def get_or(self, fallback: T) -> T:
        """For a part of a page that may stay away: ``fallback`` where the API lacks it, other errors raise."""
        try:
            return self._future.result()
        except NotThereError:
            return fallback


@dataclass(slots=True)
class _Kept:
    until: float
    etag: str | None
    body: Any


@dataclass
class Cache:
    """Answers by key, endpoint and question; an expired one is asked again by its ETag. Safe between threads."""

    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict[str, _Kept])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key: str) -> _Kept | None:
        with self._lock:
            return self._kept.get(key)

    def keep(self, key: str, body: Any, etag: str | None) -> None:
        with self._lock:
            self._kept[key] = _Kept(self.clock() + FRESH_SECONDS, etag, body)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT_ANSWERS:
                self._kept.popitem(last=False)

    def expire(self) -> None:
        """Ask everything anew from now on; ETags stay known."""
        with self._lock:
            for kept in self._kept.values():
                kept.until = 0.0

    def is_fresh(self, kept: _Kept) -> bool:
        return self.clock() < kept.until


class Client:
    """Reads of one collector as the holder of one key."""

    def __init__(
        self,
        endpoint: str,
        api_key: str | None,
        *,
        transport: httpx.BaseTransport | None = None,
        cache: Cache | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._cache = cache or Cache()
        # Whose answers these are is part of their key, so one cache can never show one reader's rows to another.
        self._reader = hashlib.sha256((api_key or "").encode()).hexdigest()[:16]
        headers = {"Accept": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._http = httpx.Client(base_url=endpoint, headers=headers, timeout=_TIMEOUT, transport=transport)
        self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="ask")

    def begin(self, question: Question[T]) -> Asked[T]:
        return Asked(self._pool.submit(self.ask, question))

    def ask(self, question: Question[T], *, fresh: bool = False) -> T:
        """The answer, from the cache while fresh. ``fresh=True`` asks anew: for what a page waits for."""
        body = self._body(question, fresh=fresh)
        try:
            return question.read(body)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise RefusedError(self.endpoint, f"{question.path} answered in an unknown shape: {error!r}") from error

    def health(self) -> answers.Health:
        """How the collector is, asked anew every time. Raises only what means that nobody answers."""
        begun = time.perf_counter()
        alive = self._get(Question("/healthz", dict), None)
        took = (time.perf_counter() - begun) * 1000
        ready = self._get(Question("/readyz", dict), None)
        said: Any = alive.json() if alive.is_success else {}
        readiness: Any = ready.json() if "json" in ready.headers.get("content-type", "") else {}
        return answers.Health(
            status=str(said.get("status") or alive.status_code),
            version=str(said.get("version") or ""),
            time=datetime.fromisoformat(said["time"]) if said.get("time") else None,
            uptime_seconds=said.get("uptime_seconds"),
            ready=ready.is_success,
            readiness=str(readiness.get("status") or ready.status_code),
            revision=readiness.get("revision") or readiness.get("found"),
            round_trip_ms=took,
        )

    def act(self, path: str, body: Mapping[str, Any] | None = None) -> None:
        """Ask for a change. What was known before is asked anew."""
        try:
            response = self._http.post(path, json=dict(body or {}))
        except httpx.TimeoutException as error:
            raise TooSlowError(self.endpoint, f"{path}: no answer within {_TIMEOUT.read:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(self.endpoint, str(error)) from error
        self.forget()
        self._raise_for(response, Question(path, dict))

    def forget(self) -> None:
        """Answers given before no longer hold: something has begun, or the reader asked to look again."""
        self._cache.expire()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def _body(self, question: Question[Any], *, fresh: bool) -> Any:
        key = f"{self._reader} {self.endpoint} {question.path} {question.parameters}"
        kept = self._cache.find(key)
        if kept and not fresh and self._cache.is_fresh(kept):
            return kept.body
        response = self._get(question, kept.etag if kept else None)
        if response.status_code == httpx.codes.NOT_MODIFIED and kept:
            self._cache.keep(key, kept.body, kept.etag)
            return kept.body
        self._raise_for(response, question)
        try:
            body = response.json()
        except ValueError as error:
            raise RefusedError(
                self.endpoint, f"{question.path} did not answer JSON: is this Outlay's collector?"
            ) from error
        self._cache.keep(key, body, response.headers.get("ETag"))
        return body

    def _get(self, question: Question[Any], etag: str | None) -> httpx.Response:
        headers = {"If-None-Match": etag} if etag else {}
        try:
            return self._http.get(question.path, params=list(question.parameters), headers=headers)
        except httpx.TimeoutException as error:
            if isinstance(error, httpx.ConnectTimeout):
                raise UnreachableError(self.endpoint, str(error)) from error
            raise TooSlowError(self.endpoint, f"{question.path}: no answer within {_TIMEOUT.read:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(self.endpoint, str(error)) from error

    def _raise_for(self, response: httpx.Response, question: Question[Any]) -> None:
        if response.is_success:
            return
        detail = f"{question.path} answered {response.status_code}. {_said(response)}".strip()
        kind = {
            401: NotAllowedError,
            403: NotAllowedError,
            404: NotThereError,
            503: TooSlowError,
            504: TooSlowError,
        }.get(response.status_code)
        raise (kind or RefusedError)(self.endpoint, detail)


def projects() -> Question[tuple[answers.Project, ...]]:
    return Question("/api/v1/projects", answers.read_projects)


def tags() -> Question[tuple[answers.Tag, ...]]:
    return Question("/api/v1/tags", answers.read_tags)


def keys() -> Question[tuple[answers.Key, ...]]:
    return Question("/api/v1/keys", answers.read_keys)


def prices_of(provider: str | None, model: str) -> Question[tuple[answers.Price, ...]]:
    """Every price the name ever had, those that are asked first in front."""
    return Question("/api/v1/prices", answers.read_prices, _parameters(provider=provider, model=model, exact="true"))


def rates() -> Question[answers.Rates]:
    return Question("/api/v1/prices/rates", answers.read_rates)


def price_changes(limit: int = 10) -> Question[tuple[answers.PriceChange, ...]]:
    return Question("/api/v1/prices/versions", answers.read_price_changes, _parameters(limit=limit))


def spend(
    window: Window,
    *,
    project: str | None = None,
    interval: str = "none",
    group_by: Sequence[str] = (),
    filters: Sequence[str] = (),
) -> Question[answers.Spend]:
    """``filters`` are ``dimension:value``, ``dimension!:value`` (not), ``dimension:*`` (there) or ``dimension!:*`` (not
    there); rows are one per period and group that has calls."""
    return Question(
        "/api/v1/spend",
        partial(answers.read_spend, dimensions=tuple(group_by)),
        _about(window, project, interval, group_by, filters, basis="booked"),
    )


def bridge(
    window: Window,
    before: Window,
    *,
    project: str | None = None,
    group_by: Sequence[str] = (),
    filters: Sequence[str] = (),
) -> Question[answers.Bridge]:
    """Why spend changed from ``before`` to ``window``."""
    earlier = {"before_from": before.start, "before_to": before.end}
    return Question(
        "/api/v1/bridge", answers.read_bridge, _about(window, project, "none", group_by, filters, parts=200, **earlier)
    )


def budgets(*, project: str | None = None) -> Question[tuple[answers.Budget, ...]]:
    """How all budgets stand in the periods that run."""
    return Question("/api/v1/budgets/status", answers.read_budgets, _parameters(project=project))


def latency(
    window: Window,
    *,
    project: str | None = None,
    interval: str = "none",
    group_by: Sequence[str] = (),
    filters: Sequence[str] = (),
) -> Question[tuple[answers.LatencyRow, ...]]:
    return Question(
        "/api/v1/latency",
        partial(answers.read_latency, dimensions=tuple(group_by)),
        _about(window, project, interval, group_by, filters),
    )


def units(
    window: Window,
    *,
    project: str | None = None,
    interval: str = "none",
    group_by: Sequence[str] = (),
    filters: Sequence[str] = (),
    top: int | None = None,
) -> Question[answers.Units]:
    """What a request, a user, a customer and a success cost; with ``top`` the rest of the groups as one."""
    return Question(
        "/api/v1/units",
        partial(answers.read_units, dimensions=tuple(group_by)),
        _about(window, project, interval, group_by, filters, top=top),
    )


def showback(
    window: Window, *, project: str | None = None, filters: Sequence[str] = ()
) -> Question[answers.Showback | None]:
    """By cost center what it spends itself, and its shares of what all use."""
    return Question("/api/v1/attribution/showback", answers.read_showback, _about(window, project, "none", (), filters))


def billed(window: Window) -> Question[tuple[Decimal, Decimal, str] | None]:
    """What was billed, and what was traced of it; of all projects."""
    parameters = _parameters(**{"from": window.start, "to": window.end})
    return Question("/api/v1/bills/summary", answers.read_billed, parameters)


def reconciliation(window: Window) -> Question[answers.Reconciliation]:
    """Billed beside traced by model, and why they differ; of all projects, in UTC days."""
    parameters = _parameters(**{"from": window.start, "to": window.end}, by="provider,model", limit=200)
    return Question("/api/v1/reconcile", answers.read_reconciliation, parameters)


def bill_imports(limit: int = 10) -> Question[tuple[answers.BillImport, ...]]:
    return Question("/api/v1/bills", answers.read_bill_imports, _parameters(limit=limit))


def calls(
    *,
    project: str | None = None,
    window: Window | None = None,
    trace_id: str | None = None,
    filters: Sequence[str] = (),
    counted_only: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> Question[answers.Calls]:
    """Newest first."""
    return Question(
        "/api/v1/calls",
        answers.read_calls,
        _parameters(
            project=project,
            trace_id=trace_id,
            **({"from": window.start, "to": window.end} if window else {}),
            filter=filters,
            counted="true" if counted_only else None,
            limit=limit,
            cursor=cursor,
        ),
    )


def trace(trace_id: str, *, project: str | None = None) -> Question[answers.Calls]:
    return Question(f"/api/v1/traces/{trace_id}", answers.read_calls, _parameters(project=project))


def price_gaps(
    window: Window, *, project: str | None = None, filters: Sequence[str] = ()
) -> Question[tuple[answers.PriceGap, ...]]:
    """Models with calls that have no price, those with the most tokens first, each with what would give it one."""
    return Question("/api/v1/coverage", answers.read_gaps, _about(window, project, "none", (), filters))


def dropped_by_clients(window: Window, *, project: str | None = None) -> Question[int]:
    """Spans that never arrived, as the clients that gave them up told it."""
    return Question("/api/v1/completeness", answers.read_dropped_by_clients, _about(window, project, "none", (), ()))


def refused(window: Window, *, project: str | None = None) -> Question[tuple[answers.RefusedSpans, ...]]:
    """Spans that were received in the window and not taken, by reason."""
    parameters = _parameters(project=project, **{"from": window.start, "to": window.end}, limit=1)
    return Question("/api/v1/deadletters", answers.read_refused, parameters)


def alerts(window: Window, *, project: str | None = None, limit: int = 500) -> Question[tuple[answers.Alert, ...]]:
    """Those that stood at any time of the window, newest first."""
    parameters = _parameters(project=project, **{"from": window.start, "to": window.end}, limit=limit)
    return Question("/api/v1/alerts", answers.read_alerts, parameters)


def deliveries(*, project: str | None = None, limit: int = 100) -> Question[tuple[answers.Delivery, ...]]:
    """What was told to whom, newest first."""
    return Question("/api/v1/deliveries", answers.read_deliveries, _parameters(project=project, limit=limit))


def explained_call(trace_id: str, span_id: str, *, project: str | None = None) -> Question[answers.CallRow]:
    return Question(f"/api/v1/calls/{trace_id}/{span_id}", answers.read_call, _parameters(project=project))


def _about(
    window: Window,
    project: str | None,
    interval: str,
    group_by: Sequence[str],
    filters: Sequence[str],
    **more: object,
) -> tuple[tuple[str, str], ...]:
    return _parameters(
        project=project,
        **{"from": window.start, "to": window.end},
        interval=interval,
        time_zone=window.zone.key,
        group_by=",".join(group_by) or None,
        filter=filters,
        **more,
    )


def _parameters(**values: object) -> tuple[tuple[str, str], ...]:
    """Name and text of every value that is there; a sequence is repeated."""
    named: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, (list, tuple)):
            named += [(name, str(item)) for item in value]
        elif isinstance(value, datetime):
            named.append((name, value.isoformat()))
        elif value is not None:
            named.append((name, str(value)))
    return tuple(named)


def _said(response: httpx.Response) -> str:
    """The collector's own words, if it answered in its usual shape."""
    try:
        body: Any = response.json()
    except ValueError:
        return ""
    if not isinstance(body, Mapping):
        return ""
    said: object = body.get("detail") or body.get("message") or body.get("error") or ""
    return said if isinstance(said, str) else str(said)


def pools(window: Window, *, project: str | None = None) -> Question[tuple[answers.Pool, ...]]:
    """GPUs of one's own and where their hours went."""
    parameters = _parameters(project=project, **{"from": window.start, "to": window.end})
    return Question("/api/v1/gpu", answers.read_pools, parameters)


def versus(window: Window, pool: str, model: str) -> Question[answers.Versus]:
    """A pool against an API model at the mix that was measured."""
    parameters = _parameters(pool=pool, model=model, **{"from": window.start, "to": window.end})
    return Question("/api/v1/gpu/breakeven", answers.read_versus, parameters)
