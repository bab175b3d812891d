"""What is damaged: the payloads of the corpus, cut into requests of few spans, and GenAI logs and metrics made here."""

from __future__ import annotations

import base64
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.fuzz.wire import SIZED, Field, parse

CORPUS = Path(__file__).parents[1] / "data" / "otlp-corpus"
MOST_SPANS = 3
_SHORTEST_ID = 16
_ATTRIBUTE = "opentelemetry.proto.common.v1.KeyValue"


@dataclass(frozen=True, slots=True)
class Seed:
    """One sound request. ``ids`` are the trace, span and response ids in it, to be replaced by fresh ones."""

    signal: str  # traces, logs or metrics
    tree: Field
    json: dict[str, Any]
    ids: tuple[bytes, ...]
    times_ns: tuple[int, ...]  # of its spans, to be moved


@dataclass(frozen=True, slots=True)
class Seeds:
    all: tuple[Seed, ...]
    attributes: list[Field]  # of all of them
    json_attributes: list[dict[str, Any]]


def read_seeds(most: int, choose: random.Random) -> Seeds:
    """``most`` requests of spans, taken evenly from the corpus, and those of logs and metrics."""
    paths = sorted(CORPUS.glob("*/*.otlp.pb"))
    choose.shuffle(paths)
    found = [seed for path in paths[:most] for seed in _read(path)]
    found += [_seed("logs", _logs()), _seed("metrics", _metrics())]
    attributes = list({item.content: item for seed in found for item in _attributes(seed.tree)}.values())
    pairs = {json.dumps(pair): pair for seed in found for pair in _json_attributes(seed.json)}
    return Seeds(tuple(found), attributes, list(pairs.values()))


def _read(path: Path) -> list[Seed]:
    body = path.read_bytes()
    if ".logs." in path.name:
        return [_seed("logs", ExportLogsServiceRequest.FromString(body))]
    if ".metrics." in path.name:
        return [_seed("metrics", ExportMetricsServiceRequest.FromString(body))]
    return _traces(ExportTraceServiceRequest.FromString(body))


def _traces(request: ExportTraceServiceRequest) -> list[Seed]:
    """The first spans of a payload, each scope by itself."""
    made: list[Seed] = []
    for resource_spans in request.resource_spans[:2]:
        for scope_spans in resource_spans.scope_spans[:2]:
            one = ExportTraceServiceRequest()
            target = one.resource_spans.add()
            target.resource.CopyFrom(resource_spans.resource)
            scoped = target.scope_spans.add()
            scoped.scope.CopyFrom(scope_spans.scope)
            scoped.spans.extend(scope_spans.spans[:MOST_SPANS])
            if scoped.spans:
                made.append(_seed("traces", one))
    return made


def _seed(signal: str, request: Any) -> Seed:
    body = request.SerializeToString()
    tree = Field(0, SIZED, body, request.DESCRIPTOR.full_name, parse(body, request.DESCRIPTOR))
    spans = [
        span
        for resource_spans in getattr(request, "resource_spans", ())
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]
    ids = {span.trace_id for span in spans} | {span.span_id for span in spans}
    # Response ids too: calls of one id are held against one another, and no provider gives one id a thousand times.
    ids |= {
        attribute.value.string_value.encode()
        for span in spans
        for attribute in span.attributes
        if attribute.key.endswith("response.id") and len(attribute.value.string_value) > _SHORTEST_ID
    }
    times_ns = {time_ns for span in spans for time_ns in (span.start_time_unix_nano, span.end_time_unix_nano)}
    as_json = MessageToDict(request, use_integers_for_enums=True)
    return Seed(signal, tree, _with_hex_ids(as_json), tuple(sorted(ids)), tuple(sorted(times_ns)))


def _with_hex_ids(tree: Any) -> Any:
    """OTLP/JSON writes ids in hexadecimal where protobuf's own JSON has base64."""
    if isinstance(tree, list):
        return [_with_hex_ids(item) for item in tree]
    if isinstance(tree, dict):
        return {
            name: base64.b64decode(item).hex()
            if name in ("traceId", "spanId", "parentSpanId") and isinstance(item, str)
            else _with_hex_ids(item)
            for name, item in tree.items()
        }
    return tree


def _logs() -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    scoped = request.resource_logs.add().scope_logs.add()
    scoped.scope.name = "shop"
    for name, pairs in (
        ("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "good", "gen_ai.evaluation.score.value": 0.5}),
        ("gen_ai.client.inference.operation.details", {"gen_ai.usage.input_tokens": 5, "gen_ai.input.messages": "[]"}),
        ("gen_ai.user.message", {"content": "hello"}),
        ("outlay.usage", {"gen_ai.usage.output_tokens": 7, "gen_ai.response.id": "r"}),
        ("", {"any": "log"}),
    ):
        record = scoped.log_records.add(event_name=name, time_unix_nano=1_790_000_000 * 10**9)
        record.trace_id, record.span_id = b"\x07" * 16, b"\x07" * 8
        record.body.kvlist_value.values.add(key="content").value.string_value = "words"
        for key, value in pairs.items():
            target = record.attributes.add(key=key).value
            if isinstance(value, str):
                target.string_value = value
            elif isinstance(value, float):
                target.double_value = value
            else:
                target.int_value = value
    return request


def _metrics() -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    point = metrics.add(name="gen_ai.client.token.usage").histogram.data_points.add(count=2, sum=9)
    point.attributes.add(key="gen_ai.token.type").value.string_value = "input"
    metrics.add(name="a gauge").gauge.data_points.add(as_double=0.5)
    metrics.add(name="a sum").sum.data_points.add(as_int=7)
    return request


def _attributes(field: Field) -> list[Field]:
    if field.message == _ATTRIBUTE:
        return [Field(9, SIZED, field.content)]
    return [item for kid in field.kids or () for item in _attributes(kid)]


def _json_attributes(tree: Any) -> list[dict[str, Any]]:
    if isinstance(tree, list):
        return [pair for item in tree for pair in _json_attributes(item)]
    if isinstance(tree, dict):
        if "key" in tree and "value" in tree:
            return [tree]
        return [pair for item in tree.values() for pair in _json_attributes(item)]
    return []
