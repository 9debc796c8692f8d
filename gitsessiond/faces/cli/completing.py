"""What the last word of a command line can become. Never starts a daemon, never fails: a shell waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete

from gitsessiond.faces.cli.connect import Dial
from gitsessiond.faces.cli.face import Face
from gitsessiond.faces.cli.words import clean
from gitsessiond.model.errors import GitSessionError


class Name(click.types.StringParamType):
    """A word that names a patch, a session or a conflict: text like any other, but known to completion."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Those of them that begin so."""
        face = ctx.find_object(Face)
        if face is None:
            return []
        try:
            found = list(KINDS[self.kind](face))
        except (GitSessionError, OSError):
            return []  # no daemon, no session, no repository
        return [CompletionItem(name, help=about) for name, about in found if name.startswith(incomplete)]


def patches(face: Face) -> Iterator[tuple[str, str]]:
    """The session's patches, each with its status."""
    for patch in ask(face, "patch.list")["patches"]:
        yield str(patch["name"]), f"patch, {patch['status']}"


def sessions(face: Face) -> Iterator[tuple[str, str]]:
    """The open sessions, each with its description."""
    for session in ask(face, "session.list", all=False)["sessions"]:
        yield str(session["name"]), clean(session["description"]) or "session"


def conflicts(face: Face) -> Iterator[tuple[str, str]]:
    """The open conflicts, each with its path."""
    for conflict in ask(face, "conflicts", all=False)["conflicts"]:
        yield str(conflict["id"]), str(conflict["path"])


def ask(face: Face, verb: str, **args: Any) -> dict[str, Any]:
    """Ask a daemon that runs."""
    return face.client(start=False).call(verb, args)


KINDS = {"patch": patches, "session": sessions, "conflict": conflicts}
METAVARS = {"P": "patch", "Q": "patch", "P|-": "patch", "NAME|ID": "session", "ID": "conflict"}
NAMES = {"session": "session"}  # arguments without a metavar


def know_names(command: click.Command) -> None:
    """Give every parameter that names something the type that completion knows."""
    for param in command.params:
        kind = METAVARS.get(param.metavar or "") or (NAMES.get(param.name or "") if not param.metavar else None)
        if kind is not None and isinstance(param.type, click.types.StringParamType):
            param.type = Name(kind)
    if isinstance(command, click.Group):
        for one in command.commands.values():
            know_names(one)


def candidates(root: click.Group, words: list[str], dial: Dial) -> Iterator[tuple[str, str]]:
    """What the last of these words (without the program's name) can become, and what that is."""
    know_names(root)
    *before, incomplete = words
    shell = ShellComplete(root, {"obj": Face(dial)}, "git session", "")
    try:
        found = shell.get_completions(before, incomplete)
    except (GitSessionError, click.ClickException):
        return  # words that make no sense have no completion
    for item in found:
        if item.type == "plain":
            yield str(item.value), clean((item.help or "").split("\n")[0])
