"""Other people's exporters and the OpenTelemetry Collector, installed by their own package clients into ``.tools/peers``.

What cannot be installed here (no Go, no Node, no network) skips its tests, and says why. What is installed stays; delete
the folder to get the newest again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".tools" / "peers"

COLLECTOR = "v0.160.0"  # the builder wants the number of every part
PARTS = f"""
dist: {{name: otelcol, output_path: .}}
receivers: [{{gomod: go.opentelemetry.io/collector/receiver/otlpreceiver {COLLECTOR}}}]
processors: [{{gomod: go.opentelemetry.io/collector/processor/batchprocessor {COLLECTOR}}}]
exporters:
  - {{gomod: go.opentelemetry.io/collector/exporter/otlpexporter {COLLECTOR}}}
  - {{gomod: go.opentelemetry.io/collector/exporter/otlphttpexporter {COLLECTOR}}}
"""
NODE = (
    "@opentelemetry/sdk-trace-node",
    "@opentelemetry/exporter-trace-otlp-proto",
    "@opentelemetry/exporter-trace-otlp-http",
    "@opentelemetry/exporter-trace-otlp-grpc",
)


@cache
def python(version: str | None) -> Path:
    """An interpreter with OpenTelemetry's Python SDK and both exporters; ``None`` means the newest."""
    folder = CACHE / f"python-{version or 'newest'}"
    found = folder / "bin" / "python"
    if not (folder / "complete").exists():
        pinned = f"=={version}" if version else ""
        names = (
            "opentelemetry-sdk",
            "opentelemetry-exporter-otlp-proto-http",
            "opentelemetry-exporter-otlp-proto-grpc",
        )
        # Releases of that age import pkg_resources, which newer setuptools no longer bring.
        wanted = [*(name + pinned for name in names), *(["setuptools<80"] if version else [])]
        run("uv", "venv", "-q", "--clear", "--python", sys.executable, folder)
        run("uv", "pip", "install", "-q", "--python", found, *wanted)
        (folder / "complete").touch()
    return found


@cache
def node() -> Path:
    """The ``node_modules`` folder with OpenTelemetry's Node SDK and its three exporters."""
    folder = CACHE / "node"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        program("node")
        run("npm", "install", "--no-save", "--no-audit", "--no-fund", "--prefix", folder, *NODE)
        (folder / "complete").touch()
    return folder / "node_modules"


@cache
def telemetrygen() -> Path:
    """The program that makes traces for OpenTelemetry's own load tests."""
    found = CACHE / "go" / "telemetrygen"
    if not found.exists():
        go("install", "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@latest")
    return found


@cache
def opentelemetry_collector() -> Path:
    """A Collector made by its own builder: OTLP in, batches, OTLP out."""
    folder = CACHE / "otelcol"
    found = folder / "otelcol"
    if not found.exists():
        builder = CACHE / "go" / "builder"
        if not builder.exists():
            go("install", f"go.opentelemetry.io/collector/cmd/builder@{COLLECTOR}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "parts.yaml").write_text(PARTS)
        run(builder, "--config", "parts.yaml", cwd=folder)
    return found


def go(*arguments: str) -> None:
    """``go ARGUMENT...``, programs installed into the cache."""
    run("go", *arguments, GOBIN=str(CACHE / "go"), GOFLAGS="-modcacherw")


def go_version(binary: Path) -> str:
    """The version of the module that a Go program was made from."""
    for line in run("go", "version", "-m", binary).splitlines():
        kind, _, rest = line.strip().partition("\t")
        if kind == "mod":
            return rest.split("\t")[1].lstrip("v")
    raise AssertionError(f"{binary} does not say what it was made from")


def node_version(package: str) -> str:
    """The installed version of a Node package."""
    return str(json.loads((node() / package / "package.json").read_text())["version"])


def program(name: str) -> str:
    """Where a program of this machine is; without it the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"not installed: there is no {name} on this machine")
    return found


def run(command: str | Path, *arguments: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """What a package client says; the test is skipped with its last lines when it fails."""
    done = subprocess.run(
        [program(str(command)), *map(str, arguments)],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"not installed: {command} {arguments[0]} failed: {(done.stderr or done.stdout)[-400:].strip()}")
    return done.stdout
