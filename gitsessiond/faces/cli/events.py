"""The command ``events``: what happens, as it happens, one event a line."""

from __future__ import annotations

import click

from gitsessiond.faces.cli import loglines
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.terminal import put, put_json


@click.command("events", cls=SessionCommand)
@click.option("--follow", is_flag=True, help="Go on until interrupted.")
@click.option("--since", type=click.IntRange(0), metavar="SEQ", help="Those after this sequence number.")
@pass_face
def events(face: Face, follow: bool, since: int | None) -> int:
    """Print events: saves, commits, merges, conflicts

    With --json one object a line.
    """
    for event in face.client().events(since, follow):
        if face.json:
            put_json(event)
        else:
            put([loglines.event_line(event)])
    return 0


COMMANDS = (events,)
