"""What a merge would do, told beforehand: conflicts, blockers, and what landed by other hands already.

Nothing here moves anything of the user's; only :func:`notice_landed` records a step.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from gitsessiond.actions import views
from gitsessiond.actions.asked import status_words
from gitsessiond.actions.checking import Merged, Wanted, check_due
from gitsessiond.actions.clashing import records_of, resolved_tree
from gitsessiond.actions.combining import Clash, asked_again, has_taken_on
from gitsessiond.actions.commits import place_of
from gitsessiond.actions.contests import refuse_settled_rebase, review, settled_tree
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.landings import record_merged
from gitsessiond.actions.mergeable import (
    chosen_strategy,
    refuse_empty,
    refuse_foreign_base,
    target_tip,
    unmerged_dependencies,
)
from gitsessiond.actions.publishing import ordered, patch_trees
from gitsessiond.actions.strategies import committed_trees, stands_in, try_rebase, unsigned_note
from gitsessiond.actions.wording import has_hook, home_of
from gitsessiond.model.conflicts import place_words
from gitsessiond.model.errors import GitSessionError, Moved, Refused
from gitsessiond.model.graph import graph_of
from gitsessiond.model.hints import command_words
from gitsessiond.model.ownership import edits_of, unassigned_rows, uncommitted_paths
from gitsessiond.model.records import Patch
from gitsessiond.model.strategies import Strategy
from gitsessiond.model.values import Change
from gitsessiond.store.chain import CommitGraph, tree_of_commit
from gitsessiond.store.combined import combined_in
from gitsessiond.store.head import Tips
from gitsessiond.store.landing import find_place
from gitsessiond.store.layers import LandingLayer, objects_lacking
from gitsessiond.store.merge import TreeMerge, git_merge, git_merge_trees
from gitsessiond.store.picking import Three
from gitsessiond.store.trees import diff_trees
from gitsessiond.store.uptodate import refuse_blocked
from gitsessiond.store.walk import merges_plainly, walk_merge


@dataclass(frozen=True)
class Validation:
    """Everything that keeps a patch from being merged, and what a person should know besides."""

    blockers: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...] = ()
    check_due: dict[str, Any] | None = None  # what the asker is to run, for the answer to be whole


class Predicted(NamedTuple):
    """What a merge would come to: the conflicts, those resolved before among them, else what it changes."""

    clashes: tuple[Clash, ...]
    changes: tuple[Change, ...] = ()
    merged: Merged | None = None  # None: it clashes


def predict(ctx: Context, live: Live, pid: str, strategy: Strategy = "merge") -> Predicted:
    """The patch as it is now, uncommitted edits included, put on the target in memory.

    Patches it needs and the target lacks are put there with it, as one change whatever the strategy is.

    Raises:
        Refused: the target is gone.
        StoreFailed: git failed.
    """
    state = live.state
    lacking = {patch.id for patch in unmerged_dependencies(live, pid)}
    before, after = patch_trees(ctx, state, pid, lacking)
    after = settled_tree(ctx, state, pid, after)
    tip = target_tip(ctx, state.session.target)
    ours = tree_of_commit(ctx.store, tip)
    if strategy == "rebase" and not lacking:
        tried = try_rebase(ctx, live, state.patches[pid], tip, home_of(ctx, live), last=after)
        if tried.tree is None:
            return Predicted(tried.clashes)
        return predicted(ctx, tip, tried.layer, tried.tree)
    three = Three(before, ours, after)
    merge = walk_merge(ctx.store, *three) if merges_plainly(ctx.repository.common_dir, ctx.config) else None
    if merge is None:
        merge = merge_from(ctx, live, pid, three)
    clashes = clashes_of(ctx, live, pid, three, merge)
    if merge.tree is not None and not clashes:
        return predicted(ctx, tip, LandingLayer(ctx.store, merge.made), merge.tree)
    if any(record.status != "resolved" for _, record in clashes):
        return Predicted(clashes)
    if merge.by == "walk":  # it stops at clashes; git goes on around them
        merge = merge_from(ctx, live, pid, three)
        clashes = clashes_of(ctx, live, pid, three, merge)
    layer = LandingLayer(ctx.store, merge.made)
    tree = resolved_tree(layer, merge, clashes)
    return Predicted(clashes) if tree is None else predicted(ctx, tip, layer, tree)._replace(clashes=clashes)


def clashes_of(ctx: Context, live: Live, pid: str, three: Three, merge: TreeMerge) -> tuple[Clash, ...]:
    """What clashes in a merge, and what it would combine but a person has taken on."""
    asked = list[Clash]()
    if has_taken_on(live.state, pid):
        asked = asked_again(ctx, live, pid, combined_in(LandingLayer(ctx.store, merge.made), three, merge))
    return (*zip(merge.conflicts, records_of(ctx, live, pid, merge.conflicts), strict=True), *asked)


def predicted(ctx: Context, tip: str, layer: LandingLayer, tree: str) -> Predicted:
    """A merge without open conflicts."""
    return Predicted((), tuple(diff_trees(layer, tree_of_commit(ctx.store, tip), tree)), Merged(tip, layer, tree))


def merge_from(ctx: Context, live: Live, pid: str, three: Three) -> TreeMerge:
    """git's merge of trees that the repository need not have."""
    lacking = objects_lacking(ctx.store, three)
    labels = (live.state.session.target, live.state.patches[pid].name)
    return git_merge_trees(ctx.repository, *three, objects=lacking, labels=labels, cwd=home_of(ctx, live))


