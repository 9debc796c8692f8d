"""What ``git merge-tree`` says of conflicts, as values: one clash for each question that a person has to answer.

git lists stages by path and tells in messages what became of them. Where it had to move something aside (a file where
the other side has a directory, two things of different types) it lists them under names of its own, ``d~main``; where
a rename is in the clash, its halves are listed apart. Here they are one clash again, under the name people know.

Source: git-merge-tree(1), OUTPUT; the messages' stable short names: merge-ort.c, ``type_short_descriptions``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gitsessiond.model.names import quote_path
from gitsessiond.model.records import ConflictShape
from gitsessiond.model.values import GITLINK, SYMLINK, Entry

# git's stable short names of what it says -> our shapes; the first that was said of a path wins
SAID: tuple[tuple[bytes, ConflictShape], ...] = (
    (b"rename/rename", "rename/rename"),
    (b"rename involved in collision", "rename/rename"),
    (b"rename/delete", "rename/delete"),
    (b"file/directory", "directory/file"),
    (b"modify/delete", "modify/delete"),
    (b"submodule", "submodule"),
    (b"binary", "binary"),
)


class Side(NamedTuple):
    """What one side has at a conflict; ``path`` differs from the conflict's when the side renamed it.

    ``marked``: git has merged renames into it, and left conflict markers of its own there.
    """

    entry: Entry
    path: bytes
    marked: bool = False


Sides = tuple[Side | None, Side | None, Side | None]  # base, ours, theirs


@dataclass(frozen=True)
class PathConflict:
    """A clash at one path; a side that is None has nothing there (or a directory: ``directory/file``)."""

    path: bytes
    shape: ConflictShape
    base: Side | None
    ours: Side | None
    theirs: Side | None
    message: str = ""  # what git said, oids replaced by labels; empty from a walk
    listed: frozenset[bytes] = frozenset()  # the names git's marked tree has for it; none: its path

    @property
    def paths(self) -> frozenset[bytes]:
        """Every path of git's marked tree that the clash is about."""
        return self.listed or frozenset({self.path})


class Said(NamedTuple):
    """One message of merge-tree: the paths it is about, its stable short name, its text."""

    paths: tuple[bytes, ...]
    kind: bytes
    text: str


class Staged(NamedTuple):
    """An entry of one stage (1 base, 2 ours, 3 theirs), where git lists it."""

    stage: int
    entry: Entry
    at: bytes


def messages(said: bytes, names: Mapping[str, str]) -> list[Said]:
    """The conflicts in the message section of ``-z`` output: count, paths, short name, text; each ended by NUL.

    ``names``: what commits are called.
    """
    fields = iter(said.split(b"\0"))
    out = []
    for count in fields:
        if not count.isdigit():
            break  # the end, or what git advises about submodules, in plain words behind the last message
        paths = tuple(next(fields) for _ in range(int(count)))
        kind, text = next(fields), told_text(next(fields), paths)
        for oid, name in names.items():
            text = text.replace(oid, name)
        out.append(Said(paths, kind, text))
    return [one for one in out if one.kind.startswith(b"CONFLICT")]


def told_text(said: bytes, paths: Iterable[bytes]) -> str:
    """What git said, to be kept and shown: paths quoted where they must be (git does not, with ``-z``)."""
    for path in paths:
        quoted = quote_path(path)
        if quoted != os.fsdecode(path):
            said = said.replace(path, quoted.encode())
    return said.decode("utf-8", "backslashreplace").strip()


def clashes_in(listed: bytes, said: list[Said]) -> Iterator[PathConflict]:
    """The clashes from the listed stages and what was said of them."""
    stages: dict[bytes, list[Staged]] = {}
    for line in listed.split(b"\0"):
        facts, _, path = line.partition(b"\t")
        mode, oid, stage = facts.split(b" ")
        stages.setdefault(path, []).append(Staged(int(stage), Entry(int(mode, 8), oid.decode("ascii")), path))
    for path, names in _together(said):
        group = [name for name in names if name in stages]
        found = [one for name in group for one in stages[name]]
        if found and len({one.stage for one in found}) == len(found):
            for name in group:
                del stages[name]
            yield _clash(path, found, said)
    for path, found in stages.items():
        yield _clash(path, found, said)


def _together(said: list[Said]) -> Iterator[tuple[bytes, tuple[bytes, ...]]]:
    """Names that are one clash, and the path it is at."""
    for one in said:
        if one.kind.endswith((b"(rename/rename)", b"(distinct modes)")):
            yield one.paths[0], one.paths
        elif one.kind.endswith(b"(file/directory)") and len(one.paths) > 1:
            yield one.paths[1], one.paths[:1]


def _clash(path: bytes, found: list[Staged], said: list[Said]) -> PathConflict:
    """One clash from its stages and what was said of its paths."""
    listed = frozenset(one.at for one in found)
    about = [one for one in said if listed & set(one.paths)]
    told = [shape for kind, shape in SAID if any(kind in one.kind for one in about)]
    renamed = bool(told) and told[0] == "rename/rename"
    sides = {one.stage: Side(one.entry, one.at if renamed else path) for one in found}
    old = [one.paths[1] for one in about if one.kind.endswith(b"(rename/delete)") and len(one.paths) > 1]
    if old and 1 in sides:
        sides[1] = sides[1]._replace(path=old[0])
    three = (sides.get(1), sides.get(2), sides.get(3))
    words = "; ".join(dict.fromkeys(one.text for one in about))
    return PathConflict(path, told[0] if told else shape_of(three), *three, message=words, listed=listed)


def shape_of(sides: Sides) -> ConflictShape:
    """The shape of a conflict as far as its sides tell it."""
    base, ours, theirs = sides
    there = [side.entry for side in sides if side is not None]
    if any(entry.mode == GITLINK for entry in there):
        return "submodule"
    if ours is None or theirs is None:
        return "modify/delete"
    if any(entry.mode == SYMLINK for entry in there):
        return "symlink"
    if ours.entry.oid == theirs.entry.oid:
        return "mode"
    return "content" if base is not None else "add/add"
