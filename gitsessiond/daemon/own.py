"""The verbs that front answers itself: ping, daemon.status, events, daemon.stop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from gitsessiond.daemon.clients import Clients
from gitsessiond.daemon.events import Events
from gitsessiond.daemon.link import Link
from gitsessiond.daemon.process import resident_mb
from gitsessiond.daemon.recording import Recording
from gitsessiond.daemon.watch import Watch
from gitsessiond.daemon.worktrees import Worktrees
from gitsessiond.model.channels import wanted
from gitsessiond.model.errors import BadRequest
from gitsessiond.wire.requests import reply_ok

Message = dict[str, Any]


class Parts(NamedTuple):
    """What is asked about, and by whom; the three texts are told as they are."""

    clients: Clients
    events: Events
    recording: Recording
    watch: Watch
    worktrees: Worktrees
    version: str
    socket: str
    log: str


class Own:
    """Answers without the recorder. ``on_stop``: the reply to a stop, to be sent when it is done."""

    def __init__(self, parts: Parts, on_stop: Callable[[Link, Message], None]) -> None:
        self._parts, self._on_stop = parts, on_stop
        self._started = time.monotonic()
        self.overflows = 0

    def answer(self, link: Link, number: Any, verb: str, args: Message) -> None:
        """Answer one of :data:`gitsessiond.wire.requests.OWN`.

        Raises:
            BadRequest: an argument makes no sense.
        """
        if verb == "daemon.stop":
            self._on_stop(link, reply_ok(number, {"stopped": True}))
            return
        found = self.found(verb, args)
        if verb == "events" and args.get("follow"):  # before the reply: one that cannot be sent ends it again
            self._parts.clients.check_room()
            self._parts.events.follow(link, wanted(args))
        self._parts.clients.send(link, reply_ok(number, found))

    def found(self, verb: str, args: Message) -> Message:
        """What is answered, to whomever.

        Raises:
            BadRequest: an argument makes no sense.
        """
        if verb == "ping":
            recording = self._parts.recording
            return {
                "pid": os.getpid(),
                "recorder_pid": recording.pid,
                "busy_s": recording.outbox.busy_s(time.monotonic()),
            }
        return self._status() if verb == "daemon.status" else self._events(args)

    def _events(self, args: Message) -> Message:
        """The events since a number; of those to come a follower is sent each."""
        since, follow = args.get("since"), bool(args.get("follow"))
        if not (since is None or (isinstance(since, int) and since >= 0)):
            raise BadRequest(f"since = {since!r} is no number of an event", hint="git session events --since 0")
        events = self._parts.events
        found = [] if since is None and follow else events.since(since, wanted(args))
        return {"seq": events.last, "events": found}

    def _status(self) -> Message:
        """Figures of both processes."""
        parts, recorder = self._parts, self._parts.recording.pid
        resident = [resident_mb(pid) for pid in (os.getpid(), recorder) if pid is not None]
        return {
            "pid": os.getpid(),
            "recorder_pid": recorder,
            "version": parts.version,
            "uptime_s": round(time.monotonic() - self._started, 1),
            "sessions": len(parts.worktrees),
            "watches": parts.watch.count(),
            "watcher": parts.watch.describe(),
            "saves": parts.events.saves,
            "batches": parts.recording.batches,
            "scans": parts.worktrees.scans,
            "overflows": self.overflows,
            "at_work": parts.recording.outbox.at_work(time.monotonic()),
            "left": parts.recording.outbox.names_before(None),
            "rss_mb": round(sum(size or 0.0 for size in resident), 1),
            "front_rss_mb": resident[0],
            "socket": parts.socket,
            "log": parts.log,
        }
