"""Who asks for locks: what is kept of that between two requests, and how others are told of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from gitsessiond.daemon.recognizing import LONGEST_TEXT
from gitsessiond.model.clients import Client
from gitsessiond.model.locks import Holder
from gitsessiond.store.processes import own_namespace

AGENTS = ("agent", "other")

Message = dict[str, Any]


class Asker(NamedTuple):
    """What is known of a connection's requests, as long as the client and its directory are the same."""

    client: str
    cwd: str
    holder: Holder
    ttl: float
    wait: float
    said: tuple[object, ...]
    until: float  # whoever says the same of itself before is not looked at again


def said_by(who: Message) -> tuple[object, ...]:
    """What tells who asks, without the environment, which is not kept; empty where it is nothing to be kept either."""
    said = who.get("client"), who.get("cwd"), who.get("session")
    return said if all(one is None or (isinstance(one, str) and len(one) <= LONGEST_TEXT) for one in said) else ()


def holder_of(client: Client, branch: str | None, session: str | None) -> Holder:
    """A client as others are told of it."""
    agent, named, space = client.kind in AGENTS, client.name is not None, own_namespace()
    began = f"{client.began} {space}" if client.began and space else ""
    return Holder(client.id, client.user, client.host or None, client.pid, branch, session, agent, named, began)
