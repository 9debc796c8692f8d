"""The judge: where git's merge of two patches would not give what the weave says, a dependency is added."""

from __future__ import annotations

from dataclasses import replace

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.series import remake_series
from gitsessiond.model.ownership import judge


def judge_session(ctx: Context, live: Live) -> None:
    """Run the judge over what changed since it last ran; owners never change, edges may be added.

    Raises:
        StoreFailed: the new edges could not be recorded; it stays due.
    """
    owners = judge(live.state.owners, ctx.tools)
    if owners is live.state.owners:
        live.judge_due = False
        return
    state = replace(live.state, owners=owners)
    if state.session.chain:
        state = remake_series(ctx, state)
    publish(ctx, live, state, "judge", by="gitsessiond", text="dependencies found by merging")
    live.judge_due = False
