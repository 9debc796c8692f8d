"""Tells the recorder that what is locked has changed: it reads the journal of locks, and what it enforces follows.

The request says nothing itself: what is in the journal when it is read counts, and much may change until then. So one
that waits is enough, and among many changes there are few.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gitsessiond.daemon.link import Link
from gitsessiond.daemon.outbox import Ask, Outbox
from gitsessiond.model.errors import BadRequest
from gitsessiond.model.lockmodes import UPDATE, WRITE
from gitsessiond.wire.requests import request

LOCKS_CHANGED = "locks.changed"
NUMBER = 0  # clients' requests are above, control files' below
SOON_S = 0.02  # from a change to the request
APART_S = 0.2  # between two
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

    def publish(self, event: Message) -> None:
        """Publish an event of locks; it may be news for the recorder."""
        self._publish(event)
        if event.get("type") in CHANGES and event.get("mode") in (WRITE, UPDATE) and self._due is None:
            self._due = time.monotonic() + SOON_S

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
            self._due, self._told, self._waits = None, now, True
            message = request(LOCKS_CHANGED, {}, self._who)
            self._outbox.put_ask(Ask(NUMBER, message, False, now, answer=self._answered))

    def _answered(self, reply: Message) -> None:
        """It has read the journal."""
        self._waits = False

    def close(self) -> None:
        """The recorder puts everything back when it ends."""
