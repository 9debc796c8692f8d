"""What a request for locks may say (docs/protocol.md, "Locks"), read without pydantic: front does it all the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitsessiond.model.errors import BadRequest
from gitsessiond.model.lockmodes import INTENT, MODES, STRENGTH
from gitsessiond.model.locks import Want
from gitsessiond.model.resources import Resource, resource

MOST_NAMES = 1000
MOST_PATTERNS = 100  # of the names: each is compared with all patterns that are held, while nobody else is answered
LONGEST_TEXT = 1000
LEAST_TTL_S, MOST_TTL_S = 0.001, 86_400.0
HINT = "see docs/protocol.md"


def wants_of(args: dict[str, Any], fold: bool) -> tuple[Want, ...]:
    """What is wanted, each resource once, in the strongest mode that is named for it.

    Raises:
        BadRequest: it is no list of resources and modes.
    """
    listed = args.get("resources")
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_NAMES:
        raise BadRequest(f"resources: a list of 1 to {MOST_NAMES:,} is needed", hint=HINT)
    if len(listed) == 1:
        return (want_of(listed[0], fold),)
    found = [want_of(one, fold) for one in listed]
    refuse_patterns([want.resource for want in found])
    wants: dict[tuple[str, bool], Want] = {}
    for want in found:
        key = want.resource.key, want.mode == INTENT
        if key not in wants or STRENGTH[wants[key].mode] < STRENGTH[want.mode]:
            wants[key] = want
    return tuple(wants.values())


def want_of(one: object, fold: bool) -> Want:
    """One resource and its mode."""
    if not isinstance(one, dict):
        raise BadRequest("resources: each is an object with name and mode", hint=HINT)
    mode = one.get("mode", "X")
    if not isinstance(mode, str) or mode not in MODES:
        raise BadRequest(f"no mode {str(mode)[:40]!r}", hint=f"one of {', '.join(MODES)}")
    return Want(resource(one.get("name"), fold=fold), mode)


def names_of(args: dict[str, Any], fold: bool) -> list[Resource] | None:
    """The resources that are named; None: no list is given.

    Raises:
        BadRequest: it is no list of names.
    """
    listed = args.get("names")
    if listed is None:
        return None
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_NAMES:
        raise BadRequest(f"names: a list of 1 to {MOST_NAMES:,} is needed", hint=HINT)
    found = [resource(name, fold=fold) for name in listed]
    refuse_patterns(found)
    return found


def refuse_patterns(names: Sequence[Resource]) -> None:
    """Raise BadRequest where too many of them are patterns."""
    if sum(bool(name.rest) for name in names) > MOST_PATTERNS:
        raise BadRequest(f"more than {MOST_PATTERNS} patterns at once", hint="name the directory above them")


def some_names_of(args: dict[str, Any], fold: bool) -> Sequence[Resource]:
    """The resources that are named.

    Raises:
        BadRequest: none are.
    """
    names = names_of(args, fold)
    if names is None:
        raise BadRequest("names are needed", hint=HINT)
    return names


def text_of(args: dict[str, Any], key: str) -> str | None:
    """A short text that may be left out.

    Raises:
        BadRequest: it is none, too long, or would garble a terminal.
    """
    text = args.get(key)
    if text is None:
        return None
    if not isinstance(text, str) or not text or len(text) > LONGEST_TEXT or not text.isprintable():
        raise BadRequest(f"{key}: a line of at most {LONGEST_TEXT:,} characters is needed", hint=HINT)
    return text


def token_of(args: dict[str, Any]) -> int | None:
    """A fencing token.

    Raises:
        BadRequest: it is no number.
    """
    token = args.get("token")
    if token is not None and (not isinstance(token, int) or isinstance(token, bool) or token < 0):
        raise BadRequest(f"token = {str(token)[:40]} is none", hint=HINT)
    return token


def ttl_of(args: dict[str, Any]) -> float | None:
    """How long a lock is to last; None: as the settings say.

    Raises:
        BadRequest: it is no time, or too long or short a one.
    """
    ttl = args.get("ttl")
    if ttl is None:
        return None
    if not is_number(ttl) or not LEAST_TTL_S <= ttl <= MOST_TTL_S:
        raise BadRequest(f"ttl = {str(ttl)[:40]}: it is {LEAST_TTL_S:g} to {MOST_TTL_S:,.0f} seconds", hint=HINT)
    return float(ttl)


def wait_of(args: dict[str, Any]) -> float | bool:
    """How long to wait; False: not at all, True: as the settings say.

    Raises:
        BadRequest: it is no time.
    """
    wait = args.get("wait")
    if wait is None or isinstance(wait, bool):
        return bool(wait)
    if not is_number(wait) or not 0 <= wait <= MOST_TTL_S:
        raise BadRequest(f"wait = {str(wait)[:40]}: it is 0 to {MOST_TTL_S:,.0f} seconds", hint=HINT)
    return float(wait) or False


def is_number(value: object) -> bool:
    """Whether it is a number of JSON, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)