def validate_patch(ctx: Context, live: Live, pid: str, wanted: Wanted | None = None) -> Validation:
    """Everything that keeps a patch from being merged now; ``wanted``: the user's check must pass too."""
    review(ctx, live, pid)
    state = live.state
    patch = state.patches[pid]
    blockers = list(views.blockers_of(state, patch, graph_of(state.owners)))
    warnings: list[str] = []
    if patch.status in ("draft", "merged", "abandoned"):
        hint = command_words("patch", "reopen" if patch.status == "abandoned" else "ready", patch.name)
        blockers.insert(0, {"code": patch.status, "message": f"{patch.name} is {status_words(patch)}", "hint": hint})
    possible = patch.status not in ("merged", "abandoned")
    for look in (check_strategy_of, check_contents, check_place, check_target):
        try:
            warnings += look(ctx, live, pid)
        except GitSessionError as exc:
            possible = False
            blockers.append({"code": exc.reason or exc.code, "message": exc.message, "hint": exc.hint})
    due = None
    if possible:
        found = predict(ctx, live, pid, chosen_strategy(ctx))
        known = {blocker["code"] for blocker in blockers}
        blockers += [one for one in predicted_blockers(ctx, live, pid, found) if one["code"] not in known]
        if wanted is not None and found.merged is not None and not unmerged_dependencies(live, pid):
            try:
                due = check_due(ctx, live, pid, wanted, found.merged)
            except Refused as exc:
                blockers.append({"code": "check", "message": exc.message, "hint": exc.hint})
    return Validation(tuple(blockers), tuple(warnings), due)


def check_strategy_of(ctx: Context, live: Live, pid: str) -> list[str]:
    """:func:`chosen_strategy`, as a check of a patch; tell of commits that it lands unsigned."""
    refuse_settled_rebase(ctx, live.state, pid, kind := chosen_strategy(ctx))
    return unsigned_note(ctx, live.state, pid) if kind == "merge" else []


def check_contents(ctx: Context, live: Live, pid: str) -> list[str]:
    """Raise Refused when a patch is empty; tell what is not committed, and unassigned edits beside its own."""
    state, patch = live.state, live.state.patches[pid]
    before, after = patch_trees(ctx, state, pid)
    if before == after:
        refuse_empty(ctx, live, pid)
    warnings = []
    uncommitted = uncommitted_paths(state.owners, pid, live.tip_bit())
    if uncommitted:
        hook = ", if the pre-commit hook lets it" if has_hook(ctx, home_of(ctx, live), "pre-commit") else ""
        warnings.append(f"not committed yet, merging does it{hook}: {place_words(uncommitted)}")
    own = {change.path for change in diff_trees(ctx.store, before, after)}
    beside = sorted({row.path for row in unassigned_rows(state.owners)} & own)
    if beside:
        warnings.append(f"unassigned edits in files of {patch.name} do not land: {place_words(beside)}")
    return warnings


def check_place(ctx: Context, live: Live, pid: str) -> list[str]:
    """Raise Refused when a patch has uncommitted edits, and they cannot be committed in the session's worktree now."""
    if uncommitted_paths(live.state.owners, pid, live.tip_bit()):
        with suppress(Moved):  # what moved is taken in before anything is committed
            place_of(ctx, live)
    return []


def check_target(ctx: Context, live: Live, pid: str) -> list[str]:
    """Raise Refused when nothing can land on the target now."""
    tip = target_tip(ctx, live.state.session.target)
    refuse_foreign_base(ctx, live, tip, find_place(ctx.repository, live.state.session.target))
    refuse_lost(ctx, live, pid, tip)
    return []


