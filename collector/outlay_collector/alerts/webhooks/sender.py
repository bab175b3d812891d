"""Carries a message to a receiver, past a wall: HTTP to addresses that were looked at, e-mail to the operator's server.

Nothing here reads a proxy from the environment, follows a redirect or keeps a connection, and nothing lasts longer than
its deadline, however slowly the other side talks.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

import certifi
import httpcore

from outlay_collector.alerts.webhooks.adapters.email import recipients
from outlay_collector.alerts.webhooks.addresses import AddressRefused, Network, Target, target, vet
from outlay_collector.alerts.webhooks.schedule import Outcome, meaning, retry_after

SECONDS = 15.0
"""One attempt, with the name, the connection, the handshake and the answer."""

CONNECT_SECONDS = 5.0

MOST_ANSWER_BYTES = 16 * 1024
KEPT_ANSWER = 500
"""Characters of an answer that the log keeps: what a receiver says is wrong, and not a page of it."""

Resolver = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, as the system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sender:
    """How messages leave. ``allowed``: private networks that the operator opened. ``smtp_url``: his mail server."""

    allowed: tuple[Network, ...] = ()
    smtp_url: str | None = None
    smtp_from: str = "outlay@localhost"
    resolve: Resolver = resolve
    seconds: float = SECONDS
    trust: ssl.SSLContext = field(default_factory=lambda: _trust())

    def addresses(self, wanted: Target) -> list[str]:
        """Where ``wanted`` leads at this moment. AddressRefused, or OSError when the name does not resolve."""
        return vet(wanted, _in_time(lambda: self.resolve(wanted.host, wanted.port), CONNECT_SECONDS), self.allowed)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One attempt. Whatever goes wrong is in the outcome."""
        began = time.monotonic()
        try:
            status, said, hint = self._exchange(target(url), headers, body, began + self.seconds)
        except AddressRefused as error:
            outcome = Outcome(error=str(error))
        except Exception as error:  # noqa: BLE001 - a receiver may break any layer below; all of it means: not delivered
            outcome = Outcome(error=_reason(error, self.seconds))
        else:
            outcome = Outcome(
                status=status, error=meaning(status), retry_after=retry_after(hint, datetime.now(UTC)), answer=said
            )
        return _lasted(outcome, began)

    def mail(self, url: str, body: bytes) -> Outcome:
        """The same for e-mail. A status is the mail server's: 4xx means later."""
        began = time.monotonic()
        if self.smtp_url is None:
            return Outcome(error="There is no mail server: set OUTLAY_SMTP_URL, such as smtp://user:password@host:587.")
        try:
            _send_mail(self.smtp_url, self.smtp_from, recipients(url), body, self.seconds)
        except smtplib.SMTPResponseException as error:
            said = (
                error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
            )
            outcome = Outcome(error=f"The mail server answered {error.smtp_code}: {said}"[:500])
        except Exception as error:  # noqa: BLE001 - as above
            outcome = Outcome(error=f"The mail server could not be used: {_reason(error, self.seconds)}")
        else:
            outcome = Outcome(status=250)
        return _lasted(outcome, began)

    def _exchange(
        self, wanted: Target, headers: Mapping[str, str], body: bytes, deadline: float
    ) -> tuple[int, str, str | None]:
        backend = _Wall(self, wanted, deadline)
        with (
            httpcore.ConnectionPool(ssl_context=self.trust, network_backend=backend, max_connections=1) as pool,
            pool.stream(
                "POST",
                wanted.url,
                headers=[(name.encode(), value.encode()) for name, value in headers.items()],
                content=body,
                extensions={"timeout": {"connect": CONNECT_SECONDS, "read": self.seconds, "write": self.seconds}},
            ) as response,
        ):
            hint = next(
                (value.decode("latin-1") for name, value in response.headers if name.lower() == b"retry-after"), None
            )
            return response.status, _said(response.iter_stream()), hint


