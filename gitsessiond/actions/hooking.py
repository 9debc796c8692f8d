"""The user's git hooks: ours chained behind them, looked at, and taken away. Only these verbs touch them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from gitsessiond.actions.claims import holder_words, paths_of
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.foretelling import NOTHING, foretold
from gitsessiond.actions.lockedpaths import rows_for_hooks
from gitsessiond.actions.telling import counted, spread
from gitsessiond.actions.views import name_of
from gitsessiond.model.conflicts import is_notice
from gitsessiond.model.errors import Refused
from gitsessiond.model.names import escape_path
from gitsessiond.store import hookfiles
from gitsessiond.store.hookplace import Place, found_at, place_of, read_hook, recorded
from gitsessiond.store.hookscripts import ALWAYS, WHERE_WANTED, script
from gitsessiond.store.layout import write_whole
from gitsessiond.store.repository import open_repository
from gitsessiond.store.steps import State

TRAILERS, LOCKS = "gitsession.trailers", "gitsession.locks"
REFUSING = ("hooks", "readonly")  # with these hooks refuse what another has claimed or locked


def install_hooks(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``hooks install``: again is no harm, and mends what others have put in the place of ours.

    Raises:
        Refused: ``core.hooksPath`` is set for this worktree alone.
    """
    place = place_for(ctx, asked)
    if place.scope in ("worktree", "command") and not place.is_usual:
        raise Refused(
            f"core.hooksPath is set for this worktree alone, to {place.set_to}",
            hint="git config --worktree --unset core.hooksPath",
        )
    done = hookfiles.install(place, trailers=bool(ctx.config.get(TRAILERS)))
    os.makedirs(facts_home(ctx), mode=0o700, exist_ok=True)
    for live in ctx.sessions.values():
        live.told_hooks = None
    tell_hooks(ctx)
    return {**done._asdict(), **looked_at(ctx, place_for(ctx, asked))}


def hooks_status(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``hooks status``: each hook of ours, and what is in its place."""
    return looked_at(ctx, place_for(ctx, asked))


def uninstall_hooks(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``hooks uninstall``: everything as it was before, or as its owner has made it since."""
    forget_facts(ctx, set())
    return hookfiles.uninstall(place_for(ctx, asked))._asdict()


def place_for(ctx: Context, asked: Asked) -> Place:
    """Where the git of the worktree one stands in looks for hooks."""
    at = open_repository(asked.who.cwd)
    return place_of(ctx.repository.common_dir, ctx.repository.state_dir, at.worktree)


def looked_at(ctx: Context, place: Place) -> dict[str, Any]:
    """The state of each hook: installed, missing, outdated, edited, replaced, chained by another's, or not called."""
    directory = place.usual if place.is_usual else place.ours
    record = recorded(place)
    former = (record.get("former") or place.usual) if place.is_ours or place.is_stale else None
    names = [*ALWAYS, *([WHERE_WANTED] if ctx.config.get(TRAILERS) else [])]
    rows = [{"name": name, **looked_at_one(place, os.path.join(directory, name))} for name in names]
    rows += [
        {"name": os.path.basename(path), "state": "not called", "own": path}
        for path in hookfiles.not_passed_on(place)
        if os.path.basename(path) not in names
    ]
    return {"directory": place.used, "former": former, "hooks": rows}


def looked_at_one(place: Place, path: str) -> dict[str, Any]:
    """The state of one hook, and the hook it calls first, if there is one."""
    if place.is_stale:
        return {"state": "outdated", "own": None}
    there = found_at(path)
    if there is None or not (place.is_usual or place.is_ours):
        chained = hookfiles.chained_by(path)
        if chained is not None and chained[0]:
            return {"state": f"chained by {chained[0]}", "own": None}
        return {"state": "replaced" if os.path.lexists(place.used_for(path)) else "missing", "own": None}
    own = there.own if "/" in there.own else os.path.join(os.path.dirname(path), there.own)
    own_there = os.access(os.path.join(place.worktree, own), os.X_OK)
    current = read_hook(path) == script(os.path.basename(path), there.own)
    state = "edited" if not there.untouched else "installed" if current else "outdated"
    return {"state": state, "own": own if own_there else None}


def facts_home(ctx: Context) -> str:
    """Where hooks find what they may know; there only while hooks are installed."""
    return os.path.join(ctx.repository.state_dir, "hooks")


def tell_hooks(ctx: Context) -> None:
    """Leave for the hooks of each session's worktree what they may know (docs/protocol.md, "Hooks")."""
    if os.path.isdir(facts_home(ctx)):
        for live in ctx.sessions.values():
            put_facts(ctx, live)
        forget_facts(ctx, {live.state.session.worktree_id for live in ctx.sessions.values()})


def forget_facts(ctx: Context, kept: set[str]) -> None:
    """Remove what is known of worktrees whose sessions have ended."""
    home = facts_home(ctx)
    for name in os.listdir(home) if os.path.isdir(home) else []:
        if re.fullmatch(r"[k-z]{12}(\.claims|\.locks)?", name) and name[:12] not in kept:
            os.unlink(os.path.join(home, name))


def put_facts(ctx: Context, live: Live) -> None:
    """The same of one session, if anything that hooks ask for has changed."""
    state = live.state
    session = state.session
    key = (
        session.branch, session.base, session.chain, session.parked, session.status, session.patch_in_use,
        session.name, session.target, still_open(state), clashes_in(state), claims := claims_for(ctx, state),
        locks := locks_for(ctx, live),
    )  # fmt: skip
    owners = state.owners if still_open(state) > 1 else None  # with one patch open, a save changes nothing of it
    told = live.told_hooks
    if (told is not None and told[0] == key and told[1] is owners) or not os.path.isdir(facts_home(ctx)):
        return
    live.told_hooks = (key, owners)
    path = os.path.join(facts_home(ctx), session.worktree_id)
    try:
        put_lines(path, [*facts_of(state), *(foretold(ctx, live) if owners is not None else NOTHING)])
        put_or_remove(f"{path}.claims", claims)
        put_or_remove(f"{path}.locks", locks)
    except OSError:
        pass  # hooks then say nothing; a full disk is told elsewhere


def put_lines(path: str, lines: Sequence[str]) -> None:
    """Write a file of facts in one go."""
    write_whole(path, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))


