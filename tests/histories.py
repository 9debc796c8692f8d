"""Histories of locks: what clients did and were told, and what in it cannot be.

Each client notes by the machine's one monotonic clock what it knows for certain: it held a lock at least from the
reply that granted it until it began to give it back, until its lease may have run out, or until it was killed. A lock
service may order what happened at the same time as it likes; nothing else. This knows nothing of how it works.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

TOGETHER = {("S", "S"), ("S", "U"), ("U", "S")}
"""Modes that two clients may hold on one resource; ``intent`` goes with everything."""


class Grant(NamedTuple):
    """One lock that one client was given: ``granted`` to ``until`` it certainly held it.

    Where the reply came late, ``until`` may be before ``granted``: it cannot have ended sooner, and more is not known.
    """

    client: str
    name: str
    mode: str
    token: int
    asked: float
    granted: float
    until: float


class Check(NamedTuple):
    """A token shown for a name, and whether it was found good for writing."""

    client: str
    name: str
    token: int
    asked: float
    answered: float
    good: bool


class History(NamedTuple):
    """All that the clients noted."""

    grants: list[Grant]
    checks: list[Check]


class Found(NamedTuple):
    """What cannot be: ``overlap``, ``order``, ``twice``, ``stale``, ``refused``."""

    what: str
    text: str


def violations(history: History) -> list[Found]:
    """Everything in a history that no lock service may do."""
    grants = history.grants
    return [*overlaps(grants), *disorders(grants), *doubles(grants), *misjudged(history)]


def apart(first: Grant, second: Grant) -> bool:
    """Whether two grants of two clients must not be held at the same time."""
    if first.client == second.client or "intent" in (first.mode, second.mode):
        return False
    if first.name == second.name:
        return (first.mode, second.mode) not in TOGETHER
    if not (covers(first.name, second.name) or covers(second.name, first.name)):
        return False
    return "X" in (first.mode, second.mode) or (first.mode, second.mode) == ("U", "U")


def covers(outer: str, inner: str) -> bool:
    """Whether one name is a directory above the other, or everything."""
    return outer == "/" or (outer.endswith("/") and inner.startswith(outer))


class Foremost:
    """For each resource and mode the grants of the two clients that come first by ``key``: any other client's are beaten."""

    def __init__(self, key: Callable[[Grant], float]) -> None:
        self._key = key
        self._first: dict[tuple[str, str], list[Grant]] = {}

    def add(self, grant: Grant) -> None:
        """Take one more grant in."""
        first = self._first.setdefault((grant.name, grant.mode), [])
        mine = next((one for one in first if one.client == grant.client), None)
        if mine is None or self._key(grant) > self._key(mine):
            first[:] = sorted([*(one for one in first if one is not mine), grant], key=self._key, reverse=True)[:2]

    def against(self, grant: Grant) -> Iterator[Grant]:
        """Those that exclude a grant."""
        return (one for first in self._first.values() for one in first if apart(one, grant))


def overlaps(grants: Iterable[Grant]) -> Iterator[Found]:
    """Of two grants that exclude each other the older token's hold ends before the newer one's begins."""
    held = Foremost(lambda one: one.until)
    for grant in sorted(grants, key=lambda one: one.token):
        for older in held.against(grant):
            if older.until > grant.granted:
                what = "overlap" if older.granted < grant.until else "order"
                yield Found(what, f"{told(older)} was not over when {told(grant)} began")
        held.add(grant)


def disorders(grants: list[Grant]) -> Iterator[Found]:
    """Who asks after another's grant was told gets a higher token, whatever the resource."""
    known = sorted(grants, key=lambda one: one.granted)
    newest: Grant | None = None
    at = 0
    for grant in sorted(grants, key=lambda one: one.asked):
        while at < len(known) and known[at].granted < grant.asked:
            if newest is None or known[at].token > newest.token:
                newest = known[at]
            at += 1
        if newest is not None and grant.token <= newest.token:
            yield Found("order", f"{told(grant)} was asked for after {told(newest)} had been told")


def doubles(grants: Iterable[Grant]) -> Iterator[Found]:
    """No token is given twice, save to the parts of one request."""
    seen: dict[int, Grant] = {}
    for grant in grants:
        other = seen.setdefault(grant.token, grant)
        if (other.client, other.asked) != (grant.client, grant.asked):
            yield Found("twice", f"{told(grant)} has the token of {told(other)}")


def misjudged(history: History) -> Iterator[Found]:
    """A token is refused once another's newer grant that excludes it was told, and one of ``X`` good while that is held."""
    mine = {(one.client, one.name, one.token): one for one in history.grants}
    known = sorted(history.grants, key=lambda one: one.granted)
    newest = Foremost(lambda one: one.token)
    at = 0
    for check in sorted(history.checks, key=lambda one: one.asked):
        while at < len(known) and known[at].granted < check.asked:
            newest.add(known[at])
            at += 1
        own = mine.get((check.client, check.name, check.token))
        if own is None:
            continue
        newer = next((one for one in newest.against(own) if one.token > own.token), None)
        if check.good and newer is not None:
            yield Found("stale", f"{told(own)} was found good at {check.asked:.4f}, after {told(newer)}")
        if not check.good and own.mode == "X" and own.granted <= check.asked and check.answered < own.until:
            yield Found("refused", f"{told(own)} was refused at {check.asked:.4f}")


def told(grant: Grant) -> str:
    """A grant in words."""
    return (
        f"{grant.client}'s {grant.mode} on {grant.name} (token {grant.token}, {grant.granted:.4f} to {grant.until:.4f})"
    )


# -- what clients write down ----------------------------------------------------------------------------------


def read(notes: Iterable[Path], killed: dict[str, float]) -> History:
    """The history of all notes, a file a client, named as the client is; ``killed``: the moment before a client was.

    A note is a line of JSON, written whole before anything comes of it: ``grant`` when the reply is there, ``over``
    before a release is sent, ``renewed`` when its reply is there, ``check`` with its answer.
    """
    history = History([], [])
    for path in notes:
        one = read_one(path, killed.get(path.stem, float("inf")))
        history.grants.extend(one.grants)
        history.checks.extend(one.checks)
    return history


def read_one(path: Path, killed: float) -> History:
    """The notes of one client; it held nothing after it was killed."""
    client, done, checks = path.stem, [], []
    held: dict[int, Grant] = {}  # by place in its notes, so that parts of a request may share a token

    def over(names: list[str] | None, at: float) -> None:
        for key in [key for key, one in held.items() if names is None or one.name in names]:
            one = held.pop(key)
            done.append(one._replace(until=min(one.until, at)))

    for number, line in enumerate(path.read_text().splitlines()):
        note: dict[str, Any] = json.loads(line)
        match note["what"]:
            case "grant":
                asked = note["asked"]
                held[number] = Grant(
                    client, note["name"], note["mode"], note["token"], asked, note["granted"], asked + note["ttl"]
                )
            case "renewed":
                for key, one in held.items():
                    if one.token in note["tokens"]:
                        held[key] = one._replace(until=max(one.until, note["asked"] + note["ttl"]))
            case "over":
                over(note["names"], note["at"])
            case "check":
                checks.append(Check(client, note["name"], note["token"], note["asked"], note["answered"], note["good"]))
    over(None, killed)
    return History(done, checks)
