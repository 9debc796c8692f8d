"""A linked worktree that is removed and added again: saves there are steps as before, and older ones can be restored."""

from __future__ import annotations

import pytest

from gitsessiond.wire.client import Client
from tests.bench import Workbench, wait_for


@pytest.mark.parametrize("noticed", [False, True])
def test_worktree_added_again(bench: Workbench, noticed: bool) -> None:
    """Each save there is one step, without any command in between; ``noticed``: its loss was seen before."""

    def told(what: str) -> int:
        """A figure of front's; asking for it has nobody look at the disk."""
        return int(Client(str(bench.root), autostart=False).call("daemon.status", {})[what])

    bench.git("config", "gitsession.scanEvery", "0")
    bench.run("start", "day", "--worktree")
    linked = bench.at(bench.root.parent / "shop.sessions" / "day")
    linked.write("a.txt", "first\n")
    wait_for(lambda: told("saves") == 1)
    bench.git("worktree", "remove", "--force", str(linked.root))
    if noticed:
        wait_for(lambda: told("sessions") == 0, why="until nothing is watched")
    bench.git("worktree", "add", "-q", str(linked.root), "session/day")
    wait_for(lambda: told("saves") == 2, why="for what the new worktree holds")
    linked.write("a.txt", "again\n")
    wait_for(lambda: told("saves") == 3, why="for what is saved in it")
    linked.write("a.txt", "and again\n")
    wait_for(lambda: told("saves") == 4)
    linked.run("restore", "a.txt", "--at", "2")
    assert linked.read("a.txt") == "first\n"
