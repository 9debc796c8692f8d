"""Who is there: the verbs ``client.*``, and for all that is beside them whose request it is (docs/protocol.md).

A terminal needs no set-up: what the kernel says of the process that connected names the leader of its session, and
that is the shell. Anything else gives itself a name. What a client says of processes is believed only where this
process can see that it is so.
"""

from __future__ import annotations

import hashlib
import os
import selectors
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, Protocol

from gitsessiond.daemon.link import Link
from gitsessiond.daemon.log import log
from gitsessiond.model.clients import Change, Client, Clients, Kind, checked_kind, checked_name, checked_ttl
from gitsessiond.model.errors import BadRequest
from gitsessiond.store.clientsfile import Kept, read_clients, write_clients
from gitsessiond.store.processes import (
    Process,
    boot_id,
    end_of,
    leader_of,
    namespace_of,
    own_namespace,
    seen,
    terminal_name,
)
from gitsessiond.wire.requests import reply_ok

LONGEST_TEXT = 4096  # of what a client says of itself and nobody checks

Message = dict[str, Any]


class Listener(Protocol):
    """Somebody who keeps things for clients, such as locks."""

    def gone(self, client: str, now: float) -> None:
        """A client is proved dead, left, or missed its heartbeats: what it held is free."""
        ...

    def beat(self, client: str, now: float) -> list[Message]:
        """A client gave its heartbeat; tells what was renewed by it."""
        ...


class Tools(NamedTuple):
    """What front lends."""

    select: selectors.BaseSelector
    send: Callable[[Link, Message], None]  # a reply
    publish: Callable[[Message], None]  # an event


