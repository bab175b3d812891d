"""People who logged in elsewhere: the API takes their ID token, checks it, and gives what their groups may have."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from outlay_collector.access import store as access
from outlay_collector.access.people.api import People
from outlay_collector.access.people.roles import parse_roles
from outlay_collector.db.engine import connect
from outlay_collector.errors import Unauthorised, Unavailable

from tests.issuer import CLIENT_ID, Issuer, running_issuer
from tests.servers import Collector, outlay, wait_until

ROLES = "finops=finance, platform=admin, search=read:acme, lost=read:nowhere"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def asked(issuer: Issuer, shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with connect(shared_database_url) as connection:
        for name in ("acme", "globex"):
            access.create_project(connection, name)
        key = access.create_key(connection, project=None, scopes=["admin"])
    env = {
        "OUTLAY_OIDC_ISSUER": issuer.url,
        "OUTLAY_OIDC_AUDIENCE": CLIENT_ID,
        "OUTLAY_OIDC_ROLES": ROLES,
        "OUTLAY_ACCEPTORS": "1",
    }
    collector = Collector(shared_database_url, key, log=tmp_path_factory.mktemp("people") / "log", env=env)
    try:
        collector.start()
        wait_until(lambda: "acme" in collector.get("/api/v1/projects").text)
        yield collector
    finally:
        collector.kill()


def get(collector: Collector, path: str, token: str) -> httpx.Response:
    return httpx.get(f"{collector.url}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30)


def test_a_person_sees_what_their_groups_may_see(asked: Collector, issuer: Issuer) -> None:
    def seen(*groups: str) -> list[str]:
        rows = get(asked, "/api/v1/projects", issuer.token(groups=list(groups))).json()["rows"]
        return [row["name"] for row in rows]

    assert seen("search") == ["acme"]
    assert {"acme", "globex"} <= set(seen("finops"))
    finance = issuer.token(groups=["finops"])
    assert get(asked, "/api/v1/spend", finance).status_code == 200
    assert get(asked, "/api/v1/calls", finance).status_code == 403
    assert get(asked, "/api/v1/keys", finance).status_code == 403
    assert get(asked, "/api/v1/keys", issuer.token(groups=["platform"])).status_code == 200
    assert get(asked, "/api/v1/spend?project=globex", issuer.token(groups=["search"])).status_code == 404


def test_who_is_in_no_group_is_told_so(asked: Collector, issuer: Issuer) -> None:
    answer = get(asked, "/api/v1/spend", issuer.token(groups=["visitors"]))
    assert answer.status_code == 403
    assert "ann@example.com is in no group" in answer.json()["detail"]
    assert get(asked, "/api/v1/spend", issuer.token(groups=["lost"])).status_code == 403


def test_what_a_person_does_is_in_the_audit_log_under_their_name(asked: Collector, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.token(groups=['platform'])}"}
    made = httpx.post(f"{asked.url}/api/v1/projects", json={"name": "made by ann"}, headers=headers, timeout=30)
    assert made.status_code == 201
    newest = asked.get("/api/v1/audit", limit="1").json()["rows"][0]
    assert (newest["actor"], newest["action"]) == ("user:ann@example.com", "project.create")


def test_a_token_does_not_send_telemetry(asked: Collector, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.token(groups=['platform'])}", "Content-Type": "application/x-protobuf"}
    assert httpx.post(f"{asked.url}/v1/traces", content=b"", headers=headers, timeout=30).status_code == 401


def unsigned(issuer: Issuer) -> str:
    head, body, _ = issuer.token(groups=["platform"]).split(".")
    del head
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    return f"{header}.{body}."


def signed_with_the_public_key(issuer: Issuer) -> str:
    """The old trick: the verifier's public key taken for a shared secret."""
    keys = httpx.get(f"{issuer.url}/keys").json()["keys"][0]
    now = int(time.time())
    said = {"iss": issuer.url, "aud": CLIENT_ID, "sub": "x", "iat": now, "exp": now + 60, "groups": ["platform"]}
    return jwt.encode(said, keys["n"], "HS256", headers={"kid": keys["kid"]})


def changed_on_the_way(issuer: Issuer) -> str:
    head, body, signature = issuer.token(groups=["visitors"]).split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))) | {"groups": ["platform"]}
    forged = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    return f"{head}.{forged}.{signature}"


def test_a_token_that_is_not_good_opens_nothing(asked: Collector, issuer: Issuer) -> None:
    platform: dict[str, Any] = {"groups": ["platform"]}
    with running_issuer() as stranger:
        stranger.person = issuer.person
        bad = {
            "run out": issuer.token(**platform, exp=int(time.time()) - 120),
            "without an end": issuer.token(**platform, exp=None),
            "from the future": issuer.token(**platform, iat=int(time.time()) + 3600),
            "for somebody else": issuer.token(**platform, aud="another-client"),
            "of another issuer": issuer.token(**platform, iss="https://evil.example.com"),
            "signed by a stranger": stranger.token(**platform, iss=issuer.url),
            "unsigned": unsigned(issuer),
            "signed with the public key": signed_with_the_public_key(issuer),
            "changed on the way": changed_on_the_way(issuer),
            "no token at all": "eyJ.eyJ.x",
        }
    for what, token in bad.items():
        answer = get(asked, "/api/v1/keys", token)
        assert answer.status_code == 401, (what, answer.status_code, answer.text)
    assert get(asked, "/api/v1/keys", issuer.token(**platform)).status_code == 200


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def people(issuer: Issuer, clock: Clock) -> People:
    return People(
        issuer=issuer.url,
        audience=CLIENT_ID,
        roles=parse_roles("*=read"),
        claim="groups",
        project_id=lambda _: None,
        clock=clock,
    )


def test_keys_of_the_issuer_are_kept_and_new_ones_found_but_not_for_every_forgery() -> None:
    clock = Clock()
    with running_issuer() as issuer, running_issuer() as stranger:
        who = people(issuer, clock)
        for _ in range(5):
            assert who.access_of(issuer.token()).scopes == {"read"}
        assert issuer.asked.count("/keys") == 1
        for _ in range(5):
            with pytest.raises(Unauthorised):
                who.access_of(stranger.token(iss=issuer.url))
        assert issuer.asked.count("/keys") == 1, "a made-up key id asks the issuer at most every half minute"
        issuer.rotate()
        clock.now += 31
        assert who.access_of(issuer.token()).key_id == "user:ann@example.com"
        assert issuer.asked.count("/keys") == 2


def test_an_issuer_that_is_away_is_no_reason_to_send_people_away() -> None:
    clock = Clock()
    with running_issuer() as issuer:
        who = people(issuer, clock)
        token = issuer.token()
        assert who.access_of(token)
    clock.now += 7200
    assert who.access_of(token), "its keys were known"
    with pytest.raises(Unavailable):
        people(issuer, clock).access_of(token)


def test_half_a_login_is_refused_at_the_start_and_names_no_secret() -> None:
    env = {"OUTLAY_OIDC_ISSUER": "https://id.example.com", "OUTLAY_DATABASE_URL": "postgresql://u:hunter2@h/d"}
    done = outlay("collector", env=env)
    assert done.returncode == 1
    assert "OUTLAY_OIDC_AUDIENCE" in done.stderr
    assert "hunter2" not in done.stderr
    done = outlay("dashboard", "--address", "0.0.0.0", env={"OUTLAY_OIDC_ISSUER": "https://id.example.com"})
    assert done.returncode == 1
    assert "OUTLAY_OIDC_CLIENT_ID" in done.stderr
