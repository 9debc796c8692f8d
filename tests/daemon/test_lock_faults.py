"""Locks where something goes wrong: replies that are lost, waiters that die, journals that cannot be written or read."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench import wait_for
from tests.daemon.test_front import Daemon
from tests.lockclient import Denied, Wire

TOP = Path(__file__).parent.parent.parent
WAITER = """
import sys
from tests.lockclient import Wire
wire = Wire(sys.argv[1], sys.argv[2])
wire.send("lock.acquire", resources=[{"name": sys.argv[3], "mode": "X"}], ttl=60, wait=60, request=None, reason=None)
print("asked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def daemon(repo: Path, tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(repo, tmp_path)
    made.start(repo)
    yield made
    made.end()


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Callable[[str], Wire]]:
    """Clients by name."""
    made: list[Wire] = []

    def one(name: str) -> Wire:
        made.append(Wire(str(daemon.repo / ".git"), name))
        return made[-1]

    yield one
    for wire in made:
        wire.drop()


def take(
    wire: Wire, *names: str, mode: str = "X", wait: float = 0, ttl: float = 60, request: str | None = None
) -> list[int]:
    """The tokens of locks acquired."""
    wanted = [{"name": name, "mode": mode} for name in names]
    ok = wire.call("lock.acquire", resources=wanted, ttl=ttl, wait=wait, request=request, reason=None)
    return [lock["token"] for lock in ok["locks"]]


def good(wire: Wire, name: str, token: int) -> bool:
    """Whether a token is taken for what it was given for."""
    try:
        wire.call("lock.check", names=[name], token=token)
    except Denied as exc:
        assert exc.error["code"] == "locked", exc.error
        return False
    return True


def listed(wire: Wire) -> dict[str, Any]:
    return wire.call("lock.list", name=None)


def kill(daemon: Daemon) -> None:
    """kill -9 the front process and start the next daemon."""
    assert daemon.process is not None
    os.kill(daemon.status()["pid"], signal.SIGKILL)
    daemon.process.wait(20)
    daemon.end()
    daemon.start(daemon.repo)


def test_who_asks_without_a_pause_keeps_nothing_else_waiting(daemon: Daemon, client: Callable[[str], Wire]) -> None:
    """While one asks for locks all the time saves are recorded, leases end, and who waited for one gets it."""
    busy, done = client("busy"), threading.Event()

    def ask() -> None:
        numbers = deque[int]()
        while not done.is_set() or numbers:
            if not done.is_set():
                numbers.append(busy.send("lock.release", names=["db/busy"]))
            if len(numbers) > 300 or done.is_set():  # there is always one more to be read
                busy.answer(numbers.popleft())

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        take(client("gone"), "db/a", ttl=0.2)
        take(client("next"), "db/a", wait=60)
        (daemon.repo / "saved.txt").write_text("x")
        assert wait_for(lambda: any("saved.txt" in batch["paths"] for batch in daemon.batches()))
        assert daemon.call("echo", x=1)["args"] == {"x": 1}
    finally:
        done.set()
        thread.join()


def test_request_whose_reply_was_lost_is_answered_again(daemon: Daemon, client: Callable[[str], Wire]) -> None:
    """The same words get the same token, also from the next daemon; and no token that is no good any more."""
    one = client("one")
    number = one.send("lock.acquire", resources=[{"name": "db/a", "mode": "X"}], ttl=60, wait=0, request="r1", reason=None)  # fmt: skip
    one.walk_off()  # whatever was answered to number, it was not read
    assert number > 0
    [token] = take(one, "db/a", request="r1")
    assert good(one, "db/a", token)
    kill(daemon)
    assert take(one, "db/a", request="r1") == [token]
    assert good(one, "db/a", token)
    one.call("lock.release", names=["db/a"])
    one.call("lock.release", names=["db/a"])  # this reply, too, may have been lost
    [other] = take(client("two"), "db/a")
    assert other > token
    with pytest.raises(Denied) as caught:
        take(one, "db/a", request="r1")
    assert caught.value.reason == "held"
    assert not good(one, "db/a", token)


