"""The write bits of files that others have locked: taken away, and given back exactly as they were.

Which bits were taken is on the disk before the first is (docs/format.md, "Write bits"), so that whatever ends the
daemon, the next one gives them back. Only plain files are touched, by their rights alone; no link is followed, and a
file with a second name is left alone: that may lie anywhere. Whoever changes the rights of such a file himself has the
last word: what is not as it was left here is not touched again.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.store.below import opened
from gitsessiond.store.layout import write_durably

JOURNAL = "readonly.json"
FORMAT = 1
WRITE = 0o222
EXECUTE = 0o111
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Taken(NamedTuple):
    """A file's rights as they were, and as they were left; its inode."""

    before: int
    left: int
    inode: int


class Place(NamedTuple):
    """A worktree, and what was taken in it, by path."""

    worktree: bytes
    files: dict[bytes, Taken]


class WriteBits:
    """What was taken in all worktrees, each known by its id: it may have moved meanwhile."""

    def __init__(self, state_dir: str) -> None:
        self._path = os.path.join(state_dir, JOURNAL)
        self._places = read_journal(self._path)

    @property
    def worktrees(self) -> list[str]:
        """The ids of those where something was taken."""
        return list(self._places)

    def apply(self, wid: str, worktree: bytes, wanted: Collection[bytes]) -> None:
        """Have these files of a worktree be without write bits, and give all others theirs back.

        What was taken once is not taken again before it was given back: whoever made it writable meant it.

        Raises:
            OSError: what is taken cannot be written down; then nothing is.
        """
        place = self._places.get(wid)
        known = place.files if place is not None else {}
        unwanted = known.keys() - set(wanted)
        given = {path for path in unwanted if gave_back(worktree, path, known[path])}
        fresh = {}
        for path in set(wanted) - known.keys():
            found = found_at(worktree, path)
            if found is not None and found.before & WRITE:
                fresh[path] = found
        if not given and not fresh:
            return
        files = {path: taken for path, taken in known.items() if path not in given} | fresh
        self._keep(wid, Place(worktree, files))
        for path, taken in fresh.items():
            take(worktree, path, taken)

    def give_back(self, wid: str, worktree: bytes | None = None) -> None:
        """Give back all of a worktree; None: at the place it was last."""
        place = self._places.get(wid)
        if place is None:
            return
        at = place.worktree if worktree is None else worktree
        left = {path: taken for path, taken in place.files.items() if not gave_back(at, path, taken)}
        self._keep(wid, Place(at, left))

    def _keep(self, wid: str, place: Place) -> None:
        """Write the journal."""
        places = {key: one for key, one in self._places.items() if key != wid} | ({wid: place} if place.files else {})
        if places:
            write_durably(self._path, encoded(places))
        elif os.path.exists(self._path):
            os.unlink(self._path)
        self._places = places


def encoded(places: dict[str, Place]) -> bytes:
    """The journal: ``{"format", "worktrees": {wid: {"worktree", "files": {path: [before, left, inode]}}}}``."""
    told = {
        wid: {
            "worktree": quote_path(place.worktree),
            "files": {quote_path(path): list(taken) for path, taken in place.files.items()},
        }
        for wid, place in places.items()
    }
    return json.dumps({"format": FORMAT, "worktrees": told}).encode() + b"\n"


def read_journal(path: str) -> dict[str, Place]:
    """What was taken, as it was written; nothing where that cannot be read."""
    try:
        with open(path, "rb") as file:
            told: Any = json.loads(file.read())
        if told["format"] != FORMAT:
            return {}
        return {
            str(wid): Place(
                unquote_path(one["worktree"]),
                {unquote_path(name): Taken(*map(int, taken)) for name, taken in one["files"].items()},
            )
            for wid, one in told["worktrees"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


@contextmanager
def opened_file(worktree: bytes, path: bytes) -> Iterator[tuple[int, os.stat_result]]:
    """A plain file below a worktree, by no link.

    Raises:
        OSError: there is none, or it cannot be read.
    """
    above, name = os.path.split(path)
    with opened(worktree, above) as directory:
        handle = os.open(name, _FILE, dir_fd=directory)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("no plain file")
        yield handle, found
    finally:
        os.close(handle)


def found_at(worktree: bytes, path: bytes) -> Taken | None:
    """What there is to take at a path; None: nothing that could be given back."""
    try:
        with opened_file(worktree, path) as (_, found):
            mode = stat.S_IMODE(found.st_mode)
            return Taken(mode, mode & ~WRITE, found.st_ino) if found.st_nlink == 1 else None
    except OSError:
        return None


def take(worktree: bytes, path: bytes, taken: Taken) -> None:
    """Take the write bits of a file, if it is still the one that was found."""
    try:
        with opened_file(worktree, path) as (handle, found):
            if found.st_ino == taken.inode and stat.S_IMODE(found.st_mode) == taken.before:
                os.fchmod(handle, taken.left)
    except OSError:
        pass  # gone, or another's: it stays as it is, and so it is given back


def gave_back(worktree: bytes, path: bytes, taken: Taken) -> bool:
    """Give back what was taken; False: that cannot be done now. Rights that somebody else has given it since stay."""
    try:
        with opened_file(worktree, path) as (handle, found):
            mode = stat.S_IMODE(found.st_mode)
            if mode == taken.left:
                os.fchmod(handle, taken.before)
            elif not (mode ^ taken.left) & ~EXECUTE:
                os.fchmod(handle, mode | (taken.before & WRITE))
        return True
    except (FileNotFoundError, NotADirectoryError):
        return True
    except PermissionError:
        return not os.path.exists(os.path.join(worktree, path))
    except OSError:
        return True  # no plain file is there any more
