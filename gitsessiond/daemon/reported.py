"""What front does with what the recorder says: whoever waits for it is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from gitsessiond.daemon.asking import Asking
from gitsessiond.daemon.controls import Controls
from gitsessiond.daemon.editing import Editing
from gitsessiond.daemon.events import Events
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.locks import Locks
from gitsessiond.daemon.log import log
from gitsessiond.daemon.outbox import Ask, Batch
from gitsessiond.daemon.presence import Presence
from gitsessiond.daemon.worktrees import Worktrees
from gitsessiond.model.errors import GitSessionError
from gitsessiond.wire.requests import READS, reply_error

Message = dict[str, Any]


class Waiting(NamedTuple):
    """Who waits for the recorder."""

    asking: Asking
    controls: Controls
    editing: Editing
    events: Events
    locks: Locks
    presence: Presence
    worktrees: Worktrees


class Reported:
    """The recorder's listener. ``removed``: all state is to be removed, and who asked for that told at the end."""

    def __init__(self, waiting: Waiting, removed: Callable[[Link | None, Message], None]) -> None:
        self._waiting, self._removed = waiting, removed
        self.last_reply = 0.0  # when a request was answered, by the monotonic clock

    def watches_told(self, told: list[Message], fresh: bool) -> None:
        """Watch these worktrees; a recorder that has just begun is to look at all of them."""
        now, to = time.monotonic(), self._waiting
        to.worktrees.set(told)
        to.editing.set(told)
        to.controls.set(str(one["worktree"]) for one in told)
        to.presence.set_sessions({str(one["worktree"]): str(one["session"]) for one in told if one.get("session")})
        if fresh:
            to.worktrees.scan_all(now, first=True)
            to.asking.begin(now)

    def recorded(self, batch: Batch, told: Message) -> None:
        """A batch is in the journal, or could not be recorded."""
        to = self._waiting
        for event in told.get("events") or ():
            to.events.publish(event)
            to.locks.hear(event)
        to.worktrees.pruned(batch.worktree, told.get("prune") or ())
        to.controls.changed(batch.worktree, time.monotonic())
        if told.get("error"):
            log(f"not recorded: {told['error'].get('message')}")
            to.worktrees.mark_stale(batch.worktree)

    def replied(self, ask: Ask, reply: Message) -> None:
        """A request is answered; the reply waits while new watches are put in place."""
        to, verb = self._waiting, ask.message["verb"]
        if verb not in READS:
            to.controls.changed(None, time.monotonic())
        if ask.answer is not None:
            ask.answer(reply)
            return
        self.last_reply = time.monotonic()
        link, reply = to.asking.reply_for(ask, reply)
        ok = reply.get("ok")
        if verb == "uninstall" and ok is None:
            to.controls.pause(False)
        if verb == "uninstall" and isinstance(ok, dict) and ok.get("hard"):
            self._removed(link, reply)
        elif link is not None:
            to.asking.hold(link, reply, self.last_reply)

    def happened(self, event: Message) -> None:
        """An event was published."""
        self._waiting.events.publish(event)
        self._waiting.locks.hear(event)
        self._waiting.controls.changed(event.get("session"), time.monotonic())

    def unanswerable(self, error: GitSessionError, ask: Ask | None) -> None:
        """Nobody will answer this request (None: any that waits)."""
        if ask is not None and ask.answer is not None:
            ask.answer(reply_error(None, error))
            return
        self._waiting.asking.fail(error, ask)
        if ask is None:
            self._waiting.controls.failed(error)

    def restarted(self) -> None:
        """The recorder died and has been begun again."""
        self._waiting.events.publish({"type": "recorder_restarted", "session": None})
