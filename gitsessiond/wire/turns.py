"""One push of ours at a time in a repository: who comes later waits, and is told for whom."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable

from gitsessiond.wire.place import Place
from gitsessiond.wire.starting import open_lock

PUSH_LOCK = "push.lock"


class PushTurn:
    """Held while a remote is talked to. The kernel gives it back however its holder ends.

    ``when_waiting`` is called once, with the holder's words, if somebody else has the turn.
    """

    def __init__(self, place: Place, words: str, when_waiting: Callable[[str], None]) -> None:
        self._file = open_lock(place, PUSH_LOCK, "no push can be begun")
        self._words, self._when_waiting = f"{words} (process {os.getpid()})\n", when_waiting

    def __enter__(self) -> PushTurn:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._when_waiting(os.pread(self._file, 4096, 0).decode("utf-8", "replace").strip() or "another push")
            fcntl.flock(self._file, fcntl.LOCK_EX)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, self._words.encode("utf-8", "surrogateescape"), 0)
        return self

    def __exit__(self, *exc: object) -> None:
        os.ftruncate(self._file, 0)
        os.close(self._file)
