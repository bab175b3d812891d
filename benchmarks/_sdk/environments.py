"""An environment for each product we are compared with: what one needs, another often forbids."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".tools" / "bench-sdk"


def python_of(name: str, packages: tuple[str, ...]) -> str | None:
    """The interpreter to measure a contender with; None, and why on stderr, where its packages cannot be installed."""
    if not packages:
        return sys.executable
    home = CACHE / name
    python = home / "bin" / "python"
    done = home / "complete"
    if not done.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        for command in (
            ("uv", "venv", "-q", "--clear", "--python", sys.executable, str(home)),
            ("uv", "pip", "install", "-q", "--python", str(python), *packages, "openai"),
        ):
            try:
                ran = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                print(f"{name}: left out, {error}", file=sys.stderr)
                return None
            if ran.returncode:
                print(f"{name}: left out, cannot be installed: {ran.stderr.strip()[-300:]}", file=sys.stderr)
                return None
        done.touch()
    return str(python)


def version_of(python: str, package: str) -> str:
    """The version of a package in an environment."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout.strip()
