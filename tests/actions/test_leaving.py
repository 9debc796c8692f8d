"""What is left behind by `switch`: on record, told, never in the way, and over once it is in order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from gitsessiond.actions.editing import note_open
from gitsessiond.daemon.locknews import LOCKS_CHANGED
from gitsessiond.model.errors import Refused, error_from
from gitsessiond.model.locks import Hold, Holder, Want
from gitsessiond.model.resources import resource
from gitsessiond.store.lockjournal import LockJournal
from tests.actions.asking import Asking, it

__all__ = ["it"]

Json = dict[str, Any]
NAMES = ("unassigned", "unsaved", "locks")


class Leaving:
    """Session x here, y beside it; Ann is in x."""

    def __init__(self, it: Asking) -> None:
        self.it = it
        self.journal = LockJournal(it.desk.ctx.repository.state_dir)
        self.mine = it.ask("session.status")["session"]["id"]
        self.other = it.ask("session.start", name="y", worktree=True)["session"]

    def ask(self, verb: str, rows: list[Json] | None = None, **args: Any) -> Json:
        """As Ann; ``rows``: what front knows of editors."""
        self.it.look()
        who = {"cwd": str(self.it.root), "session": None, "env": {}}
        message = {"v": 1, "id": 1, "verb": verb, "args": args, "who": who, "client": "ann"}
        reply = self.it.desk.request(message | {"editors": rows or []})
        if "error" in reply:
            raise error_from(reply["error"])
        done: Json = reply["ok"]
        return done

    def switch(self, to: str = "y", rows: list[Json] | None = None) -> Json | None:
        reply = self.ask("session.switch", rows, session=to)
        assert reply["worktree"]
        found: Json | None = reply["left"]
        return found

    def rows(self, **args: Any) -> list[tuple[str, str]]:
        found = self.ask("conflicts", kind="context_switch", **args)["conflicts"]
        return [(one["message"], one["status"]) for one in found]

    def lock(self, name: str, client: str = "ann") -> Hold:
        hold = Hold(
            Want(resource(name), "X"), Holder(client, None, session=self.mine), 1, 300.0, time.monotonic(), None
        )
        self.journal.put(hold)
        self.journal.commit(1)
        return hold

    def drop(self, hold: Hold) -> None:
        self.journal.drop(hold)
        self.journal.commit(1)
        assert self.ask(LOCKS_CHANGED) == {}

    def unsaved(self, path: str) -> list[Json]:
        row = {"worktree": str(self.it.root), "path": path, "program": "vim", "pid": 7, "user": None, "host": None}
        row |= {"state": "open", "modified": True, "since": None, "client": None, "sources": {}}
        return [row]


@pytest.fixture
def leaving(it: Asking) -> Iterator[Leaving]:
    leaving = Leaving(it)
    yield leaving
    leaving.journal.close(1)


def test_nothing_left_is_no_record(leaving: Leaving) -> None:
    before = leaving.it.desk.ctx.sessions[leaving.mine].state.number
    assert leaving.switch() is None and leaving.switch("x") is None
    leaving.lock("path/a.txt", "bob")
    assert leaving.switch() is None
    leaving.it.edit("a.txt", "line 2\n", "mine\n")
    assert leaving.switch("x") is None  # one is in it
    assert leaving.it.desk.ctx.sessions[leaving.mine].state.number == before + 1  # the save


def test_unassigned_edits_until_they_are_assigned(leaving: Leaving) -> None:
    leaving.it.edit("a.txt", "line 2\n", "mine\n")
    files = leaving.it.files()
    left = leaving.switch()
    assert left is not None and left == leaving.switch()
    assert (left["kind"], left["path"], left["patch"]) == ("context_switch", "a.txt", None)
    assert left["sessions"] == [leaving.mine, leaving.other["id"]] and left["resource"] == "path/a.txt"
    assert leaving.rows() == [("left in x: a.txt is unassigned", "open")]
    assert leaving.ask("session.switch", session="y")["hints"] == ["git session unassigned -s x"]
    assert leaving.it.files() == files
    assert leaving.ask("session.status")["conflicts"] == []
    with pytest.raises(Refused, match="it ends once all is assigned"):
        leaving.ask("resolve", id=left["id"], how="ours")
    leaving.it.edit("src/b.txt", "b 2\n", "mine\n")
    leaving.switch()
    assert leaving.rows() == [("left in x: a.txt, src/b.txt are unassigned", "open")]
    leaving.it.restart()
    leaving.ask("patch.new", name="p", take=[])
    assert leaving.rows() == []
    assert leaving.rows(all=True) == [("left in x: a.txt, src/b.txt are unassigned", "resolved")]
    assert leaving.it.merge("p")["merged"] and leaving.switch() is None


def test_locks_until_they_are_given_back_and_files_until_they_are_saved(leaving: Leaving) -> None:
    held = leaving.lock("db/orders")
    assert leaving.ask("session.switch", session="y")["hints"] == ["git session unlock --all"]
    left = leaving.switch()
    assert left is not None and (left["path"], left["resource"]) == ("db/orders", "db/orders")
    open_now = leaving.unsaved("a.txt")
    left = leaving.switch(rows=open_now)
    assert left is not None and [left["left"][name] for name in NAMES] == [[], ["a.txt"], ["db/orders"]]
    note_open(leaving.it.desk.ctx, open_now)
    leaving.drop(held)
    leaving.it.restart()
    assert leaving.it.desk.ctx.sessions[leaving.mine].state.conflicts[left["id"]].status == "open"
    leaving.ask("session.list", open_now)
    assert leaving.it.desk.ctx.sessions[leaving.mine].state.conflicts[left["id"]].status == "open"
    assert leaving.rows() == [] and leaving.rows(all=True)[0][1] == "resolved"  # saved: nobody has it changed now


def test_an_update_goes_on_beside_it(leaving: Leaving) -> None:
    leaving.it.edit("a.txt", "line 2\n", "mine\n")
    leaving.switch()
    leaving.it.move_target("README", "other\n")
    assert leaving.ask("session.update")["updated"]
    assert leaving.rows() == [("left in x: a.txt is unassigned", "open")]
    leaving.it.edit("a.txt", "mine\n", "line 2\n")
    assert leaving.rows() == []
