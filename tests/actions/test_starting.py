"""A session's start where history ends early, and where it fails half-way."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsessiond.actions import context, placing, publishing
from gitsessiond.actions.context import Asked
from gitsessiond.actions.starting import start_session
from gitsessiond.model.errors import BadRequest, Refused, StoreFailed
from gitsessiond.store.git import run_git
from tests.actions.asking import Asking
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


def test_a_start_loads_no_session_that_ended(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where HEAD is on no session's branch none of them is loaded; on an ended one's branch its target is taken on."""
    it, loaded = Asking(repo), list[str]()
    real = context.load_state
    monkeypatch.setattr(context, "load_state", lambda store, step: loaded.append(step) or real(store, step))
    for name in ("one", "two"):
        it.start(name)
        it.ask("session.abandon")
        git(repo, "switch", "-q", "main")
        git(repo, "switch", "-q", "--detach")
        it.ask("session.start", name=f"{name} aside", here=True, target="main")
        it.ask("session.abandon")
        git(repo, "switch", "-q", "main")
    assert loaded == []
    git(repo, "switch", "-q", "session/one")
    assert it.ask("session.start", name="three", here=True)["session"]["target"] == "main"
    assert loaded
    it.desk.close()


@pytest.mark.parametrize("theirs", [None, "1"])
def test_a_worktree_of_many_files_is_written_by_several_workers(
    repo: Path, monkeypatch: pytest.MonkeyPatch, theirs: str | None
) -> None:
    """Git writes them with as many processes as there are processors, or as many as the user said; all are there."""
    for n in range(150):
        (repo / f"f{n}").write_text(f"{n}\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "many")
    if theirs is not None:
        git(repo, "config", "checkout.workers", theirs)
    ran: list[list[str]] = []
    monkeypatch.setattr(placing, "run_git", lambda words, **named: ran.append(list(words)) or run_git(words, **named))
    it = Desk(repo, worktree=True)
    words = next(words for words in ran if "worktree" in words)
    assert any(word.startswith("checkout.workers=") for word in words) == (theirs is None)
    assert it.status() == [] and len(list(it.root.glob("f*"))) == 150
    it.save("f1", "one\n")
    it.check()
    it.store.close()


def test_no_more_sessions_than_allowed(repo: Path, tmp_path: Path) -> None:
    """The limit is named, and nothing is made; it counts open sessions, and an ended one comes back within it only."""
    it = Asking(repo)
    it.ask("session.start", name="first", here=True)
    git(repo, "config", "gitsession.maxSessions", "1")
    before = git(repo, "for-each-ref"), git(repo, "worktree", "list")
    second = {"name": "second", "worktree": str(tmp_path / "second")}
    with pytest.raises(Refused, match=r"1 session is open here, and gitsession\.maxSessions is 1"):
        it.ask("session.start", **second)
    assert (git(repo, "for-each-ref"), git(repo, "worktree", "list")) == before
    git(repo, "config", "gitsession.maxSessions", "2")
    it.ask("session.start", **second)
    it.ask("session.close")
    it.root = tmp_path / "second"
    assert it.ask("session.status")["session"]["name"] == "second"
    it.root = repo
    git(repo, "config", "gitsession.maxSessions", "1")
    with pytest.raises(Refused, match="maxSessions"):
        it.ask("session.reopen")
    git(repo, "config", "gitsession.maxSessions", "many")
    with pytest.raises(BadRequest, match=r"gitsession\.maxSessions = 'many' is no number above 0"):
        it.ask("session.reopen")
    it.desk.close()
