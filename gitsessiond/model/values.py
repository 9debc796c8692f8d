"""Small values that several rooms share: tree entries, changes of paths, owners of edits.

An **owner** is a string: :data:`BASE`, a patch id, or an *unassigned* owner, ``~`` followed by the machine's words
for the reason (``~none``, ``~over kkkk llll``; :mod:`gitsessiond.model.reasons` lists them and turns them into
sentences). All owners that begin with ``~`` are one layer: nobody's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

BASE = "base"
UNASSIGNED = "~"

REGULAR, EXECUTABLE, SYMLINK, GITLINK = 0o100644, 0o100755, 0o120000, 0o160000

ZERO_OID = "0" * 40
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


class Entry(NamedTuple):
    """One path of a tree: git's mode (as an int) and the object id (40 hex digits)."""

    mode: int
    oid: str


class Change(NamedTuple):
    """One path that differs between two trees; ``renamed_from`` is set where a rename is certain.

    A rename is one Change: ``path`` is the new path, ``before`` the entry at ``renamed_from``.
    """

    path: bytes
    before: Entry | None
    after: Entry | None
    renamed_from: bytes | None = None


class Hunk(NamedTuple):
    """One run of differing lines, half-open and 0-based.

    Old lines ``[old_from, old_to)`` become new lines ``[new_from, new_to)``.
    """

    old_from: int
    old_to: int
    new_from: int
    new_to: int


class Placed(NamedTuple):
    """What became of one edit.

    ``lines``: 1-based, inclusive, of the file after the edit; ``(k, k - 1)`` is a pure deletion before line k; None
    for a whole-file fact. ``kind``: ``line``, ``add``, ``delete``, ``rename``, ``mode``, ``content``.
    ``why``: ``current``, ``claim``, ``lines`` (on its lines), ``between``, ``returned``, ``moved``, ``format``,
    ``near``, ``file``, or, for an unassigned owner, its reason without the ``~``.
    """

    path: bytes
    kind: str
    lines: tuple[int, int] | None
    owner: str
    why: str


class Merged3(NamedTuple):
    """A three-way text merge: ``content`` with markers where ``conflicts`` is true."""

    content: bytes
    conflicts: bool


Diff = Callable[[bytes, bytes], list[Hunk]]  # line diff without context, hunks in order, git's own (xdiff)
Merge3 = Callable[[bytes, bytes, bytes], Merged3]  # base, ours, theirs -> git's merge-file
ReadBlob = Callable[[str], bytes]
WriteBlob = Callable[[bytes], str]


def is_unassigned(owner: str | None) -> bool:
    """Whether an owner is of the unassigned layer."""
    return owner is not None and owner.startswith(UNASSIGNED)


def awaits_proof(owner: str) -> bool:
    """Whether an owner says that an edit is nobody's until somebody proves that he made it."""
    return owner[1:].partition(" ")[0] in ("unproven", "shell") and is_unassigned(owner)


def alike(owner: str, other: str) -> bool:
    """Whether an edit of one need not move to be the other's: nobody's edit stays nobody's, with its reason."""
    return owner == other or (is_unassigned(owner) and is_unassigned(other))


def is_binary(content: bytes) -> bool:
    """git's own rule: a NUL within the first 8,000 bytes (xdiff-interface.c, buffer_is_binary)."""
    return b"\0" in content[:8000]
