"""What an update would do to files, index and branch; nothing of it is visible yet."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from gitsessiond.actions.carrying import Carried
from gitsessiond.actions.colliding import editor_at
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.recommitting import carry
from gitsessiond.actions.update_clashes import STAGED, Clash, record_of
from gitsessiond.model.conflicts import place_words
from gitsessiond.model.errors import Refused
from gitsessiond.model.hints import aside_words, git_words, in_turn
from gitsessiond.model.names import quote_path
from gitsessiond.model.records import Conflict
from gitsessiond.model.values import GITLINK, Entry
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.committing import mark_of
from gitsessiond.store.head import branch_tip
from gitsessiond.store.index import Staged, commit_taken_in, copy_index, staged_changes
from gitsessiond.store.landing import in_the_way
from gitsessiond.store.merge import PathConflict, Side, shape_of
from gitsessiond.store.steps import State
from gitsessiond.store.trees import diff_trees
from gitsessiond.store.unsaved import Unsaved, unsaved_among
from gitsessiond.store.worktree import WorkTree


@dataclass(frozen=True)
class Update:
    """What an update would do; nothing of it is visible yet."""

    base: str
    carried: Carried
    clashes: tuple[Clash, ...]  # those not resolved
    files: dict[bytes, Entry | None]
    index: dict[bytes, Entry | None]
    index_seen: list[int] | None
    unsaved: tuple[Unsaved, ...]
    submodules: tuple[bytes, ...]  # that point elsewhere then; their files are theirs


def plan_update(ctx: Context, live: Live, state: State, base: str) -> Update:
    """Everything that an update comes to, in objects only.

    Raises:
        Refused: something that is not recorded is in the way.
        StoreFailed: git failed.
    """
    assert live.worktree is not None
    carried = carry(ctx, live, state, base)
    changes = list(diff_trees(carried.layer, state.work, carried.work))
    links = [one.path for one in changes if GITLINK in {side.mode for side in (one.before, one.after) if side}]
    unwritten = {*links, *live.worktree.left_out}
    files = {one.path: one.after for one in changes if one.path not in unwritten}
    root = live.worktree.repository.worktree
    blocked = [path for path in in_the_way(root, changes) if path not in live.worktree.known]
    index, seen, staged = staged_carried(ctx, live, state, carried)
    clashes = (*carried.open, *(one for one in staged if one.record.status != "resolved"))
    if not clashes:
        refuse_overwriting(live.worktree, blocked, files)
    return Update(
        base=base,
        carried=replace(carried, clashes=[*carried.clashes, *staged]),
        clashes=clashes,
        files=files,
        index=index,
        index_seen=seen,
        unsaved=unsaved_of(live, root, files),
        submodules=tuple(links),
    )


def unsaved_of(live: Live, root: str, files: Collection[bytes]) -> tuple[Unsaved, ...]:
    """Those of these files that an editor has changes of: as front knows, and, as there may be none, as locks tell."""
    found = {one.path: one for one in unsaved_among(root, files)}
    for path in live.open.keys() & set(files):
        row = editor_at(live, path)
        if row["modified"]:
            found.setdefault(path, Unsaved(path, row["program"] or "an editor"))
    return tuple(found[path] for path in sorted(found))


def refuse_overwriting(tree: WorkTree, blocked: Sequence[bytes], files: Collection[bytes]) -> None:
    """Refuse to write over what nobody could bring back.

    Raises:
        Refused: something that is not recorded is in the way, or a file has edits that are not.
    """
    if blocked:
        first = os.path.join(tree.repository.worktree, os.fsdecode(blocked[0]))
        raise Refused(
            f"{place_words(blocked)} is in the way and not recorded",
            hint=in_turn(aside_words(first), "git session update"),
        )
    for path, why in sorted(tree.unrecorded(files).items()):
        raise Refused(
            f"{quote_path(path)} has edits that are not recorded ({why}), and the target changed it",
            hint=git_words(tree.repository.worktree, "stash", "push", "--", os.fsdecode(path)),
        )


def staged_carried(
    ctx: Context, live: Live, state: State, carried: Carried
) -> tuple[dict[bytes, Entry | None], list[int] | None, list[Clash]]:
    """The index over the new commits: entries to set, what told the index from another, and what clashes."""
    assert live.worktree is not None
    at = live.worktree.repository
    seen = mark_of(os.path.join(at.git_dir, "index"))
    head = branch_tip(at.common_dir, state.session.branch)
    assert head is not None, "place_of has seen it"
    with tempfile.TemporaryDirectory(dir=ctx.repository.state_dir, prefix="scratch-") as home:
        copy = os.path.join(home, "index")
        copy_index(at.git_dir, copy)
        staged = staged_changes(at.worktree, copy, head)
    changed = {
        one.path: (one.before, one.after)
        for one in diff_trees(carried.layer, tree_of_commit(ctx.store, head), carried.tree)
    }
    wrote = list[str]()

    def write(content: bytes) -> str:
        wrote.append(ctx.store.put("blob", content))
        return wrote[-1]

    taken = commit_taken_in(staged, changed, ctx.tools.merge3, lambda oid: carried.layer.read(oid).data, write)
    if wrote:
        ctx.store.to_repository(wrote)
    entries, clashes = dict(taken.entries), list[Clash]()
    for path in taken.clashes:
        clash = staged_clash(path, staged[path], *changed[path])
        record = record_of(ctx, state, STAGED, clash)
        clashes.append(Clash(clash, record))
        if record.status == "resolved":
            entries[path] = resolution(record)
    return entries, seen, clashes


def staged_clash(path: bytes, staged: Staged, before: Entry | None, after: Entry | None) -> PathConflict:
    """What is staged at a path beside what the update makes of it."""
    sides = tuple(Side(entry, path) if entry else None for entry in (before, after, staged.in_index))
    return PathConflict(path, shape_of((sides[0], sides[1], sides[2])), sides[0], sides[1], sides[2])


def resolution(record: Conflict) -> Entry | None:
    """What a resolved conflict's path is to be."""
    side = record.result
    return Entry(side.mode, side.oid) if side and side.oid is not None and side.mode is not None else None
