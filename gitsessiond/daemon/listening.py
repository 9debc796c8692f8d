"""The socket: where it lies, who may use it, and its end. Only who holds the authority lock comes here."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from shlex import quote

from gitsessiond.model.errors import StoreFailed, disk_refused
from gitsessiond.wire.place import POINTER, Place, socket_beginning, write_pointer

LONGEST_PATH = 107  # bytes; unix(7): 108 with the final NUL
BACKLOG = 128


def listen(place: Place) -> tuple[socket.socket, str]:
    """Open the socket, replacing a dead daemon's, and say in the pointer file where it is.

    Raises:
        StoreFailed: no directory for it can be made, or the disk refused.
    """
    ours = socket_beginning(place.common_dir)
    name = f"{ours}{os.getpid()}.sock"
    directory = socket_directory(name)
    path = os.path.join(directory, name)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        for former in os.listdir(directory):
            if former.startswith(ours):
                forget(os.path.join(directory, former))
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        write_pointer(place, path)
    except OSError as exc:
        listener.close()
        if exc.filename is not None:  # the pointer file: the socket's own calls name none
            raise disk_refused("clients cannot be told of the socket", exc) from exc
        raise StoreFailed(
            f"no socket at {path}: {exc.strerror}", hint=f"ls -ld {quote(os.path.dirname(path))}"
        ) from exc
    return listener, path


def close_socket(place: Place, listener: socket.socket, path: str) -> None:
    """Take no more connections; leave nothing behind."""
    listener.close()
    forget(path)
    forget(os.path.join(place.state_dir, POINTER))


def forget(path: str) -> None:
    """Remove a file that may be gone."""
    try:
        os.unlink(path)
    except OSError:
        pass  # gone already, or its directory is


def socket_directory(name: str) -> str:
    """A directory of ours that nobody else can enter: the first where a path is short enough.

    In /tmp anybody may have made the one of our name, so there is a last one at home.

    Raises:
        StoreFailed: there is none.
    """
    shared = f"/tmp/gitsessiond-{os.geteuid()}"  # noqa: S108  (its owner and mode are checked)
    for directory in (os.path.join(os.environ.get("XDG_RUNTIME_DIR", ""), "gitsessiond"), shared):
        if fits(directory, name) and is_private(directory):
            return directory
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    directory = os.path.join(state, "gitsessiond", "run")
    if fits(directory, name):
        with suppress(OSError):
            os.makedirs(os.path.dirname(directory), mode=0o700, exist_ok=True)
        if is_private(directory):
            return directory
    raise StoreFailed(f"{shared} is not a directory of yours alone", hint="export XDG_RUNTIME_DIR=DIR")


def fits(directory: str, name: str) -> bool:
    """Whether a socket of this name can be there."""
    return directory.startswith("/") and len(os.fsencode(os.path.join(directory, name))) <= LONGEST_PATH


def is_private(directory: str) -> bool:
    """Make the directory if it can be made; whether it is a real one, ours, and closed to others."""
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        pass
    except OSError:
        return False
    found = os.lstat(directory)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
