"""Edits that the target contradicts once git has moved the base under them: a conflict record until it is settled.

Plain git can put a session on a target's new commits without anybody having looked at both: ``reset --soft main``,
an autostash that clashes. The files then still have what the target has replaced, and a merge of their patch would
take the target's lines back without a word, for it stands on them. So each such path is a conflict of kind
``state_divergence``: base and ours are the file in the base of before and of now, theirs is the patch's. While it is
open its patch does not merge; what it is resolved to is what lands. A commit on the new base is a resolution itself:
a rebase or merge that stopped was settled by whoever went on with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from shlex import quote
from typing import Final, NamedTuple

from gitsessiond.actions.clash_files import write_control_files
from gitsessiond.actions.clashing import (
    alive,
    back_from_conflicts,
    home_directory,
    kept_sides,
    kept_waiting,
    new_record,
    open_of,
)
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.publishing import patch_trees, publish
from gitsessiond.actions.saves import still_open
from gitsessiond.actions.strategies import Tried, Trying, committed_trees, tried_by
from gitsessiond.model.conflicts import labels_of, left_over, same_clash
from gitsessiond.model.errors import Refused
from gitsessiond.model.graph import graph_of
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.ownership import versions
from gitsessiond.model.records import Conflict, ConflictSide, Patch
from gitsessiond.model.strategies import Strategy
from gitsessiond.model.values import Entry
from gitsessiond.store.attributes import marker_sizes
from gitsessiond.store.chain import CommitGraph, tree_of_commit
from gitsessiond.store.layers import LandingLayer, objects_lacking
from gitsessiond.store.merge import PathConflict, Side, git_merge_trees, shape_of
from gitsessiond.store.picking import Three
from gitsessiond.store.steps import State
from gitsessiond.store.trees import diff_trees, edit_tree, entry_at
from gitsessiond.store.walk import merges_plainly, walk_merge

KIND: Final = "state_divergence"
Overlay = Mapping[bytes, Entry | None]


class AtPath(NamedTuple):
    """One path in what three trees have there."""

    base: Entry | None
    ours: Entry | None
    theirs: Entry | None


def contested(ctx: Context, live: Live, before: State, after: State) -> tuple[State, list[str]]:
    """``after``, the base moved forward, with a record of each edit that git would not have carried over so.

    git takes what a patch has not committed from the commit it was made on to the commit it stands on now. Where
    that clashes, or comes to another text than the patch has, nobody has decided. Returns what is new, in words.
    """
    old, new = before.session.base, after.session.base
    if old == new or not CommitGraph(ctx.repository.common_dir).within(old, new):
        return after, []
    trees = tree_of_commit(ctx.store, old), tree_of_commit(ctx.store, new)
    moved = [change.path for change in diff_trees(ctx.store, *trees)]
    notes = []
    for pid, patch in after.patches.items():
        if not still_open(patch):
            continue
        paths = []
        known = {one.path for one in after.conflicts.values() if one.patch == pid and one.status == "open"}
        for path, theirs in own_edits(ctx, after, pid, moved):
            held = AtPath(held_at_tip(ctx, before, pid, path), held_at_tip(ctx, after, pid, path), theirs)
            if quote_path(path) in known or clash_at(ctx, live, path, held) is None:
                continue
            old_side, new_side = (entry_at(ctx.store, tree, path) for tree in trees)
            clash = clash_at(ctx, live, path, AtPath(old_side, new_side, theirs))
            if clash is not None:
                after = with_clash(ctx, live, after, pid, clash)
                paths.append(quote_path(path))
        if paths:
            notes.append(f"{patch.name} conflicts with {after.session.target} in {', '.join(paths[:3])}")
    return after, notes


def own_edits(ctx: Context, state: State, pid: str, paths: list[bytes]) -> Iterator[tuple[bytes, Entry | None]]:
    """Of these paths those at which a patch has edits, with what it has there."""
    needs = graph_of(state.owners).closure(pid)
    under, mine = versions(state.owners, needs, ctx.tools), versions(state.owners, needs | {pid}, ctx.tools)
    base = tree_of_commit(ctx.store, state.session.base)
    for path in paths:
        if path not in mine:
            continue
        context = under[path] if path in under else entry_at(ctx.store, base, path)
        if mine[path] != context:
            yield path, mine[path]


def held_at_tip(ctx: Context, state: State, pid: str, path: bytes) -> Entry | None:
    """What a patch has at a path in the last commit of the chain, or in the base."""
    bit = len(state.session.chain) - 1
    who = graph_of(state.owners).closure(pid) | {pid} if pid in state.patches else frozenset[str]()
    held: Overlay = versions(state.owners, who, ctx.tools, bit) if bit >= 0 else {}
    return held[path] if path in held else entry_at(ctx.store, tree_of_commit(ctx.store, state.session.base), path)


def clash_at(ctx: Context, live: Live, path: bytes, three: AtPath) -> PathConflict | None:
    """Why these three do not come to what theirs has; None: they do.

    Raises:
        StoreFailed: git failed.
    """
    base, ours, theirs = three
    if ours in (base, theirs):
        return None
    layer = LandingLayer(ctx.store, {})
    around = tree_of_commit(ctx.store, live.state.session.base)
    trees = Three(*(edit_tree(layer, around, {path: entry}) for entry in three))
    merge = walk_merge(layer, *trees) if merges_plainly(ctx.repository.common_dir, ctx.config) else None
    if merge is None:
        lacking = objects_lacking(layer, trees)
        merge = git_merge_trees(ctx.repository, *trees, objects=lacking, labels=(live.state.session.target, "patch"))
    if merge.tree is None:
        return merge.conflicts[0]
    if entry_at(LandingLayer(ctx.store, merge.made), merge.tree, path) == theirs:
        return None
    sides = tuple(Side(entry, path) if entry is not None else None for entry in three)
    words = f"the patch takes back what {live.state.session.target} did here"
    return PathConflict(path, shape_of((sides[0], sides[1], sides[2])), sides[0], sides[1], sides[2], words)


def with_clash(ctx: Context, live: Live, state: State, pid: str, clash: PathConflict) -> State:
    """The State with a record of this clash, its patch waiting for the resolution."""
    labels = labels_of(state.session.name, state.patches[pid].name, state.session.target)
    size = marker_sizes(home_directory(ctx, live), [clash.path]).get(clash.path)
    record = new_record(ctx, clash, KIND, pid, labels, size)
    again = [one for one in state.conflicts.values() if one.kind == KIND and same_clash(one, record)]
    record = alive(again[0]) if again else record
    sides = state.sides if again else {**state.sides, record.id: kept_sides(ctx, record, LandingLayer(ctx.store, {}))}
    state = replace(state, conflicts={**state.conflicts, record.id: record}, sides=sides)
    return kept_waiting(state, pid) if record.status == "open" else state


# What became of it.


def contests_of(state: State, pid: str) -> list[Conflict]:
    """The records of a patch that a move of the base made and that still count."""
    return [one for one in state.conflicts.values() if (one.kind, one.patch) == (KIND, pid) and one.status != "stale"]


def review(ctx: Context, live: Live, pid: str) -> list[Conflict]:
    """A patch's contests as its edits are now, those that ended recorded as such; returns the open ones.

    One ends when the patch's edits no longer contradict the base, or when the markers that git had put into the
    file are out of it. An edit that a resolution cannot be carried to makes it open again.
    """
    state = live.state
    for record in contests_of(state, pid):
        state = reviewed(ctx, live, state, record)
    if state is not live.state:
        state = back_from_conflicts(state, pid)
        publish(
            ctx,
            live,
            state,
            "judge",
            by="gitsessiond",
            text=f"{state.patches[pid].name}: its conflicts looked at again",
        )
        write_control_files(ctx, live)
    return [one for one in open_of(live.state, pid) if one.kind == KIND]


def reviewed(ctx: Context, live: Live, state: State, record: Conflict) -> State:
    """The State with one contest as it stands now."""
    assert record.patch is not None
    path = unquote_path(record.path)
    base = entry_at(ctx.store, tree_of_commit(ctx.store, state.session.base), path)
    under, mine = (entry_at(ctx.store, tree, path) for tree in patch_trees(ctx, state, record.patch))
    clash = None if under == mine else clash_at(ctx, live, path, AtPath(entry_of(record.base), base, mine))
    if record.status == "open":
        same = (entry_of(record.ours), entry_of(record.theirs)) == (base, mine)
        if clash is not None and (same or not cleared(ctx, record, mine)):
            return state if same else with_clash(ctx, live, ended(state, record), record.patch, clash)
    elif clash is not None:
        if carried(ctx, record, mine) is not None:
            return state
        return with_clash(ctx, live, ended(state, record), record.patch, clash)
    return ended(state, record)


def ended(state: State, record: Conflict) -> State:
    """The State in which a contest is no more."""
    return replace(state, conflicts={**state.conflicts, record.id: record.model_copy(update={"status": "stale"})})


def entry_of(side: ConflictSide | None) -> Entry | None:
    """A recorded side as an entry."""
    return Entry(side.mode, side.oid) if side and side.oid is not None and side.mode is not None else None


def cleared(ctx: Context, record: Conflict, mine: Entry | None) -> bool:
    """Whether git's own markers were in the patch's text and are out of it."""
    texts = [ctx.store.blob(side.oid) for side in (record.base, record.ours) if side.oid is not None]
    if mine is None or record.theirs.oid is None:
        return False
    before, now = (left_over(ctx.store.blob(oid), texts, record.marker_size) for oid in (record.theirs.oid, mine.oid))
    return before is not None and now is None


# What lands.


class Carried(NamedTuple):
    """What a path is to be; no entry: it is deleted."""

    entry: Entry | None


def carried(ctx: Context, record: Conflict, mine: Entry | None) -> Carried | None:
    """A resolution with what the patch edited there since; None: the two do not fit."""
    theirs, result = entry_of(record.theirs), entry_of(record.result)
    if mine == theirs:
        return Carried(result)
    if result == theirs:
        return Carried(mine)
    if mine is None or theirs is None or result is None:
        return None
    merged = ctx.tools.merge3(*(ctx.store.blob(one.oid) for one in (theirs, result, mine)))
    return None if merged.conflicts else Carried(Entry(result.mode, ctx.store.put("blob", merged.content)))


def settled_tree(ctx: Context, state: State, pid: str, tree: str) -> str:
    """A patch's own tree with what its contests were resolved to; the same tree where there are none."""
    edits: dict[bytes, Entry | None] = {}
    for record in contests_of(state, pid):
        path = unquote_path(record.path)
        found = carried(ctx, record, entry_at(ctx.store, tree, path)) if record.status == "resolved" else None
        if found is not None:
            edits[path] = found.entry
    return edit_tree(ctx.store, tree, edits) if edits else tree


def try_settled(ctx: Context, live: Live, patch: Patch, strategy: Strategy, old: str, cwd: str, *, sign: bool) -> Tried:
    """A patch on its target by a strategy; as one change, where its contests were resolved to another text."""
    if contests_of(live.state, patch.id):
        before, after = committed_trees(ctx, live.state, patch)
        settled = settled_tree(ctx, live.state, patch.id, after)
        if settled != after:
            trying = Trying(ctx, live, patch, old, cwd)
            return trying.done(trying.put(before, settled))
    return tried_by(ctx, live, patch, strategy, old, cwd, sign=sign)


def refuse_settled_rebase(ctx: Context, state: State, pid: str, strategy: Strategy) -> None:
    """Raise Refused when a resolution would have to go into one of several commits: nobody said into which."""
    after = patch_trees(ctx, state, pid)[1] if strategy == "rebase" and contests_of(state, pid) else None
    if after is not None and settled_tree(ctx, state, pid, after) != after:
        name = state.patches[pid].name
        raise Refused(
            f"the commits of {name} are older than what its conflict was resolved to",
            hint=f"git session merge {quote(name)} --strategy squash",
            reason="strategy",
        )
