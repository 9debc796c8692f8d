"""The commands that sort edits: assign, unassigned."""

from __future__ import annotations

import sys
from typing import Any

import click

from gitsessiond.faces.cli import lines
from gitsessiond.faces.cli.choose import choose_for
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.typed import edit_argument, patch_named
from gitsessiond.model.errors import BadRequest

REFUSED = 4


@click.command("assign", cls=SessionCommand)
@click.argument("what", required=False, metavar="[PATH[:FROM-TO]|COMMIT]")
@click.option("--all", "everything", is_flag=True, help="Every unassigned edit.")
@click.option(
    "--patch", "patch", metavar="P", help="The patch that gets the edits; - for none.  [default: $GITSESSION_PATCH]"
)
@click.option("--new", "new", metavar="NAME", help="Make this patch for them.")
@click.option("--from-editor", "editor", type=int, metavar="N", help="The edits of editor N's file.")
@pass_face
def assign(
    face: Face, *, what: str | None, everything: bool, patch: str | None, new: str | None, editor: int | None
) -> int:
    """Say which patch recorded edits belong to

    The edits of a path, of its lines FROM to TO, of a commit of the session (HEAD, HEAD~1, an id), or
    all that are unassigned. Without --patch or --new it asks, on a terminal; with --json it prints
    what is pending and the choices. Exits 4 if every edit had to stay where it is.
    """
    if [what is not None, everything, editor is not None].count(True) != 1:
        raise BadRequest("name a path, a commit, an editor, or --all", hint="git session unassigned")
    if patch is not None and new is not None:
        raise BadRequest("--patch and --new exclude each other", hint="choose one")
    named = None if what is None else edit_argument(what)
    patch = patch_named(patch) if new is None else None
    if patch is None and new is None:
        return ask_and_assign(face, named, everything, editor)
    named_by = {} if editor is None else {"editor": editor}
    reply = face.call("assign", what=named, all=everything, patch=patch, new=new, **named_by)
    face.show(reply, lines.assign_lines(reply))
    return REFUSED if reply["refused"] and not reply["moved"] else 0


def ask_and_assign(face: Face, what: str | None, everything: bool, editor: int | None = None) -> int:
    """Show what is pending and ask for each kind of choice; nothing is changed before the last answer."""
    named_by = {} if editor is None else {"editor": editor}
    reply = face.call("assign", what=what, all=everything, patch=None, new=None, **named_by)
    if editor is not None and reply["pending"]:
        what = reply["pending"][0]["path"]
    pending: list[dict[str, Any]] = reply["pending"]
    if face.json:
        face.show(reply, ())
        return 0
    if not pending:
        face.show(reply, ["Every edit belongs to a patch."])
        return 0
    if not sys.stdin.isatty():
        raise BadRequest("there is no terminal to ask on", hint="add --patch P or --new NAME")
    code = 0
    for answer in choose_for(pending, what):
        done = face.call("assign", what=answer.what, all=answer.what is None, patch=answer.patch, new=answer.new)
        face.show(done, lines.assign_lines(done))
        code = REFUSED if done["refused"] and not done["moved"] else code
    return code


@click.command("unassigned", cls=SessionCommand)
@pass_face
def unassigned(face: Face) -> int:
    """List the edits that belong to no patch, and why"""
    reply = face.call("unassigned")
    hints = ["git session assign PATH[:FROM-TO] --patch P"] if reply["unassigned"] else []
    face.show(reply, lines.unassigned_lines(reply), hints)
    return 0


COMMANDS = (assign, unassigned)
