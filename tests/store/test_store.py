"""The store: what is put is kept, what fails changes nothing, and the user's repository stays the user's."""

from __future__ import annotations

import os
import shutil
import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gitsessiond.model.errors import GitSessionError, Moved, StateUnreadable, StoreFailed
from gitsessiond.model.values import REGULAR, Entry
from gitsessiond.store.refs import move_refs
from gitsessiond.store.steps import load_state, read_session_refs, session_ref
from gitsessiond.store.store import RefMove
from gitsessiond.store.theirs import loose_path
from gitsessiond.store.trees import edit_tree
from tests.conftest import git
from tests.store.kit import SID, dirs, first_state, is_sound, note, oid_at, opened, record, saved, store_git


def test_objects_of_every_kind_come_back(repo: Path) -> None:
    """Blobs, trees, commits of any size: pending, journalled, packed, and in the repository."""
    contents = [b"", b"x", b"\0" * 70_000, os.urandom(300_000), b"x" * 20_000_000]
    with opened(repo) as store:
        oids = [store.put("blob", content) for content in contents]
        tree = store.put("tree", b"100644 a\0" + bytes.fromhex(oids[1]))
        for stage in ("pending", "journal", "packs"):
            assert [store.blob(oid) for oid in oids] == contents, stage
            assert store.read(tree).kind == "tree"
            store.commit([]) if stage == "pending" else store.checkpoint()
        assert store.blob(oid_at(repo, "HEAD:README")) == b"shop\n"
        assert git(repo, "hash-object", "--stdin", stdin=contents[3]).decode().strip() == oids[3]
        with pytest.raises(StateUnreadable, match="is a tree"):
            store.blob(tree)
        with pytest.raises(StateUnreadable, match="missing"):
            store.read("1" * 40)


def test_what_only_the_repository_has_is_written_all_the_same(repo: Path) -> None:
    """Content that was once `git add`ed and dropped outlives the user's gc (rule R)."""
    (repo / "dropped.txt").write_text("added, then dropped\n")
    git(repo, "add", "dropped.txt")
    git(repo, "rm", "-q", "--cached", "dropped.txt")
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        saved(store, state, b"dropped.txt", b"added, then dropped\n")
        store.checkpoint()
        git(repo, "gc", "-q", "--prune=now")
        assert store_git(store, "show", f"refs/sessions/{SID}:work/wwwwwwwwkkkk/dropped.txt") == "added, then dropped\n"
        assert is_sound(store)


def test_the_repository_never_sees_a_save(repo: Path) -> None:
    """Refs, objects, index and HEAD of the user are as they were after many saves and a checkpoint."""

    def shown() -> list[bytes]:
        told = ("for-each-ref", "count-objects -v", "status --porcelain", "cat-file --batch-all-objects --batch-check")
        return [git(repo, *words.split()) for words in told]

    before = shown()
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        for number in range(10):
            state = saved(store, state, b"a.txt", b"%d\n" % number, number)
        store.checkpoint()
    assert shown() == before


def test_a_ref_that_moved_is_not_overwritten(repo: Path) -> None:
    """A commit built on an older step is refused, and nothing of it is written."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        record(store, state, state, note("save", 1))
        with pytest.raises(Moved):
            store.commit([RefMove(session_ref(SID), state.step, state.step)])
        assert store.journal.last_record == 2


def test_a_full_disk_leaves_the_state_as_it_was(repo: Path) -> None:
    """StoreFailed (exit 15); ref and state are the ones before; once there is room, the same step goes
    through.
    """
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        (pages,) = store.journal._db.execute("PRAGMA page_count").fetchone()
        store.journal._db.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StoreFailed) as caught:
            saved(store, state, b"big", os.urandom(200_000))
        assert caught.value.exit_code == 15
        assert store.ref(session_ref(SID)) == state.step
        store.journal._db.execute("PRAGMA max_page_count=1000000")
        after = saved(store, state, b"big", os.urandom(200_000))
        assert load_state(store, store.ref(session_ref(SID)) or "").work == after.work


def test_objects_put_and_dropped_are_put_again(repo: Path) -> None:
    """A failed action's objects are forgotten; the next one that needs them writes them."""
    with opened(repo) as store:
        oid = store.put("blob", b"again\n")
        store.drop_pending()
        assert not store.own_has(oid)
        state = record(store, None, first_state(repo))
        saved(store, state, b"again", b"again\n")
        store.checkpoint()
        assert is_sound(store)


def test_a_new_process_finds_everything(repo: Path) -> None:
    """Closed with and without a checkpoint, once as after kill -9: all steps are there."""
    store = opened(repo)
    state = record(store, None, first_state(repo))
    state = saved(store, state, b"a.txt", b"one\n", 1)
    store.checkpoint()
    state = saved(store, state, b"a.txt", b"two\n", 2)
    del store  # nobody closes it
    with opened(repo) as store:
        assert read_session_refs(store) == {SID: state.step}
        assert load_state(store, state.step or "").number == 3
        store.checkpoint()
        assert is_sound(store)
        assert store_git(store, "rev-parse", session_ref(SID)).strip() == state.step


