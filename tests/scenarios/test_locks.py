"""Two sessions on one path: what stands behind a lock, and that nothing of it is left behind (docs/locks.md)."""

from __future__ import annotations

import os
import re
import stat
from typing import Any
from unittest.mock import patch

import pytest

from gitsessiond.model.errors import Refused
from gitsessiond.wire.client import Client
from tests.bench import Workbench, wait_for

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
