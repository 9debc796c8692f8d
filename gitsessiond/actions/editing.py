"""The files being worked on: what was saved, and what front knows of the editors that have them open.

Each path has a number, its own for the session's life; ``--from-editor`` names the path by it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from gitsessiond.actions import views
from gitsessiond.actions.context import Asked, Context, Editing, Live
from gitsessiond.model.errors import BadRequest, NotFound
from gitsessiond.model.files import marks_of
from gitsessiond.model.names import quote_path, unquote_path
from gitsessiond.model.ownership import changed_paths, loose_paths
from gitsessiond.model.records import time_text
from gitsessiond.store.numbers import Numbers, numbers_file
from gitsessiond.store.steps import State

Row = Mapping[str, Any]

RECORDED, UNKNOWN = "recorded", "unknown"
NOBODY: Row = {
    "program": None, "pid": None, "user": None, "host": None, "state": UNKNOWN, "modified": None, "since": None,
    "client": None, "sources": {"program": UNKNOWN, "state": UNKNOWN, "modified": UNKNOWN},
}  # fmt: skip


def note_open(ctx: Context, told: object) -> None:
    """Take in what front knows of editors; a file that was never open or saved before gets a number."""
    if not isinstance(told, list):
        return
    found: dict[str, dict[bytes, list[Row]]] = {}
    for row in told:
        found.setdefault(row["worktree"], {}).setdefault(unquote_path(row["path"]), []).append(row)
    for live in ctx.sessions.values():
        live.open = found.get(os.fsdecode(unquote_path(live.state.session.worktree)), {})
        live.told_open = True
        fresh = [path for path in live.open if path not in live.editors]
        for path, number in numbers_of(ctx, live, fresh).items():
            live.editors[path] = Editing(number, None)


def numbers_of(ctx: Context, live: Live, paths: Iterable[bytes]) -> dict[bytes, int]:
    """The numbers that files have as editors in a session, also under the daemons before."""
    if live.numbers is None:
        live.numbers = Numbers(numbers_file(ctx.repository.state_dir, live.sid))
    return live.numbers.of(paths)


class Some(NamedTuple):
    """The rows of a list that are told, how many are not, and how many of these are editors without a patch."""

    rows: list[Any]
    left: int = 0
    loose: int = 0


def editing_now(live: Live, state: State, most: int | None) -> Some:
    """The paths that are being worked on, by number; of many those open or saved last, and some without a patch."""
    changed, alone = changed_paths(state.owners), loose_paths(state.owners)
    numbers, there = live.editors, open_paths(live)
    if most is None:
        told = {path for path in numbers if path in changed or path in there}
        return Some(sorted(told, key=lambda path: numbers[path].number))
    latest = islice((path for path in reversed(numbers) if path in changed), most)
    loose = islice((path for path in reversed(numbers) if path in alone), most + 1) if alone else ()
    told = {*latest, *loose, *islice(there, most)}
    return Some(
        sorted(told, key=lambda path: numbers[path].number),
        len(numbers.keys() & changed.keys()) + sum(path not in changed for path in there) - len(told),
        len(numbers.keys() & alone.keys()) - len(told & alone.keys()),
    )


def open_paths(live: Live) -> set[bytes]:
    """Paths that an editor has open, and those that one has left unsaved changes of when it crashed."""
    return {path for path, rows in live.open.items() if any(is_there(row) for row in rows)}


def is_there(row: Row) -> bool:
    """Whether an editor has something of a file that is told without a change of it on disk."""
    return row["state"] == "open" or (row["state"] == "crashed" and bool(row["modified"]))


def foremost(rows: Sequence[Row]) -> Row:
    """The one of a file's editors that is told first: unsaved changes, then an open file, then what crashed."""
    ranks = {"open": 4, "crashed": 2, "quit": 1}
    return max(rows, key=lambda row: ranks.get(row["state"], 0) + bool(row["modified"]), default=NOBODY)


def editor_view(live: Live, state: State, path: bytes) -> dict[str, Any]:
    """A file being worked on: numbered for the session's life, with the patch its edits go to, and who has it open."""
    editor, change = live.editors[path], changed_paths(state.owners).get(path)
    owners = marks_of(change).labels if change is not None else frozenset()
    of_patches = [pid for pid in state.session.patches if pid in owners]
    unassigned = any(owner.startswith("~") for owner in owners)
    sole = of_patches[0] if len(of_patches) == 1 and not unassigned else None
    rows = live.open.get(path, [])
    first = foremost(rows)
    others = [row for row in rows if row is not first and row["state"] in ("open", "crashed")]
    return {
        "number": editor.number,
        "program": first["program"],
        "target": quote_path(path),
        "path": quote_path(path),
        "patch": {"id": sole, "name": views.name_of(state, sole)} if sole else None,
        "patches": [{"id": pid, "name": views.name_of(state, pid)} for pid in of_patches],
        "changed": change is not None,
        "modified": bool(first["modified"]),
        "last_saved_at": time_text(editor.saved_at) if editor.saved_at else None,
        "client": first.get("client"),
        "state": first["state"],
        "pid": first["pid"],
        "user": first["user"],
        "host": first["host"],
        "opened_at": first["since"],
        "sources": {**first["sources"], "last_saved_at": RECORDED if editor.saved_at else UNKNOWN},
        "others": [{key: row[key] for key in ("program", "pid", "host", "state", "modified")} for row in others],
    }


def current_editor(live: Live | None) -> int | None:
    """The number of the editor that was switched to last."""
    known = live.editors.get(live.current) if live is not None and live.current is not None else None
    return known.number if known is not None else None


# Naming one.


def path_of(live: Live, number: object) -> bytes:
    """The path of an editor's number.

    Raises:
        BadRequest: it is no number.
        NotFound: no editor has it.
    """
    if not isinstance(number, int) or isinstance(number, bool):
        raise BadRequest(f"{number!r} is no number of an editor", hint="git session editors")
    for path, editor in live.editors.items():
        if editor.number == number:
            return path
    raise NotFound(f"there is no editor {number}", hint="git session editors")


def by_editor(live: Live, asked: Asked, key: str) -> Asked:
    """A request that names a path by an editor's number, with the path as its argument ``key``.

    Raises:
        BadRequest: it names paths as well.
        NotFound: no editor has that number.
    """
    if asked.args.get("editor") is None:
        return asked
    if asked.args.get(key) is not None or asked.flag("all"):
        raise BadRequest("an editor's number and a path exclude each other", hint="git session editors")
    at = unquote_path(live.state.session.worktree) + b"/" + path_of(live, asked.args["editor"])
    named = quote_path(at)
    return replace(asked, args={**asked.args, key: [named] if key == "take" else named})
