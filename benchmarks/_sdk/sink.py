"""Takes everything that the contenders send, and answers as each of their servers would; answers chat requests too."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks._sdk.call import RESPONSE

ANSWER = json.dumps(RESPONSE).encode()
LANGSMITH = {
    "version": "0.13.0",
    "instance_flags": {},
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "size_limit": 100,
        "size_limit_bytes": 20 * 2**20,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 16,
        "scale_down_nempty_trigger": 4,
    },
}
MLFLOW = {
    "experiment": {"experiment_id": "0", "name": "Default", "artifact_location": "/tmp/x", "lifecycle_stage": "active"}
}


class Sink(BaseHTTPRequestHandler):
    """Says yes to every request."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: in two packets, delayed acknowledgement adds 40 ms to every call

    def log_message(self, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        self._read()
        body, kind = self._answer()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_PATCH = do_POST  # noqa: N815 (the names http.server looks for)

    def _read(self) -> None:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            self.rfile.read(int(self.headers.get("content-length") or 0))
            return
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            self.rfile.read(size + 2)
        self.rfile.readline()

    def _answer(self) -> tuple[bytes, str]:
        path = self.path.partition("?")[0]
        if path.endswith("/chat/completions"):
            return ANSWER, "application/json"
        if path.startswith("/v1/"):
            return b"", "application/x-protobuf"
        told = LANGSMITH if path.endswith("/info") else MLFLOW if "get-by-name" in path else {}
        return json.dumps(told).encode(), "application/json"


class Server(ThreadingHTTPServer):
    """Threads that nobody waits for."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A contender that goes away is normal here."""


@contextmanager
def sink() -> Iterator[str]:
    """Its base URL while it listens."""
    server = Server(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
