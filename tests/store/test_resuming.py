"""A landing cut off anywhere is finished or undone at the next start, and never half-done."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsessiond.model.errors import Moved, Refused, StoreFailed
from gitsessiond.store.intents import forget_intent, read_intents, write_intent
from gitsessiond.store.landing import find_place, land
from gitsessiond.store.resuming import settle_intent
from tests.conftest import git
from tests.store.dying import in_a_child
from tests.store.landings import HOW, Ready, everything, intent_of, ready_landing, rev, status

# Kills itself at the n-th look at the world of a landing: before and after each git it asks.
KILLED = """
import os, signal, sys
from gitsessiond.store import landing
from tests.store.landings import HOW, intent_of
from gitsessiond.store.repository import open_repository

left = int(sys.argv[1])

def point():
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

def watched(act):
    def wrapper(*args, **more):
        point()
        result = act(*args, **more)
        point()
        return result
    return wrapper

landing.run_git = watched(landing.run_git)
landing.move_refs = watched(landing.move_refs)
landing.KeptGit.ask = watched(landing.KeptGit.ask)
landing.write_intent = watched(landing.write_intent)
repository = open_repository(sys.argv[2])
place = landing.find_place(repository, "main")
landing.land(repository, intent_of(sys.argv[3], sys.argv[4], place), place, HOW)
point()
print("done")
"""


@pytest.fixture
def landing(repo: Path, tmp_path: Path) -> Ready:
    return ready_landing(repo, tmp_path / "session")


def held_in_a_filter(landing: Ready, tmp_path: Path, wait: str) -> subprocess.Popen[bytes]:
    """A process that lands, now among the files: a filter of one of them does ``wait``."""
    repo, slow = landing.repo, tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\ntouch {tmp_path}/in\n{wait}\nexec cat\n")
    slow.chmod(0o755)
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "attributes").write_text("new/n.txt filter=slow\n")
    git(repo, "config", "filter.slow.smudge", str(slow))
    words = [sys.executable, "-c", KILLED, "10000", landing.repository.worktree, landing.old, landing.new]
    daemon = subprocess.Popen(words, cwd=Path(__file__).parents[2])
    wait_until((tmp_path / "in").exists)
    return daemon


def land_and_die(landing: Ready, at: int) -> bool:
    """Land in a process of its own that dies at its ``at``-th point; whether it came to the end instead."""
    words = [str(at), landing.repository.worktree, landing.old, landing.new]
    code, said = in_a_child(KILLED, words, landing.repo)
    assert code in (0, -9), said
    return code == 0


def settled(landing: Ready) -> str:
    """What becomes of the one intent there is; none: nothing had begun."""
    for intent in read_intents(landing.repository.state_dir):
        outcome = settle_intent(landing.repository, intent, HOW).outcome
        forget_intent(landing.repository.state_dir, intent)
        return outcome
    return "none"


@pytest.mark.parametrize(("checked_out", "at"), [*((True, at) for at in range(11)), *((False, at) for at in range(5))])
def test_a_kill_at_any_point_leaves_all_or_nothing(landing: Ready, checked_out: bool, at: int) -> None:
    """Killed between any two steps: after the start, branch, index and files are wholly old or wholly new."""
    repo = landing.repo
    if not checked_out:
        git(repo, "switch", "-q", "--detach")
    finished = land_and_die(landing, at)
    outcome = settled(landing)
    assert status(repo) == ""
    assert not list((repo / ".git").rglob("*.lock"))
    if outcome == "landed":
        assert rev(repo, "main") == landing.new
        assert not checked_out or (repo / "new" / "n.txt").exists()
    else:
        assert outcome in ("dropped", "none") and not finished
        assert rev(repo, "main") == landing.old and (repo / "README").exists()
        land_and_die(landing, 10_000)
        assert rev(repo, "main") == landing.new and status(repo) == ""


def begun(landing: Ready) -> None:
    """The intent is written, and nothing else has happened."""
    place = find_place(landing.repository, "main")
    write_intent(landing.repository.state_dir, intent_of(landing.old, landing.new, place))


def half_written(landing: Ready, rng: random.Random) -> list[str]:
    """The state a killed read-tree leaves: some files new, one missing or cut short, all three locks."""
    repo = landing.repo
    begun(landing)
    paths = ["README", "a.txt", "new/n.txt", "src/b.txt"]
    done = rng.randint(1, len(paths))
    for path in paths[:done]:
        (repo / path).unlink(missing_ok=True)
        if path != "README":
            (repo / path).parent.mkdir(exist_ok=True)
            (repo / path).write_bytes(git(repo, "show", f"{landing.new}:{path}"))
    if done >= 4:
        (repo / "src" / "b.txt").chmod(0o755)
    if done >= 2:
        victim = repo / paths[done - 1]
        content = victim.read_bytes()
        if rng.random() < 0.4:
            victim.unlink()
        else:
            victim.write_bytes(content[: rng.randrange(len(content))])
    for lock in ("index.lock", "HEAD.lock", "refs/heads/main.lock"):
        (repo / ".git" / lock).write_bytes(b"DIRC")
    return paths[:done]


@pytest.mark.parametrize("seed", range(8))
def test_half_written_files_are_finished(landing: Ready, seed: int) -> None:
    """git was killed among the files: the rest is written, the branch moves, and no lock stays."""
    half_written(landing, random.Random(seed))
    (landing.repo / "mine.txt").write_text("mine\n")
    assert settled(landing) == "landed"
    assert rev(landing.repo, "main") == landing.new and status(landing.repo) == "?? mine.txt\n"
    assert not list((landing.repo / ".git").rglob("*.lock"))


def test_a_save_among_half_written_files_is_kept(landing: Ready) -> None:
    """A path that is neither old nor new is a user's: nothing more is written, and it is said which."""
    half_written(landing, random.Random(0))
    (landing.repo / "src" / "b.txt").write_text("saved meanwhile\n")
    (intent,) = read_intents(landing.repository.state_dir)
    before = {path: path.read_bytes() for path in landing.repo.glob("*.txt")}
    told = settle_intent(landing.repository, intent, HOW)
    assert told.outcome == "stopped" and "src/b.txt" in told.words
    assert rev(landing.repo, "main") == landing.old
    assert before == {path: path.read_bytes() for path in landing.repo.glob("*.txt")}
    assert (landing.repo / "src" / "b.txt").read_text() == "saved meanwhile\n"


