"""What a follower wants of the events: types, a session, a channel. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gitsessiond.model.errors import BadRequest

CHANNELS = ("session", "project", "conflicts")
CONFLICTS = frozenset(
    {
        "conflict_detected", "conflict_resolved", "conflict_reopened", "conflict_gone", "conflict.reopen", "resolve",
        "resolving", "not_resolved",
    }
)  # fmt: skip
MOST_TYPES = 100


def channel_of(event: Mapping[str, Any]) -> str:
    """``conflicts``; ``session``: of one session; ``project``: of the repository as a whole."""
    if event.get("type") in CONFLICTS:
        return "conflicts"
    return "session" if event.get("session") else "project"


class Wanted(NamedTuple):
    """All, or only some. ``session`` is an id."""

    types: frozenset[str] = frozenset()
    session: str | None = None
    channel: str | None = None

    def takes(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is wanted; that some were missed always is."""
        if event.get("type") == "missed":
            return True
        if self.types and event.get("type") not in self.types:
            return False
        if self.session is not None and self.session not in (event.get("session"), *(event.get("sessions") or ())):
            return False
        return self.channel is None or self.channel == channel_of(event)


def wanted(args: Mapping[str, Any]) -> Wanted:
    """What a request asks for.

    Raises:
        BadRequest: an argument makes no sense.
    """
    types, session, channel = args.get("types"), args.get("session"), args.get("channel")
    if types is not None and not (isinstance(types, list) and len(types) <= MOST_TYPES):
        raise BadRequest(f"types must be a list of at most {MOST_TYPES} names", hint="git session events -h")
    if not all(isinstance(one, str) for one in types or ()):
        raise BadRequest("types must be names", hint="git session events -h")
    if session is not None and not isinstance(session, str):
        raise BadRequest("session must be the id of one", hint="git session list")
    if channel is not None and channel not in CHANNELS:
        raise BadRequest(
            f"channel {str(channel)[:40]!r} is none of {', '.join(CHANNELS)}", hint="git session events -h"
        )
    return Wanted(frozenset(types or ()), session, channel)
