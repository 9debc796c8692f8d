"""A walk through the places of a conflict on a terminal: both sides and what each is for, one answer for each place.

Nothing is sent before the last answer, so Ctrl-C at any of them changes nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import click

from gitsessiond.faces.cli.handing import edit_text
from gitsessiond.faces.cli.terminal import note
from gitsessiond.faces.cli.words import clean

Json = Mapping[str, Any]

ANSWERS = {
    "o": "ours",
    "t": "theirs",
    "b": "both",
    "a": "base",
    "r": "remembered",
    "e": "edit",
    "s": "skip",
}
WORDS = {
    "ours": "(o)urs",
    "theirs": "(t)heirs",
    "both": "(b)oth",
    "base": "b(a)se",
    "remembered": "as (r)esolved before",
    "edit": "(e)dit",
    "skip": "(s)kip",
}


class Answer(click.Choice):  # type: ignore[type-arg, unused-ignore]  # generic since click 8.2
    """A letter or a word of those that can be said here."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The whole word."""
        said = str(value).strip().lower()
        return str(super().convert(ANSWERS.get(said, said), param, ctx))


def walk(shown: Json) -> list[str]:
    """Ask for each place; returns the answers as `resolve` takes them.

    Raises:
        click.Abort: Ctrl-C or end of input.
        GitSessionError: the editor failed.
    """
    for line in intent_lines(shown):
        note(line)
    hunks = shown["hunks"]
    return [ask(shown, hunk, f"{number} of {len(hunks)}") for number, hunk in enumerate(hunks, 1)]


def intent_lines(shown: Json) -> list[str]:
    """What each side is for."""
    _, ours, theirs = shown["conflict"]["labels"]
    out = []
    for side, label in (("ours", ours), ("theirs", theirs)):
        out.append(f"{side}: {clean(label)}")
        out += [f"    {clean(words)}" for words in shown["intent"][side]]
    return out


def ask(shown: Json, hunk: Json, count: str) -> str:
    """One place: shown, then answered."""
    note("")
    note(f"{shown['conflict']['path']}:{hunk['line']}, place {count}")
    for line in str(hunk["text"]).removesuffix("\n").split("\n"):
        note(clean(line.removesuffix("\r").expandtabs(4)))
    words = [word for word in WORDS if word != "remembered" or hunk["remembered"] is not None]
    if hunk["remembered"] is not None:
        note("resolved before as:")
        for line in str(hunk["remembered"]).removesuffix("\n").split("\n"):
            note(clean(line.removesuffix("\r").expandtabs(4)))
    said = str(click.prompt(", ".join(WORDS[word] for word in words), type=Answer(words), show_choices=False, err=True))
    if said != "edit":
        return said
    text = edited(str(hunk["text"]).encode("utf-8", "surrogateescape"), str(shown["conflict"]["path"]).strip('"'))
    return "skip" if text is None else "text:" + base64.b64encode(text).decode("ascii")


def edited(text: bytes, name: str) -> bytes | None:
    """A place as the editor leaves it; again while markers are in it, None once that changes nothing."""
    first, last = text.split(b"\n")[0], text.rstrip(b"\r\n").split(b"\n")[-1]
    while True:
        after = edit_text(text, name)
        lines = after.split(b"\n")
        if first not in lines and last not in lines:
            return after
        if after == text:
            note("left as it was")
            return None
        note("conflict markers are left in it: once more")
        text = after