def test_a_file_in_the_way_of_the_rest_stops_it(landing: Ready) -> None:
    """Among half-written files somebody staged another version of one that is still old: theirs stays, it is said."""
    begun(landing)
    (landing.repo / "README").unlink()
    (landing.repo / "src" / "b.txt").write_text("staged meanwhile\n")
    git(landing.repo, "add", "src/b.txt")
    (landing.repo / "src" / "b.txt").write_bytes(git(landing.repo, "show", "HEAD:src/b.txt"))
    (intent,) = read_intents(landing.repository.state_dir)
    told = settle_intent(landing.repository, intent, HOW)
    assert told.outcome == "stopped" and "src/b.txt" in told.words
    assert rev(landing.repo, "main") == landing.old
    assert git(landing.repo, "show", ":src/b.txt") == b"staged meanwhile\n"


def test_a_target_that_moved_after_the_crash_is_left_alone(landing: Ready) -> None:
    """Files of the landing are there, but somebody moved the branch: it is told, and nothing is touched."""
    half_written(landing, random.Random(3))
    elsewhere = git(landing.repo, "commit-tree", "-p", landing.old, "-m", "x", f"{landing.old}^{{tree}}").decode()
    for lock in ("index.lock", "HEAD.lock", "refs/heads/main.lock"):
        (landing.repo / ".git" / lock).unlink()
    git(landing.repo, "update-ref", "refs/heads/main", elsewhere.strip())
    before = everything(landing.repo)
    (intent,) = read_intents(landing.repository.state_dir)
    told = settle_intent(landing.repository, intent, HOW)
    assert told.outcome == "stopped" and "a.txt" in told.words
    assert everything(landing.repo) == before


