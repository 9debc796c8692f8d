"""Resolutions become records: what somebody chose, wrote, or saved in an editor."""

from __future__ import annotations

from dataclasses import replace
from shlex import quote
from typing import NamedTuple

from gitsessiond.actions.clash_files import (
    LARGEST_SAVED,
    control_file,
    file_text,
    marked_text,
    texts_of,
    write_control_files,
)
from gitsessiond.actions.clashing import back_from_conflicts
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.standing import stands
from gitsessiond.model.conflicts import (
    FILES,
    SideName,
    chosen_side,
    clash_in,
    control_path,
    has_served,
    is_automatic,
    left_over,
    resolved,
    side_of,
    told_commit,
    told_side,
    written_mode,
)
from gitsessiond.model.errors import Refused
from gitsessiond.model.hints import command_words, either_side
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.records import Conflict, ConflictSide, How
from gitsessiond.model.values import GITLINK, SYMLINK, is_binary
from gitsessiond.store.files import Content
from gitsessiond.store.steps import State


def side_chosen(conflict: Conflict, name: SideName) -> ConflictSide | None:
    """The result of taking one side whole; None: that side has nothing there.

    Raises:
        Refused: there is no such side, or it has git's markers in it.
    """
    if name == "base" and conflict.base.oid is None:
        raise Refused("both sides added it: there is no base", hint=f"git session resolve {conflict.id[:6]} --ours")
    if side_of(conflict, name).marked:
        raise Refused(
            f"{name} of {conflict.path} has conflicts of its own: git merged a renamed file into it",
            hint=f"git session resolve {conflict.id[:6]} --edit",
        )
    return chosen_side(conflict, name)


def written(ctx: Context, conflict: Conflict, content: bytes, at: str | None = None) -> ConflictSide:
    """The result that a content makes, its blob in the store; ``at``: its path, quoted, if not where a side has it.

    Raises:
        Refused: the content names no commit of a submodule.
    """
    mode = written_mode(conflict)
    moved = at if at is not None else conflict.ours.path or conflict.theirs.path
    if mode == GITLINK:
        commit = told_commit(content)
        if commit is None:
            raise Refused(
                f"{conflict.path} is a submodule: its resolution is the id of a commit",
                hint=either_side(conflict.id),
            )
        return ConflictSide(oid=commit, mode=mode, path=moved)
    if mode == SYMLINK:
        content = content.removesuffix(b"\n").removeprefix(b"link to ")  # a link's target, typed in an editor
    return ConflictSide(oid=ctx.store.put("blob", content), mode=mode, path=moved)


def refuse_markers(ctx: Context, live: Live, conflict: Conflict, content: bytes) -> None:
    """Raise Refused when conflict markers are left over in a resolution."""
    line = marker_left(ctx, live, conflict, content)
    if line is not None:
        raise Refused(
            f"line {line} of the resolution of {conflict.path} is a conflict marker",
            hint=command_words("conflict", "show", conflict.id),
        )


def marker_left(ctx: Context, live: Live, conflict: Conflict, content: bytes) -> int | None:
    """The line at which a resolution still has a marker; None: nowhere. What git itself marked is none of the text."""
    if is_binary(content):
        return None
    texts = texts_of(ctx, live.state, conflict)
    own = [text for name, text in texts.items() if name == "base" or not side_of(conflict, as_side(name)).marked]
    return left_over(content, own, conflict.marker_size)


def as_side(name: str) -> SideName:
    """A name of a side among the contents."""
    return "ours" if name == "ours" else "theirs"


def refuse_nested(state: State, conflict: Conflict, result: ConflictSide | None) -> None:
    """Raise Refused when a result and another conflict's would be a file and the directory it is in."""
    if result is None or result.oid is None:
        return
    mine = unquote_path(result.path or conflict.path)
    for other in state.conflicts.values():
        same = other.patch == conflict.patch and (other.kind == "git_revert") == (conflict.kind == "git_revert")
        found = other.result if other.status == "resolved" and same else None
        if found is None or found.oid is None or other.id == conflict.id:
            continue
        theirs = unquote_path(found.path or other.path)
        if theirs.startswith(mine + b"/") or mine.startswith(theirs + b"/"):
            raise Refused(
                f"{quote_path(min(mine, theirs))} cannot be a file and a directory: "
                f"{other.path} was resolved to stay too",
                hint=f"git session conflict show {other.id[:6]}",
            )


