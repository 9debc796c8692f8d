"""Tells the recorder that what is locked has changed: it reads the journal of locks, and what it enforces follows.

Of locks the request says nothing itself: what is in the journal when it is read counts, and much may change until
then. So one that waits is enough, and among many changes there are few. What was asked for in vain is in no journal:
the request tells of it, each pair of asker and holder once with how often.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gitsessiond.daemon.denied import Denied
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.outbox import Ask, Outbox
from gitsessiond.model.errors import BadRequest
from gitsessiond.model.lockmodes import UPDATE, WRITE
from gitsessiond.wire.requests import request

LOCKS_CHANGED = "locks.changed"
NUMBER = 0  # clients' requests are above, control files' below
SOON_S = 0.02  # from a change to the request
APART_S = 0.2  # between two
AGAIN_S = 1.0  # from a lock asked for in vain once more to the request
LOST_S = 5.0  # without an answer; one of a recorder that died has none
CHANGES = frozenset({"lock_acquired", "lock_released", "lock_expired", "lock_broken"})

Message = dict[str, Any]


class LockNews:
    """Beside the recorder, for time alone: it answers no verb."""

    def __init__(self, outbox: Outbox, publish: Callable[[Message], None], common_dir: str) -> None:
        self._outbox, self._publish = outbox, publish
        self._who: Message = {"cwd": common_dir, "session": None, "env": {}}
        self._due: float | None = None
        self._told = float("-inf")
        self._waits = False
        self._denied = Denied()

    def publish(self, event: Message) -> None:
        """Publish an event of locks; it may be news for the recorder."""
        self._publish(event)
        if event.get("type") == "restored" or (event.get("type") in CHANGES and event.get("mode") in (WRITE, UPDATE)):
            self._want(SOON_S)
        elif event.get("type") == "lock_denied":
            self._denied.add(event)
            if self._denied:
                self._want(SOON_S if self._denied.fresh else AGAIN_S)

    def _want(self, within: float) -> None:
        """Have the recorder told within so many seconds."""
        due = time.monotonic() + within
        self._due = due if self._due is None else min(self._due, due)

    def flush(self, now: float) -> None:
        """A request is about to be queued: it is to see who was denied what before."""
        if self._denied.fresh or (self._denied and not self._waits):
            self._send(now)

    def answer(self, link: Link, number: Any, verb: str, args: Message, who: Message) -> None:
        """Raises:
        BadRequest: there is no such verb.
        """
        raise BadRequest(f"no verb {verb!r}", hint="see docs/protocol.md")

    def left(self, link: Link) -> None:
        """Nobody has asked anything."""

    def next_look(self) -> float | None:
        """When the recorder is to be told."""
        return None if self._due is None else max(self._due, self._told + (LOST_S if self._waits else APART_S))

    def tick(self, now: float) -> None:
        """Tell the recorder, if that is due."""
        due = self.next_look()
        if due is not None and due <= now:
            self._send(now)

    def _send(self, now: float) -> None:
        """Tell it; what one request does not hold is told with the next."""
        message = request(LOCKS_CHANGED, {"denied": self._denied.take()} if self._denied else {}, self._who)
        self._due, self._told, self._waits = None, now, True
        self._outbox.put_ask(Ask(NUMBER, message, False, now, answer=self._answered))
        if self._denied:
            self._want(AGAIN_S)

    def _answered(self, reply: Message) -> None:
        """It has read the journal."""
        self._waits = False

    def close(self) -> None:
        """The recorder puts everything back when it ends."""
