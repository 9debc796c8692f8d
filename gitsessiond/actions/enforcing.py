"""What stands behind locks (``gitsession.locks``): everything follows what is locked now, and nothing is left behind.

``advisory``: people are told. ``hooks``: the installed hooks refuse besides. ``readonly``: the same, and files that
another session has locked have no write bits here (docs/locks.md, "What stands behind a lock").
"""

from __future__ import annotations

from gitsessiond.actions.context import Context
from gitsessiond.actions.hooking import LOCKS
from gitsessiond.actions.lockconflicts import close_lock_conflicts
from gitsessiond.actions.lockedpaths import covered, in_the_way
from gitsessiond.model.errors import disk_refused
from gitsessiond.model.names import unquote_path

READONLY = "readonly"
OURS = b".gitsession"


def follow_locks(ctx: Context) -> None:
    """Bring conflict records and write bits to what is locked now.

    Raises:
        StoreFailed: the disk or git refused; what is not done yet is done the next time.
    """
    for live in list(ctx.sessions.values()):
        close_lock_conflicts(ctx, live)
    try:
        settle_write_bits(ctx)
    except OSError as exc:
        raise disk_refused("the write bits of locked files cannot be noted", exc) from exc


def settle_write_bits(ctx: Context) -> None:
    """Take the write bits of what others have locked, where that is wanted, and give back all others.

    Raises:
        OSError: the disk refused.
    """
    kept = set()
    for live in ctx.sessions.values() if ctx.config.get(LOCKS) == READONLY else ():
        holds = in_the_way(ctx, live)
        if not holds or live.worktree is None:
            continue
        session = live.state.session
        wanted = {path for path in covered(holds, live.worktree.known) if path.split(b"/")[0] != OURS}
        ctx.write_bits.apply(session.worktree_id, unquote_path(session.worktree), wanted)
        kept.add(session.worktree_id)
    give_back_write_bits(ctx, kept)


def give_back_write_bits(ctx: Context, kept: set[str] | frozenset[str] = frozenset()) -> None:
    """Give files their write bits back, but in these worktrees.

    Raises:
        OSError: the disk refused.
    """
    places = {live.state.session.worktree_id: live.state.session.worktree for live in ctx.sessions.values()}
    for wid in ctx.write_bits.worktrees:
        if wid not in kept:
            ctx.write_bits.give_back(wid, unquote_path(places[wid]) if wid in places else None)
