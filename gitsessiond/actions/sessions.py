"""Sessions as a person uses them: list, rename, switch, and the lines of a panel."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.checking import check_blockers
from gitsessiond.actions.claims import claims_view
from gitsessiond.actions.colliding import collisions_of, meetings
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.editing import Some, current_editor, editing_now, editor_view
from gitsessiond.actions.landed import landed_count
from gitsessiond.actions.leaving import note_left
from gitsessiond.actions.lockedpaths import locks_view
from gitsessiond.actions.mergeable import trouble_with_target
from gitsessiond.actions.proposing import next_commands
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.returning import stopped_command, way_back
from gitsessiond.actions.reverts_ahead import would_revert
from gitsessiond.actions.unreadable import HINT
from gitsessiond.model.conflicts import is_in_panel, place_words
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.model.graph import Graph, graph_of
from gitsessiond.model.hints import git_words
from gitsessiond.model.names import check_name, name_key, quote_path, unquote_path
from gitsessiond.model.ownership import count_ops, unassigned_rows
from gitsessiond.model.records import Patch, time_text
from gitsessiond.model.settings import MAX_SESSIONS, find
from gitsessiond.store.chain import commits_behind
from gitsessiond.store.identity import identity_of
from gitsessiond.store.index import is_index
from gitsessiond.store.steps import State
from gitsessiond.store.upstreams import standing_of

MOST_ROWS = 1 << 30  # more than there are, and than can be asked for


def session_reply(ctx: Context, state: State) -> dict[str, Any]:
    """The ``session`` object, with what only the disk and the repository can tell."""
    there = os.path.isdir(os.fsdecode(unquote_path(state.session.worktree)))
    if state.session.status != "open":
        return views.session_view(state, there)
    target = state.session.target
    reached = trouble_with_target(ctx, state.session) is None
    behind = commits_behind(ctx.repository, state.session.base, f"refs/heads/{target}") if reached else None
    standing = standing_of(ctx.repository.common_dir, target)
    live = ctx.sessions.get(state.session.id)
    at_work = stopped_command(live) if live is not None else None
    return views.session_view(state, there, behind, standing._asdict() if standing else None, at_work)


def list_sessions(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``list``: open sessions, with ``all`` the ended ones too; which others have changed files of each."""
    rows, met = [], meetings(ctx)
    for state in ctx.all_states() if asked.flag("all") else ctx.open_states():
        row = session_reply(ctx, state)
        row["open_patches"] = len([p for p in state.patches.values() if p.status not in ("merged", "abandoned")])
        row["unassigned"] = len(unassigned_rows(state.owners))
        row["collisions"] = [
            {"with_session": {"id": sid, "name": ctx.sessions[sid].state.session.name}, "paths": count}
            for sid, count in met.get(state.session.id, {}).items()
        ]
        rows.append(row)
    return {"sessions": rows, "unreadable": [one.view() for one in ctx.unreadable.values()]}


def check_free_name(ctx: Context, name: str, but: str | None = None) -> str:
    """The name, when no other open session has it.

    Raises:
        BadRequest: it is no name.
        Refused: it is taken.
    """
    check_name(name, "session name")
    for damaged in ctx.unreadable.values():
        if damaged.may_be_open and damaged.anchored and name_key(damaged.anchored.name) == name_key(name):
            raise damaged.error()
    for live in ctx.sessions.values():
        if live.sid != but and name_key(live.state.session.name) == name_key(name):
            raise Refused(f"a session named {live.state.session.name} already exists", hint="git session list")
    return name


