"""The event stream in itself: numbers, what is kept, who is behind, who is sent away."""

from __future__ import annotations

import ast
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.actions.notices import VERBS
from gitsessiond.daemon import eventlog
from gitsessiond.daemon.events import AT_ONCE, BLOCK, KEPT, LOG, MOST_UNSENT, Events, Sequence
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.lockreplies import ENDINGS
from gitsessiond.faces.cli.events import TYPES
from gitsessiond.model.channels import CONFLICTS, Wanted, channel_of, wanted
from gitsessiond.model.errors import BadRequest
from gitsessiond.model.moments import now_text
from gitsessiond.wire.frames import Decoder
from gitsessiond.wire.place import Peer

SAVED = {"type": "saved", "session": "kkkk"}


class Ear:
    """The other end of a follower's connection."""

    def __init__(self, stack: ExitStack) -> None:
        ours, self._theirs = socket.socketpair()
        stack.enter_context(ours)
        stack.enter_context(self._theirs)
        self._theirs.setblocking(False)
        self._decoder = Decoder()
        self.link = Link(ours, Peer(None, None))

    def hear(self) -> list[Any]:
        """All that came and can still come."""
        found: list[Any] = []
        while True:
            self.link.flush()
            try:
                found += self._decoder.feed(self._theirs.recv(1 << 20))
            except BlockingIOError:
                return found


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def made(directory: Path) -> Events:
    return Events(str(directory), Link.send_frame)


def told(directory: Path) -> None:
    """An event of a daemon that is killed after that turn of its loop."""
    events = made(directory)
    events.publish(SAVED)
    events.pump()


def numbers(events: list[Any]) -> list[int]:
    return [event["seq"] for event in events]


def test_two_followers_hear_the_same(tmp_path: Path, stack: ExitStack) -> None:
    """Each event once, in order, with growing numbers."""
    events, one, two = made(tmp_path), Ear(stack), Ear(stack)
    events.follow(one.link)
    events.follow(two.link)
    for n in range(5):
        events.publish(SAVED | {"text": str(n)})
    heard = one.hear()
    assert heard == two.hear()
    assert numbers(heard) == [1, 2, 3, 4, 5]
    assert events.since(3) == heard[3:]
    assert events.saves == events.counted.published == 5
    assert events.counted.sent == 10 and not events.any_behind


def test_events_that_nobody_waits_for_are_kept_as_they_came(tmp_path: Path, stack: ExitStack) -> None:
    """Numbered when somebody asks, with their times, before those that follow; on disk with the next turn."""
    events, one = made(tmp_path), Ear(stack)
    events.publish(SAVED | {"text": "first"})
    before = now_text()
    time.sleep(0.002)
    events.publish(SAVED | {"text": "second"})
    assert numbers(events.since(0)) == [1, 2]
    assert events.since(0)[0]["ts"] <= before <= events.since(0)[1]["ts"]
    events.publish(SAVED | {"text": "third"})
    events.follow(one.link)
    events.publish(SAVED | {"text": "fourth"})
    assert [(event["seq"], event["text"]) for event in one.hear()] == [(4, "fourth")]
    events.leave(one.link)
    events.publish(SAVED | {"text": "fifth"})
    events.pump()
    assert [event["text"] for event in made(tmp_path).since(0)] == ["first", "second", "third", "fourth", "fifth"]


def test_a_follower_is_told_what_it_wants(tmp_path: Path, stack: ExitStack) -> None:
    """By type, by session, by channel, by all of them; the plain question takes the same."""
    events = made(tmp_path)
    ears = {
        want: Ear(stack)
        for want in (
            Wanted(frozenset({"merge"})), Wanted(session="kkkk"), Wanted(channel="conflicts"),
            Wanted(channel="project"), Wanted(frozenset({"saved"}), "llll", "session"),
        )
    }  # fmt: skip
    for want, ear in ears.items():
        events.follow(ear.link, want)
    for kind, session in (
        ("saved", "kkkk"), ("merge", "kkkk"), ("conflict_detected", "kkkk"), ("overflow", None), ("saved", "llll"),
    ):  # fmt: skip
        events.publish({"type": kind, "session": session})
    told = [numbers(ear.hear()) for ear in ears.values()]
    assert told == [[2], [1, 2, 3], [3], [4], [5]]
    assert [numbers(events.since(0, want)) for want in ears] == told
    assert [event["channel"] for event in events.since(0)] == ["session", "session", "conflicts", "project", "session"]


