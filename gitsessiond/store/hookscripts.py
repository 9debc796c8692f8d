"""The text of an installed hook: made from the templates of ``hooks/``, and known again by a sum of itself.

The second line says whose it is and what the rest adds up to, so that nothing else has to remember which files are
ours and whether somebody has edited one since.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from typing import NamedTuple

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ALWAYS = ("pre-commit", "post-commit", "post-checkout", "post-merge", "post-rewrite", "pre-push")
WHERE_WANTED = "prepare-commit-msg"  # only where gitsession.trailers asks for it
OURS = (*ALWAYS, WHERE_WANTED)
OTHERS = (
    "applypatch-msg", "pre-applypatch", "post-applypatch", "pre-merge-commit", "commit-msg", "pre-rebase",
    "pre-auto-gc", "post-index-change", "sendemail-validate", "reference-transaction", "pre-receive", "update",
    "proc-receive", "post-receive", "post-update", "push-to-checkout", "p4-changelist", "p4-prepare-changelist",
    "p4-post-changelist", "p4-pre-submit",
)  # fmt: skip
"""githooks(5) without ours: passed on where ``core.hooksPath`` has to lead to our directory."""

MARK = re.compile(rb"\A#!/bin/sh\n# gitsession hook ([0-9a-f]{16})\n")
OWN = re.compile(rb"^# it is: (.*)$", re.MULTILINE)


class Found(NamedTuple):
    """A file that is a hook of ours: whether it is as it was written, and the name of the hook it calls first."""

    untouched: bool
    own: str


def templates() -> str:
    """The directory of the templates: in the package where it was built, beside it in a checkout."""
    inside = os.path.join(PACKAGE, "hooks")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(PACKAGE), "hooks")


def part(name: str) -> bytes:
    """One template."""
    with open(os.path.join(templates(), f"{name}.sh"), "rb") as file:
        return file.read()


def script(name: str, own: str) -> bytes:
    """The hook ``name`` that calls ``own`` first: a path with a slash, or the name of a file beside it."""
    place = shlex.quote(own) if "/" in own else '"${0%/*}/"' + shlex.quote(own)
    begin = part("begin").replace(b"@words@", b"\n# it is: " + os.fsencode(own.replace("\n", "?")), 1)
    text = begin.replace(b"@own@", os.fsencode(place), 1) + part(name if name in OURS else "forward")
    return b"#!/bin/sh\n# gitsession hook " + hashlib.sha256(text).hexdigest()[:16].encode() + b"\n" + text


def recognized(content: bytes) -> Found | None:
    """What a hook of ours says of itself; None: it is somebody else's."""
    mark, own = MARK.match(content), OWN.search(content)
    if mark is None:
        return None
    whole = hashlib.sha256(content[mark.end() :]).hexdigest()[:16].encode() == mark[1]
    return Found(whole, os.fsdecode(own[1]) if own else "")
