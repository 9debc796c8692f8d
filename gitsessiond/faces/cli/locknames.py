"""From the words of a command to the names of what is to be locked (docs/locks.md)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from shlex import quote

from gitsessiond.model.errors import BadRequest, NotFound
from gitsessiond.model.names import is_pattern, literal
from gitsessiond.wire.place import find_git_dir, git_dir_of

GIT_PARTS = ("git/config", "git/worktrees")
TYPES = ("file", "git", "project", "database", "exclusive")


def names_of(kind: str, words: tuple[str, ...], cwd: str) -> list[str]:
    """The names that the words of a command mean.

    Raises:
        BadRequest: none are given where some are needed, or some where there is nothing to name; or one is none.
        NotFound: a path is outside of the repository.
    """
    if "" in words:
        raise BadRequest("an empty word names nothing", hint=help_of(kind))
    names = meant(kind, words, cwd)
    for name in names:
        if is_nothing(name):
            raise BadRequest(f"{name.partition('/')[2]!r} is nothing that can be locked", hint=help_of(kind))
    return names


def named_otherwise(kind: str, words: tuple[str, ...], cwd: str) -> Iterator[tuple[str, str, str]]:
    """The words with each other type of which they may be names, and the names that they are then."""
    for word in words:
        for other in TYPES:
            if other not in (kind, "exclusive"):
                with suppress(BadRequest, NotFound):
                    yield word, other, names_of(other, (word,), cwd)[0]


def is_nothing(name: str) -> bool:
    """Whether a name is of what nobody can lock; the daemon looks closer, but knows no command line."""
    parts = name.split("/")
    if parts[0] == "git" and name not in GIT_PARTS and not name.startswith("git/index@"):
        return True
    return any(ord(letter) < 32 or letter == "\x7f" for letter in name) or ".git" in map(str.casefold, parts)


def meant(kind: str, words: tuple[str, ...], cwd: str) -> list[str]:
    """The names that words mean, whatever they look like.

    Raises:
        BadRequest: none are given where some are needed, or some where there is nothing to name.
        NotFound: a path is outside of the repository.
    """
    if kind == "exclusive":
        if words:
            raise BadRequest("an exclusive lock is on everything", hint="git session lock --type exclusive")
        return ["/"]
    if kind == "project" and not words:
        return ["path"]
    if not words:
        raise BadRequest(f"name what to lock, for example a {'path' if kind == 'file' else kind}", hint=help_of(kind))
    if kind == "git":
        return [git_name(word) for word in words]
    if kind == "database":
        return ["db/" + word for word in words]
    names = [path_name(word, cwd) for word in words]
    return [name.rstrip("/") + "/" for name in names] if kind == "project" else names


def help_of(kind: str) -> str:
    """A command that names something."""
    return "git session lock src/a.py" if kind in ("file", "project") else f"git session lock --type {kind} main"


def git_name(word: str) -> str:
    """A branch, a whole ref, or a part of git: ``main``, ``refs/tags/v1``, ``git/config``."""
    if word.startswith("git/"):
        return word
    return "ref/" + (word if word.startswith("refs/") else "refs/heads/" + word)


def path_name(word: str, cwd: str) -> str:
    """A path from where one stands; a pattern, unless there is a file of that very name.

    Links among the directories above it are followed, so that one file has one name; it is not followed itself, as
    git does not.

    Raises:
        NotFound: it is outside of the repository.
    """
    top = worktree_around(cwd)
    full = os.path.normpath(os.path.join(cwd, word))
    parts = [] if full == "/" else full.split("/")[1:]
    wild = (
        len(parts)
        if os.path.lexists(full)
        else next((at for at, one in enumerate(parts) if is_pattern(one)), len(parts))
    )
    plain = "/" + "/".join(parts[:wild])
    above, last = os.path.split(plain) if wild == len(parts) else (plain, "")
    there = os.path.join(os.path.realpath(above), last).rstrip("/") or "/"
    if there != top and not there.startswith(top.rstrip("/") + "/"):
        raise NotFound(f"{word} is outside of the repository", hint=f"cd {quote(top)}")
    inside = there[len(top) :].strip("/")
    is_directory = word.endswith("/") or (os.path.isdir(full) and not os.path.islink(full))
    found = ["path", *(literal(one) for one in inside.split("/") if one), *parts[wild:]]
    return "/".join(found) + "/" * (is_directory and len(found) > 1)


def worktree_around(cwd: str) -> str:
    """The directory of the worktree that one stands in.

    Raises:
        NotFound: there is none.
    """
    find_git_dir(cwd)
    at = os.path.realpath(cwd)
    while git_dir_of(at) is None and at != "/":
        at = os.path.dirname(at)
    return at
