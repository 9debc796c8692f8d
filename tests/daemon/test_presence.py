"""Who is there: real processes as clients, their deaths, a daemon's; a fake link says which process connected."""

from __future__ import annotations

import os
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gitsessiond.daemon.presence import Presence, Tools
from gitsessiond.daemon.settings import Coordinating, Settings
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.store.processes import end_of, seen
from gitsessiond.wire.client import Client
from gitsessiond.wire.place import Peer
from tests.bench import Workbench, wait_for

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux tells of processes")

SLEEP = ["sleep", "600"]
MOST = 40


class Listener:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.freed: list[str] = []

    def gone(self, client: str, now: float) -> None:
        self.freed.append(client)

    def beat(self, client: str, now: float) -> list[dict[str, Any]]:
        return [{"name": "path/a.txt", "client": client}]


class Connection:
    """A link of which only matters who is at the other end."""

    def __init__(self, pid: int | None, uid: int | None) -> None:
        self.peer = Peer(pid, uid)


class Room:
    """A presence and the loop around it; terminals are sessions of processes that sleep."""

    def __init__(self, state_dir: Path, **config: str) -> None:
        self.state_dir, self.config = state_dir, config
        self.shells: list[subprocess.Popen[bytes]] = []
        self.open()

    def open(self) -> None:
        """A daemon begins."""
        self.select = selectors.DefaultSelector()
        self.sent: list[Any] = []
        self.events: list[dict[str, Any]] = []
        configured: Callable[[str], list[str]] = lambda key: [self.config[key]] if key in self.config else []  # noqa: E731
        settings = Settings(coordinating=Coordinating(configured), configured=configured)
        send: Any = lambda link, message: self.sent.append(message)  # noqa: E731
        self.presence = Presence(Tools(self.select, send, self.events.append), str(self.state_dir), settings)
        self.listener = Listener()
        self.presence.listeners.append(self.listener)
        self.presence.begin()

    def terminal(self) -> int:
        """The shell of a terminal; its pid."""
        self.shells.append(subprocess.Popen(SLEEP, start_new_session=True))
        return self.shells[-1].pid

    def ask(self, pid: int | None, verb: str = "client.list", uid: int | None = None, **asked: Any) -> Any:
        """One request of a process; ``who`` and ``args`` as given."""
        link: Any = Connection(pid, os.geteuid() if uid is None else uid)
        self.presence.answer(link, 1, verb, asked.get("args", {}), {"cwd": "/r", "pid": pid} | asked.get("who", {}))
        self.presence.left(link)
        return self.sent.pop()["ok"]

    def hello(self, asks: int | None, /, name: str | None = None, who: Any = None, **args: Any) -> Any:
        """``client.hello``; the client."""
        return self.ask(asks, "client.hello", args={"name": name} | args, who=who or {})["client"]

    def turn(self, within: float = 0.0) -> None:
        """One turn of the loop."""
        for key, mask in self.select.select(within):
            key.data(mask)
        self.presence.tick(time.monotonic())

    def there(self) -> dict[str, str]:
        """Who is there, and in which role."""
        return {one["id"]: one["role"] for one in self.ask(None)["clients"]}

    def told(self) -> list[tuple[str, str]]:
        """The events so far, forgotten with that."""
        told = [(event["type"], event["client"]["id"]) for event in self.events]
        self.events.clear()
        return told

    def kill(self, pid: int) -> None:
        """SIGKILL, and the loop is told."""
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.select.select(0))
        self.turn()

    def end(self) -> None:
        self.presence.close()
        self.select.close()
        for shell in self.shells:
            shell.kill()
            shell.wait()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.end()


def test_a_terminal_is_known_by_its_shell_and_gone_with_it(room: Room) -> None:
    """Two shells are two clients, each always the same; what they hold is free the moment they are killed."""
    one, two, three = room.terminal(), room.terminal(), room.terminal()
    first, second, third = (room.hello(pid)["id"] for pid in (one, two, three))
    assert len({first, second, third}) == 3 and room.hello(one)["id"] == first
    assert room.told() == [
        ("client_connected", first), ("primary_promoted", first),
        ("client_connected", second), ("client_connected", third),
    ]  # fmt: skip
    room.kill(one)
    assert room.there() == {second: "primary", third: "secondary"} and room.listener.freed == [first]
    assert room.told() == [("client_disconnected", first), ("primary_promoted", second)]
    room.kill(three)
    assert room.there() == {second: "primary"} and room.listener.freed == [first, third]


def test_a_subshell_is_the_same_client(room: Room) -> None:
    """Whatever runs in a terminal is of that terminal."""
    shell = subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo $!; exec sleep 600"], stdout=subprocess.PIPE, start_new_session=True
    )
    room.shells.append(shell)
    assert shell.stdout is not None
    below = int(shell.stdout.readline())
    assert room.hello(shell.pid)["id"] == room.hello(below)["id"]
    os.kill(below, signal.SIGKILL)
    shell.stdout.close()


