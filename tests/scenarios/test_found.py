"""What was broken once: stories that no other test tells."""

from __future__ import annotations

import os
import shutil
import threading

import pytest

from tests.bench import Workbench, wait_for


def test_a_directory_takes_the_place_of_a_file_and_back(bench: Workbench) -> None:
    """A file that becomes a directory of the same name is committed and merged; so is the way back."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    (bench.root / "a.txt").unlink()
    bench.write("a.txt/inner.txt", "inner\n")
    bench.judge(full=False)
    bench.run("merge", "p", "--ready")
    assert bench.git("ls-tree", "-r", "--name-only", "main").out.split() == ["README", "a.txt/inner.txt", "src/b.txt"]
    bench.run("patch", "new", "q")
    shutil.rmtree(bench.root / "a.txt")
    bench.write("a.txt", "back\n")
    bench.judge(full=False)
    bench.run("merge", "q", "--ready")
    assert bench.git("show", "main:a.txt").out == "back\n"
    assert bench.git("status", "--short").out == ""


def test_a_file_written_by_its_other_name(bench: Workbench) -> None:
    """A hard link has no event of its own; the save is recorded under both names."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    os.link(bench.root / "a.txt", bench.root / "other.txt")
    bench.judge()
    with open(bench.root / "other.txt", "a") as file:
        file.write("more\n")
    bench.judge()


def test_a_worktree_without_its_git_file_for_a_while(bench: Workbench) -> None:
    """What is saved while the worktree's .git file is gone is recorded once it is back."""
    linked = Workbench(bench.root.parent / "linked")
    bench.run("start", "day", "--worktree", str(linked.root))
    linked.run("patch", "new", "p")
    kept = (linked.root / ".git").read_text()
    (linked.root / ".git").unlink()
    linked.edit("a.txt", "line 3\n", "line three\n")
    linked.run("status", code=10)
    bench.run("status", "-s", "day")
    linked.edit("a.txt", "line 5\n", "line five\n")
    (linked.root / ".git").write_text(kept)
    linked.judge()


def test_a_nested_repository_that_is_none_any_more(bench: Workbench) -> None:
    """Once its .git is gone, what is in the directory is recorded, and nothing says that it is not."""
    bench.run("start", "day")
    bench.git("init", "-q", "inner")
    bench.write("inner/f", "x\n")
    assert any("inner" in one for one in bench.status()["warnings"])
    shutil.rmtree(bench.root / "inner" / ".git")
    bench.write("inner/f", "y\n")
    status = bench.status()
    assert [row["path"] for row in status["unassigned"]] == ["inner/f"]
    assert status["warnings"] == []
    bench.judge()


@pytest.mark.soak
def test_commits_while_git_gc_runs(bench: Workbench) -> None:
    """Commits go on while ``git gc`` takes empty object directories away, again and again."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    bench.quiet = False  # gc packs the refs: that is git's own doing
    stop = threading.Event()

    def collect() -> None:
        while not stop.is_set():
            bench.git("gc", "-q", check=False)

    collecting = threading.Thread(target=collect)
    collecting.start()
    try:
        for number in range(1, 6):
            bench.edit("a.txt", f"line {number}\n", f"done with {number}\n")
            bench.run("commit", "-m", f"line {number}")
    finally:
        stop.set()
        collecting.join()
    bench.run("merge", "p", "--ready")
    bench.judge(full=False)


@pytest.mark.soak
def test_what_this_session_began_with_is_no_collision(bench: Workbench) -> None:
    """A path is also changed elsewhere by what was merged after this session began, not by what it began with."""
    bench.run("start", "first")
    bench.run("patch", "new", "old")
    bench.edit("a.txt", "line 2\n", "line two\n")
    bench.run("merge", "old", "--ready")
    second = Workbench(bench.root.parent / "second")
    bench.run("start", "second", "--worktree", str(second.root))
    second.edit("a.txt", "line 9\n", "line nine\n")
    assert second.status()["collisions"] == []
    assert {one["name"]: len(one["collisions"]) for one in second.json("list")["sessions"]} == {"first": 1, "second": 0}
    bench.run("patch", "new", "new")
    bench.edit("a.txt", "line 5\n", "line five\n")
    assert [one["with_patch"]["name"] for one in second.status()["collisions"]] == ["new"]
    listed = {one["name"]: one["collisions"] for one in second.json("list")["sessions"]}
    assert {name: [(one["with_session"]["name"], one["paths"]) for one in found] for name, found in listed.items()} == {
        "first": [("second", 1)], "second": [("first", 1)],
    }  # fmt: skip


def test_a_discarded_patch_leaves_the_files(bench: Workbench) -> None:
    """abandon --discard takes the patch's edits out of the files, no others; refused while others build on them."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 3\n", "line three\n")
    bench.run("patch", "new", "q")
    bench.edit("a.txt", "line 9\n", "line nine\n")
    bench.write("new dir/x.txt", "x\n")
    bench.run("patch", "abandon", "q", "--discard")
    assert "line three\n" in bench.read("a.txt")
    assert "line 9\n" in bench.read("a.txt")
    assert not (bench.root / "new dir" / "x.txt").exists()
    bench.judge()
    bench.run("restore", "a.txt")
    assert "line nine\n" in bench.read("a.txt")
    bench.judge(full=False)
    bench.run("patch", "new", "r")
    bench.run("patch", "use", "r", "--strict")
    bench.edit("a.txt", "line three\n", "line 33\n")
    before = bench.read("a.txt")
    refused = bench.run("patch", "abandon", "p", "--discard", code=4)
    assert "hint: git session patch abandon" in refused.err
    assert (bench.read("a.txt"), bench.patch("p")["status"]) == (before, "draft")


@pytest.mark.soak
def test_nothing_comes_back_where_a_repository_was(bench: Workbench) -> None:
    """Neither moving a repository nor removing it leaves anything of ours behind; its daemon ends by itself."""
    bench.run("start", "day")
    bench.edit("a.txt", "line 3\n", "line three\n")
    daemons = [bench.daemon()[who] for who in ("pid", "recorder_pid")]
    moved = bench.at(bench.root.parent / "moved")
    bench.root.rename(moved.root)
    assert moved.status()["session"]["name"] == "day"
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in daemons))
    assert not bench.root.exists()
    daemons = [moved.daemon()[who] for who in ("pid", "recorder_pid")]
    shutil.rmtree(moved.root, ignore_errors=True)
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in daemons))
    assert not (moved.root / ".git" / "gitsession" / "cache").exists()
