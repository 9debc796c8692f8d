"""Tracked files that cannot be recorded: what is known of them, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitsessiond.model.values import REGULAR, Entry
from tests.conftest import git
from tests.store.recorded import Recorded


@pytest.fixture
def recorded(repo: Path) -> Iterator[Recorded]:
    found = Recorded(repo)
    found.scan()
    yield found
    found.close()


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
