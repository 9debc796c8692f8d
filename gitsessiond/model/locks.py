"""Values of the lock table: who asks for what, who holds what, and what became of it.

Times are seconds of one monotonic clock, which stands still while the machine sleeps; no other clock decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitsessiond.model.lockmodes import INTENT
from gitsessiond.model.resources import Resource


class Holder(NamedTuple):
    """A client as others are told of it. ``agent``: no person waits for what it asks; ``named``: it is its own name.

    ``began``: of its process, as :func:`gitsessiond.store.processes.is_gone` wants it; empty: nobody can tell.
    """

    client: str
    who: str | None = None
    host: str | None = None
    pid: int | None = None
    branch: str | None = None
    session: str | None = None
    agent: bool = False
    named: bool = False
    began: str = ""


class Want(NamedTuple):
    """A resource and the mode it is wanted in."""

    resource: Resource
    mode: str


class Asked(NamedTuple):
    """A request for locks, all or none. ``until``: when to give up waiting; None: do not wait."""

    holder: Holder
    wants: tuple[Want, ...]
    ttl: float
    until: float | None = None
    reason: str | None = None
    request: str | None = None


def key_of(one: Want | Hold) -> str:
    """What a client has at most one of: a lock on a resource, and a mark of intent besides."""
    return "intent " + one.resource.key if one.mode == INTENT else one.resource.key


class Hold:
    """A lock that somebody has, or their mark of intent. Only the table changes it.

    ``confirmed``: its holder was heard of since this table was read from the disk.
    """

    __slots__ = ("client", "confirmed", "deadline", "holder", "mode", "reason", "resource", "since", "token", "ttl")

    def __init__(self, want: Want, holder: Holder, token: int, ttl: float, since: float, reason: str | None) -> None:
        self.resource, self.mode = want
        self.holder, self.client = holder, holder.client
        self.token, self.ttl, self.since, self.reason = token, ttl, since, reason
        self.deadline = since + ttl
        self.confirmed = True


class Wait:
    """A request that may have to wait. Those whose ``order`` is lower are first where both want the same.

    ``claims``: what it waits for, once it does.
    """

    __slots__ = ("asked", "claims", "client", "order", "since", "ticket", "upgrades")

    def __init__(self, ticket: int, asked: Asked, upgrades: bool, since: float) -> None:
        self.ticket, self.asked, self.client = ticket, asked, asked.holder.client
        self.upgrades, self.since = upgrades, since
        self.order = (not upgrades, ticket)
        self.claims: list[Claim] = []

    def claim(self) -> list[Claim]:
        """Begin to wait for what was asked."""
        self.claims = [Claim(want, self) for want in self.asked.wants if want.mode != INTENT]
        return self.claims


class Claim:
    """One resource that a request waits for."""

    __slots__ = ("client", "mode", "resource", "wait")

    def __init__(self, want: Want, wait: Wait) -> None:
        self.resource, self.mode = want
        self.client, self.wait = wait.client, wait


# -- what became of it ----------------------------------------------------------------------------------------


class Acquired(NamedTuple):
    """A request has all it wants. ``fresh``: granted now; ``replaced``: weaker locks that these stand for now.

    ``overlaps``: a mark of intent, or a lock beside one, and what another client has on the same path.
    """

    ticket: int
    asked: Asked
    holds: tuple[Hold, ...]
    fresh: tuple[Hold, ...]
    replaced: tuple[Hold, ...]
    overlaps: tuple[tuple[Hold, Hold], ...]


class Queued(NamedTuple):
    """A request waits; ``position``: 1 is next."""

    wait: Wait
    held: tuple[Hold, ...]
    position: int


class Denied(NamedTuple):
    """A request got nothing: ``held``, ``deadlock``, ``upgrade_conflict``, ``timeout``, ``cancelled`` or ``gone``.

    ``circle``: who waits for whom, for a deadlock.
    """

    ticket: int
    asked: Asked
    why: str
    held: tuple[Hold, ...] = ()
    position: int = 1
    circle: tuple[Wait, ...] = ()


class Released(NamedTuple):
    """A lock is no more: ``released``, ``expired``, ``broken``, ``stolen`` or ``gone``; ``by`` whom, if by another."""

    hold: Hold
    why: str
    by: Holder | None = None
    reason: str | None = None


class Lost(NamedTuple):
    """A lock that its holder did not give back, until that has one again."""

    name: str
    token: int
    why: str
    by: Holder | None
    reason: str | None


Effect = Acquired | Queued | Denied | Released
Effects = Sequence[Effect]
