"""What the hooks of coding agents tell: a tool is about to write, it has written, the agent has ended.

Each agent has a patch of its own. It claims the paths it writes, before it does; afterwards its patch gets what is
proven to be its write (:mod:`gitsessiond.model.proving`), and the rest stays nobody's (docs/decisions/agents.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from gitsessiond.actions.asked import inside
from gitsessiond.actions.calls import Call, begin, together
from gitsessiond.actions.claims import claim_view, held_by_another, holder_words, shown, with_claim
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.proofs import proofs_of, replayed, text_of
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.running import running_in, set_running
from gitsessiond.actions.saves import drafts_again
from gitsessiond.actions.series import remake_series
from gitsessiond.actions.told import (
    Told,
    agent_of,
    patch_for,
    patch_told,
    told_by,
    with_agent,
    without_gone,
    without_own,
)
from gitsessiond.actions.views import placed_view, reason_of
from gitsessiond.model.errors import BadRequest
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.proving import Command
from gitsessiond.model.values import Placed
from gitsessiond.store.identity import identity_of
from gitsessiond.store.running import Running
from gitsessiond.store.steps import State

CONTROL = b".gitsession"
MOST_LEFT = 100  # edits that an agent is told of; `unassigned` lists all


def before_call(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``agent.before``: claim what a tool will write, or say who holds it; a shell command is only noted."""
    live, told = ctx.live(asked), told_by(asked)
    if asked.args.get("command") is not None:
        begin(live.calls, told.key_of(None), shell_call(live, told, asked))
        set_running(ctx, live, {**running_in(ctx, live), told.key_of(None): running_now(ctx, live, told)})
        return {"patch": None, "held": []}
    deleted = own_paths(live, asked, asked.texts("deletes"), follow=False)
    paths = list(dict.fromkeys([*own_paths(live, asked, asked.texts("paths")), *deleted]))
    if not paths:
        return {"patch": None, "held": []}
    state = replace(live.state, session=without_gone(live.state.session, paths))
    known = patch_for(ctx, live, state, told)
    held = [(path, claim) for path in paths if (claim := held_by_another(state.session, known or "", path)) is not None]
    by = identity_of(asked.who.env, asked.who.cwd)
    if not held:
        state, patch = with_agent(ctx, live, state, told, by)
        session = with_claim(state, patch, paths, told.label, ctx.now(), agent=told.agent)
        state = replace(state, session=session)
    if state != live.state:
        publish(ctx, live, state, "agent", by=by, text=f"{told.label}: {', '.join(shown(path) for path in paths[:3])}")
    if held:
        rows = [{"path": quote_path(path), "by": holder_words(state, claim)} for path, claim in held]
        return {"patch": None, "held": rows}
    for path in paths:
        call = Call(told.agent, live.state.owners, live.state.work, frozenset([path]))
        begin(live.calls, told.key_of(path), call)
    return {"patch": {"id": patch.id, "name": patch.name}, "held": []}


def shell_call(live: Live, told: Told, asked: Asked) -> Call:
    """A shell command that is about to run."""
    root = os.path.realpath(os.fsdecode(unquote_path(live.state.session.worktree)))
    here = os.path.relpath(os.path.realpath(asked.who.cwd), root)
    command = Command(text_of(asked.text("command")), b"" if here == "." else os.fsencode(here))
    return Call(told.agent, live.state.owners, live.state.work, command=command)


def running_now(ctx: Context, live: Live, told: Told) -> Running:
    """The same for whoever starts meanwhile; with the agent's process, if it is sure which that is."""
    agent = agent_of(live.state, told)
    known = agent is not None and agent.sure and (agent.pid, agent.started) == (told.pid, told.started)
    return Running(told.agent, ctx.now(), told.pid if known else None, told.started if known else "")


