"""A revert that clashes with what came later on the target: records as those of a merge, and the way through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitsessiond.model.errors import Refused
from tests.actions.asking import LINES, Asking, it
from tests.judge import Judge

__all__ = ["it"]

LANDED = LINES.replace("line 2", "LINE 2").replace("line 8", "LINE 8")
LATER = LANDED.replace("LINE 2", "LINE 2 and more")
SETTLED = LINES.replace("line 2", "line 2 and more")


def landed(it: Asking, later: str | None = LATER, **more: Any) -> None:
    """``one`` changes two lines and lands; then the target changes the first of them."""
    it.patch("one", "a.txt", "line 2\n", "LINE 2\n")
    it.edit("a.txt", "line 8\n", "LINE 8\n")
    it.merge("one", **more)
    it.move_target("a.txt", later)


def stopped(it: Asking) -> dict[str, Any]:
    """The one conflict in which a revert ends; nothing has moved."""
    before = it.files()
    reply = it.ask("revert", patch="one")
    assert (reply["reverted"], reply["commit"], it.status_of("one")) == (False, None, "merged")
    assert it.files() == before
    (conflict,) = reply["conflicts"]
    return dict(conflict)


def file_of(it: Asking, conflict: dict[str, Any]) -> Path:
    return it.root / ".gitsession" / "conflicts" / conflict["id"] / conflict["path"]


def judge(it: Asking) -> None:
    """What is recorded is the disk, told by git alone."""
    session = it.ask("session.status")["session"]
    it.ask("checkpoint")
    Judge(it.root, session["id"], session["worktree_id"]).i1()


@pytest.mark.parametrize("way", ["squash", pytest.param("merge", marks=pytest.mark.soak)])
def test_a_saved_resolution_takes_a_revert_through(it: Asking, way: str) -> None:
    """The record, the panel and the marked file tell of it; markers left over are refused; saved, the revert lands."""
    landed(it, strategy=way)
    conflict = stopped(it)
    assert (conflict["kind"], conflict["shape"], conflict["path"]) == ("git_revert", "content", "a.txt")
    assert conflict["labels"] == ["one (x)", "main", "before one"]
    shown = it.ask("conflict.show", id=conflict["id"])
    assert (shown["base"], shown["ours"], shown["theirs"]) == (LANDED, LATER, LINES)
    assert "before one" in shown["intent"]["theirs"][0] and "upstream changes a.txt" in shown["intent"]["ours"][0]
    status = it.ask("session.status")
    assert [one["id"] for one in status["conflicts"]] == [conflict["id"]]
    assert status["hints"][0].startswith("git session conflict show")
    assert [one["blockers"] for one in status["patches"]] == [[]]
    marked = file_of(it, conflict).read_text()
    assert "<<<<<<< main\n" in marked and "\n>>>>>>> before one\n" in marked and "line 8" in marked
    with pytest.raises(Refused, match="conflict marker"):
        it.ask("resolve", id=conflict["id"], how="hunks", hunks=["text:PDw8PDw8PCBIRUFECg=="])
    assert stopped(it)["id"] == conflict["id"]
    file_of(it, conflict).write_text(SETTLED)
    assert it.ask("conflicts")["conflicts"] == []
    assert it.ask("session.status")["hints"][0] == "git session revert one"
    before = it.files()
    reply = it.ask("revert", patch="one")
    assert reply["reverted"] and reply["conflicts"] == [] and it.status_of("one") == "draft"
    assert it.on_target("a.txt") == SETTLED and it.git("rev-list", "--count", f"{reply['commit']}^..main") == "1\n"
    assert {name: it.files()[name] for name in before if name != "refs"} == {
        name: content for name, content in before.items() if name != "refs"
    }
    assert it.ask("conflicts")["conflicts"] == [] and not file_of(it, conflict).exists()
    assert [one["how"] for one in it.ask("conflicts", all=True)["conflicts"]] == ["saved"]
    judge(it)


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("theirs", LINES),
        *[
            pytest.param(how, text, marks=pytest.mark.soak)
            for how, text in (
                ("ours", LATER),
                ("base", LANDED),
                ("union", LATER.replace("LINE 2 and more\n", "LINE 2 and more\nline 2\n").replace("LINE 8", "line 8")),
                ("hunks", SETTLED.replace("line 2 and", "LINE 2 and")),
            )
        ],
    ],
)
def test_every_way_to_resolve_it(it: Asking, how: str, text: str) -> None:
    """What a way says is what the target has; one that leaves the target as it is makes no commit."""
    landed(it)
    conflict, at = stopped(it), it.rev("main")
    reply = it.ask("resolve", id=conflict["id"], how=how, hunks=["ours"])
    assert reply["conflict"]["status"] == "resolved" and reply["left"] == [] and reply["patch"]["status"] == "merged"
    done = it.ask("revert", patch="one")
    assert done["reverted"] and it.on_target("a.txt") == text
    assert (done["commit"] is None, it.rev("main") == at) == ((how == "ours"),) * 2


@pytest.mark.soak
def test_what_it_became_is_remembered(it: Asking) -> None:
    """The landing and the later change made once more: what clashed was settled, so it is not asked again."""
    landed(it)
    conflict = stopped(it)
    it.ask("resolve", id=conflict["id"], how="union")
    it.ask("revert", patch="one", abort=True)
    assert [one["status"] for one in it.ask("conflicts", all=True)["conflicts"]] == ["stale"]
    it.move_target("a.txt", LATER.replace("line 5", "line five"))
    other = stopped(it)
    assert other["id"] != conflict["id"] and it.ask("conflict.show", id=other["id"])["remembered"]
    it.ask("resolve", id=other["id"], how="remembered")
    assert it.ask("revert", patch="one")["reverted"]
    assert "LINE 2 and more\nline 2\n" in it.on_target("a.txt") and "line five" in it.on_target("a.txt")


@pytest.mark.soak
def test_an_answer_that_comes_too_late_is_refused_and_kept(it: Asking) -> None:
    """The target moved on in these lines: the record is stale, the hint is the revert, which makes another record."""
    landed(it)
    conflict = stopped(it)
    it.move_target("a.txt", LATER.replace("and more", "and yet more"))
    with pytest.raises(Refused, match="the answer is kept") as refused:
        it.ask("resolve", id=conflict["id"], how="theirs")
    assert refused.value.hint == "git session revert one"
    (kept,) = it.ask("conflicts", all=True)["conflicts"]
    assert (kept["status"], kept["how"]) == ("stale", "theirs")
    assert stopped(it)["id"] != conflict["id"]


def test_a_revert_can_be_given_up(it: Asking) -> None:
    """--abort: no conflict counts any more and nothing else changes; without one it says so."""
    landed(it)
    with pytest.raises(Refused, match="no revert of one has conflicts"):
        it.ask("revert", patch="one", abort=True)
    conflict, before = stopped(it), it.files()
    reply = it.ask("revert", patch="one", abort=True)
    assert (reply["reverted"], reply["conflicts"], it.status_of("one")) == (False, [], "merged")
    assert it.ask("conflicts")["conflicts"] == [] and not file_of(it, conflict).exists() and it.files() == before
    assert stopped(it)["id"] == conflict["id"]
    it.ask("resolve", id=conflict["id"], how="theirs")
    it.ask("revert", patch="one", abort=True)
    assert stopped(it)["status"] == "open"  # what was given up counts no more


@pytest.mark.soak
def test_a_deleted_file_and_a_restart(it: Asking) -> None:
    """What the patch changed is gone on the target: the record outlasts a restart, and no update makes it stale."""
    landed(it, later=None)
    conflict = stopped(it)
    assert conflict["shape"] == "modify/delete"
    it.restart()
    it.patch("two", "src/b.txt", "b 3", "B 3")
    it.ask("session.update")
    assert [one["id"] for one in it.ask("conflicts")["conflicts"]] == [conflict["id"]]
    it.ask("resolve", id=conflict["id"], how="delete")
    with pytest.raises(Refused):
        it.ask("revert", patch="one")  # the base has the landing, and nothing is left of the patch to take back
    it.ask("revert", patch="one", abort=True)
    assert it.status_of("two") == "draft"


def test_a_session_on_the_landing_gets_back_what_the_resolution_took(it: Asking) -> None:
    """An update took the landing in: the revert as resolved is brought in, and no file of the session changes."""
    landed(it)
    assert it.ask("session.update")["updated"]
    conflict, text = stopped(it), (it.root / "a.txt").read_text()
    assert text == LATER
    it.ask("resolve", id=conflict["id"], how="theirs")
    assert it.ask("revert", patch="one")["reverted"] and it.on_target("a.txt") == LINES
    assert (it.root / "a.txt").read_text() == text and it.git("status", "--porcelain") == ""
    assert it.ask("conflicts")["conflicts"] == [] and it.ask("unassigned")["unassigned"] == []
    assert it.merge("one")["merged"] and it.on_target("a.txt") == LATER
    judge(it)