def test_the_state_is_private_and_can_be_moved_with_its_repository(repo: Path) -> None:
    """Mode 0700, and alternates that do not name an absolute path."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        store.checkpoint()
        assert stat.S_IMODE(os.stat(store.state_dir).st_mode) == 0o700
    moved = repo.with_name("moved")
    repo.rename(moved)
    with opened(moved) as store:
        assert read_session_refs(store) == {SID: state.step}
        assert is_sound(store)


@pytest.mark.parametrize("content", ["2\n", "x\n", ""])
def test_a_newer_or_garbled_format_changes_nothing(repo: Path, content: str) -> None:
    """An unknown format number ends in exit 14 before anything is read or written."""
    opened(repo).close()
    path = repo / ".git" / "gitsession" / "format"
    path.write_text(content)
    with pytest.raises(StateUnreadable) as caught:
        opened(repo)
    assert caught.value.exit_code == 14
    assert path.read_text() == content


def test_a_deleted_store_is_never_taken_for_an_empty_one(repo: Path) -> None:
    """Without store.git the sessions are unreadable, not gone."""
    with opened(repo) as store:
        record(store, None, first_state(repo))
        store.checkpoint()
    shutil.rmtree(repo / ".git" / "gitsession" / "store.git")
    with opened(repo) as store, pytest.raises(StateUnreadable, match="is gone") as caught:
        read_session_refs(store)
    assert caught.value.hint == "git session doctor"


def test_a_directory_that_cannot_be_written_is_said(repo: Path) -> None:
    """Something in the way of the state directory ends in exit 15 with the path in the message."""
    (repo / ".git" / "gitsession").write_text("in the way")
    with pytest.raises(StoreFailed, match="gitsession"):
        opened(repo)


@pytest.mark.alone
def test_a_save_is_fast(repo: Path) -> None:
    """Twelve objects and a commit with its sync: p50 within 2 ms times a generous factor for a busy
    machine.
    """
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        times = []
        for number in range(60):
            begun = time.perf_counter()
            state = saved(store, state, b"src/b.txt", b"%d\n" % number * 200, number)
            for extra in range(6):
                store.put("blob", b"%d %d\n" % (number, extra) * 100)
            store.commit([])
            times.append(time.perf_counter() - begun)
    assert sorted(times)[30] < 0.02


# -- into the user's repository -------------------------------------------------------------------------


def commit_of(repo: Path, tree: str, parent: str) -> bytes:
    return b"tree %s\nparent %s\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\nx\n" % (
        tree.encode(),
        parent.encode(),
    )


def test_commits_are_given_to_the_repository_whole(repo: Path) -> None:
    """A series of ours with all it reaches is there for plain git, and only what lacked was written."""
    with opened(repo) as store:
        head, tree = oid_at(repo, "HEAD"), oid_at(repo, "HEAD^{tree}")
        for number in range(60):
            blob = store.put("blob", b"%d\n" % number)
            tree = edit_tree(store, tree, {b"src/deep/new%d" % number: Entry(REGULAR, blob)})
            head = store.put("commit", commit_of(repo, tree, head))
        before = git(repo, "count-objects").split()[0]
        store.to_repository([head])
        assert git(repo, "rev-list", "--count", head) == b"61\n"
        assert git(repo, "show", f"{head}:src/deep/new3") == b"3\n"
        assert int(git(repo, "count-objects").split()[0]) - int(before) == 60 * 5
        git(repo, "update-ref", "refs/heads/ours", head)
        git(repo, "fsck", "--strict", "--no-dangling")
        store.to_repository([head])
        assert not [name for _, _, names in os.walk(repo / ".git" / "objects") for name in names if "tmp" in name]


def test_an_empty_object_file_of_a_power_cut_is_healed(repo: Path) -> None:
    """A zero-length loose object is replaced; git itself would take it for the object for ever."""
    with opened(repo) as store:
        blob = store.put("blob", b"lost in a power cut\n")
        tree = edit_tree(store, oid_at(repo, "HEAD^{tree}"), {b"new": Entry(REGULAR, blob)})
        commit = store.put("commit", commit_of(repo, tree, oid_at(repo, "HEAD")))
        for oid in (blob, tree, commit):
            path = Path(loose_path(str(repo / ".git"), oid))
            path.parent.mkdir(exist_ok=True)
            path.touch()
        assert not store.in_repository(commit)
        store.to_repository([commit])
        git(repo, "update-ref", "refs/heads/ours", commit)
        git(repo, "fsck", "--strict", "--no-dangling")


def test_what_an_interrupted_write_left_is_completed(repo: Path) -> None:
    """A tree that is there without its blob, and the user's pruning of one: the commit comes whole all the same."""
    with opened(repo) as store:
        blob = store.put("blob", b"not there yet\n")
        tree = edit_tree(store, oid_at(repo, "HEAD^{tree}"), {b"src/deep/new": Entry(REGULAR, blob)})
        commit = store.put("commit", commit_of(repo, tree, oid_at(repo, "HEAD")))
        store.to_repository([tree])
        os.unlink(loose_path(str(repo / ".git"), blob))
        store.to_repository([commit])
        git(repo, "update-ref", "refs/heads/ours", commit)
        git(repo, "fsck", "--strict", "--no-dangling")


