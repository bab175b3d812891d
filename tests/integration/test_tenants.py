"""The wall between projects at the API: with the key of one project, nothing that is asked in any way tells of another.

The list of endpoints is the collector's own OpenAPI, so that one that comes later is asked like all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from outlay_collector.access import store as access
from outlay_collector.access.wall.plan import TENANT
from outlay_collector.db.engine import connect

from tests.builders import SpanSpec, a_model_call, otlp
from tests.servers import Collector, Running, wait_until

OURS, THEIRS = "acme", "globex"
CANARY = "globexsecret"
"""In every text that belongs to the other project, and nowhere else."""

INJECTIONS = (
    "' OR '1'='1",
    "'; SELECT * FROM span; --",
    f"x' UNION SELECT name FROM project WHERE name = '{THEIRS}' --",
    "%' OR project_id = 2 --",
    "team:' OR 1=1 --",
    "\\'; DROP TABLE span; --",
    "$$; SELECT set_config('role', 'outlay_reader', false); --",
    "1) OR (1=1",
)

OPEN = {"/healthz", "/readyz", "/metrics"}

NEEDED = {"month": "2026-11", "model": "gpt-4o-mini", "name": "x", "provider": "openai"}
"""Parameters that some endpoints do not answer without."""

Json = dict[str, Any]


class Tenants:
    """A collector whose database holds the same for two projects, and keys of the first."""

    def __init__(self, collector: Collector, client: httpx.Client) -> None:
        self.collector = collector
        self._client = client
        self.keys: dict[str, str] = {}
        self.call_of: dict[str, SpanSpec] = {}
        with connect(collector.database_url) as connection:
            self.ids = {name: access.create_project(connection, name) for name in (OURS, THEIRS)}
            for scope in ("ingest", "read", "finance", "admin"):
                self.keys[scope] = access.create_key(connection, project=OURS, scopes=[scope])
            self.theirs = access.create_key(connection, project=THEIRS, scopes=["ingest", "read"])
            self.all = access.create_key(connection, project=None, scopes=["finance"])
        self.document: Json = collector.get("/openapi.json").json()
        wait_until(lambda: OURS in self.ask("GET", "/api/v1/projects", "read").text)

    def ask(self, method: str, path: str, key: str | None, **request: Any) -> httpx.Response:
        headers = request.pop("headers", {})
        if key is not None:
            headers = {"Authorization": f"Bearer {self.keys.get(key, key)}"} | headers
        return self._client.request(method, path, headers=headers, **request)

    def operations(self) -> Iterator[tuple[str, str, set[str]]]:
        """Method, path and the names of its parameters."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield method.upper(), path, {one["name"] for one in operation.get("parameters", ())}

    def path(self, path: str) -> str:
        """The path with the other project's ids where it wants some."""
        call = self.call_of[CANARY]
        ids = {"{trace_id}": call.trace_id.hex(), "{span_id}": call.span_id.hex()}
        for name, value in ids.items():
            path = path.replace(name, value)
        while "{" in path:
            path = path[: path.index("{")] + "1" + path[path.index("}") + 1 :]
        return path


