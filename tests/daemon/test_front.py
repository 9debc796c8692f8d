"""Front as a process over a fake recorder: barrier, order, deaths, strangers, events, its end."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from gitsessiond.daemon.asking import Asking
from gitsessiond.daemon.barrier import Barrier
from gitsessiond.daemon.clients import Clients
from gitsessiond.daemon.events import Events
from gitsessiond.daemon.figures import Parts
from gitsessiond.daemon.front import Front
from gitsessiond.daemon.outbox import READ_WAITS_S, Outbox
from gitsessiond.daemon.own import Own
from gitsessiond.daemon.recorder import run_recorder
from gitsessiond.daemon.tally import Tally
from gitsessiond.model.errors import BadRequest, Bug, GitSessionError, Refused, Unreachable
from gitsessiond.wire import requests
from gitsessiond.wire.client import Client, Talk, dial
from gitsessiond.wire.frames import Decoder, encode
from gitsessiond.wire.place import find_place, read_pointer
from gitsessiond.wire.requests import request
from tests.bench import wait_for

FAKE = Path(__file__).parent / "fake_daemon.py"


class Daemon:
    """A front process over a fake recorder, for one repository."""

    def __init__(self, repo: Path, tmp_path: Path) -> None:
        self.repo, self.notes_path = repo, tmp_path / "notes"
        self.client = Client(str(repo), autostart=False)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *worktrees: Path, **settings: Any) -> None:
        argv = [sys.executable, FAKE, self.repo / ".git", self.notes_path, json.dumps(settings), *worktrees]
        self.process = subprocess.Popen([os.fspath(word) for word in argv], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def call(self, verb: str, **args: Any) -> dict[str, Any]:
        return self.client.call(verb, args)

    def status(self) -> dict[str, Any]:
        return self.call("daemon.status")

    def notes(self) -> list[dict[str, Any]]:
        if not self.notes_path.exists():
            return []
        return [json.loads(line) for line in self.notes_path.read_text().splitlines()]

    def batches(self) -> list[dict[str, Any]]:
        return [note["batch"] for note in self.notes() if "batch" in note]

    def talk(self) -> Talk:
        connection = dial(find_place(str(self.repo)))
        assert connection is not None
        return Talk(connection)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        if self.process is not None and self.process.stdout:
            self.process.stdout.close()


@pytest.fixture
def daemon(repo: Path, tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(repo, tmp_path)
    yield made
    made.end()


def test_first_batch_is_a_scan(daemon: Daemon) -> None:
    """Before the first request the recorder has looked at every worktree, after its watches were in place."""
    daemon.start(daemon.repo)
    assert daemon.call("echo", x=1)["args"] == {"x": 1}
    first, *rest = daemon.notes()
    assert first["batch"] == {"n": 1, "worktree": str(daemon.repo), "paths": [], "scan": True, "git": True}
    assert [list(note) for note in rest] == [["request"]]


def test_command_sees_every_save_before_it(daemon: Daemon) -> None:
    """Each of 100 saves is with the recorder before the request that was made right after it."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    for n in range(50):
        (daemon.repo / "a.txt").write_text(f"{n}")
        (daemon.repo / f"new{n}").write_text("x")
        daemon.call("echo", n=n)
        told = [path for batch in daemon.batches() if not batch["scan"] for path in batch["paths"]]
        assert told.count("a.txt") == n + 1
        assert f"new{n}" in told
    assert daemon.status()["scans"] == 1


@pytest.mark.alone
def test_save_without_any_command(daemon: Daemon) -> None:
    """A save of a known file is with the recorder within milliseconds; saves 200 ms apart are batches apart."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    took = []
    for n in range(10):
        started = time.monotonic()
        (daemon.repo / "a.txt").write_text(f"{n}")
        wait_for(lambda n=n: sum(batch["paths"] == ["a.txt"] for batch in daemon.batches()) == n + 1)
        took.append(time.monotonic() - started)
        time.sleep(max(0.0, 0.2 - took[-1]))
    assert sorted(took)[5] < 0.1, took


@pytest.mark.alone
def test_barrier_costs_little(daemon: Daemon) -> None:
    """When nothing has changed, no file is looked at and the barrier adds a few milliseconds at most."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    took = []
    for _ in range(30):
        started = time.monotonic()
        daemon.call("echo")
        took.append(time.monotonic() - started)
    assert len(daemon.batches()) == 1
    assert sorted(took)[15] < 0.05, took


