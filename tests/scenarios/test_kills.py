"""kill -9 of either of the daemon's processes at random moments of a busy day: nothing published is lost, all goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.model.errors import GitSessionError
from gitsessiond.wire.client import Client
from tests.bench import Workbench
from tests.scenarios.writers import SEQUENCES

FILES = ("f0.txt", "f1.txt", "src/f2.txt", "shared.txt")
SAVES = ("in_place", "tmp_and_rename", "vim_renames", "jetbrains_renames", "vscode")
FINE = {0, 3, 4, 10, 12, 13}  # done, conflicts, refused, no such patch, moved meanwhile, killed while it was asked
OURS = {"start.lock"}
WHOM = [("pid",), ("recorder_pid",), ("pid", "recorder_pid")]
SEED = int(os.environ.get("GITSESSIOND_SEED", "1"))  # read before the tests' world is sealed


class Follower(threading.Thread):
    """Keeps what the daemon publishes, across its deaths."""

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self.root, self.seen, self.over = str(root), dict[int, dict[str, Any]](), False

    def run(self) -> None:
        while not self.over:
            try:
                for event in Client(self.root, autostart=False).events(max(self.seen, default=0), follow=True):
                    self.keep(event)
            except (GitSessionError, OSError):
                time.sleep(0.005)

    def keep(self, event: dict[str, Any]) -> None:
        assert event["seq"] not in self.seen, "a number used twice"
        self.seen[event["seq"]] = event

    def steps(self, session: str) -> list[dict[str, Any]]:
        return [e for e in list(self.seen.values()) if e["session"] == session and "step" in e]


class Killer(threading.Thread):
    """Kills front, recorder or both after a while."""

    def __init__(self, root: Path, who: tuple[str, ...], after: float) -> None:
        super().__init__(daemon=True)
        self.root, self.who, self.after, self.killed = str(root), who, after, False

    def run(self) -> None:
        time.sleep(self.after)
        try:
            status = Client(self.root, autostart=False).call("daemon.status", {})
            for pid in [status[who] for who in self.who if status[who]]:
                os.kill(int(pid), signal.SIGKILL)
                self.killed = True
        except (GitSessionError, OSError):
            pass  # it was not running just then


class Day:
    """Two people at work in two worktrees of one repository; what they do is drawn by one seed."""

    def __init__(self, bench: Workbench, seed: int) -> None:
        self.random = random.Random(seed)
        for path in FILES:
            bench.write(path, "".join(f"{path} line {n}\n" for n in range(40)))
        bench.git("add", "-A")
        bench.git("commit", "-qm", "files")
        bench.git("config", "gitsession.scanEvery", "0")
        bench.run("start", "one", "--here")
        there = bench.root.parent / "there"
        bench.run("start", "two", "--worktree", str(there))
        self.desks = [bench, bench.at(there)]
        for desk in self.desks:
            desk.run("patch", "new", "first")
        self.names = {str(desk.root): ["first"] for desk in self.desks}
        self.made = 0
        self.codes: dict[int, int] = {}
        self.log: list[str] = []

    def turn(self) -> None:
        """Something that a person does."""
        bench = self.random.choice(self.desks)
        self.random.choice([self.new, self.use, self.assign, self.commit, self.commit, self.merge])(bench)

    def save_on(self, over: threading.Event) -> None:
        """Saves in both worktrees, one soon after the other."""
        while not over.wait(self.random.uniform(0.0, 0.08)):
            self.save(self.random.choice(self.desks))

    def save(self, bench: Workbench) -> None:
        """One or two lines of one file put in, changed or taken out."""
        path = bench.root / self.random.choice(FILES)
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else [b"new\n"]
        at = self.random.randrange(len(lines) + 1)
        self.made += 1
        new = [b"edit %d\n" % self.made] * self.random.randint(0, 3)
        content = b"".join(lines[:at] + new + lines[at + self.random.randint(0, 2) :]) or b"left\n"
        SEQUENCES[self.random.choice(SAVES)](path, content)

    def say(self, bench: Workbench, *args: str) -> int:
        """A command; what it may end with is what a person could understand."""
        done = subprocess.run(["git", "session", *args], cwd=bench.root, capture_output=True, timeout=60, check=False)
        self.log.append(f"{bench.root.name}: {' '.join(args)} -> {done.returncode}")
        assert done.returncode in FINE, (args, done.stdout.decode(), done.stderr.decode(), bench.logs())
        self.codes[done.returncode] = self.codes.get(done.returncode, 0) + 1
        return done.returncode

    def patch(self, bench: Workbench) -> str:
        return self.random.choice(self.names[str(bench.root)][-3:])

    def new(self, bench: Workbench) -> None:
        name = f"p{len(self.log)}"
        if self.say(bench, "patch", "new", name) != 13:
            self.names[str(bench.root)].append(name)

    def use(self, bench: Workbench) -> None:
        self.say(bench, "patch", "use", self.patch(bench))

    def assign(self, bench: Workbench) -> None:
        self.say(bench, "assign", "--all", "--patch", self.patch(bench))

    def commit(self, bench: Workbench) -> None:
        self.say(bench, "commit", "-m", f"commit {self.made}")

    def merge(self, bench: Workbench) -> None:
        self.say(bench, "merge", self.patch(bench), "--ready")


def settle(day: Day, follower: Follower) -> int:
    """The next command goes on; git is held up by nothing; all that was published is there. Returns how many steps."""
    found = 0
    done = subprocess.run(["git", "session"], cwd=day.desks[0].root, capture_output=True, timeout=60)
    assert done.returncode == 0, (done.stdout, done.stderr, day.log[-8:], day.desks[0].logs())
    for bench in day.desks:
        client = Client(str(bench.root), autostart=False)
        session = client.call("session.status", {})["session"]["id"]
        steps = client.call("history", {"path": None, "limit": 100_000})["steps"]
        history = {step["number"]: step for step in steps}
        for event in follower.steps(session):
            step = history.get(event["step"])
            assert step is not None, ("published, and not there", event)
            if "edits" in event:  # of the step itself; others tell what it changed
                assert step["id"] == event["id"], (step, event)
            if event["type"] == "saved":
                assert {edit["path"] for edit in event["edits"]} <= {one["path"] for one in step["paths"]}, (
                    step,
                    event,
                )
        found += len(history)
    for bench in day.desks:
        assert not stale_locks(bench.root), (stale_locks(bench.root), day.log[-8:], bench.logs())
    return found


def stale_locks(root: Path) -> list[Path]:
    """Lock files that would need a hand."""
    return (
        [path for path in (root / ".git").rglob("*.lock") if path.name not in OURS] if (root / ".git").is_dir() else []
    )


def kill_day(bench: Workbench, seed: int, kills: int, judged: int, full: bool = False) -> None:
    """A busy day with so many kills; judged after every ``judged`` of them."""
    day = Day(bench, seed)
    follower = Follower(bench.root)
    follower.start()
    done = 0
    try:
        while done < kills:
            killer = Killer(bench.root, day.random.choice(WHOM), day.random.uniform(0.0, 0.8))
            killer.start()
            day.log.append(f"kill {' and '.join(killer.who)}")
            over = threading.Event()
            saver = threading.Thread(target=day.save_on, args=(over,), daemon=True)
            saver.start()
            while killer.is_alive():
                day.turn()
            over.set()
            saver.join()
            done += killer.killed
            steps = settle(day, follower)
            if killer.killed and done % judged == 0:
                for one in day.desks:
                    one.judge(full=full)
    except BaseException:
        print(f"seed {seed}, {done} kills:", *day.log[-15:], sep="\n  ")
        raise
    finally:
        follower.over = True
    published = len(follower.seen)
    print(f"seed {seed}: {done} kills, {steps} steps, {published} events followed, exit codes {day.codes}")
    assert published > kills


def test_kills_in_a_busy_day(bench: Workbench) -> None:
    """Four kills of front or recorder."""
    kill_day(bench, SEED, 4, judged=2)


@pytest.mark.soak
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("number", range(10))
def test_a_hundred_kills(bench: Workbench, number: int) -> None:
    """Ten days of ten kills each, judged in full."""
    kill_day(bench, SEED + 100 + number, 10, judged=2, full=True)
