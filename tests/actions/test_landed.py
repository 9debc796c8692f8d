"""What a merged patch brought stays to be seen after an update has made it part of the base."""

from __future__ import annotations

from typing import Any

import pytest

from tests.actions.asking import LINES, Asking, it

__all__ = ["it"]


def shown(it: Asking, name: str) -> dict[str, Any]:
    """All that is told of a patch's content."""
    told = it.ask("patch.show", patch=name)
    of_status = next(one for one in it.ask("session.status")["patches"] if one["name"] == name)
    return {
        "ops": told["ops"],
        "listed": it.ask("patch.ops", patch=name)["ops"],
        "counts": (told["patch"]["ops"], of_status["ops"]),
        "diff": it.ask("patch.diff", patch=name)["diff"],
    }


@pytest.mark.parametrize("strategy", ["merge", "rebase", "squash", "elsewhere"])
def test_a_merged_patch_is_shown_as_it_landed(it: Asking, strategy: str) -> None:
    """Ops, their number and the diff are the same before and after the update; others' changes are none of it."""
    it.move_target("moves.txt", "it moves\n")
    assert it.ask("session.update")["updated"]
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.ask("commit", message="c1")
    it.edit("a.txt", "line 3\n", "LINE 3\n")
    (it.root / "new.txt").write_text("new\n")
    (it.root / "moves.txt").rename(it.root / "moved.txt")
    it.ask("commit", message="c2")
    before = shown(it, "one")
    assert before["counts"] == (3, 3) and before["diff"]
    it.move_target("beside.txt", "beside\n")
    if strategy == "elsewhere":
        text = LINES.replace("line 2\n", "LINE 2\n").replace("line 3\n", "LINE 3\n")
        it.move_target("a.txt", text, ("moves.txt", None), ("moved.txt", "it moves\n"), ("new.txt", "new\n"))
    else:
        assert it.merge("one", strategy=strategy)["merged"]
        assert shown(it, "one") == before
    assert it.ask("session.update")["updated"]
    assert it.status_of("one") == "merged"
    after = shown(it, "one")
    assert after["counts"] == (3, 3) and all(line in after["diff"] for line in before["diff"].splitlines())
    assert after["listed"] == after["ops"]
    assert [one["path"] for one in after["ops"]] == ["a.txt", "moved.txt", "new.txt"]
    it.restart()
    assert shown(it, "one") == after
