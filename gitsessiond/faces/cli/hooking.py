"""The commands about the user's git hooks: ``git session hooks …``."""

from __future__ import annotations

import click

from gitsessiond.faces.cli import hooklines
from gitsessiond.faces.cli.agentforms import TOOLS
from gitsessiond.faces.cli.agenthook import run_agent_hook
from gitsessiond.faces.cli.face import Face, SessionCommand, SessionGroup, pass_face

AGENT = click.option(
    "--agent",
    type=click.Choice(TOOLS),
    help="The hooks of this coding agent instead, in the settings of this worktree.",
)


@click.group("hooks", cls=SessionGroup)
def hooks() -> None:
    """Install git hooks that tell where a commit's edits went; nothing else needs them

    After a commit they say where its edits went, if not all to the patch in use. They refuse to commit conflict markers
    that are left over, paths that another patch claims or another session has locked if gitsession.locks is `hooks`
    (or `readonly`), and to push what belongs to a session alone; and they write trailers if gitsession.trailers is set
    (to `session`, `patch` or both; a Patch-Id gives all of the commit to the patch in use). Your own hooks run first.
    No git waits for them, or fails, because the daemon is ill.
    """


def of_agent(face: Face, verb: str, agent: str) -> int:
    """The same for the hooks of an agent."""
    reply = face.call(f"hooks.agent.{verb}", agent=agent)
    face.show(reply, hooklines.agent_lines(reply, verb))
    return 0


@hooks.command("install")
@AGENT
@pass_face
def install(face: Face, agent: str | None) -> int:
    """Install the hooks of this repository, or mend what others have put in their place

    Your own hook is renamed NAME.user beside ours. Where core.hooksPath is set, as by husky, or a hook reads its own
    name, nothing there is touched: core.hooksPath is set to a directory of ours, whose hooks call those.

    With --agent: .claude/settings.json, .codex/hooks.json or .cursor/hooks.json have `git session agent-hook` run
    before and after the agent writes. Its writes then go to a patch of its own, and a path that another has claimed is
    refused to it. Codex skips hooks that nobody has trusted in its `/hooks`, without a word.
    """
    if agent is not None:
        return of_agent(face, "install", agent)
    reply = face.call("hooks.install")
    face.show(reply, hooklines.installed_lines(reply), hooklines.hints(reply))
    face.show_warnings(reply)
    return 0


@hooks.command("status")
@AGENT
@pass_face
def status(face: Face, agent: str | None) -> int:
    """Say which hooks are installed, and which of yours they call"""
    if agent is not None:
        return of_agent(face, "status", agent)
    reply = face.call("hooks.status")
    face.show(reply, hooklines.status_lines(reply), hooklines.hints(reply))
    return 0


@hooks.command("uninstall")
@AGENT
@pass_face
def uninstall(face: Face, agent: str | None) -> int:
    """Take the hooks away, and put yours back as they are by now"""
    if agent is not None:
        return of_agent(face, "uninstall", agent)
    reply = face.call("hooks.uninstall")
    face.show(reply, hooklines.uninstalled_lines(reply))
    face.show_warnings(reply)
    return 0


@click.command("agent-hook", cls=SessionCommand, hidden=True)
@click.argument("tool", metavar="claude|codex|cursor")
def agent_hook(tool: str) -> int:
    """What a coding agent runs before and after its tools

    Reads the tool's own JSON on stdin and answers as the tool expects it. `git session hooks install --agent TOOL`
    puts it into the settings of the tool.
    """
    return run_agent_hook([tool]) or 0


COMMANDS = (hooks, agent_hook)
