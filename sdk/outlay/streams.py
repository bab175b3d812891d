"""Results that are not there yet: generators, coroutines, and the stream objects of providers' clients.

A stream's span ends when it is exhausted, closed or broken, or when nobody holds it any more. The object the user gets
stays what it was: a client's stream is watched from inside (its ``_iterator``), because its own methods
(``text_stream``, ``get_final_message`` …) read from there too; a generator comes back inside a generator.
"""

from __future__ import annotations

from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, cast
from weakref import ref

from outlay import spans
from outlay.attribution import enter, leave
from outlay.chunks import Chunks
from outlay.safety import internal_error
from outlay.usage import capture, library_of, part

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
    from types import TracebackType

    from outlay.attribution import Scope
    from outlay.recorder import Recorder
    from outlay.spans import Span

    Watcher = Callable[[Any, "Watch"], object]


class Watch:
    """The open span of a stream. Ends once; later ends and chunks change nothing."""

    __slots__ = ("chunks", "recorder", "span")

    def __init__(self, recorder: Recorder, span: Span) -> None:
        self.recorder = recorder
        self.span = span
        self.chunks = Chunks()

    def chunk(self, item: object) -> None:
        """Note one chunk and when it came."""
        try:
            span = self.span
            clock = spans.clock_ns()
            if not span.chunk_ns:
                span.timing = (clock - span.clock) / 1e9
                span.streaming = True
            span.chunk_ns = clock
            self.chunks.see(item)
        except Exception as error:  # noqa: BLE001
            internal_error("reading a chunk of a stream", error)

    def hides(self, item: object) -> bool:
        """Whether a chunk came only because we asked for usage, and is nothing the caller expects."""
        return self.span.hides_usage_chunk and part(item, "usage") is not None and part(item, "choices") == []

    def end(self, *, exhausted: bool, error: BaseException | None = None, dropped: bool = False) -> None:
        """Close the span. ``dropped``: nobody closed the stream, so it ended with its last chunk, not now."""
        span = self.span
        if span.end_ns:
            return
        try:
            span.streaming = True
            self.recorder.read(span, self.chunks.reading(exhausted))
            if error is not None:
                self.recorder.note_error(span, error)
            self.recorder.end(span, span.chunk_ns if dropped and span.chunk_ns else None)
        except Exception as mistake:  # noqa: BLE001
            internal_error("ending the span of a stream", mistake)


# Which results are watched


def watcher_of(kind: type) -> Watcher | None:
    """How a result of this type is watched; None when it is complete as it is."""
    try:
        return _watchers[kind]
    except KeyError:
        return _learn(kind)


_MAX_TYPES = 1_024


def _learn(kind: type) -> Watcher | None:
    if len(_watchers) >= _MAX_TYPES:
        _watchers.clear()
        _watchers.update(_LAZY)
    found: Watcher | None = None
    if library_of(kind) is not None:
        if hasattr(kind, "__anext__") and hasattr(kind, "__next__"):
            found = _watch_from_outside
        elif hasattr(kind, "__anext__"):
            found = _watch_async_stream
        elif hasattr(kind, "__next__"):
            found = _watch_stream
        elif kind.__name__.endswith("StreamManager"):
            found = _watch_manager
        elif kind.__name__ in _RAW_RESPONSES:
            found = _watch_raw_response
    _watchers[kind] = found
    return found


def _watch_generator(result: Generator[object, object, object], watch: Watch) -> object:
    return generator(WatchedGenerator(result, watch, watch.span))


def _watch_async_generator(result: AsyncGenerator[object, object], watch: Watch) -> object:
    return async_generator_function(lambda: (result, watch, watch.span))()


def _watch_coroutine(result: Coroutine[object, object, object], watch: Watch) -> object:
    return awaited(result, watch)


