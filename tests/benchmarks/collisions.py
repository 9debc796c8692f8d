"""A hundred open sessions in one repository: how soon a save that meets another's is told, and who meets whom in all."""

from __future__ import annotations

import copy
import os
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gitsessiond.faces.cli.panel import MOST
from gitsessiond.wire.client import Client
from tests.bench import wait_for
from tests.benchmarks.figures import cpu, rss, size
from tests.benchmarks.ground import Ground, Row, median, ms, percentile, timed

SESSIONS = 100
EACH, APART = 24, 5  # files that a session changes, and how far on the next one begins: it meets eight others
SHARED = SESSIONS * APART  # files in which all of them are; a worktree has these and no more
SAVES, PAUSE_S = 60, 0.2
BOTH = 100  # files that a patch and its target have both changed
QUIET_S, LONG_S = 1.0, 20.0


def collisions(ground: Ground) -> list[Row]:
    """What a hundred people in one repository wait for."""
    with crowd(ground) as (own, members):
        quiet(own)
        return [*saves(own, members), matrix(own, members), combined(own, members[0]), memory(own)]


# -- the hundred ----------------------------------------------------------------------------------------------


class Member(NamedTuple):
    """One session, in a sparse worktree of its own."""

    number: int
    sid: str
    root: Path
    client: Client

    def call(self, verb: str, **args: Any) -> dict[str, Any]:
        return self.client.call(verb, args)

    def changed(self) -> list[int]:
        """The numbers of the files that it has changed."""
        return [(self.number * APART + n) % SHARED for n in range(EACH)]

    def edit(self, path: str, text: str) -> None:
        """Save a file with its fourth line replaced."""
        lines = (self.root / path).read_text().splitlines(keepends=True)
        lines[3] = text + "\n"
        (self.root / path).write_text("".join(lines))


@contextmanager
def crowd(ground: Ground) -> Iterator[tuple[Ground, list[Member]]]:
    """A hundred sessions, each with a patch of two dozen files, in a clone that goes with them."""
    os.environ.update(ground.env)
    own = copy.copy(ground)
    own.top = ground.top / f"crowd-{ground.files}"
    own.root = own.top / "repo"
    ground.git("clone", "-q", "--no-local", "--no-checkout", "-b", "main", str(ground.root), str(own.root))
    members: list[Member] = []
    try:
        for number in range(SESSIONS):
            members.append(joined(own, own.top / f"s{number}", number))
        for one in members:
            for n in one.changed():
                one.edit(own.path(n), f"session {one.number}")
        assert wait_for(lambda: not members[0].call("session.status", most=0)["recording_left"], LONG_S)
        yield own, members
    finally:
        own.close()
        shutil.rmtree(own.top)


def joined(ground: Ground, root: Path, number: int) -> Member:
    """One session more.

    Its worktree is sparse: a hundred whole ones of fifty thousand files would take the better part of an hour. What it
    knows and records is all files; what is checked out are the directories in which somebody works.
    """
    ground.git("worktree", "add", "-q", "--no-checkout", "--detach", str(root), "main")
    directories = sorted({os.path.dirname(ground.path(n)) for n in range(SHARED)})
    ground.git("sparse-checkout", "set", *directories, cwd=root)
    ground.git("checkout", "-q", cwd=root)
    client = Client(str(root))
    begun = {"name": f"crowd{number}-{ground.files}", "description": "", "target": "main", "here": True}
    one = Member(number, client.call("session.start", begun)["session"]["id"], root, client)
    one.call("patch.new", name="p", description="")
    return one


def quiet(ground: Ground) -> None:
    """Wait until the daemon has little left to do: what was just made is looked at, and shown in a hundred places."""
    pids = processes(ground)
    before, end = cpu_s(pids), time.monotonic() + LONG_S
    while time.monotonic() < end:
        time.sleep(QUIET_S)
        now = cpu_s(pids)
        if now - before < QUIET_S / 5:
            return
        before = now


def processes(ground: Ground) -> list[int]:
    status = ground.json("daemon", "status")
    return [int(status["pid"]), int(status["recorder_pid"])]


def cpu_s(pids: list[int]) -> float:
    return sum(cpu(pid) for pid in pids) / os.sysconf("SC_CLK_TCK")


# -- what is measured -----------------------------------------------------------------------------------------


class Ear:
    """Follows in a thread what is told of conflicts, and when."""

    def __init__(self, ground: Ground) -> None:
        self.heard: list[tuple[float, dict[str, Any]]] = []
        self._events = Client(str(ground.root)).events(None, True, {"types": ["conflict_detected"]})
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for event in self._events:
            self.heard.append((time.perf_counter(), event))

    def first(self, sid: str, path: str) -> float | None:
        """When it was told first that a session's save of a path meets another's."""
        return next((at for at, event in self.heard if event["session"] == sid and event["path"] == path), None)