def test_requests_of_many_clients(daemon: Daemon) -> None:
    """Twenty clients at once each get their own reply."""
    daemon.start(daemon.repo)
    found: dict[int, Any] = {}

    def ask(n: int) -> None:
        for k in range(5):
            found[n, k] = Client(str(daemon.repo), autostart=False).call("echo", {"n": [n, k]})["args"]["n"]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {(n, k): [n, k] for n in range(20) for k in range(5)}


def test_bad_frames_end_nothing(daemon: Daemon) -> None:
    """Garbage on a connection gets an error for each line, and the same connection goes on."""
    daemon.start(daemon.repo)
    connection = dial(find_place(str(daemon.repo)))
    assert connection is not None
    talk = Talk(connection)
    for bad in (
        b"nonsense\n",
        b"[]\n",
        b'{"v":2,"id":5,"verb":"echo"}\n',
        b'{"v":1,"id":6}\n',
        b'{"v":1,"id":7,"verb":"echo","args":3}\n',
    ):
        connection.sendall(bad)
        reply = talk.next(10)
        assert reply is not None
        assert reply["error"]["exit"] == 2
    for number in (b"[" * 900 + b"]" * 900, b"1e999", b'{"a":[]}', b'"' + b"x" * 300 + b'"', b'"\\ud800"'):
        connection.sendall(b'{"v":1,"verb":"ping","id":' + number + b"}\n")
        reply = talk.next(10)
        assert reply is not None
        assert (reply["id"], reply["error"]["code"]) == (None, "usage")
    talk.send(request("echo", {"x": 1}, {}, number=9))
    reply = talk.next(10)
    assert reply is not None
    assert (reply["id"], reply["ok"]["args"]) == (9, {"x": 1})


def test_who_reads_no_answer_is_heard_no_more(daemon: Daemon) -> None:
    """Answers that wait for their asker do not grow without end; what it asked is answered once it reads."""
    daemon.start(daemon.repo)
    connection = dial(find_place(str(daemon.repo)))
    assert connection is not None
    line, sent = encode(request("ping", {}, {})) * 1000, 0
    connection.settimeout(0.2)
    with pytest.raises(TimeoutError):
        while sent < 16 << 20:
            sent += connection.send(line)
            daemon.call("ping")
    talk, answers = Talk(connection), 0
    asked = sent // (len(line) // 1000)
    while answers < asked:
        assert (talk.next(20) or {})["id"] == 1
        answers += 1


@pytest.mark.parametrize("word", ["batch", "cancel", "watch", "event", "failed", "recorded"])
def test_client_makes_no_frame_of_the_pipes_own(daemon: Daemon, word: str) -> None:
    """A request with words of what front and recorder say to each other is a request; these do not reach the pipe."""
    daemon.start(daemon.repo)
    talk = daemon.talk()
    talk.send({**request("echo", {"x": 1}, {}, number=9), word: {"n": 1}, "left": 7})
    reply = talk.next(10)
    assert reply is not None
    assert (reply["id"], reply["ok"]["args"], reply["ok"]["left"]) == (9, {"x": 1}, 0)


def test_request_that_nobody_foresaw_ends_nothing() -> None:
    """Where front itself fails over a request, its asker is told so, and front goes on."""
    front, link, sent = MagicMock(), MagicMock(), []
    front._own.answer.side_effect = KeyError("boom")
    front._clients.send.side_effect = lambda link, message: sent.append(message)
    Front._heard(front, link, request("ping", {}, {}, number=3))
    assert [(one["id"], one["error"]["code"]) for one in sent] == [(3, "bug")]