def _watch_stream(result: Any, watch: Watch) -> object:
    source = getattr(result, "_iterator", None)
    if isinstance(source, WatchedIterator) or source is None:
        return _ended(result, watch, source)
    result._iterator = WatchedIterator(source, watch)
    kind = cast("Any", type(result))
    stream = ref(result)

    def close() -> object:
        watch.end(exhausted=False)
        alive = stream()
        return kind.close(alive) if alive is not None else None

    result.close = close  # also what leaving a ``with`` block calls
    return result


def _watch_async_stream(result: Any, watch: Watch) -> object:
    source = getattr(result, "_iterator", None)
    if isinstance(source, WatchedAsyncIterator) or source is None:
        return _ended(result, watch, source)
    result._iterator = WatchedAsyncIterator(source, watch)
    kind = cast("Any", type(result))
    stream = ref(result)

    async def close() -> object:
        watch.end(exhausted=False)
        alive = stream()
        return await kind.close(alive) if alive is not None else None

    result.close = close
    return result


def _ended(result: object, watch: Watch, source: object | None) -> object:
    """A stream that another span watches already, or one of a library we cannot look into: our span is over."""
    watch.span.encloses_call = source is not None
    watch.recorder.end(watch.span)
    return result


def _watch_from_outside(result: Any, watch: Watch) -> object:
    """LiteLLM's stream, which is read with ``for`` or ``async for`` and has no iterator inside to stand in for.

    It stays the object it was, of a class that is its own with two methods more.
    """
    if hasattr(result, "_outlay_watch"):
        return _ended(result, watch, result)
    kind = cast("Any", type(result))
    try:
        result.__class__ = _watched_classes.get(kind) or _watched_classes.setdefault(kind, _watched_class(kind))
        result._outlay_watch = WatchedSteps(watch)
    except (TypeError, AttributeError):  # a class with slots
        return _ended(result, watch, None)
    return result


_watched_classes: dict[type, type] = {}


