"""OTLP log and metric requests: GenAI events for the span they belong to; metrics are counted by name.

Metrics restate what spans say (and without cached tokens), so no token of a metric is ever added to a span's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from outlay_collector.calls.events import Event, LogRecord, read_event
from outlay_collector.calls.mask import mask_attributes, mask_text
from outlay_collector.calls.span import Value
from outlay_collector.receive.decode import (
    hex_bytes,
    integer,
    json_attributes,
    json_object,
    json_objects,
    json_value,
    load_json,
    proto_attributes,
    proto_value,
    read_request,
    text_of,
)

_KINDS_OF_METRIC = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


@dataclass(slots=True)
class Told:
    """What a request tells of spans that came, or come, by another way. ``records`` counts all of its log records;
    ``sources`` is parallel to ``events``."""

    records: int = 0
    events: list[Event] = field(default_factory=list[Event])
    sources: list[LogRecord] = field(default_factory=list[LogRecord])


def read_logs(body: bytes, *, json: bool) -> Told:
    """UnreadableBody when it is no log request. Records that are no GenAI event are counted and not kept."""
    records = _json_records(body) if json else _proto_records(body)
    told = Told(len(records))
    for record in records:
        event = read_event(record)
        if event is not None:
            event.content = mask_attributes(event.content)
            told.events.append(event)
            told.sources.append(record)
    return told


def _proto_records(body: bytes) -> list[LogRecord]:
    request, _ = read_request(body, ExportLogsServiceRequest, "log")
    return [
        LogRecord(
            log.time_unix_nano or log.observed_time_unix_nano,
            log.event_name,
            proto_value(log.body, 0),
            proto_attributes(log.attributes),
            _sized(log.trace_id, 16),
            _sized(log.span_id, 8),
            resource,
            scope_logs.scope.name,
        )
        for resource_logs in request.resource_logs
        for resource in (proto_attributes(resource_logs.resource.attributes),)
        for scope_logs in resource_logs.scope_logs
        for log in scope_logs.log_records
    ]


def _json_records(body: bytes) -> list[LogRecord]:
    request = load_json(body)
    return [
        _json_record(log, resource, text_of(json_object(scope_logs, "scope").get("name")))
        for resource_logs in json_objects(request, "resourceLogs")
        for resource in (json_attributes(json_object(resource_logs, "resource").get("attributes")),)
        for scope_logs in json_objects(resource_logs, "scopeLogs")
        for log in json_objects(scope_logs, "logRecords")
    ]


def _json_record(log: dict[str, Any], resource: Mapping[str, Value], scope_name: str) -> LogRecord:
    return LogRecord(
        integer(log.get("timeUnixNano")) or integer(log.get("observedTimeUnixNano")),
        text_of(log.get("eventName")),
        json_value(log.get("body")),
        json_attributes(log.get("attributes")),
        _id(log.get("traceId"), 16),
        _id(log.get("spanId"), 8),
        resource,
        scope_name,
    )


def _id(text: Any, length: int) -> bytes | None:
    """An id, or nothing: a log record without a readable one is still a log record."""
    try:
        return _sized(hex_bytes(text, "id"), length)
    except ValueError:
        return None


def _sized(found: bytes, length: int) -> bytes | None:
    return found if len(found) == length and any(found) else None


def explanation_of(text: str | None) -> str | None:
    """A judge's reasons, bounded and without secrets."""
    return None if text is None else mask_text(text[:4000])


CLIENT_METRIC, OUTCOME = "outlay.sdk.spans", "outlay.outcome"
"""By which an SDK tells what became of its spans; as a sum since its process began."""

CLIENT_OUTCOMES = frozenset(("delivered", "dropped", "refused", "spooled", "replayed"))


@dataclass(slots=True)
class Metered:
    """What a metric request says: data points by name of the metric; and of clients, by instance and outcome, the sums
    since they began."""

    points: Counter[str] = field(default_factory=Counter[str])
    clients: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])

    def client(self, instance: Value, outcome: Value, number: int) -> None:
        if outcome in CLIENT_OUTCOMES and 0 <= number < 2**53:
            key = (str(instance or "")[:200], str(outcome))
            self.clients[key] = max(number, self.clients.get(key, 0))


def read_metrics(body: bytes, *, json: bool) -> Metered:
    """UnreadableBody when it is no metric request."""
    return _json_metered(body) if json else _proto_metered(body)


def _proto_metered(body: bytes) -> Metered:
    request, _ = read_request(body, ExportMetricsServiceRequest, "metric")
    metered = Metered()
    for resource_metrics in request.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                kind = metric.WhichOneof("data")
                metered.points[metric.name] += len(getattr(metric, kind).data_points) if kind else 0
                if metric.name == CLIENT_METRIC and kind == "sum":
                    instance = proto_attributes(resource_metrics.resource.attributes).get("service.instance.id")
                    for point in metric.sum.data_points:
                        metered.client(instance, proto_attributes(point.attributes).get(OUTCOME), point.as_int)
    return metered


def _json_metered(body: bytes) -> Metered:
    metered = Metered()
    for resource_metrics in json_objects(load_json(body), "resourceMetrics"):
        for scope_metrics in json_objects(resource_metrics, "scopeMetrics"):
            for metric in json_objects(scope_metrics, "metrics"):
                name = text_of(metric.get("name"))
                number = sum(len(json_objects(json_object(metric, kind), "dataPoints")) for kind in _KINDS_OF_METRIC)
                metered.points[name] += number
                if name == CLIENT_METRIC:
                    resource = json_attributes(json_object(resource_metrics, "resource").get("attributes"))
                    for point in json_objects(json_object(metric, "sum"), "dataPoints"):
                        outcome = json_attributes(point.get("attributes")).get(OUTCOME)
                        metered.client(resource.get("service.instance.id"), outcome, integer(point.get("asInt")))
    return metered