def test_replies_carry_the_clients_ids(daemon: Daemon) -> None:
    """Several requests on one connection, ids of any kind: each reply has its own."""
    daemon.start(daemon.repo)
    talk = daemon.talk()
    for number in (1, "two", None, 4.5):
        talk.send({"v": 1, "id": number, "verb": "echo", "args": {"n": number}, "who": {}})
    for number in (1, "two", None, 4.5):
        reply = talk.next(10)
        assert reply is not None
        assert (reply["id"], reply["ok"]["args"]["n"]) == (number, number)


def test_dead_recorder_is_begun_again(daemon: Daemon) -> None:
    """kill -9 of the recorder: the next command is answered, and everything was looked at again."""
    daemon.start(daemon.repo)
    first = daemon.call("echo")["pid"]
    os.kill(first, signal.SIGKILL)
    (daemon.repo / "a.txt").write_text("meanwhile")
    second = daemon.call("echo")["pid"]
    assert second != first
    assert [batch["scan"] for batch in daemon.batches()].count(True) >= 2
    assert any(event["type"] == "recorder_restarted" for event in daemon.client.events(0, False))


def test_request_in_flight_when_the_recorder_dies(daemon: Daemon, tmp_path: Path) -> None:
    """Reading is asked once more; anything else fails with the advice to run it again."""
    daemon.start(daemon.repo)
    assert daemon.call("session.status", once=str(tmp_path / "once"))["args"]
    with pytest.raises(Unreachable, match="ended while it was at work") as failed:
        daemon.call("echo", once=str(tmp_path / "twice"))
    assert failed.value.hint == "run the command again"
    assert daemon.call("echo")["args"] == {}


def test_recorder_that_always_dies(daemon: Daemon) -> None:
    """A request that kills the recorder each time does not make front start it for ever; later ones are answered."""
    daemon.start(daemon.repo)
    for _ in range(6):
        with pytest.raises(Unreachable):
            daemon.call("die")
    assert daemon.call("echo")["args"] == {}


def test_recorder_that_cannot_open(daemon: Daemon) -> None:
    """Every request gets the recorder's own error, until the cause is gone."""
    broken = Path(f"{daemon.notes_path}.broken")
    broken.touch()
    daemon.start(daemon.repo)
    for _ in range(2):
        with pytest.raises(Refused, match="the state is broken"):
            daemon.call("echo")
    broken.unlink()
    assert daemon.call("echo")["args"] == {}


def test_bug_in_the_recorder(daemon: Daemon) -> None:
    """An exception nobody foresaw is an error for who asked; in a batch it is retried by a scan."""
    daemon.start(daemon.repo)
    with pytest.raises(Bug, match="nobody foresaw"):
        daemon.call("fail")
    scans = daemon.status()["scans"]
    (daemon.repo / "explode").write_text("x")
    daemon.call("echo")
    daemon.call("echo")
    assert daemon.status()["scans"] == scans + 1


def test_hook_may_not_ask(daemon: Daemon) -> None:
    """A request from a child of the recorder, which waits for it, is refused instead of waiting for ever."""
    daemon.start(daemon.repo)
    out = daemon.repo.parent / "said"
    code = f"""
from gitsessiond.wire.client import Client
from gitsessiond.model.errors import Refused
try:
    Client({str(daemon.repo)!r}, autostart=False).call("echo", {{}})
except Refused as exc:
    open({str(out)!r}, "w").write(exc.message)
"""
    (daemon.repo.parent / "hook.py").write_text(code)
    assert daemon.call("run", command=f"{sys.executable} {daemon.repo.parent / 'hook.py'}")["code"] == 0
    assert "hook" in out.read_text()


