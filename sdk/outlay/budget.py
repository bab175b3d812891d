"""The budget guard: ask the collector before a call whether there is money left for it.

It must not cost the call more than it can save: an answer holds for five seconds and is renewed in the background, the
first one is waited for 50 ms at most, and where there is no answer the call is allowed.
"""

from __future__ import annotations

import http.client
import json
import threading
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from outlay.attribution import attribution_here
from outlay.safety import never_raise, notice

if TYPE_CHECKING:
    from outlay.configuration import Configuration

HOLDS = 5.0  # seconds an answer is used before it is asked for again
PATIENCE = 0.05  # seconds the first answer is waited for
_STALE = 60.0  # seconds after which an answer that could not be renewed says nothing any more
_MAX_KEPT = 1_024


class Decision(NamedTuple):
    """What the collector thinks of another call. ``spent`` and ``amount`` are decimal strings, if it told them."""

    verdict: str  # allow | warn | block
    spent: str | None = None
    amount: str | None = None
    currency: str | None = None


ALLOWED = Decision("allow")


class BudgetExceeded(Exception):
    """The budget of an observed function is spent, and it has no fallback. The function was not called."""

    def __init__(self, budget: str, decision: Decision) -> None:
        self.budget = budget
        self.decision = decision
        money = f": {decision.spent} of {decision.amount} {decision.currency or ''}".rstrip() if decision.spent else ""
        super().__init__(f"budget {budget} is spent{money}")


class Guard:
    """Answers for one collector, remembered by budget and attribution."""

    def __init__(self, configuration: Configuration) -> None:
        url = urlsplit(configuration.endpoint)
        self._secure = url.scheme == "https"
        self._host, self._port = url.hostname or "127.0.0.1", url.port or (443 if self._secure else 80)
        self._path = url.path.rstrip("/") + "/api/v1/budgets/check"
        self._headers = {"content-type": "application/json", **configuration.headers}
        self.after_fork_in_child()

    def after_fork_in_child(self) -> None:
        """Locks and threads of the parent are not ours."""
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[Decision, float]] = {}
        self._asking: set[object] = set()
        self._lock = threading.Lock()

    def knows(self, budget: str) -> bool:
        """Whether there is an answer that still holds."""
        known = self._known.get((budget, tuple(attribution_here().values.items())))
        return known is not None and monotonic() - known[1] < HOLDS

    def decide(self, budget: str) -> Decision:
        """Whether a call for whom we are here may be made. Never raises; allows when in doubt."""
        key = (budget, tuple(attribution_here().values.items()))
        known = self._known.get(key)
        age = monotonic() - known[1] if known is not None else float("inf")
        if known is not None and age < HOLDS:
            return known[0]
        asked = self._ask_in_background(key)
        if asked is not None and (known is None or age > _STALE):
            asked.join(PATIENCE)
            known = self._known.get(key)
            age = monotonic() - known[1] if known is not None else float("inf")
        return known[0] if known is not None and age < _STALE else ALLOWED

    def _ask_in_background(self, key: tuple[str, tuple[tuple[str, str], ...]]) -> threading.Thread | None:
        with self._lock:
            if key in self._asking:
                return None
            self._asking.add(key)
        thread = threading.Thread(target=self._ask, args=(key,), name="outlay-budget", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread to be had
            self._asking.discard(key)
            return None
        return thread

    def _ask(self, key: tuple[str, tuple[tuple[str, str], ...]]) -> None:
        budget, whom = key
        try:
            with never_raise("asking for a budget"):
                decision = self._request(budget, dict(whom))
                if decision is not None:
                    if len(self._known) >= _MAX_KEPT:
                        self._known.clear()
                    self._known[key] = decision, monotonic()
        finally:
            self._asking.discard(key)

    def _request(self, budget: str, whom: dict[str, str]) -> Decision | None:
        connect = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = connect(self._host, self._port, timeout=2.0)
        try:
            body = json.dumps({"budget": budget, "attributes": whom})
            connection.request("POST", self._path, body, self._headers)
            response = connection.getresponse()
            answer = response.read(65_536)
            if response.status != 200:
                notice(f"outlay: budget {budget} cannot be checked (HTTP {response.status}); calls are allowed.")
                return None
            told = json.loads(answer)
            verdict = told.get("decision")
            if verdict not in ("allow", "warn", "block"):
                return None
            return Decision(verdict, told.get("spent"), told.get("amount"), told.get("currency"))
        except (OSError, http.client.HTTPException, ValueError):
            return None  # the collector is away or not one: an unpaid call is better than a broken program
        finally:
            connection.close()
