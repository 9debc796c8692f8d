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


def verb_and_args(frame: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What is asked.

    Raises:
        BadRequest: of another version, or no request.
    """
    version, verb, args = frame.get("v"), frame.get("verb"), frame.get("args", {})
    if version != VERSION:
        raise BadRequest(f"version {version!r:.40} is not spoken here", hint=HINT)
    if frame.get("id") is not None and number_of(frame) is None:
        raise BadRequest(f"id must be a number or text of at most {MOST_LETTERS} letters", hint=HINT)
    if not isinstance(verb, str) or len(verb) > MOST_LETTERS or not isinstance(args, dict):
        raise BadRequest("not a request: verb and args are needed", hint=HINT)
    return verb, args
