"""Who is at work in a repository: terminals, agents, editors. Which of them live, and which one is primary.

A pure registry: the time is passed in, and what it does comes back as values. Front holds it, so nothing of pydantic.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.model.names import check_name

MOST = 1000  # so many clients at once; more are a mistake or an attack
MISSED = 3  # heartbeats until a client that cannot be seen to live is taken for dead
LONGEST_TTL_S = 86400.0
NEVER = float("inf")
STALLED_S = 1.0  # a look that comes so late comes from a loop that stood still, and could hear nobody

Kind = Literal["terminal", "agent", "editor", "other"]
KINDS: tuple[Kind, ...] = ("terminal", "agent", "editor", "other")


class Client(NamedTuple):
    """One party. ``pid`` and ``began``: the process it lives by, proven to be this user's and of this machine."""

    id: str
    kind: Kind
    name: str | None
    user: str | None = None
    host: str = ""
    pid: int | None = None
    began: str = ""
    tty: str | None = None
    cwd: str = ""
    session: str | None = None
    ttl: float | None = None  # silence after which it wants to be taken for dead; None: as :func:`patience_of` says
    heartbeat: float = 30.0  # how often it gives a sign of life, where its process does not show that it lives
    keep: float = 86400.0  # silence after which it is forgotten
    since: float = 0.0  # wall clock, as is last_seen: for people, never for decisions
    last_seen: float = 0.0


What = Literal["connected", "disconnected", "silent", "promoted"]


class Change(NamedTuple):
    """What became of a client. With ``disconnected`` and ``silent`` it holds nothing any more."""

    what: What
    client: Client