@pytest.fixture(scope="module")
def tenants(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    folder = tmp_path_factory.mktemp("tenants")
    with connect(shared_database_url) as connection:
        key = access.create_key(connection, project=None, scopes=["admin"])
    collector = Collector(shared_database_url, key, log=folder / "collector.log")
    worker = Running("worker", env={"OUTLAY_DATABASE_URL": shared_database_url}, log=folder / "worker.log")
    try:
        collector.start()
        worker.start()
        with httpx.Client(base_url=collector.url, timeout=60) as client:
            tenants = Tenants(collector, client)
            send(tenants)
            yield tenants
    finally:
        collector.kill()
        worker.kill()


def send(tenants: Tenants) -> None:
    """Calls of both, told apart by a word in everything that a sender may name."""
    for key, word in ((tenants.keys["ingest"], "acmeword"), (tenants.theirs, CANARY)):
        names = ("outlay.team", "outlay.feature", "outlay.customer", "user.id", "session.id", "outlay.tag.word")
        call = tenants.call_of[word] = a_model_call(
            name=f"chat {word}",
            attributes=dict.fromkeys(names, word),
            start=datetime.now(UTC) - timedelta(hours=2),
        )
        body = otlp([call], resource={"service.name": word})
        headers = {"Content-Type": "application/x-protobuf"}
        tenants.ask("POST", "/v1/traces", key, content=body, headers=headers).raise_for_status()

    def settled() -> bool:
        answer = tenants.ask("GET", "/api/v1/spend", tenants.theirs, params={"group_by": "team"})
        return CANARY in answer.text

    wait_until(settled, seconds=60)


def variants(names: set[str], turn: int) -> list[dict[str, str]]:
    """Ways to ask for more than one may see, with the parameters that an operation takes.

    Injections take turns, three for each operation: what reads a filter is the same for all of them.
    """
    needed = {name: value for name, value in NEEDED.items() if name in names}
    asked: list[dict[str, str]] = [needed]
    if "project" in names:
        asked += [needed | {"project": project} for project in (THEIRS, *INJECTIONS[:3])]
    if "group_by" in names:
        asked += [needed | {"group_by": group_by} for group_by in ("project,team", "customer,user", "tag:word")]
    if "filter" in names:
        pairs = [*zip(DIMENSIONS, INJECTIONS, strict=True)] * 2
        first = turn * 3 % len(DIMENSIONS)
        asked += [needed | {"filter": f"{name}:{bad}"} for name, bad in pairs[first : first + 3]]
        asked.append(needed | {"filter": f"project:{THEIRS}"})
    if "trace_id" in names:
        asked.append(needed | {"trace_id": INJECTIONS[0]})
    asked += [needed | {name: INJECTIONS[1]} for name in names & {"cursor", "reason", "name", "model", "month", "from"}]
    return asked


DIMENSIONS = ("team", "model", "user", "session", "tag:word", "project", "customer", "provider")


def test_no_endpoint_tells_the_key_of_a_project_of_another(tenants: Tenants) -> None:
    asked = 0
    for turn, (method, path, names) in enumerate(tenants.operations()):
        if path in OPEN or method != "GET":
            continue
        for key in ("read", "finance", "admin", "ingest"):
            for parameters in variants(names, turn)[: None if key == "read" else 2]:
                answer = tenants.ask(method, tenants.path(path), key, params=parameters)
                asked += 1
                assert answer.status_code < 500, (path, parameters, answer.text)
                assert CANARY not in answer.text, (path, key, parameters)
    assert asked > 100


def test_no_change_asked_with_the_key_of_a_project_reaches_another(tenants: Tenants) -> None:
    before = spend_of(tenants, tenants.theirs)
    for method, path, _ in tenants.operations():
        if method == "GET" or path.startswith("/v1/"):
            continue
        for body in ({}, {"project": THEIRS}, {"project": THEIRS, "name": "x", "scopes": ["read"], "ids": [1, 2, 3]}):
            for key in ("read", "ingest", "admin"):
                answer = tenants.ask(method, tenants.path(path), key, json=body)
                assert answer.status_code < 500, (path, body, answer.text)
                assert CANARY not in answer.text, (path, key, body)
                assert "out_" not in answer.text, f"{path} gave a key to one that is bound to a project"
    assert spend_of(tenants, tenants.theirs) == before


def spend_of(tenants: Tenants, key: str) -> list[Json]:
    rows = tenants.ask("GET", "/api/v1/spend", key, params={"group_by": "project,team"}).json()["rows"]
    return [{name: value for name, value in row.items() if name != "period_start"} for row in rows]


def test_another_project_and_none_are_told_of_in_the_same_words(tenants: Tenants) -> None:
    for path in ("/api/v1/spend", "/api/v1/calls", "/api/v1/deadletters"):
        answers = [tenants.ask("GET", path, "read", params={"project": name}) for name in (THEIRS, "nobody")]
        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].text.replace(THEIRS, "nobody") == answers[1].text


def test_behind_the_first_wall_stands_the_second(tenants: Tenants) -> None:
    """Were a condition forgotten in a statement, the database would still answer as the reader's role only."""
    owner = tenants.collector.key
    assert tenants.ask("GET", "/api/v1/calls", "read").is_success
    with connect(tenants.collector.database_url, autocommit=True) as connection:
        connection.execute(f"REVOKE SELECT ON span FROM {TENANT}".encode())
        try:
            assert tenants.ask("GET", "/api/v1/calls", "read").status_code == 503
            assert tenants.ask("GET", "/api/v1/calls", owner).is_success
        finally:
            connection.execute(f"GRANT SELECT ON span TO {TENANT}".encode())
    assert tenants.ask("GET", "/api/v1/calls", "read").is_success


def test_a_value_that_only_the_other_project_has_finds_nothing(tenants: Tenants) -> None:
    for dimension in ("team", "user", "tag:word", "service"):
        rows = tenants.ask("GET", "/api/v1/spend", "read", params={"filter": f"{dimension}:{CANARY}"}).json()["rows"]
        assert all(not row["calls"] for row in rows)
        assert (
            tenants.ask("GET", "/api/v1/calls", "read", params={"filter": f"{dimension}:{CANARY}"}).json()["rows"] == []
        )
    ours = tenants.ask("GET", "/api/v1/spend", "read", params={"filter": "team:acmeword"}).json()["rows"]
    assert ours[0]["calls"] == 1


