"""The patches of Codex's ``apply_patch``: which files one writes, and which texts it puts in the place of which.

``*** Begin Patch``, then ``*** Add File: P`` with lines that begin with ``+``, ``*** Delete File: P``, or ``*** Update
File: P`` (``*** Move to: P``) with pieces of lines that begin with a blank, ``-`` or ``+``, parted by ``@@`` lines;
``*** End Patch``. https://github.com/openai/codex, codex-rs/apply-patch
"""

from __future__ import annotations

from typing import NamedTuple

BEGIN = "*** Begin Patch"


class Written(NamedTuple):
    """What is written to a file: its content, or texts in the place of others. ``as_found``: what is there then."""

    path: str
    content: str | None = None
    pieces: tuple[tuple[str, str, bool], ...] = ()
    deleted: bool = False
    as_found: bool = False


def written_by(patch: str) -> list[Written]:
    """What a patch writes, by file; what is not understood writes nothing."""
    lines = patch.split("\n")
    begin = next((number for number, line in enumerate(lines) if line.strip() == BEGIN), None)
    if begin is None:
        begin = next((number for number, line in enumerate(lines) if line.rstrip().endswith(BEGIN)), len(lines))
    out: list[Written] = []
    kind, path, body = "", "", list[str]()
    for line in [*lines[begin + 1 :], "*** End Patch"]:
        verb, _, name = line.partition(": ")
        if verb in ("*** Add File", "*** Delete File", "*** Update File") or line.startswith("*** End Patch"):
            out += _file(kind, path, body)
            kind, path, body = verb, name.strip(), []
            if line.startswith("*** End Patch"):
                break
        elif verb == "*** Move to":
            out.append(Written(path, deleted=True))
            kind, path = "*** Move to", name.strip()
        elif not line.startswith("*** "):
            body.append(line)
    return out


def _file(kind: str, path: str, body: list[str]) -> list[Written]:
    """One file of a patch."""
    if kind == "*** Add File":
        return [Written(path, content="".join(line[1:] + "\n" for line in body if line.startswith("+")))]
    if kind == "*** Delete File":
        return [Written(path, deleted=True)]
    if kind == "*** Move to":
        return [Written(path, as_found=True)]
    return [Written(path, pieces=_pieces(body))] if kind else []


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
