"""What every command is given, and what every command has: ``-s``, ``--json``, exit codes in its help."""

from __future__ import annotations

import difflib
import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from gitsessiond.faces.cli.connect import Client, Dial
from gitsessiond.faces.cli.ending import EXIT_CODES
from gitsessiond.faces.cli.terminal import hint, note, put, put_json
from gitsessiond.faces.cli.words import clean
from gitsessiond.model.errors import BadRequest, GitSessionError, Refused

Result = TypeVar("Result")

INDEX_LOCK = "index_lock"  # the reason of a refusal because another git has the index, as a rule for milliseconds
AGAIN_S = (0.1, 0.5, 2.0)  # before it is asked again, nobody having done anything

EPILOG = "Exit codes: " + "; ".join(f"{code} {words}" for code, words in EXIT_CODES.items()) + "."


class Face:
    """One run of one command: whom it asks and how it prints. The client is made when it is first needed."""

    def __init__(self, dial: Dial) -> None:
        self.dial = dial
        self.session: str | None = None
        self.json = False

    def client(self, start: bool = True) -> Client:
        """The client for the session named by ``-s``; ``start``: a daemon may be started for it."""
        return self.dial(self.session, start)

    def call(self, verb: str, **args: Any) -> dict[str, Any]:
        """Ask one thing; raises what the daemon answers. A git that is at work for a moment is waited for here."""
        for pause in AGAIN_S:
            try:
                return self.client().call(verb, args)
            except Refused as busy:
                if busy.reason != INDEX_LOCK:
                    raise
            time.sleep(pause)
        return self.client().call(verb, args)

    def show(self, reply: dict[str, Any], lines: Iterable[str], hints: Iterable[str] = ()) -> None:
        """Print a reply: the JSON, or the lines with hints and warnings on stderr."""
        if self.json:
            put_json(reply)
            return
        put(lines)
        if reply.get("degraded"):
            note(f"degraded: locks are in memory only, and lost with the daemon: {clean(str(reply['degraded']))}")
        for text in hints:
            hint(text)

    def show_warnings(self, reply: dict[str, Any]) -> None:
        """The reply's ``warnings``, sentences, on stderr."""
        for text in () if self.json else reply["warnings"]:
            note(f"warning: {clean(str(text))}")

    def show_output(self, reply: dict[str, Any]) -> None:
        """What the user's hooks printed goes to stderr, as git lets it."""
        if reply.get("output") and not self.json:
            note(str(reply["output"]).rstrip("\n"))

    def ask(self, question: str, before: Iterable[str] = ()) -> None:
        """Ask a person to go on, after showing what it is about; ``--yes`` stands for that elsewhere.

        Raises:
            BadRequest: there is no terminal to ask on.
            GitSessionError: the answer is no.
        """
        if self.json or not sys.stdin.isatty():
            raise BadRequest("this must be confirmed, and there is no terminal to ask on", hint="add --yes")
        for line in before:
            note(line)
        if not click.confirm(question, err=True):
            raise GitSessionError("nothing was changed")


def set_session(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Note ``-s``; the innermost of several counts."""
    if value is not None:
        face_of(ctx).session = value


def set_json(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Note ``--json``, wherever it stands."""
    if value:
        face_of(ctx).json = True


def set_client(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Note ``--client``, as if it had been in the environment: whatever this command starts is the same client."""
    if value is not None:
        os.environ["GITSESSION_CLIENT"] = value


def face_of(ctx: click.Context) -> Face:
    """The face of this run."""
    found = ctx.find_object(Face)
    assert found is not None, "app.main gives every run its face"
    return found


def common_options(*, shows_client: bool) -> list[click.Parameter]:
    """The options all commands have."""
    return [
        click.Option(
            ["-s", "--session", "_session"], metavar="NAME|ID", expose_value=False, callback=set_session,
            help="The session, if not that of this directory or of $GITSESSION.",
        ),
        click.Option(
            ["--json", "_json"], is_flag=True, expose_value=False, callback=set_json, help="Print JSON."
        ),
        click.Option(
            ["--client", "_client"], metavar="NAME", expose_value=False, callback=set_client, hidden=not shows_client,
            help="The client that asks; else $GITSESSION_CLIENT, else the terminal.",
        ),
    ]  # fmt: skip


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class SessionCommand(click.Command):
    """A command with the common options and the exit codes in its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("epilog", EPILOG)
        kwargs.setdefault("context_settings", CONTEXT)
        super().__init__(*args, **kwargs)
        self.params += common_options(shows_client=False)


class SessionGroup(click.Group):
    """A group with the same options; an unknown command names those that look like it."""

    command_class = SessionCommand
    group_class = type
    shows_client = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("epilog", EPILOG)
        kwargs.setdefault("context_settings", CONTEXT)
        kwargs.setdefault("no_args_is_help", False)  # a missing word is an error like any other
        super().__init__(*args, **kwargs)
        self.params += common_options(shows_client=self.shows_client)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; BadRequest with the nearest names if there is none."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.commands, n=3, cutoff=0.65)
            words = " or ".join(f"`{ctx.command_path} {one}`" for one in near)
            raise BadRequest(
                f"{name!r} is no command of `{ctx.command_path}`",
                hint=f"did you mean {words}?" if near else f"`{ctx.command_path} -h` lists the commands",
            )
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order they were added: that of a day's work, not of the alphabet."""
        return list(self.commands)


pass_face: Callable[[Callable[..., Result]], Callable[..., Result]] = click.make_pass_decorator(Face)
