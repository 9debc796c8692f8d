"""Publishing at random: changes, kills at every point, and a second person who pushes, resets and deletes branches.

Nobody's commit is ever replaced unasked, and where nobody else has touched a branch, publishing always succeeds.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.faces.cli import gitpush
from gitsessiond.faces.cli.app import main
from gitsessiond.model.errors import error_from
from tests.conftest import git
from tests.story import DeskBench

FILES = {"p": "a.txt", "q": "src/b.txt", "r": "a.txt"}  # r changes what p has written


class Cut(KeyboardInterrupt):
    """The command is killed here."""


class Days:
    """One repository with a desk, a bare remote, and who moved each of its branches last."""

    def __init__(self, repo: Path, remote: Path, seed: int, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        self.rng, self.repo, self.remote, self.capsys = random.Random(seed), repo, remote, capsys
        git(repo, "clone", "-q", "--bare", ".", str(remote))
        git(repo, "remote", "add", "origin", str(remote))
        git(repo, "fetch", "-q", "origin")
        git(repo, "branch", "-q", "-u", "origin/main", "main")
        monkeypatch.chdir(repo)
        self.patched, self.real = monkeypatch, gitpush.push
        self.desk = DeskBench(repo)
        self.desk.do("session.start", name="x", here=True)
        self.theirs: set[str] = set()  # branches that the other moved last
        self.cut = ""  # where the command is killed
        self.counts: Counter[str] = Counter()
        self.made = 0
        for name in FILES:
            self.desk.do("patch.new", name=name)
            self.change(name)

    def heads(self) -> dict[str, str]:
        listed = git(self.remote, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
        return {name: oid for name, oid in (line.split() for line in listed.decode().splitlines()) if name != "main"}

    def change(self, name: str) -> None:
        """One commit of a patch; r's line is on p's."""
        self.made += 1
        self.desk.do("patch.use", patch=name, strict=True)
        at = {"p": 2, "q": 5, "r": 2}[name]
        lines = (self.repo / FILES[name]).read_bytes().splitlines(keepends=True)
        lines.insert(at, f"{name} {self.made}\n".encode())
        self.desk.save(FILES[name], b"".join(lines))
        done = self.desk.ask("commit", message=f"{name} {self.made}", patch=name)
        assert "ok" in done or done["error"]["code"] == "refused", done

    def amend(self) -> None:
        self.made += 1
        git(self.repo, "commit", "-q", "--amend", "-m", f"amended {self.made}")

    def restart(self) -> None:
        self.desk.desk.close()
        self.desk = DeskBench(self.repo)

    # The other person.

    def they_push(self) -> None:
        branch = self.rng.choice([*self.heads(), "p"])
        on = self.heads().get(branch, "main")
        self.made += 1
        made = git(self.remote, "commit-tree", "-p", on, "-m", f"theirs {self.made}", f"{on}^{{tree}}").decode().strip()
        git(self.remote, "update-ref", f"refs/heads/{branch}", made)
        self.theirs.add(branch)

    def they_reset(self) -> None:
        for branch, oid in self.heads().items():
            git(self.remote, "update-ref", f"refs/heads/{branch}", f"{oid}~1")
            self.theirs.add(branch)
            return

    def they_delete(self) -> None:
        for branch in self.heads():
            git(self.remote, "update-ref", "-d", f"refs/heads/{branch}")
            self.theirs.discard(branch)
            return

    # Ours.

    def call(self, verb: str, args: dict[str, Any]) -> dict[str, Any]:
        """As a client: the desk's answer, or its error."""
        if verb == "published" and self.cut == "before the record":
            raise Cut
        reply = self.desk.ask(verb, **args)
        if "error" in reply:
            raise error_from(reply["error"])
        return dict(reply["ok"])

    def push(self, *args: Any, **kwargs: Any) -> gitpush.Pushed:
        """git, or a death before or after it."""
        if self.cut == "before the push":
            raise Cut
        done = self.real(*args, **kwargs)
        if self.cut == "after the push":
            raise Cut
        return done

    def publish(self) -> None:
        name, before = self.rng.choice(list(FILES)), self.heads()
        self.cut = self.rng.choice(["", "", "", "before the push", "after the push", "before the record"])
        words = ["publish", name, "--json"]
        stack = ["p", "r"] if name == "r" else [name]
        over = None
        if self.theirs & set(stack) and self.rng.random() < 0.5:
            over = before.get(stack[-1]) or before.get(stack[0])
            words += ["--replace", str(over)[:12]] if over else []
        still = (git(self.repo, "status", "--porcelain"), git(self.repo, "for-each-ref", "refs/heads"))
        self.patched.setattr(gitpush, "push", self.push)
        self.patched.setattr("gitsessiond.faces.cli.remote.PushTurn.__enter__", lambda turn: turn)
        code = main(words, lambda *_: self)  # type: ignore[arg-type, return-value]
        told, after = self.capsys.readouterr(), self.heads()
        moved = {branch for branch in {*before, *after} if before.get(branch) != after.get(branch)}
        for branch in moved & self.theirs:
            assert before.get(branch) in (None, over), (name, branch, "was replaced unasked", told)
        assert moved <= set(stack), moved
        assert still == (git(self.repo, "status", "--porcelain"), git(self.repo, "for-each-ref", "refs/heads"))
        if code == 0:
            tips = {one["name"]: one["tip"] for one in self.desk.do("patch.list")["patches"]}
            rows = json.loads(told.out)["branches"]
            assert all(after[row["branch"]] == tips[row["patch"]["name"]] == row["commit"] for row in rows), rows
            assert rows[-1]["patch"]["name"] == name
        elif code != 130:
            assert code in (4, 12) and self.theirs & set(stack), (name, code, told)
        self.theirs -= moved
        self.counts[{0: "published", 130: "killed"}.get(code, "refused")] += 1


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_publishing_at_random(
    seed: int, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """120 steps a seed."""
    days = Days(repo, tmp_path / "hub.git", seed, monkeypatch, capsys)
    acts = [days.publish] * 6 + [lambda: days.change(days.rng.choice(list(FILES)))] * 3
    acts += [days.amend, days.restart, days.they_push, days.they_reset, days.they_delete]
    for _ in range(120):
        days.rng.choice(acts)()
    days.desk.judge()
    counts = days.counts
    assert min(counts["published"], counts["killed"]) > 5, counts
    print(f"seed {seed}: {counts['published']} published, {counts['killed']} killed, {counts['refused']} refused")
