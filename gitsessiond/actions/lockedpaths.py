"""Which locks are in a session's way: whose they are, what they cover, how long they last."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any

from gitsessiond.actions.context import Context, Live
from gitsessiond.model.errors import BadRequest
from gitsessiond.model.lockmodes import READ, WRITE
from gitsessiond.model.locks import Hold, Holder
from gitsessiond.model.names import is_id_prefix, literal, name_key, quote_path
from gitsessiond.model.records import time_text
from gitsessiond.model.resources import Resource, covers, overlap, resource, written

PATH, REF = "path", "ref"
MOST = 100  # rows of a reply


def session_of(ctx: Context, holder: Holder) -> Live | None:
    """The open session a client works in: the one it named, else the one whose branch was checked out around it."""
    lives, wanted = ctx.sessions.values(), holder.session
    if wanted is None:
        return next((live for live in lives if live.state.session.branch == holder.branch), None)
    if wanted in ctx.sessions:
        return ctx.sessions[wanted]
    named = [live for live in lives if name_key(live.state.session.name) == name_key(wanted)]
    begun = [live for live in lives if is_id_prefix(wanted) and len(wanted) >= 2 and live.sid.startswith(wanted)]
    return next(iter(named or (begun if len(begun) == 1 else [])), None)


def in_the_way(ctx: Context, live: Live) -> list[Hold]:
    """The locks on paths that only another than this session may write; several clients of one session are one."""
    return [
        hold
        for hold in ctx.locks.now()
        if hold.mode == WRITE and is_on_paths(hold) and session_of(ctx, hold.holder) is not live
    ]


def is_on_paths(hold: Hold) -> bool:
    """Whether it is a lock on files, or on everything."""
    return hold.resource.node[:1] in ((), (PATH,))


def covering(holds: Sequence[Hold], path: bytes) -> Hold | None:
    """The first lock that covers a path."""
    fold = is_folded(holds)
    text, named = compared(path, fold), None
    node = (PATH, *text.split("/"))
    for hold in holds:
        if not hold.resource.rest:
            if node[: len(hold.resource.node)] == hold.resource.node:
                return hold
            continue
        named = named or resource_of(text, fold)
        if named is not None and covers(hold.resource, named):
            return hold
    return None


def is_folded(holds: Sequence[Hold]) -> bool:
    """Whether case counts for nothing in the names of these locks; those of one table are all alike."""
    return bool(holds) and holds[0].resource.folded


def compared(path: bytes, fold: bool) -> str:
    """A path as it stands in the tree of what can be locked."""
    text = unicodedata.normalize("NFC", path.decode("utf-8", "surrogateescape"))
    return text.casefold() if fold else text


def resource_of(text: str, fold: bool) -> Resource | None:
    """The name of a path; None: no lock can name it."""
    try:
        return resource(f"{PATH}/{literal(text)}", fold=fold)
    except BadRequest:
        return None


def covered(holds: Sequence[Hold], known: Collection[bytes]) -> set[bytes]:
    """The files that these locks cover: those that are named, and of the known ones all others."""
    plain = {
        "/".join(hold.resource.node[1:]): written(hold.resource).encode("utf-8", "surrogateescape")
        for hold in holds
        if len(hold.resource.node) > 1 and not hold.resource.rest and not hold.resource.deep
    }
    wide = [hold for hold in holds if hold.resource.rest or hold.resource.deep or len(hold.resource.node) < 2]
    found = {path for path in known if covering(wide, path) is not None} if wide else set()
    fold, spelled = is_folded(holds), set[str]()
    for path in known if plain else ():
        text = compared(path, fold)
        if any(one in plain for one in (text, *above(text))):
            found.add(path)
            spelled.add(text)
    return found | {path for text, path in plain.items() if text not in spelled}


def above(text: str) -> Iterator[str]:
    """The directories that a path is in."""
    at = text.rfind("/")
    while at > 0:
        yield text[:at]
        at = text.rfind("/", 0, at)


def rows_for_hooks(ctx: Context, live: Live) -> tuple[str, ...]:
    """For each lock of another session ``path`` and a pathspec of git's, or ``ref`` and a ref, or what refs begin with.

    The third word is who has it.

    Before them all ``branch`` and the session's, if that is locked.
    """
    first, out = [], []
    mine = branch_resource(live.state.session.branch)
    for hold in ctx.locks.now():
        if hold.mode == WRITE and session_of(ctx, hold.holder) is not live:
            whose = f"{holder_words(ctx, hold.holder)} until {until_words(ctx, hold)}"
            out += ["\t".join([*row, whose]) for row in specs(hold)]
            if hold.resource.node[:1] == (REF,) and overlap(hold.resource, mine):
                first = ["\t".join(["branch", live.state.session.branch, whose])]
    return (*first, *out)


def branch_resource(branch: str) -> Resource:
    """The name of a branch."""
    return resource(f"{REF}/refs/heads/{literal(branch)}")


def specs(hold: Hold) -> list[tuple[str, str]]:
    """What a lock covers, as hooks can ask git for it; patterns of refs they cannot."""
    name = hold.resource
    below = "/".join(name.node[1:])
    if is_on_paths(hold):
        case = ",icase" if name.folded else ""
        if not name.rest:
            found = composed_or_not(written(name))
            everything = [(PATH, ":(top)"), *([] if name.node else [(REF, "refs")])]
            return [(PATH, f":(top,literal{case}){one}") for one in found] if below else everything
        found = composed_or_not(name.name.removeprefix(f"{PATH}/").removesuffix("/"))
        return [
            (PATH, f":(top,glob{case}){one}{ending}")
            for one in found
            for ending in (("", "/**") if name.deep else ("",))
        ]
    return [(REF, below or "refs")] if name.node[0] == REF and not name.rest else []


def composed_or_not(text: str) -> list[str]:
    """A name as it may be in the index: git compares bytes."""
    return list(dict.fromkeys(unicodedata.normalize(form, text) for form in ("NFC", "NFD")))


def until_words(ctx: Context, hold: Hold) -> str:
    """When a lock ends if nobody renews it, on the clock of this machine."""
    return (ctx.now() + timedelta(seconds=seconds_left(hold))).astimezone().strftime("%H:%M")


def seconds_left(hold: Hold) -> float:
    """How long a lock lasts if nobody renews it."""
    return max(0.0, hold.deadline - time.monotonic())


def who_of(holder: Holder) -> str | None:
    """The name that a client gave itself, else whose it is."""
    return holder.client if holder.named else holder.who


def holder_words(ctx: Context, holder: Holder) -> str:
    """``Ann in login-form``, as far as that is known."""
    live = session_of(ctx, holder)
    who = (who_of(holder) or holder.client).partition(" <")[0]
    return f"{who} in {live.state.session.name}" if live is not None else who


def locks_view(ctx: Context, live: Live | None) -> list[dict[str, Any]]:
    """The locks of a repository that keep somebody from writing, those of others first; the first of many."""
    rows = list(rows_of(ctx, live))
    return sorted(rows, key=lambda one: (one["own"], one["name"]))[:MOST]


def rows_of(ctx: Context, live: Live | None) -> Iterator[dict[str, Any]]:
    """One row for each lock."""
    for hold in ctx.locks.now():
        if hold.mode == READ:
            continue
        session, left = session_of(ctx, hold.holder), seconds_left(hold)
        yield {
            "name": hold.resource.name,
            "path": path_named(hold.resource),
            "mode": hold.mode,
            "token": hold.token,
            "client": hold.client,
            "who": who_of(hold.holder),
            "session": {"id": session.sid, "name": session.state.session.name} if session is not None else None,
            "own": live is not None and session is live,
            "reason": hold.reason,
            "expires_in": round(left),
            "until": time_text((ctx.now() + timedelta(seconds=left)).replace(microsecond=0)),
        }


def path_named(name: Resource) -> str | None:
    """The path, directory or pattern that is locked; None: it is something else."""
    if name.node == ():
        return "."
    if name.node[0] != PATH:
        return None
    if len(name.node) == 1 and not name.rest:
        return "."
    if name.rest:
        return name.name.removeprefix(f"{PATH}/")
    path = written(name).encode("utf-8", "surrogateescape")
    return quote_path(path) + ("/" if name.deep else "")