def test_impatient_client_is_forgotten(daemon: Daemon, tmp_path: Path) -> None:
    """What a client asked before it went away is not begun; what was begun is finished."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    first, second = daemon.talk(), daemon.talk()
    first.send(request("sleep", {"until": str(tmp_path / "go")}, {}))
    wait_for(lambda: any(note.get("request", {}).get("verb") == "sleep" for note in daemon.notes()))
    second.send(request("echo", {"never": 1}, {}))
    daemon.call("ping")
    second._connection.close()
    first._connection.close()
    wait_for(lambda: daemon.call("ping"))
    (tmp_path / "go").touch()
    daemon.call("echo", last=1)
    assert not any(note.get("request", {}).get("args", {}).get("never") for note in daemon.notes())


def test_new_worktrees_are_watched_before_the_reply(daemon: Daemon, tmp_path: Path) -> None:
    """When a request made a worktree recorded, a save right after its reply is seen by an event of its own."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "f").write_text("x")
    daemon.start(daemon.repo)
    daemon.call("watch", worktrees=[str(daemon.repo), str(other)])
    (other / "f").write_text("y")
    wait_for(lambda: any(batch["paths"] == ["f"] for batch in daemon.batches()))
    assert daemon.status()["sessions"] == 2
    daemon.call("watch", worktrees=[str(daemon.repo)])
    before = len(daemon.batches())
    (other / "f").write_text("z")
    daemon.call("echo")
    assert len(daemon.batches()) == before


def test_pruned_directories(daemon: Daemon) -> None:
    """A directory the recorder prunes is watched no longer."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    (daemon.repo / "built").mkdir()
    (daemon.repo / "built" / "f").write_text("x")
    daemon.call("echo")
    daemon.call("echo")
    before = len(daemon.batches())
    (daemon.repo / "built" / "f").write_text("y")
    daemon.call("echo")
    assert len(daemon.batches()) == before


def test_reader_does_not_wait_for_a_long_queue(daemon: Daemon) -> None:
    """While much is queued a reading verb goes first after a while, told what is left; a writing one waits for all."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    hold = Path(f"{daemon.notes_path}.hold")
    hold.touch()
    (daemon.repo / "a.txt").write_text("held")
    wait_for(lambda: any(batch["paths"] == ["a.txt"] for batch in daemon.batches()))
    for n in range(5000):
        os.close(os.open(daemon.repo / f"f{n}", os.O_CREAT))
    replies: dict[str, Any] = {}
    verbs = ("session.status", "echo")
    threads = [threading.Thread(target=lambda verb=verb: replies.update({verb: daemon.call(verb)})) for verb in verbs]
    for thread in threads:
        thread.start()
    wait_for(lambda: daemon.status()["left"] == 5000)
    time.sleep(READ_WAITS_S + 0.1)  # its patience is what is tested
    hold.unlink()
    for thread in threads:
        thread.join()
    assert replies["session.status"]["left"] >= 3000
    assert replies["echo"]["left"] == 0
    told = [path for batch in daemon.batches() for path in batch["paths"]]
    assert len(told) == 5001
    assert max(len(batch["paths"]) for batch in daemon.batches()) == 2000


def test_events_since_and_follow(daemon: Daemon) -> None:
    """Events have growing numbers, also across daemons; followers get each one as it happens."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    stream = daemon.client.events(0, True)
    (daemon.repo / "a.txt").write_text("x")
    first = next(stream)
    assert (first["v"], first["type"], first["paths"]) == (1, "saved", ["a.txt"])
    (daemon.repo / "a.txt").write_text("y")
    second = next(stream)
    assert second["seq"] == first["seq"] + 1
    assert [event["seq"] for event in daemon.client.events(first["seq"], False)] == [second["seq"]]
    daemon.call("daemon.stop")
    assert list(stream) == []
    daemon.end()
    daemon.start(daemon.repo)
    daemon.call("echo")
    (daemon.repo / "a.txt").write_text("z")
    third = wait_for(lambda: list(daemon.client.events(second["seq"], False)))
    assert third[0]["seq"] == second["seq"] + 1, "no number is left out"
    assert [event["seq"] for event in daemon.client.events(0, False)][:2] == [first["seq"], second["seq"]]
    with pytest.raises(BadRequest):
        daemon.call("events", since="x")


def test_stop_finishes_what_was_saved(daemon: Daemon) -> None:
    """daemon.stop: the last saves are recorded, the recorder closes, socket and pointer are gone, then the reply comes."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    (daemon.repo / "a.txt").write_text("last")
    assert daemon.call("daemon.stop") == {"stopped": True}
    assert daemon.notes()[-1] == {"closed": True}
    assert any("a.txt" in batch["paths"] for batch in daemon.batches())
    assert read_pointer(find_place(str(daemon.repo))) is None
    assert daemon.process is not None
    assert daemon.process.wait(20) == 0
    with pytest.raises(Unreachable):
        daemon.call("echo")


