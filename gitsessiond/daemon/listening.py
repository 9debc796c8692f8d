"""The socket: where it lies, who may use it, and its end. Only who holds the authority lock comes here."""

from __future__ import annotations

import os
import socket
import stat

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
        raise StoreFailed(f"no socket at {path}: {exc.strerror}", hint=f"ls -ld {os.path.dirname(path)}") from exc
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
    """A directory of ours that nobody else can enter: in $XDG_RUNTIME_DIR if the path is short enough, else in /tmp.

    Raises:
        StoreFailed: somebody else has made the one in /tmp.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        directory = os.path.join(runtime, "gitsessiond")
        if len(os.fsencode(os.path.join(directory, name))) <= LONGEST_PATH and is_private(directory):
            return directory
    directory = f"/tmp/gitsessiond-{os.geteuid()}"  # noqa: S108  (its owner and mode are checked)
    if not is_private(directory):
        raise StoreFailed(f"{directory} is not a directory of yours alone", hint=f"rm -r {directory}")
    return directory


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
