"""Files being worked on, in words: rows of the panel and of ``git session editors``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from shlex import quote
from typing import Any

from gitsessiond.faces.cli.times import stamp
from gitsessiond.faces.cli.words import clean, listed, name_in, names_in

Json = Mapping[str, Any]

RECOVER = {"vim": "vim -r", "nvim": "nvim -r"}  # how a crashed editor's changes are brought back


def editor_row(editor: Json) -> str:
    """``Editor 1: shop/user.py (validation-enhancements patch, not saved in vim)``."""
    facts = [words for words in (patch_words_of(editor), held_words(editor)) if words]
    return f"Editor {editor['number']}: {clean(str(editor['target']))}" + (f" ({', '.join(facts)})" if facts else "")


def patch_words_of(editor: Json) -> str:
    """Whose its edits are; a file can have several patches. Empty: it has no edits."""
    names = patches_of(editor)
    if names:
        return f"{listed(names)} {'patch' if len(names) == 1 else 'patches'}"
    return "unassigned" if is_changed(editor) else ""


def is_changed(editor: Json) -> bool:
    """Whether the session changes the file; an editor can have others open."""
    return bool(editor.get("changed", True))


def patches_of(editor: Json) -> list[str]:
    """The names of the patches an editor contributes to; none: its work is unassigned."""
    if editor.get("patch"):
        return [name_in(editor["patch"])]
    return names_in(editor.get("patches", ()))


def held_words(editor: Json) -> str:
    """``not saved in vim``, ``open in vim on desk``, ``vim crashed with unsaved changes``; empty: nobody is known."""
    program, host = editor.get("program"), editor.get("host")
    where = (f" in {clean(str(program))}" if program else "") + (f" on {clean(str(host))}" if host else "")
    if editor.get("state") == "crashed":
        return f"{clean(str(program or 'an editor'))} crashed" + (" with unsaved changes" * bool(editor["modified"]))
    if editor.get("modified"):
        return "not saved" + where
    return "open" + (where or " in an editor") if editor.get("state") == "open" else ""


def editor_lines(reply: Json, zone: tzinfo | None = None) -> list[str]:
    """A row for each file: number, path, who has it, whose its edits are, when it was saved last."""
    if not reply["editors"]:
        return ["No file is being worked on."]
    rows = [cells_of(editor, reply.get("current_editor"), zone) for editor in reply["editors"]]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row[:4], widths, strict=True)), row[4]]).rstrip()
        for row in rows
    ]


def cells_of(editor: Json, current: int | None, zone: tzinfo | None) -> tuple[str, str, str, str, str]:
    """The columns of one row."""
    number = f"{'*' if editor['number'] == current else ' '} {editor['number']}"
    saved = f"saved {stamp(editor['last_saved_at'], zone)}" if editor["last_saved_at"] else ""
    whose = patch_words_of(editor) or "no edits"
    return number, clean(str(editor["target"])), "; ".join(all_words(editor)) or last_words(editor), whose, saved


def all_words(editor: Json) -> list[str]:
    """Every editor that has the file, each with its process."""
    out = []
    for one in (editor, *editor.get("others", ())):
        words = held_words(one)
        if words and one.get("pid") and one["state"] == "open":
            words += f", process {one['pid']}"
        if words:
            out.append(words)
    return out


def last_words(editor: Json) -> str:
    """What is known of a file that no editor is known to have."""
    if editor["state"] == "quit" and editor["program"]:
        return f"{clean(str(editor['program']))} has quit"
    if editor["program"]:
        return f"saved by {clean(str(editor['program']))}"
    return "editor unknown"


def recover_hint(reply: Json) -> list[str]:
    """The command that brings back what a crashed editor had not saved."""
    for editor in reply["editors"]:
        recover = RECOVER.get(str(editor["program"]))
        if editor["state"] == "crashed" and editor["modified"] and recover and not editor["path"].startswith('"'):
            return [f"{recover} {quote(editor['path'])}"]
    return []
