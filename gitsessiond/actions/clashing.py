"""Conflict records: made from what a merge said, matched with earlier ones, shown as files to edit.

A record's resolution lives in the record and is used by the next merge of its patch while the three sides are
the same; once they differ it is stale. The conflict lies as a marked file at ``.gitsession/conflicts/<id>/<path>`` in
the session's worktree: its text, or, where its sides are no texts, a line for each side. A save of it without markers
resolves it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gitsessiond.actions.context import Context, Live
from gitsessiond.model.conflicts import (
    is_automatic,
    is_combined,
    is_notice,
    labels_of,
    revert_labels,
    same_clash,
)
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.records import Conflict, ConflictKind, ConflictSide, Patch
from gitsessiond.model.values import GITLINK, Entry
from gitsessiond.store.attributes import marker_sizes
from gitsessiond.store.layers import Layer
from gitsessiond.store.merge import PathConflict, Side, TreeMerge
from gitsessiond.store.steps import State
from gitsessiond.store.trees import edit_tree


def records_of(
    ctx: Context, live: Live, pid: str, found: Iterable[PathConflict], kind: ConflictKind = "git_merge"
) -> list[Conflict]:
    """The record of each clash: the known one with the same sides, its resolution remembered; else a new one.

    What git once combined by itself (by an attribute, say) is no answer where it does so no more.
    """
    state = live.state
    labels = labels_for(state, pid, kind)
    known = [one for one in state.conflicts.values() if one.patch == pid and not is_automatic(one)]
    out = []
    found = list(found)
    sizes = marker_sizes(home_directory(ctx, live), [clash.path for clash in found])
    for clash in found:
        record = new_record(ctx, clash, kind, pid, labels, sizes.get(clash.path))
        out.append(next((alive(one) for one in known if same_clash(one, record)), record))
    return out


def labels_for(state: State, pid: str, kind: ConflictKind) -> tuple[str, str, str]:
    """What the three sides are called."""
    named = revert_labels if kind == "git_revert" else labels_of
    return named(state.session.name, state.patches[pid].name, state.session.target)


def new_record(
    ctx: Context,
    clash: PathConflict,
    kind: ConflictKind,
    pid: str | None,
    labels: tuple[str, str, str],
    size: int | None = None,
) -> Conflict:
    """The record of a clash that nothing is known of yet; ``size``: of its markers, where it is not git's own."""
    return Conflict(
        id=ctx.new_id(),
        kind=kind,
        shape=clash.shape,
        path=quote_path(clash.path),
        patch=pid,
        base=side_record(clash.base, clash.path),
        ours=side_record(clash.ours, clash.path),
        theirs=side_record(clash.theirs, clash.path),
        labels=labels,
        marker_size=size,
        message=clash.message,
        created_at=ctx.now(),
    )


def home_directory(ctx: Context, live: Live) -> str:
    """The worktree whose attributes count: the session's, while it is there."""
    return live.worktree.repository.worktree if live.worktree is not None else ctx.repository.worktree


def alive(record: Conflict) -> Conflict:
    """A record whose clash is there again: resolved as it was, else open. An answer given up has no time any more."""
    if record.status != "stale":
        return record
    if record.how is not None and record.resolved_at is not None:
        return record.model_copy(update={"status": "resolved"})
    return record.model_copy(update={"status": "open", "how": None, "result": None, "resolved_by": None})


def side_record(side: Side | None, path: bytes) -> ConflictSide:
    """One side as it is recorded; its path only where it differs."""
    if side is None:
        return ConflictSide()
    moved = quote_path(side.path) if side.path != path else None
    return ConflictSide(oid=side.entry.oid, mode=side.entry.mode, path=moved, marked=side.marked)


def resolved_tree(layer: Layer, merge: TreeMerge, clashes: Iterable[tuple[PathConflict, Conflict]]) -> str | None:
    """The merged tree with every clash as its record resolved it; None while one is not resolved."""
    edits: dict[bytes, Entry | None] = {}
    results: dict[bytes, Entry | None] = {}
    for clash, record in clashes:
        if record.status != "resolved":
            return None
        edits |= dict.fromkeys(clash.paths)
        side = record.result
        if side is not None and side.oid is not None and side.mode is not None:
            at = unquote_path(side.path) if side.path is not None else clash.path
            results[at] = Entry(side.mode, side.oid)
    try:
        return edit_tree(layer, merge.marked or merge.tree, edits | results)
    except ValueError:
        return None  # one was resolved to a file where another has files below it


def with_records(
    ctx: Context, state: State, records: Iterable[Conflict], pid: str, read: Layer, kind: ConflictKind = "git_merge",
    *, whole: bool = True,
) -> State:  # fmt: skip
    """The State with these conflicts of a patch; its earlier ones of that kind that are not among them are stale.

    Without ``whole`` a merge was not tried beyond these. What clashed there counts again when it clashes again; what a
    person has taken on, which git would combine, has to count on: nothing else asks for it.
    """
    records = list(records)
    paths = {record.path for record in records}
    taken_on = [] if whole else [one for one in state.conflicts.values() if is_combined(one) and not is_automatic(one)]
    kept = {record.id for record in records} | {one.id for one in taken_on if one.path not in paths}
    conflicts = {
        cid: one.model_copy(update={"status": "stale"})
        if one.patch == pid and one.kind == kind and cid not in kept and one.status != "stale"
        else one
        for cid, one in state.conflicts.items()
    }
    sides = dict(state.sides)
    for record in records:
        conflicts[record.id] = record
        if record.id not in sides:
            sides[record.id] = kept_sides(ctx, record, read)
    return replace(state, conflicts=conflicts, sides=sides)


def kept_sides(ctx: Context, record: Conflict, read: Layer) -> dict[str, str]:
    """The blobs of a conflict's sides, put into the store: the commits they come from may go."""
    out = {}
    for name, side in (("base", record.base), ("ours", record.ours), ("theirs", record.theirs)):
        if side.oid is not None and side.mode != GITLINK:
            out[name] = ctx.store.put("blob", read.read(side.oid).data)
    return out


def without_open(state: State, pid: str) -> State:
    """The State in which no conflict of this patch is open any more (it was merged, or the clash is gone)."""
    gone = {
        cid: one.model_copy(update={"status": "stale"})
        for cid, one in state.conflicts.items()
        if one.patch == pid and one.status == "open"
    }
    return replace(state, conflicts={**state.conflicts, **gone}) if gone else state


def open_of(state: State, pid: str | None) -> list[Conflict]:
    """The open clashes of a patch, oldest first."""
    found = (one for one in state.conflicts.values() if one.patch == pid and one.status == "open")
    return [one for one in found if not is_notice(one)]


def kept_waiting(state: State, pid: str) -> State:
    """The State whose patch waits for its conflicts; what it was before is kept for :func:`back_from_conflicts`."""
    patch = state.patches[pid]
    if patch.status == "conflicts":
        return state
    former = "ready" if patch.status == "ready" else "draft"
    return with_patch(state, patch.model_copy(update={"status": "conflicts", "former": former}))


def back_from_conflicts(state: State, pid: str) -> State:
    """The State whose patch has its former status again, once none of its conflicts is open."""
    patch = state.patches[pid]
    if patch.status != "conflicts" or open_of(state, pid):
        return state
    return with_patch(state, patch.model_copy(update={"status": patch.former or "draft", "former": None}))


def with_patch(state: State, patch: Patch) -> State:
    """The State with this patch's new record."""
    return replace(state, patches={**state.patches, patch.id: patch})
