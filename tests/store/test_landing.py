"""Landing on a target that is checked out here, elsewhere or nowhere: all of it, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsessiond.model.errors import GitSessionError, Moved, Refused, StoreFailed
from gitsessiond.store.intents import read_intents
from gitsessiond.store.landing import Place, changed_paths, check_place, find_place, land
from gitsessiond.store.repository import Repository
from tests.conftest import git
from tests.store.landings import HOW, Ready, everything, intent_of, ready_landing, rev, status


@pytest.fixture
def landing(repo: Path, tmp_path: Path) -> Ready:
    return ready_landing(repo, tmp_path / "session")


def do_land(repository: Repository, old: str, new: str) -> Place | None:
    """Plan and land, as merging does."""
    place = find_place(repository, "main")
    if place is not None:
        check_place(place, changed_paths(place, old, new))
    land(repository, intent_of(old, new, place), place, HOW)
    return place


def test_a_checked_out_target_gets_its_files(landing: Ready) -> None:
    """Files, index and branch are at the landing, status is clean, and both reflogs tell of it."""
    repo, repository, old, new = landing
    place = do_land(repository, old, new)
    assert place == Place(str(repo), str(repo / ".git"))
    assert rev(repo, "main") == rev(repo, "HEAD") == new
    assert status(repo) == ""
    assert (repo / "new" / "n.txt").read_text() == "new\n" and not (repo / "README").exists()
    for name in ("main", "HEAD"):
        assert b"merge P" in git(repo, "reflog", "-1", name)
    assert not list((repo / ".git").rglob("*.lock"))
    assert [intent.new for intent in read_intents(repository.state_dir)] == [new]


def test_a_target_checked_out_nowhere_is_only_moved(landing: Ready) -> None:
    """No worktree has it: the branch moves, no file does."""
    repo, repository, old, new = landing
    git(repo, "switch", "-q", "--detach")
    before = (repo / "a.txt").stat().st_mtime_ns
    assert do_land(repository, old, new) is None
    assert rev(repo, "main") == new and rev(repo, "HEAD") == old
    assert (repo / "a.txt").stat().st_mtime_ns == before and status(repo) == ""


def test_a_target_in_a_linked_worktree_is_found(landing: Ready, tmp_path: Path) -> None:
    """The target may be checked out in any worktree of the repository."""
    repo, repository, old, new = landing
    git(repo, "switch", "-q", "-c", "elsewhere")
    other = tmp_path / "with main"
    git(repo, "worktree", "add", "-q", str(other), "main")
    place = do_land(repository, old, new)
    assert place is not None and place.worktree == str(other)
    assert status(other) == "" and rev(other, "HEAD") == new


def test_a_worktree_that_is_gone_does_not_count(landing: Ready, tmp_path: Path) -> None:
    """A directory removed by hand has no files to move; a locked one may come back, and refuses."""
    repo, repository, _, _ = landing
    git(repo, "switch", "-q", "-c", "elsewhere")
    other = tmp_path / "with-main"
    git(repo, "worktree", "add", "-q", str(other), "main")
    other.rename(tmp_path / "away")
    assert find_place(repository, "main") is None
    git(repo, "worktree", "lock", str(other))
    with pytest.raises(Refused, match="locked"):
        find_place(repository, "main")


def test_a_target_checked_out_twice_is_refused(landing: Ready, tmp_path: Path) -> None:
    """Which files should move cannot be told."""
    repo, repository, _, _ = landing
    git(repo, "worktree", "add", "-q", "-f", str(tmp_path / "second"), "main")
    with pytest.raises(Refused, match="checked out twice"):
        find_place(repository, "main")


def test_other_dirt_stays_as_it_is(landing: Ready) -> None:
    """Edits, staged and untracked files at paths the landing leaves alone are kept, a mere touch is no edit."""
    repo, repository, old, new = landing
    (repo / "other.txt").write_text("mine\n")
    (repo / "staged.txt").write_text("staged\n")
    git(repo, "add", "staged.txt")
    (repo / "a.txt").touch()
    do_land(repository, old, new)
    assert status(repo) == "A  staged.txt\n?? other.txt\n"


def dirty(repo: Path) -> None:
    (repo / "a.txt").write_text("mine\n")


def staged(repo: Path) -> None:
    (repo / "a.txt").write_text("mine\n")
    git(repo, "add", "a.txt")


def untracked(repo: Path) -> None:
    (repo / "new").mkdir()
    (repo / "new" / "n.txt").write_text("mine\n")


def ignored(repo: Path) -> None:
    (repo / ".git" / "info" / "exclude").write_text("new/\n")
    untracked(repo)


def a_file_for_a_directory(repo: Path) -> None:
    (repo / "new").write_text("mine\n")


def an_ignored_link_for_a_directory(repo: Path) -> None:
    (repo / ".git" / "info" / "exclude").write_text("new\n")
    (repo / "new").symlink_to("src")


def an_ignored_directory_for_a_file(repo: Path) -> None:
    (repo / ".git" / "info" / "exclude").write_text("new/\n")
    (repo / "new" / "n.txt").mkdir(parents=True)
    (repo / "new" / "n.txt" / "deep").write_text("mine\n")


def hidden_dirt(repo: Path) -> None:
    dirty(repo)
    git(repo, "update-index", "--skip-worktree", "a.txt")


def unmerged(repo: Path) -> None:
    blob = git(repo, "rev-parse", "HEAD:a.txt").strip()
    git(repo, "update-index", "--index-info", stdin=b"100644 %s 1\tq\n100644 %s 2\tq\n" % (blob, blob))


@pytest.mark.parametrize(
    "obstacle",
    [
        dirty, staged, untracked, ignored, a_file_for_a_directory, an_ignored_link_for_a_directory,
        an_ignored_directory_for_a_file, hidden_dirt, unmerged,
    ],
)  # fmt: skip
def test_what_is_in_the_way_is_named_and_nothing_moves(landing: Ready, obstacle: object) -> None:
    """A path the landing changes that is dirty, staged, untracked or ignored there refuses it."""
    repo, repository, old, new = landing
    obstacle(repo)  # type: ignore[operator]
    before = everything(repo)
    with pytest.raises(Refused) as refused:
        do_land(repository, old, new)
    assert any(name in refused.value.message for name in ("a.txt", "new", "index"))
    assert refused.value.hint
    assert everything(repo) == before


def test_a_rebase_of_the_target_refuses(landing: Ready) -> None:
    """HEAD is detached then, but `rebase --continue` would find its branch moved."""
    repo, repository, _, _ = landing
    git(repo, "rebase", "-q", "--force-rebase", "-x", "false", "--root", check=False)
    assert git(repo, "branch", "--show-current") == b""
    with pytest.raises(Refused, match="rebased"):
        find_place(repository, "main")
    git(repo, "rebase", "--abort")
    assert find_place(repository, "main") is not None


def test_a_merge_under_way_refuses(landing: Ready) -> None:
    """git could not finish it on files that moved."""
    repo, repository, old, _ = landing
    (repo / ".git" / "MERGE_HEAD").write_text(old + "\n")
    with pytest.raises(Refused, match="MERGE_HEAD"):
        find_place(repository, "main")


def test_a_target_that_moved_is_not_overwritten(landing: Ready) -> None:
    """Exit 12: branch, files and index are as the other commit left them; no intent stays."""
    repo, repository, old, new = landing
    place = find_place(repository, "main")
    git(repo, "commit", "-q", "--allow-empty", "-m", "meanwhile")
    before = everything(repo)
    with pytest.raises(Moved):
        land(repository, intent_of(old, new, place), place, HOW)
    git(repo, "switch", "-q", "--detach")
    with pytest.raises(Moved):
        land(repository, intent_of(old, new, None), None, HOW)
    assert everything(repo) == before and read_intents(repository.state_dir) == []


def test_dirt_that_came_after_the_check_is_kept(landing: Ready) -> None:
    """A save between check and landing: git refuses before it writes, and the target's lock is given back."""
    repo, repository, old, new = landing
    place = find_place(repository, "main")
    assert place is not None
    check_place(place, changed_paths(place, old, new))
    dirty(repo)
    before = everything(repo)
    with pytest.raises(Refused):
        land(repository, intent_of(old, new, place), place, HOW)
    assert everything(repo) == before and not list((repo / ".git").rglob("*.lock"))


