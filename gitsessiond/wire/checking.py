"""Having the user's check run: in a process of the asker's own, which ends with it (docs/decisions/check.md)."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from gitsessiond.model.errors import Unreachable, error_from
from gitsessiond.wire.client import DaemonEnded, Talk
from gitsessiond.wire.place import find_place
from gitsessiond.wire.requests import VERSION
from gitsessiond.wire.starting import make_state_dir, spawn

CLEARING_S = 10.0  # how long an interrupted command waits for the check's worktree to go


def run_check(cwd: str, due: Mapping[str, Any], *, show: bool) -> dict[str, Any]:
    """Run what is due; ``show``: what it says appears on standard error as it comes.

    Raises:
        GitSessionError: it could not be run.
        KeyboardInterrupt: by the person; the check is ended, its worktree removed.
    """
    with start_check(cwd, show=show) as connection:
        talk = Talk(connection)
        talk.send({"v": VERSION, "check": dict(due)})
        try:
            reply = talk.receive(lambda: None)
        except KeyboardInterrupt:
            wait_for_clearing(connection)
            raise
        except DaemonEnded:
            clear_after_killed(cwd)
            raise Unreachable("the process of the check was killed", hint="run the command again") from None
    if "error" in reply:
        raise error_from(reply["error"])
    return dict(reply["ok"])


def start_check(cwd: str, *, show: bool) -> socket.socket:
    """Start ``gitsessiond check``; what stands in its way is in the log."""
    place = find_place(cwd)
    make_state_dir(place)
    ours, theirs = socket.socketpair()
    with theirs:
        words = ["check", "--repository", os.path.realpath(cwd), "--fd", str(theirs.fileno())]
        spawn(place, words, theirs.fileno(), session=True, speak=2 if show else None)
    return ours


def wait_for_clearing(connection: socket.socket) -> None:
    """Say that nobody waits for the answer any more, and wait until the other end has cleared away."""
    try:
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(CLEARING_S)
        while connection.recv(1 << 16):
            pass
    except OSError:
        pass  # it will end all the same


def clear_after_killed(cwd: str) -> None:
    """Have another process clear away what a killed one left."""
    with start_check(cwd, show=False) as connection:
        talk = Talk(connection)
        talk.send({"v": VERSION})
        try:
            talk.receive(lambda: None)
        except DaemonEnded:
            pass  # the daemon will, in a quiet moment
