"""``conflicts``, ``conflict show``, ``resolve``, and the resolutions people save in an editor."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from typing import Any, Literal, cast

from gitsessiond.actions import views
from gitsessiond.actions.clashing import (
    back_from_conflicts,
    control_file,
    marked_text,
    open_of,
    texts_of,
    write_control_files,
)
from gitsessiond.actions.contests import review
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.model.conflicts import (
    How,
    chosen_side,
    clash_in,
    control_path,
    is_marked,
    left_over,
    resolved,
    written_mode,
)
from gitsessiond.model.errors import BadRequest, NotFound, Refused
from gitsessiond.model.names import is_id_prefix, quote_path, unquote_path
from gitsessiond.model.records import Conflict, ConflictSide
from gitsessiond.model.values import GITLINK, SYMLINK, is_binary
from gitsessiond.store.files import Content, read_file
from gitsessiond.store.identity import identity_of
from gitsessiond.store.text import union_text

SIDES = ("ours", "theirs", "base")
LARGEST_SAVED = 64 << 20  # bytes; a resolution larger than this is given with `resolve --file`


def list_conflicts(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``conflicts``: the open ones; with ``all`` those that were resolved or became stale too."""
    live = ctx.live(asked)
    take_all_saved(ctx, live)
    for patch in live.open_patches():
        review(ctx, live, patch.id)
    write_control_files(ctx, live)  # `git clean -x` may have taken them
    found = [one for one in live.state.conflicts.values() if asked.flag("all") or one.status == "open"]
    found.sort(key=lambda one: (one.created_at, one.path))
    return {"conflicts": [views.conflict_view(live.state, one) for one in found]}


