"""Tracked files that cannot be recorded: what is known of them, and what is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

from gitsessiond.model.values import REGULAR, Entry
from tests.conftest import git
from tests.store.recorded import Recorded, recorded

__all__ = ["recorded"]


def large(recorded: Recorded, repo: Path) -> None:
    """a.txt is tracked, larger than what is recorded, and edited; b.txt is not."""
    git(repo, "config", "gitsession.maxFileSize", "40")
    (repo / "a.txt").write_text("a large file that nobody may record, edited\n")
    assert recorded.scan().skipped == ((b"a.txt", "larger than gitsession.maxFileSize (40 bytes)"),)


def committed_elsewhere(repo: Path, text: str) -> Entry:
    """A blob that the index is given for a.txt, its file as it is."""
    (repo.parent / "elsewhere.txt").write_text(text)
    oid = git(repo, "hash-object", "-w", str(repo.parent / "elsewhere.txt")).decode().strip()
    git(repo, "update-index", "--cacheinfo", f"100644,{oid},a.txt")
    return Entry(REGULAR, oid)


def test_a_large_file_goes_with_the_index(recorded: Recorded, repo: Path) -> None:
    """Its edits are not recorded; what git brings below them is, so that no edit seems to undo it."""
    large(recorded, repo)
    before = recorded.tree.known[b"a.txt"].entry
    moved = committed_elsewhere(repo, "the target's\n")
    (seen,) = recorded.read(b"b.txt").changes
    assert (seen.path, seen.before, seen.after) == (b"a.txt", before, moved)
    assert recorded.tree.skipped == {b"a.txt": "larger than gitsession.maxFileSize (40 bytes)"}
    assert recorded.store.own_has(moved.oid)


def test_a_large_file_that_git_has_is_recorded(recorded: Recorded, repo: Path) -> None:
    """Once it is staged as it is there is nothing left out."""
    large(recorded, repo)
    git(repo, "add", "a.txt")
    (seen,) = recorded.read(b"a.txt").changes
    assert (
        seen.after == Entry(REGULAR, git(repo, "rev-parse", ":a.txt").decode().strip()) and recorded.tree.skipped == {}
    )


def test_an_edit_that_is_not_recorded_is_told_apart_from_what_git_has(recorded: Recorded, repo: Path) -> None:
    """Also after a look at everything, and after a restart: such a file is never taken for looked at."""
    large(recorded, repo)
    for _ in range(2):
        assert recorded.tree.unrecorded({b"a.txt", b"b.txt"}).keys() == {b"a.txt"}
        recorded.scan()
    git(repo, "add", "a.txt")
    assert recorded.tree.unrecorded({b"a.txt", b"b.txt"}) == {}


def settle(repo: Path) -> None:
    """a.txt is old enough to be known by its times, here (50 ms) and in the index."""
    os.utime(repo / "a.txt", ns=(10**18, 10**18))
    git(repo, "update-index", "--refresh")
    time.sleep(0.06)


def foreign(repo: Path) -> None:
    """a.txt has a filter that keeps what it stores elsewhere, as Git LFS does."""
    git(repo, "config", "filter.own.process", "cat")
    (repo / ".gitattributes").write_text("a.txt filter=own\n")


def test_a_file_that_was_gone_is_what_the_index_has(recorded: Recorded, repo: Path) -> None:
    """Removed and put back by an editor or a stash: no deletion of it stays behind."""
    foreign(repo)
    recorded.scan()
    before = recorded.tree.known[b"a.txt"].entry
    text = (repo / "a.txt").read_bytes()
    (repo / "a.txt").unlink()
    assert recorded.read(b"a.txt").changes[0].after is None
    (repo / "a.txt").write_bytes(text)
    recorded.read(b"a.txt")
    assert recorded.tree.known[b"a.txt"].entry == before


def test_a_file_that_stays_goes_with_the_index(recorded: Recorded, repo: Path) -> None:
    """``add --renormalize`` after its filter came: the file is as it was, and the index has a pointer."""
    settle(repo)
    recorded.scan()
    foreign(repo)
    recorded.read(b".gitattributes")
    assert recorded.tree.skipped == {}
    moved = committed_elsewhere(repo, "a pointer\n")
    recorded.read(b"src/b.txt")
    assert recorded.tree.known[b"a.txt"].entry == moved


def test_a_new_file_that_was_left_out_is_recorded_once_git_has_it(recorded: Recorded, repo: Path) -> None:
    """Untracked and too large at the first look, the very same file added then: the index's entry, and not left out."""
    git(repo, "config", "gitsession.maxFileSize", "40")
    (repo / "new.bin").write_text("a large new file that nobody may record\n" * 2)
    time.sleep(0.06)
    recorded.scan()
    assert recorded.tree.skipped.keys() == {b"new.bin"}
    git(repo, "add", "new.bin")
    recorded.read(b"src/b.txt")
    assert recorded.tree.known[b"new.bin"].entry == Entry(REGULAR, git(repo, "rev-parse", ":new.bin").decode().strip())
    assert recorded.tree.skipped == {}


def test_a_file_of_an_index_that_promises_nothing_is_kept(recorded: Recorded, repo: Path) -> None:
    """``rm --cached`` and ``add -N``: the empty blob there may not even exist, and says nothing of the file."""
    large(recorded, repo)
    before = recorded.tree.known[b"a.txt"].entry
    git(repo, "rm", "-q", "--cached", "a.txt")
    git(repo, "add", "-N", "a.txt")
    recorded.read(b"a.txt")
    assert recorded.tree.known[b"a.txt"].entry == before
