"""The commands that explain: help, completion; and the hidden one that completion scripts ask."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from gitsessiond.faces.cli import shells
from gitsessiond.faces.cli.agentpage import PAGE
from gitsessiond.faces.cli.completing import candidates
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.terminal import put_json, put_text
from gitsessiond.model.errors import NotFound


def help_words(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The commands that can come next."""
    before = ctx.params.get("words") or ()
    at: click.Command | None = ctx.find_root().command
    for word in before:
        at = at.commands.get(word) if isinstance(at, click.Group) else None
    there = at.commands if isinstance(at, click.Group) else {}
    found = [(name, one.get_short_help_str()) for name, one in there.items() if not one.hidden]
    found += [] if before else [("agent", "a page to paste for coding agents")]
    return [CompletionItem(name, help=about) for name, about in found if name.startswith(incomplete)]


@click.command("help", cls=SessionCommand)
@click.argument("words", nargs=-1, metavar="[COMMAND]...|agent", shell_complete=help_words)
@click.pass_context
def help_command(ctx: click.Context, words: tuple[str, ...]) -> int:
    """Show the help of a command; `agent`: a page to paste for coding agents

    `git help session` and `git session --help` show all of it as a manual page, where man finds it.
    """
    text = PAGE if words == ("agent",) else help_of_words(ctx.find_root(), words)
    show_text(ctx.ensure_object(Face), text)
    return 0


def help_of_words(root: click.Context, words: tuple[str, ...]) -> str:
    """What ``-h`` prints for the command of these words.

    Raises:
        NotFound: there is no such command.
        BadRequest: it is the member of a group that has none of that name.
    """
    at = root
    for number, word in enumerate(words):
        if not isinstance(at.command, click.Group):
            raise NotFound(
                f"{' '.join(words)} is no command", hint=f"git session help {' '.join(words[:number])}".rstrip()
            )
        name, found, _ = at.command.resolve_command(at, [word])
        if name is None or found is None:  # a word like an option is not looked for among the commands
            raise NotFound(f"{' '.join(words)} is no command", hint="git session help")
        at = found.make_context(name, [], parent=at, resilient_parsing=True)
    return at.get_help() + "\n"


def show_text(face: Face, text: str) -> None:
    """Print a page, or put it into JSON."""
    if face.json:
        put_json({"text": text})
    else:
        put_text(text)


@click.command("completion", cls=SessionCommand)
@click.argument("shell", type=click.Choice(tuple(shells.SCRIPTS)))
@pass_face
def completion(face: Face, shell: str) -> int:
    """Print what makes a shell complete commands, patches and sessions

    bash: `eval "$(git session completion bash)"` in ~/.bashrc, after git's own completion. zsh: the same in
    ~/.zshrc, after compinit. fish: `git session completion fish | source`. It also makes `gscd NAME`, which
    changes to the worktree of a session.
    """
    show_text(face, shells.SCRIPTS[shell])
    return 0


@click.command("complete", cls=SessionCommand, hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def complete(ctx: click.Context, words: tuple[str, ...]) -> int:
    """Print what the last of the words can become, one a line, each with a tab and what it is."""
    face = ctx.ensure_object(Face)
    root = ctx.find_root().command
    assert isinstance(root, click.Group)
    found = list(candidates(root, list(words) or [""], face.dial))
    if face.json:
        put_json({"candidates": [{"value": value, "about": about} for value, about in found]})
    else:
        put_text("".join(f"{value}\t{about}\n" for value, about in found))
    return 0


COMMANDS = (help_command, completion, complete)
