"""``editors`` and ``editors switch``."""

from __future__ import annotations

import os
from typing import Any

import click

from gitsessiond.faces.cli.editorwords import editor_lines, patches_of, recover_hint
from gitsessiond.faces.cli.face import Face, SessionGroup, face_of, pass_face
from gitsessiond.faces.cli.handing import edit_file
from gitsessiond.faces.cli.terminal import note
from gitsessiond.faces.cli.words import name_in
from gitsessiond.model.names import quote_path, unquote_path


@click.group("editors", cls=SessionGroup, invoke_without_command=True)
@click.pass_context
def editors(ctx: click.Context) -> int:
    """Show who is editing which file

    With its number, the editor and its process where a lock file of the editor tells, whether it has
    unsaved changes, the patch its edits go to, and the last save. docs/editors.md says what each editor reveals.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    face = face_of(ctx)
    reply = face.call("editors")
    face.show(reply, editor_lines(reply), recover_hint(reply))
    return 0


@editors.command("switch")
@click.argument("number", type=int, metavar="N")
@click.option("--open", "opened", is_flag=True, help="Edit the file in git's editor, too.")
@pass_face
def switch(face: Face, *, number: int, opened: bool) -> int:
    """Use the patch of an editor's edits

    New edits go where those of editor N went, as after `patch use`. Where N has no patch the one in use stays.
    Prints the path of its file.
    """
    reply = face.call("editors.switch", editor=number)
    path = os.fsdecode(unquote_path(reply["file"]))
    face.show(reply, [quote_path(os.fsencode(os.path.relpath(path)))], hints_of(reply))
    if reply["used"] and not face.json:
        note(f"in use: {name_in(reply['patch'])}")
    if opened:
        edit_file(path, "its patch is in use")
    return 0


def hints_of(reply: dict[str, Any]) -> list[str]:
    """What to do about an editor whose edits are nobody's."""
    editor = reply["editor"]
    return [] if patches_of(editor) else [f"git session patch new NAME --from-editor {editor['number']}"]


COMMANDS = (editors,)
