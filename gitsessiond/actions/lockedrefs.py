"""Locks on branches, and tokens of locks, as they count where a branch is moved by us (docs/locks.md, "Branches")."""

from __future__ import annotations

from gitsessiond.actions.context import Context, Who
from gitsessiond.actions.lockedpaths import branch_resource, holder_words, until_words
from gitsessiond.model.errors import Locked
from gitsessiond.model.lockmodes import KEPT_OUT, WRITE
from gitsessiond.model.locks import Hold
from gitsessiond.model.resources import overlap


def refuse_locked(ctx: Context, branch: str, who: Who) -> None:
    """Let nobody move a branch that another client has locked, or who has lost the lock he works under.

    The journal of locks is read for it: while a request takes long, much may happen to locks.

    Raises:
        Locked: who has it, or that the asker's own lock is no more.
    """
    holds, client = ctx.locks.now(anew=True), who.client
    if who.token is not None:
        client = under(holds, who.token).client
    name = branch_resource(branch)
    for hold in holds:
        if hold.client != client and hold.mode in KEPT_OUT[WRITE] and overlap(hold.resource, name):
            words = f"{holder_words(ctx, hold.holder)} until {until_words(ctx, hold)}"
            raise Locked(f"{branch} is locked by {words}", hint="git session locks", reason="held")


def under(holds: tuple[Hold, ...], token: int) -> Hold:
    """The lock of a token.

    Raises:
        Locked: it is over, or was broken: another may have written since.
    """
    for hold in holds:
        if hold.token == token:
            return hold
    raise Locked(f"the lock with token {token} is no more", hint="git session locks", reason="stale")
