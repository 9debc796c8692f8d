"""The commands about patches: ``git session patch …``."""

from __future__ import annotations

import os
import sys

import click

from gitsessiond.faces.cli import checklines, difflines, lines
from gitsessiond.faces.cli.checking import call_checked
from gitsessiond.faces.cli.face import Face, SessionGroup, pass_face
from gitsessiond.faces.cli.terminal import look_of, put_json, put_text
from gitsessiond.faces.cli.typed import path_argument
from gitsessiond.faces.cli.words import command
from gitsessiond.model.errors import BadRequest

REFUSED = 4
CONFLICTS = 3


@click.group("patch", cls=SessionGroup)
def patch() -> None:
    """Name changes, list them, say where edits go"""


@patch.command("new")
@click.argument("name")
@click.option("-m", "--message", "description", default="", metavar="TEXT", help="What the patch does.")
@click.option("--depends-on", multiple=True, metavar="P", help="A patch that must be merged before; may be repeated.")
@click.option("--take", is_flag=True, help="Take unassigned edits: those of the PATHs that follow, or all.")
@click.option("--from-editor", "editor", type=int, metavar="N", help="Take the unassigned edits of editor N's file.")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@pass_face
def new(
    face: Face,
    *,
    name: str,
    description: str,
    depends_on: tuple[str, ...],
    take: bool,
    editor: int | None,
    paths: tuple[str, ...],
) -> int:
    """Make a patch and use it

    The first patch of a session takes the edits that had none. New edits go to it until another is used.
    """
    if paths and not take:
        raise BadRequest(f"{paths[0]!r} is one word too many", hint=command("patch", "new", name, "--take", paths[0]))
    wanted = [path_argument(path) for path in paths] if take else None
    args = {"name": name, "description": description, "depends_on": list(depends_on), "take": wanted}
    reply = face.call("patch.new", **args, **({} if editor is None else {"editor": editor}))
    face.show(reply, lines.new_patch_lines(reply))
    return 0


@patch.command("list")
@pass_face
def list_patches(face: Face) -> int:
    """List the patches of the session"""
    reply = face.call("patch.list")
    face.show(reply, lines.patch_list_lines(reply))
    return 0


@patch.command("show")
@click.argument("name", metavar="P")
@pass_face
def show(face: Face, *, name: str) -> int:
    """Show a patch: status, ops, edits, commits"""
    reply = face.call("patch.show", patch=name)
    face.show(reply, lines.patch_show_lines(reply))
    return 0


@patch.command("use")
@click.argument("name", metavar="P|-")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--strict", is_flag=True, help="All new edits go to P, also those on lines of other patches.")
@pass_face
def use(face: Face, *, name: str, paths: tuple[str, ...], strict: bool) -> int:
    """Say which patch new edits go to

    With PATHs, files or directories, it claims them: new edits there go to P from now on, whatever patch is in
    use, until `patch use - PATH...` releases them or P is merged or abandoned. Exits 11 if another patch has
    claimed one of them. `-` alone means that no patch is in use.
    """
    if strict and paths:
        raise BadRequest("--strict is for every path", hint=command("patch", "use", name, "--strict"))
    reply = face.call("patch.use", patch=name, paths=[path_argument(path) for path in paths], strict=strict)
    face.show(reply, lines.use_lines(reply, paths))
    return 0


@patch.command("ready")
@click.argument("name", metavar="P")
@click.option("--undo", is_flag=True, help="It is a draft again.")
@click.option("--no-verify", is_flag=True, help="Skip the pre-commit and commit-msg hooks.")
@pass_face
def ready(face: Face, *, name: str, undo: bool, no_verify: bool) -> int:
    """Say that a patch can be merged; commits what it has uncommitted"""
    reply = face.call("patch.ready", patch=name, undo=undo, no_verify=no_verify)
    face.show_output(reply)
    face.show(reply, lines.ready_lines(reply, undo), lines.ready_hints(reply))
    return 0


@patch.command("depend")
@click.argument("name", metavar="P")
@click.option("--on", "other", required=True, metavar="Q", help="The patch that must be merged before P.")
@click.option("--remove", is_flag=True, help="Take the declared dependency back.")
@pass_face
def depend(face: Face, *, name: str, other: str, remove: bool) -> int:
    """Declare that a patch needs another one

    Dependencies that follow from the edits are found without it, and cannot be removed.
    """
    reply = face.call("patch.depend", patch=name, on=other, remove=remove)
    face.show(reply, lines.depend_lines(reply))
    return 0


@patch.command("validate")
@click.argument("name", metavar="P")
@click.option("--no-verify", is_flag=True, help="Do not run gitsession.check.")
@pass_face
def validate(face: Face, *, name: str, no_verify: bool) -> int:
    """Say whether a patch could be merged now, and every reason why not

    Where `git config gitsession.check` names a command, it is run on the merged files, in a worktree made
    for it. Exits 0 if the patch could be merged, 3 if conflicts alone are in the way, else 4.
    """
    reply = call_checked(face, "patch.validate", patch=name, no_verify=no_verify)
    face.show(reply, checklines.validate_lines(reply))
    codes = {str(blocker["code"]) for blocker in reply["blockers"]}
    if not codes:
        return 0
    return CONFLICTS if codes <= {"conflict", "conflicts"} else REFUSED


@patch.command("ops")
@click.argument("name", metavar="P")
@pass_face
def ops(face: Face, *, name: str) -> int:
    """List the paths a patch changes, and how"""
    reply = face.call("patch.ops", patch=name)
    face.show(reply, lines.ops_lines(reply))
    return 0


@patch.command("diff")
@click.argument("name", metavar="P")
@pass_face
def diff(face: Face, *, name: str) -> int:
    """Print a patch as a diff against what it stands on"""
    reply = face.call("patch.diff", patch=name)
    if face.json:
        put_json(reply)
    else:
        put_text(difflines.diff_text(reply, look_of(sys.stdout, os.environ)))
    return 0


@patch.command("rename")
@click.argument("name", metavar="P")
@click.argument("new_name", metavar="[NAME]", required=False)
@click.option("-m", "--message", "description", metavar="TEXT", help="The new description.")
@pass_face
def rename(face: Face, *, name: str, new_name: str | None, description: str | None) -> int:
    """Give a patch another name or description"""
    if new_name is None and description is None:
        raise BadRequest("nothing to change", hint=command("patch", "rename", name) + " NAME [-m TEXT]")
    reply = face.call("patch.rename", patch=name, name=new_name, description=description)
    face.show(reply, lines.patch_now_lines(reply))
    return 0


@patch.command("abandon")
@click.argument("name", metavar="P")
@click.option("--discard", is_flag=True, help="Take its edits out of the files too; `restore` brings them back.")
@pass_face
def abandon(face: Face, *, name: str, discard: bool) -> int:
    """Give a patch up; the session goes on

    Its edits stay in the files, unassigned, unless --discard takes them out.
    """
    reply = face.call("patch.abandon", patch=name, discard=discard)
    face.show(
        reply,
        lines.patch_abandon_lines(reply, discard),
        [command("patch", "reopen", name)],
    )
    return 0


@patch.command("reopen")
@click.argument("name", metavar="P")
@pass_face
def reopen(face: Face, *, name: str) -> int:
    """Take an abandoned patch up again, with the edits it had"""
    reply = face.call("patch.reopen", patch=name)
    face.show(reply, lines.patch_now_lines(reply))
    return 0


COMMANDS = (patch,)
