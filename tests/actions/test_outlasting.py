"""What a landing and a step name outlasts a `git gc --prune=now` that began before a ref named it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsessiond.actions.merges import merge_patch
from gitsessiond.daemon.desk import open_desk
from gitsessiond.model.errors import Refused, StoreFailed
from gitsessiond.store import authoring, committing, landing
from gitsessiond.store.git import GitResult
from gitsessiond.store.outlasting import HELD, TAKEN_TIMES, held, outlast_gc, pruning_gc
from tests.actions.desk import Desk, numbered
from tests.conftest import git


def prune_all(repo: Path) -> None:
    """What a gc does that saw no ref of the last seconds: loose objects that main of before does not reach go."""
    git(repo, "reflog", "expire", "--expire=now", "--all")
    git(repo, "prune", "--expire=now")


@pytest.mark.parametrize(
    "strategy", ["merge", *(pytest.param(strategy, marks=pytest.mark.soak) for strategy in ("squash", "rebase"))]
)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_landing_is_put_back(repo: Path, monkeypatch: pytest.MonkeyPatch, moment: str, strategy: str) -> None:
    """Its commits and contents are there, whenever around the move of the target they were taken."""
    desk = Desk(repo, worktree=True)
    desk.patch("p")
    desk.save("a.txt", numbered((2, "p 2")))
    desk.commit_patch("p", "p")
    (repo / "a.txt").write_text(numbered((9, "m 9")))
    git(repo, "commit", "-q", "-a", "-m", "theirs")
    land, pruned = landing.land, list[str]()

    def beside_gc(*args: object, **named: object) -> str:
        intent = args[1]
        if moment == "before":
            if not pruned:
                prune_all(repo)
            pruned.append(moment)
            return land(*args, **named)  # type: ignore[arg-type]
        said = land(*args, **named)  # type: ignore[arg-type]
        git(repo, "update-ref", "refs/heads/main", intent.old)  # type: ignore[attr-defined] # as that gc saw it
        index = (repo / ".git" / "index").read_bytes()
        (repo / ".git" / "index").unlink()
        prune_all(repo)
        (repo / ".git" / "index").write_bytes(index)
        (repo / ".git" / "refs" / "heads" / "main").write_text(f"{intent.new}\n")  # type: ignore[attr-defined]
        return said

    monkeypatch.setattr("gitsessiond.actions.landings.land", beside_gc)
    assert merged(desk, strategy)
    git(repo, "fsck", "--strict", "--connectivity-only")
    assert git(repo, "show", "main:a.txt").decode() == numbered((2, "p 2"), (9, "m 9"))


def merged(desk: Desk, strategy: str, name: str = "p") -> bool:
    pid = desk.named(name).id
    done = merge_patch(
        desk.ctx, desk.live, pid, desk.who, ready=True, dry_run=False, no_verify=False, strategy=strategy
    )
    return bool(done["merged"])


def test_a_pruning_gc_is_waited_for_and_another_is_not(tmp_path: Path) -> None:
    """It is known by gc.pid and its words; what it takes meanwhile is put back when it has ended."""
    told: list[float] = []
    for words, waits in ((["--prune=now"], True), ([], False)):
        child = subprocess.Popen(["sh", "-c", "sleep 0.5; :", "gc", *words])
        (tmp_path / "gc.pid").write_text(f"{child.pid} here")
        threading.Thread(target=child.wait).start()
        told.clear()
        outlast_gc(str(tmp_path), lambda: told.append(time.monotonic()))
        assert (len(told) == 2 and told[1] - told[0] > 0.3) if waits else len(told) == 1
        child.wait()
    assert pruning_gc(str(tmp_path)) is None and os.path.exists(tmp_path / "gc.pid")


@pytest.mark.parametrize("landings", [3, pytest.param(9, marks=pytest.mark.soak)])
def test_commands_beside_a_gc_in_a_loop(repo: Path, landings: int) -> None:
    """Commits and landings beside `git gc --prune=now`, again and again: none fails, nothing is lost."""
    desk = Desk(repo, worktree=True)
    ended = threading.Event()

    def loop() -> None:
        while not ended.is_set():
            subprocess.run(["git", "gc", "-q", "--prune=now"], cwd=repo, capture_output=True)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        for number in range(1, landings + 1):
            desk.patch(f"p{number}")
            desk.save("a.txt", numbered(*((line, f"p {line}") for line in range(1, number + 1))))
            if number % 2:
                desk.commit_patch(f"p{number}")
            assert merged(desk, ("merge", "squash", "rebase")[number % 3], f"p{number}")
    finally:
        ended.set()
        thread.join()
    git(repo, "fsck", "--strict", "--connectivity-only")


def test_a_ref_that_cannot_be_let_go_fails_nothing_and_goes_at_the_next_start(repo: Path) -> None:
    """What was done under it is done; a start sweeps it, as it does what a killed command left."""
    tip = git(repo, "rev-parse", "HEAD").decode().strip()
    (repo / ".git" / "objects" / "pack").touch()  # as after a gc
    lock = repo / ".git" / (HELD + tip + ".lock")
    with held(str(repo / ".git"), tip, lambda: None):
        lock.touch()
    lock.unlink()
    assert git(repo, "for-each-ref", HELD)
    git(repo, "pack-refs", "--all")
    open_desk(str(repo), lambda event: None).close()
    assert not git(repo, "for-each-ref", HELD)


class BesidePrune:
    """Runs git, whose file is taken the first times it is asked for a word."""

    def __init__(self, run: Callable[..., GitResult], word: str, times: int) -> None:
        self._run, self._word, self._times = run, word, times
        self.asked = 0

    def __call__(self, words: list[str], *args: object, **named: object) -> GitResult:
        if self._word in words:
            self.asked += 1
            if self.asked <= self._times:
                return GitResult(128, b"", b"error: unable to write file .git/objects/05/21\n")
        return self._run(words, *args, **named)


@pytest.mark.parametrize("times", [2, 99])
def test_git_whose_file_was_taken_is_asked_again(repo: Path, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """A prune takes the file git is about to name: git is asked again, and not for ever."""
    desk = Desk(repo, worktree=True)
    asked = []
    for module, name, word in ((authoring, "run_git", "commit-tree"), (committing, "run_with_hooks", "commit")):
        beside = BesidePrune(getattr(module, name), word, times)
        asked.append(beside)
        monkeypatch.setattr(module, name, beside)
    desk.patch("p")
    desk.save("a.txt", numbered((2, "p 2")))
    if times == 2:
        desk.commit_patch("p")
        assert merged(desk, "merge", "p")
        assert [beside.asked for beside in asked] == [3, 3]
        return
    with pytest.raises(Refused, match="unable to write file"):
        desk.commit_patch("p")
    monkeypatch.undo()
    desk.commit_patch("p")
    monkeypatch.setattr(authoring, "run_git", asked[0])
    with pytest.raises(StoreFailed, match="unable to write file"):
        merged(desk, "merge", "p")
    assert [beside.asked for beside in asked] == [TAKEN_TIMES] * 2
