"""The patches of Codex's ``apply_patch``: which files one writes, and which texts it puts in the place of which.

``*** Begin Patch``, then ``*** Add File: P`` with lines that begin with ``+``, ``*** Delete File: P``, or ``*** Update
File: P`` (``*** Move to: P``) with pieces of lines that begin with a blank, ``-`` or ``+``, parted by ``@@`` lines;
``*** End Patch``. https://github.com/openai/codex, codex-rs/apply-patch
"""

from __future__ import annotations

import re
from typing import NamedTuple

BEGIN = "*** Begin Patch"
HEADS = ("*** Add File", "*** Delete File", "*** Update File")
UPDATES = ("*** Update File", "*** Move to")
CALL = re.compile(
    r"""\s*(?:cd\s+(?P<dir>'[^']*'|"[^"$`\\]*"|[^\s~'"$`\\;|&<>(){}*?\[]+)\s*&&\s*)?(?:apply_patch|applypatch)\s*"""
    r"""(?:<<-?\s*(?P<mark>'\w+'|"\w+"|\w+)[ \t]*\n|(?P<quote>['"]))"""
)


class Written(NamedTuple):
    """What is written to a file: its content, texts in the place of others, or a notebook's cell.

    ``origin``: the file was moved from there, and the texts are put in then.
    """

    path: str
    content: str | None = None
    pieces: tuple[tuple[str, str, bool], ...] = ()
    deleted: bool = False
    cell: str | None = None
    origin: str = ""


def written_by(patch: str) -> list[Written]:
    """What a patch writes, by file; what is not understood writes nothing."""
    lines = patch.split("\n")
    begin = next((number for number, line in enumerate(lines) if line.strip() == BEGIN), len(lines))
    out: list[Written] = []
    kind, path, origin, body = "", "", "", list[str]()
    for line in [*lines[begin + 1 :], "*** End Patch"]:
        head = line if kind in UPDATES else line.strip()  # of an update each blank counts
        verb, _, name = head.partition(": ")
        if verb in HEADS or head.startswith("*** End Patch"):
            out += _file(kind, path, origin, body)
            kind, path, origin, body = verb, name.strip(), "", []
            if head.startswith("*** End Patch"):
                break
        elif verb == "*** Move to":
            out.append(Written(path, deleted=True))
            kind, path, origin = "*** Move to", name.strip(), path
        elif not line.startswith("*** "):
            body.append(line)
    return out


def patch_in(command: str) -> tuple[str, str] | None:
    """The directory and the patch of a shell command that is ``apply_patch``, and nothing else; None: it is another."""
    found = CALL.match(command)
    if found is None:
        return None
    rest, mark = command[found.end() :], (found["mark"] or "").strip("'\"")
    patch, end, more = f"{rest}\n".partition(f"\n{mark}\n" if mark else found["quote"])
    return ((found["dir"] or "").strip("'\""), patch) if end and not more.strip() else None


def _file(kind: str, path: str, origin: str, body: list[str]) -> list[Written]:
    """One file of a patch."""
    if kind == "*** Add File":
        return [Written(path, content="".join(line[1:] + "\n" for line in body if line.startswith("+")))]
    if kind == "*** Delete File":
        return [Written(path, deleted=True)]
    return [Written(path, pieces=_pieces(body), origin=origin)] if kind else []


def _pieces(body: list[str]) -> tuple[tuple[str, str, bool], ...]:
    """The pieces of an updated file, each with the lines around it, by which its place is found."""
    pieces: list[tuple[str, str, bool]] = []
    old: list[str] = []
    new: list[str] = []
    for line in [*body, "@@"]:
        if line.startswith("@@"):
            if old != new:
                pieces.append(("".join(old), "".join(new), False))
            old, new = [], []
            continue
        sign, rest = line[:1], line[1:] + "\n"
        if sign in ("", " ", "-"):
            old.append(rest)
        if sign in ("", " ", "+"):
            new.append(rest)
    return tuple(pieces)
