"""Patches as a person looks at them: list, show, ops, diff."""

from __future__ import annotations

from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.asked import patch_asked, state_asked
from gitsessiond.actions.checking import check_view
from gitsessiond.actions.context import Asked, Context
from gitsessiond.actions.landed import shown_ops, shown_trees
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.model.graph import graph_of
from gitsessiond.model.ownership import edits_of
from gitsessiond.store.chain import subject_of
from gitsessiond.store.git import run_git


def list_patches(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch list``: in creation order."""
    state = state_asked(ctx, asked)
    graph = graph_of(state.owners)
    return {"patches": [patch_reply(state, state.patches[pid], graph, ctx) for pid in state.session.patches]}


def show_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch show``: the patch with its ops, edits and series."""
    state, patch = patch_asked(ctx, asked)
    series = [
        {"oid": commit.oid, "of": commit.of, "subject": subject_of(ctx.store, commit.oid)} for commit in patch.series
    ]
    return {
        "patch": patch_reply(state, patch, ctx=ctx),
        "ops": [views.op_view(op) for op in shown_ops(ctx, state, patch)],
        "edits": [views.placed_view(state, edit) for edit in edits_of(state.owners, patch.id)],
        "series": series,
        "check": check_view(state, patch),
    }


def patch_ops(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch ops``: the paths that differ between the patch and what it stands on."""
    state, patch = patch_asked(ctx, asked)
    return {"ops": [views.op_view(op) for op in shown_ops(ctx, state, patch)]}


def diff_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch diff``: the patch as git's diff of its context and its version."""
    state, patch = patch_asked(ctx, asked)
    from_tree, to_tree = shown_trees(ctx, state, patch)
    # The trees are in the journal or in store.git; git reads the latter, so what is asked for is packed first.
    ctx.store.checkpoint()
    done = run_git(["diff", "--no-ext-diff", "--no-color", "-M", from_tree, to_tree, "--"], git_dir=ctx.store.git_dir)
    return {"diff": done.out.decode("utf-8", "surrogateescape")}
