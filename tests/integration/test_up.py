"""`outlay up`: real processes, started, watched, killed and stopped."""

import os
import re
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.servers import Running, alive, family, free_port, outlay, wait_until

READY = "Outlay is ready."
PARTS = ("collector", "worker", "dashboard", "postgres")


class Up(Running):
    """`outlay up` on a home of its own."""

    def __init__(self, home: Path, log: Path, env: dict[str, str] | None = None) -> None:
        self.home = home
        self.port, self.dashboard_port = free_port(), free_port()
        super().__init__(
            "up",
            *("--home", str(home), "--port", str(self.port)),
            *("--grpc-port", str(free_port()), "--dashboard-port", str(self.dashboard_port)),
            env=env or {},
            log=log,
        )

    def start(self) -> None:
        self.log.unlink(missing_ok=True)
        super().start()

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.is_running(), f"it ended: {self.said()}"
            return READY in self.said()

        wait_until(ready, seconds=90)

    def part(self, name: str) -> psutil.Process:
        """The process that runs a part: `collector`, `worker`, `dashboard` or `postgres`."""
        sign = {"dashboard": "streamlit", "postgres": "-D"}.get(name, name)
        found = [child for child in alive(psutil.Process(self.pid).children()) if sign in child.cmdline()]
        assert found, f"no {name} runs"
        return found[0]

    def processes(self) -> list[psutil.Process]:
        return family(self.pid)

    def secret(self, name: str) -> str:
        return (self.home / name).read_text().strip()

    def spend(self) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.secret('owner.key')}"}
        parameters = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z", "interval": "none"}
        return httpx.get(f"http://127.0.0.1:{self.port}/api/v1/spend", params=parameters, headers=headers, timeout=30)


# One worker of xdist runs all tests that share `running`.
shares_one = pytest.mark.xdist_group("a running outlay up")


@contextmanager
def a_home() -> Iterator[Path]:
    """A folder that does not exist yet, short and open to be entered, unlike one in ``tmp_path``."""
    place = Path(tempfile.mkdtemp(prefix="outlay-up-"))
    place.chmod(0o755)
    try:
        yield place / "home"
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def prepared(env: dict[str, str] | None = None) -> Iterator[Up]:
    """`outlay up`, not started yet; whatever is left of it in the end is killed."""
    with a_home() as home:
        one = Up(home, home.parent / "up.log", env)
        try:
            yield one
        finally:
            one.kill()
            for process in [process for process in psutil.process_iter() if _mentions(process, home)]:
                process.kill()


@pytest.fixture
def home() -> Iterator[Path]:
    with a_home() as home:
        yield home


@pytest.fixture
def up() -> Iterator[Up]:
    """`outlay up`, not started yet."""
    with prepared() as one:
        yield one


@pytest.fixture(scope="module")
def running() -> Iterator[Up]:
    """`outlay up`, ready, and shared by tests that leave it so."""
    with prepared() as one:
        one.start()
        one.wait_until_ready()
        yield one


def _mentions(process: psutil.Process, home: Path) -> bool:
    try:
        return any(str(home) in part for part in process.cmdline())
    except psutil.Error:
        return False


def nobody_of(processes: list[psutil.Process]) -> bool:
    left = [_command(process) for process in alive(processes)]
    assert not left, f"{left} still run"
    return True


def _command(process: psutil.Process) -> str:
    try:
        return f"{process.pid} ({process.status()}): {' '.join(process.cmdline())[-120:]}"
    except psutil.Error:
        return f"{process.pid} (ending)"


def test_from_an_empty_folder_to_everything_running_and_back_to_nothing(up):
    up.start()
    up.wait_until_ready()
    said = up.said()
    assert f"http://127.0.0.1:{up.dashboard_port}" in said
    assert f"http://127.0.0.1:{up.port}" in said
    assert "@outlay.observe" in said
    ingest_key = up.secret("ingest.key")
    assert said.count(ingest_key) == 2, "the key, and the snippet with it"
    assert httpx.get(f"http://127.0.0.1:{up.dashboard_port}/_stcore/health").text == "ok"
    assert up.spend().json()["rows"] == []

    everything = up.processes()
    begun = time.monotonic()
    assert up.stop(seconds=15) == 0
    assert time.monotonic() - begun < 10
    assert alive(everything) == []
    assert "Outlay has stopped" in up.said()

    begun = time.monotonic()
    up.start()
    up.wait_until_ready()
    seconds = time.monotonic() - begun
    assert seconds < 30, f"an existing home took {seconds:.1f} s"
    assert up.secret("ingest.key") == ingest_key
    assert ingest_key in up.said()


