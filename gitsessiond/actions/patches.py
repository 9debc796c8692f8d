"""Patches as a person uses them: new, list, show, use, ready, depend, ops, diff, rename, abandon, reopen."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.clashing import without_open
from gitsessiond.actions.commits import commit_patch, way_back
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.discarding import take_out
from gitsessiond.actions.publishing import patch_trees, publish
from gitsessiond.actions.saves import how_for
from gitsessiond.actions.series import remake_series
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.model.graph import Graph, graph_of
from gitsessiond.model.names import check_name, name_key, quote_path, unquote_path
from gitsessiond.model.ownership import (
    add_patch,
    edits_of,
    ops_of,
    set_state,
    take,
    unassigned_rows,
    uncommitted_paths,
)
from gitsessiond.model.records import Claim, Patch
from gitsessiond.store.chain import subject_of
from gitsessiond.store.git import run_git
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
    for other in state.patches.values():
        if name_key(other.name) == name_key(name):
            raise Refused(f"a patch named {other.name} already exists", hint="git session patch list")
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


def new_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch new``: the session's first takes what is unassigned for want of a patch; ``--take`` names more."""
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    first = not live.state.session.patches
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


def refuse_parked(live: Live) -> None:
    """Raise Refused while the session is parked: nothing is sorted then."""
    if live.state.session.parked:
        raise Refused(
            f"the session is parked: {live.state.session.parked}",
            hint=way_back(live),
        )


def inside(live: Live, asked: Asked, path: str) -> bytes:
    """A path a person typed, from the worktree's root.

    Raises:
        BadRequest: it lies outside the session's worktree.
    """
    root = os.fsdecode(unquote_path(live.state.session.worktree))
    typed = os.fsdecode(unquote_path(path))
    cwd = os.path.realpath(asked.who.cwd)
    start = cwd if cwd == root or cwd.startswith(root + "/") else root
    joined = os.path.normpath(os.path.join(start, typed))
    directory, name = os.path.split(joined)
    joined = os.path.join(os.path.realpath(directory), name) if name else joined
    if joined == root:
        return b""
    if not joined.startswith(root.rstrip("/") + "/"):
        raise BadRequest(f"{path} is outside the worktree {root}", hint="name a path of this session")
    return os.fsencode(joined[len(root.rstrip("/")) + 1 :])


