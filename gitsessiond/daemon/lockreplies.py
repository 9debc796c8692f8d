"""Locks as clients are told of them: replies, refusals, events."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gitsessiond.model.durations import time_words
from gitsessiond.model.errors import Locked
from gitsessiond.model.lockmodes import INTENT
from gitsessiond.model.locks import Acquired, Asked, Denied, Effect, Hold, Holder, Lost, Queued, Released, Wait
from gitsessiond.model.locktable import Verdict
from gitsessiond.model.moments import moment_text
from gitsessiond.model.names import is_pattern, spoken
from gitsessiond.model.resources import Resource, overlap

MOST_TOLD = 100
ENDINGS = {"released": "lock_released", "gone": "lock_released", "done": "lock_released", "expired": "lock_expired"}

Message = dict[str, Any]


def lock(hold: Hold, now: float) -> Message:
    """A lock for whoever has it."""
    return {
        "name": hold.resource.name,
        "mode": hold.mode,
        "token": hold.token,
        "expires_in": round(hold.deadline - now, 3) if hold.deadline > now else 0.0,
        "state": "held" if hold.confirmed else "unconfirmed",
    }


def locks(acquired: Acquired, now: float) -> Message:
    """The answer to who has all that was asked for."""
    return {"locks": [lock(hold, now) for hold in acquired.holds]}


def holding(hold: Hold, now: float) -> Message:
    """A lock for whoever asks who has it."""
    return {**lock(hold, now), **holder(hold.holder), "since": at(hold.since, now), "reason": hold.reason}


def holder(who: Holder) -> Message:
    """Whose it is."""
    return {
        "client": who.client,
        "named": who.named,
        "who": who.who,
        "host": who.host,
        "pid": who.pid,
        "branch": who.branch,
        "session": who.session,
    }


def waiting(wait: Wait, position: int, now: float) -> Message:
    """A request that waits."""
    until = wait.asked.until
    return {
        "resources": [{"name": want.resource.name, "mode": want.mode} for want in wait.asked.wants],
        **holder(wait.asked.holder),
        "since": at(wait.since, now),
        "position": position,
        "gives_up_in": None if until is None else round(max(0.0, until - now), 3),
        "reason": wait.asked.reason,
    }


def at(then: float, now: float) -> str:
    """The time of day of a moment of the monotonic clock."""
    return moment_text(time.time() - (now - then))


def lost(one: Lost) -> Message:
    """A lock that its holder has no more."""
    by = one.by.client if one.by else None
    return {"name": one.name, "token": one.token, "why": one.why, "by": by, "reason": one.reason}


def broken(done: Iterable[Effect], now: float) -> list[Message]:
    """The locks that somebody took from others."""
    return [holding(one.hold, now) for one in done if isinstance(one, Released) and one.by is not None]


def stolen(done: Iterable[Effect], now: float) -> list[Message]:
    """What they have of it now."""
    return [lock(hold, now) for one in done if isinstance(one, Acquired) and one.ticket == 0 for hold in one.holds]


# -- refusals -------------------------------------------------------------------------------------------------


def refusal(denied: Denied, now: float) -> Locked:
    """Why a request got nothing, and who has it."""
    names = [want.resource.name for want in denied.asked.wants if want.mode != INTENT]
    what = spoken(names[0]) if len(names) == 1 else f"{len(names)} resources"
    paths = " ".join(word(name) for name in names[:8])
    again = f"git session lock {paths} --wait"
    first = in_words(denied.held[0], now) if denied.held else "others wait for it already"
    details = {"held": [holding(hold, now) for hold in denied.held[:MOST_TOLD]], "position": denied.position}
    if denied.why == "deadlock":
        message = f"{what} would be waited for in a circle: {circle_words(denied.circle)}"
        return Locked(message, hint="git session unlock --all", reason="deadlock", details=details)
    if denied.why == "upgrade_conflict":
        message = f"another who holds {what} wants more of it too, and was first"
        return Locked(message, hint=f"git session unlock {paths}", reason="upgrade_conflict", details=details)
    if denied.why in ("cancelled", "gone"):
        return Locked(f"nobody waits for {what} any more", hint=again, reason="cancelled", details=details)
    place = f"; {denied.position - 1} wait for it already" if denied.position > 1 and denied.held else ""
    late = "; it was not free in time" if denied.why == "timeout" else ""
    return Locked(f"{first}{place}{late}", hint=again, reason=denied.why, details=details)


def in_words(hold: Hold, now: float) -> str:
    """Who has a lock, and for how long, as one says it."""
    who = hold.holder
    lead = who.client if who.named else who.who or who.client
    facts = [
        (who.who or "") if who.named else "",
        f"process {who.pid}" if who.pid else "",
        f"on {who.host}" if who.host else "",
        who.branch or "",
    ]
    about = ", ".join(fact for fact in facts if fact)
    left = f"for {time_words(max(0.0, now - hold.since))}, {time_words(max(0.0, hold.deadline - now))} left"
    return f"{spoken(hold.resource.name)} is locked by {lead}{f' ({about})' if about else ''}, {left}"


def circle_words(circle: Sequence[Wait]) -> str:
    """Who waits for whom."""
    names = [wait.client for wait in circle]
    return " waits for ".join([*names, names[0]]) if len(names) > 1 else "for itself"


def word(name: str) -> str:
    """A name as words of the command, in the top directory."""
    kind, _, rest = name.partition("/")
    if name == "/" or not rest:
        return "--type exclusive" if name == "/" else "--type project"
    if kind == "path":
        plain = rest if is_pattern(rest) else re.sub(r"\\(.)", r"\1", rest)
        return shlex.quote(f"./{plain}" if plain.startswith("-") else plain)
    types = {"ref": ("git", rest), "git": ("git", name), "db": ("database", rest)}
    return f"--type {types[kind][0]} {shlex.quote(types[kind][1])}"


def check_refusal(verdict: Verdict, names: Sequence[Resource], token: int | None, now: float) -> Locked:
    """Why somebody may not write."""
    details: Message = {"held": [holding(hold, now) for hold in verdict.held[:MOST_TOLD]]}
    if verdict.why == "held":
        return Locked(in_words(verdict.held[0], now), hint="git session locks", reason="held", details=details)
    shown = spoken(names[0].name)
    why = f"; the lock was {gone_words(verdict.lost)}" if verdict.lost else ""
    message = f"token {token} is no lock on {shown} any more{why}"
    return Locked(message, hint=f"git session lock {word(names[0].name)}", reason="stale", details=details)


def gone_words(one: Lost) -> str:
    """How a lock ended."""
    if one.why == "expired":
        return "not renewed in time"
    by = one.by.who or one.by.client if one.by else "somebody"
    return f"{one.why} by {by}" + (f": {one.reason}" if one.reason else "")


# -- events ---------------------------------------------------------------------------------------------------


def event(kind: str, who: Holder, name: str, **more: Any) -> Message:
    """One event about one resource."""
    return {"type": kind, "session": who.session, "client": who.client, "resource_id": name, "resource": name, **more}


def events_of(effect: Effect) -> Iterator[Message]:
    """What is published of what the table did."""
    match effect:
        case Acquired():
            for hold in effect.fresh:
                yield event("lock_acquired", hold.holder, hold.resource.name, mode=hold.mode, token=hold.token)
            for hold, other in effect.overlaps:
                yield event(
                    "overlap", hold.holder, hold.resource.name, mode=hold.mode,
                    other={"client": other.client, "name": other.resource.name, "mode": other.mode},
                )  # fmt: skip
        case Queued():
            yield from wanted("lock_waiting", effect.wait.asked, position=effect.position)
        case Denied():
            yield from denied(effect)
        case Released():
            hold, by = effect.hold, effect.by
            kind = ENDINGS.get(effect.why, "lock_broken")
            more = {"by": by.client, "reason": effect.reason} if by else {}
            yield event(kind, hold.holder, hold.resource.name, mode=hold.mode, token=hold.token, why=effect.why, **more)


def denied(effect: Denied) -> Iterator[Message]:
    """An event for each resource of a request that got nothing, with the lock in its way."""
    who = effect.asked.holder
    about: Message = {"who": who.who, "named": who.named, "branch": who.branch}
    for wanted, mode in effect.asked.wants:
        hold = next((one for one in effect.held if overlap(one.resource, wanted)), None)
        other = hold and {**holder(hold.holder), "name": hold.resource.name, "mode": hold.mode, "token": hold.token}
        yield event("lock_denied", who, wanted.name, mode=mode, reason=effect.why) | about | {"held_by": other}


def wanted(kind: str, asked: Asked, **more: Any) -> Iterator[Message]:
    """An event for each resource of a request."""
    for resource, mode in asked.wants:
        yield event(kind, asked.holder, resource.name, mode=mode, **more)
