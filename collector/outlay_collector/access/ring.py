"""Keys seen lately, so that a request need not ask the database who is asking.

An answer, good or bad, is trusted for ``TRUST_SECONDS``: that is how soon a revoked key stops working. When the database
cannot be asked, a key that was good a moment ago stays good for a little longer, so that a restart of Postgres is
answered with "try again" and not with "who are you".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from outlay_collector.access.keys import Access, key_id_of

TRUST_SECONDS = 4.0
OUTAGE_SECONDS = 600.0
_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Answer:
    access: Access | None
    given_at: float  # when the database said so
    asked_at: float  # when it was asked last, in vain or not


class KeyRing:
    """``look_up`` asks the database; it raises when it cannot."""

    def __init__(self, look_up: Callable[[str], Access | None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._look_up = look_up
        self._clock = clock
        self._known: dict[str, _Answer] = {}
        self._used: set[str] = set()
        self._lock = threading.Lock()

    def remembered(self, key: str) -> tuple[bool, Access | None]:
        """Whether the answer is known without asking, and the answer."""
        if key_id_of(key) is None:
            return True, None
        found = self._known.get(key)
        if found is None or self._clock() - found.asked_at > TRUST_SECONDS:
            return False, None
        return True, found.access

    def in_an_outage(self, key: str) -> Access | None:
        """What the key allowed when the database could last be asked, if that is not too long ago."""
        found = self._known.get(key)
        return found.access if found is not None and self._clock() - found.given_at < OUTAGE_SECONDS else None

    def access_of(self, key: str) -> Access | None:
        """What the key allows; ``None`` when it is not good."""
        known, access = self.remembered(key)
        if not known:
            access = self._ask(key)
        if access is not None:
            self._used.add(access.key_id)
        return access

    def _ask(self, key: str) -> Access | None:
        try:
            access = self._look_up(key)
        except Exception:
            access = self.in_an_outage(key)
            if access is None:
                raise
            # In vain, and not again for a while: nobody should wait for a database that is away to say so once more.
            with self._lock:
                if key in self._known:
                    self._known[key] = replace(self._known[key], asked_at=self._clock())
            return access
        with self._lock:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            self._known[key] = _Answer(access, given_at=self._clock(), asked_at=self._clock())
        return access

    def take_used(self) -> list[str]:
        """Ids of the keys used since the last call."""
        with self._lock:
            used, self._used = self._used, set()
        return sorted(used)
