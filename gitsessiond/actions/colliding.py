"""Paths that several open sessions have changed or open: those of one session, and who meets whom in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from datetime import UTC, datetime
from typing import Any

from gitsessiond.actions import views
from gitsessiond.actions.context import Context, Live
from gitsessiond.actions.editing import NOBODY, Row, Some, foremost, open_paths
from gitsessiond.model.files import marks_of
from gitsessiond.model.names import quote_path
from gitsessiond.model.ownership import changed_paths
from gitsessiond.model.records import Patch
from gitsessiond.store.steps import State

NEVER, STILL = (end.replace(tzinfo=UTC) for end in (datetime.min, datetime.max))


def collisions_of(ctx: Context, state: State, most: int | None) -> Some:
    """Paths that are changed or open here and in another session.

    What was merged there before this one began is in its base.
    """
    live = ctx.sessions.get(state.session.id)
    here, began = touched(state, live), state.session.created_at
    out: list[dict[str, Any]] = []
    left = 0
    for other in ctx.sessions.values():
        if other.sid == state.session.id:
            continue
        for path in sorted(here & touched(other.state, other)):
            editor, changed = editor_at(other, path), changed_until(other.state, path) > began
            if not changed and editor is NOBODY:
                continue
            if most is not None and len(out) >= most:
                left += 1
                continue
            new = [one for one in patches_at(other.state, path) if one.merged_at is None or one.merged_at > began]
            patch = new[-1].id if new else None
            out.append(
                {
                    "path": quote_path(path),
                    "symbol": None,
                    "with_session": {"id": other.sid, "name": other.state.session.name},
                    "with_patch": {"id": patch, "name": views.name_of(other.state, patch)} if patch else None,
                    "level": "path" if changed else "open",
                    "program": editor["program"],
                    "modified": bool(editor["modified"]),
                }
            )
    return Some(out, left)


def meetings(ctx: Context) -> dict[str, Counter[str]]:
    """By session how many of its paths each other one has changed or open, as :func:`collisions_of` has them.

    Each path is looked at once, however many sessions there are that have it.
    """
    by_path: dict[bytes, list[Live]] = {}
    for live in ctx.sessions.values():
        for path in touched(live.state, live):
            by_path.setdefault(path, []).append(live)
    found: dict[str, Counter[str]] = {sid: Counter() for sid in ctx.sessions}
    for path, lives in by_path.items():
        if len(lives) < 2:
            continue
        for other in lives:
            until = STILL if editor_at(other, path) is not NOBODY else changed_until(other.state, path)
            for live in lives:
                if live is not other and until > live.state.session.created_at:
                    found[live.sid][other.sid] += 1
    return found


def touched(state: State, live: Live | None) -> Set[bytes]:
    """Paths that a session has changed, or open."""
    changed, there = changed_paths(state.owners), open_paths(live) if live is not None else None
    return changed.keys() | there if there else changed.keys()


def changed_until(state: State, path: bytes) -> datetime:
    """Up to when a session must have begun to lack what another has at a path: when the last of it was merged."""
    patches = patches_at(state, path)
    if not labels_at(state, path) <= {one.id for one in patches}:
        return STILL
    return max((one.merged_at or STILL for one in patches), default=NEVER)


def patches_at(state: State, path: bytes) -> list[Patch]:
    """The patches that have a part in a path, in creation order."""
    labels = labels_at(state, path)
    return [state.patches[pid] for pid in state.session.patches if pid in labels] if labels else []


def labels_at(state: State, path: bytes) -> frozenset[str]:
    """Whose edits a path has."""
    file = changed_paths(state.owners).get(path)
    return marks_of(file).labels if file is not None else frozenset()


def editor_at(live: Live, path: bytes) -> Row:
    """The editor that has a path open in a session."""
    return foremost([row for row in live.open.get(path, ()) if row["state"] == "open"])
