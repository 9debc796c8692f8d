"""One hook put in the place of another so that git finds one of both at each moment."""

from __future__ import annotations

import errno
import os

from gitsessiond.store.hookplace import read_hook
from gitsessiond.store.hookscripts import OTHERS, OURS

DRAFT = ".gitsession-"


def put(path: str, content: bytes, kept: str = "") -> bool:
    """Write a hook unless it is there, and leave what is there as ``kept``; whether it was written.

    At each moment git finds one of both: a hook that was to refuse must not be missing because the disk is full.
    """
    if not os.path.islink(path) and read_hook(path) == content and os.access(path, os.X_OK):
        return False
    draft = f"{path}{DRAFT}{os.getpid()}"
    try:
        with open(draft, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o755)
        if kept:
            name_also(path, kept)
        os.replace(draft, path)
    except OSError:
        if os.path.lexists(draft):
            os.unlink(draft)
        raise
    return True


def name_also(path: str, other: str) -> None:
    """Give a file another name beside the one it has; it loses that one where the disk knows no two names of a file."""
    try:
        if not is_same_file(path, other):
            os.link(path, other, follow_symlinks=False)
    except OSError as why:
        if why.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        os.rename(path, other)


def is_same_file(one: str, other: str) -> bool:
    """Whether both are names of one file, links themselves and not what they lead to."""
    return os.path.lexists(one) and os.path.lexists(other) and os.path.samestat(os.lstat(one), os.lstat(other))


def name_for(path: str, own: str) -> str:
    """Where the hook at a path is to stay; it may already have that name from a time that was cut short."""
    wanted = os.path.join(os.path.dirname(path), own)
    return wanted if is_same_file(path, wanted) else free_name(wanted)


def sweep(directory: str) -> None:
    """Remove drafts of ours whose writer was killed."""
    for name in os.listdir(directory) if os.path.isdir(directory) else []:
        hook, _, writer = name.partition(DRAFT)
        if hook in OURS + OTHERS and writer.isdigit():
            os.unlink(os.path.join(directory, name))


def free_name(path: str) -> str:
    """The path, or with the first number behind it that nothing has."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = f"{path}{number}"
    return free


def remove_if_there(path: str) -> None:
    """Remove a file that may have lost its name already."""
    if os.path.lexists(path):
        os.unlink(path)


def remove_if_empty(directory: str) -> None:
    """Remove a directory unless something is in it."""
    try:
        os.rmdir(directory)
    except OSError:
        pass  # something is, or it is gone
