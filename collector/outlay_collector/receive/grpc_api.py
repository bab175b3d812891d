"""OTLP over gRPC: the same door, with gRPC's words for its answers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from outlay_collector.errors import NotReady, OutlayError, Unavailable
from outlay_collector.receive.door import Parcel, Take, admit, take_logs, take_metrics, take_traces
from outlay_collector.state import State

logger = logging.getLogger("outlay.ingest")

# Method, what takes it, its response, and the response's field for the number of rejected items.
_METHODS = (
    ("trace.v1.TraceService", take_traces, ExportTraceServiceResponse, "rejected_spans"),
    ("logs.v1.LogsService", take_logs, ExportLogsServiceResponse, "rejected_log_records"),
    ("metrics.v1.MetricsService", take_metrics, ExportMetricsServiceResponse, "rejected_data_points"),
)

# Clients retry UNAVAILABLE and nothing else of these.
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    503: grpc.StatusCode.UNAVAILABLE,
}

Handler = Callable[[bytes, "grpc.aio.ServicerContext[Any, Any]"], Awaitable[bytes]]


async def start(state: State) -> grpc.aio.Server:
    """A server on the settings' gRPC port, shared with the other acceptors. NotReady when the port cannot be had."""
    settings = state.settings
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", settings.max_body_bytes),
            ("grpc.so_reuseport", 1),
            ("grpc.keepalive_permit_without_calls", 1),
            # Who says nothing is let go; clients come back by themselves when they have something to say.
            ("grpc.server_handshake_timeout_ms", 15_000),
            ("grpc.max_connection_idle_ms", 300_000),
        ]
    )
    # Messages stay bytes here: the reader behind the door is faster than a stub, and refuses one span, not the request.
    handlers = {
        f"/opentelemetry.proto.collector.{service}/Export": grpc.unary_unary_rpc_method_handler(
            _export(state, take, answer, rejected)
        )
        for service, take, answer, rejected in _METHODS
    }
    server.add_generic_rpc_handlers([_Route(handlers)])
    address = (
        f"[{settings.host}]:{settings.grpc_port}" if ":" in settings.host else f"{settings.host}:{settings.grpc_port}"
    )
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise NotReady(
            f"Port {settings.grpc_port} on {settings.host} is in use; choose another with --grpc-port."
        ) from error
    await server.start()
    return server


class _Route(grpc.GenericRpcHandler):
    def __init__(self, handlers: dict[str, Any]) -> None:
        self._handlers = handlers

    def service(self, handler_call_details: Any) -> Any:
        return self._handlers.get(handler_call_details.method)


def _export(state: State, take: Take, answer: Any, rejected: str) -> Handler:
    async def export(body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        told = {str(key).lower(): str(value) for key, value in context.invocation_metadata() or ()}
        try:
            access = await admit(state, _key(told))
            with state.traffic.load() as load:
                load.add(len(body))
                parcel = Parcel(body=body, load=load, json=False, project=told.get("x-outlay-project"))
                receipt = await take(state, access, parcel)
        except OutlayError as error:
            code = _CODES.get(error.status, grpc.StatusCode.INTERNAL)
            await context.abort(code, str(error), when_to_retry(error))
        response = answer()
        if receipt.rejected or receipt.message:
            setattr(response.partial_success, rejected, receipt.rejected)
            response.partial_success.error_message = receipt.message
        return response.SerializeToString()

    return export


def when_to_retry(error: OutlayError) -> tuple[tuple[str, bytes], ...]:
    """gRPC's ``Retry-After``, for what may be sent again: as OTLP says it, and as Python's exporters look for it."""
    if error.status != 503:
        return ()
    wait = RetryInfo()
    wait.retry_delay.FromSeconds(Unavailable.retry_after_seconds)
    status = Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message=str(error))
    status.details.add().Pack(wait)
    return (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("google.rpc.retryinfo-bin", wait.SerializeToString()),
    )


def _key(told: dict[str, str]) -> str | None:
    scheme, _, value = told.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value.strip() else told.get("x-api-key")
