"""Webhooks as their users have them: the command line, the API, digests, e-mail and maintenance windows."""

from __future__ import annotations

import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from outlay_collector.access.store import create_key, create_project
from outlay_collector.alerts.events import Event, event_id
from outlay_collector.alerts.store import send
from outlay_collector.alerts.webhooks import store
from outlay_collector.alerts.webhooks.addresses import networks
from outlay_collector.alerts.webhooks.jobs import deliver
from outlay_collector.alerts.webhooks.schedule import Outcome
from outlay_collector.alerts.webhooks.sender import Sender
from outlay_collector.alerts.webhooks.store import NewWebhook, Ours
from outlay_collector.db.engine import connect
from outlay_collector.errors import BadRequest

from tests.receiver import Receiver
from tests.servers import Collector, Running, outlay, wait_until

OURS = Ours(dashboard_url="https://outlay.example", smtp_from="Outlay <outlay@example.com>")
LOOPBACK = networks("127.0.0.0/8")


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database_url) as connection:
        create_project(connection, "acme")
        create_project(connection, "other")
        connection.commit()
        yield connection


def an_event(name: str, **changed: Any) -> Event:
    usual: dict[str, Any] = {
        "id": event_id(name),
        "type": "budget.crossed",
        "occurred_at": datetime.now(UTC),
        "project_id": 1,
        "severity": "warning",
        "title": f"{name} is at 80 %",
        "summary": "It spent $80.00 of $100.00.",
        "link": "/budgets?project=acme",
        "dedup_key": name,
    }
    return Event(**usual | changed)


def a_webhook(connection: psycopg.Connection[Any], url: str, kind: str = "generic") -> UUID:
    return store.add(connection, NewWebhook(kind=kind, url=url), project_id=1, actor="tests")[0]


def deliver_all(
    connection: psycopg.Connection[Any], sender: Sender | None = None, later: timedelta = timedelta(seconds=5)
) -> list[Outcome]:
    connection.commit()
    now = datetime.now(UTC) + later
    outcomes: list[Outcome] = []
    while parcels := store.claim(connection, now=now, limit=10, ours=OURS):
        outcomes += [deliver(connection, sender or Sender(allowed=LOOPBACK), one, lambda: now) for one in parcels]
    return outcomes


def states(connection: psycopg.Connection[Any]) -> list[str]:
    return [state for (state,) in connection.execute("SELECT state FROM delivery ORDER BY created_at").fetchall()]


def test_from_the_command_line(database_url: str, connection: psycopg.Connection[Any]) -> None:
    env = {"OUTLAY_DATABASE_URL": database_url, "OUTLAY_WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8"}

    def run(*arguments: str) -> Any:
        ran = outlay("webhook", *arguments, "--json", env=env)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    with Receiver() as receiver:
        refused = outlay("webhook", "add", receiver.url, env={"OUTLAY_DATABASE_URL": database_url})
        assert refused.returncode == 1
        assert "OUTLAY_WEBHOOK_ALLOW_CIDRS" in refused.stderr
        made = run("add", receiver.url, "--project", "acme", "--name", "ours")
        tried = outlay("webhook", "test", made["id"], env=env)
        assert "the receiver answered 200" in tried.stdout
        assert receiver.received[0].is_signed_with(made["secret"])
        assert receiver.received[0].json["type"] == "webhook.test"
        (row,) = run("list", "--project", "acme")
        assert (row["name"], row["kind"], row["url"]) == ("ours", "generic", f"http://127.0.0.1:{receiver.port}/…hook")
        assert "secret" not in row
        (delivered,) = run("deliveries")
        assert (delivered["state"], delivered["last_status"]) == ("delivered", 200)
        assert outlay("webhook", "replay", delivered["id"], env=env).returncode == 0
        assert deliver_all(connection)[0].status == 200
        assert receiver.received[1].id == receiver.received[0].id
        assert receiver.received[1].body == receiver.received[0].body
    gone = outlay("webhook", "test", made["id"], env=env)
    assert gone.returncode == 1
    assert "Not delivered" in gone.stderr
    assert connection.execute("SELECT count(*) FROM alert").fetchone() == (0,)  # a test opens none


