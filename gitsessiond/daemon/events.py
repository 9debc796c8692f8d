"""The event stream: numbers, the last events, and who follows (docs/protocol.md, "Events")."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from gitsessiond.daemon.eventlog import EventLog
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.log import log
from gitsessiond.model.channels import Wanted, channel_of
from gitsessiond.model.errors import BadRequest
from gitsessiond.model.moments import moment_text, now_text
from gitsessiond.store.layout import write_whole
from gitsessiond.wire.frames import encode

KEPT = 2000
KEPT_BYTES = 8 << 20  # of all that are kept: a save of a thousand places makes a long event
BLOCK = 1 << 20  # numbers; each costs a sync, and a crash of the machine leaves the rest of it out
MOST_UNSENT = 1 << 20  # bytes a follower may leave unread
MOST_FRESH = 32  # events that nobody waits for: as many as are numbered in a fraction of a millisecond
AT_ONCE = 64  # followers that are sent to in one turn of the loop: a thousand would keep a lock waiting for 15 ms
SEQUENCE, LOG = "seq", "events.jsonl"

Event = dict[str, Any]


class Sequence:
    """Numbers that are never used twice, also by the next daemon: they are set apart on disk a block ahead.

    ``last``: the last one that was used, where that is known.
    """

    def __init__(self, path: str, last: int | None = None) -> None:
        self._path = path
        self._bound = self._read()
        self.last = self._bound if last is None else last

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
        try:
            write_whole(self._path, b"%d\n" % self._bound, synced=True)
        except OSError as exc:
            log(f"event numbers not kept: {exc}")


class Kept(NamedTuple):
    """An event, and its frame: made once, however many follow."""

    event: Event
    frame: bytes


class Follower:
    """A connection that is sent events, what it wants of them, and how far it is."""

    def __init__(self, link: Link, wanted: Wanted, told: int) -> None:
        self.link, self.wanted, self.told = link, wanted, told
        self.waits = False  # it is among those who are behind


class Counted:
    """How many events there were, and what came of them."""

    def __init__(self) -> None:
        self.by_type: dict[str, int] = {}
        self.published = self.sent = self.bytes_sent = self.dropped = 0


class Events:
    """The last events, kept in a directory, and those who wait for the next. ``send``: bytes to a connection."""

    def __init__(
        self, directory: str, send: Callable[[Link, bytes], None], hear: Callable[[Event], None] = lambda event: None
    ) -> None:
        self._send, self._hear = send, hear
        self._log = EventLog(os.path.join(directory, LOG), KEPT)
        former, is_whole = self._log.read()
        self._kept: deque[Kept] = deque()
        self._bytes = 0
        for event in former:
            self._keep(Kept(event, encode(event)))
        self._sequence = Sequence(os.path.join(directory, SEQUENCE), former[-1]["seq"] if former and is_whole else None)
        self._log.begin(one.frame for one in self._kept)
        self._followers: dict[Link, Follower] = {}
        self._behind: deque[Follower] = deque()
        self._counted = Counted()
        self._fresh: list[tuple[float, Event]] = []  # published, not numbered yet; and when

    @property
    def last(self) -> int:
        """The number of the newest event (or the highest set apart by a former daemon)."""
        self._number()
        return self._sequence.last

    @property
    def counted(self) -> Counted:
        """What came of events so far."""
        self._number()
        return self._counted

    @property
    def saves(self) -> int:
        """How many steps were saves."""
        return self.counted.by_type.get("saved", 0)

    @property
    def followers(self) -> int:
        """How many follow."""
        return len(self._followers)

    @property
    def any_behind(self) -> bool:
        """Whether :meth:`pump` has something to do."""
        return bool(self._behind)

    def publish(self, told: Event) -> None:
        """Number an event, keep it, send it to those who follow: to the first of them now.

        Where nobody follows many are numbered at once, which is faster: as soon as somebody asks, and by :meth:`pump`.
        """
        self._hear(told)
        self._fresh.append((time.time(), told))
        if not self._followers and len(self._fresh) < MOST_FRESH:
            return
        self._number()
        idle = not self._behind
        for follower in self._followers.values():
            if not follower.waits:
                follower.waits = True
                self._behind.append(follower)
        if idle:
            self._send_behind()

    def _number(self) -> None:
        """Number and keep what was published."""
        fresh, self._fresh = self._fresh, []
        for at, told in fresh:
            self._number_one(at, told)

    def _number_one(self, at: float, told: Event) -> None:
        """Number an event of a time, and keep it."""
        event = {"v": 1, "seq": self._sequence.next(), "ts": moment_text(at), "channel": channel_of(told), **told}
        try:
            frame = encode(event)
        except BadRequest as wrong:  # it tells of what is done, so it must not undo it
            log(f"not told: {wrong.message}")
            event = {key: event[key] for key in ("v", "seq", "ts", "channel", "type")} | {"session": None}
            frame = encode(event)
        self._keep(Kept(event, frame))
        if not self._log.add(frame):
            self._log.begin(one.frame for one in self._kept)
        kind, counted = str(event["type"]), self._counted
        counted.published += 1
        counted.by_type[kind] = counted.by_type.get(kind, 0) + 1

    def _keep(self, one: Kept) -> None:
        """Keep an event, and no more than so many, or of so many bytes."""
        self._kept.append(one)
        self._bytes += len(one.frame)
        while len(self._kept) > KEPT or (self._bytes > KEPT_BYTES and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft().frame)

    def pump(self) -> None:
        """Keep what was published; send to some of those who are behind.

        The others get their turn after whatever else waits.
        """
        self._number()
        self._send_behind()

    def _send_behind(self) -> None:
        """Send to some of those who are behind what is on disk by then."""
        self._log.flush()
        for _ in range(min(AT_ONCE, len(self._behind))):
            follower = self._behind.popleft()
            follower.waits = False
            if follower.link in self._followers:
                self._serve(follower)

    def _serve(self, follower: Follower) -> None:
        """Send a follower all that it wants of what it was not told yet."""
        first, last = follower.told + 1, self.last
        if follower.link.unsent > MOST_UNSENT:  # it does not read: one last event, and it is closed once it has that
            self.leave(follower.link)
            follower.link.closing = True
            self._counted.dropped += last - follower.told
            self._send(follower.link, encode(missed(first, last) | {"closing": True}))
            return
        found = [one.frame for one in self._after(follower.told) if follower.wanted.takes(one.event)]
        oldest = self._oldest()
        if first < oldest and follower.told < last:
            self._counted.dropped += oldest - first
            found.insert(0, encode(missed(first, oldest - 1)))
        follower.told = last
        if found:
            data = b"".join(found)
            self._counted.sent += len(found)
            self._counted.bytes_sent += len(data)
            self._send(follower.link, data)

    def _after(self, number: int) -> list[Kept]:
        """The kept events after a number, oldest first."""
        found = []
        for one in reversed(self._kept):
            if one.event["seq"] <= number:
                break
            found.append(one)
        return found[::-1]

    def _oldest(self) -> int:
        """The number of the oldest event that is kept."""
        return int(self._kept[0].event["seq"]) if self._kept else self.last + 1

    def since(self, number: int | None, wanted: Wanted = Wanted()) -> list[Event]:  # noqa: B008  (it is a value)
        """The kept events after a number, with a ``missed`` one first for those that are no longer kept."""
        self._number()
        self._log.flush()
        found = [one.event for one in self._after(-1 if number is None else number) if wanted.takes(one.event)]
        if number is not None and number + 1 < self._oldest() and number < self.last:
            found.insert(0, missed(number + 1, self._oldest() - 1))
        return found

    def follow(self, link: Link, wanted: Wanted = Wanted()) -> None:  # noqa: B008
        """Send every event from now on to this connection, as far as it is wanted."""
        self._followers[link] = Follower(link, wanted, self.last)

    def leave(self, link: Link) -> None:
        """Send it no more."""
        self._followers.pop(link, None)

    def close(self) -> None:
        """The daemon ends."""
        self._number()
        self._log.close()


def missed(first: int, last: int) -> Event:
    """The event that stands for others."""
    return {"v": 1, "seq": last, "ts": now_text(), "type": "missed", "session": None, "from": first, "to": last}
