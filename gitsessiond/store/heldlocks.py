"""The locks for writing, as the recorder finds them: in the journal, which front writes before it tells anybody.

So whoever was told of a lock is always found here, also while a request takes long and front can say nothing. What is
over is taken out by front; only where none runs times, and who is dead, are judged here.
"""

from __future__ import annotations

import os
import time

from gitsessiond.model.errors import StateUnreadable, StoreFailed
from gitsessiond.model.lockmodes import INTENT
from gitsessiond.model.locks import Hold
from gitsessiond.store.locklog import JOURNAL, LockReader, Row
from gitsessiond.store.lockrows import hold_of
from gitsessiond.store.processes import is_gone

Signature = tuple[int, int, int]


class HeldLocks:
    """All locks of a repository but marks of intent; read again when the journal has changed. ``alone``: no daemon.

    ``fold``: as of :func:`~gitsessiond.model.resources.resource`.
    """

    def __init__(self, state_dir: str, *, alone: bool = False, fold: bool = False) -> None:
        self._alone, self._fold = alone, fold
        self._path = os.path.join(state_dir, JOURNAL)
        self._reader = LockReader(self._path)
        self._seen: Signature | None = None
        self._made: dict[int, tuple[Row, Hold | None]] = {}
        self._held: tuple[Hold, ...] = ()

    def now(self, *, anew: bool = False) -> tuple[Hold, ...]:
        """What is held; ``anew``: read it whatever the files look like. Where it cannot be read: what was, or nothing.

        A damaged journal is front's to put away.
        """
        seen = signature_of(self._path)
        if anew or seen is None or seen != self._seen:
            try:
                self._held, self._seen = self._read(), seen
            except (StoreFailed, StateUnreadable):
                self._seen = None
        return self._held

    def _read(self) -> tuple[Hold, ...]:
        """Only what changed is looked at.

        Raises:
            StoreFailed: it cannot be read.
            StateUnreadable: it is damaged, or newer.
        """
        made, rows = self._made, self._reader.read()
        self._made = {
            token: made[token] if token in made and made[token][0] is row else (row, hold_of(row, self._fold))
            for token, row in rows.items()
        }
        holds = tuple(hold for _, (_, hold) in sorted(self._made.items()) if hold and hold.mode != INTENT)
        return tuple(hold for hold in holds if not is_over(hold)) if self._alone else holds


def is_over(hold: Hold) -> bool:
    """Whether its time, or its holder, has ended."""
    return hold.deadline <= time.monotonic() or is_gone(hold.holder.pid, hold.holder.began)


def signature_of(path: str) -> Signature | None:
    """What changes with every line of the journal; None: there is no such file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
