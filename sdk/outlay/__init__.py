"""Outlay in your application: one decorator, and every LLM call becomes a span with its tokens, time and purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlay.attribution import context
from outlay.decorator import observe
from outlay.recording import record
from outlay.runtime import configure, current, flush, shutdown, stats
from outlay.spans import Span
from outlay.threads import carried
from outlay.version import __version__

if TYPE_CHECKING:
    from outlay import middleware as middleware
    from outlay.batches import record_batch
    from outlay.budget import BudgetExceeded
    from outlay.instrumentation import instrument, uninstrument
    from outlay.propagation import headers
    from outlay.scores import score
    from outlay.serverless import flushing

_LATER = {
    "instrument": "outlay.instrumentation",
    "BudgetExceeded": "outlay.budget",
    "flushing": "outlay.serverless",
    "headers": "outlay.propagation",
    "record_batch": "outlay.batches",
    "score": "outlay.scores",
    "uninstrument": "outlay.instrumentation",
}
_MODULES = frozenset({"middleware", "testing"})


def __getattr__(name: str) -> object:
    """What most programs use once or never is imported when it is first asked for."""
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"outlay.{name}")
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'outlay' has no attribute {name!r}")


__all__ = [
    "BudgetExceeded",
    "Span",
    "__version__",
    "carried",
    "configure",
    "context",
    "current",
    "flush",
    "flushing",
    "headers",
    "instrument",
    "middleware",
    "observe",
    "record",
    "record_batch",
    "score",
    "shutdown",
    "stats",
    "uninstrument",
]
