"""What git tracks in a worktree: the index, as far as recording needs it. Read only, when it changed.

Tracked paths are never ignored and never guarded; submodules and paths left out by a sparse checkout are
known here. The index is read through ``git ls-files``, so that split, sparse and future indexes are
understood.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from gitsessiond.model.values import GITLINK, Entry
from gitsessiond.store.config import Config, Signature, signature_of
from gitsessiond.store.git import run_git
from gitsessiond.store.head import read_head
from gitsessiond.store.repository import Repository

REMEMBERED = 200_000  # answers; then they are found anew
MANY = 200  # more pathspecs than this cost git more than to tell of everything
FEW = 32  # up to so many paths are looked up one by one in the listing; more make a set of it

# `git ls-files -s -t -z`: tag (-v: a small letter for assume-unchanged), mode, object id, stage, path
_LINE = re.compile(rb"([A-Za-z?]) (\d{6}) ([0-9a-f]{40}) (\d)\t([^\0]+)\0")
_PATH = re.compile(rb"\t([^\0]+)\0")


class _Row(NamedTuple):
    """An entry of the index; ``plain``: neither skip-worktree nor assume-unchanged."""

    entry: Entry
    plain: bool


class Tracked:
    """The index of one worktree. Every question sees the index as it is now."""

    def __init__(self, repository: Repository, config: Config) -> None:
        self._repository, self._config = repository, config
        self._file = os.path.join(repository.git_dir, "index")
        self._signature: Signature | bool = False
        self._names = b"\0"  # every path once or more, each between two NULs
        self._links: dict[bytes, str] = {}
        self._left_out: frozenset[bytes] = frozenset()
        self._answers: dict[bytes, bool] = {}  # a path, or a directory and a slash -> tracked
        self.version = 0  # counts the times the index was read

    def refresh(self) -> int:
        """Read the index again if it changed; returns :attr:`version`."""
        found = signature_of(self._file)
        if found == self._signature:
            return self.version
        out = self._git(["ls-files", "-s", "-t", "-z"])
        self._names = b"\0".join((b"", *_PATH.findall(out), b""))
        self._links = {
            match[5]: match[3].decode() for match in _LINE.finditer(out) if match[2] == b"160000"
        } if b" 160000 " in out else {}  # fmt: skip
        self._left_out = (
            frozenset(match[5] for match in _LINE.finditer(out) if match[1] == b"S")
            if b"\0S " in b"\0" + out
            else frozenset()
        )
        self._answers.clear()
        self._signature = found
        self.version += 1
        return self.version

    def among(self, paths: Collection[bytes]) -> set[bytes]:
        """Those of the paths that are tracked."""
        self.refresh()
        if len(self._answers) > REMEMBERED:
            self._answers.clear()
        new = [path for path in paths if path not in self._answers]
        tracked = self.all() if len(new) > FEW else None
        for path in new:
            named = b"\0" + path + b"\0" in self._names if tracked is None else path in tracked
            self._answers[path] = named
        return {path for path in paths if self._answers[path]}

    def all(self) -> set[bytes]:
        """Every tracked path."""
        self.refresh()
        return set(self._names.split(b"\0")) - {b""}

    def any_below(self, directory: bytes) -> bool:
        """Whether a tracked path lies under this directory."""
        self.refresh()
        start = directory + b"/"
        if start not in self._answers:
            self._answers[start] = b"\0" + start in self._names
        return self._answers[start]

    @property
    def links(self) -> Mapping[bytes, str]:
        """Submodules: path -> the commit in the index."""
        self.refresh()
        return self._links

    @property
    def left_out(self) -> frozenset[bytes]:
        """Paths that are tracked but not wanted on disk (``skip-worktree``, as a sparse checkout sets it)."""
        self.refresh()
        return self._left_out

    def link_now(self, path: bytes) -> Entry | None:
        """What ``git add`` would store for a submodule: its HEAD, or the index's commit without one."""
        stored = self.links.get(path)
        if stored is None:
            return None
        head = nested_head(os.path.join(os.fsencode(self._repository.worktree), path))
        return Entry(GITLINK, head or stored)

    def entries(self, paths: Sequence[bytes]) -> dict[bytes, Entry]:
        """What the index has at these paths, unmerged ones excepted; an empty blob may be ``add -N``."""
        wanted = set(paths)
        return {path: row.entry for path, row in self._rows(paths).items() if path in wanted}

    def clean_entries(self) -> dict[bytes, Entry]:
        """All paths whose file git holds to be what the index has, with that entry.

        Whoever looked at the files (lstat) before this call may believe it: git looks at them after. Where
        git would compare contents (an entry as young as the index) it does so without running filters.
        """
        return self._clean(self._rows(()), ())

    def entries_and_clean(self, paths: Sequence[bytes]) -> tuple[dict[bytes, Entry], dict[bytes, Entry]]:
        """:meth:`entries` of these paths, and which of them are clean as :meth:`clean_entries` has it."""
        wanted = set(paths)
        rows = {path: row for path, row in self._rows(paths).items() if path in wanted}
        return {path: row.entry for path, row in rows.items()}, self._clean(rows, paths)

    def _rows(self, paths: Sequence[bytes]) -> dict[bytes, _Row]:
        """The index at these paths (at more if there are many, at all if there is none), unmerged ones excepted."""
        out = self._git(["ls-files", "-s", "-v", "-z", "--", *specs(paths)])
        return {
            match[5]: _Row(Entry(int(match[2], 8), match[3].decode()), plain=match[1] == b"H")
            for match in _LINE.finditer(out)
            if match[4] == b"0"
        }

    def _clean(self, rows: Mapping[bytes, _Row], paths: Sequence[bytes]) -> dict[bytes, Entry]:
        """Those whose files git holds to be what the index has."""
        found = {path: row.entry for path, row in rows.items() if row.plain}
        if found:
            words = ["-c", "core.fsmonitor=false", *self._no_filters()]
            words += ["diff-files", "--name-only", "-z", "--ignore-submodules=none", "--"]
            for path in self._git([*words, *specs(paths)]).split(b"\0"):
                found.pop(path, None)
        return found

    def edited(self, paths: Sequence[bytes]) -> set[bytes]:
        """Those of these tracked paths whose content is not the index's, by their filters: as ``git status`` has it."""
        words = ["--no-optional-locks", "-c", "core.fsmonitor=false", "status", "--porcelain", "-z", "--no-renames"]
        words += ["--untracked-files=no", "--ignore-submodules=none", "--"]
        out = self._git([*words, *specs(paths)])
        return {line[3:] for line in out.split(b"\0") if line[1:2] not in (b"", b" ")}

    def _no_filters(self) -> list[str]:
        """Options that switch every filter driver off."""
        drivers = {key.rpartition(".")[0] for key in self._config.keys("filter.")}
        off = ("process=", "clean=", "required=false")
        return [word for driver in drivers for name in off for word in ("-c", f"{driver}.{name}")]

    def _git(self, args: Sequence[str | bytes]) -> bytes:
        """The output of a git that reads this worktree's index."""
        return run_git(args, cwd=self._repository.worktree).out

    def ignored_directories(self) -> set[bytes]:
        """Directories that git ignores whole, and submodules."""
        args = ["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"]
        names = self._git(args).split(b"\0")
        return {name[:-1] for name in names if name.endswith(b"/")} | set(self.links)

    def blob_sizes(self, oids: Sequence[str]) -> list[int | None]:
        """The size of each blob, as far as the repository has it."""
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        args = ["cat-file", "--batch-check=%(objectsize)", "--buffer"]
        lines = run_git(args, cwd=self._repository.worktree, input=asked).out.splitlines()
        return [int(line) if line.isdigit() else None for line in lines]


def is_nested(directory: bytes) -> bool:
    """Whether a directory is the top of a repository or worktree (setup.c: is_nonbare_repository_dir)."""
    dot = os.path.join(directory, b".git")
    return os.path.isfile(dot) or os.path.isfile(os.path.join(dot, b"HEAD"))


def nested_head(directory: bytes) -> str | None:
    """The commit checked out in a nested repository; None: no repository, or no commit."""
    dot = os.path.join(directory, b".git")
    git_dir = dot
    if os.path.isfile(dot):
        try:
            with open(dot, "rb") as file:
                pointer = file.read().strip()
        except OSError:
            return None
        git_dir = os.path.join(directory, pointer.removeprefix(b"gitdir:").strip())
    if not os.path.isdir(git_dir):
        return None
    return read_head(os.fsdecode(git_dir)).oid


def specs(paths: Sequence[bytes]) -> list[bytes]:
    """Pathspecs for just these paths; for very many none: git then tells of all, sooner."""
    return [b":(top,literal)" + path for path in paths] if len(paths) <= MANY else []
