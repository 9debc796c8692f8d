"""What only tells (locks in the way, paths changed twice, what was left behind) brought to what there is now."""

from __future__ import annotations

from dataclasses import replace

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.denials import ended_denials
from gitsessiond.actions.leaving import ended_left
from gitsessiond.actions.lockconflicts import ended_saves
from gitsessiond.actions.overlaps import ended_overlaps
from gitsessiond.actions.publishing import publish
from gitsessiond.model.conflicts import LOCK, OVERLAP, SWITCH, is_notice

VERBS = {LOCK: "unlocked", OVERLAP: "apart", SWITCH: "nothing left"}


def close_notices(ctx: Context, live: Live) -> None:
    """Close a session's records of this sort that are over.

    Raises:
        StoreFailed: the disk or git refused.
    """
    mine = [one for one in live.state.conflicts.values() if one.status == "open" and is_notice(one)]
    if not mine:
        return
    ended = [look(ctx, live, mine) for look in (ended_saves, ended_denials, ended_overlaps, ended_left)]
    for kind, verb in VERBS.items():
        over = {cid: one for found in ended for cid, one in found.items() if one.kind == kind}
        if over:
            state = replace(live.state, conflicts={**live.state.conflicts, **over})
            names = ", ".join(one.path for one in over.values())
            publish(ctx, live, state, verb, text=names, facts={"conflicts": list(over)})
