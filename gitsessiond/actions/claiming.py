"""``patch use``: which patch new edits go to, everywhere or at some paths."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gitsessiond.actions.asked import inside, refuse_ended
from gitsessiond.actions.claims import claims_view, with_claim, without_paths
from gitsessiond.actions.context import Asked, Context
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.model.records import Claim
from gitsessiond.store.identity import identity_of


def use_patch(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch use P|- [PATH...] [--strict]``: where new edits go; with paths or ``--strict`` a standing claim.

    Raises:
        Locked: another patch has claimed one of the paths; nothing was claimed.
        NotFound: no such patch; or, with ``-``, nobody has claimed one of the paths.
    """
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    paths = [inside(live, asked, path) for path in asked.texts("paths")]
    patch = None if asked.text("patch") == "-" else live.patch(asked.text("patch"))
    state = live.state
    if patch is not None:
        refuse_ended(patch)
    if patch is not None and paths:
        session = with_claim(state, patch, paths, by, ctx.now())
    elif paths:
        session = without_paths(state.session, paths)
    else:
        strict = (Claim(paths=(), patch=patch.id, by=by, at=ctx.now()),) if patch and asked.flag("strict") else ()
        claims = (*(claim for claim in state.session.claims if claim.paths), *strict)
        session = state.session.model_copy(update={"patch_in_use": patch.id if patch else None, "claims": claims})
    publish(ctx, live, replace(state, session=session), "patch use", by=by, text=patch.name if patch else "-")
    return {"patch": patch_reply(live.state, patch, ctx=ctx) if patch else None, "claims": claims_view(live.state)}
