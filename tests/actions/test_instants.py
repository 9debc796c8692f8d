"""Seen at an instant when git has written files and index, and not yet moved HEAD: what it wrote is no edit of anybody."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.actions.desk import Desk, desk
from tests.actions.test_adoption import DIRTY, it, owners
from tests.bench import wait_for
from tests.conftest import git

__all__ = ["desk", "it"]


def other_branch(it: Desk) -> str:
    """A branch from main with another README; its commit."""
    tree = it.root.parent / "other"
    git(it.root, "worktree", "add", "-q", "-b", "other", str(tree), "main")
    (tree / "README").write_text("other\n")
    git(tree, "commit", "-qam", "other's")
    return it.head("other")


def test_a_merge_that_waits_for_its_hook(it: Desk, tmp_path: Path) -> None:
    """The user's pre-merge-commit takes its time; nothing says so but the process."""
    other_branch(it)
    before = {name: it.edits(name) for name in ("p", "q")}
    begun, go = tmp_path / "begun", tmp_path / "go"
    it.hook("pre-merge-commit", f"#!/bin/sh\ntouch '{begun}'\nuntil [ -e '{go}' ]; do sleep 0.01; done")
    with subprocess.Popen(["git", "merge", "-q", "--no-edit", "other"], cwd=it.root) as merge:
        wait_for(begun.exists)
        it.save("n.txt", "n\nmore\n")  # somebody goes on working
        it.look("README")
        it.write("a.txt", DIRTY + "meanwhile\n")
        it.look()
        go.touch()
        assert merge.wait() == 0
    it.look()
    assert ("README", f"~foreign {it.head()} other") in it.unassigned()
    assert (it.edits("p"), it.edits("q")) == (before["p"], [*before["q"][:1], ("a.txt", (11, 11)), *before["q"][1:]])
    it.check()


@pytest.mark.parametrize("to", ["other", "main"])
def test_head_follows_later(it: Desk, to: str) -> None:
    """Files and index are those of another commit, and then HEAD is moved there."""
    other_branch(it)
    it.git("stash", "-q", "-u")
    it.look()
    it.git("read-tree", "-m", "-u", "HEAD", to)
    it.look()
    it.git("reset", "-q", "--soft", to)
    it.look()
    assert "README" not in str({name: it.edits(name) for name in ("p", "q")})
    found = [path for path, label in it.unassigned() if label.startswith("~foreign")]
    assert found == (["README"] if to == "other" else [])
    it.check()


def test_what_a_person_saves_and_commits_is_theirs(it: Desk) -> None:
    """The same saves with a commit after them; and a merge that brings what somebody has just written."""
    before = owners(it)
    it.git("add", "a.txt")
    it.save("README", "mine\n")
    it.git("add", "README")
    it.look()
    it.git("commit", "-q", "-m", "mine")
    assert ("README", None) in [(path, None) for path, _ in it.edits("q")]
    assert it.edits("p") == before["p"]
    it.check()
