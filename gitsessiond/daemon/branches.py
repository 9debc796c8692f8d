"""Which branch is checked out around a directory, as far as the git directory itself says; no user's file is opened."""

from __future__ import annotations

import os

HEADS = "ref: refs/heads/"


def branch_at(common_dir: str, cwd: str) -> str | None:
    """The branch of the worktree around a directory; None: it is in none of this repository, or on no branch."""
    around = [(top, git_dir) for top, git_dir in worktrees(common_dir) if cwd == top or cwd.startswith(top + "/")]
    if not around:
        return None
    head = first_line(os.path.join(max(around, key=lambda one: len(one[0]))[1], "HEAD"))
    return head.removeprefix(HEADS) if head.startswith(HEADS) else None


def worktrees(common_dir: str) -> list[tuple[str, str]]:
    """The directories of all worktrees, each with its git directory (gitrepository-layout(5), ``worktrees``)."""
    found = [(os.path.dirname(common_dir), common_dir)] if os.path.basename(common_dir) == ".git" else []
    linked = os.path.join(common_dir, "worktrees")
    try:
        names = os.listdir(linked)
    except OSError:
        return found
    for name in names:
        git_dir = os.path.join(linked, name)
        path = first_line(os.path.join(git_dir, "gitdir"))
        if os.path.isabs(path):
            found.append((os.path.dirname(path), git_dir))
    return found


def first_line(path: str) -> str:
    """The first line of a short file of git's; nothing where there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # whatever it is, nobody is waited for
    except OSError:
        return ""
    try:
        return os.fsdecode(os.read(handle, 8192)).partition("\n")[0]
    except OSError:
        return ""
    finally:
        os.close(handle)
