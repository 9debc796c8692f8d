"""Steps read again (docs/format.md, "The tree of a step")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gitsessiond.model.encoding import decode_file
from gitsessiond.model.errors import StateUnreadable
from gitsessiond.model.files import File
from gitsessiond.model.fileset import Files
from gitsessiond.model.owners import Owners
from gitsessiond.model.records import Conflict, Patch, Session, decode
from gitsessiond.model.values import EMPTY_TREE
from gitsessiond.store.notes import StepInfo, read_note
from gitsessiond.store.states import SESSIONS, SIDES, State, patch_state
from gitsessiond.store.store import Store
from gitsessiond.store.trees import entry_at, read_tree


def read_session_refs(store: Store) -> dict[str, str]:
    """The last step of every session whose ref can be read, by session id; :func:`damaged_refs` names the others.

    Raises:
        StateUnreadable: the store lost packs; what is left of it is not taken for everything.
    """
    if store.gone:
        raise StateUnreadable(f"the recorded history is damaged: {'; '.join(store.gone)}", hint="git session doctor")
    return {name.removeprefix(SESSIONS): oid for name, oid in store.refs(SESSIONS).items()}


def damaged_refs(store: Store) -> dict[str, str]:
    """The sessions whose ref is damaged, by session id, each with what is wrong."""
    lost = (name for name in store.bad_refs if name.startswith(SESSIONS) and store.ref(name) is None)
    return {name.removeprefix(SESSIONS): f"{name} is damaged" for name in lost}


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
    return Owners(
        files=Files((fid, _file(store, root, fid)) for fid in _children(store, root, "own")),
        patches=tuple((pid, patch_state(patches[pid].status)) for pid in session.patches),
        declared=frozenset(session.declared),
        directions=frozenset(session.directions),
        judged=frozenset(session.judged),
    )


def load_file(store: Store, root: str, fid: str) -> File | None:
    """One File of a step's tree; None: it had no edits then.

    Raises:
        StateUnreadable: it is damaged or of a newer format.
    """
    return None if entry_at(store, root, f"own/{fid}".encode()) is None else _file(store, root, fid)


def _file(store: Store, root: str, fid: str) -> File:
    record = _required(store, root, f"own/{fid}/weave.json")
    file = decode_file(record, _required(store, root, f"own/{fid}/dead"), store.blob)
    if file.id != fid:
        raise StateUnreadable(f"own/{fid} holds another file's record", hint="git session doctor")
    return file


def _settled(store: Store, info: StepInfo) -> str | None:
    """The commit of the step whose number ``Settled`` names; a thinned one stands for the next kept before
    it.
    """
    at: StepInfo = info
    while info.settled is not None and at.number > info.settled and at.parent is not None:
        at = read_note(at.parent, store.read(at.parent).data)
    return None if info.settled is None else at.step