@pytest.mark.parametrize(
    "args", [{"types": "saved"}, {"types": [1]}, {"types": ["x"] * 101}, {"session": 5}, {"channel": "news"}]
)
def test_a_wish_that_makes_no_sense(args: dict[str, Any]) -> None:
    """One plain error."""
    with pytest.raises(BadRequest):
        wanted(args)


def test_what_is_wanted() -> None:
    """Nothing said: all; what was missed is always told."""
    assert wanted({}) == Wanted() and wanted({"types": []}) == Wanted()
    assert Wanted(frozenset({"saved"}), "kkkk", "session").takes({"type": "missed", "session": None})
    between = {"type": "conflict_detected", "session": "kkkk", "sessions": ["kkkk", "llll"]}
    assert [Wanted(session=one).takes(between) for one in ("kkkk", "llll", "mmmm")] == [True, True, False]
    assert channel_of({"type": "conflict_detected", "session": "k"}) == "conflicts"


def test_many_followers_get_their_turns(tmp_path: Path, stack: ExitStack) -> None:
    """No more than some are sent to at once; whoever is late gets all that came meanwhile, in one piece."""
    events, ears = made(tmp_path), [Ear(stack) for _ in range(3 * AT_ONCE)]
    for ear in ears:
        events.follow(ear.link)
    events.publish(SAVED)
    assert [len(ear.hear()) for ear in ears] == [1] * AT_ONCE + [0] * (2 * AT_ONCE)
    events.publish(SAVED)
    events.leave(ears[-1].link)
    assert [len(ear.hear()) for ear in ears] == [0] * (3 * AT_ONCE), "the loop has its turn first"
    events.pump()
    assert [numbers(ear.hear()) for ear in ears[AT_ONCE : 2 * AT_ONCE]] == [[1, 2]] * AT_ONCE
    while events.any_behind:
        events.pump()
    assert [numbers(ear.hear()) for ear in ears] == [[2]] * AT_ONCE + [[]] * AT_ONCE + [[1, 2]] * (AT_ONCE - 1) + [[]]


def test_a_follower_that_does_not_read_is_sent_away(tmp_path: Path, stack: ExitStack) -> None:
    """It gets a last event that says from where on it missed; the others go on."""
    events, slow, good = made(tmp_path), Ear(stack), Ear(stack)
    events.follow(slow.link)
    events.follow(good.link)
    heard = []
    for _ in range(KEPT):
        events.publish(SAVED | {"text": "x" * 1000})
        heard += good.hear()
    assert slow.link.closing and not good.link.closing and events.followers == 1
    assert slow.link.unsent < MOST_UNSENT + 10_000
    late = slow.hear()
    last = late.pop()
    assert (last["type"], last["closing"], last["from"]) == ("missed", True, late[-1]["seq"] + 1)
    assert numbers(heard) == list(range(1, KEPT + 1))
    assert events.counted.dropped == last["to"] - last["from"] + 1
    assert numbers(events.since(last["from"] - 1)) == list(range(last["from"], KEPT + 1)), "and can ask for them"


def test_a_follower_that_falls_behind_what_is_kept(tmp_path: Path, stack: ExitStack) -> None:
    """It is told how many it missed."""
    events, ears = made(tmp_path), [Ear(stack) for _ in range(2 * AT_ONCE)]
    for ear in ears:
        events.follow(ear.link)
    for _ in range(KEPT + 10):
        events.publish({"type": "x", "session": None})
    events.pump()
    first = ears[-1].hear()[0]
    assert (first["type"], first["from"], first["to"]) == ("missed", 1, 10)
    assert events.since(4)[0]["to"] == 10 and events.since(10)[0]["seq"] == 11


def test_the_next_daemon_goes_on(tmp_path: Path) -> None:
    """What a killed one told is told again to who asks, and no number is left out or used twice."""
    events = made(tmp_path)
    for n in range(3):
        events.publish(SAVED | {"text": str(n)})
    found = events.since(0)
    again = made(tmp_path)  # and no close: it was killed
    assert again.since(0) == found
    again.publish(SAVED)
    assert numbers(again.since(1)) == [2, 3, 4]
    again.publish(SAVED)
    assert numbers(made(tmp_path).since(0)) == [1, 2, 3, 4], "what was not told yet goes with its number"
    with open(tmp_path / LOG, "ab") as file:
        file.write(b'{"v":1,"seq":5,"type":"cut sho')
    assert numbers(made(tmp_path).since(0)) == [1, 2, 3, 4]


