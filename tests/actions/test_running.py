"""Shell commands of agents that run, as a file says: whatever is in it, saves are recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actions.asking import Asking, it
from tests.actions.test_agents import Agent, edits

__all__ = ["it"]


def noted(it: Asking) -> Iterator[Path]:
    return (it.root / ".git/gitsession/agents").glob("running-*")


def test_a_time_that_is_none_stops_nothing(it: Asking) -> None:
    """Without a zone, of a year to come, in no form: no command runs, and a person's save is the patch in use's."""
    it.ask("patch.new", name="mine")
    Agent(it, "claude").before(command="x")
    (file,) = noted(it)
    (live,) = it.desk.ctx.sessions.values()
    for at, begun in enumerate(("2026-01-01T00:00:00", "2999-01-01T00:00:00+00:00", "now", "9" * 9), 1):
        file.write_text(json.dumps({"k": ["claude 1", begun, None, ""]}))
        live.running = None  # as when the recorder starts
        it.edit("a.txt", f"line {at * 2}\n", "a person's\n")
        it.look()
        assert edits(it, "mine")[-1] == ("a.txt", (at * 2, at * 2)), begun


@pytest.mark.soak
def test_commands_that_never_end_are_forgotten(it: Asking) -> None:
    """Only so many are kept, and none that is as old as none gets; of a closed session none."""
    claude = Agent(it, "claude")
    for number in range(70):
        it.ask("agent.before", **claude.who, call=f"c{number}", command="x")
    (file,) = noted(it)
    rows = json.loads(file.read_text())
    assert len(rows) == 64 and "claude claude-0123456789 c69" in rows
    file.write_text(json.dumps({key: [row[0], "2026-01-01T00:00:00+00:00", *row[2:]] for key, row in rows.items()}))
    it.restart()
    claude.before(command="y")
    assert len(json.loads(file.read_text())) == 1
    it.ask("session.close", yes=True)
    assert not list(noted(it))
