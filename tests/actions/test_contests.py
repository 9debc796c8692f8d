"""Git puts a session on commits of the target that its edits contradict: a conflict until somebody decides."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.actions.conflicts import list_conflicts, resolve, show_conflict
from gitsessiond.actions.context import Asked
from gitsessiond.actions.merges import finish_interrupted, merge_patch
from gitsessiond.actions.predicting import validate_patch
from gitsessiond.model.errors import Refused
from tests.actions.desk import Desk, numbered
from tests.conftest import git

MINE, THEIRS = (2, "p 2"), (2, "m 2")
BOTH = numbered((2, "both"), (8, "m 8"))


def merge(desk: Desk, name: str, strategy: str = "") -> dict[str, Any]:
    return merge_patch(
        desk.ctx, desk.live, desk.named(name).id, desk.who,
        ready=True, dry_run=False, no_verify=False, strategy=strategy,
    )  # fmt: skip


def conflicts(desk: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = list_conflicts(desk.ctx, Asked("conflicts", {}, desk.who))["conflicts"]
    return found


def settle(desk: Desk, how: str, content: str = "") -> None:
    for one in conflicts(desk):
        sent = {"id": one["id"], "how": how, "content": base64.b64encode(content.encode()).decode()}
        resolve(desk.ctx, Asked("resolve", sent, desk.who))


def on_main(desk: Desk, path: str = "a.txt") -> str:
    return git(desk.repo, "show", f"main:{path}").decode()


@pytest.fixture(params=[False, True], ids=["uncommitted", "committed"])
def moved(repo: Path, request: pytest.FixtureRequest) -> Desk:
    """Patch p changed line 2, main lines 2 and 8 and another file; `reset --soft main`; no patch in use."""
    desk = Desk(repo, worktree=True)
    desk.patch("p")
    desk.save("a.txt", numbered(MINE))
    if request.param:
        desk.commit_patch("p", "p")
    desk.use(None)
    (repo / "a.txt").write_text(numbered(THEIRS, (8, "m 8")))
    (repo / "src/b.txt").write_text("main\n")
    git(repo, "commit", "-q", "-a", "-m", "theirs")
    desk.git("reset", "-q", "--soft", "main")
    return desk


def test_nothing_of_the_target_is_taken_back(moved: Desk) -> None:
    """The patch waits with a conflict; merge, its dry run and validate say so, and main stays."""
    tip = moved.head("main")
    (one,) = conflicts(moved)
    assert (one["kind"], one["path"], one["patch"]["name"]) == ("state_divergence", "a.txt", "p")
    assert moved.named("p").status == "conflicts" and "p conflicts with main in a.txt" in moved.last_text()
    assert not merge(moved, "p")["merged"] and moved.head("main") == tip
    assert "conflicts" in {
        blocker["code"] for blocker in validate_patch(moved.ctx, moved.live, one["patch"]["id"]).blockers
    }
    moved.check()


@pytest.mark.parametrize("strategy", ["merge", "squash"])
@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ("ours", numbered(THEIRS, (8, "m 8"))),
        ("theirs", numbered(MINE)),
        ("file", BOTH),
    ],
)
def test_what_it_is_resolved_to_lands(moved: Desk, how: str, wanted: str, strategy: str) -> None:
    settle(moved, how, wanted)
    assert merge(moved, "p", strategy)["merged"]
    assert on_main(moved) == wanted and on_main(moved, "src/b.txt") == "main\n"
    moved.check()


def test_resolved_in_its_marked_file(moved: Desk) -> None:
    """The file with markers lies below .gitsession/conflicts; saved without them it is what lands."""
    (one,) = conflicts(moved)
    shown = show_conflict(moved.ctx, Asked("conflict.show", {"id": one["id"]}, moved.who))
    file = moved.root / ".gitsession" / "conflicts" / one["id"] / "a.txt"
    assert file.read_text() == shown["marked"] and "<<<<<<< main\nm 2\n" in shown["marked"]
    file.write_text(BOTH)
    assert merge(moved, "p")["merged"] and on_main(moved) == BOTH


def test_a_clashing_autostash_with_longer_markers(repo: Path) -> None:
    """conflict-marker-size counts: for the marked file, and for git's own markers being out of the text."""
    (repo / ".git" / "info" / "attributes").write_text("*.txt conflict-marker-size=5\n")
    desk = Desk(repo, worktree=True)
    desk.patch("p")
    desk.save("a.txt", numbered(MINE))
    (repo / "a.txt").write_text(numbered(THEIRS))
    git(repo, "commit", "-q", "-a", "-m", "theirs")
    git(desk.root, "rebase", "-q", "--autostash", "main", check=False)
    desk.look()
    (one,) = conflicts(desk)
    text = (desk.root / ".gitsession" / "conflicts" / one["id"] / "a.txt").read_text()
    assert "\n" + "=" * 6 + "\n" in text  # one longer than those that git left in the patch's text
    desk.save("a.txt", BOTH)
    desk.git("add", "a.txt")
    assert conflicts(desk) == [] and merge(desk, "p")["merged"] and on_main(desk) == BOTH


def test_later_edits_go_with_the_resolution(moved: Desk) -> None:
    settle(moved, "file", BOTH)
    moved.save("a.txt", numbered(MINE, (5, "p 5")), patch="p")
    assert merge(moved, "p")["merged"]
    assert on_main(moved) == BOTH.replace("line 5", "p 5")


def test_an_edit_that_contradicts_the_resolution_asks_again(moved: Desk) -> None:
    settle(moved, "file", BOTH)
    moved.save("a.txt", numbered((2, "p 2 again")), patch="p")
    assert not merge(moved, "p")["merged"] and [one["status"] for one in conflicts(moved)] == ["open"]


