"""Saves that cannot be recorded are told, while that is so and afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gitsessiond.model.errors import StoreFailed
from gitsessiond.store.store import Store
from tests.actions.asking import LINES, Asking


def broken(*_: Any) -> None:
    raise StoreFailed("database or disk is full", hint="df -h .")


@pytest.mark.parametrize("last", [LINES + "three\n", LINES], ids=["another", "as recorded"])
def test_what_a_full_disk_swallowed_is_a_gap(repo: Path, monkeypatch: pytest.MonkeyPatch, last: str) -> None:
    """A warning while nothing can be written, one gap for the whole time; the last content is recorded."""
    it = Asking(repo)
    it.start()
    file = repo / "a.txt"
    with monkeypatch.context() as full:
        full.setattr(Store, "commit", broken)
        for text in ("one\n", "two\n"):
            file.write_text(LINES + text)
            with pytest.raises(AssertionError, match="disk is full"):
                it.look("a.txt")
        told = it.desk.request(
            {"v": 1, "id": 1, "verb": "session.status", "args": {}, "who": {"cwd": str(repo), "env": {}, "pid": 1}}
        )["ok"]
        assert "disk is full" in told["warnings"][0] and told["gaps"] == []
    file.write_text(last)
    it.look()
    if last == LINES:
        assert "were not recorded" in it.ask("session.status")["warnings"][0]
        file.write_text(LINES + "four\n")
        it.look("a.txt")
    told = it.ask("session.status")
    assert told["warnings"] == []
    assert len(told["gaps"]) == 1
    assert [one["event"]["type"] for one in it.told if "event" in one].count("gap") == 1
    it.restart()
    assert it.ask("session.status")["gaps"] == told["gaps"]
    assert [check for check in it.ask("doctor")["checks"] if not check["ok"]] == []
    it.desk.close()
