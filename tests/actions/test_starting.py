"""A session's start where history ends early, and where it fails half-way."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsessiond.actions import publishing
from gitsessiond.actions.context import Asked
from gitsessiond.actions.starting import start_session
from gitsessiond.model.errors import StoreFailed
from tests.actions.desk import Desk, desk
from tests.conftest import git

__all__ = ["desk"]


def test_start_in_a_shallow_clone(repo: Path, tmp_path: Path) -> None:
    """The base names a parent that the clone does not have: start, save, commit and merge go as anywhere."""
    git(repo, "commit", "-q", "--allow-empty", "-m", "second")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo}", str(clone))
    it = Desk(clone)
    it.patch("p")
    it.save("a.txt", "one\n")
    it.commit_patch("p", "p: one")
    it.land("p")
    it.check()
    assert git(clone, "log", "--format=%s", "main").decode().split("\n")[1:] == ["p: one", "second", ""]
    it.store.close()


def test_start_that_fails_after_its_first_step(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The refs of a session that is recorded already cannot be written: no open session stays behind."""

    def fail(*_: object) -> None:
        raise StoreFailed("no space left", hint="git session doctor")

    monkeypatch.setattr(publishing, "move_projections", fail)
    asked = Asked("session.start", {"name": "other", "worktree": str(tmp_path / "other")}, desk.who)
    with pytest.raises(StoreFailed, match="no space left"):
        start_session(desk.ctx, asked)
    assert [state.session.status for state in desk.ctx.all_states() if state.session.name == "other"] == ["abandoned"]
    assert git(desk.root, "branch", "--list", "session/other") == b""
