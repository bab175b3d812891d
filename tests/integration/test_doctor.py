"""`outlay doctor` on real parts: each illness is named with its remedy, and a healthy installation has none."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest

from tests.servers import Collector, free_port, outlay, wait_until


def doctor(*, database_url: str, endpoint: str, key: str, home: Path) -> dict[str, dict[str, str]]:
    """The findings by name; the exit code must agree with them."""
    env = {
        "OUTLAY_DATABASE_URL": database_url,
        "OUTLAY_ENDPOINT": endpoint,
        "OUTLAY_API_KEY": key,
        "OUTLAY_HOME": str(home),
    }
    done = outlay("doctor", "--json", env={name: value for name, value in env.items() if value})
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == any(finding["verdict"] == "wrong" for finding in findings.values())
    return findings


def wrong(findings: dict[str, dict[str, str]]) -> list[str]:
    return [name for name, finding in findings.items() if finding["verdict"] == "wrong"]


@pytest.fixture
def healthy(collector: Collector, tmp_path: Path) -> dict[str, object]:
    """A running collector, and a worker that said a moment ago that it lives."""
    beat(collector.database_url, ago="1 second")
    return {"database_url": collector.database_url, "endpoint": collector.url, "key": collector.key, "home": tmp_path}


def beat(database_url: str, *, ago: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO heartbeat (name, at) VALUES ('worker', now() - %s::interval) "
            "ON CONFLICT (name) DO UPDATE SET at = excluded.at",
            (ago,),
        )


def test_a_healthy_installation_is_well_in_every_respect(healthy):
    assert {finding["verdict"] for finding in doctor(**healthy).values()} == {"well"}


def test_no_database(healthy):
    findings = doctor(**healthy | {"database_url": f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"})
    assert wrong(findings) == ["database"]
    assert "Connection refused" in findings["database"]["says"]
    assert "OUTLAY_DATABASE_URL" in findings["database"]["mend"]


def test_no_database_at_all_on_a_new_machine(tmp_path):
    findings = doctor(database_url="", endpoint="", key="", home=tmp_path)
    assert "database" in wrong(findings)
    assert "outlay up" in findings["database"]["mend"]


def test_a_wrong_key(healthy, key):
    mistyped = key[:-1] + ("x" if key[-1] != "x" else "y")
    findings = doctor(**healthy | {"key": mistyped})
    assert wrong(findings) == ["key"]
    assert "outlay key create" in findings["key"]["mend"]


def test_the_collector_is_down(healthy):
    findings = doctor(**healthy | {"endpoint": f"http://127.0.0.1:{free_port()}"})
    assert wrong(findings) == ["collector"]
    assert "outlay collector" in findings["collector"]["mend"]


def test_the_worker_has_stopped(healthy):
    beat(healthy["database_url"], ago="5 minutes")
    findings = doctor(**healthy)
    assert wrong(findings) == ["worker"]
    assert "last seen 5 min ago" in findings["worker"]["says"]
    assert "outlay worker" in findings["worker"]["mend"]


def test_a_worker_that_runs_is_found_well(healthy, worker):
    beat(healthy["database_url"], ago="5 minutes")
    wait_until(lambda: wrong(doctor(**healthy)) == [], seconds=30)


def test_migrations_are_pending(healthy, empty_database_url):
    findings = doctor(**healthy | {"database_url": empty_database_url})
    assert wrong(findings) == ["migrations"]
    assert "outlay migrate" in findings["migrations"]["mend"]


@pytest.fixture
def collector_of_another_time() -> Iterator[str]:
    """Something that answers like a collector whose clock is two hours ahead."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"time": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_clock_is_off(healthy, collector_of_another_time):
    findings = doctor(**healthy | {"endpoint": collector_of_another_time})
    assert wrong(findings) == ["clock"]
    assert "2 h behind the collector's" in findings["clock"]["says"]
    assert "timedatectl" in findings["clock"]["mend"]


def test_for_people_it_prints_sentences(healthy):
    env = {"OUTLAY_DATABASE_URL": healthy["database_url"], "OUTLAY_ENDPOINT": "http://127.0.0.1:9"}
    done = outlay("doctor", env=env)
    assert done.returncode == 1
    assert "✗ collector   No collector answers at http://127.0.0.1:9" in done.stdout
    assert "✓ database    The database answers." in done.stdout
