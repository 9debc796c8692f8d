"""Whose request it is: a terminal's, or a client's that gave itself a name.

A terminal needs no set-up: what the kernel says of the process that connected names the leader of its session, and
that is the shell. Anything else gives itself a name. What a client says of processes is believed only where this
process can see that it is so.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from gitsessiond.daemon.link import Link
from gitsessiond.model.clients import Client, Clients, Kind, checked_name
from gitsessiond.model.errors import Refused
from gitsessiond.store.processes import (
    Process,
    boot_id,
    leader_of,
    namespace_of,
    own_namespace,
    seen,
    terminal_name,
)

LONGEST_TEXT = 4096  # of what a client says of itself and nobody checks

Message = dict[str, Any]


class Recognizer:
    """Tells clients apart; ``clients`` are those that are known."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._space, self._boot = own_namespace(), boot_id()

    def client(self, link: Link, who: Message) -> Client:
        """The client that a request comes from, known or not.

        Raises:
            BadRequest: the name that it gives itself is none.
            Refused: whoever asked has ended, and nobody can tell who that was.
        """
        name = checked_name(who.get("client"))
        if name is None:
            return self._terminal(link, who)
        return self._clients.get(name) or Client(name, "agent", name)

    def _terminal(self, link: Link, who: Message) -> Client:
        """Who has given no name: the terminal it was typed at, else the session it runs in."""
        if not link.peer.pid or self._space is None:
            return self._told_terminal(who)
        asks = self._asking(link.peer.pid)
        leader = leader_of(asks)
        known = self._clients.living_by(leader.pid, leader.began)
        if known is not None:
            return known
        tty = terminal_name(asks.tty) or (told_text(who.get("tty")) if asks.tty else None)
        kind: Kind = "terminal" if asks.tty else "other"
        wanted = self._id(tty, f"{self._space} {leader.pid} {leader.began}")
        return Client(wanted, kind, None, pid=leader.pid, began=leader.began, tty=tty)

    def check_asker(self, link: Link) -> None:
        """Raise Refused where the process at the other end is proved dead: what it has sent is read after its end."""
        if link.peer.pid and self._space is not None:
            self._asking(link.peer.pid)

    def _asking(self, pid: int) -> Process:
        """The process that asks."""
        asks = seen(pid)
        if asks is None:
            raise Refused("whoever asked has ended", hint="export GITSESSION_CLIENT=NAME")
        return asks

    def _told_terminal(self, who: Message) -> Client:
        """As it says itself, where the kernel cannot be asked: of another pid namespace, or no Linux."""
        tty, leader = told_text(who.get("tty")), who.get("leader")
        wanted = self._id(tty, f"told {tty} {leader if isinstance(leader, int) else ''}")
        return self._clients.get(wanted) or Client(wanted, "terminal" if tty else "other", None, tty=tty)

    def _id(self, tty: str | None, what: str) -> str:
        """``pts-3_1f2e3d4c``: the same whenever it is made of the same, in this run of the machine."""
        label = "".join(letter if letter.isalnum() else "-" for letter in (tty or "").removeprefix("/dev/")[:24])
        return f"{label or 'process'}_{hashlib.sha256(f'{self._boot} {what}'.encode()).hexdigest()[:8]}"

    def editor(self, pid: int, program: str) -> Client | None:
        """The client that an editor's process is, known or not; None: it has ended, or is another user's."""
        found = seen(pid)
        if found is None or found.uid != os.geteuid():
            return None
        wanted = self._id(program, f"{self._space} {found.pid} {found.began}")
        tty = terminal_name(found.tty)
        known = self._clients.get(wanted)
        return known or Client(wanted, "editor", program, pid=found.pid, began=found.began, tty=tty)

    def believed(self, link: Link, pid: int, who: Message) -> Process | None:
        """The process that a client says it lives by; None: it is not seen to be of this user, and of here."""
        if pid == who.get("pid"):  # itself: the kernel knows its number here
            return seen(link.peer.pid)
        if link.peer.pid is None or self._space is None or namespace_of(link.peer.pid) != self._space:
            return None  # its numbers are those of other processes here
        found = seen(pid)
        return found if found is not None and found.uid == link.peer.uid else None


def told_directory(value: object) -> str:
    """Where a client says that it stands, as the system has it; empty: nowhere that could be."""
    good = isinstance(value, str) and value.startswith("/") and "\0" not in value and len(value) <= LONGEST_TEXT
    return str(value) if good else ""


def told_text(value: object) -> str | None:
    """What a client says of itself, if it can be shown and is not too long."""
    return value if isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST_TEXT else None
