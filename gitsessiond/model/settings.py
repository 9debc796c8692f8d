"""Everything a person can set: key, kind, default, and the environment variables that count where git says nothing.

Pure and free of pydantic (front reads it too). A command's own option wins, then ``git config gitsession.*``, then
``GITSESSION_…``, then the variable's short name, then the default. git's configuration is in front of the environment
because the short names (``SESSION_TTL``) are often set for another program, and ``gitsession.*`` never is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitsessiond.model.durations import seconds_of
from gitsessiond.model.errors import BadRequest

Value = str | float | bool | tuple[str, ...] | None

SECTION = "gitsession."
NOT_FOR_PEOPLE = frozenset({"gitsession.hooksPathBefore"})  # keys that we write ourselves
TIME = re.compile(r"[0-9]+(\.[0-9]+)?[smhd]?|never", re.IGNORECASE)
NUMBER = re.compile(r"[0-9]+[kmg]?", re.IGNORECASE)
UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
TRUE_WORDS, FALSE_WORDS = ("true", "yes", "on", "1"), ("false", "no", "off", "0", "")


class Setting(NamedTuple):
    """One key. ``default`` is written as a person would; None: there is none."""

    key: str
    kind: str  # time, number, choice, flag, text, texts
    default: str | None
    what: str
    choices: tuple[str, ...] = ()
    least: float = 0
    variables: tuple[str, ...] = ()  # of the environment, the first that is set counts


class Found(NamedTuple):
    """What a setting is, and who said so: ``default``, ``git config``, or the name of a variable."""

    setting: Setting
    value: Value
    origin: str
    text: str | None = None  # as it was written


def from_environment(key: str, kind: str, default: str, what: str, least: float, *short: str) -> Setting:
    """A setting that may stand in the environment: as ``GITSESSION_`` and its name, and by ``short`` names."""
    name = re.sub("([A-Z])", r"_\1", key).upper()
    return Setting(SECTION + key, kind, default, what, (), least, (f"GITSESSION_{name}", *short))


LOCK_TTL = from_environment(
    "lockDefaultTtl", "time", "300", "how long a lock is held without a sign of life", 0.001, "LOCK_DEFAULT_TTL"
)
LOCK_WAIT = from_environment(
    "lockWaitTimeout", "time", "30", "how long a command waits for a lock", 0, "LOCK_WAIT_TIMEOUT"
)
CLIENT_TTL = from_environment(
    "clientTtl", "time", "86400", "how long a client is kept without a sign of life; sessions never end", 0.001,
    "SESSION_TTL",
)  # fmt: skip
HEARTBEAT = from_environment(
    "heartbeat", "time", "30", "how often a client gives a sign of life; after three missed it is dead", 0.001,
    "SESSION_HEARTBEAT",
)  # fmt: skip
MAX_CONNECTIONS = from_environment(
    "maxConnections", "number", "1000", "how many connections the daemon takes", 1, "WS_MAX_CONNECTIONS"
)
MAX_SESSIONS = Setting("gitsession.maxSessions", "number", None, "how many sessions may be open at once", (), 1)
COORDINATION = (LOCK_TTL, LOCK_WAIT, CLIENT_TTL, HEARTBEAT, MAX_CONNECTIONS)

SETTINGS = tuple(
    sorted(
        (
            *COORDINATION,
            Setting("gitsession.branchPrefix", "text", "session/", "how the branches of sessions begin"),
            Setting("gitsession.check", "text", None, "a shell command that must pass before a merge"),
            Setting("gitsession.checkTimeout", "time", "1h", "when that command is ended"),
            Setting("gitsession.controlFiles", "choice", None, "`never`: keep no control files", ("never",)),
            Setting("gitsession.fsync", "choice", None, "`never`: leave syncing to the system", ("never",)),
            Setting("gitsession.idleExit", "time", "1h", "when a daemon with no open session leaves"),
            Setting(
                "gitsession.locks", "choice", "advisory", "what stands behind locks", ("advisory", "hooks", "readonly")
            ),
            Setting("gitsession.maxFileSize", "number", "50m", "larger files are left out"),
            MAX_SESSIONS,
            Setting("gitsession.merge", "choice", "merge", "how a patch is landed", ("merge", "rebase", "squash")),
            Setting("gitsession.never", "texts", ".env *.pem id_* *.key", "files that are never recorded"),
            Setting("gitsession.organization", "text", None, "the organization a session is made for"),
            Setting("gitsession.publish", "flag", "false", "whether session branches may be pushed"),
            Setting("gitsession.scanEvery", "time", "15m", "how often everything is looked at"),
            Setting("gitsession.start", "choice", None, "`worktree`: each session gets one", ("worktree",)),
            Setting("gitsession.trailers", "choice", None, "trailers in commit messages", ("session", "patch", "both")),
            Setting("gitsession.watch", "choice", "inotify", "`poll`: look instead of watching", ("inotify", "poll")),
            Setting("gitsession.worktreeRoot", "text", None, "where the worktrees of sessions are made"),
        )
    )
)


def find(setting: Setting, configured: Sequence[str], env: Mapping[str, str]) -> Found:
    """What a setting is. ``configured``: its values in git's configuration, the last one counts.

    Raises:
        BadRequest: what is written there means nothing; the message names where and what.
    """
    if configured:
        if setting.kind == "texts":
            return Found(setting, tuple(configured), "git config", " ".join(configured))
        text = configured[-1]
        return Found(setting, value_of(setting, text, setting.key), "git config", text)
    for name in setting.variables:
        text = env.get(name, "")
        if text.strip():
            return Found(setting, value_of(setting, text, name), name, text)
    return default_of(setting)


def default_of(setting: Setting) -> Found:
    """What it is if nobody says."""
    value = None if setting.default is None else value_of(setting, setting.default, setting.key)
    return Found(setting, value, "default")


def value_of(setting: Setting, text: str, where: str) -> Value:
    """The value of what was written at ``where``, a key or a variable.

    Raises:
        BadRequest: it means nothing.
    """
    word = text.strip()
    if setting.kind == "text":
        return text
    if setting.kind == "texts":
        return tuple(word.split())
    if setting.kind == "flag" and word.lower() in TRUE_WORDS + FALSE_WORDS:
        return word.lower() in TRUE_WORDS
    if setting.kind == "choice" and word in setting.choices:
        return word
    number: float | None = None
    if setting.kind == "time" and TIME.fullmatch(word):
        number = seconds_of(word)
    if setting.kind == "number" and NUMBER.fullmatch(word):
        unit = UNITS.get(word[-1].lower(), 1)
        number = int(word if unit == 1 else word[:-1]) * unit
    if number is not None and setting.least <= number < float("inf"):
        return number
    raise BadRequest(f"{where} = {text!r} {wrong_words(setting)}", hint=way_words(setting, where))


def wrong_words(setting: Setting) -> str:
    """Why a text is no value, as the end of a sentence."""
    if setting.kind == "choice":
        return f"is none of {', '.join(setting.choices)}"
    if setting.kind == "flag":
        return "is neither true nor false"
    least = " above 0" if setting.least and setting.kind == "time" else ""
    return f"is no time{least}" if setting.kind == "time" else "is no number" + (" above 0" if setting.least else "")


def way_words(setting: Setting, where: str) -> str:
    """The command that mends a bad value."""
    good = setting.default or (setting.choices[0] if setting.choices else "")
    return f"git config {setting.key} {good}" if where == setting.key else f"unset {where}"


class Coordination(NamedTuple):
    """The settings of clients and locks; seconds, and a count."""

    ttl_s: float = 300.0
    wait_s: float = 30.0
    client_ttl_s: float = 86400.0
    heartbeat_s: float = 30.0
    max_connections: int = 1000


def coordination(values: Sequence[Value]) -> Coordination:
    """Those of :data:`COORDINATION`, in its order."""
    ttl, wait, client_ttl, heartbeat, connections = (float(value) for value in values if isinstance(value, int | float))
    return Coordination(ttl, wait, client_ttl, heartbeat, int(connections))
