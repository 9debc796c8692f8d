"""Patches as a person changes them: new, ready, depend, rename."""

from __future__ import annotations

from dataclasses import replace
from shlex import quote
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.asked import inside, refuse_ended, refuse_parked, status_words
from gitsessiond.actions.commits import commit_patch
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.editing import by_editor
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.saves import how_for
from gitsessiond.actions.series import remake_series
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.model.graph import Graph, graph_of
from gitsessiond.model.names import check_name, name_key, quote_path
from gitsessiond.model.ownership import (
    add_patch,
    ops_of,
    take,
    unassigned_rows,
    uncommitted_paths,
)
from gitsessiond.model.records import Patch
from gitsessiond.store.identity import identity_of
from gitsessiond.store.steps import State


def make_patch(ctx: Context, live: Live, state: State, name: str, description: str, by: str) -> tuple[State, Patch]:
    """The State with a new draft patch, which is now in use.

    Raises:
        BadRequest: no name.
        Refused: another patch of the session has it.
    """
    check_name(name, "patch name")
    if name == "-":
        raise BadRequest("'-' means no patch", hint="give the patch another name")
    refuse_taken(state, name)
    patch = Patch(
        id=ctx.new_id(),
        session_id=live.sid,
        name=name,
        description=description,
        created_at=ctx.now(),
        created_by=by,
        owner=state.session.created_by,
    )
    session = state.session.model_copy(update={"patches": (*state.session.patches, patch.id), "patch_in_use": patch.id})
    patches = {**state.patches, patch.id: patch}
    return replace(state, session=session, patches=patches, owners=add_patch(state.owners, patch.id)), patch


def refuse_taken(state: State, name: str, but: str | None = None) -> None:
    """Raise Refused when a patch, other than ``but``, has this name."""
    for other in state.patches.values():
        if other.id != but and name_key(other.name) == name_key(name):
            raise Refused(f"a patch named {other.name} already exists", hint="git session patch list")


def new_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch new``: the session's first takes what is unassigned for want of a patch; ``--take`` names more."""
    live = ctx.live(asked)
    asked = by_editor(live, asked, "take")
    by = identity_of(asked.who.env, asked.who.cwd)
    first = not set(live.state.session.patches) - {agent.patch for agent in live.state.session.agents}
    state, patch = make_patch(ctx, live, live.state, asked.text("name"), asked.text("description"), by)
    for wanted in asked.texts("depends_on"):
        other = live.patch(wanted)
        check_dependency(state, graph_of(state.owners), patch, other)
        owners = replace(state.owners, declared=frozenset(state.owners.declared) | {(patch.id, other.id)})
        state = replace(state, owners=owners)
    moved: tuple[Any, ...] = ()
    asked_to_take = asked.args.get("take") is not None
    if first or asked_to_take:
        refuse_parked(live)
        paths = [inside(live, asked, path) for path in asked.texts("take")]
        how = how_for(ctx, live, state, {})
        all_kinds = asked_to_take
        taken = take(state.owners, patch.id, how, paths or None, everything=all_kinds)
        state, moved = replace(state, owners=taken.owners), taken.moved
        if moved:
            live.memory.forget()
    publish(ctx, live, state, "patch new", by=by, text=patch.name, placed=moved)
    left = [views.row_view(live.state, row) for row in unassigned_rows(live.state.owners)]
    return {
        "patch": patch_reply(live.state, patch, ctx=ctx),
        "taken": [views.placed_view(live.state, edit) for edit in moved],
        "left": left,
    }


def ready_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch ready P [--undo]``: commits what P has uncommitted, then says it may be merged."""
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    patch = live.patch(asked.text("patch"))
    refuse_ended(patch)
    commit, output = None, ""
    if asked.flag("undo"):
        before = live.settled.patches.get(patch.id) if live.settled else None  # what git's work under way comes back to
        if patch.status != "ready" and (before is None or before.status != "ready"):
            raise Refused(f"patch {patch.name} is {status_words(patch)}, not ready", hint="git session patch list")
        status = "draft"
    else:
        refuse_conflicts(patch)
        refuse_parked(live)
        if not ops_of(live.state.owners, patch.id, ctx.tools):
            raise Refused(
                f"patch {patch.name} has no edits", hint=f"git session assign PATH --patch {quote(patch.name)}"
            )
        if uncommitted_paths(live.state.owners, patch.id, live.tip_bit()):
            done = commit_patch(ctx, live, patch.id, None, asked.who, no_verify=asked.flag("no_verify"), by=by)
            commit, output = done.oid, done.output
        status = "ready"
    patch = live.state.patches[patch.id].model_copy(update={"status": status})
    patches = {**live.state.patches, patch.id: patch}
    publish(ctx, live, replace(live.state, patches=patches), "patch ready", by=by, text=f"{patch.name} {status}")
    return {"patch": patch_reply(live.state, patch, ctx=ctx), "commit": commit, "output": output}


def refuse_conflicts(patch: Patch) -> None:
    """Raise Refused while a patch has open conflicts."""
    if patch.status == "conflicts":
        raise Refused(f"patch {patch.name} has open conflicts", hint="git session conflicts")


def depend_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch depend P --on Q [--remove]``: declare or drop a dependency; twice is as once."""
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    patch, other = live.patch(asked.text("patch")), live.patch(asked.text("on"))
    declared = frozenset(live.state.owners.declared)
    edge = (patch.id, other.id)
    graph = graph_of(live.state.owners)
    if asked.flag("remove"):
        if edge not in declared and edge in graph.edges:
            found = graph.edges[edge]
            where = f" ({quote_path(found.path)})" if found.path else ""
            raise Refused(
                f"{patch.name} needs {other.name} because of its edits{where}",
                hint=f"git session patch show {quote(patch.name)}",
            )
        declared = declared - {edge}
    else:
        check_dependency(live.state, graph, patch, other)
        declared = declared | {edge}
    if declared != frozenset(live.state.owners.declared):
        state = replace(live.state, owners=replace(live.state.owners, declared=declared))
        if state.session.chain:
            state = remake_series(ctx, state)
        publish(ctx, live, state, "patch depend", by=by, text=f"{patch.name} on {other.name}")
    return {"patch": patch_reply(live.state, live.state.patches[patch.id], ctx=ctx)}


def check_dependency(state: State, graph: Graph, patch: Patch, other: Patch) -> None:
    """Raise Refused when ``patch`` cannot come to depend on ``other``."""
    refuse_ended(patch)
    if patch.id == other.id:
        raise Refused(f"{patch.name} cannot depend on itself", hint="name another patch with --on")
    if other.status == "abandoned":
        raise Refused(f"{other.name} is abandoned", hint=f"git session patch reopen {quote(other.name)}")
    if patch.id in graph.closure(other.id):
        raise Refused(
            f"{other.name} already depends on {patch.name}", hint=f"git session patch show {quote(other.name)}"
        )


def rename_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch rename``: another name or description."""
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    patch = live.patch(asked.text("patch"))
    update: dict[str, Any] = {}
    if asked.args.get("name") is not None:
        name = check_name(asked.text("name"), "patch name")
        refuse_taken(live.state, name, but=patch.id)
        update["name"] = name
    if asked.args.get("description") is not None:
        update["description"] = asked.text("description")
    patch = patch.model_copy(update=update)
    publish(
        ctx, live, replace(live.state, patches={**live.state.patches, patch.id: patch}), "patch rename",
        by=by, text=patch.name,
    )  # fmt: skip
    return {"patch": patch_reply(live.state, patch, ctx=ctx)}
