"""What is written where: data on stdout, hints on stderr, colour only where a person looks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TextIO

CONTROLS = {*range(0x20), *range(0x7F, 0xA0), *range(0xDC80, 0xDCA0)} - {0x09, 0x0A, 0x1B}
HARMLESS = dict.fromkeys(CONTROLS, "?")
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


class Look(NamedTuple):
    """How lines are drawn; the default is plain, as for a pipe."""

    ascii: bool = False  # no emoji, no box characters
    colour: bool = False

    def paint(self, text: str, *styles: str) -> str:
        """The text in these styles (keys of :data:`STYLES`), or as it is without colour."""
        if not self.colour or not styles or not text:
            return text
        codes = ";".join(STYLES[style] for style in styles)
        return f"\033[{codes}m{text}\033[0m"


def look_of(stream: TextIO, environ: Mapping[str, str], ascii_wanted: bool = False) -> Look:
    """The look for a stream: colour on a terminal unless ``NO_COLOR`` is set or the terminal is dumb.

    Source: https://no-color.org (set and not empty).
    """
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "").replace("_", "")
    colour = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"
    return Look(ascii=ascii_wanted or encoding != "utf8", colour=colour)


def put(lines: Iterable[str]) -> None:
    """Write lines to stdout, each with a newline."""
    put_text("".join(line + "\n" for line in lines))


def put_text(text: str) -> None:
    """Write text to stdout; bytes that were not UTF-8 (surrogate escapes) come out as they were."""
    write(sys.stdout, text)


def put_json(reply: Mapping[str, Any]) -> None:
    """Write one JSON object with ``"v": 1`` in one line; ASCII, so that any bytes of file names survive."""
    write(sys.stdout, json.dumps({"v": 1, **reply}) + "\n")


def note(text: str) -> None:
    """Write a line to stderr."""
    write(sys.stderr, text + "\n")


def hint(text: str) -> None:
    """Write ``hint: …`` to stderr."""
    note(f"hint: {text}")


def harmless(text: str) -> str:
    """Text for a terminal: what could repaint it becomes ``?``, whoever wrote it; our own styles stay."""
    first, *rest = text.replace("\r\n", "\n").translate(HARMLESS).split("\033")
    return first + "".join(("\033" if begins_style(piece) else "?") + piece for piece in rest)


def begins_style(after: str) -> bool:
    """Whether what comes after an escape character is one of :data:`STYLES`, or the end of one."""
    codes, end, _ = after[1:16].partition("m")
    return after[:1] == "[" and end == "m" and {*codes.split(";")} <= {*STYLES.values(), "0"}


def write(stream: TextIO, text: str) -> None:
    """Write and flush. A reader that went away (``| head``) is no error and changes no exit code."""
    if stream.isatty():
        text = harmless(text)
    try:
        raw = getattr(stream, "buffer", None)
        if raw is None:  # a test's StringIO
            stream.write(text)
            stream.flush()
            return
        stream.flush()
        encoding = stream.encoding or "utf-8"
        raw.write(encoded(text, encoding))
        raw.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def encoded(text: str, encoding: str) -> bytes:
    """Text as bytes of a stream: surrogate escapes as their bytes, what the stream cannot show as ``?``."""
    try:
        return text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return text.encode(encoding, "replace")
