"""``git session update`` as it is typed: what is printed, what git shows afterwards, what stays."""

from __future__ import annotations

import re

from tests.bench import Workbench


def others_commit(bench: Workbench, text: str, *, words: str = "upstream") -> None:
    """A commit on main in a worktree of somebody else: a.txt is this, and there is one file more."""
    side = bench.root.parent / "side"
    bench.git("worktree", "add", "-q", "--detach", str(side), "main")
    other = bench.at(side)
    other.write("a.txt", text)
    other.write("docs/new.txt", "new\n")
    other.git("add", "-A")
    other.git("commit", "-qm", words)
    other.git("push", "-q", ".", "HEAD:main")
    bench.git("worktree", "remove", "--force", str(side))


def plain(text: str) -> str:
    """A printed text without the ids that differ from run to run."""
    return re.sub(r"\b[0-9a-f]{7}\b", "COMMIT", re.sub(r"\b[k-z]{4,12}\b(?=  |/| --)", "ID", text))


def test_an_update_as_it_is_told(bench: Workbench) -> None:
    """Nothing new; a dry run; a conflict that moves nothing; resolved in an editor; through; and as git would have it."""
    bench.run("start", "x", "--here")
    lines = bench.read("a.txt")
    assert bench.run("update").out == "x has all of main.\n"
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "LINE 2\n")
    bench.run("commit", "-m", "p: two")
    bench.edit("a.txt", "line 8\n", "LINE 8\n")
    others_commit(bench, lines.replace("line 5", "line five"))
    assert "main is 1 ahead: git session update" in bench.run().out
    would = bench.run("update", "--dry-run").out
    assert plain(would) == "Would update x to main at COMMIT: 1 commit, 2 files.\n"

    others_commit(bench, lines.replace("line 5", "line five").replace("line 2", "line two"))
    before, branch = bench.read("a.txt"), bench.git("rev-parse", "HEAD").out
    stopped = bench.run("update", code=3)
    told, row, way = plain(stopped.out).splitlines()
    assert (told, row) == ("Nothing moved: x conflicts with main in 1 place.", "  ID  a.txt (content, p)")
    assert "save it without markers" in way and stopped.err.endswith("hint: git session update\n")
    assert (bench.read("a.txt"), bench.git("rev-parse", "HEAD").out) == (before, branch)
    (control,) = (bench.root / ".gitsession" / "conflicts").glob("*/a.txt")
    bench.write(
        str(control.relative_to(bench.root)), before.replace("line 5", "line five").replace("LINE 2", "LINE two")
    )

    done = bench.run("update")
    assert plain(done.out) == "Updated x to main at COMMIT: 2 commits, 2 files.\n"
    text = lines.replace("line 5", "line five").replace("line 2", "LINE two").replace("line 8", "LINE 8")
    assert bench.read("a.txt") == text and bench.read("docs/new.txt") == "new\n"
    assert bench.git("status", "--porcelain").out == " M a.txt\n"
    assert bench.git("log", "--format=%s", "main..").out == "p: two\n"
    assert bench.git("reflog", "-1", "--format=%gs").out == "gitsession update: main\n"
    status = bench.status()
    assert (status["patches"][0]["status"], status["session"]["behind"]) == ("draft", 0)
    bench.run("merge", "p", "--ready")
    assert bench.git("show", "main:a.txt").out == text