def test_headers_that_claim_a_project_or_a_person_change_nothing(tenants: Tenants) -> None:
    forged = {
        "x-outlay-project": THEIRS,
        "x-forwarded-user": "admin@example.com",
        "x-forwarded-for": "127.0.0.1",
        "x-original-url": "/api/v1/keys",
        "x-http-method-override": "DELETE",
        "x-outlay-scopes": "admin",
        "cookie": "session=admin",
    }
    answer = tenants.ask("GET", "/api/v1/spend", "read", params={"group_by": "project"}, headers=forged)
    assert [row["project"] for row in answer.json()["rows"]] == [OURS]
    assert tenants.ask("GET", "/api/v1/keys", "read", headers=forged).status_code == 403
    body = otlp([a_model_call()])
    telemetry = {"Content-Type": "application/x-protobuf", "x-outlay-project": THEIRS}
    assert tenants.ask("POST", "/v1/traces", "ingest", content=body, headers=telemetry).status_code == 403


def test_without_a_good_key_nothing_answers(tenants: Tenants) -> None:
    good = tenants.keys["read"]
    with connect(tenants.collector.database_url) as connection:
        past = datetime.now(UTC) - timedelta(minutes=1)
        expired = access.create_key(connection, project=None, scopes=["admin"], expires_at=past)
    bad = [None, "out_", good[:-1] + ("a" if good[-1] != "a" else "b"), good.lower(), good + "x", f"{good} {good}"]
    for method, path, _ in tenants.operations():
        if path in OPEN:
            continue
        for key in (*bad, expired) if path == "/api/v1/spend" else (None, expired):
            answer = tenants.ask(method, tenants.path(path), key)
            # What is asked wrongly may be told so first; it is not answered either.
            assert answer.status_code in (401, 422), (method, path, key, answer.text)


def test_a_scope_opens_its_own_doors_only(tenants: Tenants) -> None:
    body, telemetry = otlp([a_model_call()]), {"Content-Type": "application/x-protobuf"}
    assert tenants.ask("POST", "/v1/traces", "read", content=body, headers=telemetry).status_code == 403
    assert tenants.ask("GET", "/api/v1/spend", "ingest").status_code == 403
    assert tenants.ask("GET", "/api/v1/spend", tenants.all, params={"group_by": "project"}).is_success
    for path in ("/api/v1/calls", tenants.path("/api/v1/traces/{trace_id}"), "/api/v1/deadletters"):
        assert tenants.ask("GET", path, tenants.all).status_code == 403, f"finance reads {path}"
    for path in ("/api/v1/keys", "/api/v1/audit"):
        assert tenants.ask("GET", path, tenants.all).status_code == 403
        assert tenants.ask("GET", path, "admin").status_code == 403, f"{path} is for keys of all projects"


def test_a_key_is_rotated_without_a_gap_and_the_old_one_ends(tenants: Tenants) -> None:
    with connect(tenants.collector.database_url) as connection:
        old = access.create_key(connection, project=OURS, scopes=["read"], name="ci")
    assert tenants.ask("GET", "/api/v1/projects", old).is_success
    owner = tenants.collector.key
    made = tenants.ask("POST", f"/api/v1/keys/{old.split('_')[1]}/rotate", owner, json={"overlap_hours": 1})
    assert made.status_code == 201
    new = made.json()["key"]
    for key in (old, new):
        assert [row["name"] for row in tenants.ask("GET", "/api/v1/projects", key).json()["rows"]] == [OURS]
    again = tenants.ask("POST", f"/api/v1/keys/{old.split('_')[1]}/rotate", owner, json={"overlap_hours": 0})
    assert again.is_success
    wait_until(lambda: tenants.ask("GET", "/api/v1/projects", old).status_code == 401)
    assert tenants.ask("GET", "/api/v1/projects", new).is_success
    actions = [row["action"] for row in tenants.ask("GET", "/api/v1/audit", owner).json()["rows"]]
    assert actions[:2] == ["key.rotate", "key.rotate"]


def test_answers_are_shown_in_no_frame_and_kept_by_nobody(tenants: Tenants) -> None:
    for answer in (tenants.ask("GET", "/api/v1/spend", "read"), tenants.ask("GET", "/healthz", None)):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "private" in answer.headers["cache-control"]
        assert "server" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers


def test_scripts_of_a_web_page_are_let_in_by_their_origin_only(start_collector: Any) -> None:
    collector = start_collector(OUTLAY_CORS_ORIGINS="https://app.example.com", OUTLAY_ACCEPTORS="1")
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    for origin, allowed in (("https://app.example.com", True), ("https://evil.example.com", False)):
        answer = httpx.options(f"{collector.url}/v1/traces", headers=asks | {"Origin": origin}, timeout=30)
        assert ("access-control-allow-origin" in answer.headers) is allowed
