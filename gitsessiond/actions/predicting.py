"""What a merge would do, told beforehand: conflicts, blockers, and what landed by other hands already.

Nothing here moves anything of the user's; only :func:`notice_landed` records a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.clashing import records_of
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.landings import home_of, record_merged
from gitsessiond.actions.mergeable import check_strategy, refuse_empty, refuse_foreign_base, target_tip
from gitsessiond.actions.publishing import patch_trees
from gitsessiond.model.conflicts import place_words
from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.graph import graph_of
from gitsessiond.model.ownership import unassigned_rows, uncommitted_paths
from gitsessiond.store.chain import CommitGraph, tree_of_commit
from gitsessiond.store.head import branch_tip
from gitsessiond.store.landing import find_place
from gitsessiond.store.layers import LandingLayer, objects_lacking
from gitsessiond.store.merge import TreeMerge, git_merge, git_merge_trees
from gitsessiond.store.trees import diff_trees
from gitsessiond.store.walk import merges_plainly, walk_merge


@dataclass(frozen=True)
class Validation:
    """Everything that keeps a patch from being merged, and what a person should know besides."""

    blockers: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...] = ()


def predict(ctx: Context, live: Live, pid: str) -> tuple[TreeMerge, int]:
    """The patch as it is now, uncommitted edits included, merged into the target in memory; paths changed.

    Raises:
        Refused: the target is gone.
        StoreFailed: git failed.
    """
    state = live.state
    before, after = patch_trees(ctx, state, pid)
    ours = tree_of_commit(ctx.store, target_tip(ctx, state.session.target))
    merge = None
    if merges_plainly(ctx.repository.common_dir, ctx.config):
        merge = walk_merge(ctx.store, before, ours, after)
    if merge is None:
        lacking = objects_lacking(ctx.store, (before, ours, after))
        labels = (state.session.target, state.patches[pid].name)
        home = home_of(ctx, live)
        merge = git_merge_trees(ctx.repository, before, ours, after, objects=lacking, labels=labels, cwd=home)
    if merge.tree is None:
        return merge, 0
    return merge, len(diff_trees(LandingLayer(ctx.store, merge.made), ours, merge.tree))


def validate_patch(ctx: Context, live: Live, pid: str) -> Validation:
    """Everything that keeps a patch from being merged now; nothing changes."""
    state = live.state
    patch = state.patches[pid]
    blockers = list(views.blockers_of(state, patch, graph_of(state.owners)))
    warnings: list[str] = []
    if patch.status in ("draft", "merged", "abandoned"):
        hint = f"git session patch {'reopen' if patch.status == 'abandoned' else 'ready'} {patch.name}"
        blockers.insert(0, {"code": patch.status, "message": f"{patch.name} is {patch.status}", "hint": hint})
    for check in (check_strategy_of, check_contents, check_target):
        try:
            warnings += check(ctx, live, pid)
        except GitSessionError as exc:
            blockers.append({"code": exc.code, "message": exc.message, "hint": exc.hint})
    if not blockers:
        blockers += predicted_conflicts(ctx, live, pid)
    return Validation(tuple(blockers), tuple(warnings))


def check_strategy_of(ctx: Context, live: Live, pid: str) -> list[str]:
    """:func:`check_strategy`, as a check of a patch."""
    check_strategy(ctx)
    return []


def check_contents(ctx: Context, live: Live, pid: str) -> list[str]:
    """Raise Refused when a patch is empty; tell what is not committed, and unassigned edits beside its own."""
    state, patch = live.state, live.state.patches[pid]
    before, after = patch_trees(ctx, state, pid)
    if before == after:
        refuse_empty(ctx, live, pid)
    warnings = []
    uncommitted = uncommitted_paths(state.owners, pid, live.tip_bit())
    if uncommitted:
        warnings.append(f"not committed yet, merging does it: {place_words(uncommitted)}")
    own = {change.path for change in diff_trees(ctx.store, before, after)}
    beside = sorted({row.path for row in unassigned_rows(state.owners)} & own)
    if beside:
        warnings.append(f"unassigned edits in files of {patch.name} do not land: {place_words(beside)}")
    return warnings


def check_target(ctx: Context, live: Live, pid: str) -> list[str]:
    """Raise Refused when nothing can land on the target now."""
    tip = target_tip(ctx, live.state.session.target)
    refuse_foreign_base(ctx, live, tip, find_place(ctx.repository, live.state.session.target))
    return []


def predicted_conflicts(ctx: Context, live: Live, pid: str) -> list[dict[str, Any]]:
    """One blocker for the paths at which a merge would stop."""
    merge, _ = predict(ctx, live, pid)
    records = zip(merge.conflicts, records_of(ctx, live, pid, merge.conflicts), strict=True)
    paths = [clash.path for clash, record in records if record.status != "resolved"]
    if not paths:
        return []
    name, target = live.state.patches[pid].name, live.state.session.target
    message = f"{name} would conflict with {target} in {place_words(paths)}"
    return [{"code": "conflicts", "message": message, "hint": f"git session merge {name}"}]


# Landed by somebody else.


def notice_landed(ctx: Context, live: Live) -> list[str]:
    """Mark the patches whose changes the target has by other means: merged, squashed, picked by plain git.

    A patch counts when its last commit is in the target, or when merging it changes nothing there. Empty ones
    never count. Costs a file's read while neither the target nor a series moved. Returns the patches' ids.
    """
    state = live.state
    tip = branch_tip(ctx.repository.common_dir, state.session.target)
    open_ones = [patch for patch in live.open_patches() if any(commit.of for commit in patch.series)]
    look = (tip, tuple(patch.series[-1].oid for patch in open_ones))
    if look == live.landed_seen:
        return []
    live.landed_seen = look
    found = []
    if tip is not None and tip != state.session.base:
        for patch in open_ones:
            if is_landed(ctx, live, patch.id, tip):
                record_merged(ctx, live, patch.id, tip, "git", verb="merged elsewhere")
                found.append(patch.id)
    return found


def is_landed(ctx: Context, live: Live, pid: str, tip: str) -> bool:
    """Whether the target has everything of a patch's series."""
    before, after = patch_trees(ctx, live.state, pid)
    if before == after:
        return False
    series = live.state.patches[pid].series[-1].oid
    if CommitGraph(ctx.repository.common_dir).within(series, tip):
        return True
    ours, theirs = tree_of_commit(ctx.store, tip), tree_of_commit(ctx.store, series)
    walked = walk_merge(ctx.store, tree_of_commit(ctx.store, live.state.session.base), ours, theirs)
    if walked is not None and walked.tree != ours:
        return False
    return git_merge(ctx.repository, tip, series, cwd=home_of(ctx, live)).tree == ours
