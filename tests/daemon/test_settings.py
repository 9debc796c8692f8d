"""Front's settings of clients and locks: whose environment counts, and what a bad value does."""

from __future__ import annotations

import pytest

from gitsessiond.daemon import settings
from gitsessiond.daemon.settings import Coordinating, Settings
from gitsessiond.model.errors import BadRequest, GitSessionError
from gitsessiond.model.settings import Coordination


def test_the_askers_environment_counts_before_the_daemons() -> None:
    """git's configuration, the asker, the daemon, the default; each setting by itself."""
    configured = {"gitsession.lockWaitTimeout": ["1", "2"]}
    daemon = {"LOCK_DEFAULT_TTL": "60", "LOCK_WAIT_TIMEOUT": "9", "SESSION_TTL": "3600"}
    found = Coordinating(lambda key: configured.get(key, []), daemon)
    assert found.now() == Coordination(60.0, 2.0, 3600.0, 30.0, 1000)
    asker = {"env": {"LOCK_DEFAULT_TTL": "5", "SESSION_HEARTBEAT": "1", "GITSESSION_LOCK_WAIT_TIMEOUT": "7"}}
    assert found.asked_by(asker) == Coordination(5.0, 2.0, 3600.0, 1.0, 1000)
    assert found.asked_by({}) == found.asked_by({"env": None}) == found.now()
    configured["gitsession.lockWaitTimeout"] = ["3"]
    assert found.now().wait_s == 3.0
    assert Settings().coordinating.now() == Coordination()


def test_a_bad_value_is_the_askers_error_and_the_daemons_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command says what is wrong with its words; the daemon goes on, and says it once."""
    logged: list[str] = []
    monkeypatch.setattr(settings, "log", logged.append)
    found = Coordinating(lambda key: [], {"LOCK_DEFAULT_TTL": "soon"})
    assert found.now() == found.asked_by({}) == Coordination()
    assert logged == ["LOCK_DEFAULT_TTL = 'soon' is no time above 0; 300 it is"]
    with pytest.raises(BadRequest, match="LOCK_DEFAULT_TTL = '-1' is no time above 0"):
        found.asked_by({"env": {"LOCK_DEFAULT_TTL": "-1"}})
    wrong = Coordinating(lambda key: ["x"] if key == "gitsession.heartbeat" else [], {})
    with pytest.raises(BadRequest, match=r"gitsession\.heartbeat = 'x' is no time above 0"):
        wrong.asked_by({})
    assert wrong.now().heartbeat_s == 30.0


def test_a_configuration_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing, and that is said once."""
    logged: list[str] = []
    monkeypatch.setattr(settings, "log", logged.append)

    def unreadable(key: str) -> list[str]:
        raise GitSessionError("bad config line 3")

    assert Coordinating(unreadable, {}).now() == Coordination()
    assert logged == ["git's configuration: bad config line 3"]
