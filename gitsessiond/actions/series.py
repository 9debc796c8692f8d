"""The series of every patch made again from chain, owners and base, and its commits kept in both stores."""

from __future__ import annotations

from dataclasses import replace

from gitsessiond.actions.context import Context
from gitsessiond.model.commits import CommitFacts, commit_data
from gitsessiond.model.graph import graph_of
from gitsessiond.model.holdings import committed_needs, held_back, parts_of
from gitsessiond.model.ownership import versions
from gitsessiond.model.series import Ground, Line, TreeAt, plan_series
from gitsessiond.store.chain import read_commit, tree_of_commit
from gitsessiond.store.steps import State
from gitsessiond.store.trees import edit_tree


def remake_series(ctx: Context, state: State) -> State:
    """The State with each unmerged patch's series as chain, owners and base now make it.

    New commits are in the store (pending, for the step that will name them) and durably in the repository.

    Raises:
        StateUnreadable: an object of the chain is gone.
        StoreFailed: the disk refused.
    """
    planned = plan_series(ground_of(ctx, state))
    changed = {
        pid: state.patches[pid].model_copy(update={"series": series})
        for pid, series in planned.items()
        if series != state.patches[pid].series
    }
    if not changed:
        return state
    ctx.store.to_repository([patch.series[-1].oid for patch in changed.values() if patch.series])
    return replace(state, patches={**state.patches, **changed})


def ground_of(ctx: Context, state: State) -> Ground:
    """What the series of a session are planned on."""
    graph = graph_of(state.owners)
    base_tree = tree_of_commit(ctx.store, state.session.base)
    lines = [
        Line(pid, state.patches[pid].series, frozen=state.patches[pid].status == "merged")
        for pid in graph.order()
        if pid in state.patches
    ]
    former = [commit.oid for line in lines for commit in line.series]

    def tree(wanted: TreeAt) -> str:
        owners = state.owners
        if wanted.held is not None:
            owners = held_back(owners, wanted.held, wanted.bit)
        overlay = versions(owners, wanted.owners, ctx.tools, wanted.bit)
        return edit_tree(ctx.store, base_tree, overlay) if overlay else base_tree

    def write(facts: CommitFacts) -> str:
        return ctx.store.put("commit", commit_data(facts))

    return Ground(
        sid=state.session.id,
        base=state.session.base,
        base_tree=base_tree,
        chain=tuple(read_commit(ctx.store, oid) for oid in state.session.chain),
        lines=tuple(lines),
        closure=committed_needs(state.owners),
        parts=parts_of(state.owners, len(state.session.chain)),
        former={oid: read_commit(ctx.store, oid) for oid in former},
        tree=tree,
        write=write,
    )
