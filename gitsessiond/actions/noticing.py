"""Conflicts that ask nothing of anybody (locks in the way, paths changed twice): bounded, and over by themselves."""

from __future__ import annotations

from dataclasses import replace

from gitsessiond.actions.combining import AUTO
from gitsessiond.actions.context import Context
from gitsessiond.model.conflicts import resolved
from gitsessiond.model.records import Conflict
from gitsessiond.store.steps import State

MOST = 100  # of a sort in a session; the oldest that are over go first, and where none is, new ones are not kept


def with_notice(state: State, record: Conflict) -> State:
    """The State with one record more, and no more of its sort than there may be."""
    alike = [one for one in state.conflicts.values() if sort_of(one) == sort_of(record)]
    over = sorted((one for one in alike if one.status != "open"), key=lambda one: one.created_at)
    surplus = len(alike) + 1 - MOST
    if len(over) < surplus:
        return state
    gone = {one.id for one in over[: max(0, surplus)]}
    kept = {cid: one for cid, one in state.conflicts.items() if cid not in gone}
    return replace(state, conflicts={**kept, record.id: record})


def sort_of(conflict: Conflict) -> tuple[str, bool]:
    """What a conflict is counted with."""
    return conflict.kind, conflict.denied is not None


def automatically_over(ctx: Context, conflict: Conflict) -> Conflict:
    """The record of one that is over, and nobody has done anything about it."""
    return resolved(conflict, "rule", None, ctx.now(), AUTO)
