"""The event stream: numbers, the last events, and who follows (docs/protocol.md, "Events")."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gitsessiond.daemon.link import Link
from gitsessiond.daemon.log import log

KEPT = 2000
BLOCK = 1000
MOST_UNSENT = 1 << 20  # bytes a follower may leave unread

Event = dict[str, Any]


class Sequence:
    """Numbers that are never used twice, also by the next daemon: they are set apart on disk a block ahead."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.last = self._read()
        self._bound = self.last

    def _read(self) -> int:
        """The highest number a former daemon may have used."""
        try:
            with open(self._path, encoding="ascii", errors="replace") as file:
                found = file.read(32).strip()
        except OSError:
            return 0
        return int(found) if found.isdecimal() else 0

    def next(self) -> int:
        """The next number."""
        if self.last >= self._bound:
            self._bound = self.last + BLOCK
            self._write()
        self.last += 1
        return self.last

    def _write(self) -> None:
        """Set a block apart; if that fails, the next daemon may use its numbers again."""
        draft = self._path + ".new"
        try:
            with open(draft, "w", encoding="ascii") as file:
                file.write(f"{self._bound}\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self._path)
        except OSError as exc:
            log(f"event numbers not kept: {exc}")


class Events:
    """The last events and those who wait for the next."""

    def __init__(self, path: str, send: Callable[[Link, Event], None]) -> None:
        self._sequence, self._send = Sequence(path), send
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._followers: list[Link] = []
        self.saves = 0

    @property
    def last(self) -> int:
        """The number of the newest event (or the highest set apart by a former daemon)."""
        return self._sequence.last

    def publish(self, told: Event) -> None:
        """Number an event, keep it, send it to all who follow."""
        event = {"v": 1, "seq": self._sequence.next(), "ts": now_text(), **told}
        self._kept.append(event)
        self.saves += event.get("type") == "saved"
        for follower in list(self._followers):
            if follower.unsent <= MOST_UNSENT:
                self._send(follower, event)
            else:  # it does not read: one last event, and it is closed once it has read that
                self.leave(follower)
                follower.closing = True
                self._send(follower, missed(event["seq"], event["seq"]))

    def since(self, number: int | None) -> list[Event]:
        """The kept events after a number, with a ``missed`` one first for those that are no longer kept."""
        if number is None:
            return list(self._kept)
        found = [event for event in self._kept if event["seq"] > number]
        oldest = self._kept[0]["seq"] if self._kept else self.last + 1
        if number + 1 < oldest and number < self.last:
            found.insert(0, missed(number + 1, oldest - 1))
        return found

    def follow(self, link: Link) -> None:
        """Send every event from now on to this connection."""
        self._followers.append(link)

    def leave(self, link: Link) -> None:
        """Send it no more."""
        if link in self._followers:
            self._followers.remove(link)


def missed(first: int, last: int) -> Event:
    """The event that stands for others."""
    return {"v": 1, "seq": last, "ts": now_text(), "type": "missed", "session": None, "from": first, "to": last}


def now_text() -> str:
    """The time as RFC 3339 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
