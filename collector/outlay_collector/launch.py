"""Become another program: ``python -I -S launch.py UID GID SIGNAL PROGRAM ARGUMENT...``

Run as a file of its own, because what it does must happen between fork and exec, where Python code of a process with
threads may deadlock (``preexec_fn``). The process id stays the same, so the caller's handle is the program's.
UID and GID of -1 keep the present ones. Unless SIGNAL is 0, the kernel sends it when the thread that started this ends,
however it ends; Linux only, elsewhere the next start deals with what was left running.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1


def command_line(*command: str | Path, uid: int = -1, gid: int = -1, when_we_die: int = 0) -> list[str]:
    """The arguments for ``subprocess`` that run ``command`` (its program by full path) through this file."""
    us = [sys.executable, "-I", "-S", __file__, str(uid), str(gid), str(int(when_we_die))]
    return [*us, *(os.fspath(part) for part in command)]


def become(uid: int, gid: int, when_parent_dies: int, command: list[str]) -> None:
    parent = os.getppid()
    if uid != -1:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After setuid: changing credentials clears the death signal.
    if when_parent_dies and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, when_parent_dies)
        if os.getppid() != parent:  # it died before the signal was armed
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - by its full path, no shell


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
