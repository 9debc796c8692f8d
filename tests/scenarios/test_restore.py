"""Every save there was can be had again; what is there now is recorded first."""

from __future__ import annotations

from tests.bench import Workbench


def test_restore_brings_back_any_save(bench: Workbench) -> None:
    """By number, by time, the last but one without words; a restore is a step, and can itself be undone."""
    bench.run("start", "day")
    for n in range(1, 4):
        bench.write("a.txt", f"version {n}\n")
        bench.status()
    steps = bench.json("history", "a.txt")["steps"]
    assert [step["verb"] for step in steps] == ["save", "save", "save"]
    bench.run("restore", "a.txt")
    assert bench.read("a.txt") == "version 2\n"
    bench.run("restore", "a.txt", "--at", str(steps[-1]["number"]))
    assert bench.read("a.txt") == "version 1\n"
    bench.run("restore", "a.txt", "--at", "1")
    assert bench.read("a.txt").startswith("line 1\n")
    bench.run("restore", ".", "--at", str(steps[0]["number"]))
    assert bench.read("a.txt") == "version 3\n"
    assert bench.json("history", "a.txt")["steps"][0]["verb"] == "restore"
    bench.judge()


def test_restore_of_the_only_save(bench: Workbench) -> None:
    """A file with one save goes back to what it was when the session began; a new file is not deleted unasked."""
    bench.run("start", "day")
    before = bench.read("a.txt")
    bench.write("a.txt", "changed\n")
    bench.write("new.txt", "new\n")
    bench.run("restore", "a.txt")
    assert bench.read("a.txt") == before
    bench.run("restore", "new.txt", code=10)
    assert bench.read("new.txt") == "new\n"
    bench.run("restore", "new.txt", "--at", "1")
    assert not (bench.root / "new.txt").exists()


def test_a_ready_patch_survives_a_look_elsewhere(bench: Workbench) -> None:
    """`git switch main` and back leaves a ready patch ready."""
    bench.run("start", "day")
    bench.run("patch", "new", "p")
    bench.edit("a.txt", "line 2\n", "line two\n")
    bench.run("patch", "ready", "p")
    bench.git("switch", "-q", "main")
    assert bench.status()["session"]["state"] == "parked"
    assert bench.patch("p")["status"] == "ready"
    bench.git("switch", "-q", "session/day")
    assert bench.patch("p")["status"] == "ready"
    bench.run("merge", "p")
