"""Read files into what is recorded of them: what ``git add`` would store, and the disk's bytes beside it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gitsessiond.model.values import EMPTY_BLOB, EXECUTABLE, GITLINK, REGULAR, SYMLINK, Entry, is_binary
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

    A path that is left out keeps what was recorded of it, unless ``known`` says otherwise.
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
        self._staged: dict[bytes, Entry] = {}  # what the index had, when last asked, of files that we cannot record

    def read(self, paths: Iterable[tuple[bytes, Known | None]], *, max_size: int, modes: bool) -> list[Outcome]:
        """Read each path, given what is recorded of it.

        Args:
            max_size: bytes; larger files are left out.
            modes: whether the disk's executable bits mean something (``core.fileMode``).
        """
        outcomes: list[Outcome] = []
        regular: list[_Read] = []
        had = dict(paths)
        for path, have in had.items():
            found = self._read_one(path, have, max_size)
            if isinstance(found, Outcome):
                outcomes.append(found)
            else:
                regular.append(found)
        if regular:
            outcomes += self._stored(regular, modes)
        for outcome in outcomes:
            if outcome.skipped is None and not outcome.again:
                self._staged.pop(outcome.path, None)
        left = self._tracked.among([outcome.path for outcome in outcomes if outcome.skipped is not None])
        return self._as_git_has_them(outcomes, sorted(left), had) if left else outcomes

    @property
    def apart(self) -> list[bytes]:
        """Tracked files that were not ours to record when they were read last; git may have them as they are."""
        return list(self._staged)

    def followers(self) -> list[bytes]:
        """Files that stand for what the index has, of which it has something else by now."""
        now = self._tracked.entries(list(self._staged)) if self._staged else {}
        return [path for path, entry in self._staged.items() if now.get(path) != entry]

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
        outcomes = []
        for read, raw, clean in zip(files, raws, cleaned, strict=True):
            racy = is_racy(read.content.stat, read.at)
            if isinstance(clean, Unclean):
                known = Known(read.have.entry if read.have else None, self._keep(raw.data, read.have))
                outcomes.append(Outcome(read.path, known, racy, clean.why, raw.sig))
                continue
            oid = self._keep(clean, read.have)
            other = self._keep(raw.data, read.have) if clean != raw.data else None
            known = Known(Entry(self._mode(read, modes), oid), other, raw.sig)
            linked = read.content.stat.st_nlink > 1
            outcomes.append(Outcome(read.path, known, racy, guard=guard_of(raw.data), linked=linked))
        return outcomes

    def _as_git_has_them(
        self, outcomes: Iterable[Outcome], left: Sequence[bytes], had: Mapping[bytes, Known | None]
    ) -> list[Outcome]:
        """The outcomes, where files are left out with what git has of them.

        A file that git holds to be what the index has is that entry, and not left out. Any other keeps what is
        recorded of it; where that is what the index had, it goes with the index: git has moved on below an edit that
        nobody can record, and what it brought is not undone by one. One that was gone is what the index has as well
        (an empty blob there may be ``add -N``, which promises nothing).
        """
        staged, clean = self._tracked.entries_and_clean(left)
        files = {path: entry for path, entry in staged.items() if entry.mode != GITLINK}
        return [
            self._as_git_has(outcome, files, clean, had[outcome.path]) if outcome.skipped is not None else outcome
            for outcome in outcomes
        ]

    def _as_git_has(
        self, outcome: Outcome, staged: Mapping[bytes, Entry], clean: Mapping[bytes, Entry], have: Known | None
    ) -> Outcome:
        """The same for one file that is left out."""
        path, raw = outcome.path, outcome.known.raw if outcome.known else None
        former, entry = self._staged.pop(path, None), staged.get(path)
        before = have.entry if have is not None else None
        if entry is None:
            return outcome if have is None else outcome._replace(known=beside(before, raw or have.raw))
        self._staged[path] = entry
        if path in clean:
            known = beside(self._taken(entry, have), raw)
            return Outcome(path, known._replace(sig=outcome.sig), outcome.racy)
        if before in (None, former) and entry.oid != EMPTY_BLOB:
            return outcome._replace(known=beside(self._taken(entry, have), raw))
        return outcome if have is None else outcome._replace(known=beside(before, raw or have.raw))

    def _taken(self, entry: Entry, have: Known | None) -> Entry:
        """An entry of the index, its blob in the store too: what git lets go of must not be lost with it."""
        if have is None or have.entry != entry:
            self._store.put("blob", self._store.read(entry.oid).data)
        return entry

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


def beside(entry: Entry | None, raw: str | None) -> Known:
    """An entry and the disk's bytes beside it, where these are not the entry's; to be compared again."""
    return Known(entry, raw if entry is None or raw != entry.oid else None)


def guard_of(data: bytes) -> str | None:
    """Why a new untracked file of this content is not given to a patch."""
    if len(data) > LARGE:
        return "large"
    return "binary" if is_binary(data) else None
