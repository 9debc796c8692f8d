"""Publishing a patch for review, and pushing the target: with a bare remote, a second person, and what goes wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.bench import Workbench
from tests.faces.schemas import SCHEMAS


class Team:
    """A bare remote, one person with sessions, and one with a plain clone."""

    def __init__(self, bench: Workbench, tmp: Path) -> None:
        self.ann, self.remote = bench, tmp / "hub.git"
        subprocess.run(["git", "clone", "-q", "--bare", str(bench.root), str(self.remote)], check=True)
        bench.git("remote", "add", "origin", str(self.remote))
        bench.git("fetch", "-q", "origin")
        bench.git("branch", "-q", "-u", "origin/main", "main")
        subprocess.run(["git", "clone", "-q", str(self.remote), str(tmp / "bob")], check=True, capture_output=True)
        self.bob = Workbench(tmp / "bob")

    def hub(self, *args: str, check: bool = True) -> str:
        """What the remote has."""
        done = subprocess.run(["git", "--git-dir", str(self.remote), *args], capture_output=True, text=True)
        assert not check or done.returncode == 0, done
        return done.stdout.strip()

    def heads(self) -> dict[str, str]:
        """Every branch of the remote."""
        lines = self.hub("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads").splitlines()
        return dict(line.split(" ") for line in lines)

    def hook(self, name: str, text: str) -> Path:
        """A hook of the remote."""
        path = self.remote / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def bob_pushes(self, branch: str, path: str, text: str, start: str | None = None) -> str:
        """A commit of the other person's on a branch of the remote."""
        self.bob.git("fetch", "-q", "origin")
        self.bob.git("checkout", "-q", "-B", branch, start or f"origin/{branch}")
        self.bob.write(path, text)
        self.bob.git("add", "-A")
        self.bob.git("commit", "-q", "-m", f"bob on {branch}")
        self.bob.git("push", "-q", "origin", branch)
        return self.bob.git("rev-parse", "HEAD").out.strip()

    def state(self) -> tuple[Any, ...]:
        """All that a command that fails must leave as it was."""
        refs = self.ann.git("for-each-ref", "refs/heads", "refs/remotes", "refs/gitsession/patches").out
        return refs, self.heads(), self.ann.git("status", "--porcelain").out, published(self.ann)


def published(bench: Workbench) -> dict[str, Any]:
    """What is remembered of each patch."""
    return {patch["name"]: patch["published"] for patch in bench.status()["patches"]}


@pytest.fixture
def team(bench: Workbench, tmp_path: Path) -> Team:
    """Ann has a session with a patch that is committed."""
    made = Team(bench, tmp_path)
    bench.run("start", "x", "--here")
    bench.run("patch", "new", "fix")
    bench.edit("a.txt", "line 2", "LINE 2")
    bench.run("commit", "-m", "fix two")
    return made


def test_publish_review_publish_again(team: Team) -> None:
    """New, unchanged, changed: the branch is the patch's series, and each time the words say what happened."""
    ann = team.ann
    assert ann.run("publish", "fix").out == "Published fix to origin as fix: 1 commit, new.\n"
    assert team.heads()["fix"] == ann.patch("fix")["tip"]
    assert ann.run("publish", "fix").out == "Nothing to publish: origin has all of fix as fix.\n"
    ann.edit("a.txt", "LINE 2", "Line two")
    ann.git("commit", "-q", "-a", "--amend", "-m", "fix two, as reviewed")
    reply = ann.json("publish", "fix")
    SCHEMAS["publish"].model_validate(reply)
    assert [row["outcome"] for row in reply["branches"]] == ["replaced"]
    assert (
        team.heads()["fix"] == ann.patch("fix")["tip"]
        and team.hub("log", "-1", "--format=%s", "fix") == "fix two, as reviewed"
    )
    (known,) = published(ann)["fix"]
    assert (known["remote"], known["branch"], known["commit"], known["current"]) == (
        "origin",
        "fix",
        team.heads()["fix"],
        True,
    )
    ann.judge(full=False)
