"""``switch`` while something is left behind: on record as a conflict of kind ``context_switch``, and never in the way.

Left behind are edits that are unassigned, locks of whoever switches, and files that an editor has unsaved changes of.
All of it stays where it is, in the session that is left: each has a worktree of its own. One record for a session and
a client; it is resolved by itself once all it names is assigned, given back and saved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.lockedpaths import path_named
from gitsessiond.actions.noticing import automatically_over, with_notice
from gitsessiond.actions.publishing import publish
from gitsessiond.model.conflicts import SWITCH
from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.hints import command_words
from gitsessiond.model.locks import Hold
from gitsessiond.model.names import quote_path, spoken
from gitsessiond.model.ownership import unassigned_rows
from gitsessiond.model.records import Conflict, LeftBehind
from gitsessiond.model.resources import resource

MOST = 20  # of a sort in a record
TOLD = 3


def note_left(ctx: Context, asked: Asked, to: str) -> tuple[dict[str, Any] | None, list[str]]:
    """Record what is left behind in the session that the asker is in; it as a reply, and the ways on.

    None: nothing, or the asker is in no other open session.

    Raises:
        StoreFailed: the disk or git refused.
    """
    live, there = session_left(ctx, asked), ctx.sessions.get(to)
    if live is None or there is None or live is there:
        return None, []
    left = left_by(ctx, live, asked.who.client or "", to)
    if not (left.unassigned or left.locks or left.unsaved):
        return None, []
    record = recorded(ctx, live, left)
    return views.conflict_view(live.state, record), ways_on(live, left)


def left_by(ctx: Context, live: Live, client: str, to: str) -> LeftBehind:
    """What a client leaves behind in a session."""
    return LeftBehind(
        to=to,
        client=client,
        unassigned=tuple(sorted({quote_path(row.path) for row in unassigned_rows(live.state.owners)})[:MOST]),
        locks=tuple(held_by(ctx.locks.now(), client)[:MOST]),
        unsaved=tuple(sorted(unsaved_in(live))[:MOST]),
    )


def recorded(ctx: Context, live: Live, left: LeftBehind) -> Conflict:
    """The record of it: a new one, or the open one of the same client as it is now.

    Raises:
        StoreFailed: the disk or git refused.
    """
    known = next((one for one in open_left(live) if one.left is not None and one.left.client == left.client), None)
    if known is not None and known.left == left:
        return known
    record = record_of(ctx, live, left, known)
    state = with_notice(live.state, record) if known is None else live.state
    state = replace(state, conflicts={**state.conflicts, record.id: record})
    publish(ctx, live, state, "left", text=record.message, facts={"conflicts": [record.id], "to": left.to})
    return record


def session_left(ctx: Context, asked: Asked) -> Live | None:
    """The open session that the asker is in."""
    try:
        return ctx.live(asked)
    except GitSessionError:
        return None


def record_of(ctx: Context, live: Live, left: LeftBehind, known: Conflict | None) -> Conflict:
    """The record of what is left behind; of the same client a known one as it is now."""
    locked = [path_named(resource(name)) or name for name in left.locks]
    path = [*left.unassigned, *left.unsaved, *locked][0]
    message = f"left in {live.state.session.name}: {left_words(left)}"
    if known is not None:
        return known.model_copy(update={"left": left, "path": path, "message": message})
    return Conflict(
        id=ctx.new_id(), kind=SWITCH, shape="content", path=path, patch=None, message=message,
        labels=("base", ctx.sessions[left.to].state.session.name, live.state.session.name),
        created_at=ctx.now(), left=left,
    )  # fmt: skip


def left_words(left: LeftBehind) -> str:
    """``a.py is unassigned; b.bin is locked``."""
    found = [
        (left.unassigned, "unassigned"), (left.unsaved, "unsaved"), (tuple(map(spoken, left.locks)), "locked"),
    ]  # fmt: skip
    return "; ".join(
        f"{', '.join(names[:TOLD])}{f' and {len(names) - TOLD} more' if len(names) > TOLD else ''} "
        f"{'is' if len(names) == 1 else 'are'} {what}"
        for names, what in found
        if names
    )


def ways_on(live: Live, left: LeftBehind) -> list[str]:
    """The commands that leave nothing behind: a list of what can be assigned to which patch, and the locks' end.

    To keep it all as it is takes none.
    """
    ways = [command_words("unassigned", "-s", live.state.session.name)] if left.unassigned else []
    return ways + ([command_words("unlock", "--all")] if left.locks else [])


def held_by(holds: Iterable[Hold], client: str) -> list[str]:
    """The names of a client's locks."""
    return sorted(hold.resource.name for hold in holds if client and hold.client == client)


def unsaved_in(live: Live) -> set[str]:
    """The paths that an editor has unsaved changes of."""
    return {quote_path(path) for path, rows in live.open.items() if any(row["modified"] for row in rows)}


def open_left(live: Live) -> list[Conflict]:
    """The records of what was left behind and is there still."""
    return [one for one in live.state.conflicts.values() if one.left is not None and one.status == "open"]


def ended_left(ctx: Context, live: Live, mine: Iterable[Conflict]) -> dict[str, Conflict]:
    """Of these open records those of which nothing is left, as they are then."""
    return {
        one.id: automatically_over(ctx, one)
        for one in mine
        if one.left is not None and live.state.session.parked is None and is_cleared(ctx, live, one.left)
    }


def is_cleared(ctx: Context, live: Live, left: LeftBehind) -> bool:
    """Whether all is assigned, given back and saved."""
    rows = {quote_path(row.path) for row in unassigned_rows(live.state.owners)} if left.unassigned else set()
    return not (
        rows & set(left.unassigned)
        or set(held_by(ctx.locks.now(), left.client)) & set(left.locks)
        or (left.unsaved and not live.told_open)
        or unsaved_in(live) & set(left.unsaved)
    )