class Presence:
    """The clients of a repository. ``listeners``: who is told that one is gone, in this order."""

    def __init__(self, tools: Tools, state_dir: str) -> None:
        self._tools, self._state_dir = tools, state_dir
        self._clients = Clients()
        self._ends: dict[str, int] = {}  # descriptors that tell of the end of a client's process
        self._space, self._boot, self._host = own_namespace(), boot_id(), socket.gethostname()
        self._unsaved = False
        self.listeners: list[Listener] = []

    def begin(self) -> None:
        """Take up whom the daemon before this one knew; called once, when all listeners are there."""
        now = time.monotonic()
        kept = read_clients(self._state_dir)
        self._take(self._clients.remember(kept.clients, kept.primary, now), now)
        for client in kept.clients:
            self._attend(client, now)

    # -- whose request it is ----------------------------------------------------------------------------------

    def client_of(self, link: Link, who: Message) -> Client:
        """The client that a request comes from; it is one from now on, if it was none.

        Raises:
            BadRequest: the name it gives itself is none.
            Refused: there are too many clients.
        """
        name = checked_name(who.get("client"))
        known = self._clients.get(name) if name is not None else None
        if name is None:
            known = self._terminal(link, who)
        elif known is None:
            known = Client(name, "agent", name)
        return self._meet(known, who)

    def _terminal(self, link: Link, who: Message) -> Client:
        """Who has given no name: the terminal it was typed at, else the session it runs in."""
        asks = self._process(link.peer.pid)
        if asks is None:
            return self._told_terminal(who)
        leader = leader_of(asks)
        known = self._clients.living_by(leader.pid, leader.began)
        if known is not None:
            return known
        tty = terminal_name(asks.tty) or (told_text(who.get("tty")) if asks.tty else None)
        kind: Kind = "terminal" if asks.tty else "other"
        wanted = self._id(tty, f"{self._space} {leader.pid} {leader.began}")
        return Client(wanted, kind, None, pid=leader.pid, began=leader.began, tty=tty)

    def _told_terminal(self, who: Message) -> Client:
        """As it says itself, where the kernel cannot be asked: of another pid namespace, or no Linux."""
        tty, leader = told_text(who.get("tty")), who.get("leader")
        wanted = self._id(tty, f"told {tty} {leader if isinstance(leader, int) else ''}")
        return self._clients.get(wanted) or Client(wanted, "terminal" if tty else "other", None, tty=tty)

    def _id(self, tty: str | None, what: str) -> str:
        """``pts-3_1f2e3d4c``: the same whenever it is made of the same, in this run of the machine."""
        label = "".join(letter if letter.isalnum() else "-" for letter in (tty or "").removeprefix("/dev/")[:24])
        return f"{label or 'process'}_{hashlib.sha256(f'{self._boot} {what}'.encode()).hexdigest()[:8]}"

    def _process(self, pid: int | None) -> Process | None:
        """A process of this machine that is this user's; None: nobody can tell, or it is another's."""
        found = seen(pid)
        return found if found is not None and found.uid in (0, os.geteuid()) else None

    def _meet(self, client: Client, who: Message) -> Client:
        """Take note of what it says of itself."""
        now, wall = time.monotonic(), time.time()
        session = told_text(who.get("session"))
        fresh = client._replace(
            host=self._host, cwd=told_text(who.get("cwd")) or client.cwd, session=session, last_seen=wall,
            since=client.since or wall,
        )  # fmt: skip
        self._take(self._clients.meet(fresh, now), now)
        self._attend(fresh, now)
        return fresh

    # -- verbs ------------------------------------------------------------------------------------------------

    def answer(self, link: Link, number: Any, verb: str, args: Message, who: Message) -> None:
        """Answer a verb ``client.*``.

        Raises:
            BadRequest: there is no such verb, or an argument makes no sense.
            Refused: there are too many clients.
        """
        match verb:
            case "client.hello":
                found: Message = {"client": self._told(self._hello(link, args, who))}
            case "client.heartbeat":
                client, now = self.client_of(link, who), time.monotonic()
                found = {"renewed": [one for listener in self.listeners for one in listener.beat(client.id, now)]}
            case "client.leave":
                found = {"left": self._leave(link, who)}
            case "client.list":
                found = {"clients": [self._told(client) for client in self._clients.all()]}
            case _:
                raise BadRequest(f"no verb {verb!r}", hint="see docs/protocol.md")
        self._tools.send(link, reply_ok(number, found))

    def _hello(self, link: Link, args: Message, who: Message) -> Client:
        """A client says who it is."""
        name, kind, ttl = checked_name(args.get("name")), checked_kind(args.get("kind")), checked_ttl(args.get("ttl"))
        pid = args.get("pid")
        if not (pid is None or (isinstance(pid, int) and not isinstance(pid, bool) and pid > 0)):
            raise BadRequest(f"pid = {pid!r} is no process", hint="see docs/protocol.md")
        client = self.client_of(link, who if name is None else {**who, "client": name})
        if pid is not None and client.name is not None:
            lived_by = self._believed(link, pid, who)
            client = client._replace(pid=lived_by.pid if lived_by else None, began=lived_by.began if lived_by else "")
            self._unattend(client.id)
        return self._meet(client._replace(kind=kind or client.kind, ttl=ttl), who)

    def _believed(self, link: Link, pid: int, who: Message) -> Process | None:
        """The process that a client says it lives by; None: it is not seen to be of this user, and of here."""
        if pid == who.get("pid"):  # itself: the kernel knows its number here
            return self._process(link.peer.pid)
        if link.peer.pid is None or self._space is None or namespace_of(link.peer.pid) != self._space:
            return None  # its numbers are those of other processes here
        return self._process(pid)

    def _leave(self, link: Link, who: Message) -> bool:
        """A client says that it goes; False: it was not known."""
        name = checked_name(who.get("client"))
        client = self._clients.get(name) if name is not None else self._terminal(link, who)
        return client is not None and self._drop(client.id, time.monotonic())

    def _told(self, client: Client) -> Message:
        """A client as the protocol has it."""
        return {
            "id": client.id,
            "kind": client.kind,
            "name": client.name,
            "user": client.user,
            "host": client.host,
            "pid": client.pid,
            "tty": client.tty,
            "cwd": client.cwd,
            "session": client.session,
            "role": "primary" if client.id == self._clients.primary else "secondary",
            "since": time_text(client.since),
            "last_seen": time_text(client.last_seen),
            "state": self._clients.state(client.id),
        }

    # -- their end --------------------------------------------------------------------------------------------

    def _attend(self, client: Client, now: float) -> None:
        """Have the loop woken by the end of the process that it lives by."""
        if client.pid is None or client.id in self._ends:
            return
        try:
            end = end_of(client.pid, client.began)
        except OSError as exc:  # without it the process is looked at when somebody asks
            log(f"client {client.id}: its end will not be seen: {exc}")
            return
        if end is None:
            self._drop(client.id, now)
            return
        self._ends[client.id] = end
        self._tools.select.register(end, selectors.EVENT_READ, partial(self._ended, client.id))

    def _ended(self, wanted: str, mask: int) -> None:
        """The process of a client has ended."""
        self._drop(wanted, time.monotonic())

    def _drop(self, wanted: str, now: float) -> bool:
        """A client is there no more; False: it was not."""
        self._unattend(wanted)
        changes = self._clients.leave(wanted)
        self._take(changes, now)
        return bool(changes)

    def _unattend(self, wanted: str) -> None:
        """Wait for the end of its process no longer."""
        end = self._ends.pop(wanted, None)
        if end is not None:
            self._tools.select.unregister(end)
            os.close(end)

    def _take(self, changes: list[Change], now: float) -> None:
        """Tell everybody what became of clients."""
        for change in changes:
            self._unsaved = True
            client = change.client
            if change.what in ("disconnected", "silent"):
                for listener in self.listeners:
                    listener.gone(client.id, now)
            kind = {"connected": "client_connected", "promoted": "primary_promoted"}.get(
                change.what, "client_disconnected"
            )
            self._tools.publish({"type": kind, "session": client.session, "client": self._told(client)})

    # -- the loop ---------------------------------------------------------------------------------------------

    def left(self, link: Link) -> None:
        """A connection ended: every command's does, and its client lives on."""

    def tick(self, now: float) -> None:
        """Heartbeats that were missed; what changed is kept."""
        self._take(self._clients.tick(now), now)
        if self._unsaved:
            self._unsaved = False
            try:
                write_clients(self._state_dir, Kept(self._clients.all(), self._clients.primary))
            except OSError as exc:  # the next daemon knows those who say something again
                log(f"clients not kept: {exc}")

    def next_look(self) -> float | None:
        """When a heartbeat will have been missed."""
        return self._clients.next_look()

    def close(self) -> None:
        """Keep who is there for the next daemon."""
        self._unsaved = True
        self.tick(time.monotonic())
        for wanted in list(self._ends):
            self._unattend(wanted)


def told_text(value: object) -> str | None:
    """What a client says of itself, if it can be shown and is not too long."""
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST_TEXT else None


def time_text(wall: float) -> str:
    """RFC 3339 in UTC."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
