"""A clash with the target that a person resolved in the session's branch with plain git is resolved."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.actions.desk import Desk
from tests.conftest import git

A = "".join(f"line {n}\n" for n in range(1, 11))
CUT = A.replace("line 2\nline 3\nline 4\n", "p 2\n")


class Clash(NamedTuple):
    """What a file is in the patch, in the target, and in the merge commit."""

    path: str
    mine: str | None
    theirs: str
    both: str


CLASHES = {
    "one line": Clash("a.txt", A.replace("line 2", "p 2"), A.replace("line 2", "m 2"), A.replace("line 2", "both")),
    "both kept": Clash(
        "a.txt", A.replace("line 2", "p 2"), A.replace("line 2", "m 2"), A.replace("line 2", "p 2\nm 2")
    ),
    "lines come back": Clash(
        "a.txt", CUT, A.replace("line 3\n", "m 3\nm 4\n"), A.replace("line 2\nline 3\nline 4\n", "p 2\nm 3\nm 4\n")
    ),
    "appended": Clash("a.txt", A + "p\n", A + "m\n", A + "m\nx\np\n"),
    "binary": Clash("bin", "x\0p\n", "x\0m\n", "x\0both\n"),
    "deleted": Clash("a.txt", None, A.replace("line 2", "m 2"), A.replace("line 2", "both")),
}


@pytest.mark.parametrize("name", CLASHES)
def test_a_merge_resolved_by_hand_lands_as_resolved(repo: Path, name: str) -> None:
    """The resolution is the patch's that clashed, whichever patch is in use; nothing of the target is taken back."""
    clash = CLASHES[name]
    (repo / "bin").write_text("x\0\n")
    git(repo, "add", "bin")
    git(repo, "commit", "-q", "-m", "bin")
    desk = Desk(repo, worktree=True)
    desk.patch("p")
    desk.save(clash.path, clash.mine)
    desk.commit_patch("p", "p")
    desk.patch("q")
    desk.save("src/b.txt", "q\n")
    desk.commit_patch("q", "q")
    (repo / clash.path).write_text(clash.theirs)
    git(repo, "commit", "-q", "-a", "-m", "theirs")

    desk.git("merge", "main", check=False)
    desk.save(clash.path, clash.both)
    desk.git("add", clash.path)
    desk.git("commit", "-q", "-m", "resolved")
    assert desk.unassigned() == [] and [path for path, _ in desk.edits("q")] == ["src/b.txt"]
    desk.land("p")
    assert git(repo, "show", f"main:{clash.path}").decode() == clash.both
    desk.land("q")
    assert git(repo, "show", f"main:{clash.path}").decode() == clash.both
