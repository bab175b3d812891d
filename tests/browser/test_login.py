"""Logging in: the dashboard asks the API as its reader, whom the API believes by their own ID token."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from outlay_collector.access import store as access
from outlay_collector.db.engine import connect
from playwright.sync_api import expect

from tests.issuer import CLIENT_ID, CLIENT_SECRET, running_issuer
from tests.servers import Collector, Running, ended, free_port, wait_until


def test_a_reader_logs_in_sees_what_is_theirs_and_logs_out(
    database_url: str, look: Callable[..., object], tmp_path: Path
) -> None:
    import httpx

    with connect(database_url) as connection:
        access.create_project(connection, "acme")
        access.create_project(connection, "globex")
        key = access.create_key(connection, project=None, scopes=["admin"])
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_issuer() as issuer:
        issuer.person["groups"] = ["search"]
        oidc = {"OUTLAY_OIDC_ISSUER": issuer.url}
        roles = {"OUTLAY_OIDC_AUDIENCE": CLIENT_ID, "OUTLAY_OIDC_ROLES": "search=read:acme", "OUTLAY_ACCEPTORS": "1"}
        collector = Collector(database_url, key, log=tmp_path / "collector.log", env=oidc | roles)
        client = {
            "OUTLAY_ENDPOINT": collector.url,
            "OUTLAY_OIDC_CLIENT_ID": CLIENT_ID,
            "OUTLAY_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OUTLAY_DASHBOARD_URL": url,
        }
        dashboard = Running("dashboard", "--port", str(port), env=oidc | client, log=tmp_path / "dashboard.log")
        with ended(collector), ended(dashboard):
            wait_until(lambda: httpx.get(f"{url}/_stcore/health").is_success, seconds=60)
            seen = look(url)
            page = seen.page  # type: ignore[attr-defined]
            page.goto(f"{url}/settings")
            page.get_by_role("button", name="Log in").click(timeout=60_000)
            expect(page.get_by_text("ann@example.com")).to_be_visible(timeout=60_000)
            page.goto(f"{url}/settings")
            expect(page.get_by_text("acme").first).to_be_visible(timeout=60_000)
            expect(page.get_by_text("globex")).to_have_count(0)
            if picture := os.environ.get("OUTLAY_PICTURE"):
                page.screenshot(path=picture)
            page.get_by_role("button", name="Log out").click()
            expect(page.get_by_role("button", name="Log in")).to_be_visible(timeout=60_000)
