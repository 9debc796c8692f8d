"""The commands about who is at work here: clients, client hello, client heartbeat, client leave."""

from __future__ import annotations

import os

import click

from gitsessiond.faces.cli import clientlines
from gitsessiond.faces.cli.face import Face, SessionCommand, SessionGroup, pass_face
from gitsessiond.model.errors import BadRequest


@click.command("clients", cls=SessionCommand)
@pass_face
def clients(face: Face) -> int:
    """List who is at work in this repository: terminals, agents, editors

    A terminal is a client from its first command on, for as long as its shell lives. A program gives itself
    a name: --client NAME with any command, or $GITSESSION_CLIENT. The oldest that lives is primary.
    """
    reply = face.call("client.list")
    face.show(reply, clientlines.client_lines(reply))
    return 0


@click.group("client", cls=SessionGroup)
def client() -> None:
    """Say that a program is at work here, that it still is, and that it goes

    What a client holds, such as locks, is free when it goes: when it says so, when the process that it
    named ends, or, where it named none, when three heartbeats (gitsession.heartbeat, 30 s) passed without
    a word. Any command of a client is a sign of life.
    """


@client.command("hello")
@click.argument("name", required=False)
@click.option("--kind", type=click.Choice(["terminal", "agent", "editor", "other"]), help="What it is.")
@click.option("--pid", type=click.IntRange(1), metavar="PID", help="The process that it lives by.")
@click.option("--ttl", type=click.FloatRange(1, 86400), metavar="SECONDS", help="The longest it will be silent.")
@pass_face
def hello(face: Face, name: str | None, kind: str | None, pid: int | None, ttl: float | None) -> int:
    """Say that a program, or this terminal, is at work here

    Without NAME it is $GITSESSION_CLIENT, else this terminal. A process is believed if it can be seen to be
    yours.
    """
    named = name or os.environ.get("GITSESSION_CLIENT")
    if pid is not None and not named:
        raise BadRequest("a terminal lives by its shell; --pid is for a client with a name", hint="name one")
    reply = face.call("client.hello", name=name, kind=kind, pid=pid, ttl=ttl)
    face.show(reply, clientlines.hello_lines(reply), clientlines.hello_hints(reply, pid))
    return 0


@client.command("heartbeat")
@pass_face
def heartbeat(face: Face) -> int:
    """Give a sign of life, which renews what the client holds"""
    reply = face.call("client.heartbeat")
    face.show(reply, clientlines.heartbeat_lines(reply))
    return 0


@client.command("leave")
@pass_face
def leave(face: Face) -> int:
    """Say that a client goes: what it holds is free"""
    reply = face.call("client.leave")
    face.show(reply, ["The client has left." if reply["left"] else "There was no such client."])
    return 0


COMMANDS = (clients, client)
