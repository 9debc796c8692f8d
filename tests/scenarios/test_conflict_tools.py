"""Conflicts settled with programs of the person's own: the editor git finds, a merge tool, and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.bench import SCRIPT, Workbench
from tests.conftest import git
from tests.shapes import edited, merged_by_hand, put, shapes, submodule

LINES = "".join(f"line {n}\n" for n in range(1, 21))
OURS = LINES.replace("line 2\n", "ours 2\n").replace("line 15\n", "ours 15\n")
THEIRS = LINES.replace("line 2\n", "theirs 2\n").replace("line 15\n", "theirs 15\n")


def clash(bench: Workbench, ours: str = OURS, patch: str = "one") -> str:
    """A patch and main with lines 2 and 15 changed in b.txt; the conflict's id."""
    bench.write("b.txt", THEIRS)
    commit_on_main(bench, ours)
    bench.run("merge", patch, "--ready", code=3)
    found: dict[str, Any] = bench.json("conflicts")["conflicts"][0]
    return str(found["id"])


def commit_on_main(bench: Workbench, content: str) -> None:
    """b.txt on main, by nobody's worktree."""
    side = bench.root.parent / "side"
    git(bench.root, "worktree", "add", "-q", "--detach", str(side), "main")
    (side / "b.txt").write_text(content)
    git(side, "commit", "-q", "-am", "Make it ours")
    git(side, "push", "-q", ".", "HEAD:main")
    git(bench.root, "worktree", "remove", "--force", str(side))


@pytest.fixture
def it(bench: Workbench) -> Workbench:
    bench.write("b.txt", LINES)
    bench.git("add", "-A")
    bench.git("commit", "-q", "-m", "b")
    bench.run("start", "x")
    bench.run("patch", "new", "one", "-m", "Make it theirs")
    return bench


def script(path: Path, text: str) -> str:
    """An executable script."""
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return str(path)


