"""The journey of one OTLP trace request, in order: bytes, spans, calls, charges, rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from outlay_collector.calls.call import CALL, Call
from outlay_collector.calls.events import LogRecord
from outlay_collector.calls.join import twin_keys
from outlay_collector.calls.mask import mask_call
from outlay_collector.calls.normalise import normalise
from outlay_collector.calls.span import Span
from outlay_collector.pricing.book import Book
from outlay_collector.pricing.price import Booked
from outlay_collector.receive.attribute import NO_RULES, Attribution
from outlay_collector.receive.batch import Batch
from outlay_collector.receive.decode import Decoded, Refused, decode_json, decode_protobuf
from outlay_collector.receive.rows import content_row, event_content_row, late_usage_row, row, score_row, text
from outlay_collector.receive.signals import read_logs, read_metrics

logger = logging.getLogger("outlay.ingest")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NO_CONTENT: Mapping[int, str] = {}

PROJECT_ATTRIBUTE = "outlay.project"
"""Resource attribute by which a sender whose key is for all projects says which one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Which spans are taken at all."""

    retention: timedelta
    future_tolerance: timedelta


def ingest(
    body: bytes,
    *,
    json: bool,
    project_id: int,
    key_id: str,
    book: Book,
    limits: Limits,
    now: datetime,
    projects: Callable[[str], int | None] = lambda _: None,
    content_modes: Mapping[int, str] = NO_CONTENT,
    attribution: Attribution = NO_RULES,
) -> list[Batch]:
    """One batch per project the request speaks of; UnreadableBody when it cannot be read at all.

    ``projects`` turns the name a resource gives into a project the sender may write to, ``None`` when it may not.
    ``content_modes`` says which projects keep prompts and completions, ``masked`` or ``full``; secrets are masked always.
    """
    decoded = decode_json(body) if json else decode_protobuf(body)
    batches = _Batches(project_id, key_id, book, limits, now, projects, content_modes, attribution)
    batches.refuse(decoded)
    for span in decoded.spans:
        try:
            batches.add(span)
        except Exception as error:
            logger.exception("a span could not be read")
            batches.refuse_unread(span, error)
    return batches.all(_Sent(body, json=json))


def charge(call: Call, book: Book, project_id: int) -> Booked | None:
    """What a call costs under ``book``; ``None`` for what is no call, and for failed calls that used nothing."""
    if call.span_type != CALL:
        return None
    if call.usage is None:
        return None if call.error_type or call.span.status_code == 2 else UNPRICED
    at = _EPOCH + timedelta(microseconds=call.span.start_ns // 1000)
    priced = book.charge(
        provider=call.provider,
        model=call.model,
        usage=call.usage,
        at=at,
        tier=call.service_tier,
        region=call.region,
        project_id=project_id,
    )
    return book.booked(priced, at)


def ingest_logs(
    body: bytes,
    *,
    json: bool,
    project_id: int,
    limits: Limits,
    now: datetime,
    content_mode: str = "none",
    key_id: str | None = None,
) -> Batch:
    """Late usage, scores and, where the project keeps them, texts of GenAI events; UnreadableBody if it is no request.

    An event that names no span is counted: there is nothing it could be joined to.
    """
    told = read_logs(body, json=json)
    batch = Batch(project_id, key_id=key_id, content_mode=content_mode)
    batch.counts["log_records"] = told.records
    horizon = _Horizon(limits, now)
    for event, record in zip(told.events, told.sources, strict=True):
        if (refused := horizon.refuses(event.time_ns, "time_unix_nano", record)) is not None:
            batch.refused.append(refused)
            continue
        if event.score is not None:
            batch.scores.append(score_row(event, project_id))
        if event.trace_id is None or event.span_id is None:
            batch.counts["events_without_span"] = batch.counts.get("events_without_span", 0) + 1
            continue
        start_us = event.time_ns // 1000
        if event.usage is not None:
            batch.late_usage.append(late_usage_row(event, project_id))
            batch.traces.add(event.trace_id)
            batch.starts_us.append(start_us)
        if event.content and content_mode != "none":
            batch.contents.append(event_content_row(event, project_id, personal=content_mode == "masked"))
            batch.starts_us.append(start_us)
    return batch


def ingest_metrics(body: bytes, *, json: bool, project_id: int) -> Batch:
    """Data points by metric, as counts; and what clients say became of their spans."""
    batch = Batch(project_id)
    metered = read_metrics(body, json=json)
    batch.clients = [(text(instance) or "", outcome, n) for (instance, outcome), n in sorted(metered.clients.items())]
    for name, points in sorted(metered.points.items())[:MAX_METRIC_NAMES]:
        batch.counts[f"metric:{text(name[:200]) or ''}"] = points
    return batch


MAX_METRIC_NAMES = 200
"""Names of metrics counted per request; more is a mistake of the sender."""

UNPRICED = Booked(cost=None, status="unpriced")
"""The charge of a call whose usage nobody reported: there is one, and it is not known."""


class _Batches:
    def __init__(
        self,
        project_id: int,
        key_id: str,
        book: Book,
        limits: Limits,
        now: datetime,
        projects: Callable[[str], int | None],
        content_modes: Mapping[int, str],
        attribution: Attribution,
    ) -> None:
        self._content_modes = content_modes
        self._attribution = attribution
        self._key_id = key_id
        self._batches = {project_id: self._batch(project_id)}
        self._default = project_id
        self._book = book
        self._projects = projects
        self._received_us = int(now.timestamp() * 1_000_000)
        self._horizon = _Horizon(limits, now)

    def all(self, sent: _Sent) -> list[Batch]:
        for batch in self._batches.values():
            batch.sent = sent.span
        return list(self._batches.values())

    def _batch(self, project_id: int) -> Batch:
        mode = self._content_modes.get(project_id, "none")
        version = self._attribution.version(project_id)
        return Batch(project_id, key_id=self._key_id, content_mode=mode, attribution=version)

    def refuse(self, decoded: Decoded) -> None:
        self._batches[self._default].refused.extend(decoded.refused)

    def refuse_unread(self, span: Span, error: Exception) -> None:
        detail = f"the span could not be read ({type(error).__name__}: {error})"
        self._batches[self._default].refused.append(Refused("unread", detail, span))

    def add(self, span: Span) -> None:
        batch = self._batch_for(span)
        if batch is None:
            return
        if not self._horizon.oldest_ns <= span.start_ns <= self._horizon.newest_ns:
            refused = self._horizon.refuses(span.start_ns, "start_time_unix_nano", span)
            assert refused is not None
            batch.refused.append(refused)
            return
        call = normalise(span)
        twins = twin_keys(call)  # needs the words, which are dropped next unless they are kept
        keep = batch.content_mode
        if keep == "none":
            call.content = {}
        mask_call(call, personal=keep == "masked")
        batch.rows.append(
            row(
                call,
                charge(call, self._book, batch.project_id),
                project_id=batch.project_id,
                key_id=self._key_id,
                received_us=self._received_us,
                price_version=self._book.version,
                twins=twins,
                attributed=self._attribution.of(call, batch.project_id, self._key_id),
            )
        )
        batch.starts_us.append(span.start_ns // 1000)
        batch.traces.add(span.trace_id)
        if call.content:
            batch.contents.append(content_row(call, batch.project_id))

    def _batch_for(self, span: Span) -> Batch | None:
        named = span.resource.get(PROJECT_ATTRIBUTE)
        if named is None:
            return self._batches[self._default]
        project_id = self._projects(named) if isinstance(named, str) else None
        if project_id is None:
            detail = (
                f"resource attribute {PROJECT_ATTRIBUTE}={named!r:.100} names no project that this key may write to"
            )
            self._batches[self._default].refused.append(Refused("project", detail, span))
            return None
        if project_id not in self._batches:
            self._batches[project_id] = self._batch(project_id)
        return self._batches[project_id]


class _Sent:
    """Spans of a body by their ids; the body is read again for the first that is asked for, which hardly ever happens."""

    def __init__(self, body: bytes, *, json: bool) -> None:
        self._body = body
        self._json = json
        self._spans: dict[tuple[bytes, int], Span] | None = None

    def span(self, trace_id: bytes, span_id: int) -> Span | None:
        if self._spans is None:
            read = decode_json if self._json else decode_protobuf
            spans = read(self._body).spans
            self._spans = {(span.trace_id, int.from_bytes(span.span_id, "big", signed=True)): span for span in spans}
        return self._spans.get((trace_id, span_id))


class _Horizon:
    """Which times are taken: what is older would be dropped at once, and every day that is taken needs partitions."""

    def __init__(self, limits: Limits, now: datetime) -> None:
        self.oldest_ns = int((now - limits.retention).timestamp()) * 1_000_000_000
        self.newest_ns = int((now + limits.future_tolerance).timestamp()) * 1_000_000_000

    def refuses(self, time_ns: int, name: str, item: Span | LogRecord) -> Refused | None:
        """Why this time is not taken; ``None`` if it is."""
        if time_ns > self.newest_ns:
            detail = f"{name}={time_ns} is further ahead than the allowed tolerance; check the sender's clock"
            return Refused("future", detail, item)
        if time_ns < self.oldest_ns:
            return Refused("too_old", f"{name}={time_ns} is before the retention horizon (OUTLAY_RETENTION)", item)
        return None
