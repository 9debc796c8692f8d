"""HEAD and what git is busy with, read from files: compared with what git itself says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gitsessiond.store.head import (
    Head,
    branch_tip,
    command_at_work,
    common_dir_of,
    last_words,
    read_head,
    renamed_branch,
)
from tests.conftest import git


def head_of(repo: Path) -> Head:
    return read_head(git(repo, "rev-parse", "--absolute-git-dir").decode().strip())


def commit_id(repo: Path, name: str = "HEAD") -> str:
    return git(repo, "rev-parse", name).decode().strip()


def test_branch_loose_and_packed(repo: Path) -> None:
    """A branch reads the same whether its ref is loose or packed."""
    expected = Head(commit_id(repo), "main")
    assert head_of(repo) == expected
    git(repo, "pack-refs", "--all")
    assert not (repo / ".git/refs/heads/main").exists()
    assert head_of(repo) == expected
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    assert head_of(repo) == Head(commit_id(repo), "main")
    git(repo, "pack-refs", "--all")
    assert head_of(repo) == Head(commit_id(repo), "main")


def test_packed_name_is_whole(repo: Path) -> None:
    """A packed ref is found by its whole name only."""
    git(repo, "branch", "deep/main")
    git(repo, "branch", "main2")
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    git(repo, "pack-refs", "--all")
    assert branch_tip(str(repo / ".git"), "main") == commit_id(repo, "main")
    assert branch_tip(str(repo / ".git"), "deep/main") == commit_id(repo, "deep/main")
    assert branch_tip(str(repo / ".git"), "mai") is None


def test_detached_and_unborn(repo: Path) -> None:
    """A detached HEAD has no branch, an unborn branch no commit."""
    git(repo, "checkout", "-q", "--detach")
    assert head_of(repo) == Head(commit_id(repo), None)
    git(repo, "switch", "-q", "--orphan", "zz")
    assert head_of(repo) == Head(None, "zz")


def test_linked_worktree(repo: Path, tmp_path: Path) -> None:
    """A linked worktree has its own HEAD and shares refs with the others."""
    git(repo, "worktree", "add", "-q", "-b", "session/x", str(tmp_path / "w"))
    git(tmp_path / "w", "commit", "-q", "--allow-empty", "-m", "there")
    git_dir = str(repo / ".git/worktrees/w")
    assert common_dir_of(git_dir) == str(repo / ".git")
    assert read_head(git_dir) == Head(commit_id(tmp_path / "w"), "session/x")
    git(repo, "worktree", "remove", "--force", str(tmp_path / "w"))
    assert read_head(git_dir, str(repo / ".git")) == Head(None, None)


def test_symbolic_branch(repo: Path) -> None:
    """A branch that is a symbolic ref reads as the branch it names, as git reads it."""
    git(repo, "symbolic-ref", "refs/heads/other", "refs/heads/main")
    assert branch_tip(str(repo / ".git"), "other") == commit_id(repo)


@pytest.mark.parametrize(
    ("command", "marks"),
    [
        (["merge", "side"], {"MERGE_HEAD"}),
        (["cherry-pick", "side"], {"CHERRY_PICK_HEAD"}),
        (["rebase", "side"], {"rebase-merge"}),
        (["rebase", "--apply", "side"], {"rebase-apply"}),
        (["revert", "HEAD~1"], {"REVERT_HEAD"}),
        (["cherry-pick", "side~1", "side"], {"CHERRY_PICK_HEAD", "sequencer"}),
    ],
)
def test_git_at_work(repo: Path, command: list[str], marks: set[str]) -> None:
    """Whatever git leaves half-done is seen, with the branch a rebase will put back."""
    git(repo, "branch", "side")
    for text in ("mine\n", "mine again\n"):
        (repo / "a.txt").write_text(text)
        git(repo, "commit", "-qam", text)
    tip = commit_id(repo)
    git(repo, "switch", "-q", "side")
    for text in ("theirs\n", "theirs again\n"):
        (repo / "a.txt").write_text(text)
        git(repo, "commit", "-qam", text)
    git(repo, "switch", "-q", "main")
    git(repo, *command, check=False)
    found = head_of(repo)
    assert marks <= found.at_work
    assert found.stands_on == "main"
    assert found.rebasing == ("main" if command[0] == "rebase" else None)
    assert command_at_work(str(repo / ".git")) == command[0]
    git(repo, command[0], "--abort")
    assert head_of(repo) == Head(tip, "main")


def test_index_lock(repo: Path) -> None:
    """A held index is work under way."""
    (repo / ".git/index.lock").touch()
    assert head_of(repo).index_lock
    (repo / ".git/index.lock").unlink()
    assert head_of(repo).at_work == frozenset()


def test_renamed_branch(repo: Path) -> None:
    """`branch -m` is told from a switch to another branch, over several renames and later commits."""
    common = str(repo / ".git")
    git(repo, "switch", "-q", "-c", "session/x")
    git(repo, "branch", "-m", "session/x", "feature")
    assert renamed_branch(common, "session/x", "feature")
    git(repo, "commit", "-q", "--allow-empty", "-m", "more")
    git(repo, "branch", "-m", "feature", "topic")
    assert renamed_branch(common, "session/x", "topic")
    assert renamed_branch(common, "feature", "topic")
    git(repo, "switch", "-q", "-c", "other")
    assert not renamed_branch(common, "session/x", "other")
    assert not renamed_branch(common, "nothing", "topic")


def test_last_words(repo: Path) -> None:
    """The reflog says why HEAD moved, and its lack is no error."""
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    git(repo, "reset", "-q", "--hard", "HEAD~1")
    assert last_words(str(repo / ".git")) == "reset: moving to HEAD~1"
    (repo / ".git/logs/HEAD").unlink()
    assert last_words(str(repo / ".git")) == ""


def test_half_written_ref_is_no_commit(repo: Path) -> None:
    """A ref cut short by a power cut reads as no commit, not as an error."""
    (repo / ".git/refs/heads/main").write_bytes(b"")
    assert head_of(repo) == Head(None, "main")


@pytest.mark.alone
def test_cost(repo: Path) -> None:
    """Reading HEAD costs a fraction of a millisecond."""
    git_dir = str(repo / ".git")
    read_head(git_dir)
    times = []
    for _ in range(200):
        began = time.perf_counter()
        read_head(git_dir)
        times.append(time.perf_counter() - began)
    assert sorted(times)[len(times) // 2] < 0.0003
