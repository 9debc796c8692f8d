"""Where a repository's daemon is to be found: the git common dir, the pointer file, the peer's user id.

Walks directories itself instead of asking git: a command's whole time in here is a fraction of a millisecond.
The daemon asks git as well, and refuses what git refuses.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

from gitsessiond.model.errors import NotFound, Refused, Unreachable

STATE_DIRECTORY = "gitsession"
POINTER = "sock"
LOG = "daemon.log"


class Place(NamedTuple):
    """A repository as a client knows it: the directory that all its worktrees share."""

    common_dir: str

    @property
    def state_dir(self) -> str:
        """Where everything of ours lives."""
        return os.path.join(self.common_dir, STATE_DIRECTORY)

    @property
    def log(self) -> str:
        """The log that front, recorder and one-shot runs share."""
        return os.path.join(self.state_dir, "logs", LOG)


def find_place(cwd: str) -> Place:
    """The repository around ``cwd``.

    Raises:
        NotFound: there is none up to the root or the file system's boundary.
        Refused: ``cwd`` is inside a git directory, or in a bare repository.
    """
    return Place(common_dir_of(find_git_dir(cwd)))


def find_git_dir(cwd: str) -> str:
    """The git directory of the worktree around ``cwd``, found as git does (setup.c, ``setup_git_directory_gently_1``).

    Raises:
        NotFound, Refused: as :func:`find_place`.
    """
    at = os.path.realpath(cwd)
    try:
        device = os.stat(at).st_dev
        while os.stat(at).st_dev == device:
            git_dir = git_dir_of(at)
            if git_dir is not None:
                return git_dir
            if is_git_dir(at):
                raise refusal(cwd, at)
            above = os.path.dirname(at)
            if above == at:
                break
            at = above
    except FileNotFoundError:
        raise NotFound(f"no such directory: {cwd}", hint="cd into a git repository") from None
    if os.environ.get("GIT_DIR"):
        raise NotFound(f"no git repository at {cwd}; GIT_DIR is not followed", hint="git -C DIRECTORY session")
    raise NotFound(f"no git repository at {cwd}", hint="git init")


def refusal(cwd: str, git_dir: str) -> Refused:
    """Why a git directory itself is no place to stand."""
    if os.path.basename(git_dir) == ".git":
        return Refused(f"{cwd} is inside the git directory", hint="cd to the files of the repository")
    return Refused(f"{cwd} is a bare repository: it has no files to edit", hint="git worktree add ../DIR BRANCH")


def git_dir_of(worktree: str) -> str | None:
    """The git directory that ``.git`` here is or points at (gitrepository-layout(5)); None: no ``.git``."""
    dot_git = os.path.join(worktree, ".git")
    if is_git_dir(dot_git):
        return os.path.realpath(dot_git)
    try:
        with open(dot_git, "rb") as file:
            word, _, path = file.read(8192).partition(b": ")
    except OSError:
        return None
    if word != b"gitdir":
        return None
    found = os.path.join(worktree, os.fsdecode(path.rstrip(b"\n")))
    return os.path.realpath(found) if is_git_dir(found) else None


def is_git_dir(path: str) -> bool:
    """Whether git would take this directory for a git directory (setup.c, ``is_git_directory``)."""
    if not os.path.lexists(os.path.join(path, "HEAD")):
        return False
    if os.path.exists(os.path.join(path, "commondir")):
        return True
    return os.path.isdir(os.path.join(path, "objects")) and os.path.isdir(os.path.join(path, "refs"))


def common_dir_of(git_dir: str) -> str:
    """The directory all worktrees share (gitrepository-layout(5), ``commondir``)."""
    try:
        with open(os.path.join(git_dir, "commondir"), "rb") as file:
            shared = os.fsdecode(file.read()).rstrip("\n")
    except FileNotFoundError:
        return git_dir
    return os.path.realpath(os.path.join(git_dir, shared))


def identity(common_dir: str) -> str:
    """``<st_dev>:<st_ino>``: the same after a move, another after a copy."""
    found = os.stat(common_dir)
    return f"{found.st_dev}:{found.st_ino}"


def socket_beginning(common_dir: str) -> str:
    """How names begin that are of this repository and no other one of this machine, short whatever its path is.

    A pid follows, so that a daemon on its way out never removes the socket of the next one.
    """
    return identity(common_dir).replace(":", "-") + "-"


def read_pointer(place: Place) -> str | None:
    """The socket's path, or None where no daemon of this very directory wrote one."""
    try:
        with open(os.path.join(place.state_dir, POINTER), encoding="utf-8", errors="surrogateescape") as file:
            path, _, whose = file.read(8192).rstrip("\n").partition("\n")
    except OSError:
        return None
    ours = os.path.basename(path).startswith(socket_beginning(place.common_dir))
    return path if path.startswith("/") and ours and whose == identity(place.common_dir) else None


def write_pointer(place: Place, path: str) -> None:
    """Say where the socket is, in one step."""
    target = os.path.join(place.state_dir, POINTER)
    draft = f"{target}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f"{path}\n{identity(place.common_dir)}\n")
    try:
        os.replace(draft, target)
    except OSError as exc:
        os.unlink(draft)
        raise OSError(exc.errno, exc.strerror, target) from exc  # what is in the way, not what was to go there


class Peer(NamedTuple):
    """Who is at the other end of a unix socket; None where the system does not say."""

    pid: int | None
    uid: int | None


def peer_of(connection: socket.socket) -> Peer:
    """The process that connected, or listened, as the kernel knows it (unix(7), SO_PEERCRED)."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return Peer(None, None)
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return Peer(pid, uid)


def refuse_stranger(connection: socket.socket) -> None:
    """Refuse a peer of another user; root is let in.

    Raises:
        Unreachable: it is another's.
    """
    uid = peer_of(connection).uid
    if uid not in (None, 0, os.geteuid()):
        raise Unreachable(f"the socket belongs to user {uid}", hint="git session daemon start")
