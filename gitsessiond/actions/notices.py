"""What only tells (locks in the way, paths that two sessions change) brought to what there is now."""

from __future__ import annotations

from dataclasses import replace

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.denials import ended_denials
from gitsessiond.actions.lockconflicts import ended_saves
from gitsessiond.actions.overlaps import ended_overlaps
from gitsessiond.actions.publishing import publish
from gitsessiond.model.conflicts import LOCK, is_notice


def close_notices(ctx: Context, live: Live) -> None:
    """Close a session's records of this sort that are over.

    Raises:
        StoreFailed: the disk or git refused.
    """
    mine = [one for one in live.state.conflicts.values() if one.status == "open" and is_notice(one)]
    if not mine:
        return
    over = ended_saves(ctx, live, mine) | ended_denials(ctx, live, mine) | ended_overlaps(ctx, live, mine)
    if over:
        state = replace(live.state, conflicts={**live.state.conflicts, **over})
        verb = "unlocked" if any(one.kind == LOCK for one in over.values()) else "apart"
        names = ", ".join(one.path for one in over.values())
        publish(ctx, live, state, verb, text=names, facts={"conflicts": list(over)})