def warning(sender: Sender, url: str) -> str | None:
    """Looks at a receiver before it is saved. AddressRefused when it is off limits; a sentence when nobody can say yet."""
    if url.startswith("mailto:"):
        return None if sender.smtp_url else "No mail is sent before OUTLAY_SMTP_URL names a mail server."
    wanted = target(url)
    try:
        sender.addresses(wanted)
    except AddressRefused:
        raise
    except OSError as error:
        return f"{wanted.host} does not resolve at the moment ({error}); it is looked at again before each delivery."
    return None


@dataclass(frozen=True, slots=True)
class _Wall(httpcore.NetworkBackend):
    """Opens connections only to addresses that were vetted, a moment ago and for this connection."""

    sender: Sender
    wanted: Target
    deadline: float

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        del host, port, timeout  # of the target, as everything that is connected to
        inner = httpcore.SyncBackend()
        last: Exception = OSError("no address")
        for address in self.sender.addresses(self.wanted):
            try:
                left = _left(self.deadline, CONNECT_SECONDS)
                return _Bounded(
                    inner.connect_tcp(address, self.wanted.port, left, local_address, socket_options), self.deadline
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last


class _Bounded(httpcore.NetworkStream):
    """A stream that ends at the deadline, and not so many seconds after the last byte."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(self._deadline, timeout)
        return _Bounded(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float, most: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left if most is None else min(left, most)


def _said(stream: Iterable[bytes]) -> str:
    """The beginning of an answer; the rest is not waited for."""
    parts: list[bytes] = []
    size = 0
    try:
        for part in stream:
            parts.append(part)
            size += len(part)
            if size >= MOST_ANSWER_BYTES:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        parts.append("… (the rest did not come)".encode())
    text = b"".join(parts)[:MOST_ANSWER_BYTES].decode(errors="replace")
    return "".join(character if character.isprintable() else " " for character in text).strip()[:KEPT_ANSWER]


def _send_mail(url: str, sender: str, to: Sequence[str], body: bytes, seconds: float) -> None:
    """``smtp://user:password@host:port`` with STARTTLS where it is offered, or ``smtps://`` for TLS from the start."""
    parts = urlsplit(url)
    host, tls = parts.hostname or "localhost", parts.scheme == "smtps"
    context = _trust()
    connection: smtplib.SMTP
    if tls:
        connection = smtplib.SMTP_SSL(host, parts.port or 465, timeout=seconds, context=context)
    else:
        connection = smtplib.SMTP(host, parts.port or 587, timeout=seconds)
    with connection:
        connection.ehlo()
        if not tls and connection.has_extn("starttls"):
            connection.starttls(context=context)
            connection.ehlo()
        if parts.username:
            connection.login(unquote(parts.username), unquote(parts.password or ""))
        refused = connection.sendmail(parseaddr(sender)[1], list(to), body)
        if refused:
            raise OSError(f"it refused {', '.join(refused)}, and took the others")


def _trust() -> ssl.SSLContext:
    """Certificates that the machine trusts, and those that browsers do."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _in_time(ask: Callable[[], list[str]], seconds: float) -> list[str]:
    """A resolver may take as long as it likes, and nothing can stop it; so somebody else waits for it."""
    answer: list[list[str] | Exception] = []

    def wait() -> None:
        try:
            answer.append(ask())
        except (OSError, UnicodeError) as error:
            answer.append(error)

    thread = threading.Thread(target=wait, name="outlay-resolve", daemon=True)
    thread.start()
    thread.join(seconds)
    found = answer[0] if answer else OSError(f"the name was not resolved within {seconds:g} s")
    if isinstance(found, UnicodeError):
        raise OSError("the name is none") from found
    if isinstance(found, Exception):
        raise found
    return found


def _reason(error: Exception, seconds: float) -> str:
    if isinstance(error, (httpcore.TimeoutException, TimeoutError)):
        return f"There was no answer within {seconds:g} s."
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}"[:500] if said else type(error).__name__


def _lasted(outcome: Outcome, began: float) -> Outcome:
    return replace(outcome, duration_ms=int((time.monotonic() - began) * 1000))
