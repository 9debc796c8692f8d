"""How counts, commits, places and names are spelled for people. Pure, and cheap to import (docs/cli.md)."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gitsessiond.model.names import short_id, unquote_path

WHOLE_FILE = {
    "add": "new file",
    "delete": "deleted",
    "rename": "renamed",
    "mode": "mode",
    "content": "whole file",
}

OP_WORDS = {
    "add": "added",
    "modify": "changed",
    "delete": "deleted",
    "rename": "renamed",
    "chmod": "mode",
    "symlink": "symlink",
}

HOW_WORDS = {
    "file": "with a file",
    "delete": "by deleting it",
    "edit": "by editing",
    "tool": "with a merge tool",
    "hunks": "place by place",
    "remembered": "as before",
    "saved": "by saving its file",
    "auto": "by git itself",
}


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 op``, ``3 ops``; ``many`` where an s is not enough."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def short(oid: str | None) -> str:
    """A commit as people read it: seven digits."""
    return oid[:7] if oid else "none"


def short_of(wanted: str, all_ids: Iterable[str]) -> str:
    """The shortest prefix of an id that is unique among those shown with it."""
    return short_id(wanted, all_ids)


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def name_in(value: Mapping[str, Any] | str | None) -> str:
    """The name of a ``{"id", "name"}``, or the text itself; nothing is the empty string."""
    if value is None:
        return ""
    if isinstance(value, str):
        return clean(value)
    return clean(str(value.get("name") or value.get("id") or ""))


def names_in(values: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of several ``{"id", "name"}``, in their order."""
    return [name_in(value) for value in values]


def place(edit: Mapping[str, Any], *more: str) -> str:
    """Where an edit is: ``a.py:3-5``, ``a.py:3``, ``a.py (deletion before line 3)``, ``a.py (new file)``.

    ``more``, such as a reason, goes into the same brackets.
    """
    words = str(edit["path"])
    facts = [WHOLE_FILE[edit["kind"]]] if edit.get("kind") in WHOLE_FILE else []
    if edit.get("lines"):
        first, last = edit["lines"]
        if first <= last:
            words += f":{first}" if first == last else f":{first}-{last}"
        facts = [] if first <= last else [f"deletion before line {first}"]
    facts += [clean(one) for one in more if one]
    return words + (f" ({'; '.join(facts)})" if facts else "")


def settled(conflict: Mapping[str, Any]) -> str:
    """How a conflict was resolved: ``with ours``, ``by saving its file``, ``with union as OTHER-NAME``."""
    how, at = conflict.get("how"), conflict.get("resolved_as")
    words = HOW_WORDS.get(str(how), f"with {how}") if how else ""
    return f"{words} as {at}" if words and at and at != conflict["path"] else words


def target_of(edit: Mapping[str, Any]) -> str:
    """The argument of ``assign`` that names this edit: ``PATH:FROM-TO``; ``PATH`` for a whole-file fact."""
    lines = edit.get("lines")
    return f"{edit['path']}:{lines[0]}-{lines[1]}" if lines else str(edit["path"])


def upstream_words(session: Mapping[str, Any]) -> list[str]:
    """``main is 3 behind origin/main``, if it is; also what it has and its upstream lacks."""
    found = session.get("upstream") or {}
    told = [f"{found[way]} {way}" + (" of" if way == "ahead" else "") for way in ("ahead", "behind") if found.get(way)]
    return [f"{session['target']} is {' and '.join(told)} {found['name']}"] if told else []


def command(*words: str) -> str:
    """A command to type, its words quoted where a shell needs it."""
    return "git session " + clean(shlex.join(words))


def clean(text: str) -> str:
    """Text of others in one line for a terminal: control characters, which could repaint it, become ``?``."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter == " " else "?" for letter in text)


def typed_path(quoted: str) -> str:
    """A path of a reply as it is typed: its own bytes, undecodable ones as surrogate escapes."""
    return os.fsdecode(unquote_path(quoted))


def block(title: str, rows: Sequence[str]) -> list[str]:
    """A title with its rows indented below; nothing without rows."""
    return [title, *("  " + row for row in rows)] if rows else []


def few(words: Sequence[str], most: int = 5) -> list[str]:
    """The first few, and how many more."""
    return [*words[:most], f"{len(words) - most} more"] if len(words) > most else list(words)


def said(one: Mapping[str, Any] | str) -> str:
    """A warning that is text or ``{"message"}``."""
    return one if isinstance(one, str) else str(one.get("message", ""))


def unique(words: Sequence[str]) -> list[str]:
    """The words without repeats, in order."""
    return list(dict.fromkeys(words))
