"""The Node example with the Vercel AI SDK, installed by npm, against the fake provider and a real collector."""

from __future__ import annotations

import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fake_provider import FakeProvider
from tests.servers import Collector, Running, environment, wait_until

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "vercel_ai"
INSTALLED = ROOT / ".tools" / "examples" / "vercel_ai"


@pytest.fixture(scope="module")
def example() -> Path:
    """The example with its packages, in a folder that stays; skipped aloud where it cannot be installed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no Node on this machine, so the Vercel AI SDK is not tried")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    wanted = (EXAMPLE / "package.json").read_text()
    note = INSTALLED / "installed"
    shutil.copy(EXAMPLE / "package.json", INSTALLED)
    shutil.copy(EXAMPLE / "answer.js", INSTALLED)
    if not note.exists() or note.read_text() != wanted:
        try:
            subprocess.run(
                [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline"],
                cwd=INSTALLED,
                check=True,
                capture_output=True,
                timeout=150,
            )
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"npm could not install the Vercel AI SDK: {error}")
        note.write_text(wanted)
    return INSTALLED


@pytest.mark.timeout(400)
def test_vercel_ai(example: Path, collector: Collector, worker: Running, fake_provider: FakeProvider) -> None:
    where = {
        "OPENAI_BASE_URL": fake_provider.openai_url,
        "OPENAI_API_KEY": "x",
        "OUTLAY_ENDPOINT": collector.url,
        "OUTLAY_API_KEY": collector.key,
    }
    done = subprocess.run(
        ["node", "answer.js"],
        cwd=example,
        env=environment() | where | {"NODE_OPTIONS": os.environ.get("NODE_OPTIONS", "")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    def calls() -> list[dict[str, Any]]:
        """The counted ones, once all that was sent has been settled."""
        rows: list[dict[str, Any]] = collector.get("/api/v1/calls", limit="100").json()["rows"]
        spend = collector.get("/api/v1/spend").json()["rows"]
        counted = [row for row in rows if row["counted"]]
        return counted if spend and spend[0]["calls"] == len(counted) == 2 else []

    stored = wait_until(calls, seconds=60, every=0.2)
    billed = fake_provider.calls()
    assert sorted(
        (row["usage"]["input_tokens"], row["usage"]["output_tokens"], row["streaming"]) for row in stored
    ) == (sorted((entry["input_tokens_total"], entry["output_tokens_total"], entry["streaming"]) for entry in billed))
    for row in stored:
        assert (row["provider"], row["request_model"]) == ("openai", "gpt-4o-mini")
        assert (row["team"], row["customer"], row["user"], row["feature"]) == ("support", "acme", "u-17", "answer")
        assert Decimal(row["cost"]) > 0
