"""A file system as a container has it, without a container engine: the machine's programs, what the Dockerfile installs, an
empty /tmp, and nothing that can be written to. Run as root in a mount namespace of its own (``unshare --mount``):

    python root.py INSTALLED PYTHON_HOME [SHARED] -- COMMAND...

SHARED, such as the folder of a database's socket, is there under its own name. Mounts go with the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

USER = "10001"


def main(command: list[str], installed: str, python_home: str, *shared: str) -> None:
    mount("--make-rprivate", "/")
    root = Path(tempfile.mkdtemp(prefix="outlay-root-"))
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(root))
    for path in ("/usr", "/etc", "/lib", "/lib64", "/bin", "/sbin", python_home):
        if Path(path).is_symlink():
            (root / path[1:]).symlink_to(os.readlink(path))
        elif Path(path).exists():
            bind(path, root / path[1:])
    bind(installed, root / "opt" / "outlay")
    bind("/dev", root / "dev", recursive=True)
    (root / "proc").mkdir()
    mount("-t", "proc", "proc", str(root / "proc"))
    (root / "tmp").mkdir()
    mount("-t", "tmpfs", "-o", "mode=1777,size=256m", "tmpfs", str(root / "tmp"))
    for path in shared:
        bind(path, root / path[1:])
    mount("-o", "remount,ro", str(root))
    os.chroot(root)
    os.chdir("/")
    drop = [
        "--reuid",
        USER,
        "--regid",
        USER,
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
        "--inh-caps=-all",
    ]
    os.execvp("setpriv", ["setpriv", *drop, *command])


def bind(source: str, target: Path, *, recursive: bool = False) -> None:
    target.mkdir(parents=True, exist_ok=True)
    mount("--rbind" if recursive else "--bind", source, str(target))
    if not recursive:
        mount("-o", "remount,ro,bind", str(target))


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    divider = sys.argv.index("--")
    main(sys.argv[divider + 1 :], *sys.argv[1:divider])
