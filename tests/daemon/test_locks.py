"""The verbs ``lock.*`` as front answers them, without a daemon around: who is answered when, and with what."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from gitsessiond.daemon import lockaskers
from gitsessiond.daemon.branches import branch_at
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.locks import Locks, LockTold
from gitsessiond.daemon.settings import Settings
from gitsessiond.model.clients import Client
from gitsessiond.model.errors import BadRequest, GitSessionError, StoreFailed
from gitsessiond.store.lockjournal import LockJournal
from gitsessiond.store.locklog import DRAFT, JOURNAL
from gitsessiond.wire.place import Place
from gitsessiond.wire.requests import reply_error

Message = dict[str, Any]


class Desk:
    """Front's part: clients by name, a turn of the loop after each request unless it is kept back."""

    def __init__(self, state: Path) -> None:
        state.mkdir(exist_ok=True)
        self.state, self.sent, self.events = state, list[tuple[Any, Message]](), list[Message]()
        self.links: dict[str, Link] = {}
        self.locks = self.begin()
        self.number = 0

    def begin(self, *, case: str = "false") -> Locks:
        """``case``: what ``core.ignoreCase`` says."""
        told = LockTold(lambda link, reply: self.sent.append((link, reply)), self.events.append)
        configured = {"core.ignorecase": [case]}
        return Locks(
            told, self, Place(str(self.state.parent)), Settings(configured=lambda key: configured.get(key, []))
        )

    def client_of(self, link: Link, who: Message) -> Client:
        return Client(who["client"], who.get("kind", "agent"), who["client"], user="Ann <a@b>", host="box", pid=7)

    def session_of(self, client: Client) -> str | None:
        return client.session

    def put(self, client: str, verb: str, **args: Any) -> int:
        """A request, without a turn of the loop."""
        self.number += 1
        link = self.links.setdefault(client, cast(Link, object()))
        try:
            self.locks.answer(link, self.number, f"lock.{verb}", args, {"client": client})
        except GitSessionError as error:
            self.sent.append((link, reply_error(self.number, error)))
        return self.number

    def reply(self, number: int) -> Message | None:
        return next((reply for _, reply in self.sent if reply["id"] == number), None)

    def turn(self) -> None:
        self.locks.tick(time.monotonic())

    def ask(self, client: str, verb: str, **args: Any) -> Message:
        """The good part of a reply, or the error."""
        number = self.put(client, verb, **args)
        self.turn()
        reply = self.reply(number)
        assert reply is not None
        found: Message = reply["ok"] if "ok" in reply else reply["error"]
        return found

    def lock(self, client: str, *names: str, **more: Any) -> Message:
        return self.ask(client, "acquire", **wanted(*names, **more))

    def told(self, kind: str) -> list[Message]:
        return [event for event in self.events if event["type"] == kind]


def wanted(*names: str, mode: str = "X", ttl: float | None = 60, wait: Any = 0, **more: Any) -> Message:
    return {"resources": [{"name": name, "mode": mode} for name in names], "ttl": ttl, "wait": wait, **more}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "gitsession")
    yield made
    made.locks.close()


