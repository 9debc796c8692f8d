"""Steps: a session's whole state as one commit of the store, one after the other (docs/format.md, "Steps").

:func:`write_step` writes what differs from the step before, nothing else. It makes no step visible: that is
the ref move of :meth:`gitsessiond.store.store.Store.commit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gitsessiond.model.encoding import decode_file, encode_file
from gitsessiond.model.errors import StateUnreadable
from gitsessiond.model.owners import Owners, PatchState, changed_files
from gitsessiond.model.records import Conflict, Patch, PatchStatus, Record, Session, decode, encode
from gitsessiond.model.values import EMPTY_TREE, REGULAR, Entry
from gitsessiond.store.history import history, state_trees
from gitsessiond.store.notes import SAVE, StepInfo, StepNote, read_note, step_commit
from gitsessiond.store.store import Store
from gitsessiond.store.trees import TREE, edit_tree, entry_at, read_tree

__all__ = [
    "SAVE",
    "SIDES",
    "State",
    "StepInfo",
    "StepNote",
    "history",
    "load_state",
    "named_commits",
    "read_session_refs",
    "session_ref",
    "state_trees",
    "write_step",
]

SIDES = ("base", "ours", "theirs", "result")

_SESSIONS = "refs/sessions/"
_Edits = dict[bytes, Entry | None]


@dataclass(frozen=True)
class State:
    """Everything that is true of a session at one step."""

    session: Session
    patches: Mapping[str, Patch]
    conflicts: Mapping[str, Conflict]
    owners: Owners
    work: str  # tree: what `git add -A` would store of the worktree
    raw: str  # tree: files whose bytes on disk differ from that
    trees: Mapping[str, str]  # patch id -> tree of the patch's version
    sides: Mapping[str, Mapping[str, str]]  # conflict id -> side (one of SIDES) -> blob
    number: int = 0  # of the step; 0: not recorded yet
    step: str | None = None  # its commit; never shown to a person
    settled: str | None = None  # the last step whose sorting git's work under way cannot undo; None: this one


def session_ref(sid: str) -> str:
    """The store's ref of a session's last step."""
    return _SESSIONS + sid


def read_session_refs(store: Store) -> dict[str, str]:
    """The last step of every session, by session id.

    Raises:
        StateUnreadable: the store lost packs; what is left of it is not taken for everything.
    """
    if store.damage:
        raise StateUnreadable(
            f"the recorded history is damaged: {'; '.join(store.damage)}", hint="git session doctor"
        )
    return {name.removeprefix(_SESSIONS): oid for name, oid in store.refs(_SESSIONS).items()}


# -- writing -----------------------------------------------------------------------------------------------


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
        edits[f"own/{fid}/weave.json".encode()] = _blob(store, record)
        edits[f"own/{fid}/dead".encode()] = _blob(store, dead)
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


def named_commits(state: State) -> list[str]:
    """Base, the chain's last commit and the tip of each series, once each."""
    tips = [patch.series[-1].oid for patch in state.patches.values() if patch.series]
    return list(dict.fromkeys([state.session.base, *state.session.chain[-1:], *tips]))


def _number(store: Store, step: str | None) -> int | None:
    return None if step is None else read_note(step, store.read(step).data).number


# -- reading -----------------------------------------------------------------------------------------------


def load_state(store: Store, step: str) -> State:
    """The state a step recorded.

    Raises:
        StateUnreadable: part of it is missing, damaged or of a newer format.
    """
    info = read_note(step, store.read(step).data)
    root = info.tree
    session = decode(Session, _required(store, root, "session.json"), "session.json")
    patches, trees = _load_patches(store, root, session)
    conflicts, sides = _load_conflicts(store, root)
    work = entry_at(store, root, f"work/{session.worktree_id}".encode())
    raw = entry_at(store, root, f"raw/{session.worktree_id}".encode())
    if work is None:
        raise StateUnreadable(f"step {info.number} has no work tree", hint="git session doctor")
    return State(
        session=session,
        patches=patches,
        conflicts=conflicts,
        owners=_load_owners(store, root, session, patches),
        work=work.oid,
        raw=raw.oid if raw else EMPTY_TREE,
        trees=trees,
        sides=sides,
        number=info.number,
        step=step,
        settled=_settled(store, info),
    )


def _required(store: Store, root: str, path: str) -> bytes:
    """The content of a file every step must have."""
    entry = entry_at(store, root, path.encode())
    if entry is None:
        raise StateUnreadable(f"{path} is missing", hint="git session doctor")
    return store.blob(entry.oid)


def _children(store: Store, root: str, path: str) -> Iterable[str]:
    entry = entry_at(store, root, path.encode())
    return [] if entry is None else [name.decode("ascii", "replace") for name in read_tree(store, entry.oid)]


def _load_patches(store: Store, root: str, session: Session) -> tuple[dict[str, Patch], dict[str, str]]:
    there = list(_children(store, root, "patches"))
    patches, trees = {}, {}
    for pid in session.patches:
        path = f"patches/{pid}/patch.json"
        patches[pid] = decode(Patch, _required(store, root, path), path)
        tree = entry_at(store, root, f"patches/{pid}/tree".encode())
        if tree is not None:
            trees[pid] = tree.oid
    if set(there) != set(patches):
        raise StateUnreadable("session.json and patches/ name different patches", hint="git session doctor")
    return patches, trees


def _load_conflicts(store: Store, root: str) -> tuple[dict[str, Conflict], dict[str, dict[str, str]]]:
    conflicts: dict[str, Conflict] = {}
    sides: dict[str, dict[str, str]] = {}
    for cid in _children(store, root, "conflicts"):
        path = f"conflicts/{cid}/record.json"
        conflicts[cid] = decode(Conflict, _required(store, root, path), path)
        found = {side: entry_at(store, root, f"conflicts/{cid}/{side}".encode()) for side in SIDES}
        sides[cid] = {side: entry.oid for side, entry in found.items() if entry is not None}
    return conflicts, sides


def _load_owners(store: Store, root: str, session: Session, patches: Mapping[str, Patch]) -> Owners:
    files = {}
    for fid in _children(store, root, "own"):
        record = _required(store, root, f"own/{fid}/weave.json")
        dead = _required(store, root, f"own/{fid}/dead")
        files[fid] = decode_file(record, dead, store.blob)
        if files[fid].id != fid:
            raise StateUnreadable(f"own/{fid} holds another file's record", hint="git session doctor")
    return Owners(
        files=files,
        patches=tuple((pid, patch_state(patches[pid].status)) for pid in session.patches),
        declared=frozenset(session.declared),
        directions=frozenset(session.directions),
        judged=frozenset(session.judged),
    )


def patch_state(status: PatchStatus) -> PatchState:
    """A patch's status as ownership sees it."""
    return status if status in ("merged", "abandoned") else "open"


def _settled(store: Store, info: StepInfo) -> str | None:
    """The commit of the step whose number ``Settled`` names; a thinned one stands for the next kept before
    it.
    """
    at: StepInfo = info
    while info.settled is not None and at.number > info.settled and at.parent is not None:
        at = read_note(at.parent, store.read(at.parent).data)
    return None if info.settled is None else at.step
