"""The commands about the people of a session: collaborators, invite, uninvite."""

from __future__ import annotations

import click

from gitsessiond.faces.cli import peoplelines
from gitsessiond.faces.cli.face import Face, SessionCommand, pass_face

ROLES = ("owner", "maintainer", "contributor", "viewer")


@click.command("collaborators", cls=SessionCommand)
@pass_face
def collaborators(face: Face) -> int:
    """List the people of a session, and what each may do

    A person is known by git's user.email. As long as nobody is named besides the one who made the session,
    everybody may do everything.
    """
    reply = face.call("session.collaborators")
    face.show(reply, peoplelines.people_lines(reply), peoplelines.people_hints(reply))
    return 0


@click.command("invite", cls=SessionCommand)
@click.argument("user", metavar="USER")
@click.option(
    "--role", type=click.Choice(ROLES), default="contributor", help="What they may do.  [default: contributor]"
)
@pass_face
def invite(face: Face, user: str, role: str) -> int:
    """Name somebody in a session, or give them another role

    USER is an address, or "Name <address>". A viewer looks; a contributor works on patches of their own; a
    maintainer works on all, merges, updates and pushes; an owner ends the session and names others. Who is
    not named may look. It guards against mistakes, not against people: whoever can write to the repository's
    files can do anything to them (docs/security.md).
    """
    reply = face.call("session.invite", user=user, role=role)
    face.show(reply, peoplelines.invited_lines(reply), peoplelines.people_hints(reply))
    return 0


@click.command("uninvite", cls=SessionCommand)
@click.argument("user", metavar="USER")
@pass_face
def uninvite(face: Face, user: str) -> int:
    """Name somebody no more; what they made stays theirs"""
    reply = face.call("session.uninvite", user=user)
    face.show(reply, peoplelines.uninvited_lines(reply), peoplelines.people_hints(reply))
    return 0


COMMANDS = (collaborators, invite, uninvite)
