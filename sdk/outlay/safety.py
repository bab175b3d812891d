"""The promise that nothing of ours reaches the program we live in, kept in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

# Our own tests turn this on: a mistake of ours is then raised where it happens and not only noted.
raise_internal_errors = False

_said: set[str] = set()


def notice(message: str, *, key: str | None = None) -> None:
    """Say something to the operator through the ``outlay`` logger, once per process and key (default: the message)."""
    key = key or message
    if key in _said:
        return
    _said.add(key)
    import logging  # imported late: it is a fifth of what importing this package costs

    logging.getLogger("outlay").warning(message)


def forget_notices() -> None:
    """Let every notice be said again, as in a fresh process. For tests."""
    _said.clear()


def internal_error(doing: str, error: BaseException) -> None:
    """Swallow a mistake of ours, with one notice per kind; the caller goes on without what it was doing."""
    if raise_internal_errors:
        raise error
    notice(
        f"outlay: {type(error).__name__} while {doing}: {error}. Your program is not affected; this span may be.",
        key=f"{doing}:{type(error).__name__}",
    )


class never_raise:  # noqa: N801 (reads as a statement: with never_raise("reading usage"))
    """``with never_raise("doing this"):`` keeps an ``Exception`` of ours inside; signals and exits pass."""

    __slots__ = ("doing",)

    def __init__(self, doing: str) -> None:
        self.doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        if raise_internal_errors:
            return False
        internal_error(self.doing, error)
        return True
