"""doctor: finds what is wrong, mends what can be mended, and never takes a loss for nothing."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gitsessiond.model.errors import StateUnreadable
from gitsessiond.model.files import marks_of
from gitsessiond.model.ownership import versions
from gitsessiond.model.records import SeriesCommit
from gitsessiond.model.values import REGULAR, Entry
from gitsessiond.store.anchors import ANCHORS, PATCHES, move_projections, write_anchor
from gitsessiond.store.doctor import Check, examine
from gitsessiond.store.rebuild import tools_of
from gitsessiond.store.steps import State, damaged_refs, history, load_state, read_session_refs, session_ref, write_step
from gitsessiond.store.store import RefMove, Store, open_store
from gitsessiond.store.theirs import loose_path
from gitsessiond.store.trees import edit_tree, entry_at
from tests.conftest import git
from tests.store.kit import (
    NOW,
    PID,
    QID,
    SID,
    dirs,
    first_state,
    is_sound,
    note,
    oid_at,
    opened,
    patch,
    record,
    saved,
)


def acted(store: Store, repo: Path, before: State | None, after: State) -> State:
    """Record an action in the documented order."""
    written = write_step(store, before, after, note("action", op_id="kkkkkkkkkkkk"))
    write_anchor(store, dirs(repo), before, written)
    store.commit([RefMove(session_ref(SID), before.step if before else None, written.step)])
    move_projections(store, dirs(repo), before, written)
    return written


def committed(store: Store, repo: Path) -> State:
    """A session with two saves, and a commit that holds one line of p and one of q in the same file."""
    state = acted(store, repo, None, first_state(repo))
    base, base_tree = state.session.base, state.work
    lines = (repo / "a.txt").read_bytes().splitlines(keepends=True)
    state = saved(store, state, b"a.txt", b"".join([b"p's\n", *lines[1:]]), 1)
    state = saved(store, state, b"a.txt", b"".join([b"p's\n", *lines[1:-1], b"q's\n"]), 2)
    (repo / "a.txt").write_bytes(store.blob(oid_in(store, state.work, b"a.txt")))
    (repo / "only-p").write_text("p\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "both")
    chain = oid_at(repo, "HEAD")

    def twin(edits: dict[bytes, bytes]) -> str:
        entries = {path: Entry(REGULAR, store.put("blob", content)) for path, content in edits.items()}
        tree = edit_tree(store, base_tree, entries)
        text = b"tree %s\nparent %s\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\nboth\n"
        return store.put("commit", text % (tree.encode(), base.encode()))

    p = twin({b"a.txt": b"".join([b"p's\n", *lines[1:]]), b"only-p": b"p\n"})
    q = twin({b"a.txt": b"".join([*lines[:-1], b"q's\n"])})
    after = replace(
        state,
        session=state.session.model_copy(update={"chain": (chain,), "patches": (PID, QID), "patch_in_use": PID}),
        patches={
            PID: patch().model_copy(update={"series": (SeriesCommit(oid=p, of=chain),)}),
            QID: patch(QID, "q").model_copy(update={"series": (SeriesCommit(oid=q, of=chain),), "status": "merged"}),
        },
        work=oid_at(repo, "HEAD^{tree}"),
    )
    return acted(store, repo, state, after)


def oid_in(store: Store, tree: str, path: bytes) -> str:
    found = entry_at(store, tree, path)
    assert found is not None
    return found.oid


def check(store: Store, repo: Path, name: str, *, fix: bool = False) -> Check:
    return {found.name: found for found in examine(store, dirs(repo), fix=fix, now=NOW)}[name]


def all_well(store: Store, repo: Path) -> bool:
    found = examine(store, dirs(repo), now=NOW)
    assert all(one.ok and not one.fixed for one in found), found
    return True


def mends(repo: Path, what: str, state: State) -> None:
    """This check is red; once mended the session stands at this state and everything is well."""
    with opened(repo) as store:
        assert not check(store, repo, what).ok
        examine(store, dirs(repo), fix=True, now=NOW)
        assert read_session_refs(store) == {SID: state.step}
        assert all_well(store, repo)
        assert is_sound(store)


def test_a_sound_store_is_found_sound(repo: Path) -> None:
    """Every check passes and nothing is changed, before and after a checkpoint."""
    with opened(repo) as store:
        state = committed(store, repo)
        assert all_well(store, repo) and all_well(store, repo)
        assert read_session_refs(store) == {SID: state.step}
        assert is_sound(store)
        told = {one.name: one.message for one in examine(store, dirs(repo), now=NOW)}
        assert told["locks"] == "no lock file of a git that was killed is on our refs"
        assert told["worktrees"] == "git can read the only one"
        assert told["history"] == "of each session all steps are there, back to the first"


def test_refs_and_commits_taken_from_the_repository_come_back(repo: Path) -> None:
    """Refs of ours deleted, commits pruned: both are put back with the same ids."""
    with opened(repo) as store:
        state = committed(store, repo)
        before = git(repo, "for-each-ref", "refs/gitsession")
        git(repo, "reset", "-q", "--hard", state.session.base)
        for line in before.decode().splitlines():
            git(repo, "update-ref", "-d", line.split("\t")[1])
        git(repo, "update-ref", f"{PATCHES}{SID}/zzzzzzzzzzzz", state.session.base)
        git(repo, "reflog", "expire", "--expire=now", "--all")
        git(repo, "gc", "-q", "--prune=now")
        assert not check(store, repo, "anchors").ok
        assert git(repo, "for-each-ref", ANCHORS) == b""
        assert check(store, repo, "anchors", fix=True).fixed
        assert git(repo, "for-each-ref", "refs/gitsession") == before
        git(repo, "fsck", "--strict", "--no-dangling")
        assert all_well(store, repo)


def test_empty_object_files_are_removed_and_put_back(repo: Path) -> None:
    """A power cut left an empty commit in the repository: afterwards the user's fsck is clean again."""
    with opened(repo) as store:
        state = committed(store, repo)
        (twin,) = (commit.oid for commit in state.patches[PID].series)
        path = loose_path(str(repo / ".git"), twin)
        os.chmod(path, 0o644)
        os.truncate(path, 0)
        assert git(repo, "fsck", check=False) is not None
        found = check(store, repo, "objects of the repository", fix=True)
        assert found.fixed and twin in found.message
        git(repo, "fsck", "--strict", "--no-dangling")
        assert all_well(store, repo)


