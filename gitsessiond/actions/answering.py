"""What an answer to a conflict comes to: a side, both, what it became before, or content; place by place or whole."""

from __future__ import annotations

import base64
from typing import cast

from gitsessiond.actions.asked import inside
from gitsessiond.actions.clash_files import marked_text, texts_of, work_on
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.resolutions import remembered_places, remembered_whole
from gitsessiond.actions.settling import Unsaid, refuse_markers, saved_result, side_chosen, written
from gitsessiond.model.conflicts import SIDE_NAMES
from gitsessiond.model.errors import BadRequest, Refused
from gitsessiond.model.hints import either_side
from gitsessiond.model.hunks import CHOICES, Place, composed, ended_as, places_in, taken
from gitsessiond.model.names import quote_path
from gitsessiond.model.records import Conflict, ConflictSide, How
from gitsessiond.store.text import union_text


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


def remembered_answer(ctx: Context, live: Live, conflict: Conflict) -> ConflictSide | None:
    """What the same clash became before.

    Raises:
        Refused: it was not resolved before, or not all of it.
    """
    if conflict.result is not None and conflict.status == "open":
        return conflict.result  # it was reopened
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