def test_a_disk_that_refuses_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each good reply, by an event, by status, metrics and doctor, until it is over; nobody has what another has."""
    desk.lock("ann", "path/a")
    with monkeypatch.context() as full:
        full.setattr(LockJournal, "_write", refused)
        monkeypatch.setattr("gitsessiond.actions.locking.AGAIN_S", 0.0)
        full.setattr("gitsessiond.actions.locking.AGAIN_TIMES", 0)
        got = desk.lock("ann", "path/b")
        assert got["degraded"] == "no room" and got["locks"][0]["token"] == 2
        assert desk.lock("bob", "path/b")["reason"] == "held"
        assert desk.ask("bob", "list")["degraded"] == "no room"
        counts, families, (found,) = desk.locks.look(time.monotonic(), True)
        assert counts["locks"] == {"held": 2, "waiting": 0, "degraded": "no room"}
        assert (found.state, found.hint) == ("warn", "df -h .") and "in memory only" in found.message
        assert [value for one in families if one.name == "gitsession_locks_degraded" for _, value in one.samples] == [1]
    assert "degraded" not in desk.ask("bob", "list")
    assert [(one["type"], one["reason"]) for one in desk.events if one.get("what") == "locks"] == [
        ("degraded", "no room"),
        ("restored", None),
    ]
    assert desk.locks.look(time.monotonic(), True).findings[0].state == "ok"


def refused(self: LockJournal) -> None:
    """A disk that is full."""
    raise StoreFailed("no room", hint="df -h .")


def test_a_lock_from_the_first_to_the_last(desk: Desk) -> None:
    (lock,) = desk.lock("ann", "path/a")["locks"]
    assert (lock["name"], lock["mode"], lock["token"], lock["state"]) == ("path/a", "X", 1, "held")
    assert 59 < lock["expires_in"] <= 60
    assert desk.lock("ann", "path/a")["locks"][0]["token"] == 1
    denied = desk.lock("bob", "path/*")
    assert (denied["code"], denied["exit"], denied["reason"], denied["position"]) == ("locked", 11, "held", 1)
    (held,) = denied["held"]
    assert (held["client"], held["who"], held["host"], held["pid"], held["token"]) == ("ann", "Ann <a@b>", "box", 7, 1)
    assert desk.ask("bob", "release", names=["path/a"])["others"][0]["client"] == "ann"
    assert desk.ask("ann", "renew", names=None)["locks"][0]["token"] == 1
    assert desk.ask("ann", "release", names=["path/a/"]) == {"released": ["path/a"], "others": []}
    assert desk.ask("ann", "release", names=["path/a"]) == {"released": [], "others": []}
    kinds = [event["type"] for event in desk.events]
    assert kinds == ["lock_acquired", "lock_denied", "lock_renewed", "lock_released"]
    assert all(event["resource_id"] == event["resource"] for event in desk.events)
    told = desk.events[1]
    assert (told["client"], told["reason"], told["resource"]) == ("bob", "held", "path/*")
    assert [told["held_by"][name] for name in ("client", "name", "mode", "token")] == ["ann", "path/a", "X", 1]


def test_replies_come_after_the_journal_and_in_one_turn(desk: Desk) -> None:
    """What two ask in one turn is answered in their order; before that nobody is told anything."""
    numbers = [desk.put("ann", "acquire", **wanted("path/a")), desk.put("bob", "acquire", **wanted("path/a"))]
    numbers.append(desk.put("ann", "release", all=True))
    assert not desk.sent
    assert not desk.events
    desk.turn()
    assert [next(iter(set(desk.reply(one) or {}) & {"ok", "error"})) for one in numbers] == ["ok", "error", "ok"]
    again = desk.begin()
    assert again._list(again._asker(cast(Link, object()), {"client": "x"}), {}, 0.0)["locks"] == []


def test_case_counts_for_nothing_after_a_restart_either(desk: Desk) -> None:
    """Where git is told so: there is no second holder by another spelling, and the first gives it back by any."""
    desk.locks.close()
    desk.locks = desk.begin(case="Yes")
    desk.lock("ann", "path/A.PY")
    desk.locks.close()
    desk.locks = desk.begin(case="Yes")
    assert desk.lock("bob", "path/a.py")["reason"] == "held"
    assert desk.ask("ann", "release", names=["path/a.py"])["released"] == ["path/A.PY"]
    assert desk.lock("bob", "path/a.py")["locks"]


def test_two_locks_of_one_that_are_the_same_without_case_are_one(desk: Desk) -> None:
    desk.lock("ann", "path/A.PY")
    desk.lock("ann", "path/a.py", mode="S")
    desk.locks.close()
    desk.locks = desk.begin(case="true")
    assert [(one["name"], one["mode"]) for one in desk.ask("ann", "list")["locks"]] == [("path/A.PY", "X")]
    assert desk.locks.look(time.monotonic(), True).findings[0].state == "ok"
    assert desk.ask("ann", "release", all=True)["released"] == ["path/A.PY"]


def test_who_waits_is_answered_when_it_is_granted(desk: Desk) -> None:
    desk.lock("ann", "path/a")
    number = desk.put("bob", "acquire", **wanted("path/a", wait=30, request="r1"))
    twice = desk.put("bob", "acquire", **wanted("path/a", wait=30, request="r1"))
    desk.turn()
    assert desk.reply(number) is None
    (waiting,) = desk.ask("cat", "list")["waiting"]
    assert (waiting["client"], waiting["position"], waiting["resources"]) == (
        "bob",
        1,
        [{"name": "path/a", "mode": "X"}],
    )
    desk.ask("ann", "release", all=True)
    first, second = desk.reply(number), desk.reply(twice)
    assert first is not None
    assert second is not None
    assert first["ok"]["locks"][0]["token"] == second["ok"]["locks"][0]["token"] == 2


def test_a_wait_ends_with_its_connection_by_cancel_and_by_its_client(desk: Desk) -> None:
    desk.lock("ann", "path/a")
    for client in ("bob", "cat", "dan"):
        desk.put(client, "acquire", **wanted("path/a", wait=30, request=client))
    last = desk.put("eve", "acquire", **wanted("path/a", wait=30))
    desk.turn()
    desk.locks.left(desk.links["bob"])
    assert desk.ask("cat", "cancel", request="cat") == {"cancelled": True}
    assert desk.ask("cat", "cancel", request="cat") == {"cancelled": False}
    desk.locks.gone("dan", time.monotonic())
    desk.locks.gone("ann", time.monotonic())
    desk.turn()
    reply = desk.reply(last)
    assert reply is not None
    assert reply["ok"]["locks"]
    reasons = [reply["error"]["reason"] for _, reply in desk.sent if "error" in reply]
    assert reasons == ["cancelled", "cancelled"]
    assert [event["why"] for event in desk.told("lock_released")] == ["gone"]


def test_a_daemon_that_leaves_sends_who_waits_to_the_next(desk: Desk) -> None:
    """Which has the locks still, unconfirmed until their holder is heard of."""
    desk.lock("ann", "path/a", "db/b")
    number = desk.put("bob", "acquire", **wanted("path/a", wait=30))
    desk.turn()
    desk.locks.close()
    reply = desk.reply(number)
    assert reply is not None
    assert (reply["error"]["code"], reply["error"]["again"]) == ("unreachable", True)
    desk.locks = desk.begin()
    assert {lock["state"] for lock in desk.ask("bob", "list")["locks"]} == {"unconfirmed"}
    assert [lock["token"] for lock in desk.locks.beat("ann", time.monotonic())] == [1, 2]
    assert {lock["state"] for lock in desk.ask("bob", "list", name="path/")["locks"]} == {"held"}


def test_check_with_and_without_a_token(desk: Desk) -> None:
    (lock,) = desk.lock("ann", "path/src/")["locks"]
    assert desk.ask("ann", "check", names=["path/src/a"], token=None) == {}
    assert desk.ask("hook", "check", names=["path/src/a"], token=lock["token"]) == {}
    assert desk.ask("hook", "check", names=["path/src/a"], token=None)["reason"] == "held"
    assert desk.ask("ann", "check", names=["path/b"], token=lock["token"])["reason"] == "stale"
    desk.ask("bob", "break", name="path/src", reason="urgent", steal=True)
    stale = desk.ask("ann", "check", names=["path/src/a"], token=lock["token"])
    assert (stale["code"], stale["reason"]) == ("locked", "stale")
    assert "stolen by Ann <a@b>: urgent" in stale["message"]
    assert desk.ask("ann", "renew")["lost"] == [
        {"name": "path/src/", "token": 1, "why": "stolen", "by": "bob", "reason": "urgent"}
    ]


def test_break_and_steal_are_told(desk: Desk) -> None:
    desk.lock("ann", "path/a")
    desk.lock("ann", "path/b")
    broken = desk.ask("bob", "break", name="path/a", reason="away", steal=False)
    assert [one["client"] for one in broken["locks"]] == ["ann"]
    stolen = desk.ask("bob", "break", name="path/b", reason="away", steal=True)
    assert [one["token"] for one in stolen["locks"]] == [3]
    assert [(one["client"], one["by"], one["why"], one["reason"]) for one in desk.told("lock_broken")] == [
        ("ann", "bob", "broken", "away"), ("ann", "bob", "stolen", "away"),
    ]  # fmt: skip
    assert desk.ask("bob", "break", name="path/c", reason="away")["code"] == "not_found"
    assert desk.ask("bob", "break", name="path/b")["code"] == "usage"


def test_two_intents_are_told(desk: Desk) -> None:
    desk.lock("ann", "path/a", mode="intent")
    assert desk.lock("bob", "path/a", mode="intent")["locks"]
    (told,) = desk.told("overlap")
    assert (told["client"], told["other"]) == ("bob", {"client": "ann", "name": "path/a", "mode": "intent"})


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("acquire", {}),
        ("acquire", {"resources": []}),
        ("acquire", {"resources": [{"name": "path/a"}] * 1001}),
        ("acquire", {"resources": "path/a"}),
        ("acquire", {"resources": ["path/a"]}),
        ("acquire", wanted("../a")),
        ("acquire", wanted("x" * 1_000_000)),
        ("acquire", wanted("path/a", mode="Y")),
        ("acquire", {"resources": [{"name": "path/a", "mode": ["X"]}]}),
        ("acquire", wanted("path/a", ttl=0)),
        ("acquire", wanted("path/a", ttl=1e300)),
        ("acquire", wanted("path/a", ttl=True)),
        ("acquire", wanted("path/a", wait=-1)),
        ("acquire", wanted("path/a", wait="soon")),
        ("acquire", wanted("path/a", request=7)),
        ("acquire", wanted("path/a", reason="\x1b[2J")),
        ("release", {}),
        ("release", {"names": {}}),
        ("release", {"names": [], "all": True}),
        ("renew", {"names": [3]}),
        ("check", {}),
        ("check", {"names": ["path/a"], "token": "1"}),
        ("check", {"names": ["path/a"], "token": -1}),
        ("list", {"name": 3}),
        ("break", {"name": None, "reason": "x"}),
        ("break", {"name": "path/a", "reason": "x", "steal": 1}),
        ("none", {}),
    ],
)
def test_what_means_nothing_is_refused_and_changes_nothing(desk: Desk, verb: str, args: Message) -> None:
    found = desk.ask("ann", verb, **args)
    assert (found["code"], found["exit"]) == (BadRequest.code, BadRequest.exit_code)
    assert len(found["message"]) < 300
    assert found["hint"]
    assert desk.ask("ann", "list")["locks"] == []


def test_one_name_twice_is_one_lock_in_the_stronger_mode(desk: Desk) -> None:
    names = [{"name": "path/a", "mode": mode} for mode in ("S", "X", "intent", "U")]
    found = desk.ask("ann", "acquire", resources=names)["locks"]
    assert sorted((lock["name"], lock["mode"]) for lock in found) == [("path/a", "X"), ("path/a", "intent")]


def test_a_journal_that_was_removed_is_written_anew(desk: Desk) -> None:
    """When somebody asks how things are; the next daemon has all that is held then."""
    desk.lock("ann", "path/a", "path/b")
    (desk.state / JOURNAL).unlink()
    states = [desk.locks.look(time.monotonic(), True).findings[0].state for _ in range(2)]
    assert states == ["warn", "ok"]
    desk.locks.close()
    desk.locks = desk.begin()
    assert [one["name"] for one in desk.ask("ann", "list")["locks"]] == ["path/a", "path/b"]


def test_a_journal_that_somebody_else_has_written_into_is_written_anew(desk: Desk) -> None:
    """A lock of nobody, and one too few: to stop the daemon would make them true."""
    desk.lock("ann", "path/a", "path/b")
    journal = desk.state / JOURNAL
    journal.write_bytes(journal.read_bytes().replace(b"[1,", b"[99,"))
    found = [desk.locks.look(time.monotonic(), True).findings[0] for _ in range(2)]
    assert [one.state for one in found] == ["warn", "ok"]
    words = "locks that are not written down: 1; locks that are written down and nobody holds: 1; all locks have been"
    assert found[0].message.startswith(words)
    desk.locks.close()
    desk.locks = desk.begin()
    assert [one["token"] for one in desk.ask("ann", "list")["locks"]] == [1, 2]


@pytest.mark.parametrize(
    ("name", "fence"),
    [
        (JOURNAL, None),
        (JOURNAL + DRAFT, None),
        ("locks.fence", '{"format": 1, "boot": "x", "bound": 9223372036854775807}'),
        ("locks.fence", '{"format": 1, "boot": "x", "bound": 1e999}'),
        ("locks.fence", '{"format": 1, "boot": "x", "bound": -1}'),
        ("locks.fence", "[" * 5000),
    ],
)
def test_files_that_are_damaged_cost_no_more_than_the_locks(tmp_path: Path, name: str, fence: str | None) -> None:
    """A directory in the way: front lives, and says what to do about it. A fence: tokens go on above all before."""
    state = tmp_path / "gitsession"
    state.mkdir()
    if fence is None:
        (state / name).mkdir()
    else:
        (state / name).write_text(fence)
    desk = Desk(state)
    reply = desk.lock("ann", "path/a")
    if fence is None:
        assert reply["hint"].startswith(f"mv -- {state / name} ")
        assert desk.locks.look(time.monotonic(), True).findings[0].state == "fail"
    else:
        assert reply["locks"][0]["token"] > 1 << 40
    desk.locks.close()


def test_a_holder_is_known_by_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its number, when it began and where that number counts; not where the system does not say."""
    client = Client("ann", "agent", "ann", pid=7, began="123")
    monkeypatch.setattr(lockaskers, "own_namespace", lambda: "pid:[4]")
    assert [lockaskers.holder_of(one, None, None).began for one in (client, client._replace(began=""))] == [
        "123 pid:[4]",
        "",
    ]
    monkeypatch.setattr(lockaskers, "own_namespace", lambda: None)
    assert lockaskers.holder_of(client, None, None).began == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/", "--type exclusive"),
        ("path", "--type project"),
        ("path/src/a b*", "'src/a b*'"),
        ("path/\\[id].tsx", "'[id].tsx'"),
        ("path/-x.py", "./-x.py"),
        ("ref/refs/heads/main", "--type git refs/heads/main"),
        ("git/config", "--type git git/config"),
        ("db/it's", "--type database 'it'\"'\"'s'"),
    ],
)
def test_hints_name_what_is_locked_as_the_command_does(desk: Desk, name: str, words: str) -> None:
    desk.lock("ann", name)
    assert desk.lock("bob", name)["hint"] == f"git session lock {words} --wait"


def test_the_branch_around_a_directory(tmp_path: Path) -> None:
    """Of the main worktree, of a linked one inside it, of none."""
    git_dir = tmp_path / "repo" / ".git"
    (git_dir / "worktrees" / "w").mkdir(parents=True)
    (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
    (git_dir / "worktrees" / "w" / "gitdir").write_text(f"{tmp_path}/repo/w/.git\n")
    (git_dir / "worktrees" / "w" / "HEAD").write_text("ref: refs/heads/session/x\n")
    common = str(git_dir)
    assert branch_at(common, f"{tmp_path}/repo/src") == "main"
    assert branch_at(common, f"{tmp_path}/repo/w/src") == "session/x"
    assert branch_at(common, f"{tmp_path}/repository") is None
    assert branch_at(common, "") is None
    (git_dir / "HEAD").write_text("0" * 40)
    assert branch_at(common, f"{tmp_path}/repo") is None