def predicted_blockers(ctx: Context, live: Live, pid: str, found: Predicted) -> list[dict[str, Any]]:
    """One blocker for the paths at which a merge would stop, or for what lies in its way where it would land."""
    paths = [clash.path for clash, record in found.clashes if record.status != "resolved"]
    if not paths:
        return way_blockers(ctx, live, found)
    name, target = live.state.patches[pid].name, live.state.session.target
    who = f"{name} with what it needs" if unmerged_dependencies(live, pid) else name
    message = f"{who} would conflict with {target} in {place_words(paths)}"
    return [{"code": "conflicts", "message": message, "hint": command_words("merge", name)}]


def way_blockers(ctx: Context, live: Live, found: Predicted) -> list[dict[str, Any]]:
    """One blocker when something in the target's worktree is in the way."""
    try:
        refuse_in_the_way(ctx, live, found)
    except Refused as exc:
        return [{"code": "in_the_way", "message": exc.message, "hint": exc.hint}]
    return []


def refuse_in_the_way(ctx: Context, live: Live, found: Predicted) -> None:
    """Raise Refused when something in the target's worktree would keep what is predicted from landing."""
    place = find_place(ctx.repository, live.state.session.target)
    if place is not None:
        refuse_blocked(place, found.changes)


# Landed by somebody else.


def notice_landed(ctx: Context, live: Live, tips: Tips | None = None) -> list[str]:
    """Mark the patches whose changes the target has by other means: merged, squashed, picked by plain git.

    A patch counts when its last commit is in the target, or when merging it changes nothing there. Empty ones
    never count. Costs a file's read while neither the target nor a series moved. Returns the patches' ids.
    """
    state = live.state
    tip = (tips or Tips(ctx.repository.common_dir)).of(state.session.target)
    open_ones = [patch for patch in live.open_patches() if any(commit.of for commit in patch.series)]
    look = (tip, tuple(patch.series[-1].oid for patch in open_ones))
    if look == live.landed_seen:
        return []
    live.landed_seen = look
    found = []
    if tip is not None and tip != state.session.base:
        for pid in ordered(graph_of(state.owners), [patch.id for patch in open_ones]):
            if is_landed(ctx, live, pid, tip):
                record_merged(ctx, live, pid, tip, "git", verb="merged elsewhere")
                found.append(pid)
    return found


def is_landed(ctx: Context, live: Live, pid: str, tip: str) -> bool:
    """Whether the target has everything of a patch's series.

    History tells only while it is not the history of a landing that was taken back; content, once the patches below
    are merged: these are looked at first.
    """
    before, after = patch_trees(ctx, live.state, pid)
    if before == after:
        return False
    patch = live.state.patches[pid]
    series = patch.series[-1].oid
    ours = tree_of_commit(ctx.store, tip)
    graph = CommitGraph(ctx.repository.common_dir)
    undone = patch.reverted_in is not None and graph.within(patch.reverted_in, tip)
    if not undone and graph.within(series, tip):
        return True
    if unmerged_dependencies(live, pid):
        return False  # what it did to their lines may seem to be there only because these are not
    by_history = stands_in(ctx, live.state, patch, tip)
    three = Three(tree_of_commit(ctx.store, live.state.session.base), ours, tree_of_commit(ctx.store, series))
    if not by_history:
        three = own_change(ctx, live, patch, ours)
    walked = walk_merge(ctx.store, *three)
    if walked is not None and walked.tree != ours:
        return False
    if by_history:
        return git_merge(ctx.repository, tip, series, cwd=home_of(ctx, live)).tree == ours
    return merge_from(ctx, live, pid, three).tree == ours


def is_lost(ctx: Context, live: Live, pid: str, tip: str) -> bool:
    """Whether the target was rewritten, and a merged patch that is no part of the base yet is not in it any more."""
    landed = live.state.patches[pid].merge_commit
    if live.state.patches[pid].status != "merged" or landed is None:
        return False
    if CommitGraph(ctx.repository.common_dir).within(landed, tip):
        return False
    return bool(edits_of(live.state.owners, pid)) and not is_landed(ctx, live, pid, tip)


def refuse_lost(ctx: Context, live: Live, pid: str, tip: str) -> None:
    """Raise Refused when the target has lost a patch that this one needs: the history would say that it is there."""
    patches, needs = live.state.patches, graph_of(live.state.owners).closure(pid)
    lost = [patches[one].name for one in patches if one in needs and is_lost(ctx, live, one, tip)]
    if lost:
        name, target = patches[pid].name, live.state.session.target
        message = f"{name} depends on {', '.join(lost)}, which {target} does not have any more"
        raise Refused(message, hint="git session update", reason="lost_dependency")


def own_change(ctx: Context, live: Live, patch: Patch, ours: str) -> Three:
    """The merge of what a patch has committed into a tree, from what that stands on."""
    before, after = committed_trees(ctx, live.state, patch)
    return Three(before, ours, after)
