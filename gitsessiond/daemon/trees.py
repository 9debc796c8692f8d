"""Which directories are watched, and what a record of the kernel means there, as watchdog's events.

An :class:`Area` is a directory, or a tree of them, with the handler that its events go to. A directory that appears
is watched first and listed then: what was made in it before the watch is found by the listing, what comes after it by
the watch. Single-threaded: only the thread that dispatches events touches a :class:`Trees`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)

from gitsessiond.daemon import inotify
from gitsessiond.daemon.inotify import Inotify, Record, WatchLimitError


class WatchLimitEvent(FileSystemEvent):
    """A directory that appeared could not be watched."""

    event_type = "limit"


Found = tuple["Area", FileSystemEvent]


class Area:
    """One watched directory (``deep``: with all below it). Paths are bytes; ``dirs`` maps relative ones to watches.

    A ``deep`` area leaves out ``.git``, the directories of ``skipped``, and everything inside a nested repository
    (a directory, not the top, that has a ``.git``): ``on_nested`` is told of those.
    """

    def __init__(
        self,
        top: bytes,
        handler: FileSystemEventHandler,
        *,
        deep: bool,
        skipped: Iterable[bytes] = (),
        on_nested: Callable[[bytes], None] | None = None,
    ) -> None:
        self.top, self.handler, self.deep = top, handler, deep
        self.skipped = set(skipped)
        self.on_nested = on_nested
        self.dirs: dict[bytes, int] = {}

    def full(self, path: bytes) -> bytes:
        """The absolute path of a relative one."""
        return self.top + b"/" + path if path else self.top

    def wants(self, path: bytes) -> bool:
        """Whether a directory that appears is to be watched."""
        return self.deep and path not in self.skipped and path.rpartition(b"/")[2] != b".git"


class Trees:
    """All areas of one inotify instance."""

    def __init__(self, source: Inotify) -> None:
        self._source = source
        self._spots: dict[int, tuple[tuple[Area, bytes], ...]] = {}  # watch -> the directories it stands for

    def __len__(self) -> int:
        """The number of watched directories."""
        return len(self._spots)

    def add(self, area: Area, path: bytes = b"", found: Callable[[bytes], None] | None = None) -> None:
        """Watch an area, or a directory of it, and all below; ``found`` is told of the files there (relative).

        Raises:
            WatchLimitError: some of it is not watched; :meth:`drop` what is.
        """
        waiting = [path]
        while waiting:
            directory = waiting.pop()
            try:
                wd = self._source.add(area.full(directory))
                area.dirs[directory] = wd
                spot = (area, directory)
                if spot not in self._spots.get(wd, ()):
                    self._spots[wd] = (*self._spots.get(wd, ()), spot)
                if area.deep:
                    self._list(area, directory, waiting, found)
            except OSError:
                continue  # gone again, or not readable: whoever can read it is not us

    def _list(self, area: Area, directory: bytes, waiting: list[bytes], found: Callable[[bytes], None] | None) -> None:
        """Sort one directory's names into files and directories to watch."""
        prefix = directory + b"/" if directory else b""
        files: list[bytes] = []
        below: list[bytes] = []
        with os.scandir(area.full(directory)) as listing:
            for entry in listing:
                if entry.name == b".git":
                    if directory and area.on_nested is not None:
                        self.drop(area, directory)
                        area.on_nested(directory)
                        return
                elif entry.is_dir(follow_symlinks=False):
                    below.append(prefix + entry.name)
                else:
                    files.append(prefix + entry.name)
        waiting += [path for path in below if area.wants(path)]
        if found is not None:
            for path in files:
                found(path)

    def drop(self, area: Area, path: bytes = b"") -> None:
        """Stop watching a directory and all below it (``b""``: the whole area)."""
        prefix = path + b"/" if path else b""
        for directory in [one for one in area.dirs if one == path or one.startswith(prefix)]:
            wd = area.dirs.pop(directory)
            left = tuple(spot for spot in self._spots.get(wd, ()) if spot != (area, directory))
            if left:
                self._spots[wd] = left
            elif self._spots.pop(wd, None) is not None:
                self._source.remove(wd)

    def apply(self, records: Iterable[Record]) -> Iterator[Found]:
        """The events that records of one read mean, in order. Overflow is the reader's to tell."""
        held: Record | None = None  # a MOVED_FROM whose MOVED_TO may be the next record
        for record in records:
            if held is not None:
                source, held = held, None
                if record.mask & inotify.MOVED_TO and record.cookie == source.cookie:
                    yield from self._moved(source, record)
                    continue
                yield from self._one(source)
            if record.mask & inotify.MOVED_FROM and not record.mask & inotify.ISDIR:
                held = record
            else:
                yield from self._one(record)
        if held is not None:
            yield from self._one(held)

    def _moved(self, source: Record, target: Record) -> Iterator[Found]:
        """A file got another name: one event where both are of one area."""
        sources = dict(self._spots.get(source.wd, ()))
        for area, directory in self._spots.get(target.wd, ()):
            to = area.full(joined(directory, target.name))
            if area in sources:
                came_from = area.full(joined(sources.pop(area), source.name))
                yield area, FileMovedEvent(came_from, to)
            else:
                yield area, FileMovedEvent(b"", to)
        for area, directory in sources.items():
            yield area, FileDeletedEvent(area.full(joined(directory, source.name)))

    def _one(self, record: Record) -> Iterator[Found]:
        """The events of one record for each directory its watch stands for."""
        if record.mask & (inotify.IGNORED | inotify.UNMOUNT):
            for area, directory in self._spots.pop(record.wd, ()):
                if area.dirs.get(directory) == record.wd:
                    del area.dirs[directory]
            return
        for area, directory in self._spots.get(record.wd, ()):
            if record.mask & (inotify.DELETE_SELF | inotify.MOVE_SELF):
                if not directory:  # of any other directory the one above tells
                    yield area, DirDeletedEvent(area.top)
            elif record.mask & inotify.ISDIR:
                yield from self._directory(area, joined(directory, record.name), record.mask)
            elif record.name == b".git" and directory and record.mask & (inotify.CREATE | inotify.MOVED_TO):
                self._became_nested(area, directory)
            else:
                yield area, file_event(record.mask, area.full(joined(directory, record.name)))

    def _directory(self, area: Area, path: bytes, mask: int) -> Iterator[Found]:
        """A directory came or went (a changed mode of one means nothing to us)."""
        full = area.full(path)
        if mask & (inotify.CREATE | inotify.MOVED_TO):
            above, _, name = path.rpartition(b"/")
            if name == b".git" and above:
                self._became_nested(area, above)
                return
            yield area, DirCreatedEvent(full)
            if area.wants(path):
                files: list[bytes] = []
                try:
                    self.add(area, path, files.append)
                except WatchLimitError:
                    yield area, WatchLimitEvent(area.top)
                    return
                for file in files:
                    yield area, FileCreatedEvent(area.full(file), is_synthetic=True)
        elif mask & (inotify.DELETE | inotify.MOVED_FROM):
            if mask & inotify.MOVED_FROM and path in area.dirs:
                self.drop(area, path)  # its watches would tell of files under a name that is no longer theirs
            yield area, DirDeletedEvent(full, is_synthetic=bool(mask & inotify.MOVED_FROM))

    def _became_nested(self, area: Area, directory: bytes) -> None:
        """``git init`` or ``git clone`` below the worktree: what is inside is that repository's."""
        if area.on_nested is not None:
            self.drop(area, directory)
            area.on_nested(directory)


def joined(directory: bytes, name: bytes) -> bytes:
    """The path of a name in a directory, both relative to the area's top."""
    return directory + b"/" + name if directory else name


def file_event(mask: int, path: bytes) -> FileSystemEvent:
    """watchdog's event for a record about a file."""
    if mask & inotify.CLOSE_WRITE:
        return FileClosedEvent(path)
    if mask & inotify.MOVED_TO:
        return FileMovedEvent(b"", path)
    if mask & inotify.CREATE:
        return FileCreatedEvent(path)
    if mask & inotify.ATTRIB:
        return FileAttribEvent(path)
    return FileDeletedEvent(path)
