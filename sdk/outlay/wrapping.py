"""A function → a function of the same kind (plain, async, generator, async generator) with something around it."""

from __future__ import annotations

from functools import update_wrapper
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from outlay import runtime, streams
from outlay.attribution import enter, here, leave
from outlay.safety import never_raise

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from typing import ParamSpec, TypeVar

    from outlay.attribution import Scope
    from outlay.spans import Span, Step

    P = ParamSpec("P")
    R = TypeVar("R")

# Flags of code objects, as ``inspect`` names them; that module is not worth its import.
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200


def code_flags(fn: Callable[..., object]) -> int:
    """What kind of function it is; 0 for callables that do not tell (then the result's type decides at the call)."""
    target: Any = fn
    while not isinstance(target, FunctionType) and hasattr(target, "func"):  # functools.partial
        target = target.func
    call: Any = getattr(cast("type[object]", type(target)), "__call__", None)  # noqa: B004 (its code is wanted)
    code = getattr(target, "__code__", None) or getattr(call, "__code__", None)
    return code.co_flags if code is not None else 0


def observing(fn: Callable[P, R], step: Step) -> Callable[P, R]:
    """``fn`` with every call recorded as ``step``. What it returns and raises passes through."""
    flags = code_flags(fn)
    if flags & _ASYNC_GENERATOR:
        wrapper = _observing_async_generator(cast("Callable[..., AsyncGenerator[object, object]]", fn), step)
    elif flags & _COROUTINE:
        wrapper = _observing_async(cast("Callable[..., Awaitable[object]]", fn), step)
    elif flags & _GENERATOR:
        wrapper = _observing_generator(cast("Callable[..., Generator[object, object, object]]", fn), step)
    else:
        wrapper = _observing(fn, step)
    return cast("Callable[P, R]", update_wrapper(wrapper, fn))


def _observing(fn: Callable[..., object], step: Step) -> Callable[..., object]:
    state = runtime.state

    def call(*args: object, **kwargs: object) -> object:
        recorder = state.recorder
        if recorder is None:
            runtime.say_unconfigured()
            return fn(*args, **kwargs)
        span = recorder.begin(step)
        token = enter(span)
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            leave(token)
            recorder.fail(span, error, args, kwargs)
            raise
        leave(token)
        return recorder.finish(span, result, args, kwargs)

    return call


def _observing_async(fn: Callable[..., Awaitable[object]], step: Step) -> Callable[..., object]:
    state = runtime.state

    async def call(*args: object, **kwargs: object) -> object:
        recorder = state.recorder
        if recorder is None:
            runtime.say_unconfigured()
            return await fn(*args, **kwargs)
        span = recorder.begin(step)
        token = enter(span)
        try:
            result = await fn(*args, **kwargs)
        except BaseException as error:
            leave(token)
            recorder.fail(span, error, args, kwargs)
            raise
        leave(token)
        return recorder.finish(span, result, args, kwargs)

    return call


def _observing_generator(fn: Callable[..., Generator[object, object, object]], step: Step) -> Callable[..., object]:
    state = runtime.state

    def call(*args: object, **kwargs: object) -> Generator[object, object, object]:
        recorder = state.recorder
        source = fn(*args, **kwargs)
        if recorder is None:
            runtime.say_unconfigured()
            return (yield from source)
        span = recorder.begin(step)
        with never_raise("reading the arguments of an observed function"):
            recorder.hear(span, args, kwargs)
        watched = streams.WatchedGenerator(source, streams.Watch(recorder, span), span)
        return (yield from cast("Generator[object, object, object]", watched))

    return call


def _observing_async_generator(fn: Callable[..., AsyncGenerator[object, object]], step: Step) -> Callable[..., object]:
    state = runtime.state

    def begin(
        *args: object, **kwargs: object
    ) -> tuple[AsyncGenerator[object, object], streams.Watch | None, Span | Scope | None]:
        recorder = state.recorder
        source = fn(*args, **kwargs)
        if recorder is None:
            runtime.say_unconfigured()
            return source, None, here.get()
        span = recorder.begin(step)
        with never_raise("reading the arguments of an observed function"):
            recorder.hear(span, args, kwargs)
        return source, streams.Watch(recorder, span), span

    return streams.async_generator_function(begin)


