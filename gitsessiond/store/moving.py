"""A session's worktree moved to another commit: files, branch and index together, or none of them.

The order keeps every crash repairable:

1. what is about to be, written down durably (``gitsession-update`` in the git dir);
2. ``index.lock``, as git takes it: no git changes the index or commits meanwhile;
3. the next index, in a file of its own;
4. the files, each exchanged with a prepared one and only then compared (:mod:`gitsessiond.store.writing`): what
   somebody saved meanwhile is put back, and all that was written so far with it;
5. the session's branch, by compare-and-set;
6. the next index over the old one; the lock goes, then, once the step is recorded, the note.

Until 5 a crash, a refusal or a save of somebody is answered by putting back what was written. From 5 on it is
finished. What the files were is recorded before 1; what else is in the worktree is not touched.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from gitsessiond.model.errors import Moved, StoreFailed
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.values import Entry
from gitsessiond.store.committing import index_in_use, mark_of
from gitsessiond.store.head import branch_tip
from gitsessiond.store.index import (
    copy_index,
    draft_lock,
    leave_out,
    refresh_entries,
    remove_file,
    set_entries,
    take_lock,
)
from gitsessiond.store.layout import sync
from gitsessiond.store.refs import RefMove, move_refs
from gitsessiond.store.trees import Trees
from gitsessiond.store.worktree import WorkTree
from gitsessiond.store.writing import write_files

NOTE, DRAFT, NEXT = "gitsession-update", "gitsession-update-lock", "gitsession-update-index"
PATIENCE = 5.0  # seconds for a git of ours that outlived a killed daemon
TIMES = 5  # how often what was written is put back while somebody saves it again

Files = Mapping[bytes, Entry | None]
Outcome = Literal["moved", "put back"]


@dataclass(frozen=True)
class Plan:
    """A worktree's move from one commit to another."""

    branch: str  # without refs/heads/
    old: str  # where it is
    new: str  # the commit it goes to
    base: str  # what the session stands on then
    files: Files = field(default_factory=dict)  # what each path on disk becomes
    now: Files = field(default_factory=dict)  # what is recorded of each
    raws: Mapping[bytes, str] = field(default_factory=dict)  # the blobs of the disk's own bytes, where these differ
    index: Files = field(default_factory=dict)  # entries to set
    index_seen: list[int] | None = None  # what told the index from any other when its entries were planned


class Begun(NamedTuple):
    """A move that was written down."""

    branch: str
    old: str
    new: str
    base: str
    files: Files
    lock: list[int] | None


def move(tree: WorkTree, store: Trees, plan: Plan, why: str, env: Mapping[str, str]) -> None:
    """Steps 1 to 6 but for the note, which stays until :func:`forget`.

    Raises:
        Moved: the branch, the index or one of the files changed meanwhile; everything is as it was.
        Refused: git holds the index, or something that is not recorded is in the way; everything is as it was.
        StoreFailed: git or the disk refused; everything is as it was, or :func:`settle` makes it so.
    """
    at = tree.repository
    draft = draft_lock(at.git_dir, DRAFT)
    write_note(at.git_dir, plan, mark_of(draft))
    try:
        take_lock(at.git_dir, draft)
        if mark_of(os.path.join(at.git_dir, "index")) != plan.index_seen:
            raise Moved("the index changed meanwhile", hint="run the command again")
        following = os.path.join(at.git_dir, NEXT)
        copy_index(at.git_dir, following)
        set_entries(at.worktree, following, plan.index)
        kept_out = [path for path, entry in plan.index.items() if entry and path in tree.left_out]
        leave_out(at.worktree, following, kept_out)
        write_files(tree, plan.files, plan.now, {}, store)
        if os.path.exists(following):
            refresh_entries(at.worktree, following, [path for path, entry in plan.index.items() if entry])
            sync(following)
        refs = [RefMove(f"refs/heads/{plan.branch}", plan.old, plan.new)]
        move_refs(at.git_dir, refs if plan.old != plan.new else (), why, env={**env, "GIT_INDEX_FILE": following})
    except BaseException:
        settle(tree, store, plan.now, plan.raws)
        raise
    finish(at.git_dir)


