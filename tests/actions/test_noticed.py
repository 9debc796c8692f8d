"""Notices that a request need not look at: those of sessions that are all as they were."""

from __future__ import annotations

from gitsessiond.actions.noticed import to_look_at
from tests.actions.asking import Asking, it
from tests.actions.test_overlaps import Two

__all__ = ["it"]


def names(it: Asking) -> list[str]:
    return sorted(live.state.session.name for live in to_look_at(it.desk.ctx))


def test_only_who_changed_and_whom_that_concerns_is_looked_at(it: Asking) -> None:
    """Nobody after a request; after a save its session, and one with a path in common."""
    two = Two(it)
    it.ask("session.start", name="z", worktree=str(it.root.parent / "z"))
    assert names(it) == []
    two.change(it.root, "src/b.txt")
    it.look()
    assert names(it) == ["x"]
    two.change(it.root)
    it.look()
    it.ask("session.status")
    assert names(it) == []
    two.change(two.there, "src/b.txt")
    two.by_other("session.status")
    two.change(two.there, "README")
    it.desk.batch({"worktree": two.other["worktree"], "paths": ["README"]})
    assert names(it) == ["x", "y"], "x has a record about y"
    two.by_other("patch.abandon", patch="q")
    assert {one["status"] for one in it.ask("conflicts", all=True)["conflicts"]} == {"resolved"}
