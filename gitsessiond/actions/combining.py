"""What git combined by itself is on record too, and a person may have a say in it after all (``conflict reopen``).

Written when a merge lands, with the step that says so, and when it stops for another path. A record that was reopened
makes its path a question at every merge of the patch, also where the sides have moved on since: what somebody wanted
to decide is never decided by the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from gitsessiond.actions.clashing import home_directory, kept_sides, labels_for, new_record
from gitsessiond.actions.context import Context, Live
from gitsessiond.model.conflicts import (
    is_automatic,
    is_combined,
    reopened,
    resolved,
    same_clash,
)
from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.names import quote_path
from gitsessiond.model.records import Conflict, ConflictKind, ConflictSide
from gitsessiond.model.values import GITLINK
from gitsessiond.store.attributes import marker_sizes
from gitsessiond.store.combined import Combined
from gitsessiond.store.layers import Layer
from gitsessiond.store.merge import PathConflict
from gitsessiond.store.steps import State

Clash = tuple[PathConflict, Conflict]

MOST = 20  # paths of one merge that are recorded: each is five small objects, some 0.2 ms
LARGEST = 1 << 20  # bytes of sides and results that one merge records
KEPT = 200  # such records that a session has at a time; the older ones are in its history

AUTO = "auto"  # who resolved them


class Made(NamedTuple):
    """What git combined in a merge, and where its contents are."""

    combined: Sequence[Combined]
    layer: Layer


def has_taken_on(state: State, pid: str) -> bool:
    """Whether a person has a say in anything that git combined in a merge of this patch."""
    return any(
        one.patch == pid and one.status != "stale" and is_combined(one) and not is_automatic(one)
        for one in state.conflicts.values()
    )


def asked_again(
    ctx: Context, live: Live, pid: str, found: Sequence[Combined], kind: ConflictKind = "git_merge"
) -> list[Clash]:
    """Those of what git combined that a person has taken on, each with its record: an answer, or a question."""
    own = [one for one in live.state.conflicts.values() if (one.patch, one.kind) == (pid, kind) and is_combined(one)]
    taken = {one.path for one in own if one.status != "stale" and not is_automatic(one)}
    out = []
    for clash, _ in found if taken else ():
        if quote_path(clash.path) not in taken:
            continue
        size = marker_sizes(home_directory(ctx, live), [clash.path]).get(clash.path)
        record = new_record(ctx, clash, kind, pid, labels_for(live.state, pid, kind), size)
        known = next((one for one in own if same_clash(one, record)), record)
        if known.status == "stale" and known.how is not None and known.resolved_at is not None:
            known = known.model_copy(update={"status": "resolved"})
        out.append((clash, reopened(known, size) if is_automatic(known) or known.status == "stale" else known))
    return out


def with_automatic(ctx: Context, state: State, pid: str, made: Made, kind: ConflictKind = "git_merge") -> State:
    """The State with a record of each of these (:func:`worth_keeping`); earlier ones of the patch are stale.

    None of them where one cannot be read, of a partial clone that is offline, say: what happened to the target or to
    the patch, in the same step, has to be on record in any case.
    """
    known = [one for one in state.conflicts.values() if (one.patch, one.kind) == (pid, kind) and is_automatic(one)]
    if not made.combined and not known:
        return state
    gone = {one.id: one.model_copy(update={"status": "stale"}) for one in known}
    state = replace(state, conflicts={**state.conflicts, **gone})
    try:
        return recorded(ctx, state, pid, made, kind)
    except GitSessionError:
        return state


def recorded(ctx: Context, state: State, pid: str, made: Made, kind: ConflictKind) -> State:
    """The State with these records; those of the same sides that are there count again.

    Raises:
        GitSessionError: an object cannot be read, or written.
    """
    known = [one for one in state.conflicts.values() if (one.patch, one.kind) == (pid, kind) and is_automatic(one)]
    conflicts, sides = dict(state.conflicts), dict(state.sides)
    labels = labels_for(state, pid, kind)
    for clash, entry in worth_keeping(made):
        fresh = new_record(ctx, clash, kind, pid, labels)
        record = next((one for one in known if same_clash(one, fresh)), fresh)
        result = ConflictSide(oid=entry.oid, mode=entry.mode)
        if record is not fresh and record.result == result:
            conflicts[record.id] = record.model_copy(update={"status": "resolved"})
            continue
        conflicts[record.id] = resolved(record, "rule", result, ctx.now(), AUTO)
        kept = kept_sides(ctx, record, made.layer)
        if entry.mode != GITLINK:
            kept["result"] = ctx.store.put("blob", made.layer.read(entry.oid).data)
        sides[record.id] = kept
    for cid in surplus(conflicts.values()):
        del conflicts[cid], sides[cid]
    return replace(state, conflicts=conflicts, sides=sides)


def worth_keeping(made: Made) -> list[Combined]:
    """The first :data:`MOST` of them, without what would take more room than all may: a merge is not to wait for it."""
    out, room = list[Combined](), LARGEST
    for one in made.combined:
        sides = (one.clash.base, one.clash.ours, one.clash.theirs)
        entries = [side.entry for side in sides if side is not None] + [one.result]
        size = sum(len(made.layer.read(entry.oid).data) for entry in entries if entry.mode != GITLINK)
        if size <= room:
            out.append(one)
            room -= size
        if len(out) == MOST:
            break
    return out


def surplus(records: Iterable[Conflict]) -> list[str]:
    """The oldest automatic records beyond :data:`KEPT`."""
    own = sorted((one for one in records if is_automatic(one)), key=lambda one: one.created_at)
    return [one.id for one in own[: max(0, len(own) - KEPT)]]


def beyond_words(state: State, pid: str, found: Sequence[Combined]) -> list[str]:
    """A warning where not all of what was combined is on record."""
    own = [one for one in state.conflicts.values() if (one.patch, one.kind) == (pid, "git_merge") and is_automatic(one)]
    known = sum(one.status == "resolved" for one in own)
    if known >= len(found):
        return []
    words = "1 file was" if len(found) == 1 else f"{len(found)} files were"
    return [f"{words} combined automatically; {known} of them in `git session conflicts --all`"]
