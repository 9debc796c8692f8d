"""The anchor of a step that names no new commit is written in a quiet moment, and by whoever looks at it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gitsessiond.actions.context import Asked
from gitsessiond.actions.examining import doctor
from gitsessiond.actions.publishing import settle_anchors
from gitsessiond.actions.starting import start_session
from gitsessiond.daemon.desk import open_desk
from gitsessiond.model.errors import StoreFailed
from gitsessiond.model.records import SeriesCommit
from gitsessiond.store.anchors import anchors_of, may_wait, move_projections, read_anchor
from gitsessiond.store.states import State
from gitsessiond.store.store import HasDirs, Store
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


def test_a_save_that_makes_one_patch_need_another_leaves_the_anchor_for_later(repo: Path) -> None:
    """Which of two touching patches is below is recorded with the session, and doctor compares the anchor with it."""
    desk = Desk(repo)
    desk.patch("p")
    lines = (desk.root / "a.txt").read_text()
    desk.save("a.txt", lines + "one\n")
    desk.patch("q")
    before = desk.live.state.session
    desk.save("a.txt", lines + "one\ntwo\n")
    assert desk.live.state.session != before and desk.live.anchor_due
    checks = doctor(desk.ctx, Asked("doctor", {}, desk.who))["checks"]
    assert [check for check in checks if not check["ok"]] == []
    desk.save("a.txt", lines + "one\ntwo\nthree\n")
    assert not desk.live.anchor_due, "nothing the anchor holds has changed"


def test_a_killed_daemon_s_anchor_is_written_after_the_next_start(repo: Path) -> None:
    """Nothing is wrong then, and doctor says so."""
    desk = Desk(repo)
    desk.patch("p")
    desk.save("f.txt", "one\n")
    desk.commit_patch("p")
    desk.land("p")
    desk.store.close()
    again = open_desk(str(repo), lambda event: None)
    assert [live.anchor_due for live in again.ctx.sessions.values()] == [True]
    checks = doctor(again.ctx, Asked("doctor", {}, desk.who))["checks"]
    assert [check for check in checks if not check["ok"]] == []
    again.close()
    again = open_desk(str(repo), lambda event: None)
    assert [live.anchor_due for live in again.ctx.sessions.values()] == [False]
    again.close()


def test_an_anchor_that_cannot_be_written_keeps_no_other_waiting(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own stays due, and what is wrong is said."""
    desk = Desk(repo)
    start_session(desk.ctx, Asked("session.start", {"name": "y", "worktree": True}, desk.who))
    first, second = desk.ctx.sessions.values()
    first.anchor_due = second.anchor_due = True

    def move(store: Store, repository: HasDirs, before: State | None, after: State) -> None:
        if after.session.id == first.sid:
            raise StoreFailed("no room", hint="df")
        move_projections(store, repository, before, after)

    monkeypatch.setattr("gitsessiond.actions.publishing.move_projections", move)
    with pytest.raises(StoreFailed):
        settle_anchors(desk.ctx)
    assert first.anchor_due and not second.anchor_due


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
