"""Faults of delivery: receivers that are away, slow, hostile or elsewhere, and workers that die with a message in hand."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from outlay_collector.access.store import create_project
from outlay_collector.alerts.events import Event, event_id
from outlay_collector.alerts.store import send
from outlay_collector.alerts.webhooks import store
from outlay_collector.alerts.webhooks.addresses import networks
from outlay_collector.alerts.webhooks.jobs import deliver
from outlay_collector.alerts.webhooks.schedule import DELAYS, DISABLE_AFTER, Outcome
from outlay_collector.alerts.webhooks.sender import MOST_ANSWER_BYTES, Sender
from outlay_collector.alerts.webhooks.store import NewWebhook, Ours
from outlay_collector.db.engine import connect

from tests.receiver import Receiver
from tests.servers import Running, wait_until

LOOPBACK = networks("127.0.0.0/8")
OURS = Ours(dashboard_url="https://outlay.example", smtp_from="outlay@example.com")
PUBLIC = "93.184.215.14"


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database_url) as connection:
        create_project(connection, "acme")
        connection.commit()
        yield connection


@pytest.fixture
def start_worker(database_url: str, tmp_path: Path) -> Iterator[Callable[[], Running]]:
    """``start_worker()``: a worker process that may deliver to loopback."""
    running: list[Running] = []

    def start() -> Running:
        env = {"OUTLAY_DATABASE_URL": database_url, "OUTLAY_WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8"}
        one = Running("worker", env=env, log=tmp_path / f"worker-{len(running)}.log")
        one.start()
        running.append(one)
        return one

    yield start
    for one in running:
        one.kill()


def an_event(name: str, **changed: Any) -> Event:
    usual: dict[str, Any] = {
        "id": event_id(name),
        "type": "budget.crossed",
        "occurred_at": datetime.now(UTC),
        "project_id": 1,
        "severity": "warning",
        "title": f"{name} 예산 80 %",
        "summary": "It spent $80.00 of $100.00.",
        "link": "/budgets?project=acme",
        "dedup_key": name,
        "data": {"spent": "80.00"},
    }
    return Event(**usual | changed)


def a_webhook(connection: psycopg.Connection[Any], url: str, kind: str = "generic") -> tuple[UUID, str]:
    made = store.add(connection, NewWebhook(kind=kind, url=url), project_id=1, actor="tests")
    connection.commit()
    return made


def say(connection: psycopg.Connection[Any], *names: str) -> None:
    for name in names:
        send(connection, an_event(name))
    connection.commit()


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(seconds=5)

    def __call__(self) -> datetime:
        return self.now


def deliver_what_is_due(connection: psycopg.Connection[Any], sender: Sender, clock: Clock) -> list[Outcome]:
    parcels = store.claim(connection, now=clock.now, limit=10, ours=OURS)
    return [deliver(connection, sender, parcel, clock) for parcel in parcels]


def state_of(connection: psycopg.Connection[Any]) -> tuple[str, int, datetime | None]:
    row = connection.execute("SELECT state, attempts, next_at FROM delivery ORDER BY created_at LIMIT 1").fetchone()
    connection.commit()
    assert row is not None
    return row


def states(connection: psycopg.Connection[Any]) -> list[str]:
    rows = connection.execute("SELECT state FROM delivery").fetchall()
    connection.commit()
    return [state for (state,) in rows]


def test_fault_24_a_receiver_that_is_away_is_tried_ten_times_in_75_hours_then_replayed(
    connection: psycopg.Connection[Any],
) -> None:
    with Receiver() as receiver:
        receiver.answer = lambda number, _: 500 if number <= 10 else 200
        _, secret = a_webhook(connection, receiver.url)
        say(connection, "search")
        sender, clock = Sender(allowed=LOOPBACK), Clock()
        for attempt in range(1, 11):
            assert len(deliver_what_is_due(connection, sender, clock)) == 1
            state, attempts, next_at = state_of(connection)
            assert attempts == attempt
            if attempt < 10:
                assert state == "pending"
                assert next_at is not None
                assert DELAYS[attempt] * 0.79 <= next_at - clock.now <= DELAYS[attempt] * 1.21
                assert deliver_what_is_due(connection, sender, clock) == []  # not before it is due
                clock.now = next_at
        assert state_of(connection)[0] == "failed"
        (delivery_id,) = connection.execute("SELECT id FROM delivery").fetchone() or (None,)
        store.replay(connection, delivery_id, actor="tests")
        connection.commit()
        assert [one.verdict for one in deliver_what_is_due(connection, sender, clock)] == ["delivered"]
        assert state_of(connection)[0] == "delivered"
        row = store.delivery(connection, delivery_id)
        assert [one["status"] for one in row["attempts_made"]] == [500] * 10 + [200]
    assert len(receiver.received) == 11
    assert len({one.id for one in receiver.received}) == 1
    assert len({one.body for one in receiver.received}) == 1
    assert receiver.received[-1].json["data"]["title"] == "search 예산 80 %"
    assert secret


def test_fault_24_a_receiver_that_takes_nothing_for_days_is_disabled_and_others_are_told(
    connection: psycopg.Connection[Any],
) -> None:
    with Receiver() as receiver, Receiver() as other:
        receiver.answer = lambda _number, _handler: 503
        broken, _ = a_webhook(connection, receiver.url)
        healthy, _ = a_webhook(connection, other.url)
        sender, clock = Sender(allowed=LOOPBACK), Clock()
        began, number = clock.now, 0
        while clock.now - began < DISABLE_AFTER + timedelta(hours=12):
            number += 1
            say(connection, f"event {number}")
            connection.execute("UPDATE delivery SET next_at = %s WHERE attempts = 0", (clock.now,))
            connection.commit()
            while deliver_what_is_due(connection, sender, clock):
                pass
            clock.now += timedelta(hours=12)
        connection.execute("UPDATE delivery SET next_at = %s WHERE state = 'pending'", (clock.now,))
        while deliver_what_is_due(connection, sender, clock):
            pass
        rows = {row["id"]: row for row in store.listed(connection, [1], for_all=True)}
        assert rows[broken]["disabled_reason"] == "It has taken nothing for 5 days."
        assert rows[broken]["pending"] == 0
        assert rows[healthy]["disabled_at"] is None
        told = [one.json for one in other.received if one.json["type"] == "webhook.disabled"]
        assert [one["data"]["details"]["webhook"] for one in told] == [str(broken)]
        # Enabled again, what it missed can be replayed.
        receiver.answer = lambda _number, _handler: 200
        store.enable(connection, broken, actor="tests")
        (missed,) = connection.execute(
            "SELECT id FROM delivery WHERE webhook_id = %s ORDER BY created_at LIMIT 1", (broken,)
        ).fetchone() or (None,)
        store.replay(connection, missed, actor="tests")
        connection.commit()
        assert [one.verdict for one in deliver_what_is_due(connection, sender, clock)] == ["delivered"]


def drip(_number: int, handler: Any) -> None:
    """A byte a moment, for as long as anybody listens."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    drop_by_drop(handler, b"x")


