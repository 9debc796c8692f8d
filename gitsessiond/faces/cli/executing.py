"""The command that lets many processes use git in one repository at once: ``git session exec``."""

from __future__ import annotations

import click

from gitsessiond.faces.cli.face import CONTEXT, Face, SessionCommand, pass_face
from gitsessiond.faces.cli.inturn import run_in_turn

WORDS = {**CONTEXT, "ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("exec", cls=SessionCommand, context_settings=WORDS)
@click.option(
    "--wait",
    type=click.FloatRange(0, 86400),
    default=None,
    metavar="SECONDS",
    help="Exit 11 if the turn has not come by then.  [default: wait]",
)
@click.argument("words", nargs=-1, required=True, metavar="-- CMD...", type=click.UNPROCESSED)
@pass_face
def execute(face: Face, wait: float | None, words: tuple[str, ...]) -> int:
    """Run a command in its turn, so that many can use git in one repository at once

    Thirteen `git commit` in one directory, or thirteen `git worktree add`, fail each other: git does not wait for
    index.lock and config.lock. With `git session exec --` before each they run one after the other. `add`, `commit` and
    their like have a turn for each worktree; any other command has the repository for itself. No session is needed, and
    no daemon. It ends as the command ends, with its exit code.
    """
    return run_in_turn(words, within=wait, as_json=face.json)


COMMANDS = (execute,)