def test_the_targets_text_in_the_file_ends_it(moved: Desk) -> None:
    """A patch that no longer contradicts the base is free."""
    moved.save("a.txt", numbered(THEIRS, (5, "p 5"), (8, "m 8")), patch="p")
    assert conflicts(moved) == [] and moved.named("p").status == "draft"
    assert merge(moved, "p")["merged"] and on_main(moved) == numbered(THEIRS, (5, "p 5"), (8, "m 8"))


def test_a_commit_does_not_end_it(moved: Desk) -> None:
    """What plain git commits after a soft reset is as undecided as it was."""
    moved.git("commit", "-q", "-a", "-m", "all")
    assert not merge(moved, "p")["merged"] and on_main(moved) == numbered(THEIRS, (8, "m 8"))


def test_rebase_has_no_commit_for_a_resolution(moved: Desk) -> None:
    settle(moved, "file", BOTH)
    with pytest.raises(Refused, match="older than what its conflict was resolved to"):
        merge(moved, "p", "rebase")


def test_it_survives_a_restart(moved: Desk) -> None:
    moved.restart()
    assert not merge(moved, "p")["merged"]
    settle(moved, "file", BOTH)
    moved.restart()
    assert merge(moved, "p")["merged"] and on_main(moved) == BOTH


def test_moved_back_there_is_none(moved: Desk) -> None:
    """The base of before holds what the edits were made on."""
    moved.git("reset", "-q", "--soft", "main~1")
    assert conflicts(moved) == []


@pytest.mark.parametrize("unstage", [["restore", "--staged", "a.txt"], ["add", "a.txt"]])
def test_a_clashing_autostash(repo: Path, unstage: list[str]) -> None:
    """git's markers do not land by an oversight; taken out by hand, what is there lands."""
    desk = Desk(repo, worktree=True)
    desk.patch("p")
    desk.save("a.txt", numbered(MINE))
    (repo / "a.txt").write_text(numbered(THEIRS, (8, "m 8")))
    git(repo, "commit", "-q", "-a", "-m", "theirs")
    desk.git("pull", "-q", "--rebase", "--autostash", ".", "main", check=False)
    assert "<<<<<<<" in (desk.root / "a.txt").read_text()
    desk.git(*unstage)
    assert not merge(desk, "p")["merged"]
    desk.save("a.txt", BOTH)
    assert conflicts(desk) == []
    desk.git("add", "a.txt")
    assert merge(desk, "p")["merged"] and on_main(desk) == BOTH


def test_a_rebase_resolved_by_hand_is_resolved(repo: Path) -> None:
    """Edits beside committed ones that come along are no conflict either."""
    desk = Desk(repo, worktree=True)
    desk.patch("p")
    desk.save("a.txt", numbered(MINE))
    desk.commit_patch("p", "p")
    (repo / "a.txt").write_text(numbered(THEIRS, (8, "m 8")))
    git(repo, "commit", "-q", "-a", "-m", "theirs")
    desk.git("rebase", "main", check=False)
    desk.save("a.txt", BOTH)
    desk.git("commit", "-q", "-a", "-m", "p")
    desk.git("rebase", "--continue", check=False)
    assert conflicts(desk) == [] and merge(desk, "p")["merged"] and on_main(desk) == BOTH


def test_uncommitted_beside_committed_is_none(repo: Path) -> None:
    """An autostash that git puts back without a clash."""
    desk = Desk(repo, worktree=True)
    desk.patch("p")
    desk.save("a.txt", numbered(MINE))
    desk.commit_patch("p", "p")
    desk.save("a.txt", numbered(MINE, (3, "p 3")))
    (repo / "a.txt").write_text(numbered((8, "m 8")))
    git(repo, "commit", "-q", "-a", "-m", "theirs")
    desk.git("rebase", "-q", "--autostash", "main")
    assert conflicts(desk) == [] and merge(desk, "p")["merged"]
    assert on_main(desk) == numbered(MINE, (3, "p 3"), (8, "m 8"))


def on_main_later(moved: Desk, content: str) -> None:
    """Main goes on, in its own checkout."""
    (moved.repo / "a.txt").write_text(content)
    git(moved.repo, "commit", "-q", "-a", "-m", "later")


@pytest.mark.soak
def test_what_git_combined_with_a_resolution_is_recorded_after_a_crash(
    moved: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what landed: the resolution is a side of it, not what the patch had before."""
    settle(moved, "file", BOTH)
    on_main_later(moved, numbered(THEIRS, (5, "m 5"), (8, "m 8")))

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("gitsessiond.actions.landings.record_merged", killed)
        with pytest.raises(KeyboardInterrupt):
            merge(moved, "p")
    landed = numbered((2, "both"), (5, "m 5"), (8, "m 8"))
    assert on_main(moved) == landed
    moved.restart()
    finish_interrupted(moved.ctx)
    assert moved.named("p").status == "merged"
    (one,) = [one for one in moved.live.state.conflicts.values() if one.how == "rule"]
    assert moved.ctx.store.blob(moved.live.state.sides[one.id]["result"]).decode() == landed


def test_a_resolution_that_clashes_is_resolved_once_more(moved: Desk) -> None:
    """Main goes on at the same line: the answer to that clash is in time."""
    settle(moved, "file", BOTH)
    on_main_later(moved, numbered((2, "m 2 again"), (8, "m 8")))
    assert not merge(moved, "p")["merged"]
    (one,) = conflicts(moved)
    assert one["kind"] == "git_merge"
    settle(moved, "theirs")
    assert merge(moved, "p")["merged"] and on_main(moved) == BOTH
