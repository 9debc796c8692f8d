"""Which sessions' notices may be over: with a hundred sessions looking at all of them again costs each command more
than what it is asked for.

A notice of a path that two sessions change is as it was while both are as they were. Others (about locks, about what
was left behind) depend on more, and are looked at each time.
"""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from gitsessiond.actions.context import Context, Live
from gitsessiond.model.conflicts import is_notice, is_overlap
from gitsessiond.store.steps import State


class Looked(NamedTuple):
    """A session as it was when its notices were all looked at; ``others``: whom they are about, None: not only them."""

    state: State
    others: Set[str] | None


def to_look_at(ctx: Context) -> list[Live]:
    """The sessions whose notices may be over now."""
    lives = list(ctx.sessions.values())
    changed = {live.sid for live in lives if live.looked is None or live.looked.state is not live.state}
    return [live for live in lives if live.sid in changed or may_be_over(ctx, live, changed)]


def may_be_over(ctx: Context, live: Live, changed: Set[str]) -> bool:
    """Whether a session that is as it was has a notice about one that is not, or about more than sessions."""
    others = live.looked.others if live.looked is not None else None
    return others is None or not changed.isdisjoint(others) or not others <= ctx.sessions.keys()


def note_looked_at(lives: list[Live]) -> None:
    """Everything was brought to what it is now in these, and none has failed."""
    for live in lives:
        notices = [one for one in live.state.conflicts.values() if one.status == "open" and is_notice(one)]
        others = frozenset(one.other or "" for one in notices) if all(map(is_overlap, notices)) else None
        live.looked = Looked(live.state, others)
