"""What git has checked out in a worktree and what it is busy with, read from files alone.

Adoption asks this before every command and after every batch of saves, so it must cost a fraction of a
millisecond: no process is started and no object is read. Nothing here writes.

Source of the layout: gitrepository-layout(5); of the files that mark work under way: git's wt-status.c
(``wt_status_get_state``), rebase-merge/head-name and rebase-apply/head-name of builtin/rebase.c.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import NamedTuple

from gitsessiond.model.values import ZERO_OID
from gitsessiond.store.repository import common_dir_of

HEADS = b"refs/heads/"

AT_WORK = frozenset({
    "index.lock",  # taken before a tracked file is touched; a commit moves HEAD first, switch and reset just after it
    "rebase-merge",
    "rebase-apply",  # a rebase by patches, or `git am`
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "sequencer",
})  # fmt: skip


STOPPED = (
    ("rebase", ("rebase-merge", "rebase-apply")),
    ("merge", ("MERGE_HEAD",)),
    ("cherry-pick", ("CHERRY_PICK_HEAD",)),
    ("revert", ("REVERT_HEAD",)),
)

_MADE = re.compile(rb"(commit|cherry-pick|revert|am)\b|(rebase|pull).*\((pick|reword|edit|squash|fixup|continue)\)")


class Head(NamedTuple):
    """Where a worktree's HEAD is. ``oid`` None: no commit there (an unborn or deleted branch)."""

    oid: str | None
    branch: str | None  # without refs/heads/; None: detached, or HEAD names a ref that is no branch
    at_work: frozenset[str] = frozenset()  # names of AT_WORK that are there
    rebasing: str | None = None  # the branch a rebase under way will put back, without refs/heads/

    @property
    def index_lock(self) -> bool:
        """Whether some git process holds the index."""
        return "index.lock" in self.at_work

    @property
    def stands_on(self) -> str | None:
        """The branch this worktree is about: HEAD's, or the one that a rebase took off HEAD for a while."""
        return self.branch or self.rebasing


def read_head(git_dir: str, common_dir: str | None = None) -> Head:
    """HEAD of a worktree and what git is busy with there.

    ``git_dir`` is the worktree's own (``<common>/worktrees/<name>`` when linked). A worktree that is gone
    reads as ``Head(None, None)``.
    """
    common = common_dir or common_dir_of(git_dir)
    at_work = AT_WORK.intersection(_names(git_dir))
    rebasing = _rebasing(git_dir) if at_work & {"rebase-merge", "rebase-apply"} else None
    content = _read(f"{git_dir}/HEAD")
    if content is None:
        return Head(None, None, at_work, rebasing)
    content = content.strip()
    if not content.startswith(b"ref:"):
        return Head(_oid(content), None, at_work, rebasing)
    name = content[4:].strip()
    branch = os.fsdecode(name[len(HEADS) :]) if name.startswith(HEADS) else None
    return Head(read_ref(git_dir, common, name), branch, at_work, rebasing)


def read_ref(git_dir: str, common_dir: str, name: bytes) -> str | None:
    """The commit a ref names, loose or packed, through at most five symbolic refs; None: no such ref."""
    for _ in range(5):
        own = name.startswith((b"refs/bisect/", b"refs/worktree/", b"refs/rewritten/")) or b"/" not in name
        content = _read(os.path.join(git_dir if own else common_dir, os.fsdecode(name)))
        if content is None:
            return _packed(common_dir, name)
        content = content.strip()
        if not content.startswith(b"ref:"):
            return _oid(content)
        name = content[4:].strip()
    return None


def branch_tip(common_dir: str, branch: str) -> str | None:
    """The commit of a branch given without refs/heads/; None: no such branch."""
    return read_ref(common_dir, common_dir, HEADS + os.fsencode(branch))


class Tips:
    """The tips of branches, each read once: for one look at many sessions, which mostly have the same target."""

    def __init__(self, common_dir: str) -> None:
        self._common_dir = common_dir
        self._known: dict[str, str | None] = {}

    def of(self, branch: str) -> str | None:
        """The commit of a branch; None: no such branch."""
        if branch not in self._known:
            self._known[branch] = branch_tip(self._common_dir, branch)
        return self._known[branch]


def index_written(git_dir: str) -> float:
    """When the index was written last, in seconds of the wall clock; 0: there is none."""
    try:
        return os.stat(f"{git_dir}/index").st_mtime
    except OSError:
        return 0.0