@pytest.mark.parametrize("lock", ["refs/heads/main.lock", "index.lock"])
def test_a_lock_that_stays_is_told(landing: Ready, lock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another git holds the branch or the index: nothing moves, and the lock is not ours to remove."""
    repo, repository, old, new = landing
    monkeypatch.setattr("gitsessiond.store.landing.PATIENCE", 0.05)
    place = find_place(repository, "main")
    (repo / ".git" / lock).touch()
    before = everything(repo)
    with pytest.raises((StoreFailed, Refused)) as failed:
        land(repository, intent_of(old, new, place), place, HOW)
    assert isinstance(failed.value, GitSessionError) and (repo / ".git" / lock).exists()
    assert everything(repo) == before and read_intents(repository.state_dir) == []


def test_the_post_merge_hook_runs_and_cannot_undo(landing: Ready) -> None:
    """It runs in the target's worktree after the move; what it says is told, its exit code is not obeyed."""
    repo, repository, old, new = landing
    hook = repo / ".git" / "hooks" / "post-merge"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\npwd\ngit rev-parse HEAD\nexit 1\n")
    hook.chmod(0o755)
    place = find_place(repository, "main")
    told = land(repository, intent_of(old, new, place), place, HOW)
    assert told == f"{repo}; {new}" and rev(repo, "main") == new


def test_filters_and_line_ends_are_honoured(landing: Ready, tmp_path: Path) -> None:
    """Files are written as git writes them: CRLF here, LF in the repository."""
    repo, repository, old, _ = landing
    git(repo, "config", "core.autocrlf", "true")
    git(repo, "checkout", "-q", "--", ".")
    side = tmp_path / "session"
    tip = rev(side, "HEAD")
    new = git(repo, "commit-tree", "-p", old, "-p", tip, "-m", "M", f"{tip}^{{tree}}").decode().strip()
    do_land(repository, old, new)
    assert (repo / "new" / "n.txt").read_bytes() == b"new\r\n" and status(repo) == ""
