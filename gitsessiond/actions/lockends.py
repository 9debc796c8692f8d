"""Which locks are for nothing any more: the session has ended, or all its edits there have landed or are given up.

Of a landed patch only locks on single files end: whoever has a directory, a pattern or a branch has it for more. An
editor's own marks end with its unsaved changes, not before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from gitsessiond.actions.announcing import ENDED
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.lockedpaths import PATH, compared, session_of
from gitsessiond.model.files import marks_of
from gitsessiond.model.locks import Hold
from gitsessiond.model.owners import changed_paths
from gitsessiond.model.resources import Resource
from gitsessiond.store.steps import State

LOCKS_DONE = "locks_done"


def locks_done(ctx: Context, live: Live, before: State, after: State) -> Iterator[dict[str, Any]]:
    """The event that has front free them, if a step leaves such."""
    closes = before.session.status == "open" != after.session.status
    ended = {pid for pid, patch in after.patches.items() if patch.status in ENDED}
    fresh = {pid for pid in ended if pid in before.patches and before.patches[pid].status not in ENDED}
    if not (closes or fresh):
        return
    editors = {row.get("client") for rows in live.open.values() for row in rows if not closes}
    mine = [
        hold for hold in ctx.locks.now() if hold.client not in editors and session_of(ctx, hold.holder) is live
    ]  # fmt: skip
    if mine and not closes:
        paths = let_go(before, after, ended, fresh)
        mine = [hold for hold in mine if is_one_of(hold.resource, paths)]
    if mine:
        yield told_of(after, mine)


def told_of(state: State, holds: Collection[Hold]) -> dict[str, Any]:
    """The event."""
    told = {"type": LOCKS_DONE, "session": state.session.id, "step": state.number}
    return {**told, "resources": [hold.resource.name for hold in holds], "tokens": [hold.token for hold in holds]}


def let_go(before: State, after: State, ended: Collection[str], fresh: Collection[str]) -> list[bytes]:
    """The files that patches which end now had edits in, and nobody else of the session has."""
    done = {path for path, file in changed_paths(before.owners).items() if not marks_of(file).labels.isdisjoint(fresh)}
    others = {path for path, file in changed_paths(after.owners).items() if not marks_of(file).labels <= set(ended)}
    return sorted(done - others)


def is_one_of(name: Resource, paths: Collection[bytes]) -> bool:
    """Whether it is the name of one of these files, and of nothing else."""
    if name.rest or name.deep or name.node[:1] != (PATH,):
        return False
    return "/".join(name.node[1:]) in {compared(path, name.folded) for path in paths}