class Clients:
    """Those who are known, oldest first. Every method that changes something tells what it did."""

    def __init__(self) -> None:
        self._known: dict[str, Client] = {}
        self._terminals: dict[tuple[int, str], str] = {}  # by their process: those that gave themselves no name
        self._heard: dict[str, float] = {}  # monotonic
        self._silent: set[str] = set()
        self._due = NEVER  # nothing is due before: words only put things off, so that it need not be found at each
        self.primary: str | None = None

    def __len__(self) -> int:
        return len(self._known)

    def all(self) -> list[Client]:
        """Every client, oldest first."""
        return list(self._known.values())

    def get(self, wanted: str) -> Client | None:
        """The client of this id."""
        return self._known.get(wanted)

    def living_by(self, pid: int, began: str) -> Client | None:
        """The terminal that is this process; one that named itself is asked for by its name."""
        return self._known.get(self._terminals.get((pid, began), ""))

    def state(self, wanted: str) -> str:
        """``live``; ``silent``: it missed its heartbeats, and holds nothing any more."""
        return "silent" if wanted in self._silent else "live"

    def meet(self, client: Client, now: float) -> list[Change]:
        """Take note of a client that just said something, known before or not.

        Raises:
            Refused: there are too many.
        """
        before, told = self._known.get(client.id), list[Change]()
        if before is None and len(self._known) >= MOST:
            longest = min(self._silent, key=self._heard.__getitem__, default=None)
            if longest is None:
                raise Refused(f"there are {MOST} clients already", hint="git session clients")
            told = self.leave(longest)
        returns = before is None or client.id in self._silent
        self._silent.discard(client.id)
        self._keep(client if before is None else client._replace(since=before.since), now)
        if returns:
            told.append(Change("connected", self._known[client.id]))
        return told + self._promote()

    def hear(self, wanted: str, now: float) -> bool:
        """A client gave a sign of life and says nothing new; False: it is not known, or silent, and has to say more."""
        if wanted not in self._heard or wanted in self._silent:
            return False
        self._heard[wanted] = now
        return True

    def remember(self, clients: list[Client], primary: str | None, silent: Iterable[str], now: float) -> list[Change]:
        """Take over what a former daemon knew; each that lives has its whole time to be heard of again."""
        self._silent = set(silent) & {client.id for client in clients[:MOST]}
        for client in clients[:MOST]:
            self._keep(client, now)
        if primary in self._known:
            self.primary = primary
        return self._promote()

    def leave(self, wanted: str) -> list[Change]:
        """A client is gone: it said so, or its process ended."""
        self._forget_process(wanted)
        client = self._known.pop(wanted, None)
        if client is None:
            return []
        self._heard.pop(wanted)
        self._silent.discard(wanted)
        return [Change("disconnected", client), *self._promote()]

    def tick(self, now: float) -> list[Change]:
        """Take for dead who missed their heartbeats, and forget who was not heard of for long.

        The time in which nobody could be heard, because the loop stood still, is given to all, and a moment more.
        """
        told: list[Change] = []
        late = now - self._due
        if late > STALLED_S:
            self._heard = {wanted: heard + late + STALLED_S for wanted, heard in self._heard.items()}
            self._due = now + STALLED_S
        if late < 0 or late > STALLED_S:
            return told
        for client in self.all():
            if self._forgotten_at(client) <= now:
                told += self.leave(client.id)
            elif client.id not in self._silent and self._silent_at(client) <= now:
                self._silent.add(client.id)
                told += [Change("silent", client), *self._promote()]
        self._due = min(map(self._due_of, self._known.values()), default=NEVER)
        return told

    def next_look(self) -> float | None:
        """When :meth:`tick` has something to do next."""
        return None if self._due == NEVER else self._due

    def _forget_process(self, wanted: str) -> None:
        client = self._known.get(wanted)
        if client is not None and client.name is None and client.pid is not None:
            self._terminals.pop((client.pid, client.began), None)

    def _keep(self, client: Client, now: float) -> None:
        self._forget_process(client.id)
        self._known[client.id], self._heard[client.id] = client, now
        if client.name is None and client.pid is not None:
            self._terminals[client.pid, client.began] = client.id
        self._due = min(self._due, self._due_of(client))

    def _due_of(self, client: Client) -> float:
        silent = client.id in self._silent
        return self._forgotten_at(client) if silent else self._silent_at(client)

    def _silent_at(self, client: Client) -> float:
        patience = patience_of(client)
        return NEVER if patience is None else self._heard[client.id] + patience

    def _forgotten_at(self, client: Client) -> float:
        """One whose process lives is not forgotten while it does: it may hold something."""
        patience = patience_of(client)
        return NEVER if patience is None else self._heard[client.id] + max(client.keep, patience)

    def _promote(self) -> list[Change]:
        """Have the oldest that lives be primary where nobody is."""
        if self.primary in self._known and self.primary not in self._silent:
            return []
        self.primary = next((wanted for wanted in self._known if wanted not in self._silent), None)
        return [] if self.primary is None else [Change("promoted", self._known[self.primary])]


def patience_of(client: Client) -> float | None:
    """How long a client may say nothing; None: its process shows that it lives."""
    if client.ttl is not None:
        return client.ttl
    return None if client.pid is not None else MISSED * client.heartbeat


def checked_name(name: object) -> str | None:
    """The name that a client gives itself; None: none.

    Raises:
        BadRequest: it is no text, empty, too long, or would garble a terminal.
    """
    if name is None:
        return None
    if not isinstance(name, str):
        raise BadRequest("the name of a client is a text", hint="export GITSESSION_CLIENT=agent-1")
    check_name(name, "client")
    if not name.isprintable():
        raise BadRequest(f"client {name!r} holds a character that cannot be shown", hint="use printable characters")
    return name


def checked_kind(kind: object) -> Kind | None:
    """The kind that a client says it is; None: it says nothing.

    Raises:
        BadRequest: there is no such kind.
    """
    if kind is None:
        return None
    for known in KINDS:
        if kind == known:
            return known
    raise BadRequest(f"no kind of client: {kind!r}", hint=f"one of {', '.join(KINDS)}")


def checked_ttl(ttl: object) -> float | None:
    """The silence after which a client wants to be taken for dead.

    Raises:
        BadRequest: it is no time, or too long or short a one.
    """
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 1 <= ttl <= LONGEST_TTL_S:
        raise BadRequest(f"ttl = {ttl!r}: it is 1 to {LONGEST_TTL_S:.0f} seconds", hint="see docs/protocol.md")
    return float(ttl)
