"""One stream of frames to a client or the recorder, never blocking: what cannot be sent now waits."""

from __future__ import annotations

import selectors
import socket
from typing import Any

from gitsessiond.model.errors import BadRequest
from gitsessiond.wire.frames import Decoder, encode
from gitsessiond.wire.place import Peer

AT_ONCE = 1 << 16  # bytes that are read in one go; more would have to be asked of the system each time
MOST_UNREAD = 1 << 20  # bytes of answers that an end may leave unread, and still ask

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
        self.wanted = selectors.EVENT_READ  # of what the loop is to tell

    def fileno(self) -> int:
        """For select."""
        return self._connection.fileno()

    @property
    def unsent(self) -> int:
        """Bytes that wait for the other end to read."""
        return len(self._unsent)

    @property
    def at_rest(self) -> bool:
        """Whether all is sent, and it is only to be read from."""
        return not (self._unsent or self.broken or self.closing) and self.wanted == selectors.EVENT_READ

    def receive(self) -> list[Frame] | None:
        """The frames that came; None: the other end will send no more."""
        try:
            data = self._connection.recv(AT_ONCE)
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
        sent = 0 if self._unsent else self._send_some(frame)
        if sent < len(frame):
            self._unsent += frame[sent:]
            self.flush()

    def flush(self) -> None:
        """Send what waits, as much of it as goes now."""
        while self._unsent and (sent := self._send_some(memoryview(self._unsent)[: 1 << 18])):
            del self._unsent[:sent]

    def _send_some(self, data: bytes | memoryview) -> int:
        """Send what goes now; how many bytes that were."""
        if self.broken:
            return 0
        try:
            return self._connection.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self.broken = True
            return 0

    def end_sending(self) -> None:
        """Let the other end read the end of the stream."""
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            self.broken = True

    def close(self) -> None:
        """Give the socket back."""
        self._connection.close()


def want_room(select: selectors.BaseSelector, link: Link, *, patient: bool = True) -> None:
    """Have the loop told when there is room for what is unsent, and no longer when nothing is.

    Who is not ``patient`` hears no more of an end that does not read what it has asked for.
    """
    deaf = not patient and link.unsent > MOST_UNREAD
    wanted = (selectors.EVENT_WRITE if link.unsent else 0) | (0 if deaf else selectors.EVENT_READ)
    if wanted != link.wanted:
        link.wanted = wanted
        select.modify(link, wanted, select.get_key(link).data)
