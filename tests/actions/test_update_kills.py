"""kill -9 between any two writes of an update: the next start has all of it or nothing, and the update goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.actions.asking import LINES, Asking
from tests.actions.test_strategy_kills import died

MINE = LINES.replace("line 2", "LINE 2").replace("line 8", "LINE 8")
THEIRS = LINES.replace("line 5", "line five")
BOTH = MINE.replace("line 5", "line five")
RESOLVED = "both of it\n"


def beginning(repo: Path) -> dict[str, str]:
    """A patch with a commit, another without, a conflict that is resolved, a staged file; main moved on. Its main."""
    it = Asking(repo)
    it.start()
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.ask("commit", message="two")
    it.patch("other", "a.txt", "line 8\n", "LINE 8\n")
    (repo / "c.txt").write_text("mine\n")
    (repo / "sub").mkdir()
    (repo / "sub" / "s.txt").write_text("staged\n")
    it.look()
    it.git("add", "sub/s.txt")
    it.move_target("a.txt", THEIRS, ("c.txt", "of main\n"), ("new/n.txt", "new\n"), ("README", None))
    (conflict,) = it.ask("session.update")["conflicts"]
    it.ask("resolve", id=conflict["id"], how="union")
    found = {"old": it.rev("HEAD"), "main": it.rev("main")}
    it.desk.close()
    return found


def settled(repo: Path, was: dict[str, str]) -> bool:
    """What a new start finds: whether it is updated, and that everything agrees with that."""
    it = Asking(repo)
    try:
        assert not list((repo / ".git").glob("gitsession-update*")) and not list((repo / ".git").rglob("*.lock"))
        session = it.ask("session.status")["session"]
        updated: bool = session["base"] == was["main"]
        text = (repo / "a.txt").read_text()
        assert text == (BOTH if updated else MINE)
        assert (repo / "c.txt").read_text() == ("of main\nmine\n" if updated else "mine\n")
        assert (repo / "new" / "n.txt").exists() == updated and (repo / "README").exists() != updated
        assert it.git("log", "-1", "--format=%s").strip() == "two"
        assert (it.rev("HEAD") == was["old"]) != updated
        assert it.git("status", "--porcelain").split("\n") == [
            *([" M a.txt", " M c.txt"] if updated else [" M a.txt"]),
            "A  sub/s.txt",
            *([] if updated else ["?? c.txt"]),
            "",
        ]
        patches = it.ask("patch.list")["patches"]
        assert [(one["name"], one["status"], one["commits"]) for one in patches] == [
            ("one", "draft", 1),
            ("other", "draft", 0),
        ]
        ops = [[op["path"] for op in it.ask("patch.ops", patch=name)["ops"]] for name in ("one", "other")]
        assert ops == [["a.txt"], ["a.txt", "c.txt", "sub/s.txt"]]
        assert it.ask("unassigned")["unassigned"] == []
        it.git("fsck", "--strict", "--no-dangling")
    finally:
        it.desk.close()
    return updated


class Again:
    """The same beginning again and again, at the same place."""

    def __init__(self, repo: Path) -> None:
        self.repo, self.kept = repo, repo.parent / "kept"
        self.was = beginning(repo)
        shutil.copytree(repo, self.kept, symlinks=True)

    def update(self, before: int) -> tuple[bool, bool]:
        """An update killed before one of its writes: whether it was, and whether the next start has it done."""
        shutil.rmtree(self.repo)
        shutil.copytree(self.kept, self.repo, symlinks=True)
        return died(self.repo, before, lambda it: it.ask("session.update")), settled(self.repo, self.was)


@pytest.mark.soak
def test_a_kill_leaves_all_or_nothing(repo: Path) -> None:
    """One kill among the writes, and the update that follows; the long test has every point."""
    again = Again(repo)
    assert again.update(26) == (True, False)
    assert not died(repo, 1 << 20, lambda it: it.ask("session.update"))
    assert settled(repo, again.was)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_kill_between_any_two_writes_leaves_all_or_nothing(repo: Path) -> None:
    """Every write of an update, one after the other."""
    again, undone, finished = Again(repo), 0, 0
    for before in range(400):
        killed, done = again.update(before)
        undone, finished = undone + (not done), finished + (killed and done)
        if not killed:
            break
    print(f"{before} writes: {undone} updates undone, {finished} finished at the next start")
    assert done and not killed and undone > 20 and finished > 3


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(4))
def test_a_revert_into_a_session_that_stands_on_the_landing(repo: Path, first: int) -> None:
    """Killed at every eighth write: the files are as they were, and the patch has its edits, if need be by `update`."""
    it = Asking(repo)
    it.start()
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.merge("one")
    it.move_target("new.txt", "new\n")
    it.ask("session.update")
    it.edit("a.txt", "line 8\n", "LINE 8\n")
    it.desk.close()
    kept = repo.parent / "kept"
    shutil.copytree(repo, kept, symlinks=True)
    for before in range(first, 400, 8):
        shutil.rmtree(repo)
        shutil.copytree(kept, repo, symlinks=True)
        killed = died(repo, before, lambda it: it.ask("revert", patch="one"))
        it = Asking(repo)
        assert (repo / "a.txt").read_text() == MINE
        if it.on_target("a.txt") == LINES:
            it.ask("session.update")
            assert it.status_of("one") == "draft" and (repo / "a.txt").read_text() == MINE
            assert [op["path"] for op in it.ask("patch.ops", patch="one")["ops"]] == ["a.txt"]
            assert it.git("status", "--porcelain") == " M a.txt\n"
        else:
            assert it.status_of("one") == "merged" and killed
        it.desk.close()
        if not killed:
            break
    assert not killed
