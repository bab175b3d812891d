"""How the dashboard is started: the command line, as data, so that a supervisor can run and own the process.

The process reads ``OUTLAY_ENDPOINT``, ``OUTLAY_API_KEY`` (or ``OUTLAY_API_KEY_FILE``) and ``OUTLAY_TIME_ZONE``; it
answers ``GET /_stcore/health`` with ``ok`` when it is ready.
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from outlay_dashboard.settings import asks_for_login
from outlay_dashboard.theme import streamlit_flags

HEALTH_PATH = "/_stcore/health"
CALLBACK = "oauth2callback"


def command_line(
    *,
    port: int = 8501,
    address: str = "127.0.0.1",
    base_path: str = "",
    login: Path | None = None,
    python: str = sys.executable,
) -> list[str]:
    """The command that serves the dashboard, as arguments for ``subprocess`` (no shell).

    ``login`` is the file that ``login_file`` wrote. Behind a proxy that serves it below a path, ``base_path`` names that
    path; health is then below it, too.
    """
    return [
        python,
        "-m",
        "streamlit",
        "run",
        str(Path(__file__).with_name("app.py")),
        f"--server.port={port}",
        f"--server.address={address}",
        *([f"--server.baseUrlPath={base_path.strip('/')}"] if base_path.strip("/") else []),
        *([f"--secrets.files={login}"] if login else []),
        "--server.headless=true",
        # An installed package does not change under a running server; watching it costs threads and file handles.
        "--server.fileWatcherType=none",
        "--server.runOnSave=false",
        "--browser.gatherUsageStats=false",
        "--client.toolbarMode=viewer",
        # What failed is told by the page in a sentence; a stack trace in a browser helps nobody and may tell too much.
        "--client.showErrorDetails=none",
        "--logger.level=warning",
        *streamlit_flags(),
    ]


def login_file(environment: Mapping[str, str]) -> Path | None:
    """What Streamlit logs people in by, in a file for this user only; None where no provider is set.

    ValueError names what is missing.
    """
    if not asks_for_login(environment):
        return None
    wanted = ("OUTLAY_OIDC_ISSUER", "OUTLAY_OIDC_CLIENT_ID", "OUTLAY_OIDC_CLIENT_SECRET", "OUTLAY_DASHBOARD_URL")
    missing = [name for name in wanted if not environment.get(name)]
    if missing:
        raise ValueError(f"Logging in needs {' and '.join(missing)} beside OUTLAY_OIDC_ISSUER.")
    auth = {
        "redirect_uri": f"{environment['OUTLAY_DASHBOARD_URL'].rstrip('/')}/{CALLBACK}",
        # Several dashboards behind one address have to agree on it; a single one makes its own at every start.
        "cookie_secret": environment.get("STREAMLIT_SERVER_COOKIE_SECRET") or secrets.token_hex(32),
        "client_id": environment["OUTLAY_OIDC_CLIENT_ID"],
        "client_secret": environment["OUTLAY_OIDC_CLIENT_SECRET"],
        "server_metadata_url": f"{environment['OUTLAY_OIDC_ISSUER'].rstrip('/')}/.well-known/openid-configuration",
    }
    lines = ["[auth]", *(f"{name} = {json.dumps(value)}" for name, value in auth.items()), 'expose_tokens = ["id"]']
    folder = Path(tempfile.mkdtemp(prefix="outlay-login-"))  # readable by its user only
    path = folder / "secrets.toml"
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
