"""The files to edit of open conflicts, below ``.gitsession/conflicts/``, and the texts that are in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from gitsessiond.actions.context import Context, Live
from gitsessiond.model.conflicts import (
    control_path,
    has_served,
    is_automatic,
    is_marked,
    is_notice,
    marker_size,
    telling_text,
    told_side,
)
from gitsessiond.model.hunks import Part, every_change, parts_of, places_in
from gitsessiond.model.names import unquote_path
from gitsessiond.model.records import Conflict
from gitsessiond.model.values import is_binary
from gitsessiond.store.below import Below
from gitsessiond.store.exclude import ensure_exclude
from gitsessiond.store.files import Content
from gitsessiond.store.scan import CONTROL
from gitsessiond.store.steps import State
from gitsessiond.store.text import diff_lines, merge_text

HOME = CONTROL + b"/conflicts"
LARGEST_SAVED = 64 << 20  # bytes; a resolution larger than this is given with `resolve --file`


def texts_of(ctx: Context, state: State, conflict: Conflict) -> dict[str, bytes]:
    """The contents of base, ours and theirs, by name; sides that have no file are left out."""
    sides = state.sides.get(conflict.id, {})
    return {name: ctx.store.blob(oid) for name, oid in sides.items() if name not in ("result", "begun")}


def marked_text(texts: Mapping[str, bytes], conflict: Conflict) -> bytes | None:
    """The conflict with markers around what clashes; None: it cannot be shown in lines, or no lines clash."""
    if not is_marked(conflict) or any(is_binary(text) for text in texts.values()):
        return None
    base, ours, theirs = sides = [texts.get(name, b"") for name in ("base", "ours", "theirs")]
    size = marker_size(sides, conflict.marker_size)
    merged = merge_text(*sides, labels=conflict.labels, marker_size=size)
    if merged.conflicts:
        return merged.content
    if conflict.shape != "content":
        return None
    # git combined it, and somebody is to look at it
    return every_change(base, ours, theirs, diff=diff_lines, labels=conflict.labels, size=size)


class Work(NamedTuple):
    """A conflict's text as somebody left it in its file, or as it was made."""

    text: bytes
    size: int
    parts: list[Part]


def work_on(ctx: Context, live: Live, conflict: Conflict) -> Work | None:
    """The places of a conflict that are still to be settled, those of its file first; None: it has no lines."""
    texts = texts_of(ctx, live.state, conflict)
    marked = marked_text(texts, conflict)
    if marked is None:
        return None
    size = marker_size(texts.values(), conflict.marker_size)
    at = control_file(live, conflict)
    found = at.read(LARGEST_SAVED) if at is not None and conflict.status == "open" else None
    for text in [found.data] if isinstance(found, Content) else []:
        parts = parts_of(text, size)
        if parts is not None and places_in(parts):
            return Work(text, size, parts)
    parts = parts_of(marked, size)
    return Work(marked, size, parts) if parts is not None else None


def file_text(texts: Mapping[str, bytes], conflict: Conflict) -> bytes:
    """What the file of a conflict holds at first: its text with markers, or a line for each side."""
    marked = marked_text(texts, conflict)
    return marked if marked is not None else telling_text(conflict, texts)


def control_file(live: Live, conflict: Conflict) -> Below | None:
    """The marked file of a conflict on disk.

    None: the session has no worktree, or git tracks something there, which is the repository's and no answer; or it
    tells of a lock, and there is nothing to mark.
    """
    if is_notice(conflict) or live.worktree is None or live.worktree.tracks_below(CONTROL):
        return None
    root = os.fsencode(live.worktree.repository.worktree)
    return Below(root, control_path(conflict, unquote_path(conflict.path)))


def write_control_files(ctx: Context, live: Live) -> None:
    """Make the files of open conflicts that are not there yet, and remove those that nobody needs.

    They can be made again at any time, so a disk that refuses is no reason to fail. One that somebody has changed
    and that is recorded nowhere stays.
    """
    if live.worktree is None:
        return
    try:
        ensure_exclude(ctx.repository.common_dir)
    except OSError:
        return  # git would take the files for the user's
    for conflict in live.state.conflicts.values():
        file = control_file(live, conflict)
        if file is None or is_automatic(conflict):
            continue  # never had one
        try:
            if conflict.status == "open" and not file.is_there():
                begun = live.state.sides.get(conflict.id, {}).get("begun")
                fresh = file_text(texts_of(ctx, live.state, conflict), conflict)
                file.make(ctx.store.blob(begun) if begun is not None else fresh)
            elif is_done_with(live.state, conflict) and not is_changed(ctx, live, conflict, file):
                file.remove(HOME)
        except OSError:
            continue


def is_changed(ctx: Context, live: Live, conflict: Conflict, file: Below) -> bool:
    """Whether the file of a conflict holds what somebody wrote and nobody recorded."""
    if not file.is_there():
        return False
    found = file.read(LARGEST_SAVED)
    if not isinstance(found, Content):
        return True
    if not found.data:
        return False  # nothing is written there
    texts = texts_of(ctx, live.state, conflict)
    result = live.state.sides.get(conflict.id, {}).get("result")
    known = [*texts.values(), file_text(texts, conflict), *([ctx.store.blob(result)] if result else [])]
    named = told_side(conflict, texts, found.data) if marked_text(texts, conflict) is None else None
    return found.data not in known and named is None


def is_done_with(state: State, conflict: Conflict) -> bool:
    """Whether the marked file of a conflict has served: it is stale, or its patch has ended."""
    ended = has_served(conflict, state.patches.get(conflict.patch) if conflict.patch else None)
    return conflict.status == "stale" or ended or (conflict.status == "resolved" and conflict.how != "saved")
