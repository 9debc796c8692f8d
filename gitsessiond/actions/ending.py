"""How sessions end and come back: close, abandon, reopen."""

from __future__ import annotations

import os
from dataclasses import replace
from shlex import quote
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.adoption import adopt
from gitsessiond.actions.checking import due_part
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.giving_up import abandoned
from gitsessiond.actions.merges import merge_patch
from gitsessiond.actions.publishing import ordered, publish
from gitsessiond.actions.remembering import taken_up
from gitsessiond.actions.removing import record_rest, refuse_unrecorded, remove_worktree, taken_uncommitted
from gitsessiond.actions.running import set_running
from gitsessiond.actions.saves import record_reading
from gitsessiond.actions.sessions import check_free_name, check_room, session_reply
from gitsessiond.actions.starting import reopen_worktree
from gitsessiond.model.errors import GitSessionError, Refused
from gitsessiond.model.graph import graph_of
from gitsessiond.model.names import unquote_path
from gitsessiond.model.ownership import unassigned_rows
from gitsessiond.store.identity import identity_of
from gitsessiond.store.steps import State


def close_session(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``close``: merges the ready patches, a dependency first, abandons the others, and always closes.

    Again is no error: ``already`` is true and nothing changes. A patch that fails is listed with its error. Where a
    check is to be run, the answer is that, with what is merged so far; the session is open until it is asked again.
    """
    ended = ended_state(ctx, asked)
    if ended is not None:
        return closed_reply(ctx, ended, [], [], [], already=True)
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    ready = [patch.id for patch in live.open_patches() if patch.status == "ready"]
    order = ordered(graph_of(live.state.owners), ready)
    if asked.flag("dry_run"):
        loose = taken_uncommitted(ctx, live) if asked.flag("remove") else []
        return dry_reply(ctx, live, order) | {"uncommitted": loose}
    if asked.flag("remove"):
        record_rest(ctx, live)
        refuse_unrecorded(live)
    merged: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for pid in order:
        name = live.state.patches[pid].name
        try:
            reply = merge_patch(
                ctx, live, pid, asked.who,
                ready=False, dry_run=False, no_verify=asked.flag("no_verify"), ran=tuple(asked.texts("ran")),
            )  # fmt: skip
        except GitSessionError as exc:
            failed.append({"id": pid, "name": name, "error": exc.as_dict()})
            continue
        if reply.get("check_due") is not None:
            return closed_reply(ctx, live.state, merged, failed, []) | due_part(reply["check_due"])
        if reply["merged"]:
            merged.append({"id": pid, "name": name, "commit": reply["commit"]})
        else:
            count = len(reply["conflicts"])
            words = "1 conflict" if count == 1 else f"{count} conflicts"
            error = {"code": "conflicts", "message": words, "hint": "git session conflicts", "exit": 3}
            failed.append({"id": pid, "name": name, "error": error})
    remove = asked.flag("remove") and not failed
    if remove:  # what was saved while patches were merged
        record_rest(ctx, live)
        refuse_unrecorded(live)
    loose = taken_uncommitted(ctx, live) if remove else []
    left = nobodys(live.state)
    state, given_up = all_abandoned(live.state)
    end(ctx, live, state, "closed", "close", by)
    if remove:
        remove_worktree(ctx, live, keep_branch=bool(loose))
    return closed_reply(ctx, live.state, merged, failed, given_up) | {"unassigned": left, "uncommitted": loose}


def ended_state(ctx: Context, asked: Asked) -> State | None:
    """The session a request names, when it has ended; else None."""
    if not asked.who.session:
        cwd = os.path.realpath(asked.who.cwd)
        if ctx.live_at(cwd) is not None:
            return None
        for state in reversed(ctx.all_states()):
            root = os.fsdecode(unquote_path(state.session.worktree))
            if state.session.status != "open" and (cwd == root or cwd.startswith(root.rstrip("/") + "/")):
                return state
        return None
    state = ctx.find_state(asked.who.session)
    return state if state.session.status != "open" else None


def closed_reply(
    ctx: Context,
    state: State,
    merged: list[dict[str, Any]],
    failed: list[dict[str, Any]],
    given_up: list[dict[str, Any]],
    *,
    already: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """What ``close`` and ``abandon`` answer."""
    return {
        "session": session_reply(ctx, state),
        "merged": merged,
        "failed": failed,
        "abandoned": given_up,
        "unassigned": [],
        "already": already,
        "dry_run": dry_run,
        "uncommitted": [],
    }


def dry_reply(ctx: Context, live: Live, order: list[str]) -> dict[str, Any]:
    """What closing would do, as far as it can be told without doing it."""
    names = {pid: live.state.patches[pid].name for pid in live.state.session.patches}
    merged = [{"id": pid, "name": names[pid], "commit": None} for pid in order]
    rest = [patch for patch in live.open_patches() if patch.id not in order]
    given_up = [{"id": patch.id, "name": patch.name} for patch in rest]
    return closed_reply(ctx, live.state, merged, [], given_up, dry_run=True) | {"unassigned": nobodys(live.state)}


def nobodys(state: State) -> list[dict[str, Any]]:
    """The edits that land with no patch; those of patches somebody abandoned are not among them."""
    rows = [views.row_view(state, row) for row in unassigned_rows(state.owners)]
    return [row for row in rows if row["code"] != "abandoned"]


def all_abandoned(state: State) -> tuple[State, list[dict[str, Any]]]:
    """The State with every unmerged patch abandoned, and those that were not so before."""
    given_up = []
    for pid in state.session.patches:
        patch = state.patches[pid]
        if patch.status not in ("merged", "abandoned"):
            state = abandoned(state, patch)
            given_up.append({"id": pid, "name": patch.name})
    return state, given_up


def end(ctx: Context, live: Live, state: State, status: str, verb: str, by: str) -> None:
    """Record the last step and stop recording; HEAD, branch and files stay."""
    session = state.session.model_copy(update={"status": status, "closed_at": ctx.now(), "parked": None})
    publish(ctx, live, replace(state, session=session), verb, by=by, text=session.name)
    set_running(ctx, live, {})
    ctx.sessions.pop(live.sid, None)
    if live.worktree is not None:
        live.worktree.close()


def abandon_session(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``abandon``: no patch is merged; the session ends; edits, series and files stay."""
    ended = ended_state(ctx, asked)
    if ended is not None:
        return closed_reply(ctx, ended, [], [], [], already=True)
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    state, given_up = all_abandoned(live.state)
    end(ctx, live, state, "abandoned", "abandon", by)
    return closed_reply(ctx, live.state, [], [], given_up)


def reopen_session(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``reopen``: an ended session records again; its abandoned patches come back one by one by name."""
    state = ended_state(ctx, asked)
    if state is None:
        live = ctx.live(asked)
        raise Refused(f"session {live.state.session.name} is open", hint="git session")
    check_free_name(ctx, state.session.name)
    check_room(ctx)
    by = identity_of(asked.who.env, asked.who.cwd)
    carrier = ctx.live_at(os.fsdecode(unquote_path(state.session.worktree)))
    if carrier is not None:
        raise Refused(
            f"its worktree now carries {carrier.state.session.name}",
            hint=f"git session close -s {quote(carrier.state.session.name)}",
        )
    live = taken_up(ctx, state)
    live.worktree = reopen_worktree(ctx, state)
    session = state.session.model_copy(update={"status": "open", "closed_at": None})
    publish(ctx, live, replace(state, session=session), "reopen", by=by, text=session.name)
    ctx.sessions[live.sid] = live
    assert live.worktree is not None
    reading = live.worktree.scan()
    record_reading(ctx, live, reading)
    live.worktree.accept(reading)
    adopt(ctx, live)
    return {"session": session_reply(ctx, live.state)}