@pytest.mark.parametrize("gone", ["store.git", "."])
def test_sessions_come_back_from_their_anchors(repo: Path, gone: str) -> None:
    """With the store deleted, each commit's edits have their owners again, and the loss is said."""
    with opened(repo) as store:
        state = committed(store, repo)
        store.checkpoint()
    shutil.rmtree(repo / ".git" / "gitsession" / gone)
    with opened(repo) as store:
        before = check(store, repo, "sessions")
        assert not before.ok and not before.fixed
        after = check(store, repo, "sessions", fix=True)
        assert after.fixed and "without the history of its saves" in after.message
        assert all_well(store, repo)
        found = load_state(store, read_session_refs(store)[SID])
        assert found.session == state.session.model_copy(update={"patch_in_use": None})
        assert found.patches == state.patches
        assert found.work == state.work
        assert dict(found.owners.patches) == {PID: "open", QID: "merged"}
        for pid in (PID, QID):
            twin = found.patches[pid].series[-1].oid
            assert found.trees[pid] == oid_at(repo, f"{twin}^{{tree}}")
            overlay = versions(found.owners, {pid}, tools_of(store), 0)
            assert edit_tree(store, oid_at(repo, f"{state.session.base}^{{tree}}"), overlay) == found.trees[pid]
        labels = {label for file in found.owners.files.values() for label in marks_of(file).labels}
        assert labels == {PID, QID}
        (step,) = history(store, SID)
        assert (step.number, step.verb) == (1, "doctor")
        assert is_sound(store)


