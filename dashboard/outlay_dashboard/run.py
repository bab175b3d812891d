"""How the dashboard is started: the command line, as data, so that a supervisor can run and own the process.

The process reads ``OUTLAY_ENDPOINT``, ``OUTLAY_API_KEY`` (or ``OUTLAY_API_KEY_FILE``) and ``OUTLAY_TIME_ZONE``; it
answers ``GET /_stcore/health`` with ``ok`` when it is ready.
"""

from __future__ import annotations

import sys
from pathlib import Path

from outlay_dashboard.theme import streamlit_flags

HEALTH_PATH = "/_stcore/health"


def command_line(
    *, port: int = 8501, address: str = "127.0.0.1", base_path: str = "", python: str = sys.executable
) -> list[str]:
    """The command that serves the dashboard, as arguments for ``subprocess`` (no shell).

    Behind a proxy that serves it below a path, ``base_path`` names that path; health is then below it, too.
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
