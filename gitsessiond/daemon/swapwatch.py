"""An inotify of its own for editors' locks: that one was written into, which the worktrees' watches do not tell.

Those ask for nothing while a file is being written (a burst of writes would cost too much); of the few locks there
are each has a watch here, and so have the directories in which Neovim keeps all of them.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterable

from gitsessiond.daemon import inotify
from gitsessiond.daemon.inotify import Inotify, WatchLimitError, decode
from gitsessiond.daemon.log import log
from gitsessiond.store.editors import names_in

LOCK = inotify.MODIFY | inotify.ATTRIB | inotify.CLOSE_WRITE | inotify.DELETE_SELF | inotify.DONT_FOLLOW
DIRECTORY = (
    inotify.MODIFY | inotify.CLOSE_WRITE | inotify.CREATE | inotify.DELETE | inotify.MOVED_FROM | inotify.MOVED_TO
    | inotify.ONLYDIR
)  # fmt: skip


class SwapWatch:
    """Watches of locks and of directories of them; ``moved`` is told each place where something happened.

    Without inotify nothing is told: locks are then looked at whenever somebody asks.
    """

    def __init__(
        self, select: selectors.BaseSelector, directories: Iterable[bytes], moved: Callable[[bytes], None]
    ) -> None:
        self._select, self._directories, self._moved = select, tuple(directories), moved
        self._locks: dict[bytes, int] = {}
        self._places: dict[int, bytes] = {}  # of locks
        self._open: dict[int, bytes] = {}  # directories
        self._source: Inotify | None = None
        try:
            self._source = Inotify()
        except (WatchLimitError, OSError) as exc:
            log(f"changes of editors' swap files are not told at once: {exc}")
        else:
            select.register(self._source, selectors.EVENT_READ, lambda mask: self.take())

    def begin(self, *, fresh: bool = False) -> None:
        """Watch the directories that have come to be since; ``fresh``: tell all that is in the others too."""
        for directory in self._directories:
            if directory not in self._open.values():
                wd = self._add(directory, DIRECTORY)
                if wd is not None:
                    self._open[wd] = directory
                elif self._source is not None:
                    continue
            elif not fresh:
                continue
            for name in names_in(directory):
                self._moved(directory + b"/" + name)

    def add(self, place: bytes) -> bool:
        """Watch a lock, unless that is done; whether it was not."""
        if place in self._locks or place.rpartition(b"/")[0] in self._open.values():
            return False
        wd = self._add(place, LOCK)
        if wd is not None:
            self._locks[place], self._places[wd] = wd, place
        return wd is not None

    def _add(self, place: bytes, mask: int) -> int | None:
        if self._source is None:
            return None
        try:
            return self._source.add(place, mask)
        except (WatchLimitError, OSError, ValueError):
            return None

    def drop(self, place: bytes) -> None:
        """Watch a lock no more."""
        wd = self._locks.pop(place, None)
        if wd is not None and self._source is not None and self._places.pop(wd, None) is not None:
            self._source.remove(wd)

    def take(self) -> None:
        """Tell what has happened until now."""
        raw = self._source.take() if self._source is not None else b""
        for record in decode(raw):
            if record.mask & inotify.OVERFLOW:
                for place in [*self._locks]:
                    self._moved(place)
                self.begin(fresh=True)
            elif record.mask & inotify.IGNORED:
                self._open.pop(record.wd, None)
                gone = self._places.pop(record.wd, None)
                if gone is not None and self._locks.get(gone) == record.wd:
                    del self._locks[gone]
                    self._moved(gone)  # another may lie there already
            elif record.wd in self._places:
                self._moved(self._places[record.wd])
            elif record.wd in self._open and record.name:
                self._moved(self._open[record.wd] + b"/" + record.name)

    def close(self) -> None:
        """Give the descriptors back."""
        if self._source is not None:
            self._select.unregister(self._source)
            self._source.close()