def saves(ground: Ground, members: list[Member]) -> list[Row]:
    """One saves a file that others have changed: until the record is told, until it stands in another's panel."""
    ear = Ear(ground)
    time.sleep(PAUSE_S)
    event, told, panel = [], [], []
    for count in range(SAVES):
        one = members[count * 7 % SESSIONS]
        number = (one.number * APART + EACH + count % APART) % SHARED  # none of its own
        path = ground.path(number)
        other = next(who for who in members if number in who.changed())
        time.sleep(PAUSE_S)
        one.edit(path, f"save {count}")
        saved = time.perf_counter()
        if count % 2:  # a request hurries nothing, but nobody need ask
            assert wait_for(lambda one=one, path=path: ear.first(one.sid, path) is not None), path  # type: ignore[misc]
            event.append(((ear.first(one.sid, path) or 0.0) - saved) * 1000)
            time.sleep(PAUSE_S)
            panel.append(timed(lambda other=other: other.call("session.status", most=MOST)))  # type: ignore[misc]
            continue
        rows = other.call("session.status")["collisions"]
        told.append((time.perf_counter() - saved) * 1000)
        assert (path, one.sid) in [(row["path"], row["with_session"]["id"]) for row in rows], path
    plain = median(lambda: changed_by_git(ground, members[0]))
    yardstick = f"git diff --name-only in one of them {ms(plain)}"
    return [
        Row(f"{SESSIONS} sessions: save -> on record as a conflict", size(ground), spread(event), yardstick, "100 ms; typically <= 20 ms"),
        Row(f"{SESSIONS} sessions: save -> in another's panel", size(ground), spread(told), yardstick, "100 ms"),
        Row(f"{SESSIONS} sessions: panel request", size(ground), spread(panel), yardstick, "-"),
    ]  # fmt: skip


def spread(took: list[float]) -> str:
    return f"p50 {ms(statistics.median(took))}, p95 {ms(percentile(took, 0.95))}, longest {ms(max(took))}"


def changed_by_git(ground: Ground, one: Member) -> set[str]:
    """What git says that a session has changed."""
    return set(ground.git("diff", "--name-only", "main", cwd=one.root).splitlines())


def matrix(ground: Ground, members: list[Member]) -> Row:
    """Who shares files with whom, of all and in one answer; and the same by git, from each worktree in turn."""

    def by_git() -> int:
        found = [changed_by_git(ground, one) for one in members]
        return sum(bool(mine & theirs) for mine in found for theirs in found if mine is not theirs)

    def ours() -> int:
        rows = members[0].call("session.list", all=False)["sessions"]
        return sum(len(row["collisions"]) for row in rows if row["id"] in sids)

    sids = {one.sid for one in members}
    assert ours() == by_git()
    told = f"git diff --name-only in each {ms(timed(by_git))}"
    return Row(f"{SESSIONS} sessions: all that meet, in one list", size(ground), ms(median(ours)), told, "<= 500 ms")


def combined(ground: Ground, one: Member) -> Row:
    """A patch and its target have both changed a hundred files, in other lines: its merge, which git combines."""
    paths = [ground.path(EACH + n) for n in range(BOTH)]
    one.call("patch.new", name="both", description="")
    for path in paths:
        one.edit(path, "ours")
    theirs = ground.top / f"theirs-{ground.files}"
    ground.git("worktree", "add", "-q", "--no-checkout", "--detach", str(theirs), "main")
    ground.git("read-tree", "HEAD", cwd=theirs)
    for path in paths:
        (theirs / path).parent.mkdir(parents=True, exist_ok=True)
        (theirs / path).write_text(ground.git("show", f"HEAD:{path}", cwd=theirs).replace("line 15 ", "theirs 15 "))
    ground.git("add", "--", *paths, cwd=theirs)
    ground.git("commit", "-qm", "theirs", cwd=theirs)
    ground.git("update-ref", "refs/heads/main", "HEAD", cwd=theirs)
    ground.git("worktree", "remove", "--force", str(theirs))
    one.call("patch.ready", patch="both")
    quiet(ground)
    tip = next(patch["tip"] for patch in one.call("patch.list")["patches"] if patch["name"] == "both")
    plain = median(lambda: ground.git("merge-tree", "--write-tree", "main", tip))
    took = timed(lambda: one.call("merge", patch="both"))
    return Row(f"merge, {BOTH} files changed on both sides", size(ground), ms(took), f"git merge-tree {ms(plain)}", "<= 500 ms")  # fmt: skip


def memory(ground: Ground) -> Row:
    """What both processes of the daemon hold with all of them."""
    used = sum(rss(pid) for pid in processes(ground))
    return Row(f"daemon with {SESSIONS} sessions", size(ground), f"{used:.0f} MB", "-", "-")


COLLISIONS: dict[str, Callable[[Ground], list[Row]]] = {"collisions": collisions}