def after_call(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``agent.after``: give the agent's patch what is proven to be its write; say what is not."""
    told = told_by(asked)
    live = begun_in(ctx, asked, told)
    writes = writes_in(live, asked)
    keys = [told.key_of(path) for path in writes] or [told.key_of(None)]
    set_running(ctx, live, {key: one for key, one in running_in(ctx, live).items() if key not in keys})
    calls = [call for key in keys if (call := live.calls.pop(key, None)) is not None]
    if live.state.session.parked:
        return {"patch": None, "instead": None, "placed": [], "left": []}
    by = identity_of(asked.who.env, asked.who.cwd)
    state, patch = with_agent(ctx, live, live.state, told, by)
    placed: list[Placed] = []
    for call in together(calls):
        proofs = proofs_of(ctx, live, call, patch.id, writes)
        state, more = replayed(ctx, live, state, call, proofs, patch.id)
        placed += more
    own = [edit for edit in placed if edit.owner == patch.id]
    if own:
        free = {edit.path for edit in own if held_by_another(state.session, patch.id, edit.path) is None}
        session = with_claim(state, patch, sorted(free), told.label, ctx.now(), agent=told.agent)
        state = drafts_again(replace(state, session=session), own)
        live.memory.forget()
        if state.session.chain:
            state = remake_series(ctx, state)
        publish(ctx, live, state, "agent", by=by, text=f"{told.label} wrote {paths_words(own)}", placed=tuple(placed))
    wrong = told.patch is not None and patch_told(ctx, live, told) is None and told.agent not in live.told_wrong
    if wrong:
        live.told_wrong.add(told.agent)
    return {
        "patch": {"id": patch.id, "name": patch.name} if own else None,
        "instead": {"told": told.patch, "name": patch.name} if wrong else None,
        "placed": [placed_view(live.state, edit) for edit in own],
        "left": [left_view(live.state, edit) for edit in placed if edit.owner != patch.id][:MOST_LEFT],
    }


def begun_in(ctx: Context, asked: Asked, told: Told) -> Live:
    """The session in which a shell command began, as it may have gone elsewhere (``cd``); else the one asked about."""
    key = told.key_of(None)
    for live in ctx.sessions.values() if asked.args.get("writes") is None else ():
        if key in live.calls or key in running_in(ctx, live):
            return live
    return ctx.live(asked)


def end_agent(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``agent.end``: its calls are over, and its claims of what it did not write; with ``release`` all of them.

    In every session: an agent may write in worktrees that it does not stand in.
    """
    told, by = told_by(asked), identity_of(asked.who.env, asked.who.cwd)
    for live in list(ctx.sessions.values()):
        for key in [key for key, call in live.calls.items() if call.agent == told.agent]:
            del live.calls[key]
        set_running(ctx, live, {key: one for key, one in running_in(ctx, live).items() if one.agent != told.agent})
        session = without_own(live.state, told, idle_only=not asked.flag("release"))
        if session != live.state.session:
            text = f"{told.label} ended" + ("" if asked.flag("release") else " its turn")
            publish(ctx, live, replace(live.state, session=session), "agent", by=by, text=text)
    states = [live.state for live in ctx.sessions.values()]
    held = [(state, claim) for state in states for claim in state.session.claims if claim.agent == told.agent]
    return {"claims": [claim_view(state, claim) for state, claim in held]}


def own_paths(live: Live, asked: Asked, typed: Iterable[str], *, follow: bool = True) -> list[bytes]:
    """Those of the paths that are recorded here: in the worktree, and no control files.

    ``follow``: of a link the file that it leads to, which is what a tool writes; what it deletes is the link.
    """
    root = unquote_path(live.state.session.worktree)
    out = []
    for one in typed:
        try:
            path = inside(live, asked, one)
            if follow and os.path.islink(full := os.path.join(root, path)):
                path = inside(live, asked, quote_path(os.path.realpath(full)))
        except BadRequest:
            continue  # another repository's, or nobody's
        if path and path.partition(b"/")[0] not in (b".git", CONTROL):
            out.append(path)
    return list(dict.fromkeys(out))


def writes_in(live: Live, asked: Asked) -> dict[bytes, Any]:
    """What the request says was written, by path."""
    found = asked.args.get("writes")
    out: dict[bytes, Any] = {}
    for one in found if isinstance(found, list) else []:
        if isinstance(one, dict) and isinstance(one.get("path"), str):
            for path in own_paths(live, asked, [one["path"]], follow=one.get("deleted") is not True):
                out[path] = one
    return out


def left_view(state: State, edit: Placed) -> dict[str, Any]:
    """An edit made meanwhile that is not proven to be the agent's."""
    lines = list(edit.lines) if edit.lines else None
    return {"path": quote_path(edit.path), "lines": lines, "reason": reason_of(state, edit.owner)}


def paths_words(edits: Sequence[Placed]) -> str:
    """The first few paths."""
    paths = [shown(path) for path in sorted({edit.path for edit in edits})]
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
