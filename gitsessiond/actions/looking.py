"""What adoption sees of git: HEAD, what git is busy with, and the target."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from gitsessiond.actions.calls import file_in
from gitsessiond.actions.context import Context, Live
from gitsessiond.model.owners import with_files
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.head import Head, Tips, index_written, last_words, read_head
from gitsessiond.store.readings import Reading
from gitsessiond.store.steps import State
from gitsessiond.store.trees import diff_trees

MOMENT = 0.02  # seconds that git is given between its index and its HEAD; it needs 1 ms where it is let run
MOVES = ("merge ", "pull", "reset", "checkout")  # in the reflog: HEAD goes to what was there, or is made of it


class Look(NamedTuple):
    """What adoption saw; equal looks mean that nothing moved."""

    head: Head
    target: str | None


def seen_head(live: Live) -> str | None:
    """The commit at which adoption last saw HEAD."""
    return live.head_seen.head.oid if isinstance(live.head_seen, Look) else None


def look_at(live: Live, tips: Tips | None = None) -> Look:
    """HEAD, what git is busy with, and the target: a few small files. ``tips``: those that are known just now."""
    assert live.worktree is not None
    at = live.worktree.repository
    target = (tips or Tips(at.common_dir)).of(live.state.session.target)
    return Look(read_head(at.git_dir, at.common_dir), target)


def look_when_moved(live: Live, look: Look, reading: Reading | None) -> Look:
    """The look, or a later one: ``git switch`` and ``git reset`` give the index back a moment before they move HEAD.

    What they wrote is no edit, but only HEAD tells. So if files changed, HEAD did not and the index was written just
    now, HEAD is looked at again until it moves or :data:`MOMENT` is over (git's builtin/checkout.c: merge_working_tree,
    then update_refs_for_switched_branch).
    """
    assert live.worktree is not None
    changed = live.state.settled is not None or (reading is not None and bool(reading.changes))
    if not changed or not isinstance(live.head_seen, Look):
        return look
    seen = live.head_seen.head
    over = index_written(live.worktree.repository.git_dir) + MOMENT
    while look.head[:2] == seen[:2] and not look.head.at_work and 0 < over - time.time() <= MOMENT:
        time.sleep(MOMENT / 20)
        look = look_at(live)
    return look


def note_index(live: Live) -> None:
    """Before anything is made of a look: note the State before the saves that may be git's own, if HEAD moves later.

    git writes files, then its index, and HEAD last: after the user's ``pre-merge-commit``, which may take a minute.
    """
    assert live.worktree is not None
    written = index_written(live.worktree.repository.git_dir)
    if written != live.index_seen:
        live.index_seen, live.before_git = written, live.settled or live.state


def before_git_wrote(ctx: Context, live: Live, oid: str) -> State | None:
    """The State with the owners from before git wrote what HEAD, moved to ``oid`` since, brought; None: as it was.

    They are those of the paths that were saved as they are in that commit, and not in the one HEAD was at. Not if HEAD
    was moved by making a plain commit: what a person commits is theirs.
    """
    start, at = live.before_git, seen_head(live)
    if start is None or at is None or start.owners is live.state.owners or live.state.session.parked is not None:
        return None
    assert live.worktree is not None
    if not last_words(live.worktree.repository.git_dir).startswith(MOVES):
        return None
    tree, old = tree_of_commit(ctx.store, oid), tree_of_commit(ctx.store, at)
    brought = {one.path: one.after for one in diff_trees(ctx.store, old, tree)}
    saved = diff_trees(ctx.store, start.work, live.state.work)
    paths = [one.path for one in saved if one.path in brought and brought[one.path] == one.after]
    return back_at(live.state, start, paths) if paths else None


def back_at(state: State, start: State, paths: Iterable[bytes]) -> State:
    """The State with the owners of ``start`` at some paths; a patch with just its edits of then is ready as then."""
    then = {file.id: file for path in paths if (file := file_in(start.owners, path)) is not None}
    now = {file.id for path in paths if (file := file_in(state.owners, path)) is not None}
    owners = with_files(state.owners, then.values(), now - then.keys())
    patches = {
        pid: patch.model_copy(update={"status": "ready"})
        if patch.status == "draft"
        and (was := start.patches.get(pid)) is not None
        and was.status == "ready"
        and owners.files.of(pid) == start.owners.files.of(pid)
        else patch
        for pid, patch in state.patches.items()
    }
    return replace(state, owners=owners, patches=patches)
