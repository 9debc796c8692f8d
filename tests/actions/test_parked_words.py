"""What a session says of itself while git is at work, and what a person said meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitsessiond.actions.context import Asked
from gitsessiond.actions.patches import ready_patch
from gitsessiond.actions.sessions import status_of
from gitsessiond.model.errors import Refused
from tests.actions.desk import Desk
from tests.conftest import git


def stopped(desk: Desk) -> None:
    """A rebase of the session's branch that waits at its last commit; nobody has looked yet."""
    editor = "sed -i s/^pick/edit/"
    git(desk.root, "-c", f"sequence.editor={editor}", "rebase", "-q", "-i", "HEAD~1")


def begun(repo: Path) -> Desk:
    """A patch with one commit."""
    desk = Desk(repo)
    desk.patch("p")
    desk.save("a.txt", (repo / "a.txt").read_text().replace("line 2", "p 2"))
    desk.commit_patch("p", "p")
    return desk


def test_parked_straight_into_a_rebase(repo: Path) -> None:
    """The reason is that of now, and sorting goes on when the rebase ends."""
    desk = begun(repo)
    desk.git("switch", "-q", "main")
    assert desk.session.parked == "HEAD is on main"
    git(desk.root, "switch", "-q", "session/x")
    stopped(desk)
    desk.look()
    assert desk.session.parked == "git is at work (rebase-merge)"
    desk.git("rebase", "--continue")
    assert desk.session.parked is None and desk.edits("p") == [("a.txt", (2, 2))]


def test_not_ready_any_more_said_during_a_rebase(repo: Path) -> None:
    """Git's own edits made a draft of it for a while; what the person says then stands."""
    desk = begun(repo)
    ask = {"patch": "p"}
    ready_patch(desk.ctx, Asked("patch.ready", ask, desk.who))
    stopped(desk)
    desk.look()
    desk.save("a.txt", (repo / "a.txt").read_text().replace("line 5", "p 5"))
    assert desk.named("p").status == "draft"
    ready_patch(desk.ctx, Asked("patch.ready", {**ask, "undo": True}, desk.who))
    desk.git("checkout", "-q", "a.txt")
    desk.git("rebase", "--abort")
    assert desk.named("p").status == "draft"


def test_the_branch_was_deleted(repo: Path) -> None:
    """What is proposed makes it again where it was, and the session goes on; so it does when HEAD stands on nothing."""
    desk = begun(repo)
    last = desk.head()
    desk.git("switch", "-q", "--detach")
    desk.git("branch", "-q", "-D", "session/x")
    told = status_of(desk.ctx, Asked("session.status", {}, desk.who))
    assert told["hints"] == [f"git switch -c session/x {last[:12]}"]
    assert any(told["hints"][0] in words for words in told["warnings"])
    with pytest.raises(Refused, match="parked") as refused:
        desk.commit_patch("p")
    assert refused.value.hint == told["hints"][0]
    desk.git(*told["hints"][0].split()[1:])
    assert desk.session.parked is None and desk.edits("p") == [("a.txt", (2, 2))]
    desk.check()
