"""What gitattributes say of single paths, asked of git."""

from __future__ import annotations

from collections.abc import Sequence

from gitsessiond.store.git import run_git


def marker_sizes(worktree: str, paths: Sequence[bytes]) -> dict[bytes, int]:
    """The paths of which ``conflict-marker-size`` is set to a number, and that (gitattributes(5)).

    Raises:
        StoreFailed: git failed.
    """
    if not paths:
        return {}
    words = ["check-attr", "-z", "--stdin", "conflict-marker-size"]
    told = run_git(words, cwd=worktree, input=b"".join(path + b"\0" for path in paths)).out.split(b"\0")
    found = zip(told[0::3], told[2::3], strict=False)
    return {path: min(int(value), LARGEST) for path, value in found if value.isdigit() and int(value) > 0}


def lockable(worktree: str, paths: Sequence[bytes]) -> set[bytes]:
    """The paths of which ``lockable`` is set: that nobody should change without a lock.

    Raises:
        StoreFailed: git failed.
    """
    words = ["check-attr", "-z", "--stdin", "lockable"]
    told = run_git(words, cwd=worktree, input=b"".join(path + b"\0" for path in paths)).out.split(b"\0")
    return {path for path, value in zip(told[0::3], told[2::3], strict=False) if value == b"set"}


LARGEST = 10_000  # libgit2 takes at most 65,535; what is longer than a screen is wide marks nothing
