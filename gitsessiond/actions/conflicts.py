"""``conflicts``, ``conflict show``, ``resolve``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.answering import answer_asked, by_hunks
from gitsessiond.actions.clash_files import (
    Work,
    control_file,
    file_text,
    marked_text,
    texts_of,
    work_on,
    write_control_files,
)
from gitsessiond.actions.clashing import open_of
from gitsessiond.actions.contests import review
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.denials import write_counts
from gitsessiond.actions.notices import close_notices
from gitsessiond.actions.purposes import purposes
from gitsessiond.actions.resolutions import remembered_places, remembered_whole
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.actions.settling import settle, take_all_saved, take_saved
from gitsessiond.model.conflicts import SIDE_NAMES, control_path, is_notice, is_overlap, sessions_of, telling_lines
from gitsessiond.model.errors import NotFound, Refused
from gitsessiond.model.hints import command_words
from gitsessiond.model.hunks import places_in
from gitsessiond.model.names import is_id_prefix, quote_path, unquote_path
from gitsessiond.model.records import Conflict
from gitsessiond.store.identity import identity_of
from gitsessiond.store.steps import State

__all__ = ["list_conflicts", "resolve", "show_conflict", "take_all_saved", "take_saved"]


def list_conflicts(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``conflicts``: the open ones; with ``all`` those that were resolved or became stale too."""
    live = ctx.live(asked)
    take_all_saved(ctx, live)
    for patch in live.open_patches():
        review(ctx, live, patch.id)
    write_control_files(ctx, live)  # `git clean -x` may have taken them
    kind = asked.text("kind")
    found = [
        (state, one)
        for state, one in told_in(ctx, live)
        if (asked.flag("all") or one.status == "open") and kind in ("", one.kind)
    ]
    found.sort(key=lambda each: (each[1].created_at, each[1].path))
    return {"conflicts": [views.conflict_view(state, one) for state, one in found]}


def told_in(ctx: Context, live: Live) -> Iterator[tuple[State, Conflict]]:
    """The conflicts of a session, and those of others that are between them and it, as they are now."""
    for other in ctx.sessions.values():
        close_notices(ctx, other)
        write_counts(ctx, other)
        state = other.state
        for one in state.conflicts.values():
            if other is live or live.sid in sessions_of(one, other.sid):
                yield state, one


def show_conflict(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``conflict show ID``: the three sides and what they are for, the text with markers, and where to edit it."""
    live = ctx.live(asked)
    take_all_saved(ctx, live)
    write_control_files(ctx, live)
    live = home_of(ctx, live, asked.text("id"))
    conflict = conflict_asked(live, asked.text("id"))
    texts = texts_of(ctx, live.state, conflict)
    file = control_file(live, conflict)
    at = file.at if file is not None and file.is_there() else None
    work = work_on(ctx, live, conflict)
    known, whole = offered(ctx, live, conflict, work)
    control = quote_path(control_path(conflict, unquote_path(conflict.path)))
    told = telling_lines(conflict, texts)
    return {
        "conflict": views.conflict_view(live.state, conflict),
        **{name: as_text(texts.get(name)) for name in SIDE_NAMES},
        "result": as_text(result_of(ctx, live, conflict)),
        "marked": as_text(marked_text(texts, conflict)),
        "told": {name: as_text(told[name]) for name in SIDE_NAMES},
        "text": as_text(work.text if work is not None else file_text(texts, conflict)),
        "hunks": hunk_views(work, known),
        "remembered": whole,
        "intent": purposes(ctx, live, conflict),
        "file": control if at is not None else None,
        "at": quote_path(at) if at is not None else None,
    }


def home_of(ctx: Context, live: Live, wanted: str) -> Live:
    """The session that has the record of a conflict with this session; else this one."""
    found = {state.session.id for state, one in told_in(ctx, live) if wanted and one.id.startswith(wanted)}
    return live if len(found) != 1 or live.sid in found else ctx.sessions[found.pop()]


def result_of(ctx: Context, live: Live, conflict: Conflict) -> bytes | None:
    """The content of its answer, or of the one it had before it was reopened; None: none, or it is no content."""
    oid = live.state.sides.get(conflict.id, {}).get("result")
    return ctx.store.blob(oid) if oid is not None else None


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
    if conflict.result is not None:
        return [None] * len(places_in(work.parts) if work else []), True  # it was reopened
    if work is None:
        return [], remembered_whole(ctx, live, conflict) is not None
    known = remembered_places(ctx, live, conflict, places_in(work.parts))
    return known, bool(known) and None not in known


def conflict_asked(live: Live, wanted: str, status: str = "open") -> Conflict:
    """The conflict of that id or unique id prefix; of several that begin so, the only one of this status.

    Raises:
        NotFound: none, or several.
    """
    conflicts = live.state.conflicts
    found = [one for one in conflicts.values() if is_id_prefix(wanted) and one.id.startswith(wanted)]
    meant = [one for one in found if one.status == status] if len(found) > 1 else found
    if len(meant) == 1:
        return meant[0]
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
    refuse_notice(live, conflict)
    if asked.text("how") == "hunks" and "skip" in asked.texts("hunks"):
        return leave_rest(ctx, live, conflict, asked)
    how, result = answer_asked(ctx, live, conflict, asked)
    settle(ctx, live, conflict, how, result, by)
    return settled_reply(ctx, live, conflict)


def refuse_notice(live: Live, conflict: Conflict) -> None:
    """Raise Refused where a conflict only tells of another's lock or edits."""
    if conflict.left is not None:
        raise Refused(
            "nothing is to be settled in what was left: it ends once all is assigned, saved and given back",
            hint=command_words("unassigned", "-s", live.state.session.name),
        )
    if is_overlap(conflict):
        raise Refused(
            f"nothing is to be settled in {conflict.path}: it ends when one of both is merged, or takes its edits back",
            hint="git session",
        )
    if is_notice(conflict):
        words = "or with the edit" if conflict.denied is None else "also for whoever asked for it in vain"
        raise Refused(
            f"nothing is to be settled in {conflict.path}: it ends with the lock, {words}", hint="git session locks"
        )


def settled_reply(ctx: Context, live: Live, conflict: Conflict) -> dict[str, Any]:
    """What ``resolve`` answers."""
    state = live.state
    patch = state.patches.get(conflict.patch) if conflict.patch else None
    return {
        "conflict": views.conflict_view(state, state.conflicts[conflict.id]),
        "left": [views.conflict_view(state, one) for one in open_of(state, conflict.patch)],
        "patch": patch_reply(state, patch, ctx=ctx) if patch else None,
    }


def leave_rest(ctx: Context, live: Live, conflict: Conflict, asked: Asked) -> dict[str, Any]:
    """Put what was settled into the conflict's file; the conflict stays open for the rest.

    Raises:
        Refused: the conflict has no lines, is not open, or the session no worktree to keep the file in.
    """
    content = by_hunks(ctx, live, conflict, asked)
    file = control_file(live, conflict)
    if file is None or not file.is_there() or conflict.status != "open":
        raise Refused(f"{conflict.path} has no file to keep the answers in", hint="settle all of its places at once")
    file.replace(content)
    return settled_reply(ctx, live, conflict)
