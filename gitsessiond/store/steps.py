"""Steps: a session's whole state as one commit of the store, one after the other (docs/format.md, "Steps").

:func:`write_step` writes what differs from the step before, nothing else. It makes no step visible: that is
the ref move of :meth:`gitsessiond.store.store.Store.commit`.
"""

from __future__ import annotations

from dataclasses import replace

from gitsessiond.model.encoding import encode_file
from gitsessiond.model.owners import Owners, changed_files
from gitsessiond.model.records import Record, Session, encode
from gitsessiond.model.values import EMPTY_TREE, REGULAR, Entry
from gitsessiond.store.history import history, state_trees, steps_of
from gitsessiond.store.loading import damaged_refs, load_state, read_session_refs
from gitsessiond.store.notes import SAVE, StepInfo, StepNote, read_note, step_commit
from gitsessiond.store.states import SIDES, State, named_commits, session_ref
from gitsessiond.store.store import Store
from gitsessiond.store.trees import TREE, edit_tree, write_tree

__all__ = [  # what the floors above need of steps, wherever it is
    "SAVE",
    "State",
    "StepInfo",
    "StepNote",
    "damaged_refs",
    "history",
    "load_state",
    "read_session_refs",
    "session_ref",
    "state_trees",
    "steps_of",
    "write_step",
]

_Edits = dict[bytes, Entry | None]


def write_step(store: Store, before: State | None, after: State, note: StepNote) -> State:
    """Put the objects of the next step (pending) and return ``after`` with its number and commit.

    Members that are the very same object in both states are not written again.

    Raises:
        StateUnreadable: the step before cannot be read.
        StoreFailed: the disk refused.
    """
    before = before if before is not None and before.step is not None else None
    after = replace(after, session=_with_edges(after))
    last = read_note(before.step, store.read(before.step).data) if before and before.step else None
    edits = (
        _session_edits(store, before, after)
        | _patch_edits(store, before, after)
        | _conflict_edits(store, before, after)
        | _owner_edits(store, before, after)
    )
    root = edit_tree(store, last.tree if last else None, edits)
    number = last.number + 1 if last else 1
    commits = _introduced(store, before, after)
    data = step_commit(
        note,
        number=number,
        settled=_number(store, after.settled),
        tree=root,
        parents=[last.step, *commits] if last else commits,
    )
    return replace(after, number=number, step=store.put("commit", data))


def _with_edges(state: State) -> Session:
    """The session record with the edges the owners hold, which is where they are changed."""
    session, owners = state.session, state.owners
    found = {
        name: tuple(sorted(pairs))
        for name, pairs in (
            ("declared", owners.declared),
            ("directions", owners.directions),
            ("judged", owners.judged),
        )
        if pairs != frozenset(getattr(session, name))
    }
    return session.model_copy(update=found) if found else session


def _blob(store: Store, data: bytes) -> Entry:
    return Entry(REGULAR, store.put("blob", data))


def _tree(store: Store, oid: str) -> Entry:
    if oid == EMPTY_TREE:
        store.put("tree", b"")  # named by an entry, so it has to be there for git too
    return Entry(TREE, oid)


def _record(store: Store, edits: _Edits, path: str, before: Record | None, after: Record) -> None:
    """Enter a record unless it is as it was."""
    if before is not after and before != after:
        edits[path.encode()] = _blob(store, encode(after))


def _session_edits(store: Store, before: State | None, after: State) -> _Edits:
    """The session's record and the trees of its worktree."""
    edits: _Edits = {}
    _record(store, edits, "session.json", before.session if before else None, after.session)
    wid = after.session.worktree_id
    was = before if before and before.session.worktree_id == wid else None
    if was is None or was.work != after.work:
        edits[f"work/{wid}".encode()] = _tree(store, after.work)
    if (was.raw if was else EMPTY_TREE) != after.raw:
        edits[f"raw/{wid}".encode()] = Entry(TREE, after.raw) if after.raw != EMPTY_TREE else None
    return edits


def _patch_edits(store: Store, before: State | None, after: State) -> _Edits:
    edits: _Edits = {}
    for pid, patch in after.patches.items():
        _record(store, edits, f"patches/{pid}/patch.json", before.patches.get(pid) if before else None, patch)
        tree = after.trees.get(pid)
        if tree is not None and (before is None or before.trees.get(pid) != tree):
            edits[f"patches/{pid}/tree".encode()] = _tree(store, tree)
    for pid in before.patches if before else ():
        if pid not in after.patches:
            edits[f"patches/{pid}".encode()] = None
    return edits


def _conflict_edits(store: Store, before: State | None, after: State) -> _Edits:
    edits: _Edits = {}
    for cid, conflict in after.conflicts.items():
        was = before.conflicts.get(cid) if before else None
        _record(store, edits, f"conflicts/{cid}/record.json", was, conflict)
        sides, old = after.sides.get(cid, {}), (before.sides.get(cid, {}) if before else {})
        for side in SIDES:
            if sides.get(side) != old.get(side):
                oid = sides.get(side)
                edits[f"conflicts/{cid}/{side}".encode()] = None if oid is None else _kept(store, oid)
    for cid in before.conflicts if before else ():
        if cid not in after.conflicts:
            edits[f"conflicts/{cid}".encode()] = None
    return edits


def _kept(store: Store, oid: str) -> Entry:
    """An entry for a blob that may so far be in the repository only."""
    if not store.own_has(oid):
        store.put("blob", store.blob(oid))
    return Entry(REGULAR, oid)


def _owner_edits(store: Store, before: State | None, after: State) -> _Edits:
    edits: _Edits = {}
    if before is not None and before.owners is after.owners:
        return edits
    for fid in changed_files(before.owners if before else Owners(), after.owners):
        file = after.owners.files.get(fid)
        if file is None:
            edits[f"own/{fid}".encode()] = None
            continue
        record, dead = encode_file(file)
        edits[f"own/{fid}".encode()] = Entry(TREE, write_tree(store, {b"dead": dead, b"weave.json": record}))
    return edits


def _introduced(store: Store, before: State | None, after: State) -> list[str]:
    """Commits this step names and the step before did not: its further parents. They are copied into the
    store.
    """
    known = set(named_commits(before)) if before else set()
    new = [oid for oid in named_commits(after) if oid not in known]
    base = after.session.base
    if new:
        left = [] if before is None or before.session.base == base else [before.session.base]
        store.copy_in([oid for oid in (*new, *left) if oid != base], [base])
    return new


def _number(store: Store, step: str | None) -> int | None:
    return None if step is None else read_note(step, store.read(step).data).number