def _watched_class(kind: Any) -> type:
    def advance(self: Any) -> object:
        return self._outlay_watch.step(lambda: kind.__next__(self))

    async def advance_later(self: Any) -> object:
        return await self._outlay_watch.step_later(lambda: kind.__anext__(self))

    names = {"__next__": advance, "__anext__": advance_later, "__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), names)


class WatchedSteps:
    """Tells a watch what each step of a stream yields and how the stream ends; dropped with it."""

    __slots__ = ("watch",)

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def step(self, advance: Callable[[], object]) -> object:
        """One step of a ``for``."""
        try:
            item = advance()
        except BaseException as error:
            self._end(error)
            raise
        self.watch.chunk(item)
        return item

    async def step_later(self, advance: Callable[[], Awaitable[object]]) -> object:
        """One step of an ``async for``."""
        try:
            item = await advance()
        except BaseException as error:
            self._end(error)
            raise
        self.watch.chunk(item)
        return item

    def _end(self, error: BaseException) -> None:
        over = isinstance(error, (StopIteration, StopAsyncIteration))
        self.watch.end(exhausted=over, error=None if over else error)

    def __del__(self) -> None:
        self.watch.end(exhausted=False, dropped=True)


def _watch_manager(result: Any, watch: Watch) -> object:
    return WatchedManager(result, watch)


_RAW_RESPONSES = frozenset({"LegacyAPIResponse", "APIResponse", "AsyncAPIResponse"})


def _watch_raw_response(result: Any, watch: Watch) -> object:
    """``client.with_raw_response``: the body is read as it is, without a word to the client's own parsing.

    The body of a stream is not there yet; it is watched when the caller parses the response into a stream. One that the
    caller reads by itself (``with_streaming_response``) stays unknown to us.
    """
    response = result.http_response
    if str(response.headers.get("content-type", "")).startswith("text/event-stream"):
        dropped = _Dropped(watch)
        parse = result.parse

        def parse_and_watch(*args: object, **kwargs: object) -> object:
            parsed = parse(*args, **kwargs)
            if isinstance(parsed, CoroutineType):
                return _parsed_later(cast("Coroutine[object, object, object]", parsed), dropped)
            return dropped.watched(parsed)

        result.parse = parse_and_watch
        return result
    body = getattr(response, "_content", None)  # ``content`` raises when it is not read
    if isinstance(body, bytes):
        import json

        watch.recorder.read(watch.span, capture(json.loads(body)))
    watch.recorder.end(watch.span)
    return result


class _Dropped:
    """Ends the span of a raw response that nobody parses before letting go of it."""

    __slots__ = ("watch",)

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def watched(self, parsed: object) -> object:
        """The stream, watched, if the response was parsed into one."""
        watcher = watcher_of(type(parsed))
        return watcher(parsed, self.watch) if watcher is not None and not self.watch.span.end_ns else parsed

    def __del__(self) -> None:
        if not self.watch.span.streaming:
            self.watch.end(exhausted=False)


async def _parsed_later(parsed: Coroutine[object, object, object], dropped: _Dropped) -> object:
    return dropped.watched(await parsed)


_LAZY: dict[type, Watcher | None] = {
    GeneratorType: _watch_generator,
    AsyncGeneratorType: _watch_async_generator,
    CoroutineType: _watch_coroutine,
}
_watchers: dict[type, Watcher | None] = dict(_LAZY)


# Iterators


class WatchedIterator:
    """An iterator that tells a watch what it yields and how it ends."""

    __slots__ = ("__weakref__", "source", "watch")

    def __init__(self, source: Iterator[object], watch: Watch) -> None:
        self.source = source
        self.watch = watch

    def __iter__(self) -> WatchedIterator:
        return self

    def __next__(self) -> object:
        while True:
            try:
                item = next(self.source)
            except StopIteration:
                self.watch.end(exhausted=True)
                raise
            except BaseException as error:
                self.watch.end(exhausted=False, error=error)
                raise
            self.watch.chunk(item)
            if not self.watch.hides(item):
                return item

    def close(self) -> None:
        """End the span; the source is closed if it can be."""
        self.watch.end(exhausted=False)
        close = getattr(self.source, "close", None)
        if close is not None:
            close()

    def __del__(self) -> None:
        self.watch.end(exhausted=False, dropped=True)


class WatchedAsyncIterator:
    """The same for an asynchronous iterator."""

    __slots__ = ("__weakref__", "source", "watch")

    def __init__(self, source: AsyncIterator[object], watch: Watch) -> None:
        self.source = source
        self.watch = watch

    def __aiter__(self) -> WatchedAsyncIterator:
        return self

    async def __anext__(self) -> object:
        while True:
            try:
                item = await self.source.__anext__()
            except StopAsyncIteration:
                self.watch.end(exhausted=True)
                raise
            except BaseException as error:
                self.watch.end(exhausted=False, error=error)
                raise
            self.watch.chunk(item)
            if not self.watch.hides(item):
                return item

    async def aclose(self) -> None:
        """End the span; the source is closed if it can be."""
        self.watch.end(exhausted=False)
        close = cast("Callable[[], Awaitable[object]] | None", getattr(self.source, "aclose", None))
        if close is not None:
            await close()

    def __del__(self) -> None:
        self.watch.end(exhausted=False, dropped=True)


class WatchedGenerator:
    """A generator whose body runs inside ``place`` (its own span, or a ``context``), step by step.

    A generator's body shares the context variables of whoever asks for the next item, so the place is entered and left
    around every step. ``watch`` None: only the place matters.
    """

    __slots__ = ("place", "source", "watch")

    def __init__(self, source: Generator[object, object, object], watch: Watch | None, place: Span | Scope) -> None:
        self.source = source
        self.watch = watch
        self.place = place

    def __iter__(self) -> WatchedGenerator:
        return self

    def __next__(self) -> object:
        return self._step(self.source.__next__)

    def send(self, value: object) -> object:
        """As a generator's."""
        return self._step(self.source.send, value)

    def throw(self, *error: Any) -> object:
        """As a generator's."""
        return self._step(self.source.throw, *error)

    def close(self) -> None:
        """As a generator's; what its ``finally`` blocks call is still inside."""
        token = enter(self.place)
        try:
            self.source.close()
        except BaseException as error:
            if self.watch is not None:
                self.watch.end(exhausted=False, error=error)
            raise
        finally:
            leave(token)
        if self.watch is not None:
            self.watch.end(exhausted=False)

    def _step(self, advance: Callable[..., object], *args: object) -> object:
        token = enter(self.place)
        try:
            item = advance(*args)
        except BaseException as error:
            leave(token)
            if self.watch is not None:
                if isinstance(error, (StopIteration, GeneratorExit)):
                    self.watch.end(exhausted=isinstance(error, StopIteration))
                else:
                    self.watch.end(exhausted=False, error=error)
            raise
        leave(token)
        if self.watch is not None:
            self.watch.chunk(item)
        return item

    def __del__(self) -> None:
        if self.watch is not None:
            self.watch.end(exhausted=False, dropped=True)


def generator(watched: WatchedGenerator) -> Generator[object, object, object]:
    """A real generator around a watched one; ``yield from`` hands on what is sent, thrown, returned and closed."""
    return (yield from cast("Generator[object, object, object]", watched))


def async_generator_function(
    begin: Callable[..., tuple[AsyncGenerator[object, object], Watch | None, Span | Scope | None]],
) -> Callable[..., AsyncGenerator[object, object]]:
    """A real asynchronous generator function; ``begin``, given its arguments, says what it runs and in which place.

    What PEP 380 does for ``yield from`` written out, because there is none for asynchronous generators.
    """

    async def call(*args: object, **kwargs: object) -> AsyncGenerator[object, object]:
        source, watch, place = begin(*args, **kwargs)
        step: Awaitable[object] = source.__anext__()
        try:
            while True:
                token = enter(place)
                try:
                    item = await step
                finally:
                    leave(token)
                if watch is not None:
                    watch.chunk(item)
                try:
                    sent = yield item
                except GeneratorExit:
                    await source.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 (the source gets it, and may handle it)
                    step = source.athrow(error)
                else:
                    step = source.__anext__() if sent is None else source.asend(sent)
        except BaseException as error:
            if watch is not None:
                ended = isinstance(error, (StopAsyncIteration, GeneratorExit))
                watch.end(exhausted=isinstance(error, StopAsyncIteration), error=None if ended else error)
            if not isinstance(error, StopAsyncIteration):
                raise

    return call


async def awaited(source: Coroutine[object, object, object], watch: Watch) -> object:
    """The result of a coroutine that an ordinary function returned; the function's span lasts until it is there."""
    span, recorder = watch.span, watch.recorder
    token = enter(span)
    try:
        result = await source
    except BaseException as error:
        recorder.abort(span, error)
        raise
    finally:
        leave(token)
    return recorder.settle(span, result)


class WatchedManager:
    """A client's ``….stream(…)`` manager: the stream it opens is watched; its end, or the block's, ends the span.

    Everything else, ``isinstance`` included, is the manager's own.
    """

    def __init__(self, manager: Any, watch: Watch) -> None:
        self.__dict__.update(_manager=manager, _watch=watch)

    @property
    def __class__(self) -> type[object]:  # type: ignore[override]
        return cast("type[object]", type(self._manager))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_manager"], name)

    def __enter__(self) -> object:
        token = enter(self._watch.span)  # the request is made now, as part of the call that gave us the manager
        try:
            stream = self._manager.__enter__()
        except BaseException as error:
            self._watch.end(exhausted=False, error=error)
            raise
        finally:
            leave(token)
        return _watch_stream(stream, self._watch)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> object:
        try:
            return self._manager.__exit__(kind, error, trace)
        finally:
            self._watch.end(exhausted=False, error=error)

    async def __aenter__(self) -> object:
        token = enter(self._watch.span)
        try:
            stream = await self._manager.__aenter__()
        except BaseException as error:
            self._watch.end(exhausted=False, error=error)
            raise
        finally:
            leave(token)
        return _watch_async_stream(stream, self._watch)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> object:
        try:
            return await self._manager.__aexit__(kind, error, trace)
        finally:
            self._watch.end(exhausted=False, error=error)
