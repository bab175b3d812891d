"""Ended spans → the collector, in the background: a bounded queue, one thread, short slices, retries, counted losses.

The caller only appends to a deque. One daemon thread encodes some spans at a time and lets go of the interpreter lock
between slices, so that no caller waits the five milliseconds Python grants a thread that computes. ``flush`` does the
same work in the thread that asks, which also works at exit, when no thread can be started any more.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from time import monotonic, sleep, time_ns
from typing import TYPE_CHECKING, NamedTuple, Protocol

from outlay import counters, encoding
from outlay.evidence import salt_of
from outlay.exits import call_when_worker_ends
from outlay.safety import internal_error, never_raise, notice
from outlay.spans import Span
from outlay.spool import Frame, Spool
from outlay.telling import Telling

if TYPE_CHECKING:
    from outlay.configuration import Configuration
    from outlay.encoding import Item
    from outlay.transport import Answer

_SLICE = 24  # spans encoded at a time: some 0.3 ms
_FIRST_BACKOFF, _MAX_BACKOFF = 0.5, 30.0  # seconds
_TELL_EVERY = 60.0  # seconds between requests with our own counts
_AGAIN = -1  # instead of a number of spans: not sent, to be tried again
_MAX_BODY = 2 * 2**20  # bytes of one request, before compression


class Sender(Protocol):
    """What carries a request: HTTP, or a test's list."""

    def send(self, signal: str, body: bytes, timeout: float) -> Answer: ...

    def close(self) -> None: ...

    def after_fork_in_child(self) -> None: ...


class Stats(NamedTuple):
    """What became of the spans of this process. ``queued`` ones are still here; every other count only grows."""

    delivered: int = 0  # acknowledged by the collector, without those that were on disk before
    queued: int = 0  # waiting in memory
    dropped: int = 0  # lost: the queue was full, or the process ended before they could be sent
    refused: int = 0  # the collector said no, for good
    retries: int = 0  # requests that had to be sent again
    spooled: int = 0  # written to disk instead
    replayed: int = 0  # delivered from disk, also for other processes
    last_error: str = ""


