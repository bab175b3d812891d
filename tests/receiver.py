"""A receiver of webhooks on loopback: real sockets, answers as a test wants them, and what came in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """As a receiver checks it, with the library of Standard Webhooks."""
        Webhook(secret).verify(self.body, self.headers)
        return True


Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Receiver:
    """``answer`` is asked per request, by its number from 1 on: a status, or status, headers and body, or it takes over
    the socket itself (and returns None)."""

    answer: Callable[[int, Any], Answer | int | None] = lambda _number, _handler: 200
    received: list[Received] = field(default_factory=list[Received])

    def __enter__(self) -> Receiver:
        outer, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                with lock:
                    outer.received.append(
                        Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                    )
                    number = len(outer.received)
                said = outer.answer(number, self)
                if said is None:
                    return
                status, headers, text = said if isinstance(said, tuple) else (said, {}, b"")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST  # noqa: N815 - the base class says how it is called

            def log_message(self, format: str, *args: Any) -> None:
                del format, args

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: Any, client_address: Any) -> None:
                del request, client_address  # the sender has cut it off, as it should

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"
