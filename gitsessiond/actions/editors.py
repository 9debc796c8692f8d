"""``editors``: who has which file, and ``editors switch``: new edits go where those of an editor went."""

from __future__ import annotations

import os
from dataclasses import replace
from shlex import quote
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.asked import inside
from gitsessiond.actions.claiming import use_patch
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.editing import current_editor, editing_now, editor_view, path_of
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.values import GITLINK, SYMLINK, is_binary
from gitsessiond.store.attributes import lockable
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
    wanted = patch_to_use(live, path)
    live.current = path
    if wanted is not None:
        use_patch(ctx, replace(asked, args={"patch": wanted}))
    now = live.state.session.patch_in_use
    return {
        "editor": editor_view(live, live.state, path),
        "patch": {"id": now, "name": views.name_of(live.state, now)} if now else None,
        "used": wanted is not None,
        "file": quote_path(unquote_path(live.state.session.worktree) + b"/" + path),
    }


def patch_to_use(live: Live, path: bytes) -> str | None:
    """Which patch an editor's edits are of, by its file; None: that one is in use, or they are of none.

    Raises:
        Refused: they are of several patches, and none of these is in use.
    """
    view, patches = editor_view(live, live.state, path), live.state.patches
    open_ones = [pid for one in view["patches"] if patches[pid := one["id"]].status not in ("merged", "abandoned")]
    if not open_ones or live.state.session.patch_in_use in open_ones:
        return None
    if len(open_ones) > 1:
        names = " and ".join(views.name_of(live.state, pid) for pid in open_ones)
        hint = "\n".join(f"git session patch use {quote(patches[pid].name)}" for pid in open_ones)
        raise Refused(f"editor {view['number']} has edits of {names}", hint=hint)
    return str(open_ones[0])


def modes_of(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``editors.mode``: how files that somebody edits are locked: X where two versions of one cannot be merged.

    Raises:
        BadRequest: one is no file below the worktree.
    """
    live = ctx.live(asked)
    paths = [inside(live, asked, text) for text in asked.texts("paths")]
    if not paths or not all(paths):
        raise BadRequest("paths are needed", hint="name files of this session")
    locked = lockable(os.fsdecode(unquote_path(live.state.session.worktree)), paths)
    why = ["lockable" if path in locked else "binary" if has_binary(ctx, live, path) else None for path in paths]
    return {"modes": [{"mode": "X" if one else "intent", "why": one} for one in why]}


def has_binary(ctx: Context, live: Live, path: bytes) -> bool:
    """Whether what was saved of a file last is binary."""
    entry = file_at(ctx.store, live.state.work, path)
    return entry is not None and entry.mode not in (GITLINK, SYMLINK) and is_binary(ctx.store.blob(entry.oid))
