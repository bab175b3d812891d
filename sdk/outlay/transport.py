"""One OTLP request over HTTP: what the collector said to it, and whether sending it again makes sense.

``http.client`` on one kept-alive connection: no other import, no thread, no retry policy of its own that could hold an
exiting program up. Retryable are 429, 502, 503, 504 and connection errors, as OTLP has it; everything else is final.
"""

from __future__ import annotations

import http.client
import os
import zlib
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from outlay import otlp

if TYPE_CHECKING:
    import ssl

    from outlay.configuration import Configuration

_RETRYABLE = frozenset({429, 502, 503, 504})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_ANSWER = 65_536  # bytes of a response that are read
_MAX_RETRY_AFTER = 300.0  # seconds; a longer wish is not honoured in full


_inherited: list[http.client.HTTPConnection] = []  # of parent processes; never to be collected


class Answer(NamedTuple):
    """What became of a request."""

    outcome: Literal["delivered", "retry", "refused", "unauthorized"]
    rejected: int = 0  # of a delivered request: records the collector did not take
    reason: str = ""
    retry_after: float | None = None  # seconds the collector asked for


class Transport:
    """Sends to one collector. Not thread-safe: the pipeline's lock is around it."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        url = urlsplit(configuration.traces_url)
        self._secure = url.scheme == "https"
        self._host = url.hostname or "127.0.0.1"
        self._port = url.port or (443 if self._secure else 80)
        self._paths = {"traces": (url.path or "/") + (f"?{url.query}" if url.query else "")}
        base = urlsplit(configuration.endpoint).path.rstrip("/")
        for signal in ("metrics", "logs"):
            self._paths[signal] = f"{base}/v1/{signal}"
        self._headers = {"content-type": "application/x-protobuf", **configuration.headers}
        if configuration.compression == "gzip":
            self._headers["content-encoding"] = "gzip"
        self._connection: http.client.HTTPConnection | None = None
        self._tls: ssl.SSLContext | None = None
        self._import_what_sending_needs()

    def _import_what_sending_needs(self) -> None:
        """Now, in the thread that configures. An import that the background thread is in the middle of when the program
        forks stays locked in the child for ever, and the child would wait for it at its first request."""
        import_module("logging")  # for notices
        self._host.encode("idna")  # as looking a host's address up does
        if self._secure:
            self._context()
        self._proxy()

    def send(self, signal: str, body: bytes, timeout: float) -> Answer:
        """POST an export request of ``signal`` (traces, metrics or logs), taking at most about ``timeout`` seconds."""
        if "content-encoding" in self._headers:
            packer = zlib.compressobj(level=1, wbits=31)
            body = packer.compress(body) + packer.flush()
        kept = self._connection is not None
        try:
            return self._post(self._paths[signal], body, timeout)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not kept:
                return Answer("retry", reason=_reason(error))
        # The collector may have closed an idle connection, which shows at the next request only; a new one decides.
        try:
            return self._post(self._paths[signal], body, timeout)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer("retry", reason=_reason(error))

    def close(self) -> None:
        """Give the connection up; the next request opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def after_fork_in_child(self) -> None:
        """Let go of the parent's connection, without the buffers around it.

        Another thread of the parent may have been reading at the fork: its buffer's lock stays taken in the child for
        ever, and closing the buffer, or letting it be collected, would wait for that lock. So only the descriptor is
        closed, and the rest is kept.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        _inherited.append(connection)
        sock = connection.sock
        if sock is not None:
            with suppress(OSError):
                os.close(sock.detach())

    def _post(self, path: str, body: bytes, timeout: float) -> Answer:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._connect(timeout)
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        connection.request("POST", path, body, self._headers)
        response = connection.getresponse()
        answer = response.read(_MAX_ANSWER)
        if response.will_close or not response.isclosed():
            self.close()
        status = response.status
        if 200 <= status < 300:
            partial = otlp.read_partial_success(answer)
            return Answer("delivered", rejected=partial.rejected, reason=partial.message)
        reason = f"HTTP {status} {response.reason}".strip()
        if status in _RETRYABLE:
            return Answer("retry", reason=reason, retry_after=_seconds(response.getheader("retry-after")))
        # A wrong key or path is somebody's mistake and can be mended, unlike a request that is not understood.
        return Answer("unauthorized" if status in (401, 403, 404) else "refused", reason=reason)

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        proxy = self._proxy()
        host, port = proxy or (self._host, self._port)
        if self._secure:
            connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._context())
        else:
            connection = http.client.HTTPConnection(host, port, timeout=timeout)
        if proxy is not None:
            connection.set_tunnel(self._host, self._port)
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            import ssl

            settings = self._configuration
            self._tls = ssl.create_default_context(cafile=settings.certificate)
            if settings.client_certificate is not None:
                self._tls.load_cert_chain(settings.client_certificate, settings.client_key)
        return self._tls

    def _proxy(self) -> tuple[str, int] | None:
        """The proxy the environment names for the collector's host, unless that is this machine or excepted."""
        scheme = "https" if self._secure else "http"
        named = os.environ.get(f"{scheme}_proxy") or os.environ.get(f"{scheme}_proxy".upper())
        if not named or self._host in _LOCAL:
            return None
        from urllib.request import proxy_bypass

        if proxy_bypass(self._host):
            return None
        url = urlsplit(named if "://" in named else f"http://{named}")
        return (url.hostname, url.port or 80) if url.hostname else None


def _seconds(header: str | None) -> float | None:
    """``Retry-After`` in its form of seconds; the form of a date is rare and counts as not given."""
    try:
        return min(max(float(header), 0.0), _MAX_RETRY_AFTER) if header else None
    except ValueError:
        return None


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
