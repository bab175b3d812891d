"""Where we are, carried into the threads of an executor.

Context variables follow asyncio tasks and ``asyncio.to_thread``, but not ``ThreadPoolExecutor.submit``, and so not
``map`` nor ``loop.run_in_executor``: a retrieval fanned out over threads would lose its trace and whom it is for.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from outlay.attribution import enter, here, leave

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

_PATCHED = "_outlay_submit"


def carried(fn: Callable[P, R]) -> Callable[P, R]:
    """``fn`` to be called elsewhere (a thread, a greenlet, a callback) as if it were called here."""
    place = here.get()

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        token = enter(place)
        try:
            return fn(*args, **kwargs)
        finally:
            leave(token)

    return call


def carry_into_executors() -> None:
    """From now on, what is submitted to a ThreadPoolExecutor inside an observed call or a context runs inside it."""
    from concurrent.futures import ThreadPoolExecutor

    if hasattr(ThreadPoolExecutor.submit, _PATCHED):
        return
    submit = ThreadPoolExecutor.submit

    @wraps(submit)
    def submit_from_here(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return submit(self, fn if here.get() is None else carried(fn), *args, **kwargs)

    setattr(submit_from_here, _PATCHED, submit)
    ThreadPoolExecutor.submit = submit_from_here  # type: ignore[method-assign]


def leave_executors_alone() -> None:
    """Undo ``carry_into_executors``, unless somebody else has patched on top of it."""
    from concurrent.futures import ThreadPoolExecutor

    original = getattr(ThreadPoolExecutor.submit, _PATCHED, None)
    if original is not None:
        ThreadPoolExecutor.submit = original  # type: ignore[method-assign]
