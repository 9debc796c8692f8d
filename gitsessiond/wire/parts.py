"""The parts of a request that came in as a frame (docs/protocol.md, "Request, reply, error")."""

from __future__ import annotations

from typing import Any

from gitsessiond.model.errors import BadRequest
from gitsessiond.wire.frames import HINT
from gitsessiond.wire.requests import VERSION

MOST_LETTERS = 256  # of an id and of a verb

Number = int | float | str | None


def number_of(frame: dict[str, Any]) -> Number:
    """What the reply is to carry as its id; None where that is no number and no short text."""
    number = frame.get("id")
    if isinstance(number, str):
        return number if len(number) <= MOST_LETTERS else None
    return number if isinstance(number, int | float) else None


def checked(frame: dict[str, Any]) -> dict[str, Any]:
    """The request: verb, args and who, and nothing else that a client put into the frame.

    The pipe to the recorder has frames of its own kinds, and no client is to make one.

    Raises:
        BadRequest: of another version, or no request.
    """
    version, verb, args, who = frame.get("v"), frame.get("verb"), frame.get("args", {}), frame.get("who", {})
    if version != VERSION:
        raise BadRequest(f"version {version!r:.40} is not spoken here", hint=HINT)
    if frame.get("id") is not None and number_of(frame) is None:
        raise BadRequest(f"id must be a number or text of at most {MOST_LETTERS} letters", hint=HINT)
    if not isinstance(verb, str) or len(verb) > MOST_LETTERS or not isinstance(args, dict) or not isinstance(who, dict):
        raise BadRequest("not a request: verb, args and who are needed", hint=HINT)
    return {"v": VERSION, "verb": verb, "args": args, "who": who}
