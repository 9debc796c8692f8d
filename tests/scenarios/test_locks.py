"""Two sessions on one path: what stands behind a lock, and that nothing of it is left behind (docs/locks.md)."""

from __future__ import annotations

import os
import re
import shutil
import stat
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from gitsessiond.model.errors import Locked, Refused
from gitsessiond.wire.client import Client
from tests.bench import Workbench, wait_for
from tests.scenarios.writers import Terminal

SHARED = "path/a.txt"
MAIN = "ref/refs/heads/main"


class Person:
    """A client by a name, in a session and worktree of its own; asks without a start of the command."""

    def __init__(self, bench: Workbench, name: str) -> None:
        self.name = name
        self._env = {"GITSESSION_CLIENT": name}
        self.bench = bench
        reply = self.call("session.start", name=name, worktree=True)
        self.bench = bench.at(reply["session"]["worktree"])

    def call(self, verb: str, **args: Any) -> Any:
        with patch.dict(os.environ, self._env):
            return Client(str(self.bench.root)).call(verb, args)

    def lock(self, name: str = SHARED, **args: Any) -> int:
        """Lock for writing; the token."""
        got = self.call("lock.acquire", resources=[{"name": name, "mode": "X"}], **args)
        return int(got["locks"][0]["token"])

    def unlock(self) -> None:
        self.call("lock.release", names=None, all=True)

    def status(self) -> Any:
        return self.call("session.status")

    def works_under(self, token: int) -> None:
        """What is asked from now on is asked under a lock."""
        self._env["GITSESSION_LOCK_TOKEN"] = str(token)

    def commit(self, text: str, code: int = 0) -> str:
        """Commit all there is with plain git; what it says."""
        self.bench.git("add", "-A")
        done = self.bench.git("commit", "-q", "-m", text, check=False)
        assert done.code == code, done
        return done.err

    def mode(self, path: str = "a.txt") -> int:
        """The rights of a file: root writes whatever they are, so they are looked at themselves."""
        return stat.S_IMODE((self.bench.root / path).lstat().st_mode)

    def has_mode(self, mode: int, path: str = "a.txt") -> None:
        wait_for(lambda: self.mode(path) == mode, why=f"for {path} to have {mode:o}, not {self.mode(path):o}")


@pytest.fixture
def ann(bench: Workbench) -> Person:
    bench.quiet = False
    return Person(bench, "ann")


@pytest.fixture
def bob(bench: Workbench, ann: Person) -> Person:
    return Person(bench, "bob")


def test_what_another_has_locked_is_told_refused_at_commit_and_not_writable(ann: Person, bob: Person) -> None:
    """With ``advisory`` a save is on record, with ``hooks`` refused at commit, with ``readonly`` warned of before."""
    root = bob.bench.root
    ann.lock(reason="the big one")
    (shown,) = bob.status()["locks"]
    assert (shown["path"], shown["session"]["name"], shown["own"]) == ("a.txt", "ann", False)
    assert [one["own"] for one in ann.status()["locks"]] == [True]
    for text in ("once\n", "twice\n"):
        bob.bench.write("a.txt", text)
        (found,) = bob.status()["conflicts"]
    assert (found["kind"], found["path"], found["lock"]["saves"]) == ("resource_lock", "a.txt", 2)
    with pytest.raises(Refused, match="nothing is to be settled"):
        bob.call("resolve", id=found["id"], how="ours")
    assert bob.commit("over it") == ""

    bob.bench.git("config", "gitsession.locks", "hooks")
    bob.call("hooks.install")
    bob.bench.write("a.txt", "three times\n")
    bob.bench.write("b.txt", "mine\n")
    assert bob.status()["conflicts"][0]["lock"]["saves"] == 3
    said = bob.commit("refused", code=1)
    assert re.search(r"^error: a\.txt is locked by \S.* in ann until \d\d:\d\d$", said, re.MULTILINE), said
    assert ann.commit("nothing is in ann's own way", code=1) == ""  # but that there is nothing to commit

    os.chmod(root / "b.txt", 0o755)
    bob.status()  # that is recorded before ann locks it
    bob.bench.git("config", "gitsession.locks", "readonly")
    ann.lock("path/*.txt")
    bob.status()
    assert (bob.mode(), bob.mode("b.txt"), ann.mode()) == (0o444, 0o555, 0o644)
    os.chmod(root / "b.txt", 0o700)  # bob means it
    assert bob.bench.git("status", "--porcelain").out == "M  a.txt\nAM b.txt\n"
    ann.unlock()
    bob.has_mode(0o644)
    assert bob.mode("b.txt") == 0o700
    assert bob.status()["conflicts"] == [] == bob.status()["locks"]
    assert bob.commit("free again") == ""
    told = [
        one["type"] for one in Client(str(root)).events(0, False, {"types": ["conflict_detected", "conflict_gone"]})
    ]
    assert told == ["conflict_detected", "conflict_gone"]
    assert (
        not (bob.bench.root / bob.bench.git("rev-parse", "--git-common-dir").out.strip())
        .joinpath("gitsession/readonly.json")
        .exists()
    )