def show_conflict(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``conflict show ID``: the three sides, the text with markers, and where it can be edited."""
    live = ctx.live(asked)
    take_all_saved(ctx, live)
    write_control_files(ctx, live)
    conflict = conflict_asked(live, asked.text("id"))
    texts = texts_of(ctx, live.state, conflict)
    marked = marked_text(texts, conflict)
    at = control_file(live, conflict)
    there = at is not None and os.path.lexists(at)
    control = quote_path(control_path(conflict, unquote_path(conflict.path)))
    return {
        "conflict": views.conflict_view(live.state, conflict),
        **{name: as_text(texts.get(name)) for name in ("base", "ours", "theirs")},
        "marked": as_text(marked),
        "file": control if there else None,
    }


def as_text(content: bytes | None) -> str | None:
    """Bytes as JSON carries them: UTF-8, other bytes as lone surrogates."""
    return None if content is None else content.decode("utf-8", "surrogateescape")


def conflict_asked(live: Live, wanted: str) -> Conflict:
    """The conflict of that id or unique id prefix.

    Raises:
        NotFound: none, or several.
    """
    conflicts = live.state.conflicts
    found = [one for one in conflicts.values() if is_id_prefix(wanted) and one.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    words = f"{len(found)} conflicts begin with {wanted!r}" if found else f"no conflict {wanted!r}"
    raise NotFound(words, hint="git session conflicts --all")


def resolve(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``resolve ID``: settle one conflict by a side, the union of both, or given content.

    Files and series do not change; the next ``merge`` of the patch uses it.

    Raises:
        Refused: markers are left over, the way does not fit its shape, or the conflict is no more.
    """
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    conflict = conflict_asked(live, asked.text("id"))
    how = asked.text("how")
    if how in SIDES:
        side = cast("Literal['ours', 'theirs', 'base']", how)
        if side == "base" and conflict.base.oid is None:
            raise Refused("both sides added it: there is no base", hint="git session resolve ID --ours")
        settle(ctx, live, conflict, side, chosen_side(conflict, side), by)
    elif how == "union":
        settle(ctx, live, conflict, "union", written(ctx, conflict, union_of(ctx, live, conflict)), by)
    elif how in ("file", "edit"):
        content = content_asked(asked)
        refuse_markers(ctx, live, conflict, content)
        settle(ctx, live, conflict, cast("How", how), written(ctx, conflict, content), by)
    else:
        raise BadRequest(f"no way to resolve {how!r}", hint="--ours, --theirs, --base, --union or --file F")
    return settled_reply(ctx, live, conflict)


def settled_reply(ctx: Context, live: Live, conflict: Conflict) -> dict[str, Any]:
    """What ``resolve`` answers."""
    state = live.state
    patch = state.patches.get(conflict.patch) if conflict.patch else None
    return {
        "conflict": views.conflict_view(state, state.conflicts[conflict.id]),
        "left": [views.conflict_view(state, one) for one in open_of(state, conflict.patch)],
        "patch": patch_reply(state, patch, ctx=ctx) if patch else None,
    }


def union_of(ctx: Context, live: Live, conflict: Conflict) -> bytes:
    """The lines of both sides.

    Raises:
        Refused: a side has no lines.
    """
    texts = texts_of(ctx, live.state, conflict)
    ours, theirs = texts.get("ours"), texts.get("theirs")
    if ours is None or theirs is None or marked_text(texts, conflict) is None:
        raise Refused(
            f"{conflict.path} has no two texts to unite ({conflict.shape})",
            hint=f"git session resolve {conflict.id[:6]} --ours, or --theirs",
        )
    return union_text(texts.get("base", b""), ours, theirs)


def content_asked(asked: Asked) -> bytes:
    """The content sent along.

    Raises:
        BadRequest: there is none, or it is no base64.
    """
    sent = asked.args.get("content")
    try:
        if isinstance(sent, str):
            return base64.b64decode(sent, validate=True)
    except ValueError:
        pass  # told as if it were not there: a client's mistake, not a person's
    raise BadRequest("the content is missing", hint="git session resolve ID --file F")


def refuse_markers(ctx: Context, live: Live, conflict: Conflict, content: bytes) -> None:
    """Raise Refused when conflict markers are left over in a resolution."""
    line = None if is_binary(content) else left_over(content, texts_of(ctx, live.state, conflict).values())
    if line is not None:
        raise Refused(
            f"line {line} of the resolution of {conflict.path} is a conflict marker",
            hint="take the markers out, then resolve again",
        )


def written(ctx: Context, conflict: Conflict, content: bytes) -> ConflictSide:
    """The result that a content makes, its blob in the store."""
    mode = written_mode(conflict)
    if mode == SYMLINK:
        content = content.removesuffix(b"\n")  # a link's target, typed in an editor
    moved = conflict.ours.path or conflict.theirs.path
    return ConflictSide(oid=ctx.store.put("blob", content), mode=mode, path=moved)


def settle(ctx: Context, live: Live, conflict: Conflict, how: How, result: ConflictSide | None, by: str) -> None:
    """Record a resolution; the patch has its former status again when it was the last.

    Raises:
        Refused: the conflict is no more.
    """
    state = live.state
    patch = state.patches.get(conflict.patch) if conflict.patch else None
    if conflict.status == "stale" or (patch is not None and patch.status in ("merged", "abandoned")):
        raise Refused(f"the conflict in {conflict.path} is no more", hint="git session conflicts")
    record = resolved(conflict, how, result, ctx.now(), by)
    sides = {name: oid for name, oid in state.sides.get(record.id, {}).items() if name != "result"}
    if result is not None and result.oid is not None and result.mode != GITLINK:
        sides["result"] = result.oid
    state = replace(
        state,
        conflicts={**state.conflicts, record.id: record},
        sides={**state.sides, record.id: sides},
    )
    if patch is not None:
        state = back_from_conflicts(state, patch.id)
    facts = {"conflict": record.id, "path": record.path, "how": how}
    publish(ctx, live, state, "resolve", by=by, text=f"{record.path} {how}", facts=facts)
    write_control_files(ctx, live)


# Resolutions saved in an editor.


def take_all_saved(ctx: Context, live: Live) -> None:
    """Take the resolutions that were saved while nobody watched."""
    for conflict in list(live.state.conflicts.values()):
        if conflict.status == "open" and is_marked(conflict):
            take_saved(ctx, live, control_path(conflict, unquote_path(conflict.path)))


def take_saved(ctx: Context, live: Live, path: bytes) -> bool:
    """Take a save below ``.gitsession/conflicts/`` as a resolution if it has no markers left; whether it was.

    ``path`` is from the worktree's root. A save with markers, of a stale conflict, or of anything else there,
    is nothing; it is not recorded either.
    """
    named = clash_in(path)
    conflict = live.state.conflicts.get(named[0]) if named else None
    if named is None or conflict is None or unquote_path(conflict.path) != named[1]:
        return False
    at = control_file(live, conflict)
    found = read_file(at, LARGEST_SAVED) if at is not None else None
    if not isinstance(found, Content) or conflict.status == "stale":
        return False
    content = found.data
    texts = texts_of(ctx, live.state, conflict)
    if left_over(content, texts.values()) is not None:
        return False
    result = written(ctx, conflict, content)
    if conflict.status == "resolved" and conflict.result == result:
        return False
    try:
        settle(ctx, live, conflict, "saved", result, live.state.session.created_by)
    except Refused:
        return False  # its patch was merged or abandoned meanwhile
    return True
