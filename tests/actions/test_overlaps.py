"""Paths that two sessions change: one record from the second's save on, over by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitsessiond.actions.noticing import MOST
from gitsessiond.model.errors import Refused
from tests.actions.asking import Asking, it

__all__ = ["it"]

Json = dict[str, Any]


class Two:
    """Session x here and y beside it; y has changed a.txt in patch q."""

    def __init__(self, it: Asking) -> None:
        self.it = it
        self.mine = it.ask("session.status")["session"]["id"]
        self.other = it.ask("session.start", name="y", worktree=True)["session"]
        self.there = Path(self.other["worktree"])
        self.by_other("patch.new", name="q")
        self.before = (self.there / "a.txt").read_text()
        self.change(self.there)
        it.look()

    def change(self, root: Path, path: str = "a.txt", text: str = "new\n") -> None:
        at = root / path
        at.write_text(at.read_text() + text)

    def by_other(self, verb: str, **args: Any) -> Json:
        self.it.look()
        who = {"cwd": self.other["worktree"], "session": None, "env": {}}
        reply = self.it.desk.request({"v": 1, "id": 1, "verb": verb, "args": args, "who": who})
        assert "ok" in reply, reply
        done: Json = reply["ok"]
        return done

    def rows(self, **args: Any) -> list[tuple[str, str]]:
        mine, theirs = self.it.ask("conflicts", **args)["conflicts"], self.by_other("conflicts", **args)["conflicts"]
        assert mine == theirs
        assert all(one["kind"] == "file_edit" and one["sessions"] == [self.mine, self.other["id"]] for one in mine)
        return [(one["path"], one["status"]) for one in mine]

    def events(self) -> list[str]:
        told = [one["event"] for one in self.it.told if one.get("event", {}).get("kind") == "file_edit"]
        assert all(one["conflict_type"] == "file_edit" and one["resource_id"] == "path/a.txt" for one in told)
        assert all("a.txt" in one["text"] and "content" not in one["text"] for one in told)
        return [one["type"] for one in told]


@pytest.fixture
def two(it: Asking) -> Two:
    return Two(it)


def test_the_second_save_is_one_record_for_both_until_one_takes_it_back(two: Two) -> None:
    assert two.rows() == []
    for _ in range(2):
        two.change(two.it.root)
        two.change(two.there)
        assert two.rows() == [("a.txt", "open")]
    assert two.events() == ["conflict_detected"]
    (one,) = two.it.ask("conflicts", kind="file_edit")["conflicts"]
    assert one["message"] == "a.txt is changed in y and in x"
    with pytest.raises(Refused, match="it ends when one of both is merged"):
        two.it.ask("resolve", id=one["id"], how="ours")
    two.it.restart()
    assert two.rows() == [("a.txt", "open")]
    (two.there / "a.txt").write_text(two.before)
    assert two.rows() == [] and two.rows(all=True) == [("a.txt", "resolved")]
    assert two.events() == ["conflict_resolved"]
    two.change(two.there)  # the other is the second now
    found = two.by_other("conflicts")["conflicts"]
    assert [one["sessions"] for one in found] == [[two.other["id"], two.mine]]


def test_nothing_waits_for_it_and_it_ends_when_one_is_merged(two: Two) -> None:
    two.it.patch("p", "a.txt", "line 2", "mine")
    two.it.edit("src/b.txt", "b 2\n", "mine too\n")
    assert two.rows() == [("a.txt", "open")]
    assert two.it.ask("session.status")["conflicts"] == []
    assert [one["path"] for one in two.it.ask("session.status")["collisions"]] == ["a.txt"]
    assert two.it.merge("p")["merged"]
    assert two.rows() == [] and two.rows(all=True) == [("a.txt", "resolved")]
    assert two.by_other("merge", patch="q", ready=True)["merged"]  # the lines are apart


def test_an_update_leaves_it_as_it_is(two: Two) -> None:
    two.change(two.it.root)
    assert two.rows() == [("a.txt", "open")]
    two.it.move_target("README", "other\n")
    assert two.it.ask("session.update")["updated"]
    assert two.rows(all=True) == [("a.txt", "open")]


@pytest.mark.parametrize("verb", ["session.abandon", "patch.abandon"])
def test_it_ends_with_the_other_session_or_its_patch(two: Two, verb: str) -> None:
    two.change(two.it.root)
    assert two.rows() == [("a.txt", "open")]
    two.by_other(verb, yes=True, **({"patch": "q"} if verb == "patch.abandon" else {}))
    assert two.it.ask("conflicts")["conflicts"] == []
    assert [one["status"] for one in two.it.ask("conflicts", all=True)["conflicts"]] == ["resolved"]


def test_there_are_never_more_than_so_many(two: Two) -> None:
    for root in (two.there, two.it.root):
        for number in range(MOST + 3):
            (root / f"new {number}").write_text(f"{root}\n")
        two.by_other("assign", all=True, patch="q")
    assert len(two.rows()) == MOST
