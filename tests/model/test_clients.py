"""Who is at work: who lives, who is primary, who is forgotten; time comes from the test."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitsessiond.model.clients import (
    MISSED,
    MOST,
    Change,
    Client,
    Clients,
    checked_kind,
    checked_name,
    checked_ttl,
    patience_of,
)
from gitsessiond.model.errors import BadRequest, Refused


def agent(name: str, **changes: Any) -> Client:
    """One that has to give signs of life."""
    return Client(name, "agent", name, **changes)


def shell(number: int) -> Client:
    """A terminal, whose shell shows that it lives."""
    return Client(f"pts-{number}", "terminal", None, pid=number, began="1", tty=f"/dev/pts/{number}")


def told(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.what, change.client.id) for change in changes]


def test_the_first_is_primary_and_the_oldest_that_lives_comes_after_it() -> None:
    """Roles: first come; when the primary goes, the oldest one, not the one heard last."""
    clients = Clients()
    assert told(clients.meet(shell(1), 0)) == [("connected", "pts-1"), ("promoted", "pts-1")]
    assert told(clients.meet(shell(2), 1)) == [("connected", "pts-2")]
    assert told(clients.meet(shell(3), 2)) == [("connected", "pts-3")]
    assert told(clients.meet(shell(2), 9)) == []
    assert told(clients.leave("pts-3")) == [("disconnected", "pts-3")]
    clients.meet(shell(4), 10)
    assert told(clients.leave("pts-1")) == [("disconnected", "pts-1"), ("promoted", "pts-2")]
    assert clients.leave("pts-1") == []
    assert told(clients.leave("pts-2")) == [("disconnected", "pts-2"), ("promoted", "pts-4")]
    assert told(clients.leave("pts-4")) == [("disconnected", "pts-4")] and clients.primary is None


def test_three_missed_heartbeats_are_a_death_and_a_word_is_a_return() -> None:
    """Its role goes; what it is stays until it is forgotten; coming back it is no primary."""
    clients = Clients()
    clients.meet(agent("a", heartbeat=10, keep=1000), 0)
    clients.meet(shell(2), 1)
    assert clients.next_look() == 30
    assert clients.tick(29.9) == [] and clients.state("a") == "live"
    assert told(clients.tick(30)) == [("silent", "a"), ("promoted", "pts-2")]
    assert clients.state("a") == "silent" and clients.tick(500) == []
    assert told(clients.meet(agent("a", heartbeat=10, keep=1000), 600)) == [("connected", "a")]
    assert clients.primary == "pts-2" and clients.state("a") == "live"
    assert told(clients.tick(630)) == [("silent", "a")]
    assert told(clients.tick(1600)) == [("disconnected", "a")] and clients.get("a") is None
    assert clients.next_look() is None  # the shell's process is watched, not timed


def test_any_word_is_a_sign_of_life() -> None:
    """Patience begins anew with each."""
    clients = Clients()
    for now in range(0, 200, 20):
        clients.meet(agent("a", heartbeat=10), now)
        assert clients.tick(now + 10) == clients.tick(now + 19) == []
    assert told(clients.tick(210)) == [("silent", "a")]


@pytest.mark.parametrize(
    ("client", "patience"),
    [
        (agent("a"), 90.0),
        (agent("a", heartbeat=1), 3.0),
        (agent("a", pid=7, began="1"), None),
        (agent("a", pid=7, began="1", ttl=5.0), 5.0),  # it may hang: it says how long that may be
        (agent("a", ttl=600.0), 600.0),
    ],
)
def test_patience(client: Client, patience: float | None) -> None:
    """By its process if that shows it, else by its words."""
    assert patience_of(client) == patience


def test_a_former_daemons_clients_have_a_whole_time_to_be_heard() -> None:
    """After a restart nobody has died of the time in which nobody could be heard."""
    clients = Clients()
    assert clients.remember([agent("a", heartbeat=10), shell(2), agent("s")], "pts-2", ["s", "x"], 1000) == []
    assert clients.primary == "pts-2" and [one.id for one in clients.all()] == ["a", "pts-2", "s"]
    assert [clients.state(wanted) for wanted in ("a", "s")] == ["live", "silent"]  # that one has died before
    assert clients.tick(1029) == [] and told(clients.tick(1030)) == [("silent", "a")]
    assert told(Clients().remember([shell(1)], "gone", [], 0)) == [("promoted", "pts-1")]


def test_time_in_which_nobody_could_be_heard_kills_nobody() -> None:
    """The daemon was stopped for minutes: each has again what was left of its time, and a second to be heard."""
    clients = Clients()
    clients.meet(agent("a", heartbeat=10, keep=100), 0)
    clients.meet(agent("b", heartbeat=10, keep=100), 20)
    assert clients.tick(300) == [] and clients.next_look() == 301
    assert told(clients.tick(301)) == [("silent", "a"), ("promoted", "b")]
    assert clients.tick(320.9) == [] and told(clients.tick(321)) == [("silent", "b")]
    assert told(clients.tick(371.5)) == [("disconnected", "a")]


def test_a_terminal_is_found_by_its_process_and_a_name_is_not() -> None:
    """An agent that lives by a shell is not that shell."""
    clients = Clients()
    clients.meet(shell(1), 0)
    clients.meet(agent("a", pid=1, began="1"), 0)
    assert clients.living_by(1, "1") == shell(1) and clients.living_by(1, "2") is None
    clients.leave("a")
    assert clients.living_by(1, "1") == shell(1)
    clients.leave("pts-1")
    assert clients.living_by(1, "1") is None


def test_there_is_an_end_to_them() -> None:
    """More than enough are refused; one that has long been silent makes room."""
    clients = Clients()
    for number in range(MOST):
        clients.meet(agent(f"a{number}", heartbeat=10 if number == 7 else 1000), number)
    with pytest.raises(Refused, match="1000 clients"):
        clients.meet(agent("more"), 20)
    assert clients.meet(agent("a1", heartbeat=1000), 20) == []
    clients.tick(7 + 30)
    assert told(clients.meet(agent("more"), 50)) == [("disconnected", "a7"), ("connected", "more")]


@pytest.mark.parametrize(
    "name", ["", " ", "-x", "a\nb", "a\x1b[2Jb", "a\x7f", "x" * 65, "a\u202eb", "\ud800", 7, ["a"], {"a": 1}, True]
)
def test_names_that_are_none(name: object) -> None:
    """Nothing that garbles a terminal, looks like an option, or is no text."""
    with pytest.raises(BadRequest):
        checked_name(name)


def test_what_a_client_says_of_itself() -> None:
    """Names, kinds and times that are good."""
    assert [checked_name(name) for name in (None, "agent-1", "Änne 2", "x" * 64)] == [
        None, "agent-1", "Änne 2", "x" * 64,
    ]  # fmt: skip
    assert checked_kind("editor") == "editor" and checked_kind(None) is None
    assert checked_ttl(None) is None and checked_ttl(5) == 5.0
    for bad in ("robot", "", 3):
        with pytest.raises(BadRequest):
            checked_kind(bad)
    for ttl in (0, -1, 0.5, 86401, True, "5", float("nan"), float("inf")):
        with pytest.raises(BadRequest):
            checked_ttl(ttl)


@settings(max_examples=80)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["word", "leave", "wait"]), st.integers(0, 40)), max_size=40)
)
def test_there_is_one_primary_as_long_as_anybody_lives(steps: list[tuple[int, str, int]]) -> None:
    """After any history the primary is one that lives, and it changes only when the former one is gone or silent."""
    clients, now = Clients(), 0.0
    for number, what, wait in steps:
        now += wait
        before = clients.primary
        changes = clients.tick(now)
        if what == "word":
            changes += clients.meet(agent(f"a{number}", heartbeat=10, keep=100) if number % 2 else shell(number), now)
        elif what == "leave":
            changes += clients.leave(f"a{number}" if number % 2 else f"pts-{number}")
        lives = [one.id for one in clients.all() if clients.state(one.id) == "live"]
        assert (clients.primary in lives) if lives else clients.primary is None
        ended = [change.client.id for change in changes if change.what in ("silent", "disconnected")]
        assert clients.primary == before or before is None or before in ended
        due = clients.next_look()
        assert due is None or due > now
        assert all(now - clients._heard[one] < MISSED * 10 for one in lives if one.startswith("a"))
