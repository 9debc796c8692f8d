"""The command ``config``: every setting, and where its value comes from."""

from __future__ import annotations

import click

from gitsessiond.faces.cli.configlines import config_lines
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face
from gitsessiond.faces.cli.terminal import hint, note
from gitsessiond.faces.cli.words import clean


@click.command("config", cls=SessionCommand)
@click.option("--show-origin", is_flag=True, help="Say where each value comes from.")
@pass_face
def config(face: Face, show_origin: bool) -> int:
    """Print every setting as it is here

    `git config KEY VALUE` sets one. git's configuration wins over environment variables, these over
    the default, and an option of a command over all. Exits 2 if a value means nothing.
    """
    reply = face.call("config")
    face.show(reply, config_lines(reply["settings"], origins=show_origin))
    wrong = [one for one in reply["settings"] if one["wrong"]]
    if not face.json:
        for one in wrong:
            note(f"warning: {clean(one['wrong'])}")
        for key in reply["unknown"]:
            note(f"warning: {clean(key)} is no setting of git session")
        for one in wrong:
            hint(one["hint"])
    return 2 if wrong else 0


COMMANDS = (config,)