def test_terminated_and_killed(daemon: Daemon) -> None:
    """After SIGTERM and after kill -9 a new daemon begins without a hand, when the old recorder is gone."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    assert daemon.process is not None
    daemon.process.terminate()
    assert daemon.process.wait(20) == 0
    daemon.end()
    daemon.start(daemon.repo)
    recorder = daemon.call("echo")["pid"]
    daemon.process.kill()
    daemon.process.wait(20)
    daemon.end()
    daemon.start(daemon.repo)
    assert daemon.call("echo")["pid"] != recorder
    closed = [index for index, note in enumerate(daemon.notes()) if note == {"closed": True}]
    asked = [index for index, note in enumerate(daemon.notes()) if "request" in note]
    assert closed[1] < asked[2], "two recorders at once"


def test_uninstall_removes_everything(daemon: Daemon) -> None:
    """A hard uninstall ends the daemon and its directory before it is answered."""
    daemon.start(daemon.repo)
    assert daemon.call("uninstall", hard=True)["hard"]
    assert not (daemon.repo / ".git" / "gitsession").exists()


def test_moved_repository(daemon: Daemon) -> None:
    """A repository that was moved is noticed by the next request, which is told to start another daemon."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    moved = daemon.repo.parent / "moved"
    os.rename(daemon.repo, moved)
    talk = Talk(dial(find_place(str(moved))) or pytest.fail("no daemon"))
    talk.send(request("echo", {}, {}))
    reply = talk.next(10)
    assert reply is not None
    assert reply["error"]["again"] is True
    assert daemon.process is not None
    assert daemon.process.wait(20) == 0


def test_copied_repository_is_another(daemon: Daemon) -> None:
    """A copy's pointer file, copied along, does not lead to the original's daemon."""
    daemon.start(daemon.repo)
    copy = daemon.repo.parent / "copy"
    subprocess.run(["cp", "-a", daemon.repo, copy], check=True)
    assert dial(find_place(str(daemon.repo))) is not None
    assert dial(find_place(str(copy))) is None


def test_deleted_repository_ends_the_daemon(daemon: Daemon) -> None:
    """rm -rf of the repository ends its daemon, also where a file noted meanwhile makes rm begin again."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    wait_for(lambda: subprocess.run(["rm", "-rf", str(daemon.repo)], check=False).returncode == 0)
    assert daemon.process is not None
    daemon.process.wait(30)
    assert not daemon.repo.exists()


def test_idle_daemon_leaves(daemon: Daemon) -> None:
    """With no session open the daemon leaves after the set time, with one it stays."""
    daemon.start(idle_exit_s=0.3)
    daemon.call("echo")
    assert daemon.process is not None
    assert daemon.process.wait(20) == 0


def test_rest_costs_nothing(daemon: Daemon) -> None:
    """At rest front takes no processor time, and at most 30 MB."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    pid = daemon.status()["pid"]

    def ticks() -> int:
        return sum(int(word) for word in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])

    before = ticks()
    time.sleep(1.0)
    assert ticks() - before <= 1
    assert daemon.status()["front_rss_mb"] <= 30


def test_polling_scans_before_each_request(daemon: Daemon) -> None:
    """Where a worktree is polled every request is preceded by a look at everything, and the status says so."""
    daemon.start(daemon.repo, poll=True)
    daemon.call("echo")
    (daemon.repo / "a.txt").write_text("x")
    daemon.call("echo")
    assert [batch["scan"] for batch in daemon.batches()].count(True) >= 2
    assert daemon.status()["watcher"] == "polling (gitsession.watch = poll)"


