"""``assign`` and ``unassigned``: moving recorded edits to a patch, or to nobody."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from shlex import quote
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.asked import inside, refuse_ended, refuse_parked, state_asked
from gitsessiond.actions.context import Asked, Context, Live
from gitsessiond.actions.editing import by_editor
from gitsessiond.actions.patches import make_patch
from gitsessiond.actions.permitting import check_taken
from gitsessiond.actions.publishing import publish
from gitsessiond.actions.saves import drafts_again, how_for
from gitsessiond.actions.series import remake_series
from gitsessiond.actions.sessions import patch_reply
from gitsessiond.actions.starting import commit_at
from gitsessiond.model.errors import BadRequest, GitSessionError, NotFound
from gitsessiond.model.names import quote_path, unquote_path, within
from gitsessiond.model.ownership import Assigned, assign, changed_paths, edits_of, unassigned_rows
from gitsessiond.model.records import Patch
from gitsessiond.model.values import GITLINK, Placed
from gitsessiond.store.identity import identity_of
from gitsessiond.store.steps import State
from gitsessiond.store.trees import file_at

LINES = re.compile(r"^(?P<path>.+):(?P<first>\d+)(?:-(?P<last>\d+))?$", re.DOTALL)


def list_unassigned(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``unassigned``: every edit that is nobody's, with the reason and the patches it could go to."""
    return {"unassigned": pending_rows(ctx, state_asked(ctx, asked))}


def pending_rows(ctx: Context, state: State, most: int | None = None) -> list[dict[str, Any]]:
    """The unassigned edits (the first ``most``) with the first of their lines, as a person needs them to choose."""
    out = []
    texts: dict[bytes, list[bytes]] = {}
    for row in unassigned_rows(state.owners)[:most]:
        view = views.row_view(state, row)
        if row.path not in texts:
            texts = {row.path: lines_of(ctx, state, row.path)}  # rows come in path order
        view["text"] = first_line(texts[row.path], row.lines)
        out.append(view)
    return out


def lines_of(ctx: Context, state: State, path: bytes) -> list[bytes]:
    """The lines of a recorded file; none where there is no file."""
    entry = file_at(ctx.store, state.work, path)
    return ctx.store.blob(entry.oid).split(b"\n") if entry is not None and entry.mode != GITLINK else []


def first_line(text: Sequence[bytes], lines: tuple[int, int] | None) -> str | None:
    """The first line of an edit as it stands on disk; None for a deletion or a whole-file fact."""
    if lines is None or lines[1] < lines[0]:
        return None
    return text[lines[0] - 1].decode("utf-8", "replace") if lines[0] <= len(text) else None


def assign_edits(ctx: Context, asked: Asked) -> dict[str, Any]:
    """``assign PATH[:FROM-TO]|COMMIT|--all``: relabel recorded edits; without a patch, say what is pending.

    Raises:
        NotFound: no such path, edit or commit.
        Refused: the session is parked, or the patch is merged or abandoned.
    """
    live = ctx.live(asked)
    asked = by_editor(live, asked, "what")
    what = asked.args.get("what")
    if asked.args.get("patch") is None and asked.args.get("new") is None:
        return asked_choices(ctx, live, asked)
    refuse_parked(live)
    by = identity_of(asked.who.env, asked.who.cwd)
    if what is None and not asked.flag("all"):
        raise BadRequest("say what to assign", hint="git session assign --all")
    state, patch = target_of(ctx, live, asked, by)
    to = patch.id if patch else "~out"
    done = assigned(ctx, live, state, asked, to)
    check_taken(live.state, done.owners, by)
    already = [] if done.moved or done.refused else held_already(live, state, asked, to)
    state = drafts_again(replace(state, owners=done.owners), done.moved)
    live.memory.forget()
    if done.moved or asked.args.get("new") is not None:
        if state.session.chain:
            state = remake_series(ctx, state)
        publish(ctx, live, state, "assign", by=by, text=patch.name if patch else "-", placed=done.moved)
    refused = [
        {
            "path": quote_path(one.path),
            "lines": list(one.lines) if one.lines else None,
            "reason": views.reason_of(live.state, "~" + one.why),
        }
        for one in done.refused
    ]
    return {
        "patch": patch_reply(live.state, live.state.patches[patch.id], ctx=ctx)
        if patch and (done.moved or already)
        else None,
        "moved": [views.placed_view(live.state, edit) for edit in done.moved],
        "refused": refused,
        "already": [views.placed_view(live.state, edit) for edit in already],
        "choices": choices_of(live),
    }


def asked_choices(ctx: Context, live: Live, asked: Asked) -> dict[str, Any]:
    """What could be assigned, and to which patches: nothing changes."""
    rows = pending_rows(ctx, live.state)
    what = asked.args.get("what")
    if isinstance(what, str):
        path, _ = path_and_lines(live, asked, what)
        path = path if path is not None else inside(live, asked, what)
        rows = [row for row in rows if within(unquote_path(row["path"]), path)]
        if not rows:
            raise NotFound(f"{what} has no unassigned edits", hint="git session unassigned")
    return {"patch": None, "moved": [], "refused": [], "already": [], "choices": choices_of(live), "pending": rows}


