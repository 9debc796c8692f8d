"""Replies about clients as lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from gitsessiond.faces.cli.times import stamp
from gitsessiond.faces.cli.words import clean, listed, plural

Json = Mapping[str, Any]


def client_lines(reply: Json, zone: tzinfo | None = None) -> list[str]:
    """One row for each client, oldest first; ``*`` is whoever asks."""
    rows = [client_row(client, zone) for client in reply["clients"]]
    if not rows:
        return ["Nobody is at work here. A terminal is a client by its first command."]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    out = []
    for client, row in zip(reply["clients"], rows, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        mark = "*" if client["id"] == reply["you"] else " "
        out.append("  ".join((f"{mark} {cells[0]}", *cells[1:], row[4])).rstrip())
    return out


def client_row(client: Json, zone: tzinfo | None) -> list[str]:
    """Its id, role, kind, user, and the rest."""
    lives = f"pid {client['pid']}" if client["pid"] else f"heard of {stamp(client['last_seen'], zone)}"
    silent = ["silent: it holds nothing any more"] if client["state"] == "silent" else []
    rest = ", ".join([lives, *([clean(client["cwd"])] if client["cwd"] else []), *silent])
    return [clean(client["id"]), client["role"], client["kind"], clean(client["user"] or ""), rest]


def hello_lines(reply: Json) -> list[str]:
    """Which client it is, and in which role."""
    client = reply["client"]
    return [f"{clean(client['id'])}: {client['kind']}, {client['role']}."]


def hello_hints(reply: Json, pid: int | None) -> list[str]:
    """What to do where a process was not believed."""
    client = reply["client"]
    if pid is None or client["pid"] is not None:
        return []
    return [f"process {pid} is not seen to be yours; give signs of life: git session client heartbeat"]


def heartbeat_lines(reply: Json) -> list[str]:
    """What was renewed."""
    names = [clean(str(one["name"])) for one in reply["renewed"]]
    return [
        f"Renewed {plural(len(names), 'lock')}: {listed(names)}." if names else "Alive; there was nothing to renew."
    ]
