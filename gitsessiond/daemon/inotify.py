"""inotify(7) through ctypes: one descriptor, watches by number, raw records.

Not watchdog's own binding: that one hides overflows, watches what it is told to ignore, and holds every event back
for half a second after a file was moved out (docs/decisions/watching.md).
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
UNMOUNT, OVERFLOW, IGNORED = 0x2000, 0x4000, 0x8000
ONLYDIR, DONT_FOLLOW, EXCL_UNLINK, ISDIR = 0x01000000, 0x02000000, 0x04000000, 0x40000000

WANTED = (
    ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
    | ONLYDIR | DONT_FOLLOW | EXCL_UNLINK
)  # fmt: skip
"""One mask for every directory: a second watch of the same directory would otherwise replace the first one's."""

HEAD = struct.Struct("iIII")  # wd, mask, cookie, length of the name with its padding
CHUNK = 1 << 18


class WatchLimitError(Exception):
    """The system's number of watches or instances is used up (fs.inotify.max_user_watches)."""


class Record(NamedTuple):
    """One event as the kernel wrote it; ``name`` is empty when it is about the watched directory itself."""

    wd: int
    mask: int
    cookie: int
    name: bytes


class Inotify:
    """One inotify instance. :meth:`read` may be used by another thread than the rest."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise WatchLimitError("this system has no inotify")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            code = ctypes.get_errno()
            if code in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSYS):
                raise WatchLimitError(f"no inotify instance: {os.strerror(code)} (fs.inotify.max_user_instances)")
            raise OSError(code, os.strerror(code))
        self._stop_reading, self._stopper = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._poll.register(self._stop_reading, select.POLLIN)

    def add(self, directory: bytes, mask: int = WANTED) -> int:
        """Watch a directory (or what ``mask`` says); the number is the old one when it is watched already.

        Raises:
            WatchLimitError: no more watches.
            OSError: it is gone, no directory, or not ours to read.
        """
        wd: int = self._libc.inotify_add_watch(self._fd, directory, mask)
        if wd < 0:
            code = ctypes.get_errno()
            if code in (errno.ENOSPC, errno.ENOMEM):
                raise WatchLimitError("no more directories can be watched (fs.inotify.max_user_watches)")
            raise OSError(code, os.strerror(code), directory)
        return wd

    def remove(self, wd: int) -> None:
        """Stop watching; a directory that is gone took its watch along."""
        self._libc.inotify_rm_watch(self._fd, wd)

    def read(self) -> bytes:
        """Wait for records and return them raw; empty once :meth:`stop` was called."""
        while True:
            ready = {number for number, _ in self._poll.poll()}
            if self._stop_reading in ready:
                return b""
            try:
                return os.read(self._fd, CHUNK)
            except BlockingIOError:
                continue

    def fileno(self) -> int:
        """Readable when :meth:`take` has something, for who has a loop of their own."""
        number: int = self._fd
        return number

    def take(self) -> bytes:
        """The raw records there are; empty: none."""
        try:
            return os.read(self._fd, CHUNK)
        except BlockingIOError:
            return b""

    def stop(self) -> None:
        """Make the present and every later :meth:`read` return at once."""
        os.write(self._stopper, b"x")

    def close(self) -> None:
        """Give the descriptors back; nobody may be reading."""
        for number in (self._fd, self._stop_reading, self._stopper):
            os.close(number)


def decode(raw: bytes) -> Iterator[Record]:
    """The records of one read."""
    at, end = 0, len(raw)
    while at < end:
        wd, mask, cookie, length = HEAD.unpack_from(raw, at)
        at += HEAD.size
        yield Record(wd, mask, cookie, raw[at : at + length].rstrip(b"\0"))
        at += length