def test_a_shared_repository_stays_shared(repo: Path) -> None:
    """Directories of objects that we make have the rights of the ones git makes."""
    objects = repo / ".git" / "objects"
    objects.chmod(0o2775)
    with opened(repo) as store:
        before = set(os.listdir(objects))
        store.to_repository([store.put("blob", b"%d" % number) for number in range(20)])
        new = set(os.listdir(objects)) - before
        assert new and {stat.S_IMODE(os.stat(objects / name).st_mode) for name in new} == {0o2775}


def test_refs_move_all_or_none(repo: Path) -> None:
    """Old values are compared, a mismatch moves nothing, and the reflog says why."""
    with opened(repo) as store:
        head = oid_at(repo, "HEAD")
        git(repo, "commit", "-q", "--allow-empty", "-m", "next")
        newer = oid_at(repo, "HEAD")
        move_refs(store.common_dir, [RefMove("refs/heads/new", None, head)], "made\nhere")
        assert b"made here" in git(repo, "reflog", "refs/heads/new")
        for wrong in (
            RefMove("refs/heads/main", head, head),
            RefMove("refs/heads/new", None, newer),
            RefMove("refs/heads/none", head, newer),
            RefMove("refs/heads/main", head, None),
        ):
            with pytest.raises(Moved) as caught:
                move_refs(store.common_dir, [RefMove("refs/heads/other", None, head), wrong], "x")
            assert caught.value.exit_code == 12
        with pytest.raises(StoreFailed):
            move_refs(store.common_dir, [RefMove("refs/heads/other", None, "1" * 40)], "x")
        assert git(repo, "for-each-ref", "--format=%(refname)") == b"refs/heads/main\nrefs/heads/new\n"
        move_refs(
            store.common_dir, [RefMove("refs/heads/new", head, None), RefMove("refs/heads/main", newer, head)], "x"
        )
        assert git(repo, "for-each-ref", "--format=%(refname) %(objectname)").decode() == f"refs/heads/main {head}\n"
        move_refs(store.common_dir, [], "nothing")


def test_a_held_lock_is_waited_for_and_then_said(repo: Path) -> None:
    """Another git that holds a ref for a moment costs a moment; one that never lets go is named."""
    lock = repo / ".git" / "refs" / "heads" / "new.lock"
    lock.touch()
    with opened(repo) as store:
        begun = time.monotonic()
        with pytest.raises(StoreFailed, match="cannot lock ref"):
            move_refs(store.common_dir, [RefMove("refs/heads/new", None, oid_at(repo, "HEAD"))], "x")
        assert 0.9 < time.monotonic() - begun < 5
        pid = os.fork()
        if pid == 0:
            time.sleep(0.3)
            lock.unlink()
            os._exit(0)
        move_refs(store.common_dir, [RefMove("refs/heads/new", None, oid_at(repo, "HEAD"))], "x")
        os.waitpid(pid, 0)


def test_reads_survive_the_users_gc(repo: Path) -> None:
    """Packs of the repository may come and go while the store is open."""
    with opened(repo) as store:
        blob = oid_at(repo, "HEAD:a.txt")
        assert store.blob(blob).startswith(b"line 1\n")
        for number in range(3):
            (repo / "more").write_text(f"{number}\n")
            git(repo, "add", "-A")
            git(repo, "commit", "-qm", "more")
            git(repo, "gc", "-q", "--prune=now")
            assert store.blob(blob).startswith(b"line 1\n")
            assert store.blob(oid_at(repo, "HEAD:more")) == b"%d\n" % number
            assert store.in_repository(blob)


def test_linked_worktrees_share_one_store(repo: Path) -> None:
    """The store is found by the common directory."""
    with opened(repo) as store:
        record(store, None, first_state(repo))
        record(store, None, replace(first_state(repo, "ssssssssllll", "two")))
        assert len(read_session_refs(store)) == 2
    assert dirs(repo).state_dir.endswith(".git/gitsession")


def test_errors_are_ours() -> None:
    """Everything the store raises is a GitSessionError with an exit code."""
    assert all(issubclass(kind, GitSessionError) for kind in (Moved, StateUnreadable, StoreFailed))
