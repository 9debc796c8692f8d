"""What a merged patch brought, once an update has made its edits part of the base: read off what landed.

Until then the owners tell. Afterwards no line is the patch's any more, but its merge still says what came with it.
"""

from __future__ import annotations

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.publishing import patch_trees
from gitsessiond.model.errors import StateUnreadable
from gitsessiond.model.ownership import ops_of
from gitsessiond.model.records import Patch
from gitsessiond.model.renames import pair_renames
from gitsessiond.model.versions import Op, op_between
from gitsessiond.store.chain import read_commit, tree_of_commit
from gitsessiond.store.steps import State
from gitsessiond.store.trees import diff_trees


def shown_trees(ctx: Context, state: State, patch: Patch) -> tuple[str, str]:
    """The trees that a patch is shown as the difference of."""
    return landed_trees(ctx, state, patch) or patch_trees(ctx, state, patch.id)


def shown_ops(ctx: Context, state: State, patch: Patch) -> list[Op]:
    """What a patch does to what it stands on, or did to its target, in path order."""
    trees = landed_trees(ctx, state, patch)
    if trees is None:
        return ops_of(state.owners, patch.id, ctx.tools)
    changes = diff_trees(ctx.store, *trees)
    moved = pair_renames(
        {one.path: (one.before, None) for one in changes if one.before is not None and one.after is None},
        {one.path: (one.after, None) for one in changes if one.after is not None and one.before is None},
    )
    kept = [one for one in changes if one.before is not None and one.after is not None]
    out = []
    for path, before, after, source in (*moved, *kept):
        old = (path if source is None else source, before) if before is not None else None
        op = op_between(old, (path, after) if after is not None else None)
        out += [op] if op is not None else []
    return sorted(out, key=lambda op: op.path)


def landed_count(ctx: Context, live: Live | None, state: State, patch: Patch) -> int | None:
    """How many ops landed with a patch that is in the base; None: the owners tell. Counted once in an open session."""
    if not is_in_base(state, patch):
        return None
    key = patch.id, patch.merge_commit
    known = live.landed_ops.get(key) if live is not None else None
    if known is None:
        known = len(shown_ops(ctx, state, patch))
        if live is not None:
            live.landed_ops[key] = known
    return known


def is_in_base(state: State, patch: Patch) -> bool:
    """Whether a patch is merged, and none of its edits is above the session's base."""
    return patch.status == "merged" and not state.owners.files.of(patch.id)


def landed_trees(ctx: Context, state: State, patch: Patch) -> tuple[str, str] | None:
    """The target's trees before and after a merge; where others landed it, those around its own commits.

    None: the patch is not in the base, or what it landed as is gone from the repository.
    """
    if not is_in_base(state, patch):
        return None
    try:
        if patch.merge_onto and patch.merge_commit:
            return tree_of_commit(ctx.store, patch.merge_onto), tree_of_commit(ctx.store, patch.merge_commit)
        own = [commit.oid for commit in patch.series if commit.of is not None]
        if own:
            under = read_commit(ctx.store, own[0]).parents[0]
            return tree_of_commit(ctx.store, under), tree_of_commit(ctx.store, own[-1])
    except StateUnreadable:
        pass  # a rewrite of the target and a gc may take it away; the series' commits are kept
    return None
