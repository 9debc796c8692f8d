"""Moving refs by ``git update-ref --stdin``: it compares, and it knows reftable, worktrees and hooks.

(libgit2's transaction locks but neither compares the old value nor checks that the new object exists.)
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitsessiond.model.errors import Moved, StoreFailed
from gitsessiond.store.git import GitResult, refused_by_surroundings, run_git

_PATIENCE = 1.0  # seconds; concurrent `git pack-refs` held a lock for at most 23 ms in 3,000 updates
_HELD = re.compile(rb"Unable to create '.*\.lock'|[Uu]nable to create directory|packed-refs\.lock")
_ELSEWHERE = re.compile(
    rb"is at [0-9a-f]+ but expected|reference already exists|reference is missing|unable to resolve reference"
)


class RefMove(NamedTuple):
    """One ref from ``old`` to ``new`` (40 hex digits each); None: the ref does not exist."""

    name: str
    old: str | None
    new: str | None


def move_refs(
    git_dir: str,
    moves: Sequence[RefMove],
    why: str,
    *,
    env: Mapping[str, str] | None = None,
    compare: bool = True,
) -> None:
    """Move all of ``moves`` or none, durably; refs held by another process are tried again for up to a
    second.

    Args:
        why: one line for the reflogs git keeps.
        env: identity of the reflog entry, if it is not ours.
        compare: False moves refs wherever they stand now (store.git's own refs, which only we move).

    Raises:
        Moved: a ref is not at its old value; nothing has moved.
        StoreFailed: git refused for another reason, or a lock was held all the time.
    """
    if not moves:
        return
    told = b"start\0" + b"".join(_told(move, compare) for move in moves) + b"prepare\0commit\0"
    # "all": the refs too reach the disk before git reports success (the default leaves loose objects out)
    words = [
        "-c",
        "core.fsync=all",
        "update-ref",
        "-m",
        " ".join(why.split()) or "gitsessiond",
        "--stdin",
        "-z",
    ]
    until = time.monotonic() + _PATIENCE
    while True:
        result = run_git(words, git_dir=git_dir, input=told, env=env, check=False)
        if result.code == 0:
            return
        if not _HELD.search(result.err) or time.monotonic() > until:
            raise _failure(moves, result)
        time.sleep(0.01)


def _told(move: RefMove, compare: bool) -> bytes:
    """One line of update-ref's -z input; a missing old value is spelled as zeros, "whatever" as nothing."""
    old = (move.old or "0" * 40) if compare else ""
    if move.new is None:
        return b"delete %s\0%s\0" % (os.fsencode(move.name), old.encode() if move.old else b"")
    return b"update %s\0%s\0%s\0" % (os.fsencode(move.name), move.new.encode(), old.encode())


def _failure(moves: Sequence[RefMove], result: GitResult) -> Moved | StoreFailed:
    names = ", ".join(move.name for move in moves)
    if _ELSEWHERE.search(result.err):
        return Moved(f"{names} moved meanwhile: {result.words()}", hint="run the command again")
    at_fault = refused_by_surroundings(f"{names} cannot be moved", result.words())
    if at_fault is not None:
        return at_fault
    return StoreFailed(f"git refused to move {names}: {result.words()}", hint="git session doctor")
