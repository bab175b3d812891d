"""OTLP metric requests as samples: those of GPUs and serving engines, by who sent them and when. Pure.

A histogram becomes the three series that Prometheus has of it. Growth is worked out from sums since a process began
(cumulative temporality, the default everywhere); points that tell growth themselves (delta) are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from outlay_collector.calls.span import Value
from outlay_collector.gpu.adapters import OTLP_PREFIXES
from outlay_collector.gpu.exposition import Sample
from outlay_collector.receive.decode import (
    integer,
    json_attributes,
    json_object,
    json_objects,
    load_json,
    proto_attributes,
    read_request,
    text_of,
)

_MARKS = tuple(prefix.encode() for prefix in OTLP_PREFIXES if prefix != "process_start_time_seconds")
_DELTA = int(AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA)
_OF_RESOURCE = ("host.name",)

SENDER = ("outlay.target", "service.instance.id", "host.name", "service.name")
"""Resource attributes that name who sends; the first one that is there."""


@dataclass(slots=True)
class Sent:
    """What one sender said at one moment."""

    target: str
    time_ns: int
    samples: list[Sample] = field(default_factory=list[Sample])


def may_tell(body: bytes) -> bool:
    """Whether a request can hold anything of GPUs or engines; most hold nothing, and need not be read again."""
    return any(mark in body for mark in _MARKS)


def read_otlp(body: bytes, *, json: bool) -> list[Sent]:
    """UnreadableBody when it is no metric request. In order of time."""
    found: dict[tuple[str, int], Sent] = {}
    for resource, name, unit, points in _json_metrics(body) if json else _proto_metrics(body):
        if not name.startswith(OTLP_PREFIXES):
            continue
        target = next((str(resource[key]) for key in SENDER if resource.get(key)), "otlp")[:200]
        shared = {key: str(resource[key]) for key in _OF_RESOURCE if resource.get(key)}
        for time_ns, ending, attributes, value in points:
            if math.isfinite(value):
                key = (target, time_ns // 1_000_000_000)
                sent = found.setdefault(key, Sent(target, time_ns))
                labels = shared | {label: str(one) for label, one in attributes.items()}
                sent.samples.append(Sample(name + ending, labels, value, unit))
    return [found[key] for key in sorted(found, key=lambda key: key[1])]


_Point = tuple[int, str, Mapping[str, Value], float]
_Metric = tuple[Mapping[str, Value], str, str, Iterable[_Point]]


def _proto_metrics(body: bytes) -> Iterator[_Metric]:
    request, _ = read_request(body, ExportMetricsServiceRequest, "metric")
    for resource_metrics in request.resource_metrics:
        resource = proto_attributes(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                yield resource, metric.name, metric.unit, _proto_points(metric)


def _proto_points(metric: Metric) -> Iterator[_Point]:
    kind = metric.WhichOneof("data")
    if kind == "histogram":
        if metric.histogram.aggregation_temporality != _DELTA:
            for point in metric.histogram.data_points:
                attributes = proto_attributes(point.attributes)
                yield from _histogram(
                    point.time_unix_nano, attributes, point.count, point.sum, point.explicit_bounds, point.bucket_counts
                )
    elif kind == "gauge" or (kind == "sum" and metric.sum.aggregation_temporality != _DELTA):
        for point in getattr(metric, kind).data_points:
            value = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
            yield point.time_unix_nano, "", proto_attributes(point.attributes), float(value)


def _histogram(
    time_ns: int,
    attributes: Mapping[str, Value],
    count: int,
    total: float,
    bounds: Iterable[float],
    counts: Iterable[int],
) -> Iterator[_Point]:
    yield time_ns, "_count", attributes, float(count)
    yield time_ns, "_sum", attributes, total
    edges = [*(f"{bound:g}" for bound in bounds), "+Inf"]
    for edge, below in zip(edges, accumulate(counts), strict=False):
        yield time_ns, "_bucket", {**attributes, "le": edge}, float(below)


def _json_metrics(body: bytes) -> Iterator[_Metric]:
    for resource_metrics in json_objects(load_json(body), "resourceMetrics"):
        resource = json_attributes(json_object(resource_metrics, "resource").get("attributes"))
        for scope_metrics in json_objects(resource_metrics, "scopeMetrics"):
            for metric in json_objects(scope_metrics, "metrics"):
                yield resource, text_of(metric.get("name")), text_of(metric.get("unit")), _json_points(metric)


def _json_points(metric: dict[str, Any]) -> Iterator[_Point]:
    for kind in ("gauge", "sum", "histogram"):
        data = json_object(metric, kind)
        if data.get("aggregationTemporality") in (_DELTA, "AGGREGATION_TEMPORALITY_DELTA"):
            continue
        for point in json_objects(data, "dataPoints"):
            time_ns, attributes = integer(point.get("timeUnixNano")), json_attributes(point.get("attributes"))
            if kind == "histogram":
                counts = [integer(one) for one in point.get("bucketCounts") or ()]
                bounds = [_number(one) for one in point.get("explicitBounds") or ()]
                yield from _histogram(
                    time_ns, attributes, integer(point.get("count")), _number(point.get("sum")), bounds, counts
                )
            else:
                told = point.get("asDouble", point.get("asInt"))
                if told is not None:
                    yield time_ns, "", attributes, _number(told)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
