"""All commands together. What is slow to import is imported here and below, never in ``fast``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gitsessiond.faces.cli import (
    assigning,
    clients,
    collaborating,
    configuring,
    conflicts,
    daemon,
    demo,
    editors,
    events,
    executing,
    fast,
    helping,
    hooking,
    lock,
    merging,
    metrics,
    patches,
    recorded,
    remote,
    sessions,
    updating,
    upkeep,
    watching,
)
from gitsessiond.faces.cli.connect import Dial, open_client
from gitsessiond.faces.cli.ending import INTERRUPTED, run_guarded
from gitsessiond.faces.cli.face import Face, SessionGroup, face_of
from gitsessiond.faces.cli.terminal import note
from gitsessiond.model.errors import BadRequest

PROGRAM = "git session"


class RootGroup(SessionGroup):
    """All of it: here the option is shown that every command has and few need."""

    shows_client = True


@click.group("git session", cls=RootGroup, invoke_without_command=True)
@click.option("--ascii", "letters", is_flag=True, help="No emoji, no box characters (the panel).")
@click.version_option(package_name="gitsessiond", prog_name="gitsessiond")
@click.pass_context
def root(ctx: click.Context, letters: bool) -> int:
    """Record every save, sort the edits into patches, merge them one by one

    Alone it shows the panel of the session you stand in; elsewhere the list of sessions.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    face = face_of(ctx)
    return fast.answer(fast.Glance("panel", face.session, face.json, letters), face.dial)


NOUNS = (
    sessions, patches, assigning, editors, merging, updating, remote, conflicts, recorded, executing, clients, lock,
    collaborating, hooking, upkeep, configuring, metrics, events, watching, daemon, helping, demo,
)  # fmt: skip

for noun in NOUNS:
    for command in noun.COMMANDS:
        root.add_command(command)


def main(argv: Sequence[str], dial: Dial = open_client) -> int:
    """Run a command line (without the program's name) and return its exit code."""
    return run_guarded(lambda: run(list(argv), dial), argv)


def run(argv: list[str], dial: Dial) -> int:
    """Let click read the words and call the command; its complaints become BadRequest.

    Raises:
        GitSessionError: what the command raised.
    """
    try:
        code = root.main(args=argv, prog_name=PROGRAM, standalone_mode=False, obj=Face(dial))
        return code if isinstance(code, int) else 0
    except click.UsageError as wrong:
        path = wrong.ctx.command_path if wrong.ctx else PROGRAM
        raise BadRequest(message_of(wrong), hint=f"{path} -h") from wrong
    except click.Abort:
        note("interrupted")
        return INTERRUPTED


def message_of(wrong: click.UsageError) -> str:
    """click's complaint as our errors are written: small first letter, no full stop."""
    text = wrong.format_message().rstrip(".")
    return text[:1].lower() + text[1:]