def test_periodic_scan(daemon: Daemon) -> None:
    """Every so often everything is looked at, whatever the events say."""
    daemon.start(daemon.repo, scan_every_s=0.2)
    wait_for(lambda: [batch["scan"] for batch in daemon.batches()].count(True) >= 3)


def test_a_client_that_comes_as_the_daemon_leaves(tmp_path: Path) -> None:
    """The loop may still be about to take a connection when the listener is closed: that ends nothing."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    listener.setblocking(False)
    with selectors.DefaultSelector() as select:
        clients = Clients(select, listener, lambda link, frame: None, lambda link: None)
        take = select.get_key(listener).data
        clients.take_no_more()
        listener.close()
        assert take(selectors.EVENT_READ) is False


def test_a_stop_in_front_of_the_barrier_is_not_forgotten(tmp_path: Path) -> None:
    """The recorder dies while a stop waits for its cookie: the daemon stops all the same."""
    stopped: list[bool] = []
    watch: Any = SimpleNamespace(can_cookie=True, progress=0)
    worktrees: Any = MagicMock(adding=False)
    worktrees.__len__.return_value = 1
    asking = Asking(MagicMock(), Barrier(str(tmp_path), watch), worktrees, Outbox(), lambda: stopped.append(True))
    asking.put_stop(0.0)
    asking.begin(0.0)
    asking.fail(Unreachable("the recorder ended"), None)
    assert stopped == [True] and asking.idle and not list(tmp_path.iterdir())


def test_a_follower_that_has_left_is_not_followed(tmp_path: Path) -> None:
    """A reply that cannot be sent ends the following that it was to begin."""
    events = Events(str(tmp_path), lambda link, frames: None)
    clients: Any = MagicMock()
    clients.send.side_effect = lambda link, message: events.leave(link)
    parts = Parts(clients, events, MagicMock(), MagicMock(), MagicMock(), Tally(), {}, "1", "", "")
    link: Any = object()
    Own(parts, MagicMock()).answer(link, 1, "events", {"follow": True})
    assert not events.followers


def test_an_event_too_long_to_tell_undoes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told has happened: that it cannot be told is no failure of it."""
    ours, theirs = socket.socketpair()
    told: list[Any] = []

    def open_recorder(tell: Any) -> Any:
        tell({"event": {"text": float("nan")}})
        tell({"event": {"text": "next"}})
        raise Refused("that is all")

    with ours:
        run_recorder(theirs, open_recorder)
        theirs.close()
        told = Decoder().feed(ours.recv(1 << 16))
    assert [next(iter(one)) for one in told] == ["event", "failed"]


def test_reads_are_verbs_of_the_desk() -> None:
    """What front takes for reading only is answered by the desk."""
    from gitsessiond.daemon.dispatch import VERBS

    assert set(VERBS) >= requests.READS


def test_front_loads_nothing_heavy() -> None:
    """Front never loads pygit2, pydantic, click or asyncio; SQLite keeps its locks."""
    code = "import sys, gitsessiond.daemon.front_process; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split())
    assert "gitsessiond.daemon.front" in loaded
    assert not loaded & {"pygit2", "pydantic", "click", "asyncio"}


def test_error_crosses_the_socket_whole(daemon: Daemon) -> None:
    """The client raises the child of GitSessionError that the code names."""
    daemon.start(daemon.repo)
    with pytest.raises(GitSessionError) as caught:
        daemon.call("fail")
    assert (type(caught.value), caught.value.exit_code) == (Bug, 70)
    assert encode(caught.value.as_dict())


