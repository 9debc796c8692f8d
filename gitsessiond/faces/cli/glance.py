"""The list of sessions as lines. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from gitsessiond.faces.cli.terminal import Look
from gitsessiond.faces.cli.words import clean, few, listed, plural, short, short_of

Json = Mapping[str, Any]

MOST_MET = 3
STATUS_STYLE = {"open": "green", "closed": "dim", "abandoned": "dim"}


def list_lines(reply: Json, look: Look, cwd: str, everything: bool = False) -> list[str]:
    """One row for each session, the one of this directory marked with ``*``; the last line is a command.

    ``everything``: ended sessions were asked for too.
    """
    sessions = reply["sessions"]
    damaged = unreadable_lines(reply, look)
    if not sessions:
        none = "No session yet." if everything else "No open session."
        return [*(damaged or [none]), next_line("git session doctor" if damaged else "git session start NAME", look)]
    ids = [session["id"] for session in sessions]
    rows = [list_row(session, ids, cwd) for session in sessions]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    out = []
    for session, row in zip(sessions, rows, strict=True):
        cells = [f"{cell:<{width}}" for cell, width in zip(row[:4], widths, strict=True)]
        cells[1] = look.paint(cells[1], "bold")
        cells[2] = look.paint(cells[2], STATUS_STYLE.get(session["status"], "dim"))
        out.append(("* " if is_here(session, cwd) else "  ") + "  ".join([*cells, row[4]]).rstrip())
    still_open = [session for session in sessions if session["status"] == "open"]
    if any(is_here(session, cwd) for session in still_open):
        step = "git session status"
    elif still_open:
        step = f"git session status -s {short_of(still_open[0]['id'], ids)}"
    else:
        step = "git session start NAME"
    return [*out, *damaged, "", next_line(step, look)]


def unreadable_lines(reply: Json, look: Look) -> list[str]:
    """One line for each session whose record is damaged, with the command that looks into it."""
    out = []
    for one in reply.get("unreadable", ()):
        what = clean(f"session {one['name'] or one['id']} cannot be read: {one['message']}")
        out.append(look.paint("! ", "red") + f"{what}: {one['hint']}")
    return out


def list_row(session: Json, ids: list[str], cwd: str) -> tuple[str, str, str, str, str]:
    """Id, name, status, where it began and what it holds, and the worktree as seen from here."""
    status = str(session["status"])
    if status == "open" and session["state"] != "live":
        status += f", {session['state']}"
    begun = f"{session['target']} at {short(session['base'])}"
    held = plural(session["open_patches"], "open patch", "open patches")
    if session["unassigned"]:
        held += f", {session['unassigned']} unassigned"
    if met := [clean(one["with_session"]["name"]) for one in session.get("collisions", ())]:
        held += f", shares files with {listed(few(met, MOST_MET))}"
    place = seen_from(cwd, str(session["worktree"])) if session["status"] == "open" else ""
    return short_of(session["id"], ids), clean(session["name"]), status, begun, f"{held}  {place}".rstrip()


def is_here(session: Json, cwd: str) -> bool:
    """Whether this directory is in the session's worktree."""
    root = str(session["worktree"]).rstrip("/")
    return session["status"] == "open" and (cwd == root or cwd.startswith(root + "/"))


def seen_from(cwd: str, path: str) -> str:
    """The path relative to a directory where that is short: here, below, or beside; else as it is."""
    if not path.startswith("/"):
        return path
    relative = os.path.relpath(path, cwd)
    if relative == ".":
        return "here"
    return relative if relative.count("..") <= 2 else path


def next_line(step: str, look: Look) -> str:
    """The last line of a page: the command to go on with."""
    return look.paint(("-> " if look.ascii else "➜ ") + step, "bold")
