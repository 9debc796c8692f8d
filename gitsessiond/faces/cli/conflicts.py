"""The commands about clashes: conflicts, conflict show, resolve."""

from __future__ import annotations

import base64
import sys

import click

from gitsessiond.faces.cli import mergelines
from gitsessiond.faces.cli.face import Face, SessionCommand, SessionGroup, pass_face
from gitsessiond.model.errors import BadRequest, NotFound

SIDES = ("ours", "theirs", "base", "union")


@click.command("conflicts", cls=SessionCommand)
@click.option("--all", "everything", is_flag=True, help="Resolved ones too.")
@pass_face
def conflicts(face: Face, everything: bool) -> int:
    """List the conflicts of the session"""
    reply = face.call("conflicts", all=everything)
    face.show(reply, mergelines.conflicts_lines(reply), mergelines.conflicts_hints(reply))
    return 0


@click.group("conflict", cls=SessionGroup)
def conflict() -> None:
    """Look at one conflict"""


@conflict.command("show")
@click.argument("conflict_id", metavar="ID")
@pass_face
def show(face: Face, conflict_id: str) -> int:
    """Show a conflict: its three sides, its text with markers, where to edit it"""
    reply = face.call("conflict.show", id=conflict_id)
    face.show(reply, mergelines.conflict_show_lines(reply))
    return 0


@click.command("resolve", cls=SessionCommand)
@click.argument("conflict_id", metavar="ID")
@click.option("--ours", "how", flag_value="ours", help="The target's side.")
@click.option("--theirs", "how", flag_value="theirs", help="The patch's side.")
@click.option("--base", "how", flag_value="base", help="As it was before both.")
@click.option("--union", "how", flag_value="union", help="The lines of both sides.")
@click.option("--file", "file", metavar="F", help="The content of this file; - for standard input.")
@pass_face
def resolve(face: Face, conflict_id: str, how: str | None, file: str | None) -> int:
    """Settle a conflict

    Saving its file under .gitsession/conflicts/ without markers, in any editor, settles it too. The
    resolution is used by the next `merge` of the patch.
    """
    if (how is None) == (file is None):
        raise BadRequest(
            "say how: one of --ours, --theirs, --base, --union, --file F",
            hint=f"git session conflict show {conflict_id}",
        )
    content = None if file is None else base64.b64encode(content_of(file)).decode("ascii")
    reply = face.call("resolve", id=conflict_id, how=how or "file", content=content)
    face.show(reply, mergelines.resolve_lines(reply), mergelines.resolve_hints(reply))
    return 0


def content_of(file: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``.

    Raises:
        NotFound: it cannot be read.
    """
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except OSError as refused:
        raise NotFound(f"cannot read {file}: {refused.strerror}", hint="name a file that can be read") from refused


COMMANDS = (conflicts, conflict, resolve)
