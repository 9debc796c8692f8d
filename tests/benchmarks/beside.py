"""Figures of what stands beside the user's git: hooks at each commit, and turns for many processes at once."""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.bench import SCRIPT
from tests.benchmarks.figures import size
from tests.benchmarks.ground import Ground, Row, ms, timed

ROUNDS = 21
THIRTEEN = range(13)


def hooks(ground: Ground) -> list[Row]:
    """`git commit` with our hooks beside none and beside hooks that exit at once; in turns, so that load is shared."""
    root = ground.top / f"hooks-{ground.files}"
    ground.session("start", f"hooks-{ground.files}", "--worktree", str(root))
    at = Beside(ground, root)
    try:
        at.session("patch", "new", "p")
        at.session("hooks", "install")
        none, empty, one = at.compare([at.bare, at.empty, at.ours])
        at.session("patch", "new", "q")
        bare, two = at.compare([at.bare, at.ours])
        stopped = at.stopped()
    finally:
        at.session("hooks", "uninstall")
        at.session("abandon", "--yes")
        ground.git("worktree", "remove", "--force", str(root))
    yardstick = f"no hook {ms(none)}, empty sh hooks {ms(empty)}"
    return [
        Row("git commit with hooks", size(ground), f"{ms(one)}: {one - none:+.1f} ms", yardstick, "+ 5 ms"),
        Row("the same, two patches open", size(ground), f"{ms(two)}: {two - bare:+.1f} ms", f"no hook {ms(bare)}", "-"),
        Row("the same, daemon stopped", size(ground), f"{ms(stopped)}: {stopped - bare:+.1f} ms", "-", "+ 50 ms"),
    ]


class Beside:
    """A worktree with a session, and three ways to commit one changed line in it."""

    def __init__(self, ground: Ground, root: Path) -> None:
        self.ground, self.root = ground, root
        self.count = 0
        self.home = ground.top / "empty-hooks"
        self.home.mkdir(exist_ok=True)
        for name in ("pre-commit", "post-commit"):
            (self.home / name).write_text("#!/bin/sh\nexit 0\n")
            (self.home / name).chmod(0o755)

    def session(self, *words: str) -> None:
        self.ground.git("session", *words, cwd=self.root)

    def bare(self) -> None:
        self.ground.git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "x", cwd=self.root)

    def empty(self) -> None:
        self.ground.git("-c", f"core.hooksPath={self.home}", "commit", "-qm", "x", cwd=self.root)

    def ours(self) -> None:
        self.ground.git("-c", "no.thing=here", "commit", "-qm", "x", cwd=self.root)

    def stage(self) -> None:
        self.count += 1
        path = self.root / self.ground.path(1)
        path.write_text(f"{self.count}\n" + path.read_text().partition("\n")[2])
        self.ground.git("add", self.ground.path(1), cwd=self.root)

    def compare(self, ways: list[Callable[[], None]]) -> list[float]:
        """The median of each way; before each commit the daemon has nothing left to do."""
        took: list[list[float]] = [[] for _ in ways]
        for _ in range(ROUNDS):
            for way, times in zip(ways, took, strict=True):
                self.stage()
                self.session("status")
                times.append(timed(way))
        return [statistics.median(times) for times in took]

    def stopped(self) -> float:
        """A commit while both processes of the daemon are stopped."""
        daemon = self.ground.json("daemon", "status")
        both = [int(daemon["pid"]), int(daemon["recorder_pid"])]
        took = []
        for _ in range(7):
            self.stage()
            self.session("status")
            for pid in both:
                os.kill(pid, signal.SIGSTOP)
            took.append(timed(self.ours))
            for pid in both:
                os.kill(pid, signal.SIGCONT)
        return statistics.median(took)


def turns(ground: Ground) -> list[Row]:
    """Thirteen processes at once, bare and through `git session exec`: how many fail, and how long all take."""
    rows = []
    for what, script in (
        ("git add + commit", "echo {n} >f{n} && {each} git add f{n} && {each} git commit -qm {n} f{n}"),
        ("git worktree add", "{each} git worktree add -q --track -b b{n} ../t{n} main"),
    ):
        told = []
        for each in ("", f"{SCRIPT} exec --"):
            top = ground.top / "thirteen"
            top.mkdir()
            ground.git("clone", "-q", "--no-local", str(ground.root), str(top / "repo"), "-b", "main")
            failed: list[int] = []
            took = timed(lambda top=top, each=each, script=script, failed=failed: failed.append(  # type: ignore[misc]
                all_at_once(ground, top / "repo", [script.format(n=n, each=each) for n in THIRTEEN])
            ))  # fmt: skip
            told.append(f"{failed[0]} of 13 fail, {ms(took)}")
            shutil.rmtree(top)
        rows.append(Row(f"13 x {what} at once", size(ground), told[1], f"bare: {told[0]}", "0 fail"))
    return rows


def all_at_once(ground: Ground, root: Path, scripts: list[str]) -> int:
    """How many of these scripts fail when all begin together."""
    wait, go = os.pipe()
    children = [
        subprocess.Popen(
            ["sh", "-c", f"cat >/dev/null; {script}"], cwd=root, env=ground.env, stdin=wait,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for script in scripts
    ]  # fmt: skip
    os.close(wait)
    os.close(go)
    return sum(child.wait() != 0 for child in children)


BESIDE: dict[str, Callable[[Ground], list[Row]]] = {"hooks": hooks, "exec": turns}
