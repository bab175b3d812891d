"""The chart as ``helm`` renders it. Without helm the tests are skipped, and say so: ``make test-helm`` installs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "outlay"
VALUES = sorted([*CHART.glob("ci/*-values.yaml"), *CHART.glob("examples/*/values.yaml")])

Json = dict[str, Any]


class Chart:
    """``helm template`` with values; manifests by kind and component."""

    def __init__(self, helm: str) -> None:
        self._helm = helm

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # A helm that the Go client built knows no Kubernetes of its own.
        command = [self._helm, *arguments, "--kube-version", "1.34.0"]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def manifests(self, values: Path | str = "external", **settings: str) -> list[Json]:
        done = self._template(values, settings)
        assert done.returncode == 0, done.stderr
        return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]

    def refusal(self, values: Path | str = "external", **settings: str) -> str:
        """Why these values are refused."""
        done = self._template(values, settings)
        assert done.returncode != 0, "helm took values that it was to refuse"
        return done.stderr

    def one(self, kind: str, part: str, values: Path | str = "external", **settings: str) -> Json:
        """The one manifest of a kind that belongs to a part, such as ``Deployment`` of ``collector``."""
        component = "app.kubernetes.io/component"
        (found,) = [
            manifest
            for manifest in self.manifests(values, **settings)
            if manifest["kind"] == kind and manifest["metadata"]["labels"][component] == part
        ]
        return found

    def _template(self, values: Path | str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
        path = values if isinstance(values, Path) else CHART / "ci" / f"{values}-values.yaml"
        sets = [part for name, value in settings.items() for part in ("--set", f"{name.replace('__', '.')}={value}")]
        return self.run("template", "outlay", str(CHART), "--values", str(path), *sets)


@pytest.fixture(scope="session")
def helm() -> str:
    found = shutil.which("helm", path=os.pathsep.join((str(ROOT / ".tools" / "bin"), os.environ.get("PATH", ""))))
    if found is None:
        pytest.skip("no helm on this machine: `make test-helm` installs it into .tools")
    return found


@pytest.fixture(scope="session")
def chart(helm: str) -> Chart:
    return Chart(helm)


@pytest.fixture(scope="session")
def complaints() -> Callable[[Json], list[str]]:
    from tests.helm import schemas

    if not schemas.are_there():
        pytest.skip("no schemas of Kubernetes on this machine: `make test-helm` fetches them into .tools")
    return schemas.complaints
