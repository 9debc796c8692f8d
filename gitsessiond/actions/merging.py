"""``commit``, ``merge`` and ``patch validate`` as requests; what they do is in commits and merges."""

from __future__ import annotations

from shlex import quote
from typing import Any

from gitsessiond.actions.asked import refuse_parked
from gitsessiond.actions.checking import check_view, check_wanted, due_part
from gitsessiond.actions.commits import commit_patch
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.mergeable import as_told
from gitsessiond.actions.merges import merge_patch, validate_patch
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.model.errors import Refused
from gitsessiond.model.records import Patch


def commit(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``commit -m TEXT [--patch P]``: an ordinary commit with one patch's uncommitted edits.

    Raises:
        Refused: no patch is in use, the session is parked, there is nothing to commit, or a dependency must go first.
    """
    live = ctx.live(asked)
    refuse_parked(live)
    patch = patch_to_commit(live, asked)
    message = asked.text("message") or None
    done = commit_patch(ctx, live, patch.id, message, asked.who, no_verify=asked.flag("no_verify"))
    return {
        "commit": done.oid,
        "short": done.oid[:8],
        "patch": patch_reply(live.state, live.state.patches[patch.id], ctx=ctx),
        "files": done.files,
        "output": done.output,
    }


def patch_to_commit(live: Live, asked: Asked) -> Patch:
    """The patch named, else the one in use."""
    if asked.text("patch"):
        return live.patch(asked.text("patch"))
    in_use = live.state.session.patch_in_use
    if in_use is not None:
        return live.state.patches[in_use]
    names = [patch.name for patch in live.open_patches()]
    if not names:
        raise Refused("the session has no open patch", hint="git session patch new NAME")
    raise Refused(
        f"no patch is in use; open: {', '.join(names)}", hint=f"git session commit -m TEXT --patch {quote(names[0])}"
    )


def merge(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``merge P [--ready] [--strategy S] [--dry-run]``: P alone onto the target."""
    live = ctx.live(asked)
    patch = live.patch(asked.text("patch"))
    return merge_patch(
        ctx,
        live,
        patch.id,
        asked.who,
        ready=asked.flag("ready"),
        dry_run=asked.flag("dry_run"),
        no_verify=asked.flag("no_verify"),
        strategy=asked.text("strategy"),
        ran=tuple(asked.texts("ran")),
    )


def validate(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``patch validate P``: everything that keeps P from being merged, at once; nothing is merged."""
    ctx = as_told(ctx, asked.who)
    live = ctx.live(asked)
    patch = live.patch(asked.text("patch"))
    wanted = check_wanted(ctx, tuple(asked.texts("ran")), no_verify=asked.flag("no_verify"))
    found = validate_patch(ctx, live, patch.id, wanted)
    checked = check_view(live.state, live.state.patches[patch.id]) if wanted is not None else None
    return {
        "patch": patch_reply(live.state, live.state.patches[patch.id], ctx=ctx),
        "blockers": list(found.blockers),
        "warnings": list(found.warnings),
        "check": checked,
        **due_part(found.check_due),
    }
