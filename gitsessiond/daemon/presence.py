"""Who is there: the verbs ``client.*``, and for all that is beside them whose request it is (docs/protocol.md)."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from gitsessiond.daemon.beside import Looked
from gitsessiond.daemon.exits import Exits
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.log import log
from gitsessiond.daemon.recognizing import Recognizer, told_directory, told_text
from gitsessiond.daemon.settings import Settings
from gitsessiond.model.clients import Change, Client, Clients, checked_kind, checked_name, checked_ttl
from gitsessiond.model.errors import BadRequest, GitSessionError, Refused
from gitsessiond.model.health import Finding
from gitsessiond.model.moments import moment_text
from gitsessiond.model.names import quote_path
from gitsessiond.model.rates import gauge
from gitsessiond.store.clientsfile import Kept, read_clients, write_clients
from gitsessiond.store.identity import told_identity
from gitsessiond.store.processes import is_gone, lives
from gitsessiond.wire.requests import reply_ok

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

    def __init__(self, tools: Tools, state_dir: str, settings: Settings) -> None:
        self._tools, self._state_dir, self._settings = tools, state_dir, settings
        self._clients = Clients()
        self._recognizer, self._host = Recognizer(self._clients), socket.gethostname()
        self._exits = Exits[str](tools.select, self._ended)
        self._lived_by: dict[str, tuple[int, str]] = {}  # processes whose end is waited for, by client
        self._links: dict[Link, tuple[str | None, str]] = {}  # the name last told over a connection, and whose it is
        self._sessions: dict[str, str] = {}
        self._unsaved = False
        self.listeners: list[Listener] = []

    def begin(self) -> None:
        """Take up whom the daemon before this one knew; called once, when all listeners are there."""
        now = time.monotonic()
        kept = read_clients(self._state_dir)
        self._take(self._clients.remember(kept.clients, kept.primary, kept.silent, now), now)
        for client in kept.clients:
            if self._attend(client):
                continue
            if client.pid is not None and not lives(client.pid, client.began):
                self._drop(client.id, now)
            else:
                self._take(self._clients.meet(client._replace(pid=None, began=""), now), now)

    def set_sessions(self, sessions: Mapping[str, str]) -> None:
        """The open sessions, by worktree."""
        self._sessions = dict(sessions)

    # -- whose request it is ----------------------------------------------------------------------------------

    def client_of(self, link: Link, who: Message) -> Client:
        """The client that a request comes from; it is one from now on, if it was none.

        Raises:
            BadRequest: the name it gives itself is none, or a setting of its environment is.
            Refused: there are too many clients, or whoever asked has ended: a lock would be nobody's.
        """
        return self._said(link, who, asks=True)

    def _said(self, link: Link, who: Message, *, asks: bool = False) -> Client:
        """Whose request it is; ``asks``: for something that is to be had by somebody who is there."""
        name, wanted = self._links.get(link, (None, ""))
        known = self._clients.get(wanted) if who.get("client") == name else None  # of one process all its time
        client = known or self._recognizer.client(link, who)
        if asks and (self._clients.get(client.id) is None or self._clients.state(client.id) != "live"):
            self._recognizer.check_asker(link)
        client = self._meet(client, who)
        self._links[link] = who.get("client"), client.id
        return client

    def editor(self, pid: int, program: str, cwd: str) -> Client | None:
        """The client that an editor's process is, from its first change on.

        None: it has ended, it is another user's, or there are too many clients.
        """
        client = self._recognizer.editor(pid, program)
        try:
            return self._meet(client, {"cwd": cwd}) if client is not None else None
        except GitSessionError as exc:
            log(f"no client: {exc.message}")
            return None

    def recognized(self, link: Link, who: Message) -> str | None:
        """The id of the client that a request comes from, which need not be known; None: nobody can tell."""
        try:
            return self._recognizer.client(link, who).id
        except GitSessionError:
            return None

    def notice(self, link: Link, who: Message) -> None:
        """Somebody asks the recorder something: whoever types at a terminal, or has a name, is a client from now on."""
        if names_itself(who):
            try:
                self.client_of(link, who)
            except GitSessionError as exc:  # what is asked has nothing to do with it
                log(f"no client: {exc.message}")

    def _meet(self, client: Client, who: Message, *, greets: bool = False) -> Client:
        """Take note of what it says of itself.

        Raises:
            BadRequest: a setting of its environment means nothing.
            Refused: there are too many clients, or the process that it lives by has ended.
        """
        now, wall = time.monotonic(), time.time()
        if self._clients.get(client.id) is None or greets:
            times = self._settings.coordinating.asked_by(who)
            client = client._replace(heartbeat=times.heartbeat_s, keep=times.client_ttl_s, user=self._user(who))
        cwd = client.cwd if who.get("cwd") is None else told_directory(who["cwd"])
        session = told_text(who.get("session"))
        fresh = client._replace(host=self._host, cwd=cwd, session=session, last_seen=wall, since=client.since or wall)
        if not self._attend(fresh):
            if is_gone(fresh.pid, fresh.began):
                self._drop(fresh.id, now)
                raise Refused(f"process {fresh.pid}, which {fresh.id} lives by, has ended", hint="git session clients")
            fresh = fresh._replace(pid=None, began="")
        self._take(self._clients.meet(fresh, now), now)
        self._save()  # before anybody is told what the client holds: the next daemon is to know whose it is
        return fresh

    def _user(self, who: Message) -> str | None:
        """Who it says it is, for lists."""
        env = who.get("env")
        told = {str(name): str(value) for name, value in env.items()} if isinstance(env, dict) else {}
        try:
            return told_text(told_identity(told, self._settings.configured))
        except GitSessionError as exc:
            log(f"no user: {exc.message}")
            return None

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
                client, now = self._said(link, who), time.monotonic()
                found = {"renewed": [one for listener in self.listeners for one in listener.beat(client.id, now)]}
            case "client.leave":
                found = {"left": self._leave(link, who)}
            case "client.list":
                you = self._said(link, who).id if names_itself(who) else None
                found = {"clients": [self._told(client) for client in self._clients.all()], "you": you}
            case _:
                raise BadRequest(f"no verb {verb!r}", hint="see docs/protocol.md")
        self._tools.send(link, reply_ok(number, found))

    def _hello(self, link: Link, args: Message, who: Message) -> Client:
        """A client says who it is."""
        name, kind, ttl = checked_name(args.get("name")), checked_kind(args.get("kind")), checked_ttl(args.get("ttl"))
        pid = args.get("pid")
        if not (pid is None or (isinstance(pid, int) and not isinstance(pid, bool) and pid > 0)):
            raise BadRequest(f"pid = {pid!r} is no process", hint="see docs/protocol.md")
        client = self._said(link, who if name is None else {**who, "client": name})
        if pid is not None and client.name is not None:
            lived_by = self._recognizer.believed(link, pid, who)
            client = client._replace(pid=lived_by.pid if lived_by else None, began=lived_by.began if lived_by else "")
            self._unattend(client.id)
        return self._meet(client._replace(kind=kind or client.kind, ttl=ttl), who, greets=True)

    def _leave(self, link: Link, who: Message) -> bool:
        """A client says that it goes; False: it was not known."""
        return self._drop(self._recognizer.client(link, who).id, time.monotonic())

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
            "cwd": client.cwd if client.cwd.isprintable() else quote_path(os.fsencode(client.cwd)),
            "session": self.session_of(client),
            "role": "primary" if client.id == self._clients.primary else "secondary",
            "since": moment_text(client.since),
            "last_seen": moment_text(client.last_seen),
            "state": self._clients.state(client.id),
        }

    def session_of(self, client: Client) -> str | None:
        """The id of the session in whose worktree it stands, else what it said; None: neither."""
        around = [one for one in self._sessions if client.cwd == one or client.cwd.startswith(one + "/")]
        return self._sessions[max(around, key=len)] if around and client.session is None else client.session

    # -- their end --------------------------------------------------------------------------------------------

    def _attend(self, client: Client) -> bool:
        """Have the loop woken by the end of the process that it lives by.

        False: it has ended, or that cannot be: it has to give signs of life then.
        """
        if client.pid is None or client.id in self._lived_by:
            return True
        if not self._exits.wait(client.id, client.pid, client.began):
            return False
        self._lived_by[client.id] = (client.pid, client.began)
        return True

    def _ended(self, wanted: str) -> None:
        """The process of a client has ended."""
        self._drop(wanted, time.monotonic())

    def _drop(self, wanted: str, now: float) -> bool:
        """A client is there no more; False: it was not."""
        changes = self._clients.leave(wanted)
        self._take(changes, now)
        return bool(changes)

    def _unattend(self, wanted: str) -> None:
        """Wait for the end of its process no longer."""
        if wanted in self._lived_by:
            self._exits.leave(wanted, *self._lived_by.pop(wanted))

    def _take(self, changes: list[Change], now: float) -> None:
        """Tell everybody what became of clients."""
        for change in changes:
            self._unsaved = True
            client = change.client
            if change.what == "disconnected":
                self._unattend(client.id)
            if change.what in ("disconnected", "silent"):
                for listener in self.listeners:
                    listener.gone(client.id, now)
            kind = {"connected": "client_connected", "promoted": "primary_promoted"}.get(
                change.what, "client_disconnected"
            )
            self._tools.publish({"type": kind, "session": self.session_of(client), "client": self._told(client)})

    # -- the loop ---------------------------------------------------------------------------------------------

    def left(self, link: Link) -> None:
        """A connection ended: every command's does, and its client lives on."""
        self._links.pop(link, None)

    def knows(self, client: str) -> bool:
        """Whether there is such a client."""
        return self._clients.get(client) is not None

    def hear(self, client: str, now: float) -> bool:
        """One gave a sign of life, and says nothing new of itself; False: it has to."""
        return self._clients.hear(client, now)

    def look(self, now: float, deep: bool) -> Looked:
        """How many there are."""
        states = [self._clients.state(client.id) for client in self._clients.all()]
        live, silent = states.count("live"), states.count("silent")
        words = f"{live} attached" + (f", {silent} silent: they hold nothing any more" if silent else "")
        families = [
            gauge("attached_clients", "Clients that are attached: terminals, editors, agents.", live),
            gauge("silent_clients", "Clients that missed their heartbeats.", silent),
        ]
        return Looked({"clients": {"attached": live, "silent": silent}}, families, [Finding("clients", "ok", words)])

    def tick(self, now: float) -> None:
        """Heartbeats that were missed; what changed is kept."""
        due = self._clients.next_look()
        if due is not None and due <= now:
            self._hear_waiting(now)
        self._take(self._clients.tick(now), now)
        self._save()

    def _hear_waiting(self, now: float) -> None:
        """Who keeps a connection lives, and may be waiting for an answer; but whoever named a time keeps to it."""
        for wanted in {wanted for _, wanted in self._links.values()}:
            client = self._clients.get(wanted)
            if client is not None and client.ttl is None:
                self._clients.hear(wanted, now)

    def _save(self) -> None:
        """Keep who is there, if that changed."""
        if not self._unsaved:
            return
        self._unsaved = False
        known = self._clients.all()
        silent = [client.id for client in known if self._clients.state(client.id) == "silent"]
        try:
            write_clients(self._state_dir, Kept(known, self._clients.primary, silent))
        except OSError as exc:  # the next daemon knows those who say something again
            log(f"clients not kept: {exc}")

    def next_look(self) -> float | None:
        """When a heartbeat will have been missed."""
        return self._clients.next_look()

    def close(self) -> None:
        """Keep who is there for the next daemon."""
        self._unsaved = self._unsaved or len(self._clients) > 0
        self.tick(time.monotonic())
        self._exits.close()


def names_itself(who: Message) -> bool:
    """Whether a request is typed at a terminal or comes with a client's name; not each script is to be a client."""
    return bool(told_text(who.get("tty")) or who.get("client"))
