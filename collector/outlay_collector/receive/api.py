"""OTLP over HTTP. Plain ASGI routes, for a framework's conveniences would cost more here than the work itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from google.protobuf.json_format import MessageToJson
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from outlay_collector.access.api import presented_key, state_of
from outlay_collector.errors import OutlayError, TooLarge, TooSlow, Unavailable, UnreadableBody, UnsupportedMedia
from outlay_collector.receive.batch import Receipt
from outlay_collector.receive.door import Parcel, Take, admit, take_logs, take_metrics, take_traces
from outlay_collector.receive.traffic import Load
from outlay_collector.state import State

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Signal:
    """What differs between the three endpoints."""

    take: Take
    answer: Any  # the OTLP response message
    rejected: str  # its field for the number of rejected items


TRACES = Signal(take_traces, ExportTraceServiceResponse, "rejected_spans")
LOGS = Signal(take_logs, ExportLogsServiceResponse, "rejected_log_records")
METRICS = Signal(take_metrics, ExportMetricsServiceResponse, "rejected_data_points")


def endpoint(signal: Signal) -> Callable[[Request], Awaitable[Response]]:
    """``POST /v1/…``: 200 when, and only when, everything not rejected is committed."""

    async def receive(request: Request) -> Response:
        json = _media_type(request) == JSON
        try:
            receipt = await _receive(request, state_of(request), signal, json=json)
        except OutlayError as error:
            return _error(error, json=json)
        return _success(receipt, signal, json=json)

    return receive


async def _receive(request: Request, state: State, signal: Signal, *, json: bool) -> Receipt:
    if _media_type(request) not in (PROTOBUF, JSON, "application/protobuf"):
        raise UnsupportedMedia(f"Content-Type must be {PROTOBUF} or {JSON}.")
    access = await admit(state, presented_key(request))
    with state.traffic.load() as load:
        parcel = Parcel(
            body=await body_in_time(request, state, load),
            load=load,
            json=json,
            encoding=request.headers.get("content-encoding", ""),
            project=request.headers.get("x-outlay-project"),
        )
        return await signal.take(state, access, parcel)


async def body_in_time(request: Request, state: State, load: Load) -> bytes:
    seconds = state.settings.body_timeout.total_seconds()
    try:
        async with asyncio.timeout(seconds):
            return await _body(request, state, load)
    except TimeoutError:
        raise TooSlow(f"The body had not arrived after {seconds:g} s; nothing of it was stored.") from None
    except ClientDisconnect:
        raise UnreadableBody("The sender left in the middle of the body; nothing of it was stored.") from None


async def _body(request: Request, state: State, load: Load) -> bytes:
    limit = (
        state.settings.max_compressed_bytes
        if request.headers.get("content-encoding")
        else state.settings.max_body_bytes
    )
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge(f"The body has {declared} bytes, the limit is {limit}; send smaller batches.")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"The body has more than {limit} bytes; send smaller batches.")
        load.add(len(part))
        parts.append(part)
    return b"".join(parts)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _success(receipt: Receipt, signal: Signal, *, json: bool) -> Response:
    answer = signal.answer()
    if receipt.rejected or receipt.message:
        setattr(answer.partial_success, signal.rejected, receipt.rejected)
        answer.partial_success.error_message = receipt.message
    if json:
        return Response(MessageToJson(answer, indent=None), media_type=JSON)
    return Response(answer.SerializeToString(), media_type=PROTOBUF)


def _error(error: OutlayError, *, json: bool) -> Response:
    """An error as OTLP wants it: a ``google.rpc.Status`` in the encoding of the request."""
    headers = {"Retry-After": str(Unavailable.retry_after_seconds)} if error.status == 503 else {}
    if error.status == 408:
        headers["Connection"] = "close"  # what still comes of this body would be taken for the next request
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if json:
        body = orjson.dumps({"code": error.status, "message": str(error)})
        return Response(body, error.status, headers, JSON)
    status = Status(message=str(error))
    return Response(status.SerializeToString(), error.status, headers, PROTOBUF)


routes = [
    Route("/v1/traces", endpoint(TRACES), methods=["POST"]),
    Route("/v1/logs", endpoint(LOGS), methods=["POST"]),
    Route("/v1/metrics", endpoint(METRICS), methods=["POST"]),
]
