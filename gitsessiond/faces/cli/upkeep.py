"""The commands that look after what is kept: doctor, uninstall."""

from __future__ import annotations

import click

from gitsessiond.faces.cli import loglines
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face


@click.command("doctor", cls=SessionCommand)
@click.option("--fix", is_flag=True, help="Rebuild what can be rebuilt.")
@pass_face
def doctor(face: Face, fix: bool) -> int:
    """Check what is stored

    Exits 1 if something is wrong and was not fixed.
    """
    reply = face.call("doctor", fix=fix)
    bad = [check for check in reply["checks"] if not check["ok"] and not check.get("fixed")]
    face.show(reply, loglines.doctor_lines(reply), ["git session doctor --fix"] if bad and not fix else [])
    return 1 if bad else 0


@click.command("uninstall", cls=SessionCommand)
@click.option("--hard", is_flag=True, help="Remove every trace: history, refs, branches, configuration.")
@click.option("--yes", is_flag=True, help="Even if unmerged commits of a session, or edits in a conflict's file, go.")
@pass_face
def uninstall(face: Face, hard: bool, yes: bool) -> int:
    """Take gitsessiond out of this repository

    Removes .gitsession/, our git hooks and our lines in info/exclude. What was recorded stays, unless --hard is given:
    then no ref, branch, configuration or file of ours is left.
    """
    reply = face.call("uninstall", hard=hard, yes=yes)
    kept = [] if hard else ["what was recorded stays; git session uninstall --hard removes it too"]
    face.show(reply, loglines.uninstall_lines(reply), kept)
    face.show_warnings(reply)
    return 0


COMMANDS = (doctor, uninstall)