VIM = ["vim", "--clean", "--cmd", "set backupskip=", "a.txt"]


def shows(terminal: Terminal, text: bytes) -> bool:
    """Whether a program has printed that."""
    return text in terminal.printed


def also_has_it(one: Person, other: Person) -> bool:
    """Whether one's panel tells that the other has the file too."""
    return [row["with_session"]["name"] for row in one.status()["collisions"]] == [other.name]


def has_saved(one: Person, vim: Terminal) -> bool:
    """Whether that is on disk; in the middle of a save there is no file."""
    vim.read(0.02)
    path = one.bench.root / "a.txt"
    return path.exists() and f"{one.name} was here" in path.read_text()


def test_a_lock_asked_for_in_vain_is_on_record_in_both_sessions(ann: Person, bob: Person) -> None:
    """At once, counted, one for both; over when it is given back, and counted by kind."""
    ann.lock()
    for _ in range(3):
        with pytest.raises(Locked):
            bob.lock()
        (found,) = bob.call("conflicts", kind="resource_lock")["conflicts"]
    assert found["denied"]["times"] == 3
    assert ann.call("conflicts")["conflicts"][0]["id"] == found["id"]
    shown = ann.call("conflict.show", id=found["id"])["conflict"]
    assert (shown["denied"]["client"], shown["lock"]["client"], shown["resource"]) == ("bob", "ann", SHARED)
    ann.unlock()
    (found,) = wait_for(lambda: ended(bob), why="for its end")
    assert (found["how"], found["denied"]["times"]) == ("auto", 3)
    assert 'gitsession_conflicts_detected_total{kind="resource_lock"} 1' in bob.bench.run("metrics").out


def ended(person: Person) -> list[Any]:
    """The conflicts of a session, once all are resolved."""
    found = person.call("conflicts", all=True)["conflicts"]
    return [one for one in found if one["status"] == "resolved"]


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("vim") is None, reason="vim is not installed (Debian package vim)")
@pytest.mark.parametrize("locks", ["advisory", "hooks", "readonly"])
def test_two_vims_on_one_path(ann: Person, bob: Person, locks: str) -> None:
    """Warned before the save (readonly), at the save (advisory), refused at commit (hooks); both texts are there."""
    bob.bench.git("config", "gitsession.locks", locks)
    bob.call("hooks.install")
    ann.lock()
    if locks == "readonly":
        bob.has_mode(0o444)
    shown = bob.bench.root / ".gitsession/STATUS"
    wait_for(lambda: shown.exists() and "L a.txt: locked by ann in ann" in shown.read_text(), why="for the STATUS file")
    vims = {one.name: Terminal(VIM, one.bench.root) for one in (ann, bob)}
    for vim in vims.values():
        vim.wait(partial(shows, vim, b"line 1"), "the first screen")
    for one in (ann, bob):
        vims[one.name].type(f"Go{one.name} was here\x1b")
    vims["bob"].read(1.5)  # vim waits a second with its warning
    assert shows(vims["bob"], b"W10: Warning: Changing a readonly file") == (locks == "readonly")
    for one, other in ((ann, bob), (bob, ann)):
        wait_for(partial(also_has_it, one, other), why=f"for {one.name}'s panel to tell of {other.name}")
    for one in (ann, bob):
        vims[one.name].type(":w!\r")
        wait_for(partial(has_saved, one, vims[one.name]), why="for the save")
    found = wait_for(lambda: bob.status()["conflicts"], why="for the record of the save")
    assert [(one["kind"], one["path"]) for one in found] == [("resource_lock", "a.txt")]
    assert ann.status()["conflicts"] == []
    for vim in vims.values():
        vim.end("\x1b:q!\r")
    if locks == "advisory":
        assert bob.commit("it lands") == ""
    else:
        assert "a.txt is locked by" in bob.commit("it does not", code=1)
    ann.unlock()
    bob.has_mode(0o644)
    assert bob.status()["locks"] == []  # and hooks know it too
    if locks != "advisory":
        assert bob.commit("now it lands") == ""
    assert ann.commit("and ann's") == ""
    for one in (ann, bob):
        assert f"{one.name} was here" in one.bench.git("show", "HEAD:a.txt").out
        one.bench.judge()


