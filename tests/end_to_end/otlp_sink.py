"""A collector of the tests: takes OTLP/HTTP requests over a real socket, keeps the spans, answers as it is told."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


@dataclass
class Answer:
    """What the sink says to a request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Seen:
    """One span as it arrived, ids in hex, times in nanoseconds."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    failed: bool
    attributes: dict[str, Any]
    resource: dict[str, Any]
    scope: tuple[str, str]


class OtlpSink:
    """Context manager; ``answer`` may be replaced at any time, spans count only when it says 2xx."""

    def __init__(self, port: int = 0) -> None:
        self.spans: list[Seen] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answer: Callable[[], Answer] = Answer
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = sink.answer()
                sink.requests.append((self.path, headers, body))
                if 200 <= answer.status < 300 and self.path.endswith("/v1/traces"):
                    sink.spans += decode(gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that goes away is normal here."""

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> OtlpSink:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def named(self, name: str) -> Seen:
        """The only span of this name."""
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, f"{len(found)} spans are named {name}: {[span.name for span in self.spans]}"
        return found[0]


def decode(body: bytes) -> list[Seen]:
    """The spans of an export request, read by the generated protobuf classes."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Seen(
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_span_id=span.parent_span_id.hex(),
            name=span.name,
            kind=span.kind,
            start_ns=span.start_time_unix_nano,
            end_ns=span.end_time_unix_nano,
            failed=span.status.code == 2,
            attributes={pair.key: _value(pair.value) for pair in span.attributes},
            resource={pair.key: _value(pair.value) for pair in block.resource.attributes},
            scope=(scope.scope.name, scope.scope.version),
        )
        for block in request.resource_spans
        for scope in block.scope_spans
        for span in scope.spans
    ]


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None