def within(fn: Callable[P, R], scope: Callable[[], Scope]) -> Callable[P, R]:
    """``fn`` with every call made inside ``scope()``."""
    flags = code_flags(fn)
    if flags & _ASYNC_GENERATOR:
        source_of = cast("Callable[..., AsyncGenerator[object, object]]", fn)
        wrapper = streams.async_generator_function(lambda *args, **kwargs: (source_of(*args, **kwargs), None, scope()))
    elif flags & _COROUTINE:
        wrapper = _within_async(cast("Callable[..., Awaitable[object]]", fn), scope)
    elif flags & _GENERATOR:
        wrapper = _within_generator(cast("Callable[..., Generator[object, object, object]]", fn), scope)
    else:
        wrapper = _within(fn, scope)
    return cast("Callable[P, R]", update_wrapper(wrapper, fn))


def _within(fn: Callable[..., object], scope: Callable[[], Scope]) -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> object:
        token = enter(scope())
        try:
            return fn(*args, **kwargs)
        finally:
            leave(token)

    return call


def _within_async(fn: Callable[..., Awaitable[object]], scope: Callable[[], Scope]) -> Callable[..., object]:
    async def call(*args: object, **kwargs: object) -> object:
        token = enter(scope())
        try:
            return await fn(*args, **kwargs)
        finally:
            leave(token)

    return call


def _within_generator(
    fn: Callable[..., Generator[object, object, object]], scope: Callable[[], Scope]
) -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> Generator[object, object, object]:
        watched = streams.WatchedGenerator(fn(*args, **kwargs), None, scope())
        return (yield from cast("Generator[object, object, object]", watched))

    return call


def guarded(fn: Callable[P, R], budget: str, fallback: Callable[P, R] | None) -> Callable[P, R]:
    """``fn`` while ``budget`` lasts; afterwards ``fallback``, or BudgetExceeded if there is none.

    The fallback is of the same kind as the function: plain, async, generator or async generator.
    """
    flags = code_flags(fn)
    if flags & _ASYNC_GENERATOR:
        source_of = cast("Callable[..., AsyncGenerator[object, object]]", fn)
        other = cast("Callable[..., AsyncGenerator[object, object]] | None", fallback)
        wrapper = streams.async_generator_function(
            lambda *args, **kwargs: (runtime.affordable(budget, source_of, other)(*args, **kwargs), None, here.get())
        )
    elif flags & _COROUTINE:
        wrapper = _guarded_async(cast("Callable[..., Awaitable[object]]", fn), budget, fallback)
    elif flags & _GENERATOR:
        wrapper = _guarded_generator(cast("Callable[..., Generator[object, object, object]]", fn), budget, fallback)
    else:
        wrapper = _guarded(fn, budget, fallback)
    return cast("Callable[P, R]", update_wrapper(wrapper, fn))


def _guarded(fn: Callable[..., object], budget: str, fallback: Any) -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> object:
        return runtime.affordable(budget, fn, fallback)(*args, **kwargs)

    return call


def _guarded_async(fn: Callable[..., Awaitable[object]], budget: str, fallback: Any) -> Callable[..., object]:
    async def call(*args: object, **kwargs: object) -> object:
        from asyncio import to_thread

        if not runtime.knows_budget(budget):
            await to_thread(runtime.ask_budget, budget)  # the event loop must not wait
        return await runtime.affordable(budget, fn, fallback)(*args, **kwargs)

    return call


def _guarded_generator(
    fn: Callable[..., Generator[object, object, object]], budget: str, fallback: Any
) -> Callable[..., object]:
    def call(*args: object, **kwargs: object) -> Generator[object, object, object]:
        return (yield from runtime.affordable(budget, fn, fallback)(*args, **kwargs))

    return call
