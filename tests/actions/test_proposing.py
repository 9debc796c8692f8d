"""What is proposed to be typed next can be typed, and does what it says."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitsessiond.faces.cli.nextsteps import next_steps
from gitsessiond.model.errors import Refused
from tests.actions.asking import LINES, Asking


@pytest.fixture
def it(repo: Path) -> Iterator[Asking]:
    asking = Asking(repo)
    yield asking
    asking.desk.close()


@pytest.mark.parametrize(
    "command", ["rebase", *(pytest.param(one, marks=pytest.mark.soak) for one in ("merge", "cherry-pick"))]
)
def test_git_stopped_in_the_middle_comes_first(it: Asking, command: str) -> None:
    """A rebase that clashes: its own next step, and no merge; once it is over, the merge again."""
    it.start()
    it.patch("p", "a.txt", "line 2", "LINE 2")
    it.ask("commit", message="two")
    it.ask("patch.ready", patch="p")
    it.move_target("a.txt", LINES.replace("line 2", "line two"))
    assert "git session merge p" in it.ask("session.status")["hints"]
    stopped = subprocess.run(["git", command, "main"], cwd=it.root, capture_output=True, check=False)
    assert stopped.returncode == 1
    status = it.ask("session.status")
    assert status["session"]["git_at_work"] == command
    assert status["hints"] == [f"git {command} --continue", f"git {command} --abort"]
    assert [step.command for step in next_steps(status)] == status["hints"]
    with pytest.raises(Refused) as refused:
        it.edit("src/b.txt", "b 3", "B 3")
        it.ask("commit", message="more", patch="p")
    assert refused.value.hint == f"git {command} --continue"
    it.git("checkout", "--", "src/b.txt")
    it.git(command, "--abort")
    status = it.ask("session.status")
    assert status["session"]["git_at_work"] is None and status["hints"][0].startswith("git session merge p")


@pytest.mark.parametrize("pruned", [True, pytest.param(False, marks=pytest.mark.soak)])
@pytest.mark.parametrize("branch", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_the_way_back_to_a_removed_worktree_can_be_typed(it: Asking, pruned: bool, branch: bool) -> None:
    """Every hint is the same command, and it brings worktree and commits back, also where the branch was deleted."""
    repo = it.root
    it.ask("session.start", name="x y", worktree=True)
    it.root = home = Path(it.ask("session.status", session="x y")["session"]["worktree"])
    it.patch("p", "a.txt", "line 2", "LINE 2")
    it.ask("commit", message="two")
    tip, name = it.rev("HEAD"), it.git("branch", "--show-current").strip()
    shutil.rmtree(home)
    it.root = repo
    if pruned or not branch:
        it.git("worktree", "prune")
    if not branch:
        it.git("branch", "-q", "-D", name)
    status = it.ask("session.status", session="x y")
    way = status["hints"][0]
    assert way.startswith("git worktree add ") and next_steps(status)[0].command == way
    assert any(way in warning for warning in status["warnings"])
    who = {"cwd": str(repo), "session": "x y", "tty": None, "pid": 1, "env": {}}
    refused = it.desk.request({"v": 1, "id": 1, "verb": "commit", "args": {"message": "m", "patch": "p"}, "who": who})
    assert refused["error"]["hint"] == way
    it.restart()
    assert any(way in warning for warning in it.ask("session.status", session="x y")["warnings"])
    subprocess.run(["sh", "-c", way], cwd=repo, check=True, capture_output=True)
    it.root = home
    assert it.rev("HEAD") == tip and it.git("branch", "--show-current").strip() == name
    assert it.ask("session.status")["session"]["state"] == "live"


def test_what_is_left_once_all_is_merged_is_to_push(it: Asking) -> None:
    """The target is ahead of its upstream, and nothing else waits."""
    it.start()
    it.git("remote", "add", "origin", "/nowhere")
    it.git("update-ref", "refs/remotes/origin/main", "main")
    it.git("branch", "-q", "-u", "origin/main", "main")
    it.patch("p", "a.txt", "line 2", "LINE 2")
    it.merge("p")
    it.ask("session.update")
    status = it.ask("session.status")
    assert status["hints"] == ["git session push", "git session close"]
    assert next_steps(status)[0].command == "git session push"


def test_a_patch_whose_check_failed_is_to_be_looked_at(it: Asking) -> None:
    """What the check said is where the next step begins."""
    it.start()
    it.patch("p", "a.txt", "line 2", "LINE 2")
    it.ask("patch.ready", patch="p")
    it.git("config", "gitsession.check", "false")
    due = it.ask("patch.validate", patch="p")["check_due"]
    it.ask("patch.checked", patch="p", tree=due["tree"], command="false", code=1, seconds=0.1, output="caf\udce9")
    assert it.ask("session.status")["hints"][0] == "git session patch show p"
    assert it.ask("patch.show", patch="p")["check"]["output"] == "caf?"


@pytest.mark.parametrize("gone", [False, True])
def test_nothing_is_proposed_that_needs_a_target(it: Asking, gone: bool) -> None:
    """A target without a common commit, or none at all: no merge and no update, and what can be done instead."""
    it.start()
    it.patch("p", "a.txt", "line 2", "LINE 2")
    it.patch("q", "src/b.txt", "b 3", "B 3")
    it.ask("patch.ready", patch="p")
    if gone:
        it.git("branch", "-D", "main")
    else:
        empty = it.git("hash-object", "-w", "-t", "tree", "/dev/null").strip()
        it.git("branch", "-f", "main", it.git("commit-tree", "-m", "unrelated", empty).strip())
    status = it.ask("session.status")
    steps = next_steps(status)
    assert not [
        one for one in [*status["hints"], *(step.command for step in steps)] if " merge " in one or "update" in one
    ]
    assert status["session"]["behind"] is None and len(status["warnings"]) == 1
    with pytest.raises(Refused) as refused:
        it.ask("merge", patch="p")
    assert refused.value.hint is not None and refused.value.hint.splitlines() == status["hints"][: 1 if gone else 2]
    assert "merges nothing" in next(step.what for step in steps if step.command == "git session close")
