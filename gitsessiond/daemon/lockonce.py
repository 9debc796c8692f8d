"""Locks where no daemon runs: one request on the same journal, under the authority lock.

Nobody lives on to hear a heartbeat, to see a holder die or to let a waiter in: leases end by the clock, holders that
are seen to be dead are forgotten first, and nobody waits.
"""

from __future__ import annotations

import socket
import time
from typing import Any

from gitsessiond.daemon.link import Link
from gitsessiond.daemon.locks import Locks, LockTold
from gitsessiond.daemon.recognizing import Recognizer, told_directory, told_text
from gitsessiond.daemon.settings import Settings, read_settings
from gitsessiond.model.clients import Client, Clients
from gitsessiond.model.errors import GitSessionError
from gitsessiond.store.clientsfile import read_clients
from gitsessiond.store.identity import told_identity
from gitsessiond.store.processes import lives
from gitsessiond.store.repository import open_repository
from gitsessiond.wire.parts import checked, number_of
from gitsessiond.wire.place import Place, peer_of
from gitsessiond.wire.requests import reply_error

Message = dict[str, Any]


class Alone:
    """The one client there is."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._recognizer = settings, Recognizer(Clients())

    def client_of(self, link: Link, who: Message) -> Client:
        """Who asks.

        Raises:
            BadRequest: the name it gives itself is none.
        """
        env = who.get("env")
        told = {str(name): str(value) for name, value in env.items()} if isinstance(env, dict) else {}
        try:
            user = told_text(told_identity(told, self._settings.configured))
        except GitSessionError:
            user = None
        found = self._recognizer.client(link, who)
        cwd, session = told_directory(who.get("cwd")), told_text(who.get("session"))
        return found._replace(user=user, host=socket.gethostname(), cwd=cwd, session=session)

    def session_of(self, client: Client) -> str | None:
        """The session that it named; which others there are nobody knows here."""
        return client.session


def client_behind(request: Message, pipe: socket.socket) -> str | None:
    """The client that a request over this pipe comes from, as locks know it; None: nobody can tell."""
    who = request.get("who")
    link = Link(pipe.dup(), peer_of(pipe))
    try:
        return Recognizer(Clients()).client(link, who if isinstance(who, dict) else {}).id
    except GitSessionError:
        return None
    finally:
        link.close()
        pipe.setblocking(True)


def answer_for_locks(request: Message, pipe: socket.socket, place: Place, where: str) -> Message:
    """The reply to a verb ``lock.*`` that comes from around a directory; the authority lock is held."""
    number, now, settings = number_of(request), time.monotonic(), read_settings(open_repository(where))
    replies: list[Message] = []
    told = LockTold(lambda link, reply: replies.append(reply), lambda event: None)
    locks = Locks(told, Alone(settings), place, settings, fresh=False)
    for client in read_clients(place.state_dir).clients:
        if client.pid is not None and not lives(client.pid, client.began):
            locks.gone(client.id, now)
    link = Link(pipe.dup(), peer_of(pipe))
    try:
        asked = checked(request)
        args = {**asked["args"], "wait": None} if asked["verb"] == "lock.acquire" else asked["args"]
        locks.answer(link, number, asked["verb"], args, asked["who"])
    except GitSessionError as error:
        replies.append(reply_error(number, error))
    finally:
        link.close()
        pipe.setblocking(True)
    locks.close()
    return replies[-1]
