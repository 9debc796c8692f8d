"""What waits to be read in a worktree, in which order, and what is left out on purpose."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from gitsessiond.store.config import Config
from gitsessiond.store.files import inode_of, signature
from gitsessiond.store.known import KnownPaths
from gitsessiond.store.scan import Look
from gitsessiond.store.tracked import Tracked

MANY = 100  # more new untracked files in one reading than this are guarded
NEVER = (".env", "*.pem", "id_*", "*.key")  # the default of gitsession.never

EDITORS_OWN = (
    ".*.sw[a-px]", ".sw[a-px]", ".#*", "#*#", ".*.kate-swp", ".~lock.*#", "*___jb_tmp___", "*___jb_old___",
    ".goutputstream-??????",
)  # fmt: skip
"""Swap, lock and temporary files of editors: they come and go, and are nobody's work. Not recorded, not told."""


class Todo(NamedTuple):
    """One path: a ``file`` to be read, a submodule (``link``), or one to be dropped (``gone``)."""

    kind: Literal["file", "link", "gone"]
    found: os.stat_result | None = None
    new: bool = False  # neither recorded nor tracked
    many: bool = False  # new, with many others


class Waiting:
    """The queue of one worktree. What is found last is read first: a person waits for it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._todo: dict[bytes, Todo] = {}
        self._skips: dict[bytes, tuple[str, bytes]] = {}  # path -> why, and the signature it had then
        self._old_skips: dict[bytes, tuple[str, bytes]] = {}
        self._skipped_under = -1  # the configuration's version

    def __len__(self) -> int:
        return len(self._todo)

    def clear(self) -> None:
        """Forget everything."""
        self._todo.clear()
        self._skips.clear()

    def restart(self) -> None:
        """A look at the whole worktree follows: what waited and what was left out is found by it again."""
        self._todo.clear()
        self._old_skips, self._skips = self._skips, {}
        if self._config.version != self._skipped_under:
            self._skipped_under, self._old_skips = self._config.version, {}

    def add(self, look: Look, known: KnownPaths, tracked: Tracked) -> dict[bytes, str]:
        """Take in what a look found; returns what is left out from now on."""
        fresh: dict[bytes, Todo] = {path: Todo("file", found) for path, found in look.differs}
        fresh.update(self._new(look, tracked))
        for path in [path for path, todo in fresh.items() if self._is_skipped(path, todo)]:
            del fresh[path]
        told, self._old_skips = self._old_skips, {}
        news = {
            path: why
            for path, why in look.skipped.items()
            if self.skip(path, why, b"") and told.get(path, ("", b""))[0] != why
        }
        for path in look.links:
            fresh[path] = Todo("link")
        for path in look.vanished:
            self._skips.pop(path, None)
        ordered = beside_partners(fresh, look.vanished, known)
        self._todo = ordered | {path: todo for path, todo in self._todo.items() if path not in ordered}
        return news

    def again(self, paths: Iterable[bytes]) -> None:
        """Read these whether or not they changed."""
        for path in paths:
            self._todo.setdefault(path, Todo("file"))

    def drop(self, paths: Iterable[bytes]) -> None:
        """These are no longer to be recorded."""
        for path in paths:
            self._todo[path] = Todo("gone")

    def take(self, limit: int, max_bytes: int) -> dict[bytes, Todo]:
        """The next to be read, at most so many, and at most so many bytes unless it is a single one."""
        taken: dict[bytes, Todo] = {}
        size = 0
        for path, todo in self._todo.items():
            size += todo.found.st_size if todo.found is not None else 0
            if len(taken) >= limit or (taken and size > max_bytes):
                break
            taken[path] = todo
        for path in taken:
            del self._todo[path]
        return taken

    def skip(self, path: bytes, why: str, sig: bytes) -> bool:
        """Leave a path out; tells whether that is news."""
        told = path in self._skips and self._skips[path][0] == why
        self._skips[path] = (why, sig)
        return not told

    def keep(self, path: bytes) -> None:
        """A path is recorded after all; so no directory above it is left out any more."""
        while path:
            self._skips.pop(path, None)
            path = path.rpartition(b"/")[0]

    def skipped(self) -> dict[bytes, str]:
        """Paths that are left out, and why."""
        return {path: why for path, (why, _) in self._skips.items()}

    def _new(self, look: Look, tracked: Tracked) -> dict[bytes, Todo]:
        """New paths: tracked ones are read like any; of the others some are never read, and many are many."""
        known_to_git = tracked.among([path for path, _ in look.new]) if look.new else set()
        patterns = self._config.all("gitsession.never") or list(NEVER)
        fresh: dict[bytes, Todo] = {}
        for path, found in look.new:
            if path in known_to_git:
                fresh[path] = Todo("file", found)
            elif matches_any(path, EDITORS_OWN):
                continue
            elif matches_any(path, patterns):
                look.skipped[path] = "never recorded (gitsession.never)"
            else:
                fresh[path] = Todo("file", found, new=True)
        if sum(todo.new for todo in fresh.values()) > MANY:
            fresh = {path: todo._replace(many=todo.new) for path, todo in fresh.items()}
        return fresh

    def _is_skipped(self, path: bytes, todo: Todo) -> bool:
        """Whether the very same file was left out before."""
        before = self._skips.get(path) or self._old_skips.get(path)
        if before is None or todo.found is None or before[1] != signature(todo.found):
            return False
        self._skips[path] = before
        return True


def beside_partners(fresh: Mapping[bytes, Todo], vanished: set[bytes], known: KnownPaths) -> dict[bytes, Todo]:
    """All of it in order of reading: a vanished path just before the new one with its inode, for renames."""
    by_inode = {inode_of(known[path].sig): path for path in vanished if path in known}
    by_inode.pop(None, None)
    ordered: dict[bytes, Todo] = {}
    for path, todo in fresh.items():
        partner = by_inode.get(todo.found.st_ino) if todo.found is not None else None
        if partner is not None and partner not in fresh:
            ordered[partner] = Todo("gone")
            ordered[path] = todo
    for path in vanished - fresh.keys():
        ordered.setdefault(path, Todo("gone"))
    return ordered | {path: todo for path, todo in fresh.items() if path not in ordered}


def matches_any(path: bytes, patterns: Iterable[str]) -> bool:
    """Whether a shell glob matches: a file's name; with ``/`` at its end a directory; with one inside, the path."""
    *directories, name = path.split(b"/")
    for pattern in patterns:
        glob = os.fsencode(pattern)
        if glob.endswith(b"/"):
            found = any(fnmatch.fnmatchcase(directory, glob[:-1]) for directory in directories)
        else:
            found = fnmatch.fnmatchcase(path if b"/" in glob else name, glob)
        if found:
            return True
    return False