def put_or_remove(path: str, lines: Sequence[str]) -> None:
    """The same of a file that is there only if it says something."""
    if lines:
        put_lines(path, lines)
    elif os.path.exists(path):
        os.unlink(path)


def locks_for(ctx: Context, live: Live) -> tuple[str, ...]:
    """What pre-commit and pre-push refuse in this worktree, if they are to: what another session has locked."""
    return rows_for_hooks(ctx, live) if ctx.config.get(LOCKS) in REFUSING else ()


def claims_for(ctx: Context, state: State) -> tuple[str, ...]:
    """What pre-commit refuses to others, if it is to: id and name of the patch, the path, and who holds it in words.

    The path is escaped as git does by default, without quotes.
    """
    if ctx.config.get(LOCKS) not in REFUSING:
        return ()
    rows = ((claim, path) for claim in state.session.claims for path in paths_of(claim))
    return tuple(
        "\t".join([claim.patch, name_of(state, claim.patch), escape_path(path) or ".", holder_words(state, claim)])
        for claim, path in rows
    )


def facts_of(state: State) -> list[str]:
    """Seven lines, as ``hooks/begin.sh`` reads them."""
    session = state.session
    name, target = escaped(session.name), escaped(session.target)
    markers = rf"^\+(<{{7,}} {target}|\|{{7,}} (base|.* \({name}\))|>{{7,}} (.* \({name}\)|before .*))$"
    head = session.chain[-1] if session.chain else session.base
    return [
        f"{os.getpid()} {still_open(state)} {clashes_in(state)}",
        head,
        session.branch,
        session.id,
        session.patch_in_use or "",
        words_for(state, head),
        markers,
    ]


def still_open(state: State) -> int:
    """How many patches a commit made now could be of; none while nothing is sorted."""
    if state.session.parked is not None or state.session.status != "open":
        return 0
    return sum(patch.status not in ("merged", "abandoned") for patch in state.patches.values())


def clashes_in(state: State) -> int:
    """How many conflicts are open that may have left markers."""
    return sum(one.status == "open" and not is_notice(one) for one in state.conflicts.values())


def words_for(state: State, oid: str) -> str:
    """Where the edits of the chain's last commit went; nothing where all went to the patch in use."""
    counts = counted(state, oid)
    if not counts or set(counts) == {state.session.patch_in_use}:
        return ""
    return f"{oid[:7]}: {spread(counts, {pid: patch.name for pid, patch in state.patches.items()})}"


def escaped(text: str) -> str:
    """Text as an extended regular expression that it alone fits."""
    return re.sub(r"([][\\.^$*+?(){}|])", r"\\\1", text)