def test_a_name_is_a_client_wherever_it_comes_from(room: Room) -> None:
    """$GITSESSION_CLIENT: from two shells one client; as a terminal's id, that terminal."""
    one, two = room.terminal(), room.terminal()
    named = [room.hello(pid, who={"client": "agent-1"}) for pid in (one, two)]
    assert [client["id"] for client in named] == ["agent-1"] * 2 and named[0]["pid"] is None
    assert (named[0]["kind"], room.hello(one, "agent-1", kind="editor")["kind"]) == ("agent", "editor")
    terminal = room.hello(one)["id"]
    assert room.hello(two, who={"client": terminal})["tty"] == room.hello(one)["tty"]
    assert set(room.there()) == {"agent-1", terminal}


def test_where_one_stands_now_counts(room: Room) -> None:
    """Also where that cannot be shown as it is: never where one stood before."""
    shell, sessions = room.terminal(), {"/w/one": "kkkk", "/w/\udcff\n": "zzzz"}
    room.presence.set_sessions(sessions)
    assert room.hello(shell, who={"cwd": "/w/one/src"})["session"] == "kkkk"
    found = room.hello(shell, who={"cwd": "/w/\udcff\n/src"})
    assert (found["session"], found["cwd"]) == ("zzzz", '"/w/\\377\\n/src"')
    assert room.hello(shell, who={"cwd": "/w/"})["session"] is None
    assert room.hello(shell, who={"cwd": 7})["cwd"] == ""


def test_a_named_client_lives_by_the_process_it_names(room: Room) -> None:
    """Its own, or another of its user's; killed, it is gone at once."""
    agent, other = room.terminal(), room.terminal()
    assert room.hello(agent, "a", pid=agent)["pid"] == agent
    assert room.hello(agent, "b", pid=other)["pid"] == other
    room.kill(agent)
    assert list(room.there()) == ["b"] and room.listener.freed == ["a"]
    assert room.hello(other, "b", pid=2**22 + 1)["pid"] is None  # it says something else now, and it is not so
    os.kill(other, signal.SIGKILL)
    assert not room.select.select(0.05) and list(room.there()) == ["b"]