def finish(git_dir: str) -> None:
    """Step 6: the index, if nobody took our lock away, and the lock."""
    note, lock = read_note(git_dir), os.path.join(git_dir, "index.lock")
    mark = mark_of(lock)
    ours = note is not None and mark is not None and mark == note.lock
    following = os.path.join(git_dir, NEXT)
    if ours and os.path.exists(following):
        os.replace(following, os.path.join(git_dir, "index"))
        sync(git_dir)
    remove_file(following)
    remove_file(os.path.join(git_dir, DRAFT))
    if ours:
        remove_file(lock)


def forget(git_dir: str) -> None:
    """The move is recorded, or undone."""
    remove_file(os.path.join(git_dir, NOTE))


# What a crash or a refusal left.


def settle(tree: WorkTree, store: Trees, now: Files, raws: Mapping[bytes, str]) -> Outcome | None:
    """Bring a move that was begun to one of its ends; None: there is none. ``now`` and ``raws`` as in :class:`Plan`.

    After "moved" the note stays until the step is recorded.

    Raises:
        StoreFailed: git is still at work on it, or the disk refused; it can be asked again.
    """
    git_dir = tree.repository.git_dir
    begun = read_note(git_dir)
    if begun is None:
        return None
    until = time.monotonic() + PATIENCE
    while index_in_use(os.path.join(git_dir, NEXT)):
        if time.monotonic() > until:
            raise StoreFailed("git is at work on an update that was cut off", hint="git status")
        time.sleep(0.02)
    if begun.new != begun.old and branch_tip(tree.repository.common_dir, begun.branch) == begun.new:
        finish(git_dir)
        return "moved"
    put_back(tree, store, begun.files, now, raws)
    remove_file(os.path.join(git_dir, NEXT))
    finish(git_dir)
    forget(git_dir)
    return "put back"


def put_back(tree: WorkTree, store: Trees, files: Files, now: Files, raws: Mapping[bytes, str]) -> None:
    """Make what we wrote what it was; what somebody saved since is theirs.

    Raises:
        StoreFailed: the disk refused.
    """
    for _ in range(TIMES):
        ours = accepted(tree, files, files)
        if not ours:
            return
        try:
            write_files(tree, {path: now.get(path) for path in ours}, {path: files[path] for path in ours}, raws, store)
        except Moved:
            continue
        finally:
            accepted(tree, {path: now.get(path) for path in files}, files)
    raise StoreFailed("files are saved again and again while an update is undone", hint="git session update")


def accepted(tree: WorkTree, wanted: Files, paths: Files) -> list[bytes]:
    """Take for known what is on disk as ``wanted``; the rest is read again. Returns the paths taken."""
    reading = tree.read_whole(sorted(paths))
    found = [seen for seen in reading.changes if seen.path in wanted]
    changes = tuple(seen for seen in found if seen.after == wanted[seen.path])
    tree.accept(reading._replace(changes=changes))
    tree.read_again()
    return [seen.path for seen in changes]


# The note.


def write_note(git_dir: str, plan: Plan, lock: list[int] | None) -> None:
    """Step 1."""
    rows = [[quote_path(path), *(entry or (0, None))] for path, entry in plan.files.items()]
    told = {"format": 1, "branch": plan.branch, "old": plan.old, "new": plan.new, "base": plan.base, "lock": lock}
    with open(os.path.join(git_dir, NOTE), "w", encoding="ascii") as file:
        json.dump(told | {"files": rows}, file)
        file.flush()
        os.fsync(file.fileno())
    sync(git_dir)


def read_note(git_dir: str) -> Begun | None:
    """What was begun; None: nothing. A note that was cut short says that nothing of it had happened yet."""
    try:
        with open(os.path.join(git_dir, NOTE), encoding="ascii") as file:
            found = json.load(file)
        files = {unquote_path(path): Entry(mode, oid) if mode else None for path, mode, oid in found["files"]}
        return Begun(found["branch"], found["old"], found["new"], found["base"], files, found["lock"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        forget(git_dir)
        remove_file(os.path.join(git_dir, DRAFT))
        return None
