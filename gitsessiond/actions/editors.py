"""``editors``: who has which file, and ``editors switch``: new edits go where those of an editor went."""

from __future__ import annotations

import os
from dataclasses import replace
from shlex import quote
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.asked import inside
from gitsessiond.actions.claiming import use_patch
from gitsessiond.actions.context import Asked, Context
from gitsessiond.actions.editing import current_editor, editing_now, editor_view, path_of
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.values import GITLINK, SYMLINK, is_binary
from gitsessiond.store.attributes import is_lockable
from gitsessiond.store.trees import file_at


def list_editors(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``editors``: every file being worked on, with who has it open."""
    live = ctx.live(asked)
    rows = [editor_view(live, live.state, path) for path in editing_now(live, live.state, None).rows]
    return {"editors": rows, "current_editor": current_editor(live)}


def switch_editor(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``editors switch N``: new edits go where those of editor N went; where it has no patch, nothing changes.

    Raises:
        NotFound: no editor has that number.
        Refused: its edits are of several patches, and none of these is in use.
    """
    live = ctx.live(asked)
    path = path_of(live, asked.args.get("editor"))
    view = editor_view(live, live.state, path)
    in_use, of_patches = live.state.session.patch_in_use, [one["id"] for one in view["patches"]]
    open_ones = [pid for pid in of_patches if live.state.patches[pid].status not in ("merged", "abandoned")]
    if len(open_ones) > 1 and in_use not in open_ones:
        names = " and ".join(views.name_of(live.state, pid) for pid in open_ones)
        hint = "\n".join(f"git session patch use {quote(live.state.patches[pid].name)}" for pid in open_ones)
        raise Refused(f"editor {view['number']} has edits of {names}", hint=hint)
    live.current = path
    used = in_use not in open_ones and bool(open_ones)
    if used:
        use_patch(ctx, replace(asked, args={"patch": open_ones[0]}))
    now = live.state.session.patch_in_use
    return {
        "editor": editor_view(live, live.state, path),
        "patch": {"id": now, "name": views.name_of(live.state, now)} if now else None,
        "used": used,
        "file": quote_path(unquote_path(live.state.session.worktree) + b"/" + path),
    }


def mode_of(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``editors.mode``: how a file that somebody edits is locked: X where two versions of it cannot be merged.

    Raises:
        BadRequest: it is no file below the worktree.
    """
    live = ctx.live(asked)
    path = inside(live, asked, asked.text("path"))
    if not path:
        raise BadRequest("a path is needed", hint="name a file of this session")
    if is_lockable(os.fsdecode(unquote_path(live.state.session.worktree)), path):
        return {"mode": "X", "why": "lockable"}
    entry = file_at(ctx.store, live.state.work, path)
    if entry is not None and entry.mode not in (GITLINK, SYMLINK) and is_binary(ctx.store.blob(entry.oid)):
        return {"mode": "X", "why": "binary"}
    return {"mode": "intent", "why": None}
