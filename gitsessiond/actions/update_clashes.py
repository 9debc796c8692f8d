"""The conflicts of an update: a record for each owner, used again by the next update while its sides are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from gitsessiond.actions.clashing import (
    alive,
    back_from_conflicts,
    home_directory,
    kept_sides,
    kept_waiting,
    new_record,
)
from gitsessiond.actions.context import Context, Live
from gitsessiond.model.conflicts import is_automatic, is_notice, labels_of, same_clash
from gitsessiond.model.names import unquote_path
from gitsessiond.model.records import Conflict
from gitsessiond.model.values import UNASSIGNED
from gitsessiond.store.attributes import marker_sizes
from gitsessiond.store.layers import LandingLayer
from gitsessiond.store.merge import PathConflict
from gitsessiond.store.steps import State

KIND: Final = "context_switch"  # of its records
STAGED = "staged"  # whose conflict it is, beside patches and unassigned edits


class Clash(NamedTuple):
    """A conflict of one owner: what git said, and its record."""

    found: PathConflict
    record: Conflict


def record_of(ctx: Context, state: State, owner: str, clash: PathConflict) -> Conflict:
    """The record of a clash of a patch, of unassigned edits or of what is staged."""
    session = state.session
    pid = owner if owner in state.patches and state.patches[owner].status != "abandoned" else None
    name = {UNASSIGNED: "unassigned edits", STAGED: "staged"}.get(owner) or state.patches[owner].name
    record = new_record(ctx, clash, KIND, pid, labels_of(session.name, name, session.target))
    known = [one for one in state.conflicts.values() if not is_automatic(one)]
    return next((alive(one) for one in known if same_clash(one, record)), record)


def with_clashes(ctx: Context, live: Live, state: State, clashes: Sequence[Clash], layer: LandingLayer) -> State:
    """The State with these conflicts of an update, each owner's patch waiting; what clashed before and does no
    more is stale."""
    found = {one.record.id: one.record for one in clashes}
    fresh = {cid: unquote_path(record.path) for cid, record in found.items() if cid not in state.conflicts}
    sizes = marker_sizes(home_directory(ctx, live), list(fresh.values()))
    found |= {cid: found[cid].model_copy(update={"marker_size": sizes.get(path)}) for cid, path in fresh.items()}
    conflicts = {
        cid: one.model_copy(update={"status": "stale"})
        if one.kind == KIND and one.status != "stale" and still_counts(state, one) and not is_notice(one)
        else one
        for cid, one in state.conflicts.items()
    } | found
    sides = dict(state.sides)
    for cid, record in found.items():
        if cid not in sides:
            sides[cid] = kept_sides(ctx, record, layer)
    state = replace(state, conflicts=conflicts, sides=sides)
    for pid in {one.patch for one in found.values() if one.patch is not None and one.status == "open"}:
        state = kept_waiting(state, pid)
    for pid in state.patches:
        state = back_from_conflicts(state, pid)
    return state


def still_counts(state: State, record: Conflict) -> bool:
    """Whether a conflict is of no patch, or of one that has not ended."""
    patch = state.patches.get(record.patch) if record.patch else None
    return patch is None or patch.status not in ("merged", "abandoned")


def without_clashes(state: State) -> State:
    """The State after an update: what clashed on the way does no more."""
    conflicts = {
        cid: one.model_copy(update={"status": "stale"})
        if one.status != "stale" and still_counts(state, one) and not is_notice(one)
        else one
        for cid, one in state.conflicts.items()
    }
    state = replace(state, conflicts=conflicts)
    for pid in state.patches:
        state = back_from_conflicts(state, pid)
    return state