def list_patches(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch list``: in creation order."""
    state = state_asked(ctx, asked)
    graph = graph_of(state.owners)
    return {"patches": [patch_reply(state, state.patches[pid], graph, ctx) for pid in state.session.patches]}


def state_asked(ctx: Context, asked: Asked) -> State:
    """The State a reading command is about; ended sessions can be named."""
    return ctx.find_state(asked.who.session) if asked.who.session else ctx.live(asked).state


def patch_asked(ctx: Context, asked: Asked, name: str = "patch") -> tuple[State, Patch]:
    """State and patch a reading command is about."""
    state = state_asked(ctx, asked)
    return state, Live(state=state).patch(asked.text(name))


def show_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch show``: the patch with its ops, edits and series."""
    state, patch = patch_asked(ctx, asked)
    series = [
        {"oid": commit.oid, "of": commit.of, "subject": subject_of(ctx.store, commit.oid)} for commit in patch.series
    ]
    return {
        "patch": patch_reply(state, patch, ctx=ctx),
        "ops": [views.op_view(op) for op in ops_of(state.owners, patch.id, ctx.tools)],
        "edits": [views.placed_view(state, edit) for edit in edits_of(state.owners, patch.id)],
        "series": series,
    }


def use_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch use P|- [PATH...] [--strict]``: where new edits go; with paths or ``--strict`` a standing claim."""
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    paths = tuple(quote_path(inside(live, asked, path)) for path in asked.texts("paths"))
    session = live.state.session
    if asked.text("patch") == "-":
        if paths:
            claims = tuple(claim for claim in session.claims if not set(claim.paths) & set(paths))
            session = session.model_copy(update={"claims": claims})
        else:
            session = session.model_copy(
                update={
                    "patch_in_use": None,
                    "claims": tuple(claim for claim in session.claims if claim.paths),
                }
            )
        patch = None
    else:
        patch = live.patch(asked.text("patch"))
        refuse_ended(patch)
        keep = tuple(claim for claim in session.claims if claim.paths and not set(claim.paths) & set(paths))
        if paths:
            session = session.model_copy(update={"claims": (*keep, Claim(paths=paths, patch=patch.id))})
        else:
            strict = (Claim(paths=(), patch=patch.id),) if asked.flag("strict") else ()
            session = session.model_copy(update={"patch_in_use": patch.id, "claims": (*keep, *strict)})
    publish(ctx, live, replace(live.state, session=session), "patch use", by=by, text=patch.name if patch else "-")
    claims_view = [
        {
            "paths": list(claim.paths),
            "patch": {"id": claim.patch, "name": views.name_of(live.state, claim.patch)},
        }
        for claim in live.state.session.claims
    ]
    return {"patch": patch_reply(live.state, patch, ctx=ctx) if patch else None, "claims": claims_view}


def refuse_ended(patch: Patch) -> None:
    """Raise Refused for a merged or abandoned patch."""
    if patch.status == "merged":
        raise Refused(f"patch {patch.name} is merged", hint="git session patch new NAME")
    if patch.status == "abandoned":
        raise Refused(f"patch {patch.name} is abandoned", hint=f"git session patch reopen {patch.name}")


def ready_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch ready P [--undo]``: commits what P has uncommitted, then says it may be merged."""
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    patch = live.patch(asked.text("patch"))
    refuse_ended(patch)
    commit, output = None, ""
    if asked.flag("undo"):
        if patch.status != "ready":
            raise Refused(f"patch {patch.name} is {patch.status}, not ready", hint="git session patch list")
        status = "draft"
    else:
        refuse_conflicts(patch)
        refuse_parked(live)
        if not ops_of(live.state.owners, patch.id, ctx.tools):
            raise Refused(f"patch {patch.name} has no edits", hint=f"git session assign PATH --patch {patch.name}")
        if uncommitted_paths(live.state.owners, patch.id, live.tip_bit()):
            done = commit_patch(ctx, live, patch.id, None, asked.who, no_verify=asked.flag("no_verify"))
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
                hint=f"git session patch show {patch.name}",
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
        raise Refused(f"{other.name} is abandoned", hint=f"git session patch reopen {other.name}")
    if patch.id in graph.closure(other.id):
        raise Refused(f"{other.name} already depends on {patch.name}", hint=f"git session patch show {other.name}")


def patch_ops(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch ops``: the paths that differ between the patch and what it stands on."""
    state, patch = patch_asked(ctx, asked)
    return {"ops": [views.op_view(op) for op in ops_of(state.owners, patch.id, ctx.tools)]}


def diff_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch diff``: the patch as git's diff of its context and its version."""
    state, patch = patch_asked(ctx, asked)
    from_tree, to_tree = patch_trees(ctx, state, patch.id)
    # The trees are in the journal or in store.git; git reads the latter, so what is asked for is packed first.
    ctx.store.checkpoint()
    done = run_git(["diff", "--no-ext-diff", "--no-color", "-M", from_tree, to_tree, "--"], git_dir=ctx.store.git_dir)
    return {"diff": done.out.decode("utf-8", "surrogateescape")}


def rename_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch rename``: another name or description."""
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    patch = live.patch(asked.text("patch"))
    update: dict[str, Any] = {}
    if asked.args.get("name") is not None:
        name = check_name(asked.text("name"), "patch name")
        for other in live.state.patches.values():
            if other.id != patch.id and name_key(other.name) == name_key(name):
                raise Refused(f"a patch named {other.name} already exists", hint="git session patch list")
        update["name"] = name
    if asked.args.get("description") is not None:
        update["description"] = asked.text("description")
    patch = patch.model_copy(update=update)
    publish(
        ctx, live, replace(live.state, patches={**live.state.patches, patch.id: patch}), "patch rename",
        by=by, text=patch.name,
    )  # fmt: skip
    return {"patch": patch_reply(live.state, patch, ctx=ctx)}


def abandon_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch abandon P [--discard]``: its edits count as nobody's, or leave the files; the session goes on."""
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    patch = live.patch(asked.text("patch"))
    if patch.status == "merged":
        refuse_ended(patch)
    taken = [views.placed_view(live.state, edit) for edit in edits_of(live.state.owners, patch.id)]
    if asked.flag("discard"):
        refuse_parked(live)
        take_out(ctx, live, patch, by)
    if patch.status != "abandoned":
        patch = live.state.patches[patch.id]
        state = abandoned(live.state, patch)
        live.memory.forget()
        publish(ctx, live, state, "patch abandon", by=by, text=patch.name)
    return {"patch": patch_reply(live.state, live.state.patches[patch.id], ctx=ctx), "edits": taken}


def abandoned(state: State, patch: Patch) -> State:
    """The State with this patch abandoned: labels stay, so that reopening is exact; claims and conflicts end."""
    gone = patch.model_copy(update={"status": "abandoned", "former": None})
    session = state.session
    in_use = None if session.patch_in_use == patch.id else session.patch_in_use
    claims = tuple(claim for claim in session.claims if claim.patch != patch.id)
    state = replace(
        state,
        patches={**state.patches, patch.id: gone},
        session=session.model_copy(update={"patch_in_use": in_use, "claims": claims}),
        owners=set_state(state.owners, patch.id, "abandoned"),
    )
    return without_open(state, patch.id)


def reopen_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch reopen P``: an abandoned patch is a draft again, with the edits it had."""
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    patch = live.patch(asked.text("patch"))
    if patch.status != "abandoned":
        raise Refused(f"patch {patch.name} is {patch.status}, not abandoned", hint="git session patch list")
    patch = patch.model_copy(update={"status": "draft"})
    live.memory.forget()
    state = replace(
        live.state,
        patches={**live.state.patches, patch.id: patch},
        owners=set_state(live.state.owners, patch.id, "open"),
    )
    publish(ctx, live, state, "patch reopen", by=by, text=patch.name)
    return {"patch": patch_reply(live.state, patch, ctx=ctx)}
