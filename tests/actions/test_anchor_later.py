"""The anchor of a step that names no new commit is written in a quiet moment, and by whoever looks at it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gitsessiond.actions.publishing import settle_anchors
from gitsessiond.model.records import SeriesCommit
from gitsessiond.store.anchors import anchors_of, may_wait, read_anchor
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


def test_no_anchor_waits_where_refs_of_patches_move(repo: Path) -> None:
    """A commit that goes from one patch to another is named as before, but by another ref, which later steps rely on."""
    desk = Desk(repo)
    desk.patch("p")
    desk.patch("q")
    desk.save("f.txt", "one\n")
    desk.commit_patch("q")
    state = desk.live.state
    p, q = desk.named("p"), desk.named("q")
    series = (SeriesCommit(oid=q.series[-1].oid, of=q.series[-1].of),)
    moved = {p.id: p.model_copy(update={"series": series}), q.id: q.model_copy(update={"series": ()})}
    assert may_wait(state, replace(state, patches={**state.patches, q.id: q.model_copy(update={"description": "d"})}))
    assert not may_wait(state, replace(state, patches={**state.patches, **moved}))
