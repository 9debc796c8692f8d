"""``patch abandon`` and ``patch reopen``: a patch given up, and taken up again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.asked import refuse_ended, refuse_parked, status_words
from gitsessiond.actions.clashing import without_open
from gitsessiond.actions.context import Asked, Context
from gitsessiond.actions.discarding import take_out
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.model.errors import Refused
from gitsessiond.model.ownership import edits_of, set_state
from gitsessiond.model.records import Patch
from gitsessiond.store.identity import identity_of
from gitsessiond.store.steps import State


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
        raise Refused(f"patch {patch.name} is {status_words(patch)}, not abandoned", hint="git session patch list")
    patch = patch.model_copy(update={"status": "draft"})
    live.memory.forget()
    state = replace(
        live.state,
        patches={**live.state.patches, patch.id: patch},
        owners=set_state(live.state.owners, patch.id, "open"),
    )
    publish(ctx, live, state, "patch reopen", by=by, text=patch.name)
    return {"patch": patch_reply(live.state, patch, ctx=ctx)}
