"""``git session update``: the target's new commits come into the session."""

from __future__ import annotations

import click

from gitsessiond.faces.cli import updatelines
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face

CONFLICTS = 3


@click.command("update", cls=SessionCommand)
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@pass_face
def update(face: Face, *, dry_run: bool) -> int:
    """Bring the target's new commits into the session

    Files, index and branch become what `git rebase --autostash` makes of them, but that what is staged stays
    staged. All is worked out before a file moves: exits 3 with conflict records, and nothing moved, if a patch,
    an unassigned edit or a staged file clashes; once they are resolved, the same command goes through.
    """
    reply = face.call("session.update", dry_run=dry_run)
    face.show(reply, updatelines.update_lines(reply), updatelines.update_hints(reply))
    return CONFLICTS if reply["conflicts"] else 0


COMMANDS = (update,)
