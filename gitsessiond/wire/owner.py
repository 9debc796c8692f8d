"""Whose what is kept of a repository is: one user's, who began with it.

Whoever else can write to the git directory could have made ours before us, and would read every save there, or lead us
elsewhere by a link. So it must be the user's own, by its own path.
"""

from __future__ import annotations

import os
import pwd
import stat
from contextlib import suppress

from gitsessiond.model.errors import Refused, quoted

ROOT = 0
OTHERS = 0o077


def refuse_anothers(state_dir: str) -> None:
    """Refuse a state directory of another user, for reading too: it is closed to all others. None is nobody's.

    Raises:
        Refused: it is another's.
    """
    uid = owner_of(state_dir)
    if uid is None or uid == os.geteuid() or is_of_every_file(state_dir, uid):
        return
    common_dir, whose = os.path.dirname(state_dir), name_of(uid)
    if os.geteuid() == ROOT:
        hint = f"sudo -u {whose} git session"
    elif uid == ROOT:
        hint = f"sudo chown -R {name_of(os.geteuid())} {quoted(state_dir)}"
    else:
        hint = f"git clone {quoted(common_dir)} DIR"
    raise Refused(f"git session belongs to {whose} in this repository, and serves nobody else there", hint=hint)


def close_to_others(state_dir: str) -> None:
    """Take others' rights to our directory away, as a ``chmod -R g+rwX .git`` has given them."""
    mode = stat.S_IMODE(os.stat(state_dir).st_mode)
    if mode & OTHERS:
        with suppress(PermissionError):  # where the file system knows no rights
            os.chmod(state_dir, mode & ~OTHERS)


def owner_of(directory: str) -> int | None:
    """Who owns a directory, or the link to it if that is neither ours nor root's; None: it is not there."""
    try:
        found = os.lstat(directory)
        if stat.S_ISLNK(found.st_mode) and found.st_uid in (ROOT, os.geteuid()):
            found = os.stat(directory)
    except OSError:
        return None
    return found.st_uid


def is_of_every_file(directory: str, uid: int) -> bool:
    """Whether the file system names this owner for whatever anybody makes there, as some of networks and of Windows."""
    path = os.path.join(directory, f"owner.{os.getpid()}")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        return os.fstat(handle).st_uid == uid
    finally:
        os.close(handle)
        os.unlink(path)


def name_of(uid: int) -> str:
    """The name of a user, else the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
