"""kill -9 between any two writes of a landing or of a revert: the next start has all of it or nothing, and goes on."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsessiond.store.intents import read_intents
from tests.actions.asking import LINES, Asking
from tests.conftest import git
from tests.store.dying import Death

THERE = LINES.replace("line 2", "LINE 2").replace("line 8", "LINE 8")


def died(root: Path, before: int, act: Callable[[Asking], None]) -> bool:
    """Act in a recorder of its own that dies before its write number ``before``; False: it came to the end."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            death = Death(1 << 30)
            death.arm()
            asking = Asking(root)
            asking.look()
            death.left = before
            act(asking)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 99), "the dying process met an error"
    return code == 99


class Target:
    """main, checked out in a worktree of its own or nowhere."""

    def __init__(self, repo: Path, checked_out: bool) -> None:
        self.repo, self.other = repo, repo.parent / "with-main"
        if checked_out:
            git(repo, "worktree", "add", "-q", str(self.other), "main")

    def settled(self, way: str) -> bool:
        """What a new start finds: whether main has the patch, and that everything agrees with it."""
        it = Asking(self.repo)
        try:
            text = it.on_target("a.txt")
            assert text in (LINES, THERE)
            merged = text == THERE
            (patch,) = it.ask("patch.list")["patches"]
            assert (patch["status"] == "merged") == merged, (patch, way)
            assert patch["merge_strategy"] == (way if merged else None)
            assert read_intents(it.desk.ctx.repository.state_dir) == []
            assert not list((self.repo / ".git").rglob("refs/**/*.lock"))
            assert (self.repo / "a.txt").read_text() == THERE and it.git("status", "--porcelain") == ""
            if self.other.exists():
                assert git(self.other, "status", "--porcelain") == b""
                assert (self.other / "a.txt").read_text() == text
            it.git("fsck", "--strict", "--no-dangling")
        finally:
            it.desk.close()
        return merged


def beginning(repo: Path) -> None:
    """A patch of two commits beside a main that moved on."""
    it = Asking(repo)
    it.start()
    it.ask("patch.new", name="one")
    for old, new in (("line 2", "LINE 2"), ("line 8", "LINE 8")):
        it.edit("a.txt", old, new)
        it.ask("commit", message=new)
    it.move_target("README", "moved on\n")
    it.desk.close()


def there_and_back(repo: Path, way: str, checked_out: bool, points: range) -> None:
    """Merge and revert again and again, each killed before one write more than the last time."""
    beginning(repo)
    target = Target(repo, checked_out)
    deaths = [0, 0]
    for before in points:
        cut = 0
        for number, (verb, wanted, args) in enumerate(
            [("merge", True, {"ready": True, "strategy": way}), ("revert", False, {})]
        ):
            killed = died(repo, before, lambda it, verb=verb, args=args: it.ask(verb, patch="one", **args))  # type: ignore[misc]
            cut += killed
            if target.settled(way) != wanted:
                assert killed
                deaths[number] += 1
                assert not died(repo, 1 << 20, lambda it, verb=verb, args=args: it.ask(verb, patch="one", **args))  # type: ignore[misc]
                assert target.settled(way) == wanted
        if not cut:
            break
    print(f"{way}: {deaths[0]} merges and {deaths[1]} reverts undone by the kill, of {before} writes")
    assert len(points) < 10 or all(deaths)


@pytest.mark.parametrize(("way", "point"), [("rebase", 14), ("squash", 6)])
def test_a_kill_leaves_all_or_nothing(repo: Path, way: str, point: int) -> None:
    """One kill of each; the long test has every point of every way."""
    there_and_back(repo, way, True, range(point, point + 1))


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("way", "checked_out"), [("rebase", True), ("squash", True), ("merge", True), ("rebase", False)]
)
def test_a_kill_between_any_two_writes_leaves_all_or_nothing(repo: Path, way: str, checked_out: bool) -> None:
    """Every write of a landing and of a revert, one after the other."""
    there_and_back(repo, way, checked_out, range(400))