def rename_session(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``rename``: another name or description; the branch keeps its name."""
    live = ctx.live(asked)
    update: dict[str, Any] = {}
    if asked.args.get("name") is not None:
        update["name"] = check_free_name(ctx, asked.text("name"), live.sid)
    if asked.args.get("description") is not None:
        update["description"] = asked.text("description")
    if not update:
        raise BadRequest("nothing to change", hint="git session rename NAME [-m TEXT]")
    session = live.state.session.model_copy(update=update)
    by = identity_of(asked.who.env, asked.who.cwd)
    publish(ctx, live, replace(live.state, session=session), "rename", by=by, text=session.name)
    return {"session": session_reply(ctx, live.state)}


def check_room(ctx: Context) -> None:
    """Raise where no other session may be open.

    Raises:
        Refused: there are as many as ``gitsession.maxSessions`` allows.
        BadRequest: that is no number.
    """
    most, there = find(MAX_SESSIONS, ctx.config.all(MAX_SESSIONS.key), {}).value, len(ctx.sessions)
    if isinstance(most, int | float) and there >= most:
        are = "1 session is" if there == 1 else f"{there} sessions are"
        raise Refused(
            f"{are} open here, and {MAX_SESSIONS.key} is {most:.0f}",
            hint=f"git session list\ngit config {MAX_SESSIONS.key} {there + 1}",
        )


def switch_session(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``switch``: where a session's files are; no HEAD moves. What is left behind is recorded, and told."""
    state = ctx.find_state(asked.text("session"))
    if state.session.status != "open":
        raise Refused(
            f"session {state.session.name} is {state.session.status}",
            hint=f"git session reopen -s {state.session.id[:6]}",
        )
    left, hints = note_left(ctx, asked, state.session.id)
    return {"session": session_reply(ctx, state), "worktree": state.session.worktree, "left": left, "hints": hints}


def patch_reply(state: State, patch: Patch, graph: Graph | None = None, ctx: Context | None = None) -> dict[str, Any]:
    """A patch with its ops counted and its blockers named."""
    graph = graph or graph_of(state.owners)
    ops = count_ops_of(ctx, state, patch) if ctx else 0
    blocked = [] if patch.status in ("merged", "abandoned") else views.blockers_of(state, patch, graph)
    if ctx is not None and patch.status not in ("merged", "abandoned"):
        blocked += check_blockers(ctx, state, patch)
    return views.patch_view(state, patch, graph, ops, blocked)


def count_ops_of(ctx: Context, state: State, patch: Patch) -> int:
    """How many ops a patch has; counted on from the last time in a session that is open."""
    live = ctx.sessions.get(state.session.id)
    landed = landed_count(ctx, live, state, patch)
    if landed is not None:
        return landed
    if live is None:
        return count_ops(state.owners, patch.id, ctx.tools).ops
    live.counted[patch.id] = count_ops(state.owners, patch.id, ctx.tools, live.counted.get(patch.id))
    return live.counted[patch.id].ops


def status_of(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``status``: everything a panel shows, of an open session or an ended one.

    With ``most`` the long lists have about so many rows each, and ``left`` counts the rest of them.
    """
    if asked.who.session or asked.args.get("session"):
        wanted = asked.text("session") or str(asked.who.session)
        state = ctx.find_state(wanted)
        live = ctx.sessions.get(state.session.id)
    else:
        live = ctx.live(asked)
        state = live.state
    most = asked.args.get("most")
    most = min(most, MOST_ROWS) if isinstance(most, int) and most >= 0 else None
    graph = graph_of(state.owners)
    patches = [patch_reply(state, state.patches[pid], graph, ctx) for pid in state.session.patches]
    rows = unassigned_rows(state.owners)
    editing = editing_now(live, state, most) if live else Some([])
    colliding = collisions_of(ctx, state, most) if live else Some([])
    told = (one for one in state.conflicts.values() if one.status == "open" and not is_in_panel(one))
    conflicts = [views.conflict_view(state, one) for one in told]
    reply: dict[str, Any] = {
        "session": session_reply(ctx, state),
        "patches": patches,
        "unassigned": [views.row_view(state, row) for row in rows[:most]],
        "editors": [editor_view(live, state, path) for path in editing.rows] if live else [],
        "current_editor": current_editor(live),
        "conflicts": conflicts,
        "claims": claims_view(state),
        "locks": locks_view(ctx, live),
        "collisions": colliding.rows,
        "gaps": [{"since": time_text(g.since), "until": time_text(g.until)} for g in state.session.gaps],
        "warnings": warnings_of(ctx, live, state),
        "ready": [p["name"] for p in patches if p["ready_to_merge"]],
        "recording_left": ctx.queued + (live.worktree.left if live and live.worktree else 0),
    }
    if most is not None:
        left = {"editors": editing.left, "unassigned": len(rows[most:]), "collisions": colliding.left}
        reply["left"] = left | {"loose": editing.loose, "codes": sorted({views.code_of(row) for row in rows[most:]})}
    reply["hints"] = next_commands(ctx, live, state, reply)
    return reply


def warnings_of(ctx: Context, live: Live | None, state: State) -> list[str]:
    """What a person should know that is no patch and no conflict."""
    out = [f"{one.words}: {HINT}" for one in ctx.unreadable.values()]
    out += [
        f"session {other.state.session.name} cannot be brought up to date: {other.trouble}: {HINT}"
        for other in ctx.sessions.values()
        if other.trouble is not None and other.sid != state.session.id
    ]
    if live is None:
        return out
    session = state.session
    if session.parked:
        way = way_back(live)
        out.append(f"parked: {session.parked}; `{way}` {'says how to end that' if way == 'git status' else 'resumes'}")
    if live.lost:
        out.append(live.lost)
    trouble = trouble_with_target(ctx, session)
    if trouble is not None and trouble.reason == "target":
        out.append(f"{trouble.message}; `{trouble.hint}` makes it again where the session began")
    elif trouble is not None:
        out.append(f"{trouble.message}: nothing can be merged or updated")
    if live.unrecorded is not None:
        since, until, why = live.unrecorded.since, live.unrecorded.until, live.unrecorded.why
        when = f"were not recorded from {time_text(since)} to {time_text(until)}" if until else "cannot be recorded"
        out.append(f"saves {when}: {why}")
    if live.worktree is not None:
        if not is_index(live.worktree.repository.git_dir):
            out.append("git's index here is damaged, so git can neither commit nor tell what changed: git status")
        out += index_warnings(live.worktree.repository.worktree, would_revert(ctx, live))
        out += [f"not recorded: {quote_path(path)}: {why}" for path, why in sorted(live.worktree.skipped.items())[:20]]
    return out


def index_warnings(worktree: str, paths: list[bytes]) -> list[str]:
    """One sentence for the paths that git's index would put back."""
    if not paths:
        return []
    words = git_words(worktree, "add", "--", *(os.fsdecode(path) for path in paths[:5]))
    rest = f"; {len(paths) - 5} more" if len(paths) > 5 else ""
    return [f"the index would revert {place_words(paths)}: `{words}`{rest}"]
