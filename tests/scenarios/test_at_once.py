"""Commands at once: whoever is first, nothing that was answered with "done" is lost, and who loses is told so."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

import pytest

from tests.bench import SCRIPT, Result, Workbench


def at_once(bench: Workbench, *lines: Sequence[str], env: dict[str, str] | None = None) -> list[Result]:
    """Start all command lines together; their results in order."""
    children = [
        subprocess.Popen(
            [SCRIPT, *line],
            cwd=bench.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
        )
        for line in lines
    ]
    done = []
    for child in children:
        out, err = child.communicate(timeout=120)
        done.append(Result(subprocess.CompletedProcess(child.args, child.returncode, out, err)))
    for one in done:
        assert "Traceback" not in one.err + one.out and one.code not in (70, 13), (one, bench.logs())
        if one.code:
            assert one.err.startswith("error: ") and "\nhint: " in one.err, one
    return done


def names(bench: Workbench) -> list[str]:
    return sorted(patch["name"] for patch in bench.status()["patches"])


@pytest.mark.parametrize(
    "alive", [pytest.param(True, id="daemon", marks=pytest.mark.soak), pytest.param(False, id="no daemon yet")]
)
def test_ten_patches_at_once(bench: Workbench, alive: bool) -> None:
    """Ten `patch new` at once, also when each of them wants to start the daemon: ten patches, one daemon."""
    bench.run("start", "day")
    if not alive:
        bench.stop()
    done = at_once(bench, *(["patch", "new", f"patch-{number}"] for number in range(10)))
    assert [one.code for one in done] == [0] * 10, done
    assert names(bench) == [f"patch-{number}" for number in range(10)]
    assert bench.status()["session"]["patch_in_use"] in {patch["id"] for patch in bench.status()["patches"]}
    bench.judge(full=False)


def test_four_patches_at_once_without_a_daemon(bench: Workbench) -> None:
    """The same where every command is a process of its own: they wait for each other."""
    bench.run("start", "day")
    bench.stop()
    lines = [["patch", "new", f"patch-{number}"] for number in range(4)]
    done = at_once(bench, *lines, env={"GITSESSION_DAEMON": "never"})
    assert [one.code for one in done] == [0] * 4, done
    assert names(bench) == [f"patch-{number}" for number in range(4)]


@pytest.mark.soak
def test_one_name_ten_times(bench: Workbench) -> None:
    """Ten times the same name: one patch, nine refusals."""
    bench.run("start", "day")
    done = at_once(bench, *(["patch", "new", "same"] for _ in range(10)))
    assert sorted(one.code for one in done) == [0] + [4] * 9, done
    assert names(bench) == ["same"]


def test_two_starts_at_once(bench: Workbench) -> None:
    """Two sessions started at once from nothing: both are there, one here, one in a worktree of its own."""
    done = at_once(bench, ["start", "one", "--json"], ["start", "two", "--json"])
    assert [one.code for one in done] == [0, 0], done
    sessions = bench.json("list")["sessions"]
    assert sorted(session["name"] for session in sessions) == ["one", "two"]
    assert len({session["worktree"] for session in sessions}) == 2
    for session in sessions:
        assert bench.at(session["worktree"]).status()["session"]["id"] == session["id"]


def test_the_same_session_started_ten_times(bench: Workbench) -> None:
    """One session of that name, the others refused, no worktree or branch left over."""
    done = at_once(bench, *(["start", "day"] for _ in range(10)))
    assert sorted(one.code for one in done) == [0] + [4] * 9, done
    assert [session["name"] for session in bench.json("list", "--all")["sessions"]] == ["day"]
    assert bench.git("branch", "--list", "session/*").out.split() == ["*", "session/day"]
    assert len(bench.git("worktree", "list").out.splitlines()) == 1


def test_commit_and_merge_at_once(bench: Workbench) -> None:
    """A commit of one patch, the merge of another, and a plain `git commit` elsewhere: all are in, or refused."""
    bench.run("start", "day")
    for number, line in enumerate(("line 2", "line 5", "line 9")):
        bench.run("patch", "new", f"p{number}")
        bench.edit("a.txt", f"{line}\n", f"{line} of p{number}\n")
    bench.run("patch", "ready", "p0")
    tip = bench.git("rev-parse", "HEAD").out.strip()
    done = at_once(
        bench,
        ["commit", "-m", "one", "--patch", "p1"],
        ["merge", "p0"],
        ["commit", "-m", "two", "--patch", "p2"],
        ["merge", "p0"],
    )
    assert done[0].code == done[2].code == 0, done
    assert sorted((done[1].code, done[3].code)) in ([0, 0], [0, 4]), done
    assert bench.patch("p0")["status"] == "merged"
    assert [bench.patch(f"p{number}")["commits"] for number in (1, 2)] == [1, 1]
    assert len(bench.git("rev-list", f"{tip}..HEAD").out.split()) >= 2
    landed = bench.git("show", "main:a.txt").out
    assert "line 2 of p0" in landed and "of p1" not in landed and "of p2" not in landed
    assert bench.read("a.txt").count(" of p") == 3
    bench.judge()


def test_saves_while_commands_run(bench: Workbench) -> None:
    """Files saved while ten commands run: the last content of each is recorded, and owned by an open patch."""
    bench.quiet = False
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    children = [
        subprocess.Popen(
            [SCRIPT, "patch", "rename", "p", "-m", f"words {number}"],
            cwd=bench.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(10)
    ]
    for number in range(50):
        bench.write(f"new{number % 5}.txt", f"save {number}\n")
    for child in children:
        _, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
    assert bench.patch("p")["description"].startswith("words ")
    ops = bench.json("patch", "ops", "p")["ops"]
    assert {op["path"] for op in ops} == {f"new{number}.txt" for number in range(5)}
    bench.judge()
