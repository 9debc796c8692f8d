"""Followers of a real front: across its ends, with filters, and how many there may be."""

from __future__ import annotations

import resource
import time
from contextlib import ExitStack
from typing import Any

import pytest

from gitsessiond.daemon.clients import SPARE
from gitsessiond.daemon.descriptors import connections_with_room
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.wire.client import Talk, dial
from gitsessiond.wire.place import find_place
from gitsessiond.wire.requests import request
from tests.bench import wait_for
from tests.daemon.test_front import Daemon, daemon

__all__ = ["daemon"]


def save(daemon: Daemon, text: str) -> None:
    (daemon.repo / "a.txt").write_text(text)
    daemon.call("echo")


def followed(daemon: Daemon, stack: ExitStack) -> tuple[Talk, dict[str, Any]]:
    """A connection that asked to follow, and the reply."""
    connection = dial(find_place(str(daemon.repo)))
    assert connection is not None
    stack.enter_context(connection)
    talk = Talk(connection)
    talk.send(request("events", {"follow": True}, {}))
    reply = talk.next(20)
    assert reply is not None
    return talk, reply


def test_a_follower_goes_on_with_the_next_daemon(daemon: Daemon) -> None:
    """Stopped or killed, and whatever was saved before anybody followed again: each event once, no number left out."""
    daemon.start(daemon.repo)
    daemon.call("echo")
    turns = []

    def next_one() -> None:
        """The daemon has ended; another one begins, and tells something at once."""
        turns.append(True)
        daemon.end()
        daemon.start(daemon.repo)
        daemon.call("echo")
        save(daemon, f"turn {len(turns)}")

    save(daemon, "first")
    stream = daemon.client.events(0, True, {"types": ["saved"]}, next_one)
    heard = [next(stream)]
    daemon.call("daemon.stop")
    heard.append(next(stream))
    assert daemon.process is not None
    daemon.process.kill()
    heard.append(next(stream))
    numbers = [event["seq"] for event in heard]
    assert len(turns) == 2 and len(set(numbers)) == 3, heard
    told = daemon.client.events(0, False, {"types": ["saved"]})
    assert [event["seq"] for event in told] == numbers


def test_only_so_many_may_stay(daemon: Daemon) -> None:
    """The third follower of two gets a clear refusal; commands are answered all the same; who leaves makes room."""
    daemon.start(daemon.repo, git={"gitsession.maxConnections": "2"})
    with ExitStack() as stack:
        assert "ok" in followed(daemon, stack)[1] and "ok" in followed(daemon, stack)[1]
        refused = followed(daemon, stack)[1]
        assert (
            refused["error"]["message"] == "the daemon has 2 connections, as many as it may (gitsession.maxConnections)"
        )
        assert refused["error"]["exit"] == 4
        assert refused["error"]["hint"].splitlines() == [
            "git config gitsession.maxConnections 4",
            "git session daemon stop",
        ]
        assert daemon.call("echo", x=1)["args"] == {"x": 1}
        with pytest.raises(BadRequest):
            list(daemon.client.events(0, False, {"channel": "news"}))
        idle = [dial(find_place(str(daemon.repo))) for _ in range(SPARE - 1)]
        for connection in idle:
            assert connection is not None
            stack.enter_context(connection)
        with pytest.raises(Refused, match="as many as it may"):
            daemon.call("echo")
    assert wait_for(lambda: "ok" in ask_to_follow(daemon))


def ask_to_follow(daemon: Daemon) -> dict[str, Any]:
    with ExitStack() as stack:
        return followed(daemon, stack)[1]


def test_room_for_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's limit is raised as far as it goes; beyond that there is room for fewer."""
    limits, asked = (1024, 4096), list[tuple[int, int]]()
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda which, wanted: asked.append(wanted))
    assert connections_with_room(100) == 100 and not asked
    assert connections_with_room(1000) == 1000 and asked == [(2128, 4096)]
    limits = (256, 1024)
    assert connections_with_room(1000) == 448 and asked[-1] == (1024, 1024)

    def refuse(which: int, wanted: tuple[int, int]) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert connections_with_room(1000) == 64
    limits = (64, 64)
    assert connections_with_room(1000) == 1


@pytest.mark.soak
@pytest.mark.alone
def test_a_thousand_followers(daemon: Daemon) -> None:
    """Each of 1,000 hears each of 50 events in order, while requests are answered; the next one is refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 3000:
        pytest.skip(f"at most {hard} open files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    daemon.start(daemon.repo)
    daemon.call("echo")
    with ExitStack() as stack:
        talks = []
        for _ in range(1000):
            talk, reply = followed(daemon, stack)
            assert "ok" in reply
            talks.append(talk)
        assert followed(daemon, stack)[1]["error"]["code"] == "refused"
        took = []
        for turn in range(50):
            (daemon.repo / "a.txt").write_text(f"{turn}")
            began = time.monotonic()
            daemon.call("ping")
            took.append(time.monotonic() - began)
            daemon.call("echo")
        first = []
        for talk in talks:
            found = [talk.next(20) for _ in range(50)]
            assert all(event is not None for event in found)
            first.append([event["seq"] for event in found if event is not None])
        assert first[0] == list(range(first[0][0], first[0][0] + 50))
        assert all(numbers == first[0] for numbers in first)
        print(f"ping beside the fan-out: median {sorted(took)[25] * 1e3:.1f} ms, worst {max(took) * 1e3:.1f} ms")
        assert sorted(took)[25] < 0.5