@pytest.mark.soak
def test_killed_in_the_middle_it_leaves_no_rights_behind(ann: Person, bob: Person) -> None:
    """kill -9 of either process, or both; a stop; uninstall: what was taken is given back when the lock ends."""
    bob.bench.git("config", "gitsession.locks", "readonly")
    for who in ("recorder_pid", "pid"):
        ann.lock()
        bob.has_mode(0o444)
        bob.bench.kill(who)
        assert bob.status()["locks"][0]["path"] == "a.txt"
        assert bob.mode() == 0o444
        ann.unlock()
        bob.has_mode(0o644)
    ann.lock()
    bob.has_mode(0o444)
    bob.bench.stop()
    assert bob.mode() == 0o644
    assert bob.status()["locks"] and bob.mode() == 0o444
    bob.bench.kill("pid")
    bob.bench.git("config", "gitsession.locks", "advisory")
    bob.status()
    assert bob.mode() == 0o644
    bob.bench.git("config", "gitsession.locks", "readonly")
    bob.status()
    assert bob.mode() == 0o444
    bob.call("uninstall", yes=True, hard=False)
    assert bob.mode() == 0o644


@pytest.mark.soak
def test_a_lock_that_expires_or_is_broken_gives_the_rights_back(ann: Person, bob: Person) -> None:
    bob.bench.git("config", "gitsession.locks", "readonly")
    ann.lock(ttl=1.0)
    bob.has_mode(0o444)
    bob.has_mode(0o644)
    ann.lock()
    bob.has_mode(0o444)
    bob.call("lock.break", name=SHARED, reason="ann is at lunch", steal=False)
    bob.has_mode(0o644)
    ann.lock()
    bob.has_mode(0o444)
    ann.call("client.leave")
    bob.has_mode(0o644)


@pytest.mark.soak
def test_a_branch_another_has_locked_is_neither_merged_into_nor_pushed(
    ann: Person, bob: Person, tmp_path: Path
) -> None:
    """By us with any setting, exit 11; by git with the hooks. A paused holder's token moves nothing."""
    bob.call("patch.new", name="p")
    bob.bench.write("new.txt", "new\n")
    bob.status()
    token = ann.lock(MAIN)
    for verb in ("merge", "push"):
        with pytest.raises(Locked, match=r"^main is locked by"):
            bob.call(verb, **({"patch": "p", "ready": True} if verb == "merge" else {}))
    bob.bench.git("init", "-q", "--bare", str(tmp_path / "remote"))
    bob.bench.git("remote", "add", "elsewhere", str(tmp_path / "remote"))
    bob.bench.git("config", "gitsession.locks", "hooks")
    bob.call("hooks.install")
    said = bob.bench.git("push", "elsewhere", "main", check=False)
    assert said.code == 1 and "error: main is locked by" in said.err, said
    ann.unlock()
    for name in ("ref/refs/heads/", "/"):
        ann.lock(name)
        wait_for(lambda: bob.bench.git("push", "elsewhere", "main", check=False).code, why=f"for what {name} covers")
        ann.unlock()
    bob.lock(MAIN)
    ann.works_under(token)
    with pytest.raises(Locked, match=f"the lock with token {token} is no more"):
        ann.call("push")
    wait_for(lambda: bob.bench.git("push", "elsewhere", "main", check=False).code == 0, why="for bob's own push")
    assert bob.call("merge", patch="p", ready=True)["merged"]


@pytest.mark.soak
def test_without_a_daemon_a_branch_is_its_holders_alone(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command reads the same journal; no file loses its write bits for a command's time."""
    monkeypatch.setenv("GITSESSION_DAEMON", "never")
    bench.quiet = False
    ann = Person(bench, "ann")
    bob = Person(bench, "bob")
    bob.bench.git("config", "gitsession.locks", "readonly")
    bob.call("patch.new", name="p")
    bob.bench.write("new.txt", "new\n")
    ann.lock(MAIN)
    ann.lock()
    with pytest.raises(Locked, match=r"^main is locked by"):
        bob.call("merge", patch="p", ready=True)
    assert bob.mode() == 0o644
    bob.bench.write("a.txt", "over it\n")
    assert bob.call("conflicts")["conflicts"][0]["lock"]["saves"] == 1
    ann.unlock()
    bob.lock(MAIN)
    assert bob.call("merge", patch="p", ready=True)["merged"]
    bob.unlock()
    ann.lock(ttl=1.0)
    bob.bench.run("lock", "a.txt", "--wait", "60")
    ann.lock(MAIN, ttl=0.5)
    bob.call("patch.new", name="q")
    bob.bench.write("newer.txt", "new\n")
    wait_for(partial(merged, bob, "q"), why="for the lock to expire")


def merged(one: Person, name: str) -> bool:
    """Try to merge a patch."""
    try:
        return bool(one.call("merge", patch=name, ready=True)["merged"])
    except Locked:
        return False
