"""The anchor: what of a session the user's repository holds."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gitsessiond.model.errors import StateUnreadable
from gitsessiond.model.records import SeriesCommit
from gitsessiond.store.anchors import (
    ANCHORS,
    PATCHES,
    anchors_of,
    move_projections,
    put_anchor,
    read_anchor,
    write_anchor,
)
from gitsessiond.store.doctor import examine
from gitsessiond.store.steps import State, load_state, session_ref
from gitsessiond.store.store import Store
from tests.conftest import git
from tests.store.dying import lived
from tests.store.kit import PID, SID, dirs, first_state, note, oid_at, opened, patch, record


def acted(store: Store, repo: Path, before: State | None, after: State) -> State:
    """Record an action in the order of docs/format.md."""
    write_anchor(store, dirs(repo), before, after)
    written = record(store, before, after, note("action"))
    move_projections(store, dirs(repo), before, written)
    return written


def with_commit(repo: Path, state: State, text: str, *, fresh: bool = False) -> State:
    """A commit on the branch that is also the patch's series; ``fresh`` forgets the ones before."""
    (repo / "a.txt").write_text(text)
    git(repo, "commit", "-qam", text)
    oid = oid_at(repo, "HEAD")
    chain = (oid,) if fresh else (*state.session.chain, oid)
    return replace(
        state,
        session=state.session.model_copy(update={"chain": chain, "patches": (PID,)}),
        patches={PID: patch().model_copy(update={"series": tuple(SeriesCommit(oid=c, of=c) for c in chain)})},
    )


def test_the_anchor_holds_the_records_and_protects_the_commits(repo: Path) -> None:
    """Its parents are base, branch tip and series tips; its tree the records; and gc leaves them alone."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        state = acted(store, repo, state, with_commit(repo, state, "one"))
        tip = state.session.chain[-1]
        anchor = anchors_of(dirs(repo))[SID]
        assert git(repo, "rev-parse", f"{anchor}^@").decode().split() == [state.session.base, tip]
        listed = git(repo, "ls-tree", "-r", "--name-only", anchor).decode().split()
        assert listed == [f"patches/{PID}/patch.json", "session.json"]
        assert oid_at(repo, f"{PATCHES}{SID}/{PID}") == tip
        assert git(repo, "log", "-1", "--format=%cd", anchor) == git(
            repo, "log", "-1", "--format=%cd", state.session.base
        )
        git(repo, "reset", "-q", "--hard", state.session.base)
        git(repo, "reflog", "expire", "--expire=now", "--all")
        git(repo, "gc", "-q", "--prune=now")
        assert git(repo, "show", f"{tip}:a.txt") == b"one"
        found = read_anchor(store, anchor)
        assert (found.session, dict(found.patches), dict(found.conflicts)) == (
            state.session,
            state.patches,
            {},
        )
        git(repo, "fsck", "--strict")


def test_old_commits_stay_protected_until_the_step_is_recorded(repo: Path) -> None:
    """Between anchor and record both the old and the new commits are reachable; afterwards only the new."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        state = acted(store, repo, state, with_commit(repo, state, "one"))
        old = state.session.chain[-1]
        git(repo, "reset", "-q", "--hard", "HEAD~1")
        after = with_commit(repo, state, "two", fresh=True)
        write_anchor(store, dirs(repo), state, after)
        assert old in git(repo, "rev-list", ANCHORS + SID).decode()
        written = record(store, state, after, note("amend"))
        move_projections(store, dirs(repo), state, written)
        assert old not in git(repo, "rev-list", ANCHORS + SID).decode()


def test_commits_pruned_too_early_are_put_back(repo: Path) -> None:
    """A `gc --prune=now` just before the anchor moved costs nothing: the store has a copy."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        state = acted(store, repo, state, with_commit(repo, state, "one"))
        tip = state.session.chain[-1]
        git(repo, "reset", "-q", "--hard", state.session.base)
        for name in (ANCHORS + SID, f"{PATCHES}{SID}/{PID}"):
            git(repo, "update-ref", "-d", name)
        git(repo, "reflog", "expire", "--expire=now", "--all")
        git(repo, "gc", "-q", "--prune=now")
        assert not store.in_repository(tip)
        after = replace(state, session=state.session.model_copy(update={"description": "more"}))
        acted(store, repo, state, after)
        assert git(repo, "show", f"{tip}:a.txt") == b"one"
        git(repo, "fsck", "--strict")


def test_an_anchor_pruned_before_its_ref_moved_is_put_back(repo: Path) -> None:
    """A gc that looked before the anchor's ref moved takes the anchor itself: after the action it is there again."""
    with opened(repo) as store:
        state = record(store, None, first_state(repo))
        after = with_commit(repo, state, "one")
        write_anchor(store, dirs(repo), state, after)
        anchor = anchors_of(dirs(repo))[SID]
        (repo / ".git/objects" / anchor[:2] / anchor[2:]).unlink()
        move_projections(store, dirs(repo), state, record(store, state, after, note("action")))
        assert anchors_of(dirs(repo))[SID] == anchor
        git(repo, "fsck", "--strict", "--no-dangling")


def test_an_anchor_is_a_function_of_its_state(repo: Path) -> None:
    """The same state gives the same anchor, so an action that changes nothing adds no object."""
    with opened(repo) as store:
        state = first_state(repo)
        assert put_anchor(store, state) == put_anchor(store, state)


def test_a_commit_that_is_no_anchor_is_refused(repo: Path) -> None:
    """What cannot be an anchor is said to be unreadable, not taken for an empty session."""
    with opened(repo) as store:
        with pytest.raises(StateUnreadable):
            read_anchor(store, oid_at(repo, "HEAD"))
        with pytest.raises(StateUnreadable):
            read_anchor(store, oid_at(repo, "HEAD^{tree}"))


def action(repo: Path, told: int) -> None:
    """Replace the session's commit by another."""
    with opened(repo) as store:
        state = load_state(store, store.ref(session_ref(SID)) or "")
        git(repo, "reset", "-q", "--hard", "HEAD~1")
        acted(store, repo, state, with_commit(repo, state, "two", fresh=True))
        os.write(told, b"two\n")


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.soak)])
def test_death_within_an_action_leaves_what_doctor_can_mend(repo: Path, tmp_path: Path, stride: int) -> None:
    """kill -9 before each single write of an action: what was told of is recorded; after `doctor --fix` refs and
    commits in the repository are what the last step says, and git finds nothing wrong.
    """
    with opened(repo) as store:
        state = acted(store, repo, None, first_state(repo))
        acted(store, repo, state, with_commit(repo, state, "one"))
    before, ended = 0, False
    while not ended:
        copy = tmp_path / f"copy{before}"
        shutil.copytree(repo, copy, symlinks=True)
        ended, told = lived(action, copy, before)
        with opened(copy) as store:
            found = examine(store, dirs(copy), fix=True)
            assert all(check.ok for check in found), (before, found)
            step = store.ref(session_ref(SID))
            assert step is not None
            state = load_state(store, step)
            assert state.number == 3 if told else state.number in (2, 3)
            assert oid_at(copy, ANCHORS + SID) == put_anchor(store, state)
            assert oid_at(copy, f"{PATCHES}{SID}/{PID}") == state.session.chain[0]
            git(copy, "fsck", "--strict", "--no-dangling")
        shutil.rmtree(copy)
        before += stride
    assert before > 30, before