def choices_of(live: Live) -> list[dict[str, str]]:
    """The patches an edit can go to, in creation order."""
    return [{"id": patch.id, "name": patch.name} for patch in live.open_patches()]


def target_of(ctx: Context, live: Live, asked: Asked, by: str) -> tuple[State, Patch | None]:
    """The patch that takes the edits: a new one, one there is, or (``-``) none."""
    in_use = live.state.session.patch_in_use
    if asked.args.get("new") is not None:
        state, patch = make_patch(ctx, live, live.state, asked.text("new"), "", by)
        if in_use is not None:
            state = replace(state, session=state.session.model_copy(update={"patch_in_use": in_use}))
        return state, patch
    if asked.text("patch") == "-":
        return live.state, None
    patch = live.patch(asked.text("patch"))
    refuse_ended(patch)
    return live.state, patch


def assigned(ctx: Context, live: Live, state: State, asked: Asked, to: str) -> Assigned:
    """The edits named by the request, given to ``to``."""
    how = how_for(ctx, live, state, {})
    what = asked.args.get("what")
    if what is None:
        return assign(state.owners, to, how, only_unassigned=True)
    text = asked.text("what")
    path, lines = path_and_lines(live, asked, text)
    if path is not None:
        done = assign(state.owners, to, how, path=path, lines=lines, only_unassigned=False)
        if done.moved or done.refused:
            return done
        if held_already(live, state, asked, to):
            return done
    return assign(state.owners, to, how, bit=commit_bit(ctx, live, state, path, text), only_unassigned=False)


def held_already(live: Live, state: State, asked: Asked, to: str) -> list[Placed]:
    """The edits of the named path, or lines, that are where they are to go."""
    path, lines = path_and_lines(live, asked, asked.text("what")) if asked.args.get("what") else (None, None)
    if path is None:
        return []
    if to in state.patches:
        held = edits_of(state.owners, to)
    else:
        rows = unassigned_rows(state.owners)
        held = [Placed(row.path, row.kind, row.lines, row.label, views.code_of(row)) for row in rows]
    return [edit for edit in held if within(edit.path, path) and overlap(edit.lines, lines)]


def overlap(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    """Whether two ranges of lines meet; None: the whole file."""
    return one is None or other is None or (one[0] <= max(other) and other[0] <= max(one))


def why_nothing(live: Live, path: bytes | None, text: str) -> str:
    """Why a path has nothing to assign: left out of the record, or as in the base."""
    skipped = live.worktree.skipped if live.worktree is not None else {}
    if path is not None and path in skipped:
        return f"{text} is not recorded: {skipped[path]}"
    return f"{text} has no edits that could be assigned"


def path_and_lines(live: Live, asked: Asked, text: str) -> tuple[bytes | None, tuple[int, int] | None]:
    """``PATH`` or ``PATH:FROM-TO`` as a path and 1-based inclusive lines."""
    found = LINES.match(text)
    try:
        whole = inside(live, asked, text)
        if found is None or whole in changed_paths(live.state.owners):  # a file's name may look so
            return whole, None
        first = int(found["first"])
        last = int(found["last"]) if found["last"] else first
        if first < 1 or last < first - 1:  # (k, k - 1) is how a deletion before line k is listed
            raise BadRequest(
                f"{text}: lines go from 1, first to last", hint="git session assign PATH:FROM-TO --patch P"
            )
        return inside(live, asked, found["path"]), (first, last)
    except GitSessionError:
        if found is not None or "/" in text:
            raise
        return None, None


def commit_bit(ctx: Context, live: Live, state: State, path: bytes | None, text: str) -> int:
    """The position in the chain of the commit that ``text`` names, in any of git's ways.

    Raises:
        NotFound: it names none, or one that is not of this session.
    """
    bit = chain_bit(state, text)
    if bit is not None:
        return bit
    oid = commit_at(live.worktree.repository if live.worktree is not None else ctx.repository, text)
    if oid is None:
        raise NotFound(why_nothing(live, path, text), hint="git session unassigned")
    session = state.session
    if oid not in session.chain:
        named = text if oid.startswith(text) else f"{text} ({oid[:7]})"
        raise NotFound(
            f"{named} is not a commit of session {session.name}",
            hint=f"git log --oneline {session.base[:12]}..{quote(session.branch)}",
        )
    return session.chain.index(oid)


def chain_bit(state: State, text: str) -> int | None:
    """The position in the chain of the commit that ``text`` abbreviates; None: none, or several."""
    if not re.fullmatch(r"[0-9a-f]{4,40}", text):
        return None
    found = [bit for bit, oid in enumerate(state.session.chain) if oid.startswith(text)]
    return found[0] if len(found) == 1 else None
