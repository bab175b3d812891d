"""What ``outlay up`` runs: its parts' command lines, environments and addresses, as data."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outlay_dashboard.run import HEALTH_PATH, command_line

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Where everything is; ports are known to be free. ``environment`` is the one ``up`` was started with."""

    home: Path
    database_url: str
    port: int
    grpc_port: int
    dashboard_port: int
    environment: Mapping[str, str]

    @property
    def collector_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def dashboard_url(self) -> str:
        return f"http://{HOST}:{self.dashboard_port}"

    @property
    def dashboard_health_url(self) -> str:
        return self.dashboard_url + HEALTH_PATH

    @property
    def collector(self) -> list[str]:
        return _outlay("collector", "--host", HOST, "--port", self.port, "--grpc-port", self.grpc_port)

    @property
    def worker(self) -> list[str]:
        return _outlay("worker")

    @property
    def dashboard(self) -> list[str]:
        return command_line(port=self.dashboard_port, address=HOST)

    @property
    def demo(self) -> list[str]:
        return _outlay("demo", "--endpoint", self.collector_url)

    @property
    def server_environment(self) -> dict[str, str]:
        """For what works on the database. A client's key or endpoint in our own environment is not for the servers."""
        kept = {name: value for name, value in self.environment.items() if name not in _OF_CLIENTS}
        return self._with_home(kept) | {"OUTLAY_DATABASE_URL": self.database_url, "OUTLAY_HOME": str(self.home)}

    def dashboard_environment(self, key: str) -> dict[str, str]:
        """For the dashboard, which asks the API and never learns where the database is."""
        kept = {name: value for name, value in self.environment.items() if name not in _OF_SERVERS}
        return self._with_home(kept) | {"OUTLAY_ENDPOINT": self.collector_url, "OUTLAY_API_KEY": key}

    def _with_home(self, environment: dict[str, str]) -> dict[str, str]:
        """Libraries look for their configuration in HOME, and some fail for a user who has none."""
        return {"HOME": str(self.home)} | environment

    def snippet(self, key: str) -> str:
        """What to paste into an application to see its first call."""
        return _SNIPPET.format(endpoint=self.collector_url, key=key)


_OF_CLIENTS = {"OUTLAY_API_KEY", "OUTLAY_ENDPOINT"}
_OF_SERVERS = {"OUTLAY_DATABASE_URL", "OUTLAY_READ_DATABASE_URL", "OUTLAY_HOME"}

_SNIPPET = """\
import outlay
outlay.configure(endpoint="{endpoint}", api_key="{key}", service="my-app")

@outlay.observe
def answer(question):
    return client.chat.completions.create(model="gpt-4o-mini", messages=[{{"role": "user", "content": question}}])
"""


def _outlay(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "outlay_collector", *map(str, arguments)]
