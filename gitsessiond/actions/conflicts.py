"""``conflicts``, ``conflict show``, ``resolve``."""

from __future__ import annotations

import base64
import os
from typing import Any, cast

from gitsessiond.actions import views
from gitsessiond.actions.asked import inside
from gitsessiond.actions.clashing import (
    Work,
    control_file,
    file_text,
    marked_text,
    open_of,
    texts_of,
    work_on,
    write_control_files,
)
from gitsessiond.actions.contests import review
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.purposes import purposes
from gitsessiond.actions.resolutions import remembered_places, remembered_whole
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.actions.settling import (
    Unsaid,
    refuse_markers,
    saved_result,
    settle,
    side_chosen,
    take_all_saved,
    take_saved,
    written,
)
from gitsessiond.model.conflicts import SIDE_NAMES, control_path, telling_lines
from gitsessiond.model.errors import BadRequest, NotFound, Refused
from gitsessiond.model.hints import either_side
from gitsessiond.model.hunks import CHOICES, Place, composed, ended_as, places_in, taken
from gitsessiond.model.names import is_id_prefix, quote_path, unquote_path
from gitsessiond.model.records import Conflict, ConflictSide, How
from gitsessiond.store.exclude import replace_file
from gitsessiond.store.identity import identity_of
from gitsessiond.store.text import union_text

__all__ = ["list_conflicts", "resolve", "show_conflict", "take_all_saved", "take_saved"]


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
    """``conflict show ID``: the three sides and what they are for, the text with markers, and where to edit it."""
    live = ctx.live(asked)
    take_all_saved(ctx, live)
    write_control_files(ctx, live)
    conflict = conflict_asked(live, asked.text("id"))
    texts = texts_of(ctx, live.state, conflict)
    at = control_file(live, conflict)
    there = at is not None and os.path.lexists(at)
    work = work_on(ctx, live, conflict)
    known, whole = offered(ctx, live, conflict, work)
    control = quote_path(control_path(conflict, unquote_path(conflict.path)))
    told = telling_lines(conflict, texts)
    return {
        "conflict": views.conflict_view(live.state, conflict),
        **{name: as_text(texts.get(name)) for name in SIDE_NAMES},
        "marked": as_text(marked_text(texts, conflict)),
        "told": {name: as_text(told[name]) for name in SIDE_NAMES},
        "text": as_text(work.text if work is not None else file_text(texts, conflict)),
        "hunks": hunk_views(work, known),
        "remembered": whole,
        "intent": purposes(ctx, live, conflict),
        "file": control if there else None,
        "at": quote_path(at) if at is not None and there else None,
    }


def as_text(content: bytes | None) -> str | None:
    """Bytes as JSON carries them: UTF-8, other bytes as lone surrogates."""
    return None if content is None else content.decode("utf-8", "surrogateescape")


def hunk_views(work: Work | None, known: list[bytes | None]) -> list[dict[str, Any]]:
    """The places still to be settled, with what each became before."""
    return [
        {
            "line": place.line,
            "ours": as_text(place.ours),
            "base": as_text(place.base),
            "theirs": as_text(place.theirs),
            "text": as_text(place.whole),
            "remembered": as_text(answer),
        }
        for place, answer in zip(places_in(work.parts) if work else [], known, strict=True)
    ]


def offered(ctx: Context, live: Live, conflict: Conflict, work: Work | None) -> tuple[list[bytes | None], bool]:
    """What the places became before, and whether that settles the whole."""
    if conflict.status != "open":
        return [None] * len(places_in(work.parts) if work else []), False
    if work is None:
        return [], remembered_whole(ctx, live, conflict) is not None
    known = remembered_places(ctx, live, conflict, places_in(work.parts))
    return known, bool(known) and None not in known


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
    """``resolve ID``: settle one conflict by a side, by both, by what it became before, or by given content.

    Files and series do not change; the next ``merge`` of the patch uses it.

    Raises:
        Refused: markers are left over, the way does not fit its shape, or the conflict is no more.
    """
    live = ctx.live(asked)
    by = identity_of(asked.who.env, asked.who.cwd)
    conflict = conflict_asked(live, asked.text("id"))
    if asked.text("how") == "hunks" and "skip" in asked.texts("hunks"):
        return leave_rest(ctx, live, conflict, asked)
    how, result = answer_asked(ctx, live, conflict, asked)
    settle(ctx, live, conflict, how, result, by)
    return settled_reply(ctx, live, conflict)


def answer_asked(ctx: Context, live: Live, conflict: Conflict, asked: Asked) -> tuple[How, ConflictSide | None]:
    """How a conflict is to be settled, and as what; None: the path is deleted.

    Raises:
        Refused: the way does not fit its shape, or markers are left over.
        BadRequest: there is no such way.
    """
    how, named = asked.text("how"), asked.text("as")
    at = name_asked(live, asked, conflict, named) if named else None
    if how in SIDE_NAMES:
        result = side_chosen(conflict, how)
        if result is not None and at is not None:
            result = result.model_copy(update={"path": at})
        return cast("How", how), result
    if how == "delete":
        if conflict.shape == "directory/file":
            raise Refused(
                f"{conflict.path} is a file on one side and a directory on the other",
                hint=either_side(conflict.id),
            )
        return "delete", None
    if how == "remembered":
        return "remembered", remembered_answer(ctx, live, conflict)
    if how == "tool" and asked.text("take"):
        take = asked.text("take")
        return "tool", None if take == "delete" else side_chosen(conflict, "ours" if take == "ours" else "theirs")
    if how == "union":
        content = union_of(ctx, live, conflict)
    elif how == "hunks":
        content = by_hunks(ctx, live, conflict, asked)
    elif how in ("file", "edit", "tool"):
        content = content_asked(asked)
        if marked_text(texts_of(ctx, live.state, conflict), conflict) is None and how == "edit":
            said = saved_result(ctx, live, conflict, content)
            if isinstance(said, Unsaid):
                raise Refused(f"{conflict.path} is as it was", hint="leave the line of one side in the file")
            return "edit", said
    else:
        raise BadRequest(f"no way to resolve {how!r}", hint="git session resolve -h")
    refuse_markers(ctx, live, conflict, content)
    return cast("How", how), written(ctx, conflict, content, at)