def test_editor_and_tool(it: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--edit hands the file to git's editor, markers left in it are refused; --tool to any tool configured here."""
    cid = clash(it)
    keeps = script(tmp_path / "keeps", "exit 0\n")
    told = it.run("resolve", cid, "--edit", env={"GIT_EDITOR": keeps}, code=4)
    assert "is a conflict marker" in told.err
    assert "ended with exit code" in it.run("resolve", cid, "--edit", env={"GIT_EDITOR": "false"}, code=1).err
    it.git("config", "core.editor", script(tmp_path / "edits", 'printf "edited\\n" > "$1"\n'))
    monkeypatch.delenv("GIT_EDITOR")
    it.run("resolve", cid, "--edit")
    assert it.json("conflict", "show", cid)["conflict"]["how"] in ("edit", "saved")
    tool = 'cat "$LOCAL" "$BASE" "$REMOTE" > "$MERGED"; grep -c "<<<<" "$MERGED" >/dev/null || exit 0; exit 1'
    it.git("config", "mergetool.mine.cmd", tool)
    it.git("config", "mergetool.mine.trustExitCode", "true")
    it.git("config", "mergetool.none.cmd", "exit 1")
    it.git("config", "mergetool.none.trustExitCode", "true")
    assert "did not settle it" in it.run("resolve", cid, "--tool", "none", code=4).err
    it.git("config", "merge.tool", "mine")
    it.run("resolve", cid, "--tool")
    assert it.json("conflict", "show", cid)["conflict"]["how"] == "tool"
    it.run("merge", "one")
    assert it.git("show", "main:b.txt").out == OURS + LINES + THEIRS
    assert it.git("status", "--porcelain").out == ""


def typed(bench: Workbench, words: list[str], answers: str, env: dict[str, str]) -> str:
    """A command on a terminal, and what a person types there; everything it printed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(bench.root)
        os.execve(SCRIPT, [SCRIPT, *words], {**os.environ, **env})
    os.write(terminal, answers.encode())
    said, end = b"", time.monotonic() + 60
    while time.monotonic() < end and select.select([terminal], [], [], 60)[0]:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break  # the other end is closed
        if not piece:
            break
        said += piece
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, said.decode()
    return said.decode()


@pytest.mark.soak
def test_a_walk_through_the_places(it: Workbench, tmp_path: Path) -> None:
    """Each place with what both sides are for; skipped ones wait; what was answered once is offered in another patch."""
    cid = clash(it)
    said = typed(it, ["resolve", cid], "both\nskip\n", {})
    assert "Make it theirs" in said and "Make it ours" in said and "place 2 of 2" in said
    shown = it.json("conflict", "show", cid)
    assert [hunk["ours"] for hunk in shown["hunks"]] == ["ours 15\n"] and shown["conflict"]["status"] == "open"
    edits = script(tmp_path / "edits", 'printf "edited 15\\n" > "$1"\n')
    said = typed(it, ["resolve", cid], "nonsense\ne\n", {"GIT_EDITOR": edits})
    assert "Resolved b.txt place by place" in said
    it.run("merge", "one")
    landed = LINES.replace("line 2\n", "ours 2\ntheirs 2\n").replace("line 15\n", "edited 15\n")
    assert it.git("show", "main:b.txt").out == landed

    it.git("branch", "other", "main~1")  # ours alone, as it was before the merge
    it.run("start", "y", "--from", "main~1^", "--target", "other", "--worktree", str(tmp_path / "y"))
    second = it.at(tmp_path / "y")
    second.run("patch", "new", "two")
    second.write("b.txt", THEIRS.replace("line 7\n", "another 7\n"))
    second.run("merge", "two", "--ready", code=3)
    (conflict,) = second.json("conflicts")["conflicts"]
    told = second.run("conflict", "show", conflict["id"][:4])
    assert "This was resolved before." in told.out and conflict["status"] == "open"
    second.run("resolve", conflict["id"], "--remembered")
    second.run("merge", "two")
    assert second.git("show", "other:b.txt").out == landed.replace("line 7\n", "another 7\n")


@pytest.mark.soak
def test_places_as_data(it: Workbench) -> None:
    """--json gives every place; one answer for each settles it, anything else is refused."""
    cid = clash(it)
    shown = it.json("conflict", "show", cid)
    assert [(hunk["ours"], hunk["base"], hunk["theirs"]) for hunk in shown["hunks"]] == [
        ("ours 2\n", "line 2\n", "theirs 2\n"), ("ours 15\n", "line 15\n", "theirs 15\n"),
    ]  # fmt: skip
    it.run("resolve", cid, "--hunk", "1=ours", code=2)
    it.run("resolve", cid, "--hunk", "1=ours", "--hunk", "2=neither", code=2)
    it.run("resolve", cid, "--hunk", "1=ours", "--hunk", "2=remembered", code=4)
    done = json.loads(it.run("resolve", cid, "--hunk", "2=base", "--hunk", "1=theirs", "--json").out)
    assert done["conflict"]["how"] == "hunks" and done["left"] == []
    it.run("merge", "one")
    assert it.git("show", "main:b.txt").out == THEIRS.replace("theirs 15\n", "line 15\n")
    assert subprocess.run(["git", "fsck", "--strict"], cwd=it.root, capture_output=True).returncode == 0


@pytest.mark.soak
def test_every_shape_by_the_real_command(bench: Workbench) -> None:
    """Told by merge, panel and --json, shown with its sides, settled by commands, merged; git's merge is the judge."""
    commits = submodule(bench.root / "sub")
    found = shapes(commits)
    for one in found.values():
        put(bench.root, one.base)
    bench.git("add", "-A")
    bench.git("commit", "-q", "-m", "base")
    bench.run("start", "x")
    bench.run("patch", "new", "one")
    for one in found.values():
        put(bench.root, one.theirs)
    if bench.json("unassigned")["unassigned"]:
        bench.run("assign", "--all", "--patch", "one")
    ours = {path: item for one in found.values() for path, item in one.ours.items()}
    tree = edited(bench.root, "main^{tree}", ours)
    commit = bench.git("commit-tree", tree, "-p", "main", "-m", "upstream").out.strip()
    bench.git("update-ref", "refs/heads/main", commit)
    told = bench.run("merge", "one", "--ready", code=3)
    assert "14 conflicts" in told.out and bench.git("rev-parse", "main").out.strip() == commit
    panel = bench.run("status", "--ascii").out
    listed = {one["path"]: one for one in bench.json("conflicts")["conflicts"]}
    for name, one in found.items():
        conflict = listed[one.path]
        assert conflict["shape"] == one.shape and f"{one.path} ({one.shape}, in one)" in panel, name
        shown = bench.run("conflict", "show", conflict["id"]).out
        assert f"edit: .gitsession/conflicts/{conflict['id']}/{one.path}" in shown and "  theirs: one" in shown, name
        assert "<<<<<<< main\n" in bench.read(f".gitsession/conflicts/{conflict['id']}/{one.path}"), name
        bench.run("resolve", conflict["id"], "--theirs")
    bench.run("merge", "one")
    every = {path: one.theirs.get(path) for one in found.values() for path in {*one.base, *one.ours, *one.theirs}}
    by_hand = merged_by_hand(bench.root, commit, bench.git("rev-parse", "main^2").out.strip(), every)
    assert bench.git("rev-parse", "main^{tree}").out.strip() == by_hand
    bench.judge(full=False)


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("vimdiff") is None, reason="no vimdiff here")
def test_built_in_tools_and_their_questions(it: Workbench) -> None:
    """vimdiff as git starts it; and what git mergetool asks where there is no text, answered on the terminal."""
    cid = clash(it)
    it.quiet = False  # vim leaves its own files in HOME
    typed(it, ["resolve", cid, "--tool", "vimdiff"], ":%d\rioby vim\x1b:wqa\r", {"TERM": "xterm"})
    assert it.json("conflict", "show", cid)["conflict"]["how"] == "tool"
    it.run("merge", "one")
    assert "by vim" in it.git("show", "main:b.txt").out

    commits = submodule(it.root / "sub")
    found = {name: one for name, one in shapes(commits).items() if name in ("deleted-here", "link", "submodule")}
    it.run("start", "z", "--worktree", str(it.root.parent / "z"), "--from", "main", "--target", "main")
    base = edited(it.root, "main^{tree}", {path: item for one in found.values() for path, item in one.base.items()})
    ours = edited(it.root, base, {path: item for one in found.values() for path, item in one.ours.items()})
    theirs = edited(it.root, base, {path: item for one in found.values() for path, item in one.theirs.items()})
    old = it.git("rev-parse", "main").out.strip()
    below = it.git("commit-tree", base, "-p", old, "-m", "base").out.strip()
    it.git("update-ref", "refs/heads/main", it.git("commit-tree", ours, "-p", below, "-m", "ours").out.strip())
    side = it.at(it.root.parent / "z")
    side.run("patch", "new", "three")
    side.git("merge", "-q", "--ff-only", below)
    side.git("merge", "-q", "--ff-only", side.git("commit-tree", theirs, "-p", below, "-m", "theirs").out.strip())
    side.run("assign", "--all", "--patch", "three")
    side.run("merge", "three", "--ready", code=3)
    for conflict in side.json("conflicts")["conflicts"]:
        answer = {"modify/delete": "m\n", "symlink": "r\n", "submodule": "l\n"}[conflict["shape"]]
        typed(side, ["resolve", conflict["id"], "--tool", "vimdiff"], answer, {})
    side.run("merge", "three")
    wanted = {"dm/a": found["deleted-here"].ours["dm/a"], "link/l": found["link"].theirs["link/l"]}
    wanted["sub"] = found["submodule"].ours["sub"]
    assert it.git("rev-parse", "main^{tree}").out.strip() == edited(it.root, ours, wanted)


