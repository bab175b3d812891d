"""Log and metric requests that are odd in what they name, not in how they are written."""

from __future__ import annotations

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from outlay_collector.receive.ingest import ingest_metrics
from outlay_collector.receive.signals import read_logs


def test_a_log_record_whose_ids_are_none_is_an_event_without_span() -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(event_name="gen_ai.user.message")
    record.trace_id, record.span_id = b"far too long to be a trace id", bytes(8)
    (event,) = read_logs(request.SerializeToString(), json=False).events
    assert (event.trace_id, event.span_id) == (None, None)


def test_a_metric_is_counted_under_a_name_that_the_database_takes() -> None:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    metrics.add(name="a\x00b").sum.data_points.add(as_int=1)
    metrics.add(name="").gauge.data_points.add(as_int=1)
    batch = ingest_metrics(request.SerializeToString(), json=False, project_id=1)
    assert batch.counts == {"metric:": 1, "metric:a\ufffdb": 1}
