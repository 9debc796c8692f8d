"""The commands that make edits part of branches, or take them back: commit, merge, revert."""

from __future__ import annotations

import click

from gitsessiond.faces.cli import mergelines
from gitsessiond.faces.cli.checking import call_checked
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.typed import patch_named

CONFLICTS = 3


@click.command("commit", cls=SessionCommand)
@click.option("-m", "--message", required=True, metavar="TEXT", help="The commit message.")
@click.option(
    "--patch",
    metavar="P",
    help="The patch whose edits are committed.  [default: $GITSESSION_PATCH, else the patch in use]",
)
@click.option("--no-verify", is_flag=True, help="Skip the pre-commit and commit-msg hooks.")
@pass_face
def commit(face: Face, *, message: str, patch: str | None, no_verify: bool) -> int:
    """Commit the edits of one patch to the session's branch

    Edits of other patches and unassigned ones stay uncommitted. The message ends with the trailers Session-Id,
    Patch-Id, and a Depends-On for each patch that this one depends on. Plain `git commit` works too.
    """
    reply = face.call("commit", message=message, patch=patch_named(patch), no_verify=no_verify)
    face.show_output(reply)
    face.show(reply, mergelines.commit_lines(reply))
    return 0


@click.command("merge", cls=SessionCommand)
@click.argument("name", metavar="P")
@click.option("--ready", is_flag=True, help="Declare it ready first; commits what it has uncommitted.")
@click.option(
    "--strategy",
    type=click.Choice(["merge", "rebase", "squash"]),
    metavar="HOW",
    help="merge, rebase or squash: a merge commit, its own commits, or one.  [default: gitsession.merge, or merge]",
)
@click.option("--dry-run", is_flag=True, help="Say what would happen; change nothing.")
@click.option("--no-verify", is_flag=True, help="Skip gitsession.check and the pre-commit and commit-msg hooks.")
@pass_face
def merge(face: Face, *, name: str, ready: bool, strategy: str | None, dry_run: bool, no_verify: bool) -> int:
    """Merge one patch into the session's target branch

    Only this patch: other patches, and files that it does not change, stay as they are. Exits 4 while a
    patch it needs is not merged, or if the command that `git config gitsession.check` names fails on the
    merged files; exits 3 with conflict records if it clashes with the target. If your git signs, so is the
    merge commit; of the patch's commits only those that are yours as they stand, and a warning tells of
    others. By rebase and squash all that lands is signed.
    """
    reply = call_checked(
        face, "merge", patch=name, ready=ready, strategy=strategy, dry_run=dry_run, no_verify=no_verify
    )
    face.show_output(reply)
    face.show(reply, mergelines.merge_lines(reply), mergelines.merge_hints(reply))
    face.show_warnings(reply)
    return CONFLICTS if reply["conflicts"] else 0


@click.command("revert", cls=SessionCommand)
@click.argument("name", metavar="P")
@click.option("--abort", is_flag=True, help="Give up a revert that has conflicts.")
@click.option("--no-verify", is_flag=True, help="Skip gitsession.check and the commit-msg hook.")
@pass_face
def revert(face: Face, *, name: str, abort: bool, no_verify: bool) -> int:
    """Take a merged patch back from the target branch, and open it again

    One commit on the target reverts what the merge brought, however it landed. Files and edits here stay; the
    patch is a draft with the edits it had, and can be merged again. Exits 3 with conflict records, and moves
    nothing, if the target has changed the same lines since; once they are resolved, the same command goes through.
    Exits 4 if the command that `git config gitsession.check` names fails on the files without the patch.
    """
    reply = call_checked(face, "revert", patch=name, abort=abort, no_verify=no_verify)
    face.show_output(reply)
    face.show(reply, mergelines.revert_lines(reply), mergelines.revert_hints(reply))
    return CONFLICTS if reply["conflicts"] else 0


COMMANDS = (commit, merge, revert)
