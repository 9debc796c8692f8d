"""What the user's repository holds of a session: one anchor commit, and a ref for each patch's series.

The anchor (``refs/gitsession/sessions/<sid>``) has no history of its own: it is replaced at each action.
Its parents keep the session's commits from the user's gc, and its tree is enough to find the session again
when our store is gone (docs/format.md, "In the repository").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gitsessiond.model.commits import CommitFacts, commit_data, parse_commit
from gitsessiond.model.errors import StateUnreadable, StoreFailed
from gitsessiond.model.records import Conflict, Patch, Session, decode, encode
from gitsessiond.model.values import REGULAR, Entry
from gitsessiond.store.crossing import commit_links
from gitsessiond.store.git import DAEMON_EMAIL, DAEMON_NAME, run_git
from gitsessiond.store.outlasting import TAKEN_TIMES, outlast_gc
from gitsessiond.store.refs import RefMove, move_refs
from gitsessiond.store.states import State, named_commits
from gitsessiond.store.store import HasDirs, Store
from gitsessiond.store.trees import edit_tree, entry_at, read_tree

ANCHORS = "refs/gitsession/sessions/"
PATCHES = "refs/gitsession/patches/"


class Anchored(NamedTuple):
    """The records an anchor holds."""

    session: Session
    patches: Mapping[str, Patch]
    conflicts: Mapping[str, Conflict]


def write_anchor(store: Store, repository: HasDirs, before: State | None, after: State) -> None:
    """Make the session's commits and its new anchor last in the repository, before the step that names them.

    Commits that only ``before`` names stay protected until :func:`move_projections`, since the step may yet
    fail.

    Raises:
        StoreFailed: the disk or git refused; nothing of it harms.
    """
    if before is None:
        return  # nothing but the base yet; an anchor of a session that never came to be would look like a lost one
    extra = [oid for oid in named_commits(before) if oid not in named_commits(after)]
    anchor = put_anchor(store, after, extra)
    put_back = store.depositing([anchor])
    put_back()
    _point(repository, {ANCHORS + after.session.id: anchor}, f"session {after.session.name}", put_back)


def may_wait(before: State, after: State) -> bool:
    """Whether the anchor of ``after`` need not be there before its step.

    So it is where the anchor of ``before`` protects the same commits, by the same refs of patches, and finds the same
    session: all that it lacks then is what became of patches, which a repair from it would notice in the target
    anyway, and which is in use. A merge is such a step, and the anchor was half of what it cost.
    """
    same = before.session.model_copy(update={"patch_in_use": after.session.patch_in_use}) == after.session
    named_alike = set(named_commits(before)) == set(named_commits(after))
    return same and named_alike and patch_refs(before) == patch_refs(after)


def anchored_alike(before: State, after: State) -> bool:
    """Whether the anchors of two states hold the same records."""
    return before.session == after.session and before.patches == after.patches and before.conflicts == after.conflicts


def move_projections(store: Store, repository: HasDirs, before: State | None, after: State) -> None:
    """Bring the refs of the repository to what the step, now recorded, says.

    Patch refs follow their series; an anchor that still protected older commits is trimmed; and what a
    ``gc --prune=now`` took before a ref named it is put back, the anchor itself too.

    Raises:
        StoreFailed: git refused; doing it again is all that is needed.
    """
    wanted = patch_refs(after)
    old = patch_refs(before) if before else {}
    moves: dict[str, str | None] = {name: oid for name, oid in wanted.items() if old.get(name) != oid}
    moves |= dict.fromkeys(old.keys() - wanted.keys())
    anchor = put_anchor(store, after)
    if before is None or set(named_commits(before)) - set(named_commits(after)):
        moves[ANCHORS + after.session.id] = anchor
    named = [anchor, *named_commits(after)]
    new = frozenset(named) - frozenset(named_commits(before) if before else ())
    put_back = store.depositing(named, new)
    put_back()
    _point(repository, moves, f"session {after.session.name}", put_back)
    outlast_gc(repository.common_dir, put_back)


def patch_refs(state: State) -> dict[str, str]:
    """The refs plain git is to see of a session's patches: the tip of each series."""
    return {
        f"{PATCHES}{state.session.id}/{pid}": patch.series[-1].oid
        for pid, patch in state.patches.items()
        if patch.series
    }


def put_anchor(store: Store, state: State, extra: list[str] | None = None) -> str:
    """The anchor commit of a state, put into the store; a pure function of the state and ``extra``
    parents.
    """
    records = {b"session.json": encode(state.session)}
    records |= {f"patches/{pid}/patch.json".encode(): encode(patch) for pid, patch in state.patches.items()}
    records |= {f"conflicts/{cid}/record.json".encode(): encode(one) for cid, one in state.conflicts.items()}
    tree = edit_tree(store, None, {path: Entry(REGULAR, store.put("blob", data)) for path, data in records.items()})
    base = parse_commit(state.session.base, store.read(state.session.base).data)
    stamp = b" ".join(base.committer.rsplit(b" ", 2)[1:])
    person = f"{DAEMON_NAME} <{DAEMON_EMAIL}> ".encode() + stamp
    message = f"Session {state.session.name}\n\nSession-Id: {state.session.id}\n"
    parents = (*named_commits(state), *(extra or ()))
    return store.put("commit", commit_data(CommitFacts("", tree, parents, person, person, message.encode())))


def anchors_of(repository: HasDirs) -> dict[str, str]:
    """The anchors there are in the repository: session id to commit."""
    listed = run_git(
        ["for-each-ref", "--format=%(objectname) %(refname)", ANCHORS], git_dir=repository.common_dir
    ).out.decode("utf-8", "surrogateescape")
    pairs = (line.split(" ", 1) for line in listed.splitlines())
    return {name.removeprefix(ANCHORS): oid for oid, name in pairs}


def read_anchor(store: Store, oid: str) -> Anchored:
    """The records of an anchor.

    Raises:
        StateUnreadable: it is no anchor, damaged, or of a newer format.
    """
    kind, data = store.read(oid)
    if kind != "commit":
        raise StateUnreadable(f"{oid} is no anchor of a session", hint="git session doctor")
    tree = commit_links(data)[0]
    session = decode(Session, _content(store, tree, b"session.json"), "session.json")
    patches = {
        pid: decode(Patch, _content(store, tree, f"patches/{pid}/patch.json".encode()), f"patches/{pid}")
        for pid in session.patches
    }
    there = entry_at(store, tree, b"conflicts")
    conflicts = {}
    for name in read_tree(store, there.oid) if there else ():
        record = _content(store, tree, b"conflicts/" + name + b"/record.json")
        conflicts[name.decode("ascii", "replace")] = decode(Conflict, record, "conflicts")
    return Anchored(session, patches, conflicts)


def _content(store: Store, tree: str, path: bytes) -> bytes:
    entry = entry_at(store, tree, path)
    if entry is None:
        raise StateUnreadable(f"the anchor has no {path.decode()}", hint="git session doctor")
    return store.blob(entry.oid)


def _point(repository: HasDirs, refs: Mapping[str, str | None], why: str, put_back: Callable[[], bool]) -> None:
    """Set refs that only we move, wherever they stand now; again while a gc takes what they are to name."""
    moves = [RefMove(name, None, oid) for name, oid in refs.items()]
    for _ in range(TAKEN_TIMES):
        try:
            return move_refs(repository.common_dir, moves, f"gitsession: {why}", compare=False)
        except StoreFailed as exc:
            failed = exc
            if not put_back():
                break
    raise StoreFailed(f"refs/gitsession cannot be moved: {failed.message}", hint=failed.hint) from failed
