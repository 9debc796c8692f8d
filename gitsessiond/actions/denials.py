"""Locks asked for in vain: on record as conflicts of kind ``resource_lock`` between asker and holder.

One record for an asker, a holder and a resource, which counts how often. It is kept in the asker's session, else in
the holder's; where neither is in an open one there is nothing to keep it in, and the refusal has told all. It is
resolved by itself once the asker has the lock, or the holder has it no more. Nobody is asked anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.lockedpaths import holder_words, is_folded, path_named, session_of, who_of
from gitsessiond.actions.noticing import automatically_over, with_notice
from gitsessiond.actions.publishing import publish
from gitsessiond.model.conflicts import LOCK
from gitsessiond.model.errors import BadRequest
from gitsessiond.model.locks import Hold, Holder
from gitsessiond.model.names import spoken
from gitsessiond.model.records import Conflict, DeniedLock, LockInTheWay
from gitsessiond.model.resources import covers, overlap, resource
from gitsessiond.store.steps import State


class Denial(NamedTuple):
    """What front tells: who asked for what, who had it with which token, and how often since it told last."""

    asker: Holder
    holder: Holder
    name: str
    token: int
    times: int


def note_denials(ctx: Context, rows: Any) -> None:
    """Put on record what front tells of locks that were asked for in vain.

    Raises:
        BadRequest: it was not front that told.
        StoreFailed: the disk or git refused.
    """
    found: dict[str, list[Denial]] = {}
    for row in rows if isinstance(rows, list) else ():
        one = denial_told(row)
        home = session_of(ctx, one.asker) or session_of(ctx, one.holder)
        if home is not None:
            found.setdefault(home.sid, []).append(one)
    for sid, denials in found.items():
        record_denials(ctx, ctx.sessions[sid], denials)


def denial_told(row: Any) -> Denial:
    """One row of what front tells.

    Raises:
        BadRequest: it is none.
    """
    match row:
        case {"asker": asker, "holder": holder, "name": str(name), "token": int(token), "times": int(times)}:
            return Denial(holder_told(asker), holder_told(holder), resource(name).name, token, times)
    raise BadRequest("that is no lock asked for in vain", hint="see docs/protocol.md")


def holder_told(told: Any) -> Holder:
    """A client as an event tells of it.

    Raises:
        BadRequest: it does not.
    """
    match told:
        case {"client": str(client)}:
            who, branch, session = (
                one if isinstance(one := told.get(name), str) else None for name in ("who", "branch", "session")
            )
            return Holder(client, who, branch=branch, session=session, named=told.get("named") is True)
    raise BadRequest("that is no client", hint="see docs/protocol.md")


def record_denials(ctx: Context, live: Live, denials: Iterable[Denial]) -> None:
    """Make records, or have those there are count on; a step only where that more than doubles what is written.

    So somebody who asks every second for an hour makes a dozen steps. The exact number is written when it is asked
    for, and at the end.
    """
    state = live.state
    for one in denials:
        known = next((old for old in open_denials(state.conflicts) if is_same(old, one)), None)
        if known is None:
            state = with_notice(state, new_denial(ctx, one))
            continue
        live.denied[known.id] = total = times_of(live, known) + one.times
        if known.denied is not None and total >= 2 * known.denied.times:
            state = replace(state, conflicts={**state.conflicts, known.id: counted(live, known)})
    tell(ctx, live, state)


def tell(ctx: Context, live: Live, state: State) -> None:
    """Make a step of it, if anything is new."""
    changed = [one for cid, one in state.conflicts.items() if live.state.conflicts.get(cid) is not one]
    if changed:
        words = ", ".join(spoken(one.denied.name) for one in changed if one.denied is not None)
        publish(ctx, live, state, "denied", text=words, facts={"conflicts": [one.id for one in changed]})


def new_denial(ctx: Context, one: Denial) -> Conflict:
    """The record of a lock that was asked for in vain for the first time."""
    asked_in, held_in = session_of(ctx, one.asker), session_of(ctx, one.holder)
    denied = DeniedLock(
        name=one.name,
        client=one.asker.client,
        who=who_of(one.asker) or "",
        session=asked_in.sid if asked_in is not None else None,
        times=one.times,
    )
    lock = LockInTheWay(
        token=one.token,
        client=one.holder.client,
        who=who_of(one.holder) or "",
        session=held_in.sid if held_in is not None else None,
        saves=0,
    )
    asker, holder = holder_words(ctx, one.asker), holder_words(ctx, one.holder)
    name = resource(one.name)
    return Conflict(
        id=ctx.new_id(), kind=LOCK, shape="content", path=path_named(name) or one.name, patch=None,
        labels=("base", holder, asker), message=message_of(one.name, asker, holder, one.times),
        created_at=ctx.now(), lock=lock, denied=denied,
    )  # fmt: skip


def message_of(name: str, asker: str, holder: str, times: int) -> str:
    """What happened, as one says it."""
    often = "" if times == 1 else f" {times} times"
    return f"{asker} asked for {spoken(name)}{often} while it was locked by {holder}"


def is_same(conflict: Conflict, one: Denial) -> bool:
    """Whether a record is of the same asker, holder and resource."""
    denied, lock = conflict.denied, conflict.lock
    if denied is None or lock is None:
        return False
    return (denied.client, lock.client, denied.name) == (one.asker.client, one.holder.client, one.name)


def open_denials(conflicts: Mapping[str, Conflict]) -> list[Conflict]:
    """The records of locks that are still to be had."""
    return [one for one in conflicts.values() if one.denied is not None and one.status == "open"]


def times_of(live: Live, conflict: Conflict) -> int:
    """How often by now."""
    return live.denied.get(conflict.id, conflict.denied.times if conflict.denied is not None else 0)


def counted(live: Live, conflict: Conflict) -> Conflict:
    """The record with what was counted since it was written."""
    denied, times = conflict.denied, times_of(live, conflict)
    if denied is None or denied.times == times:
        return conflict
    _, holder, asker = conflict.labels
    more = {"denied": denied.model_copy(update={"times": times})}
    return conflict.model_copy(update={**more, "message": message_of(denied.name, asker, holder, times)})


def write_counts(ctx: Context, live: Live) -> None:
    """Have the records say how often by now; for who looks at them.

    Raises:
        StoreFailed: the disk or git refused.
    """
    if live.denied:
        known = {cid: live.state.conflicts[cid] for cid in live.denied if cid in live.state.conflicts}
        exact = {cid: counted(live, one) for cid, one in known.items()}
        tell(ctx, live, replace(live.state, conflicts={**live.state.conflicts, **exact}))
        live.denied.clear()


def ended_denials(ctx: Context, live: Live, mine: Iterable[Conflict]) -> dict[str, Conflict]:
    """Of these open records those that are over, as they are then."""
    holds = ctx.locks.now()
    over = [one for one in mine if one.denied is not None and not is_denied_still(one, holds)]
    ended = {one.id: automatically_over(ctx, counted(live, one)) for one in over}
    for cid in ended:
        live.denied.pop(cid, None)
    return ended


def is_denied_still(conflict: Conflict, holds: Collection[Hold]) -> bool:
    """Whether the holder still has what the asker has not."""
    denied, lock = conflict.denied, conflict.lock
    if denied is None or lock is None:
        return False
    wanted = resource(denied.name, fold=is_folded(tuple(holds)))
    if any(hold.client == denied.client and covers(hold.resource, wanted) for hold in holds):
        return False
    return any(hold.client == lock.client and overlap(hold.resource, wanted) for hold in holds)
