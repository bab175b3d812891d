"""Requests that could not be delivered, kept in a folder until they can be. Opt-in, bounded, shared by processes.

A segment is a file of frames. Who writes or replays one holds a lock on it that dies with the process, so what a crashed
process has left is taken up by the next that looks. A frame is checked by its CRC: what a crash tore apart is left out.
A segment is removed when all of it is delivered; if that is interrupted, its requests are sent again, which adds nothing
in a collector that knows each span by its ids.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    import fcntl
except ImportError:  # Windows: without locks, a segment is known to be free when its process is gone
    fcntl = None  # type: ignore[assignment]

_HEADER = struct.Struct("<4sBIII")  # magic, signal, spans, size of the body, CRC of the body
_MAGIC = b"OLY1"
SIGNALS = ("traces", "metrics", "logs")
_SEGMENT_BYTES = 2**20
_SUFFIX = ".outlay"


class Frame(NamedTuple):
    """One request as it is kept."""

    signal: str
    spans: int
    body: bytes


class Spool:
    """A folder of segments, at most ``limit`` bytes in all. Not thread-safe: the pipeline's lock is around it."""

    def __init__(self, folder: str, limit: int) -> None:
        self.folder = folder
        self._limit = limit
        self._writing: _Segment | None = None
        os.makedirs(folder, mode=0o700, exist_ok=True)

    def write(self, frame: Frame) -> int:
        """Keep a request. Returns how many older spans had to go to make room. OSError if the disk will not take it."""
        lost = self._make_room(_HEADER.size + len(frame.body))
        if self._writing is None or self._writing.size >= _SEGMENT_BYTES:
            self.close()
            self._writing = _Segment.create(self.folder)
        self._writing.append(frame)
        return lost

    def claim(self) -> _Segment | None:
        """The oldest segment that no other process is at, locked; None if there is nothing to replay."""
        self.close()
        for path in self._paths():
            segment = _Segment.open(path)
            if segment is not None:
                return segment
        return None

    def is_empty(self) -> bool:
        """Whether nothing is kept, by whichever process."""
        return not self._paths()

    def close(self) -> None:
        """End the segment being written, so that it can be replayed."""
        if self._writing is not None:
            self._writing.release()
            self._writing = None

    def after_fork_in_child(self) -> None:
        """The segment being written is the parent's; its lock is too."""
        if self._writing is not None:
            self._writing.abandon()
            self._writing = None

    def _paths(self) -> list[str]:
        """Segments, oldest first: their names begin with the time of their making."""
        try:
            names = os.listdir(self.folder)
        except OSError:
            return []
        return [os.path.join(self.folder, name) for name in sorted(names) if name.endswith(_SUFFIX)]

    def _make_room(self, wanted: int) -> int:
        paths = self._paths()
        sizes = {path: _size(path) for path in paths}
        total, lost = sum(sizes.values()) + wanted, 0
        for path in paths:
            if total <= self._limit:
                break
            if self._writing is not None and path == self._writing.path:
                continue
            segment = _Segment.open(path)
            if segment is not None:
                lost += sum(frame.spans for frame in segment.frames())
                segment.remove()
                total -= sizes[path]
        return lost


class _Segment:
    """One file of frames, locked by this process."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    @classmethod
    def create(cls, folder: str) -> _Segment:
        """A new, empty one. The name says when and by whom."""
        name = f"{time.time_ns():020d}-{os.getpid()}-{os.urandom(4).hex()}{_SUFFIX}"
        path = os.path.join(folder, name)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        _lock(descriptor)
        return cls(path, descriptor)

    @classmethod
    def open(cls, path: str) -> _Segment | None:
        """An existing one, unless another process is at it or has just removed it."""
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            return None
        if not _is_free(path) or not _lock(descriptor) or not os.path.exists(path):
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    def append(self, frame: Frame) -> None:
        """Write one frame at the end, in one system call, so that a crash tears at most the last one."""
        header = _HEADER.pack(_MAGIC, SIGNALS.index(frame.signal), frame.spans, len(frame.body), zlib.crc32(frame.body))
        written = os.write(self._descriptor, header + frame.body)
        if written < len(header) + len(frame.body):  # the disk is full: half a frame would hide those after it
            os.ftruncate(self._descriptor, self.size)
            raise OSError("no space for the whole request")
        self.size += written

    def frames(self) -> Iterator[Frame]:
        """Every whole frame from the beginning; reading ends at the first that is damaged."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        while True:
            header = os.read(self._descriptor, _HEADER.size)
            if len(header) < _HEADER.size:
                return
            magic, signal, spans, size, crc = _HEADER.unpack(header)
            if magic != _MAGIC or signal >= len(SIGNALS) or size > _SEGMENT_BYTES * 64:
                return
            body = _read(self._descriptor, size)
            if zlib.crc32(body) != crc:
                return
            yield Frame(SIGNALS[signal], spans, body)

    def remove(self) -> None:
        """Delete it: delivered, or given up."""
        with suppress(OSError):
            os.unlink(self.path)
        self.abandon()

    def release(self) -> None:
        """Let other processes have it; an empty one is deleted."""
        if self.size == 0:
            self.remove()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Close the file. The lock goes with the last process that has it open."""
        with suppress(OSError):
            os.close(self._descriptor)


def _read(descriptor: int, size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0:
        part = os.read(descriptor, size)
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _lock(descriptor: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_free(path: str) -> bool:
    """Without locks: whether the process that made the segment is gone. With them this does not matter."""
    if fcntl is not None:
        return True
    pid = int(os.path.basename(path).split("-")[1])
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except OSError:
        return True
    return False