def name_asked(live: Live, asked: Asked, conflict: Conflict, named: str) -> str:
    """A path of the conflict, quoted.

    Raises:
        Refused: the path is none of its names; what else may be there is no part of the conflict.
    """
    names = [side.path for side in (conflict.ours, conflict.theirs, conflict.base)]
    at = quote_path(inside(live, asked, named))
    known = list(dict.fromkeys([name for name in (*names, conflict.path) if name is not None]))
    if at not in known:
        raise Refused(f"{at} is no name of this conflict", hint=f"--as {' or '.join(known)}")
    return at


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
            hint=either_side(conflict.id),
        )
    return union_text(texts.get("base", b""), ours, theirs)


def content_asked(asked: Asked) -> bytes:
    """The content sent along.

    Raises:
        BadRequest: there is none, or it is no base64.
    """
    sent = asked.args.get("content")
    if isinstance(sent, str):
        return from_base64(sent)
    raise BadRequest("the content is missing", hint="git session resolve ID --file F")


def from_base64(sent: str) -> bytes:
    """The bytes of a text in base64.

    Raises:
        BadRequest: it is none.
    """
    try:
        return base64.b64decode(sent, validate=True)
    except ValueError:
        raise BadRequest("the content is no base64", hint="git session resolve ID --file F") from None


# Place by place.


def by_hunks(ctx: Context, live: Live, conflict: Conflict, asked: Asked) -> bytes:
    """The text with each place settled as asked.

    Raises:
        Refused: the conflict has no lines, other places than were answered, or nothing remembered for one.
        BadRequest: an answer means nothing.
    """
    work = work_on(ctx, live, conflict)
    if work is None:
        raise Refused(
            f"{conflict.path} has no lines to choose from ({conflict.shape})",
            hint=either_side(conflict.id),
        )
    places, answers = places_in(work.parts), asked.texts("hunks")
    if len(places) != len(answers):
        raise Refused(
            f"{conflict.path} has {len(places)} places to settle, and {len(answers)} answers were given",
            hint=f"git session conflict show {conflict.id[:6]}",
        )
    known = remembered_places(ctx, live, conflict, places) if "remembered" in answers else [None] * len(places)
    settled = [answer_to(place, answer, before) for place, answer, before in zip(places, answers, known, strict=True)]
    text = composed(work.parts, settled)
    texts = texts_of(ctx, live.state, conflict)
    last = answers[-1] if answers else ""
    return ended_as(text, work.parts, texts.get("theirs" if last == "both" else last, b""))


def answer_to(place: Place, answer: str, before: bytes | None) -> bytes | None:
    """What one place becomes; None: it stays as it is.

    Raises:
        Refused: nothing is remembered.
        BadRequest: the answer means nothing.
    """
    if answer in CHOICES:
        return taken(place, answer)
    if answer == "skip":
        return None
    if answer == "remembered":
        if before is None:
            raise Refused(f"line {place.line}: this was not resolved before", hint="ours, theirs, both or base")
        return before
    if answer.startswith("text:"):
        return from_base64(answer.removeprefix("text:"))
    raise BadRequest(f"no answer {answer!r}", hint="ours, theirs, both, base or remembered")


def leave_rest(ctx: Context, live: Live, conflict: Conflict, asked: Asked) -> dict[str, Any]:
    """Put what was settled into the conflict's file; the conflict stays open for the rest.

    Raises:
        Refused: the conflict has no lines, is not open, or the session no worktree to keep the file in.
    """
    content = by_hunks(ctx, live, conflict, asked)
    at = control_file(live, conflict)
    if at is None or not os.path.lexists(at) or conflict.status != "open":
        raise Refused(f"{conflict.path} has no file to keep the answers in", hint="settle all of its places at once")
    replace_file(os.fsdecode(at), content)
    return settled_reply(ctx, live, conflict)


def remembered_answer(ctx: Context, live: Live, conflict: Conflict) -> ConflictSide | None:
    """What the same clash became before.

    Raises:
        Refused: it was not resolved before, or not all of it.
    """
    work = work_on(ctx, live, conflict)
    if work is None:
        before = remembered_whole(ctx, live, conflict)
        if before is not None:
            return before.result
        known: list[bytes | None] = []
    else:
        known = remembered_places(ctx, live, conflict, places_in(work.parts))
    if work is None or None in known or not known:
        some = [answer for answer in known if answer is not None]
        what = f"only {len(some)} of {len(known)} places were" if some else "this was not"
        raise Refused(f"{conflict.path}: {what} resolved before", hint=f"git session resolve {conflict.id[:6]} --edit")
    content = composed(work.parts, known)
    refuse_markers(ctx, live, conflict, content)
    return written(ctx, conflict, content)
