"""Paths that two sessions change at once: on record as conflicts of kind ``file_edit`` from the second's save on.

One record for a path and two sessions, in the one that saved last; both list it. The panel has a line for each such
path anyway (``collisions``), so it is none of the conflicts of ``status``. Nothing is asked of anybody: whether the
lines clash the merge tells. It is resolved by itself once one of both has no unmerged edit of the path any more, or has
ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gitsessiond.actions.announcing import ENDED
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.noticing import automatically_over, with_notice
from gitsessiond.model.conflicts import OVERLAP, is_overlap
from gitsessiond.model.files import File, marks_of
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.owners import changed_paths
from gitsessiond.model.records import Conflict
from gitsessiond.store.readings import Seen
from gitsessiond.store.steps import State


def with_overlaps(ctx: Context, live: Live, state: State, changes: Collection[Seen]) -> State:
    """The State in which what was saved here and is changed in another session is on record.

    Not where a lock of that session was saved over: that is on record as such.
    """
    paths = {seen.path for seen in changes}
    for other in ctx.sessions.values():
        if other is live:
            continue
        theirs = changed_paths(other.state.owners)
        fewer, more = sorted((paths, theirs), key=len)
        for path in sorted(path for path in fewer if path in more):
            if are_apart(state, other.state, path) or is_known(state, other, quote_path(path)):
                continue
            state = with_notice(state, record_of(ctx, state, other.state, quote_path(path)))
    return state


def record_of(ctx: Context, state: State, other: State, path: str) -> Conflict:
    """The record of a path that both change."""
    own, second = state.session.name, other.session.name
    return Conflict(
        id=ctx.new_id(), kind=OVERLAP, shape="content", path=path, patch=None, labels=("base", second, own),
        message=f"{path} is changed in {second} and in {own}", created_at=ctx.now(), other=other.session.id,
    )  # fmt: skip


def is_known(state: State, other: Live, path: str) -> bool:
    """Whether there is an open record of a path and two sessions, in either, or of a save over the other's lock."""
    own = state.session.id
    return any(
        one.path == path
        and one.status == "open"
        and (one.other == other.sid or (one.lock is not None and one.denied is None and one.lock.session == other.sid))
        for one in state.conflicts.values()
    ) or any(
        one.path == path and one.status == "open" and one.other == own for one in other.state.conflicts.values()
    )  # fmt: skip


def are_apart(one: State, other: State, path: bytes) -> bool:
    """Whether not both have edits of a path that are still to be merged."""
    return not (is_unmerged(one, path) and is_unmerged(other, path))


def is_unmerged(state: State, path: bytes) -> bool:
    """Whether a session has edits of a path that are not merged, and not of an abandoned patch."""
    file: File | None = changed_paths(state.owners).get(path)
    return file is not None and any(
        label not in state.patches or state.patches[label].status not in ENDED for label in marks_of(file).labels
    )


def ended_overlaps(ctx: Context, live: Live, mine: Iterable[Conflict]) -> dict[str, Conflict]:
    """Of these open records those that are over, as they are then."""
    return {
        one.id: automatically_over(ctx, one)
        for one in mine
        if is_overlap(one) and live.state.session.parked is None and is_over(ctx, live.state, one)
    }


def is_over(ctx: Context, state: State, conflict: Conflict) -> bool:
    """Whether only one session changes the path now; what is saved while one is parked is sorted later."""
    other = ctx.sessions.get(conflict.other or "")
    if other is None:
        return True
    return other.state.session.parked is None and are_apart(state, other.state, unquote_path(conflict.path))
