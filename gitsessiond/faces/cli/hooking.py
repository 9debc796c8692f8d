"""The commands about the user's git hooks: ``git session hooks …``."""

from __future__ import annotations

import click

from gitsessiond.faces.cli import hooklines
from gitsessiond.faces.cli.face import Face, SessionGroup, pass_face


@click.group("hooks", cls=SessionGroup)
def hooks() -> None:
    """Install git hooks that tell where a commit's edits went; nothing else needs them

    After a commit they say where its edits went, if not all to the patch in use. They refuse to commit conflict markers
    that are left over, and to push what belongs to a session alone; and they write trailers if gitsession.trailers is
    set (to `session`, `patch` or both; a Patch-Id gives all of the commit to the patch in use). Your own hooks run
    first. No git waits for them, or fails, because the daemon is ill.
    """


@hooks.command("install")
@pass_face
def install(face: Face) -> int:
    """Install the hooks of this repository, or mend what others have put in their place

    Your own hook is renamed NAME.user beside ours. Where core.hooksPath is set, as by husky, or a hook reads its own
    name, nothing there is touched: core.hooksPath is set to a directory of ours, whose hooks call those.
    """
    reply = face.call("hooks.install")
    face.show(reply, hooklines.installed_lines(reply), hooklines.hints(reply))
    face.show_warnings(reply)
    return 0


@hooks.command("status")
@pass_face
def status(face: Face) -> int:
    """Say which hooks are installed, and which of yours they call"""
    reply = face.call("hooks.status")
    face.show(reply, hooklines.status_lines(reply), hooklines.hints(reply))
    return 0


@hooks.command("uninstall")
@pass_face
def uninstall(face: Face) -> int:
    """Take the hooks away, and put yours back as they are by now"""
    reply = face.call("hooks.uninstall")
    face.show(reply, hooklines.uninstalled_lines(reply))
    face.show_warnings(reply)
    return 0


COMMANDS = (hooks,)
