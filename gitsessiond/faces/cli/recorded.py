"""The commands about what was recorded: history, restore."""

from __future__ import annotations

import click

from gitsessiond.faces.cli import loglines
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.typed import patch_named, path_argument


@click.command("history", cls=SessionCommand)
@click.argument("path", required=False)
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1),
    default=50,
    metavar="N",
    help="At most so many steps.  [default: 50]",
)
@pass_face
def history(face: Face, path: str | None, limit: int) -> int:
    """List what was recorded, newest first: every save and every command"""
    reply = face.call("history", path=None if path is None else path_argument(path), limit=limit)
    hints = ["git session restore PATH --at NUMBER brings a file back"] if reply["steps"] else []
    face.show(reply, loglines.history_lines(reply), hints)
    return 0


@click.command("restore", cls=SessionCommand)
@click.argument("path")
@click.option(
    "--at",
    default="",
    metavar="WHEN|NUMBER|ID",
    help="A step of `history`, or a time.  [default: the save before]",
)
@click.option(
    "--patch",
    metavar="P",
    help="The patch that what comes back belongs to.  [default: $GITSESSION_PATCH, else as saves]",
)
@pass_face
def restore(face: Face, path: str, at: str, patch: str | None) -> int:
    """Bring a file or directory back as it was

    What is on disk now is recorded first. WHEN is like 14:05, '2026-01-02 14:05', or '10 minutes ago';
    `.` is all.
    """
    reply = face.call("restore", path=path_argument(path), at=at, patch=patch_named(patch))
    face.show(reply, loglines.restore_lines(reply), loglines.restore_hints(reply))
    return 0


COMMANDS = (history, restore)