def test_after_a_crash_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events may be lost with it: the next number is one that nobody can have seen."""
    told(tmp_path)
    monkeypatch.setattr(eventlog, "boot_id", lambda: "another")
    events = made(tmp_path)
    assert events.last == BLOCK
    events.publish(SAVED)
    assert numbers(events.since(0)) == [1, BLOCK + 1]


def test_the_file_stays_short(tmp_path: Path) -> None:
    """One of as many as are kept is put aside, and the one before that goes."""
    events = made(tmp_path)
    for _ in range(2 * KEPT + 5):
        events.publish(SAVED)
    events.close()
    lines = [len((tmp_path / name).read_bytes().splitlines()) for name in (LOG, LOG + ".1")]
    assert sum(lines) <= 2 * KEPT + 2 and lines[1] == KEPT + 1, lines
    assert numbers(made(tmp_path).since(None)) == list(range(KEPT + 6, 2 * KEPT + 6))
    assert (tmp_path / LOG).stat().st_mode & 0o777 == 0o600


def test_long_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer of them are kept, in memory and on disk; the last one always is."""
    monkeypatch.setattr("gitsessiond.daemon.events.KEPT_BYTES", 10_000)
    monkeypatch.setattr(eventlog, "MOST_BYTES", 10_000)
    events = made(tmp_path)
    for _ in range(50):
        events.publish(SAVED | {"text": "x" * 1000})
    assert numbers(events.since(None)) == list(range(42, 51))
    assert sum((tmp_path / name).stat().st_size for name in (LOG, LOG + ".1")) < 25_000
    assert numbers(made(tmp_path).since(None)) == list(range(42, 51))
    events.publish(SAVED | {"text": "x" * 20_000})
    assert numbers(events.since(None)) == [51]


@pytest.mark.parametrize(
    "text", [b"", b"nonsense\n", b'{"boot":"b"}\n[1]\n', b'{"boot":"b"}\n{"type":"x"}\n', b"\xff\n"]
)
def test_a_damaged_file_is_begun_anew(tmp_path: Path, text: bytes) -> None:
    """It stops nothing."""
    (tmp_path / LOG).write_bytes(text)
    (tmp_path / "seq").write_text("1000\n")
    told(tmp_path)
    assert numbers(made(tmp_path).since(None)) == [1001]


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Followers are told all the same; no file is left in which numbers are missing, and later there is one again."""
    events = made(tmp_path)
    events.publish(SAVED)

    def refuse(file: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(eventlog, "_write", refuse)
        for _ in range(3):
            events.publish(SAVED)
            events.pump()
        assert not (tmp_path / LOG).exists()
        assert numbers(events.since(0)) == [1, 2, 3, 4]
        assert made(tmp_path).last == BLOCK
    for _ in range(KEPT):
        events.publish(SAVED)
    events.pump()
    assert (tmp_path / LOG).exists()


def test_an_event_that_cannot_be_told(tmp_path: Path) -> None:
    """It has happened: its type is told, and nothing else of it."""
    events = made(tmp_path)
    events.publish(SAVED | {"text": float("nan")})
    (event,) = events.since(0)
    assert (event["type"], event.get("text")) == ("saved", None)


def test_numbers_are_set_apart_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the events themselves the next daemon begins after all that could have been used."""
    monkeypatch.setattr("gitsessiond.daemon.events.BLOCK", 1000)
    first = Sequence(str(tmp_path / "seq"))
    assert [first.next() for _ in range(1001)][-1] == 1001
    assert Sequence(str(tmp_path / "seq")).last == 2000
    assert Sequence(str(tmp_path / "seq"), 1001).next() == 1002


def types_named(node: ast.AST) -> Iterator[str]:
    """The types of events that a piece of the program names where it tells one, or records a step."""
    told: list[ast.expr] = []
    if isinstance(node, ast.Dict):
        told = [
            value for key, value in zip(node.keys, node.values, strict=True) if ast.unparse(key or value) == "'type'"
        ]
    elif isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        told = [one.value for one in node.keywords if one.arg == "verb"]
        told += {"publish": node.args[3:4], "event": node.args[:1], "_event": node.args[:1]}.get(name, [])
    for one in told:
        either = [one.body, one.orelse] if isinstance(one, ast.IfExp) else [one]
        yield from (value.value for value in either if isinstance(value, ast.Constant))


def test_all_types_of_events_are_known() -> None:
    """What `events --type` takes, none twice; a type that is told and not among them could not be asked for."""
    home = Path(eventlog.__file__).parents[1]
    files = [*home.glob("actions/*.py"), *home.glob("daemon/*.py")]
    found = {kind for file in files for node in ast.walk(ast.parse(file.read_text())) for kind in types_named(node)}
    assert len(found) > 50
    assert found | {*VERBS.values(), *ENDINGS.values(), *CONFLICTS} <= set(TYPES)
    assert len(set(TYPES)) == len(TYPES)
