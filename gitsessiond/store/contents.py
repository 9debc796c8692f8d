"""Read files into what is recorded of them: what ``git add`` would store, and the disk's bytes beside it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gitsessiond.model.values import EXECUTABLE, REGULAR, SYMLINK, Entry, is_binary
from gitsessiond.store.files import Content, is_racy, read_file, signature
from gitsessiond.store.filters import Filters, Raw, Unclean
from gitsessiond.store.known import Known
from gitsessiond.store.objects import oid_of
from gitsessiond.store.tracked import Tracked
from gitsessiond.store.trees import Trees

LARGE = 1 << 20  # bytes; a new untracked file above it is guarded

_ODD_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class Outcome(NamedTuple):
    """What came of a path: recorded (``known``; None: gone), left out (``skipped``), or to do ``again``.

    A path that is left out keeps what was recorded of it, unless ``known`` says that its raw bytes are new.
    """

    path: bytes
    known: Known | None = None
    racy: bool = False
    skipped: str | None = None
    sig: bytes = b""  # what it was left out with
    again: bool = False
    guard: str | None = None  # large or binary
    linked: bool = False  # the file has other names too (hard links)


class _Read(NamedTuple):
    """A regular file that was read."""

    path: bytes
    have: Known | None
    content: Content
    at: int  # time_ns just before


class Contents:
    """Reads files of one worktree; contents that are not recorded yet are put into the store."""

    def __init__(self, root: bytes, store: Trees, filters: Filters, tracked: Tracked) -> None:
        self._root, self._store, self._filters, self._tracked = root, store, filters, tracked

    def read(self, paths: Iterable[tuple[bytes, Known | None]], *, max_size: int, modes: bool) -> list[Outcome]:
        """Read each path, given what is recorded of it.

        Args:
            max_size: bytes; larger files are left out.
            modes: whether the disk's executable bits mean something (``core.fileMode``).
        """
        outcomes: list[Outcome] = []
        regular: list[_Read] = []
        for path, have in paths:
            found = self._read_one(path, have, max_size)
            if isinstance(found, Outcome):
                outcomes.append(found)
            else:
                regular.append(found)
        if regular:
            outcomes += self._stored(regular, modes)
        return outcomes

    def _read_one(self, path: bytes, have: Known | None, max_size: int) -> Outcome | _Read:
        """A path's outcome, or its bytes when it is a regular file."""
        full = os.path.join(self._root, path)
        now = time.time_ns()
        try:
            found = os.lstat(full)
            if stat.S_ISLNK(found.st_mode):
                return self._link(path, have, os.readlink(full), found, now)
        except (FileNotFoundError, NotADirectoryError):
            return Outcome(path)
        except OSError as exc:
            return Outcome(path, skipped=f"unreadable: {exc.strerror}")
        if stat.S_ISDIR(found.st_mode):
            return Outcome(path, again=True)
        if not stat.S_ISREG(found.st_mode):
            kind = next((name for test, name in _ODD_KINDS if test(found.st_mode)), "no file")
            return Outcome(path, skipped=kind, sig=signature(found))
        content = read_file(full, max_size)
        if isinstance(content, Content):
            return _Read(path, have, content, now)
        if content.kind == "skipped":
            return Outcome(path, skipped=content.why, sig=signature(found))
        return Outcome(path, again=True)  # being written, or replaced between two looks

    def _link(self, path: bytes, have: Known | None, target: bytes, found: os.stat_result, now: int) -> Outcome:
        """A symbolic link: its target is its content, and no filter touches it."""
        entry = Entry(SYMLINK, self._keep(target, have))
        return Outcome(path, Known(entry, None, signature(found)), is_racy(found, now))

    def _stored(self, files: Sequence[_Read], modes: bool) -> list[Outcome]:
        """What git would store for regular files."""
        raws = [Raw(read.path, read.content.data, signature(read.content.stat)) for read in files]
        cleaned = self._filters.clean(raws)
        refused = [raw.path for raw, clean in zip(raws, cleaned, strict=True) if isinstance(clean, Unclean)]
        in_index = self._tracked.clean_entries(refused) if refused else {}
        outcomes = []
        for read, raw, clean in zip(files, raws, cleaned, strict=True):
            racy = is_racy(read.content.stat, read.at)
            if isinstance(clean, Unclean):
                known = self._unclean(read, raw, in_index.get(read.path))
                outcomes.append(Outcome(read.path, known, racy, clean.why, raw.sig))
                continue
            oid = self._keep(clean, read.have)
            other = self._keep(raw.data, read.have) if clean != raw.data else None
            known = Known(Entry(self._mode(read, modes), oid), other, raw.sig)
            linked = read.content.stat.st_nlink > 1
            outcomes.append(Outcome(read.path, known, racy, guard=guard_of(raw.data), linked=linked))
        return outcomes

    def _unclean(self, read: _Read, raw: Raw, in_index: Entry | None) -> Known:
        """A file that only its filter could store: the entry stays, or is the index's if that is clean."""
        entry = in_index or (read.have.entry if read.have else None)
        oid = self._keep(raw.data, read.have)
        return Known(entry, oid if entry is None or entry.oid != oid else None, raw.sig)

    def _mode(self, read: _Read, modes: bool) -> int:
        """The mode git would store: by the owner's executable bit, or as before where bits mean nothing."""
        if modes:
            return EXECUTABLE if read.content.stat.st_mode & stat.S_IXUSR else REGULAR
        entry = read.have.entry if read.have else None
        return EXECUTABLE if entry is not None and entry.mode == EXECUTABLE else REGULAR

    def _keep(self, data: bytes, have: Known | None) -> str:
        """The blob's id; it is put into the store unless it is what is recorded of the path already."""
        oid = oid_of("blob", data)
        if have is None or (oid != have.raw and (have.entry is None or have.entry.oid != oid)):
            self._store.put("blob", data)
        return oid


def guard_of(data: bytes) -> str | None:
    """Why a new untracked file of this content is not given to a patch."""
    if len(data) > LARGE:
        return "large"
    return "binary" if is_binary(data) else None
