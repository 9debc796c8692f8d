"""Edits in the worktree that has the target are told of by validate, and merge refuses them with nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitsessiond.actions.merges import merge_patch
from gitsessiond.actions.predicting import validate_patch
from gitsessiond.model.errors import Refused
from tests.actions.desk import Desk, numbered
from tests.conftest import git

P = numbered((2, "p 2"))


def edited(repo: Path) -> None:
    (repo / "a.txt").write_text(numbered((9, "mine")))


def staged(repo: Path) -> None:
    edited(repo)
    git(repo, "add", "a.txt")


def staged_and_back(repo: Path) -> None:
    """The file is as in HEAD again, the index is not."""
    staged(repo)
    (repo / "a.txt").write_text(numbered())


def removed(repo: Path) -> None:
    git(repo, "rm", "-q", "--cached", "a.txt")


def untracked(repo: Path) -> None:
    (repo / "new.txt").write_text("mine\n")


def unmerged(repo: Path) -> None:
    (repo / "README").write_text("stashed\n")
    git(repo, "stash", "-q")
    (repo / "README").write_text("mine\n")
    git(repo, "commit", "-q", "-a", "-m", "mine")
    git(repo, "stash", "pop", "-q", check=False)


def elsewhere(repo: Path) -> None:
    (repo / "README").write_text("mine\n")
    git(repo, "rm", "-q", "src/b.txt")


def touched(repo: Path) -> None:
    edited(repo)
    (repo / "a.txt").write_text(numbered())


def gone(repo: Path) -> None:
    (repo / "a.txt").unlink()


def there_already(repo: Path) -> None:
    (repo / "a.txt").write_text(P)
    git(repo, "add", "a.txt")


def desk_of(repo: Path, committed: bool) -> Desk:
    desk = Desk(repo, worktree=True)
    desk.patch("p")
    desk.save("a.txt", P)
    desk.save("new.txt", "p\n")
    if committed:
        desk.commit_patch("p", "p")
    return desk


def merge(desk: Desk, dry_run: bool = False) -> bool:
    done = merge_patch(
        desk.ctx, desk.live, desk.named("p").id, desk.who, ready=True, dry_run=dry_run, no_verify=False
    )  # fmt: skip
    return bool(done["merged"])


def codes(desk: Desk) -> set[str]:
    """What validate says of a patch that is declared ready."""
    found = validate_patch(desk.ctx, desk.live, desk.named("p").id).blockers
    return {one["code"] for one in found} - {"draft"}


def ready(desk: Desk) -> None:
    patch = desk.named("p").model_copy(update={"status": "ready"})
    desk.live.state.patches[patch.id] = patch  # type: ignore[index]


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("way", [edited, staged, staged_and_back, removed, untracked, unmerged])
def test_what_is_in_the_way_is_told_and_refused(repo: Path, way: Callable[[Path], None], committed: bool) -> None:
    desk = desk_of(repo, committed)
    way(repo)
    ready(desk)
    before = desk.live.state.number, desk.head(), git(repo, "status", "--porcelain"), (repo / "a.txt").read_bytes()
    assert codes(desk) == {"in_the_way"}
    for dry_run in (True, False):
        with pytest.raises(Refused):
            merge(desk, dry_run)
    after = desk.live.state.number, desk.head(), git(repo, "status", "--porcelain"), (repo / "a.txt").read_bytes()
    assert before == after


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("way", [elsewhere, touched, gone, there_already])
def test_what_git_would_not_mind_is_no_blocker(repo: Path, way: Callable[[Path], None], committed: bool) -> None:
    desk = desk_of(repo, committed)
    way(repo)
    ready(desk)
    assert codes(desk) == set()
    assert merge(desk) and git(repo, "show", "main:a.txt").decode() == P
