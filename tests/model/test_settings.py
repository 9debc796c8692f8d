"""Settings: who wins, what means nothing, and that the table holds every key of the product."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gitsessiond.model.errors import BadRequest
from gitsessiond.model.settings import (
    CLIENT_TTL,
    COORDINATION,
    HEARTBEAT,
    LOCK_TTL,
    LOCK_WAIT,
    MAX_CONNECTIONS,
    NOT_FOR_PEOPLE,
    SETTINGS,
    Coordination,
    Setting,
    coordination,
    default_of,
    find,
)
from gitsessiond.wire.requests import OF_DAEMON, OF_REQUESTS

TOP = Path(__file__).parent.parent.parent
MERGE = next(setting for setting in SETTINGS if setting.key == "gitsession.merge")
SIZE = next(setting for setting in SETTINGS if setting.key == "gitsession.maxFileSize")
NEVER = next(setting for setting in SETTINGS if setting.key == "gitsession.never")
PUBLISH = next(setting for setting in SETTINGS if setting.key == "gitsession.publish")


@pytest.mark.parametrize(
    ("configured", "env", "value", "origin"),
    [
        ([], {}, 300.0, "default"),
        ([], {"LOCK_DEFAULT_TTL": "5"}, 5.0, "LOCK_DEFAULT_TTL"),
        ([], {"LOCK_DEFAULT_TTL": "5", "GITSESSION_LOCK_DEFAULT_TTL": "6m"}, 360.0, "GITSESSION_LOCK_DEFAULT_TTL"),
        (["7"], {"LOCK_DEFAULT_TTL": "5", "GITSESSION_LOCK_DEFAULT_TTL": "6"}, 7.0, "git config"),
        (["7", "8"], {}, 8.0, "git config"),
        (["1.5"], {"LOCK_DEFAULT_TTL": "nonsense"}, 1.5, "git config"),
        ([], {"LOCK_DEFAULT_TTL": " "}, 300.0, "default"),
    ],
)
def test_who_wins(configured: list[str], env: dict[str, str], value: float, origin: str) -> None:
    """git's configuration, then our variable, then the short one, then the default."""
    found = find(LOCK_TTL, configured, env)
    assert (found.value, found.origin) == (value, origin)


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        (LOCK_WAIT, "0", 0.0),
        (LOCK_WAIT, "never", 0.0),
        (LOCK_WAIT, "2h", 7200.0),
        (CLIENT_TTL, "1d", 86400.0),
        (HEARTBEAT, "0.5", 0.5),
        (MAX_CONNECTIONS, "2", 2),
        (MAX_CONNECTIONS, "1k", 1024),
        (SIZE, "1M", 1 << 20),
        (SIZE, "0", 0),
        (MERGE, "squash", "squash"),
        (PUBLISH, "Yes", True),
        (PUBLISH, "", False),
    ],
)
def test_what_is_meant(setting: Setting, text: str, value: object) -> None:
    """Times, numbers, words, truths."""
    assert find(setting, [text], {}).value == value


@pytest.mark.parametrize(
    ("setting", "text", "words"),
    [
        (LOCK_TTL, "-5", "is no time above 0"),
        (LOCK_TTL, "0", "is no time above 0"),
        (LOCK_TTL, "nan", "is no time above 0"),
        (LOCK_TTL, "1e400", "is no time above 0"),
        (LOCK_TTL, "9" * 400, "is no time above 0"),
        (LOCK_WAIT, "soon", "is no time"),
        (LOCK_WAIT, "", "is no time"),
        (MAX_CONNECTIONS, "0", "is no number above 0"),
        (MAX_CONNECTIONS, "1.5", "is no number above 0"),
        (MAX_CONNECTIONS, "²", "is no number above 0"),
        (SIZE, "-1", "is no number"),
        (MERGE, "octopus", "is none of merge, rebase, squash"),
        (PUBLISH, "perhaps", "is neither true nor false"),
    ],
)
def test_what_means_nothing(setting: Setting, text: str, words: str) -> None:
    """One plain error that names the key and the value, and the command that mends it."""
    with pytest.raises(BadRequest, match=re.escape(f"{setting.key} = {text!r} {words}")) as told:
        find(setting, [text], {})
    assert told.value.hint == f"git config {setting.key} {setting.default}"


def test_a_bad_variable_is_named() -> None:
    """Not the key, which nobody has written."""
    with pytest.raises(BadRequest, match="LOCK_WAIT_TIMEOUT = 'x' is no time") as told:
        find(LOCK_WAIT, [], {"LOCK_WAIT_TIMEOUT": "x"})
    assert told.value.hint == "unset LOCK_WAIT_TIMEOUT"


def test_defaults() -> None:
    """Every default is a good value; those of clients and locks are the documented ones."""
    found = [default_of(setting) for setting in COORDINATION]
    assert coordination([one.value for one in found]) == Coordination(300.0, 30.0, 86400.0, 30.0, 1000)
    assert all(default_of(setting).origin == "default" for setting in SETTINGS)
    assert default_of(NEVER).value == (".env", "*.pem", "id_*", "*.key")
    assert find(NEVER, ["*.a b", "c"], {}).value == ("*.a b", "c")


def test_variables_travel_with_requests() -> None:
    """wire cannot import the table: its names are the same."""
    of_daemon = set(MAX_CONNECTIONS.variables)
    assert of_daemon == OF_DAEMON
    assert {name for setting in SETTINGS for name in setting.variables} - of_daemon == OF_REQUESTS


def test_every_key_is_in_the_table() -> None:
    """Whatever the product reads, `git session config` shows."""
    used = set()
    for path in (TOP / "gitsessiond").rglob("*.py"):
        used |= set(re.findall(r'"(gitsession\.[a-zA-Z]+)"', path.read_text()))
    for path in (TOP / "hooks").iterdir():
        used |= set(re.findall(r"git config[^)]*? (gitsession\.[a-zA-Z]+)", path.read_text()))
    assert used - NOT_FOR_PEOPLE - {"gitsession.main"} == {setting.key for setting in SETTINGS} - {
        setting.key for setting in COORDINATION
    }
