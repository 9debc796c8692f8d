"""Locks asked for in vain, as front tells of them: one record for asker, holder and resource, over by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from gitsessiond.actions.noticing import MOST
from gitsessiond.daemon.locknews import LOCKS_CHANGED
from gitsessiond.model.errors import Refused
from gitsessiond.model.locks import Hold, Holder, Want
from gitsessiond.model.resources import resource
from gitsessiond.store.lockjournal import LockJournal
from tests.actions.asking import Asking, it

__all__ = ["it"]

Json = dict[str, Any]


class Denials:
    """Two sessions, x here and y beside it: y's Bob has locks, x's Ann asks for them."""

    def __init__(self, it: Asking) -> None:
        self.it = it
        self.journal = LockJournal(it.desk.ctx.repository.state_dir)
        self.last = 0
        self.mine = it.ask("session.status")["session"]["id"]
        self.other = it.ask("session.start", name="y", worktree=True)["session"]
        self.ann = Holder("ann", "Ann <a@b>", session=self.mine)
        self.bob = Holder("bob", "Bob <b@b>", session=self.other["id"])
        self.hold = self.put("path/a.txt")

    def put(self, name: str, holder: Holder | None = None) -> Hold:
        self.last += 1
        hold = Hold(Want(resource(name), "X"), holder or self.bob, self.last, 300.0, time.monotonic(), None)
        self.journal.put(hold)
        self.journal.commit(self.last)
        return hold

    def drop(self, hold: Hold) -> None:
        self.journal.drop(hold)
        self.journal.commit(self.last)
        self.tell()

    def denied(self, times: int = 1, name: str = "path/a.txt", **who: Holder) -> None:
        asker, holder = who.get("asker", self.ann), who.get("holder", self.bob)
        self.tell(
            {
                "asker": {"client": asker.client, "named": False, "who": asker.who, "session": asker.session},
                "holder": {"client": holder.client, "named": False, "who": holder.who, "session": holder.session},
                "name": name,
                "token": 1,
                "times": times,
            }
        )

    def tell(self, *rows: Json) -> None:
        who = {"cwd": str(self.it.root), "session": None, "env": {}}
        message = {"v": 1, "id": 0, "verb": LOCKS_CHANGED, "args": {"denied": list(rows)}, "who": who}
        assert self.it.desk.request(message)["ok"] == {}

    def step(self) -> int:
        return int(self.it.desk.ctx.sessions[self.mine].state.number)

    def rows(self, **args: Any) -> list[tuple[str, str, int]]:
        rows = self.it.ask("conflicts", **args)["conflicts"]
        return [(one["resource"], one["status"], one["denied"]["times"]) for one in rows]

    def seen_by_other(self, verb: str, **args: Any) -> Json:
        who = {"cwd": self.other["worktree"], "session": None, "env": {}}
        reply = self.it.desk.request({"v": 1, "id": 1, "verb": verb, "args": args, "who": who})
        done: Json = reply["ok"]
        return done


@pytest.fixture
def denials(it: Asking) -> Iterator[Denials]:
    denials = Denials(it)
    yield denials
    denials.journal.close(denials.last)


def test_one_record_counts_until_the_holder_gives_it_back(denials: Denials) -> None:
    denials.denied()
    first = denials.step()
    for _ in range(9):
        denials.denied(times=10)
    assert denials.step() - first == 3  # at 11, 31 and 71: each time at least twice as many as written
    assert denials.rows() == [("path/a.txt", "open", 91)]
    (one,) = denials.it.ask("conflicts")["conflicts"]
    assert one["message"] == "Ann in x asked for a.txt 91 times while it was locked by Bob in y"
    assert (one["kind"], one["sessions"]) == ("resource_lock", [denials.mine, denials.other["id"]])
    assert (one["lock"]["client"], one["lock"]["saves"], one["denied"]["client"]) == ("bob", 0, "ann")
    denials.drop(denials.hold)
    assert denials.rows() == [] and denials.rows(all=True) == [("path/a.txt", "resolved", 91)]
    (one,) = denials.it.ask("conflicts", all=True)["conflicts"]
    assert (one["how"], one["resolved_by"]) == ("auto", "auto")
    told = [one["event"] for one in denials.it.told if one.get("event", {}).get("kind") == "resource_lock"]
    assert [one["type"] for one in told] == ["conflict_detected", "conflict_resolved"]
    for event in told:
        assert (event["conflict_id"], event["conflict_type"]) == (one["id"], "resource_lock")
        assert (event["resource_id"], event["resource"]) == ("path/a.txt", "path/a.txt")
        assert event["sessions"] == one["sessions"]
    assert told[1]["automatic"] is True
    denials.put("path/a.txt")
    denials.denied()
    denials.it.restart()
    assert denials.rows() == [("path/a.txt", "open", 1)]  # another one, and on record


def test_it_is_over_when_the_asker_has_the_lock(denials: Denials) -> None:
    """Of somebody who asked for a directory, and got it while the file of another in it was given back."""
    denials.denied(name="path/src/")
    denials.put("path/src/a.txt")
    assert denials.rows(all=True) == [("path/src/", "resolved", 1)]  # nothing in it was locked
    denials.denied(name="path/src/")
    assert denials.rows() == [("path/src/", "open", 1)]
    denials.put("path/src/", denials.ann)
    denials.tell()
    assert denials.rows() == []


def test_both_sessions_see_it_and_nothing_waits_for_it(denials: Denials) -> None:
    denials.it.patch("p", "src/b.txt", "b 5\n", "mine\n")
    denials.denied()
    (one,) = denials.seen_by_other("conflicts")["conflicts"]
    assert one == denials.it.ask("conflicts", kind="resource_lock")["conflicts"][0]
    assert denials.seen_by_other("conflict.show", id=one["id"])["conflict"] == one
    assert denials.it.ask("conflicts", kind="file_edit")["conflicts"] == []
    with pytest.raises(Refused, match="it ends with the lock, also for whoever asked for it in vain"):
        denials.it.ask("resolve", id=one["id"], how="ours")
    assert denials.it.merge("p")["merged"]
    assert denials.rows() == [("path/a.txt", "open", 1)]
    assert denials.it.ask("conflicts", kind="git_merge", all=True)["conflicts"] == []


def test_it_is_in_a_session_if_either_is_in_one(denials: Denials) -> None:
    denials.put("db/orders", Holder("out", "Out <o@o>"))
    denials.denied(asker=Holder("out", "Out <o@o>"))
    assert denials.it.ask("conflicts")["conflicts"] == []
    (one,) = denials.seen_by_other("conflicts")["conflicts"]
    assert one["message"] == "Out asked for a.txt while it was locked by Bob in y"
    assert one["sessions"] == [denials.other["id"]]
    denials.denied(name="db/orders", holder=Holder("out", "Out <o@o>"))
    (one,) = denials.it.ask("conflicts")["conflicts"]
    assert (one["path"], one["sessions"]) == ("db/orders", [denials.mine])
    before = denials.step()
    denials.denied(name="db/orders", asker=Holder("in", None), holder=Holder("out", None))
    assert denials.step() == before


def test_there_are_never_more_than_so_many(denials: Denials) -> None:
    for number in range(MOST + 3):
        denials.put(f"path/{number}.txt")
    rows = [
        {"asker": {"client": "ann", "session": denials.mine}, "holder": {"client": "bob"}, "token": 1, "times": 1}
        | {"name": f"path/{number}.txt"}
        for number in range(MOST + 3)
    ]
    before = denials.step()
    denials.tell(*rows)
    assert len(denials.rows()) == MOST and denials.step() == before + 1
    for hold in (denials.put(f"path/{number}.txt", denials.ann) for number in range(5)):
        assert hold.client == "ann"
    denials.tell()
    denials.tell(*rows[-3:])
    assert len(denials.rows()) == MOST - 2 and len(denials.rows(all=True)) == MOST


def test_who_is_not_front_tells_nothing(denials: Denials) -> None:
    who = {"cwd": str(denials.it.root), "session": None, "env": {}}
    for rows in ([1], [{"asker": 1, "holder": {"client": "b"}, "name": "path/a", "token": 1, "times": 1}], [{}]):
        message = {"v": 1, "id": 0, "verb": LOCKS_CHANGED, "args": {"denied": rows}, "who": who}
        assert denials.it.desk.request(message)["error"]["code"] == "usage"