def test_what_cannot_be_seen_to_be_so_is_not_believed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of another user; one of another pid namespace; one that nobody knows."""
    shell = room.terminal()
    foreign = room.ask(shell, "client.hello", uid=os.geteuid() + 1, args={"name": "a", "pid": os.getpid()})["client"]
    assert foreign["pid"] is None
    monkeypatch.setattr("gitsessiond.daemon.recognizing.namespace_of", lambda pid: "pid:[1]")
    assert room.hello(shell, "b", pid=os.getpid())["pid"] is None
    assert room.hello(None, "c", pid=os.getpid())["pid"] is None
    assert room.hello(shell, "d", who={"pid": 7}, pid=7)["pid"] == shell  # itself, as its own namespace counts
    told = room.hello(None, who={"tty": "/dev/pts/9", "leader": 7})
    assert told["pid"] is None and told["id"] == room.hello(None, who={"tty": "/dev/pts/9", "leader": 7})["id"]
    assert told["id"] != room.hello(None, who={"tty": "/dev/pts/9", "leader": 8})["id"]


def test_heartbeats_by_settings(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """SESSION_HEARTBEAT and SESSION_TTL of whoever asks; three missed are a death, any word a return."""
    clock = [1000.0]
    monkeypatch.setattr("gitsessiond.daemon.presence.time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    env = {"SESSION_HEARTBEAT": "2", "SESSION_TTL": "100"}
    room.hello(None, "a", who={"env": env})
    assert room.presence.next_look() == 1006
    assert room.ask(None, "client.heartbeat", who={"client": "a"})["renewed"] == [{"name": "path/a.txt", "client": "a"}]
    room.told()
    room.presence.tick(1005.9)
    assert room.listener.freed == []
    room.presence.tick(1006)
    assert room.listener.freed == ["a"] and room.told() == [("client_disconnected", "a")]
    assert room.ask(None)["clients"][0]["state"] == "silent"
    room.presence.tick(1100)
    assert room.there() == {}
    with pytest.raises(BadRequest, match="SESSION_HEARTBEAT = 'soon'"):
        room.hello(None, "b", who={"env": {"SESSION_HEARTBEAT": "soon"}})


def test_who_waits_for_an_answer_lives(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is kept is a sign of life, for those who named no time; its end is none of death."""
    clock = [1000.0]
    monkeypatch.setattr("gitsessiond.daemon.presence.time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    link: Any = Connection(None, None)
    room.presence.client_of(link, {"client": "a"})
    room.hello(None, "b", ttl=100)
    room.presence.client_of(link_of_b := Connection(None, None), {"client": "b"})  # type: ignore[arg-type]
    for now in (1090.0, 1100.0, 1190.0, 1280.0):
        room.presence.tick(now)
    assert room.listener.freed == ["b"] and link_of_b is not link
    room.presence.left(link)
    room.presence.tick(1369.9)
    assert room.listener.freed == ["b"]
    room.presence.tick(1370.0)
    assert room.listener.freed == ["b", "a"]
    room.presence.client_of(link, {"client": "a"})
    assert room.presence.client_of(link, {"tty": "/dev/pts/9"}).id != "a"  # over the same connection, for another


def test_a_name_that_is_used_again_lives_by_its_own_process(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the process that a forgotten client of that name had named says nothing of it."""
    clock = [1000.0]
    monkeypatch.setattr("gitsessiond.daemon.presence.time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    one, two = room.terminal(), room.terminal()
    assert room.hello(one, "a", pid=one, ttl=1, who={"env": {"SESSION_TTL": "1"}})["pid"] == one
    clock[0] = 1001.0
    room.presence.tick(clock[0])
    assert room.there() == {} and not room.select.get_map()  # no descriptor is kept for it
    assert room.hello(two, "a", pid=two)["pid"] == two
    os.kill(one, signal.SIGKILL)
    room.shells[0].wait()
    room.turn()
    assert room.there() == {"a": "primary"}
    room.kill(two)
    assert room.there() == {}


def test_a_daemon_takes_up_whom_the_last_one_knew(room: Room) -> None:
    """Killed: the primary is still the primary; who died meanwhile is gone, and what it held is free."""
    one, two = room.terminal(), room.terminal()
    first, second = room.hello(one)["id"], room.hello(two)["id"]
    room.hello(one, "agent-1", ttl=600)  # kept before it is answered
    before, room.select = room.select, selectors.DefaultSelector()
    before.close()  # SIGKILL: nobody closes anything
    os.kill(one, signal.SIGKILL)
    room.shells[0].wait()
    room.open()
    assert room.there() == {second: "primary", "agent-1": "secondary"} and room.listener.freed == [first]
    assert room.hello(two)["id"] == second
    room.kill(two)
    assert room.there() == {"agent-1": "primary"}


def test_no_descriptor_is_left(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose end cannot be waited for has to give signs of life; the next daemon does not take it for dead."""
    one, two = room.terminal(), room.terminal()
    first = room.hello(one)["id"]

    def none_left(pid: int, began: str | None) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("gitsessiond.daemon.exits.end_of", none_left)
    second = room.hello(two)
    assert second["pid"] is None and room.hello(two)["id"] == second["id"]
    room.presence.close()
    room.open()
    assert list(room.there()) == [first, second["id"]] and room.listener.freed == []
    assert room.presence.next_look() is not None
    monkeypatch.undo()
    assert [room.hello(pid)["pid"] for pid in (one, two)] == [one, two]


def test_leaving_is_said(room: Room) -> None:
    """``client.leave``: gone, and what it held is free."""
    shell = room.terminal()
    room.hello(shell, "a")
    assert room.ask(shell, "client.leave", who={"client": "a"}) == {"left": True}
    assert room.ask(shell, "client.leave", who={"client": "a"}) == {"left": False}
    assert room.listener.freed == ["a"] and room.there() == {}


def test_who_they_are(room: Room) -> None:
    """The user as git would have it; the session of the worktree it stands in."""
    room.config = {"user.name": "Ann", "user.email": "ann@example.org"}
    shell = room.terminal()
    assert room.hello(shell)["user"] == "Ann <ann@example.org>"
    for env, user in (
        ({"GIT_AUTHOR_NAME": "Ben", "GIT_AUTHOR_EMAIL": "ben@x"}, "Ben <ben@x>"),
        ({"GIT_CONFIG_PARAMETERS": "'user.email'='cy@x'"}, "Ann <cy@x>"),
        ({"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.email", "GIT_CONFIG_VALUE_0": "di@x"}, "Ann <di@x>"),
        ({"GITSESSION_USER": "Eve <eve@x>"}, "Eve <eve@x>"),
        ({"GIT_AUTHOR_NAME": "\x1b[2J"}, None),
    ):
        assert room.hello(shell, who={"env": env})["user"] == user
    room.presence.set_sessions({"/r": "outer", "/r/in": "inner", "/other": "x"})
    assert room.hello(shell, who={"cwd": "/r/in/src"})["session"] == "inner"
    assert room.hello(shell, who={"cwd": "/rest"})["session"] is None
    assert room.hello(shell, who={"session": "named"})["session"] == "named"


def test_requests_that_mean_nothing(room: Room) -> None:
    """Each is refused, and nobody is there for it."""
    for args in ({"name": "a\n"}, {"kind": "robot"}, {"ttl": 0}, {"pid": -1}, {"pid": True}, {"pid": "1"}, {"name": 3}):
        with pytest.raises(BadRequest):
            room.ask(None, "client.hello", args=args)
    with pytest.raises(BadRequest):
        room.ask(None, "client.dance")
    with pytest.raises(BadRequest):
        room.ask(None, "client.hello", who={"client": "\x1b]0;x\x07"})
    assert room.there() == {}


def test_an_asker_that_has_ended_is_nobody(room: Room) -> None:
    """Its number could be anybody's by now; it is no second client of its terminal."""
    with subprocess.Popen(["true"]) as gone:
        os.waitid(os.P_PID, gone.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(Refused, match="has ended"):
            room.hello(gone.pid, who={"tty": "/dev/pts/3", "leader": 7})
        assert room.hello(gone.pid, "named")["id"] == "named"
    assert list(room.there()) == ["named"]


def test_what_the_dead_have_asked_for_is_nobodys(room: Room) -> None:
    """The last request of an agent, read after its end is known, brings back no client of its name; one of another does."""
    agent, other = room.terminal(), room.terminal()
    room.hello(agent, "bot", pid=agent)
    room.kill(agent)
    last: Any = Connection(agent, os.geteuid())
    with pytest.raises(Refused, match="has ended"):
        room.presence.client_of(last, {"client": "bot"})
    assert room.there() == {} and room.listener.freed == ["bot"]
    now: Any = Connection(other, os.geteuid())
    assert room.presence.client_of(now, {"client": "bot"}).id == "bot"
    assert room.presence.client_of(last, {"client": "bot"}).id == "bot"  # who lives and has that name


def test_who_ends_while_it_is_met(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen alive, and dead by the time its end is to be waited for: no client without a process is made of it."""

    def just_ended(pid: int, began: str | None) -> int | None:
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: seen(pid) is None)
        return end_of(pid, began)

    monkeypatch.setattr("gitsessiond.daemon.exits.end_of", just_ended)
    with pytest.raises(Refused, match="has ended"):
        room.hello(room.terminal())
    monkeypatch.undo()
    one = room.terminal()
    room.hello(one, "bot", pid=one)
    monkeypatch.setattr("gitsessiond.daemon.exits.end_of", just_ended)
    with pytest.raises(Refused, match="has ended"):
        room.hello(two := room.terminal(), "bot", pid=two)
    assert room.there() == {} and room.listener.freed == ["bot"]


def test_hostile_numbers_of_clients(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are refused once there are too many; whoever was there is there still."""
    monkeypatch.setattr("gitsessiond.model.clients.MOST", MOST)
    shell = room.terminal()
    mine = room.hello(shell)["id"]
    for number in range(MOST - 1):
        room.hello(None, f"a{number}")
    with pytest.raises(Refused):
        room.hello(None, "one more")
    stranger: Any = Connection(None, None)
    room.presence.notice(stranger, {"client": "one more"})
    assert room.hello(shell)["id"] == mine and len(room.there()) == MOST


def test_clients_of_a_real_daemon(bench: Workbench) -> None:
    """Two shells ask; the primary is killed, then the daemon: the other is primary, before and after."""
    script = "import sys; from gitsessiond.wire.client import Client; print(Client('.').call('client.hello', {})['client']['id'], flush=True)"
    words = ["sh", "-c", f'python -c "{script}" && exec sleep 600']
    shells = [subprocess.Popen(words, cwd=bench.root, stdout=subprocess.PIPE, start_new_session=True) for _ in range(2)]
    client = Client(str(bench.root))

    def there() -> dict[str, str]:
        return {one["id"]: one["role"] for one in client.call("client.list", {})["clients"]}

    try:
        ids = [shell.stdout.readline().decode().strip() for shell in shells if shell.stdout]
        roles = there()
        (primary,) = [one for one, role in roles.items() if role == "primary"]
        (other,) = set(roles) - {primary}
        assert set(ids) == {primary, other}
        shells[ids.index(primary)].kill()
        wait_for(lambda: there() == {other: "primary"})
        daemon, (*_, last) = client.call("ping", {})["pid"], client.events(None, False)
        end = os.pidfd_open(daemon)
        os.kill(daemon, signal.SIGKILL)
        assert select.select([end], [], [], 60)[0]  # all of its threads, and so its socket
        os.close(end)
        assert there() == {other: "primary"}
        types = [event["type"] for event in client.events(last["seq"], False)]
        assert "client_connected" not in types  # nobody came: it was there all the time
    finally:
        for shell in shells:
            shell.kill()
            shell.wait()
            if shell.stdout:
                shell.stdout.close()
