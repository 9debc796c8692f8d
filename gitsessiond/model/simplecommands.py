"""The simple commands in a shell command (sh(1)): which program is given which words, and what it writes into.

Not a shell: nothing is expanded, and what cannot be read with certainty has no simple commands, and so proves nothing.
"""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from functools import lru_cache
from typing import NamedTuple

BEFORE = (
    "sudo", "command", "builtin", "exec", "env", "time", "nice", "nohup",
    "if", "then", "elif", "else", "while", "until", "do", "!", "{",
)  # fmt: skip
"""Words that may stand before a program's name."""
HERE_DOCUMENT = re.compile(
    r"""(?<!<)<<(?!<)-?[ \t]*(['"\\]?)(\w+)(['"]?)([^\n]*\n).*?(?:^[ \t]*\2[ \t]*$|\Z)""", re.DOTALL | re.MULTILINE
)
QUOTED_SIGN = re.compile(r"""(['"])[;|&<>()\n]*\1|\\[;|&<>()]""")
ASSIGNMENT = re.compile(r"\w+\+?=")


class Simple(NamedTuple):
    """One program with its words, without options; ``git rm`` is a program of that name. ``into``: files it writes."""

    program: bytes
    words: tuple[bytes, ...]
    into: tuple[bytes, ...]


@lru_cache(maxsize=8)
def simple_commands(text: bytes) -> tuple[Simple, ...]:
    """The simple commands of a text, in order; the words of here-documents are none."""
    bare = HERE_DOCUMENT.sub(r"\4", os.fsdecode(text).replace("\\\n", " "))
    if QUOTED_SIGN.search(bare):
        return ()  # as words these look like the signs themselves
    lexer = shlex.shlex(bare, posix=True, punctuation_chars=";|&<>()\n")
    lexer.whitespace, lexer.commenters = " \t\r", ""
    out: list[Simple] = []
    words: list[str] = []
    into: list[str] = []
    target: list[str] | None = None
    try:
        for token in [*lexer, "\n"]:
            if token.strip(";|&<>()\n"):
                (words if target is None else target).append(token)
                target = None
            elif "<" in token or ">" in token:
                target = into if ">" in token else []
            else:
                out += _simple(words, into)
                words, into, target = [], [], None
    except ValueError:  # a quotation without an end
        return ()
    return tuple(out)


def _simple(words: list[str], into: list[str]) -> list[Simple]:
    """A simple command of these words, if there are any."""
    at = 0
    while at < len(words) and (words[at] in BEFORE or ASSIGNMENT.match(words[at])):
        at += 1
    program, rest = posixpath.basename(words[at]) if at < len(words) else "", words[at + 1 :]
    if program == "git":
        while rest and rest[0].startswith("-"):
            rest = rest[2 if rest[0] in ("-C", "-c") else 1 :]
        program, rest = " ".join(["git", *rest[:1]]), rest[1:]
    given = tuple(os.fsencode(word) for word in rest if not word.startswith("-"))
    return [Simple(os.fsencode(program), given, tuple(os.fsencode(one) for one in into))] if program or into else []
