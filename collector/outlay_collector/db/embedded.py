"""A Postgres of one's own: made, started, shared and stopped without a system service.

``with EmbeddedPostgres(home) as url`` is all a caller needs. It listens on a Unix socket only, in a folder that nobody
but its user (and root) can enter, so it needs no password. Everything lies in ``home``::

    postgres/        the data folder
    postgres.log     what the server says; the one before is postgres.log.1
    postgres.lease   locked by everybody who uses the server: the last to leave stops it

Root may not run Postgres, so for root it runs as an unprivileged user. Where that user cannot enter ``home`` (below
``/root``, say), data go to a folder in ``/var/lib/outlay/homes`` and ``home/postgres`` links there: the permissions of
folders that were not made here are never touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import psycopg

from outlay_collector import launch
from outlay_collector.db import programs
from outlay_collector.errors import NotReady

ROLE = DATABASE = "outlay"
SYSTEM_HOME = Path("/var/lib/outlay")
_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 103  # bytes; macOS allows one less than Linux's 107, and neither counts the closing NUL
_USERS_TO_BORROW = ("outlay", "postgres", "nobody")
_NOBODY = 65534
_START_SECONDS = 300.0  # recovery after a crash reads the whole WAL since the last checkpoint
_FAST_STOP_SECONDS = 6.0
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Account:
    """The system user Postgres runs as. ``switch`` is false when that is who we are already."""

    uid: int
    gid: int
    switch: bool

    @property
    def has_name(self) -> bool:
        try:
            pwd.getpwuid(self.uid)
        except KeyError:
            return False
        return True


class EmbeddedPostgres:
    """The Postgres of one home. ``start`` continues with the data there, and joins a server that already runs.

    ``bound``: the server dies with this process (Linux), even when it is killed. ``settings`` go over the defaults.
    """

    def __init__(self, home: Path, *, bound: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self.home = Path(os.path.expanduser(home)).absolute()
        self._bound = bound
        self._settings = dict(settings or {})
        self._lease: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def data(self) -> Path:
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}@/{DATABASE}?host={_socket_folder(self.data.resolve())}"

    def start(self) -> str:
        """Start or join the server; its URL, once it answers. NotReady in one sentence when that cannot be."""
        make_home(self.home)
        with self._one_at_a_time():
            if not self._answers():
                self._refuse_foreign_data()
                packages = self._programs()
                if not (self.data / "PG_VERSION").exists():
                    self._initialise(packages)
                self._run(packages)
            if self._lease is None:
                self._lease = _open(self.home / "postgres.lease")
            fcntl.flock(self._lease, fcntl.LOCK_SH)
        return self.url

    def is_running(self) -> bool:
        """Whether the server's process lives; also true while somebody else runs it."""
        pid = _postmaster(self.data.resolve())
        return pid is not None and not self._gone(pid)

    def stop(self) -> None:
        """Give up our use of the server, and stop it (within some seconds) unless others still use it."""
        if self._lease is None:
            return
        with self._one_at_a_time():
            try:
                fcntl.flock(self._lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # someone else uses it, and will be the last
                if self._process is not None and self._process.poll() is None:
                    self._process.returncode = 0  # not ours to wait for any more: spares a ResourceWarning
            else:
                self._shut_down()
            self._lease.close()
            self._lease = None

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        with _open(self.home / "postgres.starting") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _account(self) -> Account:
        """Who runs the server: ourselves; for root the owner of the data, or else a user without rights."""
        if os.geteuid() != 0:
            return Account(os.geteuid(), os.getegid(), switch=False)
        if self.data.exists() and (owner := self.data.stat()).st_uid != 0:
            return Account(owner.st_uid, owner.st_gid, switch=True)
        for name in _USERS_TO_BORROW:
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(name)
                return Account(user.pw_uid, user.pw_gid, switch=True)
        return Account(_NOBODY, _NOBODY, switch=True)

    def _shelter(self) -> Path:
        """The folder in which data and programs can be reached by the account: ``home``, or one for root's homes."""
        account = self._account()
        if self.data.resolve().parent.is_dir() and (self.data.exists() or self.data.is_symlink()):
            return self.data.resolve().parent
        if not account.switch or _can_enter(account, self.home):
            return self.home
        homes = SYSTEM_HOME / "homes"
        make_home(homes)
        shelter = Path(tempfile.mkdtemp(dir=homes))
        shelter.chmod(0o755)
        self.data.unlink(missing_ok=True)  # a link whose target was removed
        self.data.symlink_to(shelter / "postgres")
        return shelter

    def _programs(self) -> Path:
        return programs.copied_into(self._shelter()) if self._account().switch else programs.bundled()

    def _refuse_foreign_data(self) -> None:
        version = self.data / "PG_VERSION"
        try:
            found = version.read_text().strip()
        except FileNotFoundError:
            return
        except PermissionError as error:
            raise NotReady(
                f"The data in {self.data} belong to another user: start Outlay as that user, or with another --home."
            ) from error
        if found != str(programs.MAJOR):
            raise NotReady(
                f"The data in {self.data} were made by Postgres {found} and this is {programs.MAJOR}: "
                "move them with pg_upgrade or pg_dump, or start with another --home."
            )

    def _initialise(self, packages: Path) -> None:
        """Make the data folder beside its place and move it there: an interrupted attempt leaves nothing half done."""
        account, shelter = self._account(), self._shelter()
        fresh = Path(tempfile.mkdtemp(prefix="postgres.", dir=shelter))  # 0700
        try:
            if account.switch:
                os.chown(fresh, account.uid, account.gid)
            with contextlib.ExitStack() as stack:
                if not account.has_name and sys.platform == "linux":
                    packages = stack.enter_context(programs.for_a_nameless_user(shelter, packages, account.uid))
                self._initdb(packages, fresh, account)
            _append(fresh / "postgresql.conf", "\ninclude_if_exists = 'outlay.conf'  # rewritten at every start\n")
            fresh.rename(self.data.resolve())
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _initdb(self, packages: Path, into: Path, account: Account) -> None:
        # The builtin locale sorts by code point everywhere alike, whatever locales the machine has.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        unsafe = ["--no-sync"] if self._settings.get("fsync") == "off" else []
        made = subprocess.run(  # noqa: S603 - our own binary, by its full path
            _as(
                account, programs.folder(packages) / "initdb", "-D", into, "-U", ROLE, "--auth=trust", *locale, *unsafe
            ),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env=_ENVIRONMENT,
        )
        if made.returncode:
            raise NotReady(f"Postgres could not make its data folder in {into.parent}: {_last_line(made.stderr)}")

    def _run(self, packages: Path) -> None:
        account, data = self._account(), self.data.resolve()
        self._forget_dead_server(data)
        (data / "outlay.conf").unlink(missing_ok=True)
        _append(data / "outlay.conf", _configuration(self._settings))
        sockets = _socket_folder(data)
        if sockets != data:
            _make_private_folder(sockets, account)
        postgres = programs.folder(packages) / "postgres"
        # SIGINT is Postgres's word for a fast shutdown.
        server = _as(account, postgres, "-D", data, "-k", sockets, when_we_die=signal.SIGINT if self._bound else 0)
        if self.log.exists():
            self.log.replace(self.home / "postgres.log.1")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own binary, by its full path
                server,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,  # Ctrl-C in the terminal is for us: we stop the server last
            )
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:  # also when somebody lost patience: nobody would stop it later
            self._shut_down()
            raise

    def _forget_dead_server(self, data: Path) -> None:
        """Remove a stale ``postmaster.pid``, also one whose number now belongs to another program.

        Postgres itself removes the file of a dead process, but refuses to start when any process has that number.
        """
        if self._process is not None:
            self._process.poll()  # a dead child of ours keeps its number until it is waited for
        pid = _postmaster(data)
        if pid is not None and not _is_server_of(pid, data):
            (data / "postmaster.pid").unlink(missing_ok=True)
            (_socket_folder(data) / f"{_SOCKET}.lock").unlink(missing_ok=True)

    def _wait_until_it_answers(self, server: subprocess.Popen[bytes]) -> None:
        patience = time.monotonic() + _START_SECONDS
        while not self._answers():
            if server.poll() is not None:
                raise NotReady(f"Postgres did not start: {self._complaint()} (log: {self.log})")
            if time.monotonic() > patience:
                raise NotReady(f"Postgres does not answer after {_START_SECONDS:.0f} s (log: {self.log}).")
            time.sleep(0.02)

    def _complaint(self) -> str:
        """The last two messages of the server's log: the fatal one and, where there is one, what led to it."""
        said = self.log.read_text(errors="replace")
        messages = [match[1] for match in re.finditer(r" (?:LOG|ERROR|FATAL):  (.+)", said)]
        return "; ".join(messages[-2:]) or _last_line(said)

    def _answers(self) -> bool:
        """Whether a server of this home accepts connections; makes the database when it is not there yet."""
        sockets = _socket_folder(self.data.resolve())
        if not _listens(sockets / _SOCKET):
            return False
        try:
            connection = psycopg.connect(
                f"postgresql://{ROLE}@/postgres?host={sockets}&connect_timeout=5&application_name=outlay",
                autocommit=True,
            )
        except psycopg.OperationalError:  # starting up, recovering, or shutting down
            return False
        with connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        return True

    def _shut_down(self) -> None:
        data = self.data.resolve()
        pid = _postmaster(data)
        if pid is None or not _is_server_of(pid, data):
            if self._process is not None:
                self._process.poll()  # it ended without us: take notice, or Python warns of a child left running
            return
        # Fast shutdown ends sessions and writes a checkpoint. If the disk is too slow for that, stop at once: what was
        # acknowledged is in the WAL, and the next start recovers from there.
        for how, seconds in ((signal.SIGINT, _FAST_STOP_SECONDS), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
            if self._gone_within(pid, seconds):
                break
        if (sockets := _socket_folder(data)) != data:
            shutil.rmtree(sockets, ignore_errors=True)

    def _gone_within(self, pid: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._gone(pid):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _gone(self, pid: int) -> bool:
        if self._process is not None and self._process.pid == pid:
            return self._process.poll() is not None  # a child of ours exists until it is waited for
        return not _exists(pid)


_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _configuration(settings: Mapping[str, str]) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB
    values = {
        "listen_addresses": "",
        "max_connections": "100",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "shared_buffers": f"{max(32, min(256, memory // 8))}MB",
        "effective_cache_size": f"{max(64, memory // 2)}MB",
        "maintenance_work_mem": f"{max(32, min(128, memory // 16))}MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "wal_compression": "on",
        "random_page_cost": "1.1",
        "jit": "off",
        "log_line_prefix": "%m [%p] %a ",
        "log_min_error_statement": "panic",  # statements carry user data, and the log is not the place for them
        **settings,
    }
    return "".join(f"{name} = '{value}'\n" for name, value in values.items())


def _socket_folder(data: Path) -> Path:
    """The data folder itself, which is private; where that path is too long for a socket, a short one in /tmp."""
    if len(os.fsencode(data / _SOCKET)) <= _LONGEST_SOCKET_PATH:
        return data
    return Path("/tmp") / f"outlay-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}"  # noqa: S108 - made 0700, checked


def _make_private_folder(folder: Path, account: Account) -> None:
    """A 0700 folder of the account. NotReady when another user made it first: its owner could read our sockets."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if account.switch:
            os.chown(folder, account.uid, account.gid)
    found = folder.lstat()
    if found.st_uid != account.uid or found.st_mode & 0o077 or not folder.is_dir() or folder.is_symlink():
        raise NotReady(f"{folder} belongs to somebody else, and the socket of Postgres must lie there: remove it.")


def make_home(folder: Path) -> None:
    """Make ``folder`` and what is missing above it, open to be entered; existing folders stay as they are.

    NotReady, naming the folder, when it cannot be made or not be written to.
    """
    if "~" in folder.parts:  # what expanding it leaves when there is no home
        raise NotReady("This user has no home folder: name a folder for Outlay with --home or OUTLAY_HOME.")
    try:
        _make_folder(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise NotReady(
            f"The home {folder} cannot be written ({error.strerror}): choose another with --home or OUTLAY_HOME."
        ) from error


def _make_folder(folder: Path) -> None:
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        place.chmod(0o755)  # whatever the umask: root's Postgres runs as a user who must enter


def _append(path: Path, text: str) -> None:
    """Never through a link: root writes here into a folder of the less privileged user."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o644), "a") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)


def _open(path: Path) -> IO[bytes]:
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    except OSError as error:
        raise NotReady(f"{path} cannot be opened ({error.strerror}): start Outlay as the owner of its home.") from error


def _as(account: Account, *command: str | Path, when_we_die: int = 0) -> list[str]:
    uid, gid = (account.uid, account.gid) if account.switch else (-1, -1)
    return launch.command_line(*command, uid=uid, gid=gid, when_we_die=when_we_die)


def _can_enter(account: Account, folder: Path) -> bool:
    """Asks the kernel rather than the mode bits, which do not know about lists of access rights or mounts."""
    attempt = _as(account, Path("/bin/sh"), "-c", 'cd "$1"', "sh", folder)
    return subprocess.run(attempt, check=False, cwd="/", stderr=subprocess.DEVNULL).returncode == 0  # noqa: S603


def _postmaster(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _is_server_of(pid: int, data: Path) -> bool:
    import psutil  # slow to import, and not needed to join a running server

    try:
        return os.fspath(data) in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False


def _exists(pid: int) -> bool:
    """Whether the process runs; one that only waits for its parent to notice its end does not."""
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            return False
    return True


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
