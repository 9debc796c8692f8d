"""The connections of clients: taken, read, written to, closed."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gitsessiond.daemon.link import Frame, Link, want_room
from gitsessiond.daemon.log import log
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.model.hints import in_turn
from gitsessiond.wire.frames import encode
from gitsessiond.wire.place import peer_of
from gitsessiond.wire.requests import reply_error

LAST_WORDS_S = 1.0
DEAF_S = 1.0  # until connections are taken again where there was no descriptor for one, if nobody leaves before
SPARE = 16  # connections beyond those that may stay


class Clients:
    """Everyone connected to the socket. ``on_frame`` gets what they say, ``on_left`` who is gone.

    ``on_frame`` returns whether nothing can have become due by it but what has to do with locks.
    ``most`` may stay; a few more are heard, so that a command is answered when as many follow.
    """

    def __init__(
        self,
        select: selectors.BaseSelector,
        listener: socket.socket,
        on_frame: Callable[[Link, Frame], bool],
        on_left: Callable[[Link], None],
        most: int = 1000,
    ) -> None:
        self._select, self._listener = select, listener
        self._on_frame, self._on_left = on_frame, on_left
        self._links: set[Link] = set()
        self.most, self.refused = most, 0
        self._deaf_until: float | None = None
        select.register(listener, selectors.EVENT_READ, self._accept)

    def _accept(self, mask: int = 0) -> bool:
        """Take a connection, unless it is another user's; False when there was none."""
        if self._listener.fileno() < 0:  # closed by what the same round of the loop did before
            return False
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return False
        except OSError as exc:  # no descriptor is left: take no more for a while, or this would spin
            log(f"no more connections for now: {exc}")
            self._select.unregister(self._listener)
            self._deaf_until = time.monotonic() + DEAF_S
            return False
        peer = peer_of(connection)
        if peer.uid not in (None, 0, os.geteuid()):
            connection.close()
            return True
        if len(self._links) >= self.most + SPARE:
            self._refuse(connection)
            return True
        link = Link(connection, peer)
        self._links.add(link)
        self._select.register(link, selectors.EVENT_READ, partial(self._serve, link))
        return True

    def __len__(self) -> int:
        return len(self._links)

    def check_room(self) -> None:
        """Let a connection stay, if there are not too many.

        Raises:
            Refused: there are.
        """
        if len(self._links) > self.most:
            self.refused += 1
            raise self._full()

    def _full(self) -> Refused:
        return Refused(
            f"the daemon has {self.most} connections, as many as it may (gitsession.maxConnections)",
            hint=in_turn(f"git config gitsession.maxConnections {2 * self.most}", "git session daemon stop"),
        )

    def _refuse(self, connection: socket.socket) -> None:
        """Say why there is no connection."""
        self.refused += 1
        with connection:
            connection.setblocking(False)
            try:
                connection.send(encode(reply_error(None, self._full())))
            except OSError:
                pass  # it is gone already

    def _serve(self, link: Link, mask: int) -> bool:
        """Read from a client, or write on to it; returns what ``on_frame`` does of all of it."""
        only_locks = True
        if mask & selectors.EVENT_WRITE:
            link.flush()
        if mask & selectors.EVENT_READ:
            frames = link.receive()
            for frame in frames or ():
                if link not in self._links:  # it left over the one before: what it asked besides is for nobody
                    return False
                only_locks = self._on_frame(link, frame) and only_locks
            if frames is None:
                self._leave(link)
                return False
        self._sent(link)
        return only_locks

    def send(self, link: Link, message: dict[str, Any]) -> None:
        """Send to a client that may be gone."""
        if link not in self._links:
            return
        try:
            link.send(message)
        except BadRequest as exc:  # the reply is too long
            link.send(reply_error(message.get("id"), exc))
        self._sent(link)

    def send_frames(self, link: Link, frames: bytes) -> None:
        """Send what is encoded already to a client that may be gone."""
        if link in self._links:
            link.send_frame(frames)
            self._sent(link)

    def _sent(self, link: Link) -> None:
        """Something was sent, or tried to: close what is at its end, wait for room where more is to go."""
        if link.at_rest or link not in self._links:
            return
        if link.broken or (link.closing and not link.unsent):
            self._leave(link)
        else:
            want_room(self._select, link, patient=False)

    def _leave(self, link: Link) -> None:
        """A client is gone, or is sent away."""
        if link not in self._links:
            return
        self._links.discard(link)
        self._select.unregister(link)
        link.close()
        self._on_left(link)
        self._listen()

    def _listen(self) -> None:
        """Take connections again, unless that is over."""
        self._deaf_until = None
        if self._listener.fileno() >= 0 and self._listener not in self._select.get_map():
            self._select.register(self._listener, selectors.EVENT_READ, self._accept)

    def next_look(self) -> float | None:
        """When connections are to be taken again; None: they are, or never."""
        return self._deaf_until

    def tick(self, now: float) -> None:
        """Take them again, if it is time."""
        if self._deaf_until is not None and self._deaf_until <= now:
            self._listen()

    def take_no_more(self) -> None:
        """Take those who have connected already, then stop listening; the listener is about to be closed."""
        self._deaf_until = None
        if self._listener in self._select.get_map():
            while self._accept():
                pass
        if self._listener in self._select.get_map():
            self._select.unregister(self._listener)

    def close(self) -> None:
        """Hear and send what is still on its way, for a moment, then close all."""
        deadline = time.monotonic() + LAST_WORDS_S
        for link in list(self._links):
            for frame in link.receive() or ():
                if link in self._links:
                    self._on_frame(link, frame)
        for link in list(self._links):
            with selectors.DefaultSelector() as select:
                select.register(link, selectors.EVENT_WRITE)
                while link.unsent and not link.broken and time.monotonic() < deadline:
                    select.select(0.1)
                    link.flush()
            link.close()
        self._links.clear()
