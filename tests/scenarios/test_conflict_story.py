"""A patch that clashes with its target: told, settled in any editor, landed; whoever else works there goes on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.bench import Workbench, wait_for
from tests.conftest import git

LINES = "".join(f"line {n}\n" for n in range(1, 11))


def clash(bench: Workbench, tmp_path: Path) -> Workbench:
    """Session x with patch one, and main checked out beside it, both with line 2 changed; returns main's."""
    bench.run("start", "x")
    bench.run("patch", "new", "one")
    bench.edit("a.txt", "line 2", "theirs 2")
    other = tmp_path / "main"
    git(bench.root, "worktree", "add", "-q", str(other), "main")
    (other / "a.txt").write_text(LINES.replace("line 2", "ours 2"))
    git(other, "commit", "-q", "-am", "upstream")
    return bench.at(other)


def test_a_conflict_is_settled_in_an_editor(bench: Workbench, tmp_path: Path) -> None:
    """Exit 3 and a marked file; saving it without markers is all a person does before merging again."""
    main = clash(bench, tmp_path)
    told = bench.run("merge", "one", "--ready", code=3)
    assert "a.txt" in told.out
    (conflict,) = bench.json("conflicts")["conflicts"]
    path = f".gitsession/conflicts/{conflict['id']}/a.txt"
    assert "<<<<<<< main" in bench.read(path) and ">>>>>>> one (x)" in bench.read(path)
    assert bench.git("status", "--porcelain").out == "" and main.git("status", "--porcelain").out == ""
    bench.write(path, LINES.replace("line 2", "both 2"))
    wait_for(lambda: bench.patch("one")["status"] == "ready", why="for the saved resolution")
    bench.run("merge", "one")
    assert main.read("a.txt") == LINES.replace("line 2", "both 2")
    assert main.git("status", "--porcelain").out == ""
    assert bench.read("a.txt") == LINES.replace("line 2", "theirs 2")


@pytest.mark.parametrize(
    ("option", "line"),
    [
        pytest.param("--ours", "ours 2", marks=pytest.mark.soak),
        pytest.param("--theirs", "theirs 2", marks=pytest.mark.soak),
        ("--union", "ours 2\ntheirs 2"),
    ],
)
def test_a_conflict_is_settled_by_a_command(bench: Workbench, tmp_path: Path, option: str, line: str) -> None:
    """`resolve` names the next command, and the merge uses it."""
    main = clash(bench, tmp_path)
    bench.run("merge", "one", "--ready", code=3)
    conflict = bench.json("conflicts")["conflicts"][0]["id"]
    assert "<<<<<<<" in bench.run("conflict", "show", conflict[:4]).out
    bench.run("resolve", conflict[:4], option)
    assert bench.json("conflicts")["conflicts"] == []
    bench.run("merge", "one")
    assert main.read("a.txt") == LINES.replace("line 2", line)


def test_left_over_markers_are_refused(bench: Workbench, tmp_path: Path) -> None:
    """Exit 4 names the line; nothing is settled."""
    clash(bench, tmp_path)
    bench.run("merge", "one", "--ready", code=3)
    conflict = bench.json("conflicts")["conflicts"][0]["id"]
    refused = bench.run("resolve", conflict, "--file", "-", code=4, stdin=b"line 1\n>>>>>>> one (x)\n")
    assert "line 2" in refused.err
    assert bench.patch("one")["status"] == "conflicts"


def test_validate_tells_of_a_conflict_before_the_merge(bench: Workbench, tmp_path: Path) -> None:
    """Exit 3 when conflicts alone are in the way, and no record is made."""
    clash(bench, tmp_path)
    bench.run("patch", "ready", "one")
    assert "a.txt" in bench.run("patch", "validate", "one", code=3).out
    assert bench.json("conflicts")["conflicts"] == []


def test_killed_while_merging(bench: Workbench, tmp_path: Path) -> None:
    """The recorder dies while git moves the files: after the restart the patch is merged, or nothing happened."""
    bench.run("start", "x")
    bench.run("patch", "new", "one")
    bench.edit("a.txt", "line 2", "LINE 2")
    bench.write("new.txt", "new\n")
    bench.run("patch", "ready", "one")
    main = bench.at(tmp_path / "main")
    git(bench.root, "worktree", "add", "-q", str(main.root), "main")
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\ntouch {tmp_path}/in\nsleep 0.3\nexec cat\n")
    slow.chmod(0o755)
    (bench.root / ".git" / "info" / "attributes").write_text("a.txt filter=slow\n")
    bench.git("config", "filter.slow.smudge", str(slow))
    merging = subprocess.Popen(
        ["git", "session", "merge", "one"], cwd=bench.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    wait_for((tmp_path / "in").exists)
    bench.quiet = False  # the next command, whichever it is, finishes what the dead recorder began
    bench.kill()
    merging.communicate(timeout=60)
    wait_for(lambda: bench.patch("one")["status"] == "merged" or not main_has(main), why="for one or the other")
    if bench.patch("one")["status"] != "merged":
        bench.run("merge", "one")
    assert main.read("a.txt") == LINES.replace("line 2", "LINE 2") and main.read("new.txt") == "new\n"
    assert main.git("status", "--porcelain").out == ""
    assert bench.patch("one")["status"] == "merged"


def main_has(main: Workbench) -> bool:
    """Whether main has the patch."""
    return "LINE 2" in main.git("show", "main:a.txt").out