@pytest.mark.soak
def test_what_git_combined_is_decided_by_a_person(it: Workbench) -> None:
    """By commands alone: listed with --all, landed already it is refused, reverted it is asked again, and so it lands."""
    it.write("b.txt", LINES.replace("line 2\n", "theirs 2\n"))
    commit_on_main(it, LINES.replace("line 15\n", "ours 15\n"))
    assert "without conflict" in it.run("merge", "one", "--ready", "--dry-run").out
    it.run("merge", "one", "--ready")
    assert it.run("conflicts").out == "No conflict.\n" and "resolved by git itself" in it.run("conflicts", "--all").out
    (found,) = it.json("conflicts", "--all")["conflicts"]
    cid = found["id"]
    assert (found["resolved_by"], found["how"]) == ("auto", "auto")
    assert "git made of it:\n" in it.run("conflict", "show", cid).out
    assert "hint: git session revert one" in it.run("conflict", "reopen", cid, code=4).err
    it.run("revert", "one")
    assert "is open again" in it.run("conflict", "reopen", cid).out
    assert "already open" in it.run("conflict", "reopen", cid).out
    it.run("merge", "one", "--ready", code=3)
    it.run("conflict", "reopen", "kkkkkkkk", code=10)
    marked = it.root / ".gitsession" / "conflicts" / cid / "b.txt"
    assert marked.read_text().count("<<<<<<< ") == 2
    it.run("resolve", cid, "--hunk", "1=ours", "--hunk", "2=theirs", "--json")
    it.run("merge", "one", "--ready")
    assert git(it.root, "show", "main:b.txt").decode() == LINES