class Pipeline:
    """Takes ended spans and sees to their delivery."""

    def __init__(self, configuration: Configuration, sender: Sender) -> None:
        self._settings = configuration
        self.resource = configuration.resource
        self.content = configuration.content
        self._sender = sender
        salt = salt_of(configuration.evidence_salt) if configuration.evidence else None
        self.telling = Telling(configuration.content, salt)
        self._spool = self._open_spool()
        self._start_fresh()
        if self._spool is not None and not self._spool.is_empty():
            self._start_thread()  # an earlier process has left something to deliver

    def _start_fresh(self) -> None:
        self._encoder = encoding.Encoder(self.resource, self.telling)  # the one before may hold spans of the parent
        self._queue: deque[Item] = deque()
        self._waiting: deque[Frame] = deque()  # encoded, not delivered yet
        self._working = threading.Lock()  # held by whoever encodes and sends
        self._moving = threading.Lock()  # held while spans go from one count to another, so that ``stats`` adds up
        self._in_hand = 0  # taken from the queue, not yet in ``_waiting``
        self._scales = threading.Lock()
        self._held = 0  # bytes of texts in the queue
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._replayed_frames: dict[str, int] = {}  # by segment: how many of its frames need not be sent again
        self._retry_at = 0.0  # monotonic; the collector is left alone until then
        self._backoff = _FIRST_BACKOFF
        self._delivered = self._dropped = self._refused = self._retries = self._spooled = self._replayed = 0
        self._last_error = ""
        self._instance = os.urandom(16).hex()  # of this process, in its own counts
        self._started_ns = time_ns()
        self._told = Stats()
        self._tell_at = 0.0

    def after_fork_in_child(self) -> None:
        """What is queued belongs to the parent, which will send it; locks and thread are not ours either."""
        self._sender.after_fork_in_child()
        if self._spool is not None:
            self._spool.after_fork_in_child()
        self._start_fresh()

    # In the caller

    def add(self, span: Item) -> None:
        """Queue an ended span; a full queue drops it and counts."""
        queue = self._queue
        length = len(queue)
        if length >= self._settings.queue_size:
            self._dropped += 1  # racing threads may lose a count here; the queue is full by thousands then
            return
        if isinstance(span, Span) and span.content is not None:
            self._weigh(span, span.content.weight)
        queue.append(span)
        if self._thread is None:
            self._start_thread()
        elif not (length + 1) % self._settings.batch_size:
            self._wake.set()

    def _weigh(self, span: Span, weight: int) -> None:
        """Keep what a span holds of texts within ``queue_bytes``; beyond that its facts go on without them."""
        with self._scales:
            if self._held + weight > self._settings.queue_bytes:
                span.content = None
                notice(
                    "outlay: too much text is waiting to be sent, so evidence and content of some calls are left out."
                )
            else:
                self._held += weight

    def room(self) -> bool:
        """Whether another span would be taken."""
        return len(self._queue) < self._settings.queue_size

    def wake(self) -> None:
        """Let the background thread begin now, not at its next turn."""
        self._wake.set()

    def flush(self, timeout: float) -> bool:
        """Send all that is queued, in this thread, trying again until it is done or ``timeout`` seconds are over."""
        deadline = monotonic() + timeout
        while True:
            if not self._working.acquire(timeout=max(deadline - monotonic(), 0)):
                return False
            try:
                done = self._send_all(deadline)
            finally:
                self._working.release()
            if done:
                return True
            left = deadline - monotonic()
            if left <= 0:
                return False
            sleep(min(left, max(self._retry_at - monotonic(), 0.05)))

    def shutdown(self, timeout: float) -> bool:
        """Flush with one attempt at the collector and stop; what cannot be sent is given up, counted and said."""
        self._stopping = True
        self._wake.set()
        deadline = monotonic() + timeout
        done = False
        if self._working.acquire(timeout=timeout):
            try:
                done = self._send_all(deadline)
                if done:
                    self._tell_counts(at_once=True)
            finally:
                self._working.release()
        elif self._spool is not None:
            self._rescue()
        if self._spool is not None:
            self._spool.close()
        lost = self._pending()
        if lost:
            self._dropped += lost
            self._queue.clear()
            self._waiting.clear()
            notice(
                f"outlay: {lost} spans were not delivered to {self._settings.endpoint} before the process ended"
                f" ({self._last_error or 'no time left'}).",
                key="lost at exit",
            )
        self._sender.close()
        return done

    def _rescue(self) -> None:
        """At exit, while the thread hangs in a request: leave the rest in the spool, without waiting for it."""
        with never_raise("spooling at exit"):
            spool = Spool(self._settings.spool or "", self._settings.spool_bytes)
            for frame in list(self._waiting):  # one of them is on its way; should it arrive too, it counts once
                spool.write(frame)
                self._spooled += frame.spans
            self._waiting.clear()
            encoder = encoding.Encoder(self._settings.resource, self.telling)
            while frames := self._next_batches(encoder):
                for frame in frames:
                    spool.write(frame)
                    self._spooled += frame.spans
                self._in_hand = 0
            spool.close()

    def stats(self) -> Stats:
        """The counts so far; every span that was ended is in one of them."""
        with self._moving:
            return Stats(
                delivered=self._delivered,
                queued=self._pending(),
                dropped=self._dropped,
                refused=self._refused,
                retries=self._retries,
                spooled=self._spooled,
                replayed=self._replayed,
                last_error=self._last_error,
            )

    def _pending(self) -> int:
        return len(self._queue) + self._in_hand + sum(batch.spans for batch in list(self._waiting))

    # In the background

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="outlay", daemon=True)
        self._thread = thread
        call_when_worker_ends(lambda: self.shutdown(self._settings.exit_timeout))
        try:
            thread.start()
        except RuntimeError:  # the interpreter is exiting, or has no thread to give; flush and exit still send
            self._thread = None

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._settings.interval)
            self._wake.clear()
            rest = self._retry_at - monotonic()
            if rest > 0 and self._spool is None:
                sleep(min(rest, self._settings.interval))
                continue
            with never_raise("sending spans"), self._working:
                self._send_all(None)
                self._tell_counts()
                if self._replay_one():
                    self._wake.set()  # there is more; new spans have their turn in between

    def _send_all(self, deadline: float | None) -> bool:
        """Encode and send until nothing is left (True) or the collector cannot take it now (False).

        With a spool, what the collector cannot take is left there instead, and nothing stays in memory.
        """
        while True:
            while self._waiting:
                if not self._settle(self._waiting[0], deadline):
                    return False
            batches = self._next_batches(self._encoder)
            if not batches:
                return True
            with self._moving:
                self._waiting.extend(batches)
                self._in_hand = 0

    def _settle(self, batch: Frame, deadline: float | None) -> bool:
        """Deliver a batch or spool it; False if it has to stay where it is."""
        if self._spool is None:
            return self._deliver(batch, deadline)
        away = self._retry_at > monotonic()  # known not to answer: no use in waiting for it again
        return (not away and self._deliver(batch, deadline)) or self._keep(batch)

    def _deliver(self, batch: Frame, deadline: float | None) -> bool:
        taken = self._send(batch, deadline)
        if taken is _AGAIN:
            return False
        with self._moving:
            self._delivered += taken
            self._refused += batch.spans - taken
            self._let_go()
        return True

    def _let_go(self) -> None:
        if self._waiting:  # an exit may have taken it away meanwhile
            self._waiting.popleft()

    def _keep(self, batch: Frame) -> bool:
        assert self._spool is not None
        try:
            given_up = self._spool.write(batch)
        except OSError as error:
            notice(f"outlay: the spool {self._spool.folder} cannot be written ({error}); spans stay in memory.")
            return False
        with self._moving:
            self._dropped += given_up
            self._spooled += batch.spans
            self._let_go()
        return True

    def _replay_one(self) -> bool:
        """Deliver one segment of the spool, if the collector answers. True if there may be more to deliver."""
        if self._spool is None or self._retry_at > monotonic() or self._spool.is_empty():
            return False
        segment = self._spool.claim()
        if segment is None:
            return False
        for number, frame in enumerate(segment.frames()):
            if number < self._replayed_frames.get(segment.path, 0):
                continue
            sent = self._send(frame, None)
            if sent is _AGAIN:
                self._replayed_frames[segment.path] = number
                segment.release()
                return False
            self._replayed += sent
            self._refused += frame.spans - sent
            sleep(0)
        self._replayed_frames.pop(segment.path, None)
        segment.remove()
        return True

    def _next_batches(self, encoder: encoding.Encoder) -> list[Frame]:
        """Up to ``batch_size`` spans and scores from the queue, encoded in slices; none when the queue is empty."""
        spans = size = 0
        while self._queue and spans < self._settings.batch_size and size < _MAX_BODY:
            for span in self._slice(min(_SLICE, self._settings.batch_size - spans)):
                if isinstance(span, Span) and span.content is not None:
                    with self._scales:
                        self._held -= span.content.weight
                try:
                    size += encoder.add(span)
                    spans += 1
                except Exception as error:  # noqa: BLE001 (one bad span must not stop the others)
                    with self._moving:
                        self._dropped += 1
                        self._in_hand -= 1
                    internal_error("encoding a span", error)
            sleep(0)
        return encoder.take()

    def _slice(self, most: int) -> list[Item]:
        """The next spans of the queue, from now on in hand."""
        with self._moving:
            taken = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
            self._in_hand += len(taken)
        return taken

    def _send(self, batch: Frame, deadline: float | None) -> int:
        """One attempt: how many of its spans the collector took, or ``_AGAIN``."""
        timeout = self._settings.timeout
        if deadline is not None:
            timeout = min(timeout, deadline - monotonic())
            if timeout <= 0:
                return _AGAIN
        answer = self._sender.send(batch.signal, batch.body, timeout)
        mendable = self._spool is not None and answer.outcome == "unauthorized"
        if answer.outcome == "retry" or mendable:
            self._retries += 1
            self._last_error = answer.reason
            self._retry_at = monotonic() + (answer.retry_after if answer.retry_after is not None else self._backoff)
            self._backoff = min(self._backoff * 2, _MAX_BACKOFF)
            notice(f"outlay: the collector at {self._settings.endpoint} cannot be reached ({answer.reason}); retrying.")
            return _AGAIN
        self._backoff, self._retry_at = _FIRST_BACKOFF, 0.0
        taken = batch.spans - answer.rejected if answer.outcome == "delivered" else 0
        if taken < batch.spans:
            self._last_error = answer.reason
            notice(f"outlay: the collector at {self._settings.endpoint} refused spans: {answer.reason}")
        return taken

    def _tell_counts(self, *, at_once: bool = False) -> None:
        """Tell the collector what was lost or went by the spool, at most once a minute."""
        now = monotonic()
        stats = self.stats()
        if (now < self._tell_at and not at_once) or now < self._retry_at:
            return
        if not counters.is_worth_telling(stats, self._told):
            return
        self._tell_at = now + _TELL_EVERY
        body = counters.request(stats, self.resource, self._instance, self._started_ns, time_ns())
        if self._sender.send("metrics", body, min(self._settings.timeout, 1.0)).outcome == "delivered":
            self._told = stats

    def _open_spool(self) -> Spool | None:
        folder = self._settings.spool
        if folder is None:
            return None
        try:
            return Spool(folder, self._settings.spool_bytes)
        except OSError as error:
            notice(f"outlay: the spool {folder} cannot be used ({error}); spans are kept in memory alone.")
            return None