def test_ctrl_c_reaches_the_supervisor_only_and_stops_everything(up):
    up.start()
    up.wait_until_ready()
    everything = up.processes()
    os.killpg(up.pid, signal.SIGINT)
    assert up.process.wait(12) == 0
    assert alive(everything) == []
    assert "Traceback" not in up.said()
    for log in up.home.glob("*.log"):
        assert "KeyboardInterrupt" not in log.read_text()


def test_being_stopped_while_starting_leaves_nothing_behind(up):
    up.start()
    wait_until(lambda: "Starting collector" in up.said(), seconds=60)
    everything = up.processes()
    assert up.stop(seconds=15) == 0
    assert alive(everything) == []


def test_kill_nine_of_the_supervisor_leaves_no_orphan_and_the_next_start_goes_on(up):
    up.start()
    up.wait_until_ready()
    everything = up.processes()
    os.kill(up.pid, signal.SIGKILL)
    up.process.wait()
    wait_until(lambda: nobody_of(everything), seconds=60)
    up.start()
    up.wait_until_ready()
    assert up.spend().is_success


def test_the_next_start_ends_what_an_earlier_run_could_not(up):
    """A child that ignores the kernel's signal, as every child does where the kernel sends none."""
    up.start()
    up.wait_until_ready()
    worker = up.part("worker")
    worker.suspend()  # a stopped process is not ended by SIGTERM
    os.kill(up.pid, signal.SIGKILL)
    up.process.wait()
    time.sleep(0.5)
    assert worker.is_running()
    up.start()
    up.wait_until_ready()
    assert "Ended what an earlier run left behind" in up.said()
    assert not alive([worker])


@shares_one
@pytest.mark.parametrize("name", PARTS)
def test_a_part_that_dies_is_started_again_and_said(running, name):
    victim = running.part(name)
    victim.kill()
    wait_until(lambda: f"{name} ended" in running.said().lower(), seconds=20)
    wait_until(lambda: running.part(name).pid != victim.pid, seconds=30)
    wait_until(lambda: running.spend().is_success, seconds=30)


@shares_one
def test_the_dashboard_never_learns_where_the_database_is(running):
    environment = running.part("dashboard").environ()
    assert environment["OUTLAY_API_KEY"] == running.secret("owner.key")
    assert not [name for name in environment if "DATABASE" in name]


@shares_one
def test_the_owners_key_is_readable_by_the_owner_only(running):
    assert (running.home / "owner.key").stat().st_mode & 0o777 == 0o600
    assert (running.home / "ingest.key").stat().st_mode & 0o777 == 0o600
    assert running.secret("owner.key") not in running.said()


@shares_one
def test_everything_listens_on_loopback_only(running):
    addresses = {
        connection.laddr.ip
        for process in running.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    # gRPC listens on a socket of both families, bound to the mapped form of the same address.
    assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}


@shares_one
def test_two_supervisors_do_not_share_a_home(running):
    second = outlay("up", "--home", str(running.home), "--port", "0", "--grpc-port", "0", "--dashboard-port", "0")
    assert second.returncode == 1
    assert second.stderr.strip().endswith(f"Outlay runs on {running.home} already (process {running.pid}).")
    assert running.is_running()


def test_a_database_of_ones_own_is_used_instead_of_the_embedded_one(empty_database_url):
    with prepared({"OUTLAY_DATABASE_URL": empty_database_url}) as own:
        own.start()
        own.wait_until_ready()
        assert own.spend().is_success
        assert not (own.home / "postgres").exists()
        own.stop()


def test_a_port_in_use_is_one_sentence_and_nothing_is_started(home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = outlay("up", "--home", str(home), "--port", "0", "--grpc-port", "0", "--dashboard-port", str(port))
    assert done.returncode == 1
    sentence = f"Port {port} is in use by another program: stop that, or choose another with --dashboard-port."
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / "postgres").exists()


def test_a_port_shared_by_others_is_in_use_too(home):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = outlay("up", "--home", str(home), "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "is in use by another program" in done.stderr


def test_a_home_that_cannot_be_written_is_one_sentence():
    done = outlay("up", "--home", "/proc/outlay")
    assert done.returncode == 1
    assert re.search(
        r"The home /proc/outlay cannot be written \(.*\): choose another with --home or OUTLAY_HOME\.", done.stderr
    )
    assert "Traceback" not in done.stderr


def test_a_database_that_is_not_there_is_one_sentence(home):
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    done = outlay("up", "--home", str(home), *("--port", "0", "--grpc-port", "0"), env={"OUTLAY_DATABASE_URL": url})
    assert done.returncode == 1
    assert "Check OUTLAY_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
