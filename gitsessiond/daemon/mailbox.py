"""Notices from the watch's threads to front's loop, and what each means."""

from __future__ import annotations

import os
from collections import deque
from typing import Literal, NamedTuple

What = Literal[
    "closed",  # closed after writing
    "moved_in",  # renamed to this name; ``other``: from which, b"" when from elsewhere
    "created",  # appeared; may be open for writing still
    "gone",  # deleted, or renamed to another name
    "attrib",  # its mode (or times) changed
    "lock",  # an editor's lock, found when a directory was listed for the first time; nothing for the recorder
    "dir",  # a directory left as a whole, with its files
    "rang",  # git did something; ``worktree`` None: to all of them
    "hook",  # a hook says that git has done what it had to do
    "cookie",  # front's own file appeared; ``path`` is its name
    "overflow",  # the kernel dropped events
    "watched",  # the worktree's watches are in place
    "limit",  # the worktree cannot be watched whole; ``path``: why
    "stop",  # a signal asked front to end
    "lost",  # the worktree's directory is gone; ``worktree`` None: the repository is
]


class Notice(NamedTuple):
    """One thing the watch saw. ``path`` and ``other`` are relative to the worktree."""

    what: What
    worktree: str | None = None
    path: bytes = b""
    other: bytes = b""


class Mailbox:
    """Written by any thread, read by the loop that selects on :meth:`fileno`."""

    def __init__(self) -> None:
        self._notices: deque[Notice] = deque()
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._signalled = False

    def fileno(self) -> int:
        """Readable when there are notices."""
        return self._reading

    def post(self, notice: Notice) -> None:
        """Leave a notice; one byte wakes the loop however many there are."""
        self._notices.append(notice)
        if not self._signalled:
            self._signalled = True
            os.write(self._writing, b"x")

    def take(self) -> list[Notice]:
        """All notices so far, oldest first."""
        try:
            os.read(self._reading, 4096)
        except BlockingIOError:
            pass  # woken for another reason
        self._signalled = False  # before the notices are taken: one that comes now wakes the loop again
        found = []
        while self._notices:
            found.append(self._notices.popleft())
        return found

    def close(self) -> None:
        """Give the pipe back; nobody may post any more."""
        os.close(self._reading)
        os.close(self._writing)
