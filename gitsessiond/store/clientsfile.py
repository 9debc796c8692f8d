"""The clients that a daemon knew, for the next one: ``clients.json`` in the state directory, replaced in one step.

Not synced: whatever a power cut takes is of another boot then, and nothing of another boot counts.
"""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from gitsessiond.model.clients import KINDS, Client
from gitsessiond.store.layout import write_whole
from gitsessiond.store.processes import boot_id

FILE = "clients.json"
LARGEST = 4 << 20
TEXTS, NUMBERS = ("name", "user", "tty", "session"), ("ttl", "heartbeat", "keep", "since", "last_seen")


class Kept(NamedTuple):
    """What the file says: clients, oldest first, which of them is primary, and which missed their heartbeats."""

    clients: list[Client]
    primary: str | None
    silent: list[str]


def write_clients(state_dir: str, kept: Kept) -> None:
    """Keep them.

    Raises:
        OSError: the disk refused; what was kept before is kept still.
    """
    clients = [one._asdict() for one in kept.clients]
    told = {"format": 1, "boot": boot_id(), "primary": kept.primary, "silent": kept.silent, "clients": clients}
    write_whole(os.path.join(state_dir, FILE), json.dumps(told).encode("utf-8", "surrogateescape"), mode=0o600)


def read_clients(state_dir: str) -> Kept:
    """What was kept; nothing where there is no file, a damaged one, or one of another boot or a newer program."""
    nothing = Kept([], None, [])
    try:
        with open(os.path.join(state_dir, FILE), "rb") as file:
            found = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError):
        return nothing
    if not isinstance(found, dict) or found.get("format") != 1 or found.get("boot") != boot_id():
        return nothing
    listed = found.get("clients")
    clients = [client for one in listed if (client := client_from(one))] if isinstance(listed, list) else []
    primary, silent = found.get("primary"), found.get("silent")
    named = [one for one in silent if isinstance(one, str)] if isinstance(silent, list) else []
    return Kept(clients, primary if isinstance(primary, str) else None, named)


def client_from(told: Any) -> Client | None:
    """A client as it was written; None: a field is missing or of the wrong kind."""
    if not isinstance(told, dict) or set(told) != set(Client._fields):
        return None
    good = (
        all(isinstance(told[name], str) for name in ("id", "host", "began", "cwd"))
        and told["kind"] in KINDS
        and all(told[name] is None or isinstance(told[name], str) for name in TEXTS)
        and all(isinstance(told[name], int | float) for name in NUMBERS if name != "ttl" or told[name] is not None)
        and (told["pid"] is None or isinstance(told["pid"], int))
    )
    return Client(**told) if good else None