def test_a_damaged_ref_finds_its_step_again(repo: Path) -> None:
    """An empty ref file in store.git: the newest step in the packs is the session's last one again."""
    with opened(repo) as store:
        state = committed(store, repo)
        store.checkpoint()
    (repo / ".git/gitsession/store.git/refs/sessions" / SID).write_bytes(b"")
    with opened(repo) as store:
        assert read_session_refs(store) == {} and "is damaged" in damaged_refs(store)[SID]
        assert check(store, repo, "sessions", fix=True).fixed
        assert read_session_refs(store) == {SID: state.step}
        assert all_well(store, repo)


def test_a_lost_pack_costs_only_what_was_in_it(repo: Path) -> None:
    """The last of several packs is gone: the session goes back to the newest step that can be read."""
    with opened(repo) as store:
        state = committed(store, repo)
        store.checkpoint()
        first = set(store.journal.packs())
        saved(store, state, b"a.txt", b"lost\n", 9)
        store.checkpoint()
        (lost,) = set(store.journal.packs()) - first
    for suffix in (".pack", ".idx"):
        os.unlink(repo / ".git/gitsession/store.git/objects/pack" / (lost + suffix))
    mends(repo, "packs", state)


def test_a_history_without_its_beginning_begins_again(repo: Path) -> None:
    """The first pack is gone but the last step is whole: the session goes on from it, and the loss is said."""
    with opened(repo) as store:
        state = acted(store, repo, None, first_state(repo))
        store.checkpoint()
        (lost,) = store.journal.packs()
        session = state.session.model_copy(update={"description": "more"})
        state = saved(store, replace(state, session=session), b"src/b.txt", b"kept\n", 2)
        again = write_step(store, None, state, note("save", 3))
        keep = [store.read(oid) for oid in store._pending]
        store.drop_pending()
        for kind, data in keep:
            store.put(kind, data)
        assert again.step is not None
        store.commit([])
        store.checkpoint()
    for suffix in (".pack", ".idx"):
        os.unlink(repo / ".git/gitsession/store.git/objects/pack" / (lost + suffix))
    with opened(repo) as store:
        found = {one.name: one for one in examine(store, dirs(repo), fix=True, now=NOW)}
        assert found["packs"].fixed
        last = load_state(store, read_session_refs(store)[SID])
        assert last.work == state.work
        assert all_well(store, repo)
        assert is_sound(store)


def test_a_garbled_pack_is_replaced_by_what_is_sound_in_it(repo: Path) -> None:
    """One changed byte: all other objects are kept, the damaged pack too, and the session goes on."""
    with opened(repo) as store:
        committed(store, repo)
        store.checkpoint()
        (name,) = store.journal.packs()
    path = repo / ".git/gitsession/store.git/objects/pack" / f"{name}.pack"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    with opened(repo) as store:
        found = check(store, repo, "packs")
        assert not found.ok and not found.fixed and "garbled" in found.message
        examine(store, dirs(repo), fix=True, now=NOW)
        assert list(path.parent.glob("*.pack.damaged-1"))
        assert load_state(store, read_session_refs(store)[SID])
        assert all_well(store, repo)
        assert is_sound(store)


def test_a_garbled_index_is_made_again(repo: Path) -> None:
    """The pack is sound and only its index is cut short: nothing at all is lost."""
    with opened(repo) as store:
        state = committed(store, repo)
        store.checkpoint()
        (name,) = store.journal.packs()
    path = repo / ".git/gitsession/store.git/objects/pack" / f"{name}.idx"
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)
    mends(repo, "packs", state)


