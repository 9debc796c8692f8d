"""One stream of frames to a client or the recorder, never blocking: what cannot be sent now waits."""

from __future__ import annotations

import selectors
import socket
from typing import Any

from gitsessiond.model.errors import BadRequest
from gitsessiond.wire.frames import Decoder, encode
from gitsessiond.wire.place import Peer

Frame = dict[str, Any] | BadRequest


class Link:
    """A connected socket of the loop's."""

    def __init__(self, connection: socket.socket, peer: Peer) -> None:
        connection.setblocking(False)
        self._connection, self.peer = connection, peer
        self._decoder = Decoder()
        self._unsent = bytearray()
        self.closing = False  # close once all is sent
        self.broken = False  # the other end is gone
        self.room_wanted = False  # the loop is to tell when there is room

    def fileno(self) -> int:
        """For select."""
        return self._connection.fileno()

    @property
    def unsent(self) -> int:
        """Bytes that wait for the other end to read."""
        return len(self._unsent)

    def receive(self) -> list[Frame] | None:
        """The frames that came; None: the other end will send no more."""
        try:
            data = self._connection.recv(1 << 18)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            self.broken = True
            return None
        return self._decoder.feed(data) if data else None

    def send(self, message: dict[str, Any]) -> None:
        """Send a frame, as much of it as goes now.

        Raises:
            BadRequest: it is too long; nothing of it was sent.
        """
        self.send_frame(encode(message))

    def send_frame(self, frame: bytes) -> None:
        """Send what is encoded already."""
        self._unsent += frame
        self.flush()

    def flush(self) -> None:
        """Send what waits, as much of it as goes now."""
        while self._unsent and not self.broken:
            try:
                sent = self._connection.send(memoryview(self._unsent)[: 1 << 18])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.broken = True
                return
            del self._unsent[:sent]

    def end_sending(self) -> None:
        """Let the other end read the end of the stream."""
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            self.broken = True

    def close(self) -> None:
        """Give the socket back."""
        self._connection.close()


def want_room(select: selectors.BaseSelector, link: Link) -> None:
    """Have the loop told when there is room for what is unsent, and no longer when nothing is."""
    wanted = link.unsent > 0
    if wanted != link.room_wanted:
        link.room_wanted = wanted
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wanted else 0)
        select.modify(link, events, select.get_key(link).data)
