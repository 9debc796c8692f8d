"""The recorder as front sees it: a child that is given one thing at a time, and begun again when it dies."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from gitsessiond.daemon.link import want_room
from gitsessiond.daemon.log import log
from gitsessiond.daemon.outbox import Ask, Batch, Outbox
from gitsessiond.daemon.process import RecorderChild
from gitsessiond.model.errors import BadRequest, GitSessionError, Unreachable, error_from

STOP_WITHIN_S = 60.0
QUICK_DEATHS = 3  # within QUICK_S; then it is begun again only when somebody asks
QUICK_S = 10.0
LOGS = "git session daemon logs"

Message = dict[str, Any]


class Listener(Protocol):
    """Who does something with what the recorder says."""

    def watches_told(self, told: list[Message], fresh: bool) -> None:
        """These worktrees are to be watched; ``fresh``: the recorder has just begun."""

    def recorded(self, batch: Batch, told: Message) -> None:
        """A batch is in the journal, or could not be recorded."""

    def replied(self, ask: Ask, reply: Message) -> None:
        """A request is answered."""

    def happened(self, event: Message) -> None:
        """An event was published."""

    def unanswerable(self, error: GitSessionError, ask: Ask | None) -> None:
        """Nobody will answer this request (None: any that waits)."""

    def restarted(self) -> None:
        """The recorder died and has been begun again; what is on disk is to be looked at."""


class Command(NamedTuple):
    """How a recorder is started."""

    words: Callable[[], Sequence[str]]
    lock: int  # descriptor of the authority lock, to be held by the child too


class Recording:
    """The child, its pipe, and the outbox. ``listener``: set before the first start."""

    listener: Listener

    def __init__(self, select: selectors.BaseSelector, command: Command, outbox: Outbox) -> None:
        self._select, self._command = select, command
        self.outbox = outbox
        self.batches = 0
        self._child: RecorderChild | None = None
        self.ready = False  # it has told what to watch
        self._ending = False
        self._deaths: list[float] = []

    @property
    def pid(self) -> int | None:
        """The recorder's process."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start a recorder unless there is one; its first message tells what to watch."""
        if self._child is not None or self._ending:
            return
        try:
            self._child = RecorderChild(self._command.words(), self._command.lock)
        except (OSError, GitSessionError) as exc:
            log(f"no recorder: {exc}")
            self.listener.unanswerable(Unreachable(f"the recorder cannot be started: {exc}", hint=LOGS), None)
            return
        self.ready = False
        self._select.register(self._child.link, selectors.EVENT_READ, self._serve)

    def pump(self, now: float) -> None:
        """Give it the next thing, if it is free."""
        if self._child is None or not self.ready:
            return
        message = self.outbox.next(now)
        if message is None:
            return
        try:
            self._child.link.send(message)
        except BadRequest as exc:  # a request that can be read, but not written again
            item = self.outbox.done()
            if isinstance(item, Ask):
                self.listener.unanswerable(exc, item)
            return
        self.batches += "batch" in message
        want_room(self._select, self._child.link)

    def cancel(self, number: int) -> None:
        """Tell it that nobody waits any more for what it is at work on."""
        if self._child is not None and self.ready:
            self._child.link.send({"cancel": number})
            want_room(self._select, self._child.link)

    def _serve(self, mask: int) -> None:
        """Read from the pipe, or write on to it."""
        if self._child is None:
            return  # ended by what came with this event
        link = self._child.link
        if mask & selectors.EVENT_WRITE:
            link.flush()
        if mask & selectors.EVENT_READ:
            frames = link.receive()
            for frame in frames or ():
                if isinstance(frame, BadRequest):
                    log(f"the recorder sent no frame: {frame.message}")
                else:
                    self._heard(frame)
            if frames is None and self._child is not None:
                self._died()
        if self._child is not None and self._child.link is link:  # and not one begun just now
            want_room(self._select, link)

    def _heard(self, frame: Message) -> None:
        """One message of the recorder."""
        if "watch" in frame:
            fresh, self.ready = not self.ready, True
            self.listener.watches_told(frame["watch"], fresh)
        elif "event" in frame:
            self.listener.happened(frame["event"])
        elif "failed" in frame:
            self._part()  # now, so that who asks next has another one started
            self.listener.unanswerable(error_from(frame["failed"]), None)
        else:
            self._done(frame)
        self.pump(time.monotonic())

    def _done(self, frame: Message) -> None:
        """It has finished what it was at work on."""
        item = self.outbox.done()
        if isinstance(item, Batch) and "recorded" in frame:
            told = frame["recorded"]
            if told.get("left") and not told.get("error"):
                self.outbox.put_back(Batch(item.worktree))  # it reads on, unless somebody hurries
            self.listener.recorded(item, told)
        elif isinstance(item, Ask) and "recorded" not in frame:
            self.listener.replied(item, frame)
        else:
            log(f"the recorder answered something else than it was asked: {sorted(frame)}")

    def _part(self) -> int | None:
        """Take leave of a recorder that ends; returns its exit code."""
        child, self._child = self._child, None
        assert child is not None
        self._select.unregister(child.link)
        child.link.close()
        code = child.wait(STOP_WITHIN_S)
        if code is None:
            child.kill()
        return code

    def _died(self) -> None:
        """Its pipe ended: begin again, unless that was wanted or it dies of the same thing each time."""
        code = self._part()
        was_ready, self.ready = self.ready, False
        if self._ending:
            return
        log(f"the recorder ended with {code}")
        now = time.monotonic()
        self._deaths = [at for at in self._deaths if now - at < QUICK_S] + [now]
        self._settle_in_flight()
        if was_ready and len(self._deaths) <= QUICK_DEATHS:
            self.start()
            self.listener.restarted()
        else:
            error = Unreachable("the recorder ended unexpectedly", hint=LOGS)
            self.listener.unanswerable(error, None)

    def _settle_in_flight(self) -> None:
        """What it was at work on: reading is asked again once, anything else may have been done."""
        item = self.outbox.done()
        if not isinstance(item, Ask):
            return  # a batch: what is on disk is looked at anyway
        if item.reads and not item.tried:
            self.outbox.put_back(item._replace(tried=1))
            return
        words = "the recorder ended while it was at work on this; what was published is recorded"
        self.listener.unanswerable(Unreachable(words, hint="run the command again"), item)

    def kill(self) -> None:
        """End it without a chance to put anything away; what was published is in the journal."""
        self._ending, self.ready = True, False
        child, self._child = self._child, None
        if child is None:
            return
        self._select.unregister(child.link)
        child.kill()
        child.link.close()

    def end(self) -> None:
        """Close the pipe and wait until the recorder has put its things away."""
        self._ending = True
        child, self._child = self._child, None
        if child is None:
            return
        self._select.unregister(child.link)
        child.link.end_sending()
        if child.wait(STOP_WITHIN_S) is None:
            log("the recorder does not end: killing it")
            child.kill()
        child.link.close()
