"""The command ``events``: what happens, as it happens, one event a line."""

from __future__ import annotations

from typing import Any

import click

from gitsessiond.faces.cli import loglines
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.terminal import note, put, put_json


@click.command("events", cls=SessionCommand)
@click.option("--follow", is_flag=True, help="Go on until interrupted.")
@click.option("--since", type=click.IntRange(0), metavar="SEQ", help="Those after this sequence number.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Those of this type; may be repeated.")
@click.option(
    "--channel",
    type=click.Choice(["session", "project", "conflicts"]),
    help="Those of sessions, of the repository as a whole, or of conflicts.",
)
@pass_face
def events(face: Face, follow: bool, since: int | None, types: tuple[str, ...], channel: str | None) -> int:
    """Print events: saves, commits, merges, conflicts, locks, clients

    With -s those of that session. With --json one object a line. The last 2,000 are kept; one of the
    type `missed` stands for others that are not. With --follow the next daemon is waited for when this
    one ends.
    """
    wanted: dict[str, Any] = {"types": list(types), "channel": channel}
    if face.session is not None:
        wanted["session"] = face.call("session.status", most=0)["session"]["id"]
    for event in face.client().events(since, follow, wanted, tell_waiting):
        if face.json:
            put_json(event)
        else:
            put([loglines.event_line(event)])
    return 0


def tell_waiting() -> None:
    """Say that nothing comes for now."""
    note("the daemon has ended; waiting for the next one")


COMMANDS = (events,)
