"""Saves over another session's lock: kept as any save, and on record as a conflict of kind ``resource_lock``.

Nothing is asked of anybody: both texts are in the record of their sessions, and whether their lines clash the merge
tells. It is open as long as both stand, the lock and the edit, and closes by itself with either; that of the same
holder on the same path counts on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.lockedpaths import covering, holder_words, in_the_way, session_of, who_of
from gitsessiond.model.conflicts import LOCK
from gitsessiond.model.files import marks_of
from gitsessiond.model.locks import Hold
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.owners import Owners, changed_paths
from gitsessiond.model.records import Conflict, LockInTheWay
from gitsessiond.store.readings import Seen
from gitsessiond.store.steps import State

MOST = 100  # of one step: a checkout may write thousands


def with_lock_conflicts(ctx: Context, live: Live, state: State, changes: Collection[Seen]) -> State:
    """The State in which saves over others' locks are on record."""
    holds = in_the_way(ctx, live)
    if not holds:
        return state
    found: dict[str, Conflict] = {}
    for seen in changes:
        hold = covering(holds, seen.path)
        if hold is not None and len(found) < MOST:
            record = record_of(ctx, state, quote_path(seen.path), hold)
            found[record.id] = record
    return replace(state, conflicts={**state.conflicts, **found}) if found else state


def record_of(ctx: Context, state: State, path: str, hold: Hold) -> Conflict:
    """The record of a save over a lock: a new one, or the open one of the same holder with one save more."""
    mine = (one for one in state.conflicts.values() if is_save(one) and one.status == "open")
    known = next((one for one in mine if is_about(one, path, hold)), None)
    told, session = holder_words(ctx, hold.holder), session_of(ctx, hold.holder)
    lock = LockInTheWay(
        token=hold.token,
        client=hold.client,
        who=who_of(hold.holder) or "",
        session=session.sid if session is not None else None,
        saves=1 + (known.lock.saves if known is not None and known.lock is not None else 0),
    )
    times = "was saved" if lock.saves == 1 else f"was saved {lock.saves} times"
    message = f"{path} {times} while it was locked by {told}"
    if known is not None:
        return known.model_copy(update={"lock": lock, "message": message})
    labels = ("base", told, state.session.name)
    return Conflict(
        id=ctx.new_id(), kind=LOCK, shape="content", path=path, patch=None, labels=labels, message=message,
        created_at=ctx.now(), lock=lock,
    )  # fmt: skip


def is_about(conflict: Conflict, path: str, hold: Hold) -> bool:
    """Whether a conflict is about this path and a lock of the same client."""
    return conflict.path == path and conflict.lock is not None and conflict.lock.client == hold.client


def is_save(conflict: Conflict) -> bool:
    """Whether a conflict is about a save over a lock."""
    return conflict.kind == LOCK and conflict.denied is None


def ended_saves(ctx: Context, live: Live, mine: Iterable[Conflict]) -> dict[str, Conflict]:
    """Of these open records those whose lock is given back, or whose edit is gone or merged, as they are then."""
    saves = [one for one in mine if is_save(one)]
    holds = in_the_way(ctx, live) if saves else []
    return {one.id: closed(one) for one in saves if not still_counts(live.state, one, holds)}


def closed(conflict: Conflict) -> Conflict:
    """The record once there is nothing left of it to know."""
    return conflict.model_copy(update={"status": "stale"})


def still_counts(state: State, conflict: Conflict, holds: Collection[Hold]) -> bool:
    """Whether both stand still: the lock, and an edit that is not merged."""
    path = unquote_path(conflict.path)
    if state.session.parked is not None:
        return True  # what is saved now is sorted later
    if not any(is_about(conflict, conflict.path, hold) and covering([hold], path) for hold in holds):
        return False
    return is_edited(state.owners, path, {pid for pid, patch in state.patches.items() if patch.status == "merged"})


def is_edited(owners: Owners, path: bytes, merged: Collection[str]) -> bool:
    """Whether a path has edits that are not merged."""
    file = changed_paths(owners).get(path)
    return file is not None and not marks_of(file).labels <= set(merged)
