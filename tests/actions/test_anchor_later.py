"""The anchor of a step that names no new commit is written in a quiet moment, and by whoever looks at it."""

from __future__ import annotations

from pathlib import Path

from gitsessiond.actions.publishing import settle_anchors
from gitsessiond.store.anchors import anchors_of, read_anchor
from tests.actions.desk import Desk


def test_a_merge_leaves_the_anchor_for_later(repo: Path) -> None:
    """A merge moves no anchor; settling does, once, to what the step says."""
    desk = Desk(repo)
    desk.patch("p")
    desk.save("f.txt", "one\n")
    desk.commit_patch("p")
    before = anchors_of(desk.repository)
    desk.land("p")
    assert anchors_of(desk.repository) == before
    assert desk.live.anchor_due
    settle_anchors(desk.ctx)
    after = anchors_of(desk.repository)
    assert not desk.live.anchor_due
    pid = desk.live.state.session.patches[0]
    assert read_anchor(desk.ctx.store, before[desk.live.sid]).patches[pid].status != "merged"
    assert read_anchor(desk.ctx.store, after[desk.live.sid]).patches[pid].status == "merged"