def test_strange_requests_end_nothing(daemon: Daemon) -> None:
    """Frames that are JSON but mean nothing, or are nested as deep as JSON can be read, leave front as it was."""
    daemon.start(daemon.repo)
    pid = daemon.status()["pid"]
    connection = dial(find_place(str(daemon.repo)))
    assert connection is not None
    deep = b'{"v":1,"id":1,"verb":"echo","args":{"a":' + b"[" * 960 + b"]" * 960 + b"}}"
    odd = [
        deep,
        b'{"v":1,"id":{"a":[1]},"verb":"echo","args":{},"who":7}',
        b'{"v":1,"id":1,"verb":"events","args":{"since":-1}}',
        b'{"v":1,"id":1,"verb":"events","args":{"since":1e300}}',
        b'{"v":true,"id":1,"verb":"batch","args":{}}',
        b'{"v":1,"id":1,"verb":"","args":{}}',
        b'{"v":1,"id":1,"verb":"echo","args":{"t":"\\udcff\\ud800"}}',
        b'{"batch":{"worktree":"/","paths":[]}}',
        b'{"v":1,"recorded":{}}',
    ]
    connection.sendall(b"\n".join(odd) + b"\n")
    connection.settimeout(20)
    said = b""
    while said.count(b"\n") < len(odd):
        said += connection.recv(1 << 16)
    assert daemon.call("ping")["pid"] == pid
    assert daemon.call("echo", x=1)["args"] == {"x": 1}


def test_requests_while_the_daemon_leaves(daemon: Daemon, tmp_path: Path) -> None:
    """Who is connected when the daemon stops is told to ask another one, not just cut off."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    busy, late, stopper = daemon.talk(), daemon.talk(), daemon.talk()
    busy.send(request("sleep", {"until": str(tmp_path / "go")}, {}))
    wait_for(lambda: any(note.get("request", {}).get("verb") == "sleep" for note in daemon.notes()))
    stopper.send(request("daemon.stop", {}, {}))
    wait_for(lambda: read_pointer(find_place(str(daemon.repo))) is None)
    late.send(request("echo", {}, {}))
    reply = late.next(10)
    assert reply is not None
    assert reply["error"]["again"] is True
    (tmp_path / "go").touch()
    done, stopped = busy.next(10), stopper.next(10)
    assert done is not None
    assert "ok" in done
    assert stopped is not None
    assert stopped["ok"] == {"stopped": True}


def test_overflow_loses_nothing(daemon: Daemon) -> None:
    """When the kernel dropped events, everything is looked at before the next request, and new directories are watched."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    before, pid = daemon.status(), daemon.status()["pid"]
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    for n in range(limit):  # twice as many events as the queue holds: a thread may read on until it is stopped
        os.close(os.open(daemon.repo / f"f{n}", os.O_CREAT | os.O_WRONLY))
    (daemon.repo / "unseen" / "deep").mkdir(parents=True)
    os.kill(pid, signal.SIGCONT)
    daemon.call("echo", after=1)
    now = daemon.status()
    assert now["overflows"] > 0
    assert now["scans"] > before["scans"]
    *_, scan, asked = [
        note
        for note in daemon.notes()
        if note.get("batch", {}).get("scan") or note.get("request", {}).get("verb") == "echo"
    ]
    assert (scan["batch"]["scan"], asked["request"]["args"]) == (True, {"after": 1})
    (daemon.repo / "unseen" / "deep" / "f").write_text("x")
    wait_for(lambda: any("unseen/deep/f" in batch["paths"] for batch in daemon.batches()))


@pytest.mark.parametrize("count", [2000, pytest.param(50_000, marks=pytest.mark.soak)])
def test_burst_loses_no_final_state(daemon: Daemon, count: int) -> None:
    """However many files are written as fast as it goes, each is told after its last write, or all are looked at."""
    for n in range(count // 100):
        (daemon.repo / f"d{n}").mkdir()
        for k in range(100):
            os.close(os.open(daemon.repo / f"d{n}" / f"f{k}", os.O_CREAT))
    daemon.start(daemon.repo)
    daemon.call("echo")
    before = len(daemon.notes())
    code = f"""
import os
for n in range({count // 100}):
    for k in range(100):
        os.close(os.open(f"d{{n}}/f{{k}}", os.O_WRONLY | os.O_TRUNC))
"""
    subprocess.run([sys.executable, "-c", code], cwd=daemon.repo, check=True)
    daemon.call("echo")
    batches = [note["batch"] for note in daemon.notes()[before:] if "batch" in note]
    told = {path for batch in batches for path in batch["paths"]}
    scanned = any(batch["scan"] for batch in batches)
    assert len(told) == count or (scanned and daemon.status()["overflows"] > 0)
