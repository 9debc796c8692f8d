"""Lines about locks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gitsessiond.faces.cli.times import local_time
from gitsessiond.faces.cli.words import clean
from gitsessiond.model.names import spoken

MODES = {"S": "read", "U": "update", "X": "write", "intent": "intent"}
MINUTE, HOUR = 60, 3600

Message = dict[str, Any]


def taken(lock: Message, asked: str) -> str:
    """A lock that one has now; it may be more than was asked for, by which it lasts anew all the same."""
    if lock["mode"] != asked:
        facts = f"{MODES[lock['mode']]}, {length(lock['expires_in'])} from now, token {lock['token']}"
        return f"You have the lock on {clean(spoken(lock['name']))} already, for more than {MODES[asked]} ({facts})."
    how = "Marked" if lock["mode"] == "intent" else "Locked"
    facts = f"{MODES[lock['mode']]}, {length(lock['expires_in'])}, token {lock['token']}"
    return f"{how} {clean(spoken(lock['name']))} ({facts})."


def table(reply: Message) -> Iterator[str]:
    """All locks, who waits, and what one has lost."""
    if not reply["locks"] and not reply["waiting"]:
        yield "No locks."
    for lock in reply["locks"]:
        yield f"{clean(spoken(lock['name']))}  {MODES[lock['mode']]}  {whose(lock)}, {since(lock)}, {left(lock)}"
        if lock["reason"]:
            yield f"    {clean(lock['reason'])}"
    for one in reply["waiting"]:
        wanted = ", ".join(f"{clean(spoken(want['name']))} {MODES[want['mode']]}" for want in one["resources"])
        yield f"waiting {one['position']}: {wanted}  {whose(one)}, {since(one)}"
    yield from lost(reply["lost"])


def lost(found: Iterable[Message]) -> Iterator[str]:
    """Locks that are over although they were not given back."""
    for one in found:
        by = f" by {clean(one['by'])}" if one["by"] else ""
        why = f": {clean(one['reason'])}" if one["reason"] else ""
        yield f"lost: {clean(spoken(one['name']))} {one['why']}{by}{why}"


def whose(one: Message) -> str:
    """Who has it, or waits for it."""
    who = "you" if one["mine"] else clean(one["client"] if one["named"] else one["who"] or one["client"])
    facts = [
        clean(one["who"] or "") if one["named"] and not one["mine"] else "",
        f"process {one['pid']}" if one["pid"] else "",
        f"on {clean(one['host'])}" if one["host"] else "",
        clean(one["branch"] or ""),
    ]
    about = ", ".join(fact for fact in facts if fact)
    return f"{who} ({about})" if about else who


def since(one: Message) -> str:
    """When it began."""
    return f"since {local_time(one['since']):%H:%M:%S}"


def left(lock: Message) -> str:
    """How long it lasts still."""
    unsure = " (unconfirmed)" if lock["state"] == "unconfirmed" else ""
    return f"{length(lock['expires_in'])} left{unsure}"


def length(seconds: float) -> str:
    """``12 s``, ``5 min``, ``2 h``."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.0f} h"
