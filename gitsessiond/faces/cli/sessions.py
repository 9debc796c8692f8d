"""The commands about sessions: start, list, status, show, rename, switch, close, abandon, reopen."""

from __future__ import annotations

import os
from typing import Any

import click

from gitsessiond.faces.cli import fast, lines
from gitsessiond.faces.cli.checking import call_checked
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.terminal import note
from gitsessiond.faces.cli.words import clean, typed_path
from gitsessiond.model.errors import BadRequest

CONFLICTS = 3


@click.command("start", cls=SessionCommand)
@click.argument("name")
@click.option("-m", "--message", "description", default="", metavar="TEXT", help="What the session is for.")
@click.option("--from", "from_rev", metavar="REV", help="The commit it starts at.  [default: HEAD]")
@click.option("--target", metavar="BRANCH", help="The branch it merges into.  [default: the branch of HEAD]")
@click.option("--here", is_flag=True, help="In this checkout, or not at all.")
@click.option(
    "--worktree",
    is_flag=False,
    flag_value="",
    metavar="[DIR]",
    help="In a new worktree, even if this checkout is free.",
)
@pass_face
def start(
    face: Face,
    *,
    name: str,
    description: str,
    from_rev: str | None,
    target: str | None,
    here: bool,
    worktree: str | None,
) -> int:
    """Start a session

    This checkout carries it if it carries none yet; index and files stay as they are. Else it gets a
    worktree beside the repository. The reply says which, and why.
    """
    if here and worktree is not None:
        raise BadRequest("--here and --worktree exclude each other", hint="choose one")
    where: Any = None if worktree is None else (os.path.abspath(worktree) if worktree else True)
    reply = face.call(
        "session.start", name=name, description=description, here=True if here else None, worktree=where,
        target=target, **{"from": from_rev},
    )  # fmt: skip
    cwd = fast.here()
    face.show(reply, lines.start_lines(reply, cwd), lines.start_hints(reply, cwd))
    face.show_warnings(reply)
    return 0


@click.command("list", cls=SessionCommand)
@click.option("--all", "everything", is_flag=True, help="Closed and abandoned ones too.")
@pass_face
def list_sessions(face: Face, *, everything: bool) -> int:
    """List the sessions of this repository"""
    return fast.show_list(fast.Glance("list", face.session, face.json, False, everything), face.dial)


def panel_options(command: Any) -> Any:
    """What ``status`` and ``show`` take."""
    ascii_option = click.option("--ascii", "letters", is_flag=True, help="No emoji, no box characters.")
    return click.argument("session", required=False)(ascii_option(command))


@click.command("status", cls=SessionCommand)
@panel_options
@pass_face
def status(face: Face, *, session: str | None, letters: bool) -> int:
    """Show the panel of a session

    Its patches, what belongs to no patch, what clashes, and the next useful commands. `git session`
    alone does the same; where no session is, it lists the sessions.
    """
    return fast.answer(fast.Glance("status", session or face.session, face.json, letters), face.dial)


@click.command("show", cls=SessionCommand)
@panel_options
@pass_face
def show(face: Face, *, session: str | None, letters: bool) -> int:
    """Show the panel of a session (the same as status)"""
    return fast.answer(fast.Glance("status", session or face.session, face.json, letters), face.dial)


@click.command("rename", cls=SessionCommand)
@click.argument("name", required=False)
@click.option("-m", "--message", "description", metavar="TEXT", help="The new description.")
@pass_face
def rename(face: Face, *, name: str | None, description: str | None) -> int:
    """Give a session another name or description

    Its branch and its worktree keep their names.
    """
    if name is None and description is None:
        raise BadRequest("nothing to change", hint="git session rename NAME [-m TEXT]")
    reply = face.call("session.rename", name=name, description=description)
    face.show(reply, lines.renamed_session_lines(reply))
    return 0


@click.command("switch", cls=SessionCommand)
@click.argument("session")
@pass_face
def switch(face: Face, *, session: str) -> int:
    """Print the worktree of a session

    No HEAD moves: `cd "$(git session switch NAME)"`. What stays behind is told, and listed by
    `git session conflicts --type context_switch`: unassigned edits, files with unsaved changes, your locks.
    """
    reply = face.call("session.switch", session=session)
    if reply["left"] is not None and not face.json:
        note(clean(reply["left"]["message"]))
    face.show(reply, [typed_path(reply["worktree"])], reply["hints"])
    return 0


@click.command("close", cls=SessionCommand)
@click.option("--dry-run", is_flag=True, help="Say what would be merged and abandoned; change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--remove", is_flag=True, help="Remove its worktree, if nothing in it would be lost.")
@click.option("--no-verify", is_flag=True, help="Skip gitsession.check and the pre-commit and commit-msg hooks.")
@pass_face
def close(face: Face, *, dry_run: bool, yes: bool, remove: bool, no_verify: bool) -> int:
    """End a session: merge its ready patches, a dependency first

    Patches that are not ready become abandoned; their edits stay in the files. Exits 3 if a patch did
    not land.
    """
    if not dry_run and not yes:
        plan = face.call("session.close", dry_run=True, remove=remove)
        if not plan["already"]:
            face.ask(f"Close session {clean(plan['session']['name'])}?", lines.close_lines(plan)[1:])
    reply = call_checked(face, "session.close", dry_run=dry_run, remove=remove, no_verify=no_verify)
    face.show(reply, lines.close_lines(reply), lines.close_hints(reply))
    return CONFLICTS if reply["failed"] else 0


@click.command("abandon", cls=SessionCommand)
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_face
def abandon(face: Face, *, yes: bool) -> int:
    """End a session without merging anything

    All its unmerged patches become abandoned. Files, branch and history stay; `reopen` brings them back.
    """
    if not yes:
        name = face.call("session.status", most=0)["session"]["name"]
        face.ask(f"Abandon session {clean(name)} and all its unmerged patches?")
    reply = face.call("session.abandon")
    back = [] if reply["already"] else [f"git session reopen -s {reply['session']['id']} brings it back"]
    face.show(reply, lines.abandon_lines(reply), back)
    return 0


@click.command("reopen", cls=SessionCommand)
@pass_face
def reopen(face: Face) -> int:
    """Take up a closed or abandoned session again"""
    reply = face.call("session.reopen")
    face.show(reply, lines.reopened_lines(reply, fast.here()), ["git session patch reopen P brings back a patch"])
    return 0


COMMANDS = (start, list_sessions, status, show, rename, switch, close, abandon, reopen)
