"""The verbs that front answers itself: ping, daemon.status, .metrics, .health, .stop, events."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from gitsessiond.daemon.figures import Figures, Parts
from gitsessiond.daemon.link import Link
from gitsessiond.model.channels import wanted
from gitsessiond.model.errors import BadRequest
from gitsessiond.wire.requests import reply_ok

Message = dict[str, Any]


class Own:
    """Answers without the recorder. ``on_stop``: the reply to a stop, to be sent when it is done."""

    def __init__(self, parts: Parts, on_stop: Callable[[Link, Message], None]) -> None:
        self._parts, self._on_stop = parts, on_stop
        self.figures = Figures(parts)

    def answer(self, link: Link, number: Any, verb: str, args: Message) -> None:
        """Answer one of :data:`gitsessiond.wire.requests.OWN`.

        Raises:
            BadRequest: an argument makes no sense.
            Refused: there are too many who follow.
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
        match verb:
            case "daemon.status":
                return self.figures.status()
            case "daemon.metrics":
                return {"metrics": [one.as_dict() for one in self.figures.families()]}
            case "daemon.health":
                return {"checks": [one.as_dict() for one in self.figures.findings()]}
            case "events":
                return self._events(args)
        recording = self._parts.recording
        return {
            "pid": os.getpid(),
            "recorder_pid": recording.pid,
            "busy_s": recording.outbox.busy_s(time.monotonic()),
        }

    def _events(self, args: Message) -> Message:
        """The events since a number; of those to come a follower is sent each."""
        since, follow = args.get("since"), bool(args.get("follow"))
        if not (since is None or (isinstance(since, int) and since >= 0)):
            raise BadRequest(f"since = {since!r} is no number of an event", hint="git session events --since 0")
        events = self._parts.events
        found = [] if since is None and follow else events.since(since, wanted(args))
        return {"seq": events.last, "events": found}
