"""What versions before this one left on disks: each format's frozen state opens, lists, diffs, restores and merges.

The states were made by `python -m tests.frozen.make` with the version that wrote that format first.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import Workbench

STATES = sorted(Path(__file__).parent.glob("format-*.tar.gz"))


@pytest.fixture(params=STATES, ids=lambda path: path.name.partition(".")[0])
def day(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workbench]:
    """A frozen state, unpacked where it never was; its daemon is stopped afterwards."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))  # from 3.11.4 on
    made = Workbench(tmp_path / "shop")
    made.git("update-index", "-q", "--refresh", check=False)  # inodes and times are new here
    yield made
    made.stop()


def contents(bench: Workbench) -> dict[str, str]:
    """What is stored: every file of our state that is part of the format, and every ref."""
    state = bench.root / ".git" / "gitsession"
    apart = {"cache", "logs", "lock", "sock", "alive", "cookies", "events.jsonl", "clients.json"}
    apart |= {"locks.fence"}  # which has a format number of its own, and only ever rises
    files = [path for path in state.rglob("*") if path.is_file() and path.relative_to(state).parts[0] not in apart]
    found = {str(path.relative_to(state)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return found | {"refs": bench.git("for-each-ref").out, "files": bench.git("status", "--porcelain").out}


def test_there_is_a_state_of_every_format() -> None:
    assert [path.name for path in STATES] == ["format-1.tar.gz"]


def test_it_opens_and_lists(day: Workbench) -> None:
    """The session, its patches with their states, the conflict and the unassigned edit are as they were."""
    assert [session["name"] for session in day.json("list")["sessions"]] == ["day"]
    status = day.status()
    assert status["session"]["description"] == "A day to keep" and status["session"]["state"] == "live"
    assert {one["name"]: (one["status"], one["ops"]) for one in status["patches"]} == {
        "landed": ("merged", 1),
        "checks": ("draft", 3),
        "speed": ("draft", 2),
        "dropped": ("abandoned", 1),
        "fights": ("conflicts", 1),
    }
    assert [(one["path"], one["lines"]) for one in status["unassigned"] if one["path"] == "a.txt"] == [
        ("a.txt", [30, 30])
    ]
    assert [one["path"] for one in status["conflicts"]] == ["b.txt"]
    assert [one["name"] for one in day.patch("speed")["depends_on"]] == ["checks"]
    assert day.run("doctor").code == 0
    day.judge()


def test_it_diffs_and_restores(day: Workbench) -> None:
    """Each patch alone, and any save of any file, line ends included."""
    assert "+line eleven, fast\n" in day.run("patch", "diff", "speed").out
    assert "+line ten\n" in day.run("patch", "diff", "checks").out
    assert "b three" in day.run("patch", "diff", "dropped").out
    steps = day.json("history", "a.txt")["steps"]
    assert len(steps) >= 5
    first = min(step["number"] for step in steps)
    day.run("restore", "a.txt", "--at", str(first))
    assert "line two\n" in day.read("a.txt") and "line ten" not in day.read("a.txt")
    day.write("dos.txt", "gone\r\n")
    before = sorted(step["number"] for step in day.json("history", "dos.txt")["steps"])[-2]
    day.run("restore", "dos.txt", "--at", str(before))
    assert day.read("dos.txt") == "one\r\ntwo\r\nthree\r\n"


def test_it_merges_and_goes_on(day: Workbench) -> None:
    """A patch with a commit of then lands, after it the one on top; new saves are sorted; the conflict is still known."""
    day.run("merge", "checks", "--ready")
    day.run("merge", "speed", "--ready")
    landed = day.git("show", "main:a.txt").out
    assert (
        "line eleven, fast\n" in landed
        and "nobody's" not in landed
        and "b 9 of others" in day.git("show", "main:b.txt").out
    )
    day.run("patch", "new", "later")
    day.edit("a.txt", "line 20\n", "line twenty\n")
    assert day.patch("later")["ops"] == 1
    assert "b nine" in day.run("conflict", "show", day.status()["conflicts"][0]["id"][:6]).out
    day.judge(full=False)


@pytest.mark.soak
@pytest.mark.parametrize("number", ["2", "99"])
def test_a_newer_format_is_refused_and_left_alone(day: Workbench, number: str) -> None:
    """A state that a newer version wrote: exit 14 and what to do; not a byte of it changes; put back, all is there."""
    mark = day.root / ".git" / "gitsession" / "format"
    known = mark.read_text()
    mark.write_text(f"{number}\n")
    before = contents(day)
    for words in (["status"], ["patch", "new", "p"], ["merge", "checks", "--ready"], ["doctor", "--fix"]):
        refused = day.run(*words, code=14)
        assert refused.err.startswith("error: ") and "\nhint: " in refused.err, refused
    assert contents(day) == before
    mark.write_text(known)
    assert day.status()["session"]["name"] == "day"
