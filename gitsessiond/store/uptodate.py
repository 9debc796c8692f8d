"""What git would refuse to write over where a target is checked out, told before anything moves.

The same rules as ``read-tree -m -u OLD NEW`` (git-read-tree(1), "Two Tree Merge"): of the paths that change, one whose
index entry is neither the old nor the new one, or whose file differs from an entry that is the old one. A file that is
gone is none. The index is not refreshed on disk.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import NamedTuple

from gitsessiond.model.errors import Refused
from gitsessiond.model.names import quote_path
from gitsessiond.model.values import Change, Entry
from gitsessiond.store.git import run_git
from gitsessiond.store.landing import Place, check_place

STATUS = ("--no-optional-locks", "status", "--porcelain=v2", "-z", "--no-renames", "-uno", "--ignore-submodules=dirty")


class Edited(NamedTuple):
    """A path whose index entry or file is not as in HEAD."""

    path: bytes
    letters: bytes  # of the index and of the file; "." is unchanged
    indexed: Entry | None


def refuse_blocked(place: Place, changes: Iterable[Change]) -> None:
    """Raise Refused when what is in the target's worktree would keep these changes from landing; it is named."""
    changes = list(changes)
    if not changes:
        return
    check_place(place, changes)
    blocked = blocked_paths(place, changes)
    if blocked:
        names = ", ".join(quote_path(path) for path in blocked[:5]) + (" ..." if len(blocked) > 5 else "")
        raise Refused(
            f"{names} in {place.worktree} {'has' if len(blocked) == 1 else 'have'} edits that are not committed",
            hint=shlex.join(["git", "-C", place.worktree, "status"]),
            reason="in_the_way",
        )


def blocked_paths(place: Place, changes: Iterable[Change]) -> list[bytes]:
    """The edited paths that git would not write over; unmerged ones always, since git then writes nothing."""
    wanted = {change.path: change.after for change in changes}
    found = []
    for one in edited_paths(place):
        if one.letters == b"u":
            found.append(one.path)
        elif one.path in wanted:
            staged, file = one.letters[:1], one.letters[1:]
            lost = one.indexed != wanted[one.path] if staged != b"." else file not in (b".", b"D")
            if lost:
                found.append(one.path)
    return found


def edited_paths(place: Place) -> list[Edited]:
    """What differs from HEAD there, of what git knows.

    Raises:
        StoreFailed: git failed.
    """
    out = []
    for line in run_git(STATUS, cwd=place.worktree).out.split(b"\0"):
        kind, _, rest = line.partition(b" ")
        if kind == b"1":
            letters, _, _, mode, _, _, oid, path = rest.split(b" ", 7)
            indexed = Entry(int(mode, 8), oid.decode("ascii")) if int(mode, 8) else None
            out.append(Edited(path, letters, indexed))
        elif kind == b"u":
            out.append(Edited(rest.split(b" ", 9)[-1], b"u", None))
    return out
