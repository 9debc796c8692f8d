"""What is proposed to be typed next can be typed, and does what it says."""

from __future__ import annotations

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
