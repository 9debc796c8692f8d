"""Sorting the disk on top of a chain that moved: where files differ from what the owners make of them."""

from __future__ import annotations

from collections.abc import Mapping

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.saves import paired, sorted_changes, with_disk
from gitsessiond.model.ownership import live_overlay
from gitsessiond.model.values import Change, Placed
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.readings import Reading
from gitsessiond.store.steps import State
from gitsessiond.store.trees import diff_trees, edit_tree, entry_at


def sort_disk(
    ctx: Context,
    live: Live,
    state: State,
    reading: Reading | None,
    head: str,
    resolved: Mapping[bytes, str],
) -> tuple[State, tuple[Placed, ...], list[Reading]]:
    """Sort where the disk differs from what the owners make of it, each such path read once more.

    ``head`` is HEAD's tree; ``resolved`` names the patch whose clash with the target HEAD's text settles. Paths that
    git wrote with its move may not have been reported yet; where record, owners and HEAD agree nothing is read.
    """
    assert live.worktree is not None
    readings = [reading] if reading is not None else []
    if reading is not None:
        state = with_disk(ctx, state, reading.changes)
    known = {seen.path for seen in reading.changes} if reading is not None else set()
    expected = expected_work(ctx, state)
    doubtful = [change.path for change in diff_trees(ctx.store, expected, state.work)] + git_may_have_written(
        ctx, live.state, head
    )
    stale = [path for path in dict.fromkeys(doubtful) if path not in known]
    while stale:
        fresh = live.worktree.read_paths(stale)
        readings.append(fresh)
        state = with_disk(ctx, state, fresh.changes)
        stale = [one.path for one in fresh.changes[:1]] if fresh.left else []  # asks for what still waits
    changes = paired(diff_trees(ctx.store, expected, state.work), [seen for one in readings for seen in one.changes])
    guarded = {path: why for one in readings for path, why in one.guarded.items()}
    state, settled = sort_resolved(ctx, live, state, changes, head, resolved)
    done = {edit.path for edit in settled}
    state, placed = sorted_changes(ctx, live, state, [one for one in changes if one.path not in done], guarded)
    return state, (*settled, *placed), readings


def sort_resolved(
    ctx: Context, live: Live, state: State, changes: list[Change], head: str, resolved: Mapping[bytes, str]
) -> tuple[State, tuple[Placed, ...]]:
    """Give files that are as a merge commit resolved them to the patch that had clashed there."""
    settled: tuple[Placed, ...] = ()
    for change in changes:
        owner = resolved.get(change.path)
        if owner is not None and change.renamed_from is None and change.after == entry_at(ctx.store, head, change.path):
            state, placed = sorted_changes(ctx, live, state, [change], claim=owner)
            settled += placed
    return state, settled


def git_may_have_written(ctx: Context, before: State, head: str) -> list[bytes]:
    """The paths at which the record is not HEAD's tree, but for those that neither HEAD of now nor of before has."""
    tip = before.session.chain[-1] if before.session.chain else before.session.base
    tree = tree_of_commit(ctx.store, tip)
    differing = diff_trees(ctx.store, before.work, head)
    return [one.path for one in differing if one.after is not None or entry_at(ctx.store, tree, one.path) is not None]


def expected_work(ctx: Context, state: State) -> str:
    """The tree that the owners make of the worktree."""
    base = tree_of_commit(ctx.store, state.session.base)
    overlay = live_overlay(state.owners, ctx.tools)
    return edit_tree(ctx.store, base, overlay) if overlay else base
