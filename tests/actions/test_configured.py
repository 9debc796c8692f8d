"""`config`: every setting with its value, and who said so."""

from __future__ import annotations

from typing import Any

import pytest

from gitsessiond.model.settings import SETTINGS
from tests.actions.asking import Asking, it
from tests.conftest import git

__all__ = ["it"]


def setting(it: Asking, name: str) -> dict[str, Any]:
    found = it.ask("config")["settings"]
    return next(one for one in found if one["key"] == f"gitsession.{name}")


def test_config_tells_value_default_and_origin(it: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default, the daemon's environment, the asker's, git's configuration: each wins over those before it."""
    assert [one["key"] for one in it.ask("config")["settings"]] == [one.key for one in SETTINGS]
    found = setting(it, "lockDefaultTtl")
    assert (found["value"], found["origin"], found["default"]) == (300.0, "default", "300")
    monkeypatch.setenv("GITSESSION_LOCK_DEFAULT_TTL", "60")
    assert setting(it, "lockDefaultTtl")["origin"] == "GITSESSION_LOCK_DEFAULT_TTL"
    it.env["LOCK_DEFAULT_TTL"] = "5m"
    found = setting(it, "lockDefaultTtl")
    assert (found["value"], found["text"], found["origin"]) == (300.0, "5m", "LOCK_DEFAULT_TTL")
    git(it.root, "config", "gitsession.lockDefaultTtl", "7")
    found = setting(it, "lockDefaultTtl")
    assert (found["value"], found["origin"]) == (7.0, f"file:{it.root}/.git/config")
    it.env["WS_MAX_CONNECTIONS"] = "2"
    assert setting(it, "maxConnections")["value"] == 1000, "that is for the daemon that is started there"


def test_config_tells_what_means_nothing(it: Asking) -> None:
    """A bad value is named where it stands; a key that nobody reads is unknown."""
    git(it.root, "config", "gitsession.merge", "octopus")
    git(it.root, "config", "gitsession.mergge", "squash")
    it.env["LOCK_WAIT_TIMEOUT"] = "-1"
    merge, wait = setting(it, "merge"), setting(it, "lockWaitTimeout")
    assert merge["wrong"] == "gitsession.merge = 'octopus' is none of merge, rebase, squash"
    assert (merge["value"], merge["origin"]) == ("merge", f"file:{it.root}/.git/config")
    assert (wait["wrong"], wait["hint"]) == ("LOCK_WAIT_TIMEOUT = '-1' is no time", "unset LOCK_WAIT_TIMEOUT")
    assert it.ask("config")["unknown"] == ["gitsession.mergge"]
    git(it.root, "config", "--add", "gitsession.never", "*.a")
    git(it.root, "config", "--add", "gitsession.never", "*.b")
    assert setting(it, "never")["value"] == ["*.a", "*.b"]
