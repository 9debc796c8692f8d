"""Requests and replies as plain dicts, and what every client tells about who asks (docs/protocol.md)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from gitsessiond.model.errors import GitSessionError

VERSION = 1

READS = frozenset(
    {
        "session.list", "session.status", "session.files", "session.switch", "patch.list", "patch.show",
        "patch.validate", "patch.ops", "patch.diff", "unassigned", "editors", "conflicts", "conflict.show", "history",
        "push", "hooks.status", "editors.mode", "session.collaborators",
        "hooks.agent.status", "config", "metrics",
    }
)  # fmt: skip
"""Verbs of the recorder that change nothing: asked again after its death, and not held up by a long queue."""

OWN = frozenset({"ping", "daemon.status", "daemon.metrics", "daemon.health", "daemon.stop", "events"})
"""Verbs that front answers itself, without a barrier."""

BESIDE = ("client.", "lock.", "editor.")
"""How the verbs begin that front answers beside the recorder: without a barrier too, and they may wait."""


def is_own(verb: str) -> bool:
    """Whether a verb is front's, not the recorder's."""
    return verb in OWN or verb.startswith(BESIDE)


MOST_ENVIRONMENT = 256 << 10  # characters; a larger one is not told whole

LONGEST_TOKEN = 18  # digits

PASSED_ON = (
    "GITSESSION_USER",
    "EMAIL",
    "GNUPGHOME",
    "GPG_TTY",
    "SSH_AUTH_SOCK",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
)
OF_REQUESTS = frozenset(
    {
        "GITSESSION_LOCK_DEFAULT_TTL", "LOCK_DEFAULT_TTL", "GITSESSION_LOCK_WAIT_TIMEOUT", "LOCK_WAIT_TIMEOUT",
        "GITSESSION_CLIENT_TTL", "SESSION_TTL", "GITSESSION_HEARTBEAT", "SESSION_HEARTBEAT",
    }
)  # fmt: skip
"""Variables that set something for the command they stand before (a test compares them with model/settings.py)."""

OF_DAEMON = frozenset({"GITSESSION_MAX_CONNECTIONS", "WS_MAX_CONNECTIONS"})
"""Those that do so for the daemon that is started there."""

PASSED_ON_BEGINNINGS = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")


def request(verb: str, args: Mapping[str, Any], who: Mapping[str, Any], number: int = 1) -> dict[str, Any]:
    """One request."""
    return {"v": VERSION, "id": number, "verb": verb, "args": dict(args), "who": dict(who)}


def who_asks(cwd: str, session: str | None, env: Mapping[str, str], *, acts: bool = False) -> dict[str, Any]:
    """The ``who`` of a request: directory, session named by ``-s`` or ``$GITSESSION``, client, terminal, identity.

    ``acts``: the request may run hooks, which are to see the environment that the asker sees.
    """
    acts = acts and sum(len(name) + len(value) for name, value in env.items()) <= MOST_ENVIRONMENT
    told = {name: value for name, value in env.items() if _is_passed_on(name) or (acts and not name.startswith("GIT_"))}
    return {
        "cwd": cwd,
        "session": session or env.get("GITSESSION") or None,
        "client": env.get("GITSESSION_CLIENT") or None,
        "tty": terminal(),
        "pid": os.getpid(),
        "leader": os.getsid(0),
        "token": token_in(env),
        "env": told,
    }


def token_in(env: Mapping[str, str]) -> int | None:
    """The token of the lock that one works under."""
    text = env.get("GITSESSION_LOCK_TOKEN", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_TOKEN else None


def _is_passed_on(name: str) -> bool:
    """Whether a variable says who somebody is, or what their git is told on its command line."""
    return name in PASSED_ON or name in OF_REQUESTS or name in OF_DAEMON or name.startswith(PASSED_ON_BEGINNINGS)


def terminal() -> str | None:
    """The terminal one types at; None for a program."""
    for number in (0, 2, 1):
        try:
            return os.ttyname(number)
        except OSError:
            continue  # a pipe, a file, or closed
    return None


def reply_ok(number: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to request ``number``."""
    return {"v": VERSION, "id": number, "ok": dict(found)}


def reply_error(number: Any, error: GitSessionError, *, again: bool = False) -> dict[str, Any]:
    """The failure of request ``number``; ``again``: a new daemon should be asked."""
    told = error.as_dict()
    if again:
        told["again"] = True
    return {"v": VERSION, "id": number, "error": told}
