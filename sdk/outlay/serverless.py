"""Serverless functions: the platform freezes the process with the answer, so what is queued must be sent before it."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, cast

from outlay.runtime import flush

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")


class flushing:  # noqa: N801 (reads as a statement: with outlay.flushing())
    """What was observed by the end of the block is with the collector then, or ``timeout`` seconds have passed.

    A context manager (``with`` and ``async with``, which does not hold up the event loop) and a decorator of functions and
    coroutine functions. An error of the block goes on its way; the flush itself raises nothing.
    """

    __slots__ = ("_timeout",)

    def __init__(self, *, timeout: float = 2.0) -> None:
        self._timeout = timeout

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        flush(self._timeout)

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(flush, self._timeout)

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(fn):
            coroutine = cast("Callable[P, Awaitable[object]]", fn)

            @functools.wraps(fn)
            async def later(*args: P.args, **kwargs: P.kwargs) -> object:
                async with self:
                    return await coroutine(*args, **kwargs)

            return cast("Callable[P, R]", later)

        @functools.wraps(fn)
        def now(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return fn(*args, **kwargs)

        return now
