"""What ending takes away: what is merged is no loss, what is not is said."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.bench import Workbench


def two_merged(bench: Workbench) -> Workbench:
    """A session in a worktree of its own; two patches in it, both merged, one of them as a twin."""
    bench.run("start", "x", "--worktree")
    at = bench.at(bench.json("switch", "x")["worktree"])
    for patch, path in (("p", "a.txt"), ("q", "src/b.txt")):
        at.run("patch", "new", patch)
        at.write(path, f"{patch}\n")
        at.run("commit", "-m", patch)
    for patch in ("p", "q"):
        at.run("merge", patch, "--ready")
    return at


@pytest.mark.soak
def test_uninstall_asks_nothing_when_all_is_merged(bench: Workbench) -> None:
    """The branch's own commits are not in the target, but their twins are; one commit more is."""
    at = two_merged(bench)
    bench.run("close", "--yes", "-s", "x")
    at.git("commit", "-q", "--allow-empty", "-m", "unknown to the session")
    bench.git("worktree", "remove", "--force", str(at.root))
    bench.run("uninstall", "--hard", code=4)
    bench.git("update-ref", "refs/heads/session/x", "session/x~1")
    bench.run("uninstall", "--hard")
    assert not Path(bench.root, ".git", "gitsession").exists()


def test_remove_says_what_is_in_no_commit(bench: Workbench) -> None:
    """It is asked for, it is told, and the command it names brings it back."""
    at = two_merged(bench)
    at.write("a.txt", "later\n")
    at.write("new.txt", "nobody's\n")
    at.run("close", "--remove", code=2)  # no terminal to ask on
    told = at.run("close", "--remove", "--dry-run").out
    assert "would take away uncommitted, kept in the record: a.txt and new.txt" in told
    done = at.run("close", "--remove", "--yes")
    assert "took away uncommitted, kept in the record: a.txt and new.txt" in done.out and not at.root.exists()
    way = next(line for line in done.err.splitlines() if "worktree add" in line)
    way = way.removeprefix("hint: ")
    subprocess.run(["sh", "-c", way], cwd=bench.root, check=True, capture_output=True)
    assert at.read("a.txt") == "later\n" and at.read("new.txt") == "nobody's\n"


def test_assign_says_why_there_is_nothing(bench: Workbench) -> None:
    """What is the patch's already, and what is left out of the record."""
    bench.run("start", "x")
    bench.git("config", "gitsession.maxFileSize", "1000")
    bench.run("patch", "new", "p")
    bench.write("a.txt", "p\n")
    bench.write("large", "x" * 2000)
    bench.write("src/b.txt", "also p's\n")
    for what, where in (("a.txt", "a.txt:1"), ("a.txt:1", "a.txt:1"), ("src", "src/b.txt:1")):
        said = bench.run("assign", what, "--patch", "p").out
        assert said == f"Nothing to assign: {where}, p's already.\n"
    assert [one["path"] for one in bench.json("assign", "a.txt", "--patch", "p")["already"]] == ["a.txt"]
    bench.run("assign", "a.txt", "--patch", "-")
    assert "a.txt:1, unassigned already" in bench.run("assign", "a.txt", "--patch", "-").out
    assert "no edits" in bench.run("assign", "README", "--patch", "p", code=10).err
    assert "large is not recorded: " in bench.run("assign", "large", "--patch", "p", code=10).err
    assert "git session restore a.txt --at " in bench.run("restore", "a.txt").err
