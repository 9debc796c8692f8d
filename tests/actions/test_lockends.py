"""Locks end with what they were for: a patch that is merged or abandoned, a session that is closed."""

from __future__ import annotations

import pytest

from gitsessiond.actions.lockends import is_one_of
from gitsessiond.model.resources import resource
from tests.bench import Workbench


@pytest.mark.parametrize(
    ("name", "fold", "wanted"),
    [
        ("path/src/a.py", False, True),
        ("path/SRC/A.py", True, True),
        ("path/SRC/A.py", False, False),
        ("path/src", False, False),
        ("path/src/", False, False),
        ("path/src/*.py", False, False),
        ("path", False, False),
        ("/", False, False),
        ("ref/src/a.py", False, False),
    ],
)
def test_only_the_name_of_the_very_file_is_meant(name: str, fold: bool, wanted: bool) -> None:
    assert is_one_of(resource(name, fold=fold), [b"src/a.py"]) is wanted


def held(bench: Workbench) -> set[str]:
    """What is locked."""
    return {one["name"] for one in bench.json("locks")["locks"]}


def test_locks_end_with_the_patch_and_with_the_session(bench: Workbench) -> None:
    """Not before the last edit of the file has landed, and no directories before the session's end."""
    bench.run("start", "day")
    bench.run("patch", "new", "one")
    bench.edit("a.txt", "line 2\n", "line two\n")
    bench.edit("src/b.txt", "b 2\n", "b two\n")
    bench.run("patch", "new", "two")
    bench.edit("src/b.txt", "b 6\n", "b six\n")
    bench.run("--client", "agent", "lock", "a.txt", "src/b.txt", "src/other/")
    bench.run("merge", "one", "--ready")
    assert held(bench) == {"path/src/b.txt", "path/src/other/"}
    bench.run("close", "--yes")
    assert held(bench) == set()


@pytest.mark.soak
def test_locks_of_others_stay(bench: Workbench) -> None:
    """Those of another session; and whose lock ended so has lost nothing that he would have to hear of."""
    bench.run("start", "day")
    bench.run("patch", "new", "one")
    bench.edit("a.txt", "line 2\n", "line two\n")
    bench.run("start", "other", "--worktree", "../other")
    other = bench.at(bench.root.parent / "other")
    other.run("--client", "elsewhere", "lock", "src/b.txt")
    bench.run("--client", "agent", "lock", "a.txt")
    bench.run("--client", "agent", "lock", "--type", "git", "release")
    bench.run("patch", "abandon", "one")
    assert held(bench) == {"path/src/b.txt", "ref/refs/heads/release"}
    bench.run("abandon", "--yes")
    assert held(bench) == {"path/src/b.txt"}
    assert bench.json("--client", "agent", "locks")["lost"] == []
    told = other.run("events", "--type", "lock_released").out
    assert "a.txt" in told and told.count("why: done") == 2
