"""Whether a conflict is still the one that somebody looked at: a target or patch that moved since makes it another."""

from __future__ import annotations

from gitsessiond.actions.clashing import home_directory
from gitsessiond.actions.contests import try_settled
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.mergeable import chosen_strategy, target_tip
from gitsessiond.actions.taking_back import try_revert
from gitsessiond.model.conflicts import same_clash
from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.records import Conflict, Patch
from gitsessiond.model.strategies import Strategy


def stands(ctx: Context, live: Live, record: Conflict) -> bool:
    """Whether a merge of the record's patch, or its revert, would come to this very clash.

    A merge by another strategy than the one now set may have made it. What the patch has uncommitted does not count
    before it is committed. Where nobody can tell (the target is gone), it is as it was.

    Raises:
        StoreFailed: git failed.
    """
    patch = live.state.patches.get(record.patch or "")
    if record.kind not in ("git_merge", "git_revert") or patch is None or not patch.series:
        return True
    try:
        target = target_tip(ctx, live.state.session.target)
        first = chosen_strategy(ctx)
    except GitSessionError:
        return True
    if record.kind == "git_revert":
        tried = try_revert(ctx, live, patch, target, home_directory(ctx, live))
        return any(same_clash(one, record) for _, one in tried.clashes)
    others: tuple[Strategy, ...] = ("merge", "squash", "rebase")
    kinds = [first, *(kind for kind in others if kind != first)]
    return any(clashes_so(ctx, live, patch, kind, target, record) for kind in kinds)


def clashes_so(ctx: Context, live: Live, patch: Patch, kind: Strategy, target: str, record: Conflict) -> bool:
    """Whether this way of merging comes to the record's clash."""
    return any(same_clash(one, record) for one in records_by(ctx, live, patch, kind, target))


def records_by(ctx: Context, live: Live, patch: Patch, kind: Strategy, target: str) -> list[Conflict]:
    """The records of the clashes that this way of merging comes to now."""
    tried = try_settled(ctx, live, patch, kind, target, home_directory(ctx, live), sign=False)
    return [record for _, record in tried.clashes]
