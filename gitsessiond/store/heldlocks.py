"""The locks for writing, as the recorder finds them: in the journal, which front writes before it tells anybody.

So whoever was told of a lock is always found here, also while a request takes long and front can say nothing. What is
over is taken out by front; only where none runs times, and who is dead, are judged here.
"""

from __future__ import annotations

import os
import time

from gitsessiond.model.errors import StateUnreadable, StoreFailed
from gitsessiond.model.locks import Hold
from gitsessiond.store.database import open_beside
from gitsessiond.store.lockjournal import DATABASE, KIND
from gitsessiond.store.lockrows import hold_of
from gitsessiond.store.processes import is_gone

QUERY = "SELECT * FROM locks WHERE mode <> 'intent' ORDER BY token"

Signature = tuple[tuple[int, int, int] | None, ...]


class HeldLocks:
    """All locks of a repository but marks of intent; read again when the journal has changed. ``alone``: no daemon.

    ``fold``: as of :func:`~gitsessiond.model.resources.resource`.
    """

    def __init__(self, state_dir: str, *, alone: bool = False, fold: bool = False) -> None:
        self._alone, self._fold = alone, fold
        self._path = os.path.join(state_dir, DATABASE)
        self._seen: Signature | None = None
        self._held: tuple[Hold, ...] = ()

    def now(self, *, anew: bool = False) -> tuple[Hold, ...]:
        """What is held; ``anew``: read it whatever the files look like. Where it cannot be read: what was, or nothing.

        A damaged journal is front's to put away.
        """
        seen = (signature_of(self._path), signature_of(self._path + "-wal"))
        if anew or seen != self._seen:
            try:
                self._held, self._seen = self._read(), seen
            except (StoreFailed, StateUnreadable):
                self._seen = None
        return self._held

    def _read(self) -> tuple[Hold, ...]:
        if not os.path.isfile(self._path):
            return ()
        with open_beside(self._path, KIND, "rw", timeout=2.0) as db:
            rows = db.execute(QUERY).fetchall()
        holds = tuple(hold for row in rows if (hold := hold_of(row, self._fold)))
        return tuple(hold for hold in holds if not is_over(hold)) if self._alone else holds


def is_over(hold: Hold) -> bool:
    """Whether its time, or its holder, has ended."""
    return hold.deadline <= time.monotonic() or is_gone(hold.holder.pid, hold.holder.began)


def signature_of(path: str) -> tuple[int, int, int] | None:
    """What changes with every commit of the journal; None: there is no such file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