def renamed_branch(common_dir: str, old: str, new: str) -> bool:
    """Whether ``git branch -m`` made branch ``new`` out of ``old``, in one step or several.

    git writes ``Branch: renamed refs/heads/OLD to refs/heads/NEW`` into the branch's reflog, which moves
    along with the branch (refs/files-backend.c). Without a reflog nothing can be told: the answer is no.
    """
    log = _read(os.path.join(common_dir, "logs", os.fsdecode(HEADS), new))
    if log is None:
        return False
    name, wanted = HEADS + os.fsencode(new), HEADS + os.fsencode(old)
    for line in reversed(log.splitlines()):
        words = line.partition(b"\t")[2]
        if words.startswith(b"Branch: renamed ") and words.endswith(b" to " + name):
            name = words[len(b"Branch: renamed ") : -len(b" to " + name)]
            if name == wanted:
                return True
    return False


def renamed_to(common_dir: str, old: str) -> list[str]:
    """The branches that ``git branch -m`` made out of ``old``, as far as their reflogs tell."""
    top = os.path.join(common_dir, "logs", os.fsdecode(HEADS))
    names = (os.path.relpath(os.path.join(at, name), top) for at, _, files in os.walk(top) for name in files)
    return [name for name in names if branch_tip(common_dir, name) and renamed_branch(common_dir, old, name)]


def last_words(git_dir: str) -> str:
    """Why HEAD last moved, as its reflog says (``reset: moving to HEAD~1``); empty when there is no reflog.

    Good for wording only: the reflog may be switched off, and misses refs moved from elsewhere.
    """
    try:
        with open(f"{git_dir}/logs/HEAD", "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 4096))
            tail = log.read()
    except OSError:
        return ""
    lines = tail.splitlines()
    return lines[-1].partition(b"\t")[2].decode("utf-8", "replace") if lines else ""


def made_here(git_dir: str) -> frozenset[str]:
    """The commits that HEAD's reflog says were made in this worktree (committed, picked, applied).

    What HEAD was only moved to (``checkout``, ``merge ...: Fast-forward``, ``reset``) is not among them.
    """
    log = _read(f"{git_dir}/logs/HEAD") or b""
    found = set()
    for line in log.splitlines():
        head, _, words = line.partition(b"\t")
        if _MADE.match(words) and (oid := _oid(head[41:81])):
            found.add(oid)
    return frozenset(found)


def _names(directory: str) -> list[str]:
    """What is in a directory; one listing takes less than a question for each name."""
    try:
        return os.listdir(directory)
    except OSError:  # the worktree is gone
        return []


def _rebasing(git_dir: str) -> str | None:
    """The branch that the rebase under way will put back on HEAD; None for `git am` and detached rebases."""
    for place in ("rebase-merge", "rebase-apply"):
        name = _read(f"{git_dir}/{place}/head-name")
        if name is not None and name.startswith(HEADS):
            return os.fsdecode(name.strip()[len(HEADS) :])
    return None


def command_at_work(git_dir: str) -> str | None:
    """The git command that stopped in a worktree and waits for ``--continue`` or ``--abort``; None: there is none.

    Source: git's wt-status.c, ``wt_status_get_state``: a rebase first, which leaves CHERRY_PICK_HEAD as well.
    """
    if os.path.lexists(f"{git_dir}/rebase-apply/applying"):
        return "am"
    for command, marks in STOPPED:
        if any(os.path.lexists(f"{git_dir}/{mark}") for mark in marks):
            return command
    todo = (_read(f"{git_dir}/sequencer/todo") or b"").split()
    return {b"pick": "cherry-pick", b"revert": "revert"}.get(todo[0]) if todo else None


def _packed(common_dir: str, name: bytes) -> str | None:
    """A ref's commit in ``packed-refs``; the file is read again only when it changed."""
    path = os.path.join(common_dir, "packed-refs")
    try:
        found = os.stat(path)
    except OSError:
        return None
    return _packed_at(path, (found.st_ino, found.st_mtime_ns, found.st_size), name)


@lru_cache(maxsize=64)
def _packed_at(path: str, _version: tuple[int, int, int], name: bytes) -> str | None:
    """One look-up in one version of a ``packed-refs`` file: lines ``<oid> <name>``."""
    content = _read(path) or b""
    at = content.find(b" " + name + b"\n")
    return _oid(content[at - 40 : at]) if at >= 40 else None


def _oid(text: bytes) -> str | None:
    """The object id, or None for anything else (a ref half-written by a crash)."""
    oid = text.decode("ascii", "replace")
    good = len(oid) == 40 and not oid.strip("0123456789abcdef") and oid != ZERO_OID
    return oid if good else None


def _read(path: str) -> bytes | None:
    """A small file's content; None when there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts = [os.read(fd, 1 << 16)]
        while len(parts[-1]) == 1 << 16:
            parts.append(os.read(fd, 1 << 16))
        return b"".join(parts)
    except OSError:  # a directory of that name
        return None
    finally:
        os.close(fd)