def test_locks_of_others_are_not_removed(landing: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a git is at work in the target's worktree, its locks stay and the landing waits."""
    begun(landing)
    lock = landing.repo / ".git" / "index.lock"
    lock.touch()
    monkeypatch.setattr("gitsessiond.store.resuming.PATIENCE", 0.05)
    waiting = subprocess.Popen(
        ["git", "hash-object", "-w", "--stdin"], cwd=landing.repo, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        (intent,) = read_intents(landing.repository.state_dir)
        assert settle_intent(landing.repository, intent, HOW).outcome == "busy" and lock.exists()
    finally:
        waiting.communicate()
    assert settle_intent(landing.repository, intent, HOW).outcome == "dropped" and not lock.exists()


def test_a_landing_that_was_built_on_counts_as_landed(landing: Ready) -> None:
    """Landed, not recorded, and the user committed on top of it: it is landed."""
    assert land_and_die(landing, 10_000)
    git(landing.repo, "commit", "-q", "--allow-empty", "-m", "on top")
    assert settled(landing) == "landed"


def children_of(landing: Ready) -> list[int]:
    """The git processes of the landing under way, found by what their environment says."""
    (intent,) = read_intents(landing.repository.state_dir)
    mark = f"GITSESSIOND_LANDING={intent.id}".encode()
    found = []
    for number in os.listdir("/proc"):
        try:
            if number.isdigit() and mark in Path(f"/proc/{number}/environ").read_bytes().split(b"\0"):
                found.append(int(number))
        except OSError:
            continue
    return found


def kill_all(processes: list[int]) -> list[int]:
    """Kill -9; returns those that were asked to go."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return processes


def test_everything_killed_among_the_files(landing: Ready, tmp_path: Path) -> None:
    """A real landing held up in a filter, daemon and git killed with -9: the next start finishes it."""
    repo, go = landing.repo, tmp_path / "go"
    daemon = held_in_a_filter(landing, tmp_path, f"while [ ! -e {go} ]; do sleep 0.02; done")
    assert (repo / ".git" / "index.lock").exists() and "LINE FIVE" in (repo / "a.txt").read_text()
    daemon.kill()
    daemon.wait()
    wait_until(lambda: not kill_all(children_of(landing)))
    go.touch()
    assert settled(landing) == "landed"
    assert rev(repo, "main") == landing.new and status(repo) == ""
    assert not list((repo / ".git").rglob("*.lock"))


def test_git_that_outlives_the_daemon_is_waited_for(landing: Ready, tmp_path: Path) -> None:
    """Only the daemon was killed: its read-tree goes on, and the landing is finished when it has ended."""
    repo = landing.repo
    daemon = held_in_a_filter(landing, tmp_path, "sleep 0.3")
    daemon.kill()
    daemon.wait()
    assert settled(landing) == "landed"
    assert rev(repo, "main") == landing.new and status(repo) == ""


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def test_landings_among_a_busy_committer(landing: Ready) -> None:
    """Somebody commits in the target's worktree all the time: every landing is whole or refused, none half-done."""
    repo, commits, stop = landing.repo, [0], threading.Event()

    def commit_on() -> None:
        while not stop.wait(0.05):  # between commits, as long as a landing takes
            with open(repo / "log.txt", "a") as log:
                log.write(f"{commits[0]}\n")
            git(repo, "add", "log.txt", check=False)
            git(repo, "commit", "-q", "-m", "busy", "--", "log.txt", check=False)
            commits[0] += 1

    busy = threading.Thread(target=commit_on)
    busy.start()
    landed = 0
    try:
        for number in range(60):
            old = rev(repo, "main")
            landed += land_one(landing, old, f"n{number}.txt")
            if landed >= 4 and commits[0] >= 4:
                break
    finally:
        stop.set()
        busy.join()
    names = git(repo, "ls-tree", "--name-only", "main").decode().split()
    assert landed == len([name for name in names if name.startswith("n") and name.endswith(".txt")])
    assert landed >= 4 and commits[0] >= 4
    assert git(repo, "status", "--porcelain", "--", *[name for name in names if name != "log.txt"]) == b""
    assert not list((repo / ".git").rglob("*.lock"))


def land_one(landing: Ready, old: str, name: str) -> int:
    """Land one new file on ``old``; 1 when it landed, 0 when the target or its index was not free."""
    repo = landing.repo
    blob = git(repo, "hash-object", "-w", "--stdin", stdin=b"x\n").decode().strip()
    tree = git(repo, "ls-tree", "-z", old) + f"100644 blob {blob}\t{name}\0".encode()
    made = git(repo, "mktree", "-z", stdin=tree).decode().strip()
    new = git(repo, "commit-tree", "-p", old, "-m", name, made).decode().strip()
    place = find_place(landing.repository, "main")
    intent = intent_of(old, new, place)
    try:
        land(landing.repository, intent, place, HOW)
    except (Moved, Refused, StoreFailed):
        return 0
    forget_intent(landing.repository.state_dir, intent)
    return 1
