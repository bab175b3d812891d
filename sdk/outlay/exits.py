"""Being called before a process ends, also where Python does not run ``atexit``: in forked workers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from outlay.safety import never_raise

if TYPE_CHECKING:
    from collections.abc import Callable


def call_when_worker_ends(call: Callable[[], object]) -> None:
    """Have ``call`` made when this process ends, if it is a worker of multiprocessing or of Celery's billiard.

    Both end a forked worker by ``os._exit``, after their own finalizers only. Register in the worker itself: they forget
    what was registered before the fork.
    """
    for library in ("multiprocessing", "billiard"):
        process, util = sys.modules.get(f"{library}.process"), sys.modules.get(f"{library}.util")
        if process is None or util is None:
            continue
        with never_raise(f"registering with {library}"):
            if process.current_process().name != "MainProcess":
                util.Finalize(None, call, exitpriority=1)