def test_over_http(
    start_collector: Callable[..., Collector], database_url: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    allow = {"OUTLAY_WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8"}
    collector = start_collector(**allow)
    other = create_key(connection, project="other", scopes=["admin"])
    connection.commit()

    def ask(method: str, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else collector.headers
        return httpx.request(method, f"{collector.url}/api/v1/{path}", json=body, headers=headers, timeout=30)

    worker = Running("worker", env={"OUTLAY_DATABASE_URL": database_url, **allow}, log=tmp_path / "worker.log")
    worker.start()
    try:
        with Receiver() as receiver:
            made = ask("POST", "webhooks", {"project": "acme", "url": receiver.url, "kind": "generic"})
            assert made.status_code == 201
            assert set(made.json()) == {"id", "secret"}
            webhook = made.json()["id"]
            rotated = ask("POST", f"webhooks/{webhook}/rotate").json()["secret"]
            sent = ask("POST", f"webhooks/{webhook}/test")
            assert sent.status_code == 202
            wait_until(lambda: len(receiver.received) == 1, seconds=60)
            assert receiver.received[0].is_signed_with(made.json()["secret"])
            assert receiver.received[0].is_signed_with(rotated)
            delivery = sent.json()["delivery"]
            wait_until(lambda: ask("GET", f"deliveries/{delivery}").json()["state"] == "delivered", seconds=30)
            shown = ask("GET", f"deliveries/{delivery}").json()
            assert json.loads(shown["body"]) == receiver.received[0].json
            assert [one["status"] for one in shown["attempts_made"]] == [200]
            assert ask("POST", f"deliveries/{delivery}/replay").status_code == 202
            wait_until(lambda: len(receiver.received) == 2, seconds=60)
            # What belongs to others is as if it were not there.
            for method, path in (
                ("GET", f"deliveries/{delivery}"),
                ("POST", f"deliveries/{delivery}/replay"),
                ("POST", f"webhooks/{webhook}/test"),
                ("DELETE", f"webhooks/{webhook}"),
            ):
                assert ask(method, path, key=other).status_code == 404
            assert ask("GET", "webhooks", key=other).json() == {"rows": []}
            assert ask("GET", "deliveries", key=other).json()["rows"] == []
            (row,) = ask("GET", "deliveries?project=acme").json()["rows"]
            assert row["type"] == "webhook.test"
            assert ask("DELETE", f"webhooks/{webhook}").status_code == 200
            assert ask("GET", "webhooks").json() == {"rows": []}
    finally:
        worker.kill()
    for body, named in (
        ({"url": "https://10.0.0.1/"}, "OUTLAY_WEBHOOK_ALLOW_CIDRS"),
        ({"url": "https://user@example.com/"}, "user"),
        ({"url": "https://example.com/", "kind": "fax"}, "fax"),
        ({"url": "https://events.pagerduty.com/v2/enqueue", "kind": "pagerduty"}, "routing key"),
        ({"url": "not an address", "kind": "email"}, "mailto:"),
    ):
        refused = ask("POST", "webhooks", body)
        assert refused.status_code == 400
        assert named in refused.json()["detail"]


def test_many_at_once_are_one_message_for_people_and_each_its_own_for_machines(
    connection: psycopg.Connection[Any],
) -> None:
    with Receiver() as slack, Receiver() as machine:
        a_webhook(connection, slack.url, "slack")
        a_webhook(connection, machine.url)
        for number in range(8):
            send(connection, an_event(f"Budget {number}"))
        assert len(deliver_all(connection)) == 9
        (digest,) = slack.received
        assert digest.json["text"] == "8 alerts at once"
        assert "Budget 7" in digest.body.decode()
        assert len({one.id for one in machine.received}) == 8
        assert set(states(connection)) == {"delivered"}
        # A few are told one by one.
        for number in range(3):
            send(connection, an_event(f"Later {number}"))
        deliver_all(connection)
        assert len(slack.received) == 4


def test_a_maintenance_window_holds_back_and_tells_what_is_still_so(connection: psycopg.Connection[Any]) -> None:
    with Receiver() as receiver:
        a_webhook(connection, receiver.url)
        connection.execute(
            """
            INSERT INTO maintenance_window (project_id, starts, ends, created_by)
            VALUES (1, now() - interval '1 hour', now() + interval '1 hour', 'tests')
            """
        )
        send(connection, an_event("over soon"))
        send(connection, an_event("stays"))
        send(connection, an_event("over soon, ended", dedup_key="over soon", resolves=True))
        assert deliver_all(connection) == []
        outcomes = deliver_all(connection, later=timedelta(hours=2))
        assert [one.json["data"]["title"] for one in receiver.received] == ["stays is at 80 %"]
        assert len(outcomes) == 1
        assert sorted(states(connection)) == ["delivered", "muted", "muted"]


def test_a_muted_alert_is_written_down_and_told_to_nobody(connection: psycopg.Connection[Any]) -> None:
    with Receiver() as receiver:
        a_webhook(connection, receiver.url)
        connection.execute("INSERT INTO alert_mute (key, muted_by) VALUES ('1:quiet', 'tests')")
        send(connection, an_event("quiet"))
        send(connection, an_event("loud"))
        deliver_all(connection)
        assert [one.json["data"]["title"] for one in receiver.received] == ["loud is at 80 %"]
        assert sorted(states(connection)) == ["delivered", "muted"]


class MailServer:
    """As much of a mail server as takes a message. ``received``: recipients and message of each."""

    def __enter__(self) -> MailServer:
        outer = self
        self.received: list[tuple[list[str], bytes]] = []
        self.refuses = False

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 test\r\n")
                to: list[str] = []
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"EHLO":
                        self.wfile.write(b"250-test\r\n250 8BITMIME\r\n")
                    elif verb == b"RCPT":
                        to.append(line.decode().strip().partition("<")[2].rstrip(">"))
                        self.wfile.write(b"550 no such mailbox\r\n" if outer.refuses else b"250 ok\r\n")
                    elif verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines: list[bytes] = []
                        while (line := self.rfile.readline()) != b".\r\n":
                            lines.append(line)
                        outer.received.append((to, b"".join(lines)))
                        self.wfile.write(b"250 taken\r\n")
                    elif verb == b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    else:
                        self.wfile.write(b"250 ok\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self._server.server_address[1]}"


def test_e_mail_by_the_operators_server(connection: psycopg.Connection[Any]) -> None:
    with MailServer() as server:
        sender = Sender(smtp_url=server.url, smtp_from=OURS.smtp_from)
        a_webhook(connection, "ops@example.com,finops@example.com", "email")
        send(connection, an_event("검색"))
        assert [one.verdict for one in deliver_all(connection, sender)] == ["delivered"]
        ((to, message),) = server.received
        assert to == ["ops@example.com", "finops@example.com"]
        mail = email.message_from_bytes(message, policy=email.policy.default)
        assert mail["Subject"] == "[Outlay] 검색 is at 80 %"
        assert "https://outlay.example/budgets?project=acme" in mail.get_content()
        server.refuses = True
        send(connection, an_event("second"))
        (outcome,) = deliver_all(connection, sender)
        assert outcome.verdict == "again"
    assert "OUTLAY_SMTP_URL" in (Sender().mail("mailto:a@b.c", b"").error or "")


def test_what_is_past_retention_goes_and_what_is_still_to_be_told_stays(connection: psycopg.Connection[Any]) -> None:
    with Receiver() as receiver:
        a_webhook(connection, receiver.url)
        send(connection, an_event("told"))
        send(connection, an_event("told, over", dedup_key="told", resolves=True))
        deliver_all(connection)
        send(connection, an_event("to be told"))
        assert store.forget(connection, before=datetime.now(UTC) + timedelta(days=1)) == 2
        left = connection.execute("SELECT dedup_key FROM alert_event").fetchall()
        assert left == [("to be told",)]
        assert connection.execute("SELECT dedup_key FROM alert").fetchall() == [("to be told",)]


def test_a_webhook_that_is_none_is_refused(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(BadRequest, match="fax"):
        a_webhook(connection, "https://example.com/", "fax")