@pytest.mark.soak
def test_tokens_rise_over_kills(daemon: Daemon, client: Callable[[str], Wire]) -> None:
    """No daemon gives a token that one before it gave, whatever is held meanwhile; locks outlive it."""
    one, two = client("one"), client("two")
    [kept] = take(two, "db/kept")
    last = kept
    for round_ in range(2):
        for _ in range(3):
            [token] = take(one, f"db/{round_}")
            assert token > last
            last = token
            one.call("lock.release", names=None, all=True)
        kill(daemon)
    assert good(two, "db/kept", kept)
    with pytest.raises(Denied) as caught:
        take(one, "db/kept")
    assert (caught.value.reason, caught.value.error["held"][0]["client"]) == ("held", "two")


@pytest.mark.soak
def test_dead_waiter_is_passed_over(daemon: Daemon, client: Callable[[str], Wire]) -> None:
    """A waiter is killed, and one walks off: neither waits any more, and who waited behind them is served."""
    holder, behind = client("holder"), client("behind")
    take(holder, "db/a")
    words = [sys.executable, "-c", WAITER, str(daemon.repo / ".git"), "killed", "db/a"]
    process = subprocess.Popen(words, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    gone = client("gone")
    gone.send("lock.acquire", resources=[{"name": "db/a", "mode": "X"}], ttl=60, wait=60, request=None, reason=None)
    wait_for(lambda: len(listed(holder)["waiting"]) == 2)
    number = behind.send("lock.acquire", resources=[{"name": "db/a", "mode": "X"}], ttl=60, wait=60, request=None, reason=None)  # fmt: skip
    wait_for(lambda: len(listed(holder)["waiting"]) == 3)
    process.kill()
    process.communicate()
    gone.walk_off()
    wait_for(lambda: [one["client"] for one in listed(holder)["waiting"]] == ["behind"])
    holder.call("lock.release", names=["db/a"])
    [lock] = behind.answer(number)["locks"]
    assert good(behind, "db/a", lock["token"])


@pytest.mark.soak
def test_dead_holder_frees_all_at_once(daemon: Daemon, client: Callable[[str], Wire]) -> None:
    """Its process is killed: what it held is free though its lease is long, and a waiter has it."""
    words = [sys.executable, "-c", WAITER, str(daemon.repo / ".git"), "killed", "path/src/"]
    process = subprocess.Popen(words, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    one = client("one")
    wait_for(lambda: [lock["client"] for lock in listed(one)["locks"]] == ["killed"])
    number = one.send("lock.acquire", resources=[{"name": "path/src/b.txt", "mode": "X"}], ttl=60, wait=60, request=None, reason=None)  # fmt: skip
    wait_for(lambda: listed(one)["waiting"])
    process.kill()
    process.communicate()
    assert one.answer(number)["locks"][0]["name"] == "path/src/b.txt"


@pytest.mark.soak
def test_disk_full(daemon: Daemon, client: Callable[[str], Wire]) -> None:
    """What cannot be written down is held in memory, and said to be; with room on the disk it outlives the daemon."""
    one, two = client("one"), client("two")
    [token] = take(one, "db/held")
    pid, state = daemon.status()["pid"], daemon.repo / ".git" / "gitsession"
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    try:
        [other] = take(two, "db/0")
        assert other > token and good(one, "db/held", token) and good(two, "db/0", other)
        with pytest.raises(Denied) as caught:
            take(one, "db/0")
        assert caught.value.reason == "held"
        assert listed(one)["degraded"] == daemon.status()["locks"]["degraded"]
        with pytest.raises(Denied) as caught:
            one.call("lock.break", name="db/0", reason="x", steal=True)
        assert caught.value.error["code"] == "store_failed"
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    assert state.is_dir()
    assert daemon.status()["pid"] == pid
    wait_for(lambda: "degraded" not in listed(one))
    kill(daemon)
    assert sorted(lock["name"] for lock in listed(one)["locks"]) == ["db/0", "db/held"]


@pytest.mark.soak
def test_pipelined_on_a_full_disk(daemon: Daemon, client: Callable[[str], Wire]) -> None:
    """A grant and its release in one packet, neither of which can be written down: who waits is served."""
    one, two = client("one"), client("two")
    take(two, "db/other")
    one.call("lock.list", name=None)
    pid = daemon.status()["pid"]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    try:
        os.kill(pid, signal.SIGSTOP)  # so that it reads all of them in one turn
        asked = {"resources": [{"name": "db/a", "mode": "X"}], "ttl": 60, "request": None, "reason": None}
        one.send("lock.acquire", wait=0, **asked)
        behind = two.send("lock.acquire", wait=60, **asked)
        released = one.send("lock.release", names=["db/a"])
        os.kill(pid, signal.SIGCONT)
        assert two.answer(behind)["degraded"] and one.answer(released)["released"] == ["db/a"]
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    assert daemon.status()["pid"] == pid
    wait_for(lambda: "degraded" not in listed(two))
    kill(daemon)
    assert [(lock["name"], lock["client"]) for lock in listed(two)["locks"]] == [("db/a", "two"), ("db/other", "two")]


@pytest.mark.soak
def test_release_on_a_full_disk(daemon: Daemon, client: Callable[[str], Wire]) -> None:
    """A release that cannot be written down frees all the same, and is written down with what came after it."""
    one, two = client("one"), client("two")
    take(one, "db/a")
    pid = daemon.status()["pid"]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    try:
        assert one.call("lock.release", names=["db/a"])["released"] == ["db/a"]
        [token] = take(two, "db/a")
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    wait_for(lambda: "degraded" not in listed(two))
    kill(daemon)
    assert [(lock["client"], lock["token"]) for lock in listed(two)["locks"]] == [("two", token)]


@pytest.mark.soak
@pytest.mark.parametrize("damage", ["garbage", "empty", "torn", "middle", "another", "directory", "pipe", "newer"])
def test_damaged_journal(daemon: Daemon, client: Callable[[str], Wire], damage: str) -> None:
    """Damage costs the locks at most: no token is given twice, the daemon lives, and what is newer is left alone."""
    one = client("one")
    [token] = take(one, "db/a")
    daemon.end()
    path = daemon.repo / ".git" / "gitsession" / "locks.journal"
    assert path.exists()
    spoil(path, damage)
    spoilt = path.read_bytes() if path.is_file() else None
    daemon.start(daemon.repo)
    assert daemon.call("echo", x=1)["args"] == {"x": 1}
    try:
        [after] = take(one, "db/b")
    except Denied as exc:
        assert exc.error["code"] == "unreadable", exc.error
        assert exc.error["hint"]
    else:
        assert damage != "newer"
        assert after > token
    if damage == "newer":
        assert path.read_bytes() == spoilt


def spoil(path: Path, damage: str) -> None:
    """Harm a journal that nobody has open."""
    content = path.read_bytes()
    first, _, _ = content.partition(b"\n")
    match damage:
        case "garbage":
            path.write_bytes(os.urandom(8192))
        case "empty":
            path.write_bytes(b"")
        case "middle":
            path.write_bytes(first + b"\n" + os.urandom(4096) + b"\n" + content)
        case "another":
            path.write_bytes(b"SQLite format 3\0" + bytes(4080))
        case "torn":
            path.write_bytes(content[:-20])
        case "directory":
            path.unlink()
            path.mkdir()
        case "pipe":
            path.unlink()
            os.mkfifo(path)
        case "newer":
            path.write_bytes(content.replace(b'"format": 1', b'"format": 9999'))


@pytest.mark.soak
def test_paused_daemon_ends_nobodys_lease_early(daemon: Daemon, client: Callable[[str], Wire]) -> None:
    """Front is stopped for longer than a lease: who gives a sign of life right after that still holds its lock."""
    one, two = client("one"), client("two")
    [token] = take(one, "db/a", ttl=1.0)
    pid = daemon.status()["pid"]
    number = two.send("lock.acquire", resources=[{"name": "db/a", "mode": "X"}], ttl=60, wait=60, request=None, reason=None)  # fmt: skip
    wait_for(lambda: listed(one)["waiting"])
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.3)
    one.send("lock.renew", names=None)
    os.kill(pid, signal.SIGCONT)
    assert good(one, "db/a", token)
    one.call("lock.release", names=["db/a"])
    assert two.answer(number)["locks"]
