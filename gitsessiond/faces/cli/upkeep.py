"""The commands that look after what is kept: doctor, uninstall."""

from __future__ import annotations

import click

from gitsessiond.faces.cli import loglines
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.words import unique
from gitsessiond.model.errors import Unreachable

NO_DAEMON = {
    "name": "front", "ok": True, "state": "ok", "message": "no daemon runs: each command records and answers by itself",
    "fixed": False, "hint": None,
}  # fmt: skip


@click.command("doctor", cls=SessionCommand)
@click.option("--fix", is_flag=True, help="Rebuild what can be rebuilt.")
@pass_face
def doctor(face: Face, fix: bool) -> int:
    """Check the daemon, and what is stored

    Both processes, watches, clients, locks, connections; everything that is kept; room on the disk;
    settings. Each is ok, warn or fail. Exits 1 if one fails and was not fixed; a warning is no failure.
    """
    reply = face.call("doctor", fix=fix)
    try:
        front = face.call("daemon.health")["checks"]
    except Unreachable:
        front = [NO_DAEMON]
    checks = [*front, *reply["checks"]]
    hints = unique([check["hint"] for check in checks if check["hint"] and check["state"] != "ok"])
    face.show({**reply, "checks": checks}, loglines.doctor_lines(checks), [] if fix else hints)
    return 1 if any(not check["ok"] and not check["fixed"] for check in checks) else 0


@click.command("uninstall", cls=SessionCommand)
@click.option("--hard", is_flag=True, help="Remove every trace: history, refs, branches, configuration.")
@click.option("--yes", is_flag=True, help="Even if unmerged commits of a session, or edits in a conflict's file, go.")
@pass_face
def uninstall(face: Face, hard: bool, yes: bool) -> int:
    """Take gitsessiond out of this repository

    Removes .gitsession/, our git hooks and our lines in info/exclude. What was recorded, locks and settings stay, and
    open sessions go on, unless --hard is given: then no ref, branch, configuration or file of ours is left.
    """
    reply = face.call("uninstall", hard=hard, yes=yes)
    kept = [] if hard else ["what was recorded, locks and settings stay; git session uninstall --hard removes them too"]
    face.show(reply, loglines.uninstall_lines(reply), kept)
    face.show_warnings(reply)
    return 0


COMMANDS = (doctor, uninstall)
