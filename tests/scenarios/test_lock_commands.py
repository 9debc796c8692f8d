"""Locks from the command line: two clients in one repository, with a daemon and without one."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from tests.bench import Workbench, wait_for

BOT = {"GITSESSION_CLIENT": "bot"}
ANN = {"GITSESSION_CLIENT": "ann"}

pytestmark = pytest.mark.soak


def held(bench: Workbench, env: dict[str, str] | None = None) -> list[tuple[str, str, str]]:
    """Whose locks there are, and in what state."""
    found: dict[str, Any] = json.loads(bench.run("locks", "--json", env=env).out)
    return [(lock["name"], lock["client"], lock["state"]) for lock in found["locks"]]


def test_two_clients_and_one_file(bench: Workbench) -> None:
    """Refused with who has it (exit 11), broken with a reason, and told to who lost it; a daemon's end changes nothing."""
    bench.run("lock", "a.txt", "--reason", "moving", env=ANN)
    refused = bench.run("lock", "*.txt", code=11, env=BOT).err
    assert refused.startswith("error: a.txt is locked by ann (")
    assert "hint: git session lock '*.txt' --wait" in refused
    os.kill(bench.daemon()["pid"], 9)
    assert wait_for(lambda: held(bench, BOT)) == [("path/a.txt", "ann", "unconfirmed")]
    assert bench.run("unlock", "a.txt", code=11, env=BOT).err.endswith("--force --reason WHY\n")
    bench.run("unlock", "a.txt", "--force", "--reason", "on leave", env=BOT)
    assert "lost: a.txt broken by bot: on leave" in bench.run("locks", env=ANN).out


def test_the_end_of_the_daemon_is_no_end_of_waiting(bench: Workbench) -> None:
    """Killed or stopped: the next one is asked."""
    bench.run("lock", "a.txt", env=ANN)
    words = ["git", "session", "lock", "a.txt", "--wait", "60"]
    waits = subprocess.Popen(words, cwd=bench.root, env=os.environ | BOT, stdout=subprocess.PIPE, text=True)
    for end in (lambda: bench.kill("pid"), bench.stop):
        wait_for(lambda: bench.json("locks")["waiting"], why="for who waits")
        end()
    bench.run("unlock", "a.txt", env=ANN)
    assert waits.communicate(timeout=60)[0].startswith("Locked a.txt (")


def test_where_no_daemon_may_run(bench: Workbench) -> None:
    """The same journal, one request at a time: leases end by the clock, and nobody waits."""
    alone = {"CI": "true"}
    bench.stop()
    bench.run("lock", "b.txt", "--ttl", "0.001", env=ANN | alone)
    bench.run("lock", "a.txt", env=ANN | alone)
    assert held(bench, BOT | alone) == [("path/a.txt", "ann", "held")]
    bench.run("lock", "a.txt", "--wait", "0.2", code=11, env=BOT | alone)
    bench.run("lock", "b.txt", env=BOT | alone)
    assert "lost" not in bench.run("unlock", "--all", env=ANN | alone).out
    bench.run("lock", "b.txt", code=11, env=ANN)  # a daemon runs from here on
    assert bench.run("unlock", "--all", env=BOT | alone).out == "Unlocked b.txt.\n"
    assert held(bench, ANN) == []