def test_a_lost_index_is_made_again(repo: Path) -> None:
    """Of a pack only the index is gone: the pack is kept, whatever opens the store, and nothing at all is lost."""
    with opened(repo) as store:
        state = committed(store, repo)
        store.checkpoint()
        (name,) = store.journal.packs()
    (repo / ".git/gitsession/store.git/objects/pack" / f"{name}.idx").unlink()
    with opened(repo) as store, pytest.raises(StateUnreadable, match="is gone"):
        read_session_refs(store)
    with open_store(dirs(repo), repair=True) as store:
        found = check(store, repo, "packs", fix=True)
        assert found.fixed and "made again" in found.message
    with opened(repo) as store:
        assert list(store.journal.packs()) == [name]
        assert read_session_refs(store) == {SID: state.step}
        assert all_well(store, repo)
        assert is_sound(store)


def test_a_damaged_journal_is_salvaged(repo: Path) -> None:
    """What can be read of it is taken over, the damaged file is kept, and the session goes on from there."""
    with opened(repo) as store:
        state = acted(store, repo, None, first_state(repo))
        store.checkpoint()
        for number in range(60):
            state = saved(store, state, b"a.txt", os.urandom(2000).hex().encode() + b"\n", number)
    path = repo / ".git/gitsession/journal.db"
    data = bytearray(path.read_bytes())
    middle = len(data) // 4096 // 2 * 4096
    data[middle : middle + 8192] = os.urandom(8192)
    path.write_bytes(data)
    with open_store(dirs(repo), repair=True) as store:
        assert list(path.parent.glob("journal.db.damaged-1"))
        examine(store, dirs(repo), fix=True, now=NOW)
        found = load_state(store, read_session_refs(store)[SID])
        assert found.number >= 1
        assert all_well(store, repo)
        assert is_sound(store)
    with open_store(dirs(repo), repair=True):
        assert len(list(path.parent.glob("journal.db.damaged-*"))) == 1


def test_garbled_rows_are_found(repo: Path) -> None:
    """A journal that SQLite finds sound but whose object is another is reported."""
    with opened(repo) as store:
        record(store, None, first_state(repo))
        store.journal._db.execute("UPDATE objects SET entry = x'00' WHERE n = 1")
    with opened(repo) as store:
        assert not check(store, repo, "journal").ok


def test_borrowed_objects_are_found_and_copied(repo: Path) -> None:
    """A step that names what only the repository holds breaks rule R; doctor copies it, or says it is missing."""
    blob = git(repo, "hash-object", "-w", "--stdin", stdin=b"only there\n").decode().strip()
    with opened(repo) as store:
        state = acted(store, repo, None, first_state(repo))
        work = edit_tree(store, state.work, {b"there": Entry(REGULAR, blob)})
        state = record(store, state, replace(state, work=work))
        found = check(store, repo, "own objects")
        assert not found.ok and blob in found.message
        assert check(store, repo, "own objects", fix=True).fixed
        assert store.own_has(blob)
        assert all_well(store, repo)
        nowhere = edit_tree(store, state.work, {b"nowhere": Entry(REGULAR, "1" * 40)})
        record(store, state, replace(state, work=nowhere))
        assert not check(store, repo, "own objects", fix=True).ok


def test_content_of_older_commits_may_be_borrowed(repo: Path) -> None:
    """A file that is again what it was before the base is reached by the base, and no fault."""
    (repo / "a.txt").write_text("newer\n")
    git(repo, "commit", "-qam", "newer")
    old = Entry(REGULAR, oid_at(repo, "HEAD~1:a.txt"))
    with opened(repo) as store:
        state = acted(store, repo, None, first_state(repo))
        record(store, state, replace(state, work=edit_tree(store, state.work, {b"a.txt": old})))
        assert not store.own_has(old.oid)
        assert all_well(store, repo)


def test_old_locks_go(repo: Path) -> None:
    """A lock of a killed git on refs of ours is removed once nobody can be at work with it."""
    with opened(repo) as store:
        committed(store, repo)
        lock = repo / ".git" / "refs" / "gitsession" / "sessions" / f"{SID}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
        os.utime(lock, (NOW.timestamp() - 3600, NOW.timestamp() - 3600))
        assert not check(store, repo, "locks").ok
        assert check(store, repo, "locks", fix=True).fixed
        assert not lock.exists()
