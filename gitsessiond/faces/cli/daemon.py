"""The commands about the daemon: ``git session daemon …``."""

from __future__ import annotations

import os
from contextlib import suppress

import click

from gitsessiond.faces.cli import loglines
from gitsessiond.faces.cli.face import Face, SessionGroup, pass_face
from gitsessiond.faces.cli.terminal import put, put_json
from gitsessiond.model.errors import GitSessionError, NotFound, Unreachable


@click.group("daemon", cls=SessionGroup)
def daemon() -> None:
    """Look at the daemon of this repository, start it, stop it

    The first command that needs it starts it; nothing else is needed in daily work.
    """


@daemon.command("start")
@pass_face
def start(face: Face) -> int:
    """Start the daemon, if it does not run"""
    reply = face.call("daemon.status")
    face.show(reply, loglines.daemon_lines(reply)[:1])
    return 0


@daemon.command("stop")
@pass_face
def stop(face: Face) -> int:
    """Stop the daemon; what changes meanwhile is recorded when it runs again"""
    client, held = face.client(start=False), dict[str, int]()
    with suppress(GitSessionError):  # one that is ill is stopped all the same
        before = client.call("daemon.status", {})
        held = {"sessions": before["sessions"], "locks": (before.get("locks") or {}).get("held", 0)}
    try:
        client.call("daemon.stop", {})
    except Unreachable:
        face.show({"stopped": False}, ["The daemon was not running."])
        return 0
    lines = ["The daemon has stopped.", *loglines.stopped_lines(held)]
    face.show({"stopped": True, **held}, lines, ["the next command starts it again"])
    return 0


@daemon.command("status")
@pass_face
def status(face: Face) -> int:
    """Say whether the daemon runs, and what it watches; exits 13 if it does not"""
    reply = face.client(start=False).call("daemon.status", {})
    face.show(reply, loglines.daemon_lines(reply))
    return 0


@daemon.command("logs")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1),
    default=50,
    metavar="N",
    help="At most so many lines.  [default: 50]",
)
@pass_face
def logs(face: Face, limit: int) -> int:
    """Print the last lines of the daemon's log"""
    path = face.client(start=False).log_path()
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            last = log.read().splitlines()[-limit:]
    except FileNotFoundError as none:
        raise NotFound(f"there is no log at {path}", hint="git session daemon start") from none
    if face.json:
        put_json({"path": os.fspath(path), "lines": last})
    else:
        put(last)
    return 0


@daemon.command("checkpoint")
@pass_face
def checkpoint(face: Face) -> int:
    """Write all that is recorded to where plain git reads it"""
    reply = face.call("daemon.checkpoint")
    face.show(reply, loglines.checkpoint_lines(reply))
    return 0


COMMANDS = (daemon,)