def settle(ctx: Context, live: Live, conflict: Conflict, how: How, result: ConflictSide | None, by: str) -> None:
    """Record a resolution; the patch has its former status again when it was the last.

    Raises:
        Refused: the conflict is no more; a resolution that came too late is kept, to be offered again.
    """
    state = live.state
    patch = state.patches.get(conflict.patch) if conflict.patch else None
    if conflict.status == "stale" or (has_served(conflict, patch)):
        raise Refused(f"the conflict in {conflict.path} is no more", hint="git session conflicts")
    if is_automatic(conflict):
        raise Refused(
            f"git combined both sides of {conflict.path} by itself",
            hint=command_words("conflict", "reopen", conflict.id),
        )
    refuse_nested(state, conflict, result)
    record = resolved(conflict, how, result, ctx.now(), by)
    in_time = stands(ctx, live, conflict)
    if not in_time:
        record = record.model_copy(update={"status": "stale"})
    sides = {name: oid for name, oid in state.sides.get(record.id, {}).items() if name not in ("result", "begun")}
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
    late = "" if in_time else ", too late: a side has moved since"
    publish(ctx, live, state, "resolve", by=by, text=f"{record.path} {how}{late}", facts=facts)
    write_control_files(ctx, live)
    if not in_time:
        name = patch.name if patch else "P"
        raise Refused(
            f"{record.path} is not in that conflict any more: {state.session.target} or {name} has moved since; "
            "the answer is kept, and offered where the same lines clash again",
            hint=f"git session {'revert' if conflict.kind == 'git_revert' else 'merge'} {quote(name)}",
        )


# Resolutions saved in an editor.


def take_all_saved(ctx: Context, live: Live) -> None:
    """Take the resolutions that were saved while nobody watched."""
    for conflict in list(live.state.conflicts.values()):
        if conflict.status == "open":
            take_saved(ctx, live, control_path(conflict, unquote_path(conflict.path)))


def take_saved(ctx: Context, live: Live, path: bytes) -> bool:
    """Take a save below ``.gitsession/conflicts/`` as a resolution if it has no markers left; whether it was.

    ``path`` is from the worktree's root. A save with markers is kept, to be put back if the file goes; one of a stale
    conflict, or of anything else there, is nothing and not recorded either.
    """
    named = clash_in(path)
    conflict = live.state.conflicts.get(named[0]) if named else None
    if named is None or conflict is None or unquote_path(conflict.path) != named[1]:
        return False
    file = control_file(live, conflict)
    found = file.read(LARGEST_SAVED) if file is not None else None
    if not isinstance(found, Content) or conflict.status == "stale":
        return False
    try:
        result = saved_result(ctx, live, conflict, found.data)
        if isinstance(result, Unsaid):
            keep_begun(ctx, live, conflict, found.data)
            return False
        if conflict.status == "resolved" and conflict.result == result:
            return False
        settle(ctx, live, conflict, "saved", result, live.state.session.created_by)
    except Refused as exc:
        ctx.tell({"type": "not_resolved", "session": live.sid, "conflict": conflict.id, "message": exc.message})
        return False  # it came too late, or is none for this shape
    return True


def has_answer(ctx: Context, live: Live, conflict: Conflict) -> bool:
    """Whether a conflict's file says just what it was resolved to, in whatever words."""
    file = control_file(live, conflict)
    found = file.read(LARGEST_SAVED) if file is not None else None
    if not isinstance(found, Content):
        return False
    try:
        return saved_result(ctx, live, conflict, found.data) == conflict.result
    except Refused:
        return False


def keep_begun(ctx: Context, live: Live, conflict: Conflict, content: bytes) -> None:
    """Record the file of an open conflict as far as somebody has resolved it; as it was made, it is not worth it."""
    if conflict.status != "open" or not content:
        return
    sides = dict(live.state.sides.get(conflict.id, {}))
    begun = sides.pop("begun", None)
    fresh = content == file_text(texts_of(ctx, live.state, conflict), conflict)
    if begun is None if fresh else begun is not None and ctx.store.blob(begun) == content:
        return
    if not fresh:
        sides["begun"] = ctx.store.put("blob", content)
    state = replace(live.state, sides={**live.state.sides, conflict.id: sides})
    facts = {"conflict": conflict.id, "path": conflict.path, "how": None}
    text = f"{conflict.path}: {'begun anew' if fresh else 'not done yet'}"
    publish(ctx, live, state, "resolving", text=text, facts=facts)


class Unsaid(NamedTuple):
    """Stands for what a saved file says while it says nothing."""


def saved_result(ctx: Context, live: Live, conflict: Conflict, content: bytes) -> ConflictSide | Unsaid | None:
    """What a saved file says: :class:`Unsaid` while markers are in it, or nothing at all.

    An editor that truncates before it writes leaves nothing for a moment; who means nothing says so by a command.

    Raises:
        Refused: it says what cannot be.
    """
    if written_mode(conflict) in FILES and not content:
        return Unsaid()
    if marker_left(ctx, live, conflict, content) is not None:
        return Unsaid()
    texts = texts_of(ctx, live.state, conflict)
    if marked_text(texts, conflict) is None:
        if content == file_text(texts, conflict):
            return Unsaid()
        said = told_side(conflict, texts, content)
        if said == "several":
            raise Refused(
                f"the file of {conflict.path} names more than one side",
                hint="leave the line of one side in it, without markers",
            )
        if said is not None:
            return side_chosen(conflict, said)
    return written(ctx, conflict, content)
