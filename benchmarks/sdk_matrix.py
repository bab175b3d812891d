"""The SDK's tests against the oldest and newest libraries, and its wheel on every Python found.

    python -m benchmarks.sdk_matrix [NAME ...]      (make test-matrix)

Every environment is thrown away afterwards. A Python that is not installed is named and left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "psutil", "httpx", "uvicorn")
CLIENTS = ("openai", "anthropic", "google-genai")


class Environment(NamedTuple):
    """Packages to test with. ``tests`` are paths below ``tests/``; none: only the smoke of the wheel."""

    name: str
    python: str
    packages: tuple[str, ...]
    tests: tuple[str, ...]


ENVIRONMENTS = (
    Environment(
        "newest",
        "3.11",
        (*CLIENTS, "langchain-openai", "celery", "fastapi", "gevent", "gunicorn"),
        (
            "end_to_end/test_sdk_never_harms.py",
            "end_to_end/test_sdk_providers.py",
            "end_to_end/test_sdk_instrument.py",
            "end_to_end/test_sdk_examples.py",
        ),
    ),
    Environment(
        "oldest-opentelemetry",
        "3.11",
        ("opentelemetry-sdk==1.27.0", "opentelemetry-exporter-otlp-proto-http==1.27.0", *CLIENTS),
        ("end_to_end/test_sdk_never_harms.py",),
    ),
    Environment(
        "oldest-clients",
        "3.11",
        ("openai==1.92.0", "anthropic==0.52.0", "google-genai==1.40.0", "pydantic<2.12"),
        ("end_to_end/test_sdk_providers.py",),
    ),
    Environment(
        "oldest-langchain",
        "3.11",
        ("langchain-openai==1.0.0",),
        ("end_to_end/test_sdk_examples.py::test_langchain_agent",),
    ),
    # Apart from the others: with it comes aiohttp, which warns of how the google-genai client uses it.
    Environment(
        "litellm",
        "3.11",
        ("litellm", "tiktoken"),
        ("end_to_end/test_sdk_examples.py::test_litellm_router", "unit/sdk/test_vocabulary.py"),
    ),
    Environment(
        "neighbours",
        "3.11",
        ("sentry-sdk", "logfire", "ddtrace"),
        ("end_to_end/test_sdk_never_harms.py::test_lives_beside_other_peoples_products",),
    ),
    *(Environment(f"wheel-{version}", version, (), ()) for version in ("3.10", "3.11", "3.12", "3.13")),
)

# What the README shows, without a provider: configure, observe, context, and a program that ends as it should.
SMOKE = """
import importlib.metadata, outlay
assert {r.split(">")[0] for r in importlib.metadata.requires("outlay") if "extra ==" not in r} == {
    "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"}
outlay.configure(endpoint="http://127.0.0.1:9", service="smoke")
@outlay.observe
def answer(question):
    return {"object": "chat.completion", "id": "c", "model": "m", "choices": [], "usage": {"prompt_tokens": 3}}
with outlay.context(team="support", customer="acme", user="u-17"):
    answer("Where is my invoice?")
assert outlay.stats().queued == 1 or outlay.stats().retries
print("smoke passed with", importlib.metadata.version("outlay"))
"""


def run(*command: str | Path, cwd: Path = ROOT) -> bool:
    """Whether a command succeeded; its output is shown."""
    return subprocess.run([str(part) for part in command], cwd=cwd, check=False).returncode == 0


def versions(python: Path, packages: tuple[str, ...]) -> list[str]:
    """What was installed of the named packages, and of OpenTelemetry."""
    frozen = subprocess.run(
        ["uv", "pip", "freeze", "--python", str(python)], capture_output=True, text=True, check=True
    ).stdout.split()
    wanted = {re.split("[<>=]", package)[0] for package in packages} | {"opentelemetry-sdk"}
    return [line.replace("==", " ") for line in frozen if line.partition("==")[0] in wanted]


def python_of(version: str) -> str | None:
    """An interpreter of this version that runs here: one that uv finds, else one of pyenv's that is not on the path."""
    found = subprocess.run(["uv", "python", "find", version], capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return found.stdout.strip()
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for python in sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True):
        if subprocess.run([python, "-c", "import ssl"], capture_output=True, check=False).returncode == 0:
            return str(python)
    return None


def try_out(environment: Environment, interpreter: str, wheel: Path, folder: Path) -> bool:
    """Make the environment, and run its tests or the smoke in it."""
    home = folder / environment.name
    python = home / "bin" / "python"
    wanted = (*environment.packages, *(TOOLS if environment.tests else ()))
    made = run("uv", "venv", "-q", "--python", interpreter, home) and run(
        "uv", "pip", "install", "-q", "--python", python, wheel, *wanted
    )
    if not made:
        return False
    print(f"{environment.name}: {', '.join(versions(python, environment.packages))}", flush=True)
    if not environment.tests:
        return run(python, "-W", "error", "-c", SMOKE, cwd=folder)
    paths = [f"tests/{path}" for path in environment.tests]
    return run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--noconftest", "-o", "timeout=300", *paths)


def main() -> None:
    """Run the environments named, or all; exit 1 if one fails."""
    names = set(sys.argv[1:])
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if not run("uv", "build", "-q", "--wheel", "--out-dir", folder, "sdk"):
            raise SystemExit("the wheel does not build")
        (wheel,) = folder.glob("outlay-*.whl")
        for environment in ENVIRONMENTS:
            if names and environment.name not in names:
                continue
            interpreter = python_of(environment.python)
            if interpreter is None:
                print(f"{environment.name}: left out, there is no Python {environment.python}", flush=True)
                continue
            passed = try_out(environment, interpreter, wheel, folder)
            print(f"{environment.name}: {'passed' if passed else 'FAILED'}", flush=True)
            failed += [] if passed else [environment.name]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
