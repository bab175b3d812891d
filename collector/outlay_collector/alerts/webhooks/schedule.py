"""When a delivery is tried again, and what an answer means. Values in, values out; the chance is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""Before each attempt, as Standard Webhooks proposes: ten of them in about 75 hours."""

JITTER = 0.2
"""A delay is up to so much shorter or longer, so that what failed together does not come back together."""

LONGEST_RETRY_AFTER = timedelta(hours=24)

DISABLE_AFTER = timedelta(days=5)
"""A receiver that has taken nothing for so long is not called any more."""

_LONGEST_REST = timedelta(seconds=60)

Verdict = Literal["delivered", "again", "gone"]

# What a receiver's answer means to whoever runs it; the numbers that are not here speak for themselves.
_MEANINGS = {
    400: "does not understand the message: is it the right kind?",
    401: "wants to be authorised: is the URL complete?",
    403: "forbids it: is the URL still valid?",
    404: "knows no such path: is the URL still valid?",
    405: "takes no POST there",
    410: "is gone for good",
    413: "finds the message too large",
    415: "does not take this kind of content",
    422: "does not understand the message: is it the right kind?",
    429: "is called too often",
}
_THROTTLES = frozenset((429, 502, 503, 504))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one attempt. ``status`` is missing when there was no answer; ``error`` when it was taken."""

    status: int | None = None
    error: str | None = None
    retry_after: timedelta | None = None
    answer: str | None = None
    duration_ms: int = 0

    @property
    def verdict(self) -> Verdict:
        """Only 2xx is success, and a redirect is not followed. 410 asks never to be called again. All else is tried again."""
        if self.status is not None and 200 <= self.status < 300:
            return "delivered"
        return "gone" if self.status == 410 else "again"


def meaning(status: int) -> str | None:
    """A sentence about a status, ``None`` for success."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"The receiver answered {status}, a redirect, and redirects are not followed: give the final URL."
    said = _MEANINGS.get(status) or ("fails" if status >= 500 else "refuses it")
    return f"The receiver answered {status}: it {said}."


def next_attempt(attempts: int, outcome: Outcome, now: datetime, *, chance: float) -> datetime | None:
    """When to try again after ``attempts`` attempts; ``None`` when there is no further one. ``chance`` is in [0, 1)."""
    if outcome.verdict != "again" or attempts >= len(DELAYS):
        return None
    delay = DELAYS[attempts] * (1 - JITTER + 2 * JITTER * chance)
    if outcome.retry_after is not None:
        delay = max(delay, min(outcome.retry_after, LONGEST_RETRY_AFTER))
    return now + delay


def rest(failures: int, outcome: Outcome, now: datetime) -> datetime | None:
    """Until when the receiver is not called at all, also for other events; ``failures`` counts this one.

    Whoever does not answer holds a place of the worker for as long as that takes, so it is asked less often.
    """
    if outcome.verdict != "again" or not (outcome.status is None or outcome.status in _THROTTLES):
        return None
    length = min(timedelta(seconds=2) * 2 ** min(failures - 1, 10), _LONGEST_REST)
    if outcome.retry_after is not None and outcome.status in _THROTTLES:
        length = max(length, min(outcome.retry_after, LONGEST_RETRY_AFTER))
    return now + length


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """``Retry-After`` in either of its forms; ``None`` when it is missing, senseless or past."""
    if header is None:
        return None
    text = header.strip()[:64]
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), LONGEST_RETRY_AFTER.total_seconds())) if int(text[:9]) else None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return wait if wait > timedelta(0) else None
