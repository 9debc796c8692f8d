"""Commands as hints name them: each word quoted where a shell needs it, so that a hint can be pasted."""

from __future__ import annotations

import shlex


def in_turn(*commands: str) -> str:
    """Several commands as one hint, a line each; the faces print each as a hint of its own."""
    return "\n".join(commands)


def either_side(conflict_id: str) -> str:
    """The two ways to resolve a conflict that has no lines to choose from."""
    return in_turn(*(f"git session resolve {conflict_id[:6]} --{side}" for side in ("ours", "theirs")))


def command_words(*words: str) -> str:
    """``git session`` and these words, as they are typed."""
    return "git session " + shlex.join(words)


def git_words(worktree: str, *words: str) -> str:
    """A git command about paths from a worktree's root; it can be typed in any directory."""
    return shlex.join(("git", "-C", worktree, *words))


def aside_words(full: str) -> str:
    """What puts a file or directory out of the way, under another name."""
    return shlex.join(("mv", "--", full, f"{full}.aside"))
