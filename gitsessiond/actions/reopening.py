"""A merged patch whose landing was taken back: open again, with the edits it had."""

from __future__ import annotations

from dataclasses import replace

from gitsessiond.actions.clash_files import write_control_files
from gitsessiond.actions.clashing import with_patch
from gitsessiond.actions.combining import Made, with_automatic
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.saves import how_for
from gitsessiond.actions.series import remake_series
from gitsessiond.actions.taking_back import without_reverts
from gitsessiond.model.ownership import assign, set_state
from gitsessiond.store.steps import State


def record_reverted(ctx: Context, live: Live, pid: str, commit: str, by: str, made: Made | None = None) -> None:
    """Record that the target has a patch no more: it is a draft, and what it got after the merge is its own again."""
    patch, target = live.state.patches[pid], live.state.session.target
    state = open_again(ctx, live, live.state, pid, commit)
    if made is not None:
        state = with_automatic(ctx, state, pid, made, "git_revert")
    live.memory.forget()
    facts = {"patch": {"id": pid, "name": patch.name}, "target": target, "commit": commit}
    publish(ctx, live, state, "revert", by=by, text=f"{patch.name} on {target}", facts=facts)
    write_control_files(ctx, live)


def open_again(ctx: Context, live: Live, state: State, pid: str, commit: str) -> State:
    """The State with this patch open; edits that cannot be its own any more stay unassigned."""
    patch = state.patches[pid].model_copy(
        update={
            "status": "draft",
            "merged_at": None,
            "merge_commit": None,
            "merge_strategy": None,
            "merge_onto": None,
            "reverted_in": commit,
            "check": None,  # it was of the target with the patch, or of that without it
        }
    )
    state = without_reverts(state, pid)
    state = replace(with_patch(state, patch), owners=set_state(state.owners, pid, "open"))
    taken = assign(state.owners, pid, how_for(ctx, live, state, {}), labels={f"~merged {pid}"})
    state = replace(state, owners=taken.owners)
    return remake_series(ctx, state) if state.session.chain else state