def drip_the_head(_number: int, handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    drop_by_drop(handler, b"x")


def drop_by_drop(handler: Any, byte: bytes) -> None:
    try:
        while True:
            handler.wfile.write(byte)
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def flood(_number: int, handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        pass


def hang(_number: int, handler: Any) -> None:
    handler.rfile.read(1)


@pytest.mark.parametrize(
    ("answer", "status"),
    [(drip, 200), (flood, 200), (drip_the_head, None), (hang, None)],
    ids=lambda one: str(one)[:20],
)
def test_fault_25_slow_endless_and_silent_answers_end_at_the_deadline(
    answer: Callable[[int, Any], None], status: int | None
) -> None:
    with Receiver(answer) as receiver:
        outcome = Sender(allowed=LOOPBACK, seconds=1.0).post(receiver.url, {}, b"{}")
    assert outcome.status == status  # a head that says 200 has said what matters; the rest is not waited for
    assert (outcome.error is None) == (status == 200)
    assert outcome.duration_ms < 20_000
    assert len(outcome.answer or "") <= MOST_ANSWER_BYTES


def test_fault_25_a_receiver_that_hangs_holds_up_nobody_else(
    connection: psycopg.Connection[Any], start_worker: Callable[[], Running]
) -> None:
    with Receiver(hang) as stuck, Receiver() as quick:
        a_webhook(connection, stuck.url)
        a_webhook(connection, quick.url)
        start_worker()
        say(connection, *(f"event {number}" for number in range(10)))
        wait_until(lambda: len(quick.received) == 10, seconds=60)
        # Ten went to the one while the other, which never answers, was not even asked for as many.
        assert len(stuck.received) < 10
        assert len({one.id for one in quick.received}) == 10


def test_fault_26_redirects_are_not_followed_and_codes_mean_what_they_say(
    connection: psycopg.Connection[Any],
) -> None:
    with Receiver() as canary, Receiver() as receiver:
        sender = Sender(allowed=LOOPBACK)
        for status in (301, 302, 303, 307, 308):
            receiver.answer = lambda _number, _handler, status=status: (status, {"Location": canary.url}, b"")
            outcome = sender.post(receiver.url, {}, b"{}")
            assert (outcome.status, outcome.verdict) == (status, "again")
            assert "redirect" in (outcome.error or "")
        assert canary.received == []
        receiver.answer = lambda _number, _handler: (429, {"Retry-After": "1200"}, b"slow \x00 down")
        outcome = sender.post(receiver.url, {}, b"{}")
        assert outcome.retry_after == timedelta(minutes=20)
        assert outcome.answer == "slow   down"

        # 429 holds back everything for this receiver; a success after two failures ends it; 410 ends the receiver.
        _, _ = a_webhook(connection, receiver.url)
        clock = Clock()
        say(connection, "first", "second")
        assert len(deliver_what_is_due(connection, sender, clock)) == 1
        assert deliver_what_is_due(connection, sender, clock) == []
        clock.now += timedelta(minutes=20)
        receiver.answer = lambda _number, _handler: 204
        while deliver_what_is_due(connection, sender, clock):
            pass
        assert states(connection) == ["delivered", "delivered"]
        receiver.answer = lambda _number, _handler: 410
        say(connection, "third", "fourth")
        clock.now = Clock().now + timedelta(minutes=21)
        assert len(deliver_what_is_due(connection, sender, clock)) == 1
        assert sorted(states(connection)) == ["delivered", "delivered", "failed", "failed"]
        (row,) = store.listed(connection, [1], for_all=True)
        assert "410" in row["disabled_reason"]


def test_fault_26_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path) -> None:
    certificate, key = a_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Receiver() as receiver:
        receiver._server.socket = context.wrap_socket(receiver._server.socket, server_side=True)
        url = f"https://localhost:{receiver.port}/"
        outcome = Sender(allowed=networks("127.0.0.0/8,::1/128"), resolve=lambda _host, _port: ["127.0.0.1"]).post(
            url, {}, b"{}"
        )
        assert outcome.status is None
        assert "certificate" in (outcome.error or "")
        assert receiver.received == []
        # Known and for this name, it is; the address that was vetted is connected to, the name is what TLS checks.
        trust = ssl.create_default_context(cafile=str(certificate))
        sender = Sender(allowed=LOOPBACK, resolve=lambda _host, _port: ["127.0.0.1"], trust=trust)
        assert sender.post(url, {}, b"{}").status == 200
        other = sender.post(f"https://other.example:{receiver.port}/", {}, b"{}")
        assert other.status is None
        assert len(receiver.received) == 1


def a_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for ``localhost`` that signs itself, and its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, key


class Canary:
    """Listens where no webhook may go, and counts who comes."""

    def __enter__(self) -> Canary:
        self.connects = 0
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port: int = self._sockets[0].getsockname()[1]
        if socket.has_dualstack_ipv6():
            self._sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for one in self._sockets:
            threading.Thread(target=self._accept, args=(one,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                listening.accept()[0].close()
            except OSError:
                return
            self.connects += 1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "localhost", "localhost.", "LOCALHOST",
        "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "127.0.0.1.",
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_fault_27_no_spelling_of_this_machine_is_connected_to(
    host: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Canary() as canary:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
        outcome = Sender().post(f"{scheme}://{host}:{canary.port}/", {}, b"{}")
        assert outcome.status is None
        assert outcome.error
        assert canary.connects == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://user:password@127.0.0.1:{port}/",
        "https://example.com\\@127.0.0.1:{port}/",
        "https://example.com@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}/\r\nX-Injected: yes",
        "gopher://127.0.0.1:{port}/_GET",
        "file:///etc/passwd",
    ],
)
def test_fault_27_urls_that_hide_something_are_not_tried(url: str) -> None:
    with Canary() as canary:
        outcome = Sender(allowed=LOOPBACK).post(url.format(port=canary.port), {}, b"{}")
        assert outcome.status is None
        assert canary.connects == 0


def test_fault_27_a_name_that_answers_differently_a_moment_later_gains_nothing() -> None:
    with Canary() as canary:
        asked: list[str] = []

        def rebinding(host: str, _port: int) -> list[str]:
            asked.append(host)
            return [PUBLIC] if len(asked) == 1 else ["127.0.0.1"]

        from outlay_collector.alerts.webhooks.sender import warning

        sender = Sender(resolve=rebinding)
        assert warning(sender, "https://rebind.example:8443/") is None  # when it is saved
        outcome = sender.post(f"https://rebind.example:{canary.port}/", {}, b"{}")  # when it is delivered to
        assert "not public" in (outcome.error or "")
        assert canary.connects == 0
        # It is asked once per connection, and that answer is what is connected to.
        assert asked == ["rebind.example"] * 2


def test_fault_27_a_public_name_with_a_private_address_beside_is_not_connected_to() -> None:
    with Canary() as canary:
        for answers in ([PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]):
            outcome = Sender(resolve=lambda _host, _port, found=answers: found).post(
                f"https://mixed.example:{canary.port}/", {}, b"{}"
            )
            assert "not public" in (outcome.error or "")
        assert canary.connects == 0


def test_fault_27_a_resolver_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from outlay_collector.alerts.webhooks import sender as module

    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    waiting = threading.Event()
    outcome = Sender(resolve=lambda _host, _port: [str(waiting.wait(30))]).post("https://slow.example/", {}, b"{}")
    waiting.set()
    assert "not resolved" in (outcome.error or "")


def test_fault_28_a_worker_killed_between_send_and_mark_repeats_the_same_message(
    connection: psycopg.Connection[Any], start_worker: Callable[[], Running]
) -> None:
    taken, killed = threading.Event(), threading.Event()

    def take_and_hold(number: int, handler: Any) -> int | None:
        if number > 1:
            return 200
        # It has the whole message and says so; the sender waits for the rest of the answer, and dies there.
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        taken.set()
        killed.wait(60)
        return None

    with Receiver(take_and_hold) as receiver:
        _, secret = a_webhook(connection, receiver.url)
        worker = start_worker()
        say(connection, "search")
        assert taken.wait(60)
        worker.kill()
        killed.set()
        assert states(connection) == ["pending"]
        start_worker()
        # Nobody waits a minute in a test: the lease of the dead worker ends now.
        connection.execute("UPDATE webhook SET leased_until = now()")
        connection.commit()
        wait_until(lambda: states(connection) == ["delivered"], seconds=60)
    first, second = receiver.received
    assert first.id == second.id
    assert first.body == second.body
    assert all(one.is_signed_with(secret) for one in receiver.received)


def test_fault_28_two_workers_deliver_each_message_once_signed_with_both_secrets_of_a_rotation(
    connection: psycopg.Connection[Any], start_worker: Callable[[], Running]
) -> None:
    with Receiver() as one, Receiver() as another:
        made = {receiver.url: a_webhook(connection, receiver.url) for receiver in (one, another)}
        rotated = store.rotate(connection, made[one.url][0], now=datetime.now(UTC), actor="tests")
        connection.commit()
        start_worker()
        start_worker()
        names = [f"event {number}" for number in range(40)]
        for name in names:
            say(connection, name)
        expected = {f"evt_{event_id(name).hex}" for name in names}
        for receiver in (one, another):
            wait_until(lambda receiver=receiver: {each.id for each in receiver.received} >= expected, seconds=60)
        wait_until(lambda: set(states(connection)) == {"delivered"}, seconds=60)
        for receiver in (one, another):
            assert sorted(each.id for each in receiver.received) == sorted(expected)
            assert all(each.is_signed_with(made[receiver.url][1]) for each in receiver.received)
        assert all(each.is_signed_with(rotated) for each in one.received)
