"""Whole requests: every call made while a web application answers one is in one trace, for whom the request is.

    app = outlay.middleware.ASGI(app, context=lambda scope: {"customer": tenant_of(scope)})
    app = outlay.middleware.WSGI(app, context=lambda environ: {"user": environ.get("REMOTE_USER")})

A request in which nothing is observed leaves no span behind. ``trust`` True continues the trace and takes over the
attribution that the ``traceparent`` and ``baggage`` headers speak of: only behind services of your own, because anybody
can send a header that says who pays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outlay import runtime
from outlay.attribution import Scope, attributed, enter, here, leave
from outlay.propagation import place_from
from outlay.safety import never_raise
from outlay.spans import Span, Step, error_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping

    from outlay.attribution import Entry
    from outlay.recorder import Recorder

    Message = MutableMapping[str, Any]
    AsgiApp = Callable[
        [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
    ]
    WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
    Context = Callable[[Any], Mapping[str, object]]


class ASGI:
    """Around an ASGI application (FastAPI, Starlette, Django …). ``context`` says from the scope whom a request is for,
    as the arguments of ``outlay.context``."""

    def __init__(self, app: AsgiApp, *, context: Context | None = None, trust: bool = False) -> None:
        self._app = app
        self._context = context
        self._trust = trust

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        recorder = runtime.state.recorder
        if recorder is None or scope.get("type") not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        name = f"{scope.get('method', 'WEBSOCKET')} {scope.get('path', '')}"
        headers: dict[str, str] = {}
        if self._trust:
            with never_raise("reading the headers of a request"):
                headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        request = _Request(recorder, name, headers, self._context, scope)
        token = request.enter()
        try:
            await self._app(scope, receive, send)
        except BaseException as error:
            request.error = error_name(error)
            raise
        finally:
            # A route's template ("/chat/{id}") is known once the framework has routed, and has fewer values.
            request.leave(token, getattr(scope.get("route"), "path", None))
            request.end()
        return None


class WSGI:
    """Around a WSGI application (Flask, Django …). ``context`` gets the environ."""

    def __init__(self, app: WsgiApp, *, context: Context | None = None, trust: bool = False) -> None:
        self._app = app
        self._context = context
        self._trust = trust

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        recorder = runtime.state.recorder
        if recorder is None:
            return self._app(environ, start_response)
        name = f"{environ.get('REQUEST_METHOD', '')} {environ.get('PATH_INFO', '')}"
        headers = {"traceparent": environ.get("HTTP_TRACEPARENT", ""), "baggage": environ.get("HTTP_BAGGAGE", "")}
        request = _Request(recorder, name, headers if self._trust else {}, self._context, environ)
        token = request.enter()
        try:
            body = self._app(environ, start_response)
        except BaseException as error:
            request.error = error_name(error)
            request.leave(token, None)
            request.end()
            raise
        request.leave(token, None)
        return _Body(body, request)


class _Body:
    """The response's body: a streaming view asks its model while the server reads from it."""

    def __init__(self, body: Iterable[bytes], request: _Request) -> None:
        self._body = body
        self._chunks: Iterator[bytes] | None = None
        self._request = request

    def __iter__(self) -> _Body:
        return self

    def __next__(self) -> bytes:
        token = self._request.enter()
        try:
            if self._chunks is None:
                self._chunks = iter(self._body)
            return next(self._chunks)
        except StopIteration:
            raise
        except BaseException as error:
            self._request.error = error_name(error)
            raise
        finally:
            self._request.leave(token, None)

    def close(self) -> None:
        """Called by the server when the response is over, however it ended."""
        token = self._request.enter()
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._request.leave(token, None)
            self._request.end()


class _Request:
    """The span of one request, kept only if something was observed inside."""

    def __init__(
        self, recorder: Recorder, name: str, headers: Mapping[str, str], context: Context | None, given: object
    ) -> None:
        self._recorder = recorder
        self.error: str | None = None
        self._place: Span | Scope | None = None
        self._span: Span | None = None
        with never_raise("reading whom a request is for"):
            outside = place_from(headers) if headers else None
            token = enter(outside if outside is not None else here.get())
            try:
                self._span = self._place = recorder.begin(Step(name, kind="step"))
                if context is not None:
                    self._span.attribution = self._span.attribution.overlaid(_attribution(context(given)))
            finally:
                leave(token)

    def enter(self) -> Entry:
        return enter(self._place)

    def leave(self, token: Entry, route: str | None) -> None:
        if route and self._span is not None:
            method = self._span.step.name.partition(" ")[0]
            self._span.step = Step(f"{method} {route}", kind="step")
        leave(token)

    def end(self) -> None:
        span = self._span
        if span is not None and span.has_children and not span.end_ns:
            with never_raise("ending the span of a request"):
                span.error = self.error
                self._recorder.end(span)


def _attribution(given: Mapping[str, object]) -> Any:
    named = ("team", "feature", "customer", "user", "session", "prompt_version")
    fields: dict[str, Any] = {name: given[name] for name in named if name in given}
    tags = {name: value for name, value in given.items() if name not in named}
    from outlay.attribution import NOBODY

    return attributed(**fields, tags=tags) or NOBODY
