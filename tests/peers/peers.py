"""Who sends, and how it is told to: each peer as a command line that makes ``CALLS`` model calls."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.peers import installing
from tests.servers import environment, free_port, wait_until

CALLS = 200
PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Doors:
    """Where a collector listens, by protocol, and the key to it."""

    http: str
    grpc: str
    key: str

    def of(self, protocol: str) -> str:
        return self.grpc if protocol == "grpc" else self.http


class Peer(ABC):
    """One exporter of one version over one protocol."""

    name: str
    retries = True  # whether it sends again what was refused
    spans_per_call = 1

    @abstractmethod
    def install(self) -> str:
        """Install it, or skip the test; its version."""

    @abstractmethod
    def send(self, doors: Doors, folder: Path, arrived: Callable[[], bool]) -> int:
        """Make the calls and wait for the exporter to be done; how many of them it gave up.

        ``arrived`` says whether all of them are stored, for a peer that does not say when it is done.
        """

    def input_tokens(self) -> list[int]:
        """Of every call, ascending."""
        return list(range(1000, 1000 + CALLS))


class PythonExporter(Peer):
    def __init__(self, version: str | None, protocol: str) -> None:
        self.name = f"Python SDK, {protocol}"
        self.version, self.protocol = version, protocol

    def install(self) -> str:
        ask = "from importlib.metadata import version; print(version('opentelemetry-sdk'))"
        return installing.run(installing.python(self.version), "-c", ask).strip()

    def send(self, doors: Doors, folder: Path, arrived: Callable[[], bool]) -> int:
        script = PROGRAMS / "python_exporter.py"
        python = installing.python(self.version)
        return told(python, script, self.protocol, doors.of(self.protocol), doors.key, str(CALLS))


class NodeExporter(Peer):
    def __init__(self, protocol: str, *, retries: bool = True) -> None:
        self.name = f"Node SDK, {'http/json' if protocol == 'http' else protocol}"
        self.protocol, self.retries = protocol, retries

    def install(self) -> str:
        installing.node()
        return installing.node_version(f"@opentelemetry/exporter-trace-otlp-{self.protocol}")

    def send(self, doors: Doors, folder: Path, arrived: Callable[[], bool]) -> int:
        script, modules = PROGRAMS / "node_exporter.cjs", {"NODE_PATH": str(installing.node())}
        where = doors.of(self.protocol)
        return told(installing.program("node"), script, self.protocol, where, doors.key, str(CALLS), env=modules)


class Telemetrygen(Peer):
    """Two spans per trace, and both carry the call's attributes: one call, told twice."""

    spans_per_call = 2

    def __init__(self, protocol: str) -> None:
        self.name = f"telemetrygen, {protocol}"
        self.protocol = protocol

    def install(self) -> str:
        return installing.go_version(installing.telemetrygen())

    def send(self, doors: Doors, folder: Path, arrived: Callable[[], bool]) -> int:
        attributes = {
            "gen_ai.operation.name": '"chat"',
            "gen_ai.provider.name": '"openai"',
            "gen_ai.request.model": '"gpt-4o-mini"',
            "gen_ai.response.model": '"gpt-4o-mini-2024-07-18"',
            "gen_ai.usage.input_tokens": "1000",
            "gen_ai.usage.output_tokens": "100",
        }
        run(
            installing.telemetrygen(),
            *("traces", "--otlp-insecure", "--otlp-endpoint", doors.of(self.protocol).removeprefix("http://")),
            *("--traces", str(CALLS), "--rate", "100", "--batch-size", "10", "--timeout", "60s"),
            *("--otlp-header", f'authorization="Bearer {doors.key}"', *(["--otlp-http"] * (self.protocol == "http"))),
            *(part for name, value in attributes.items() for part in ("--telemetry-attributes", f"{name}={value}")),
        )
        return 0

    def input_tokens(self) -> list[int]:
        return [1000] * CALLS


class OpenTelemetryCollector(Peer):
    """A program sends to a Collector, as stock as it comes, and that forwards to Outlay."""

    def __init__(self, protocol: str) -> None:
        self.name = f"OpenTelemetry Collector, {protocol}"
        self.protocol = protocol

    def install(self) -> str:
        installing.python(None)
        installing.opentelemetry_collector()
        return installing.COLLECTOR.lstrip("v")

    def send(self, doors: Doors, folder: Path, arrived: Callable[[], bool]) -> int:
        with self._forwarding(doors, folder) as inner:
            given_up = PythonExporter(None, self.protocol).send(inner, folder, arrived)
            # A Collector that is stopped forgets what it was about to send again; it tries for five minutes otherwise.
            wait_until(arrived, seconds=120, every=0.2)
            return given_up

    @contextmanager
    def _forwarding(self, doors: Doors, folder: Path) -> Iterator[Doors]:
        http, grpc = free_port(), free_port()
        exporter = "otlp" if self.protocol == "grpc" else "otlphttp"
        (folder / "otelcol.yaml").write_text(
            textwrap.dedent(f"""
                receivers:
                  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{http}"}}, grpc: {{endpoint: "127.0.0.1:{grpc}"}}}}}}
                processors:
                  batch: {{timeout: 100ms, send_batch_size: 10}}
                exporters:
                  {exporter}:
                    endpoint: {doors.of(self.protocol)}
                    tls: {{insecure: true}}
                    headers: {{authorization: "Bearer {doors.key}"}}
                service:
                  telemetry: {{metrics: {{level: none}}}}
                  pipelines:
                    traces: {{receivers: [otlp], processors: [batch], exporters: [{exporter}]}}
            """)
        )
        with (folder / "otelcol.log").open("wb") as log:
            process = subprocess.Popen(
                [installing.opentelemetry_collector(), "--config", folder / "otelcol.yaml"], stdout=log, stderr=log
            )
        inner = Doors(http=f"http://127.0.0.1:{http}", grpc=f"http://127.0.0.1:{grpc}", key="any")
        try:
            # Any answer to an empty request says that it listens.
            wait_until(lambda: httpx.post(f"{inner.http}/v1/traces", timeout=2), seconds=60)
            yield inner
        finally:
            process.terminate()
            process.wait(90)


PEERS: tuple[Peer, ...] = (
    *(PythonExporter(version, protocol) for version in ("1.27.0", None) for protocol in ("http", "grpc")),
    NodeExporter("proto"),
    NodeExporter("http"),
    NodeExporter("grpc", retries=False),
    Telemetrygen("http"),
    Telemetrygen("grpc"),
    OpenTelemetryCollector("http"),
    OpenTelemetryCollector("grpc"),
)


def told(*command: str | Path, env: Mapping[str, str] = os.environ) -> int:
    """Run a program of ours; how many calls its exporter gave up."""
    return int(json.loads(run(*command, env=env).splitlines()[-1])["given_up"])


def run(*command: str | Path, env: Mapping[str, str] = os.environ) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout
