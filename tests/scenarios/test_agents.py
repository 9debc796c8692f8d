"""Three coding agents and a person in one tree, by the hooks of their tools: each patch has what is its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitsessiond.wire.client import Client
from tests.bench import Workbench, bench, wait_for
from tests.scenarios.agent import SHARED, SLOTS, shared_text, turn

__all__ = ["bench"]

TOP = Path(__file__).parents[2]
SECONDS = float(os.environ.get("GITSESSIOND_AGENTS_SECONDS", "60"))
AGENTS = {"claude": "6f1c0000-1111-4222", "codex": "0199aaaa-bbbb-7ccc", "cursor": "c0ffee00-dddd-4eee"}


class Crowd:
    """Three agents at work in one tree."""

    def __init__(self, bench: Workbench, tmp_path: Path) -> None:
        self.bench, self.logs = bench, tmp_path
        bench.quiet = False
        for name in SHARED:
            bench.write(name, shared_text())
        bench.git("add", "-A")
        bench.git("commit", "-q", "-m", "shared files")
        bench.run("start", "x", "--here")
        self.client = Client(str(bench.root), None)
        self.client.call("patch.new", {"name": "person"})

    def start(self, ops: int, seconds: float, seed: int, hooks: int) -> dict[str, subprocess.Popen[bytes]]:
        env = {**os.environ, "PYTHONPATH": str(TOP)}
        return {
            tool: subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.scenarios.agent",
                    tool,
                    sid,
                    str(ops),
                    str(seconds),
                    str(seed),
                    str(self.log(tool)),
                    str(hooks),
                ],
                cwd=self.bench.root,
                env=env,
                stderr=subprocess.PIPE,
            )
            for tool, sid in AGENTS.items()
        }

    def log(self, tool: str) -> Path:
        return self.logs / f"{tool}.log"

    def lines(self, tool: str) -> list[tuple[str, str]]:
        """Path and text of each line that an agent has written."""
        if not self.log(tool).exists():
            return []
        rows = self.log(tool).read_text().splitlines()
        return [(row.partition("\t")[0], row.partition("\t")[2]) for row in rows]

    def person(self, number: int) -> None:
        """A person puts a line into a file that an agent may hold."""
        name, slot = SHARED[number % len(SHARED)], f"{SLOTS[number // len(SHARED) % len(SLOTS)]} line 3\n"
        with turn(self.bench.root):
            text = self.bench.read(name)
            self.bench.write(name, text.replace(slot, slot + f"by person {number}\n", 1))

    def check(self, persons: int) -> None:
        """No foreign line in any patch, no line lost, every share can be merged alone."""
        status = self.client.call("session.status", {})
        lines: dict[str, set[str]] = {}
        for patch in status["patches"]:
            tool = patch["name"].partition("-")[0]
            diff = self.client.call("patch.diff", {"patch": patch["name"]})["diff"]
            added = {line[1:] for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")}
            assert all(line.startswith(f"by {tool} ") for line in added), (patch["name"], added)
            lines[patch["name"]] = added
        owned = {patch["name"].partition("-")[0] for patch in status["patches"]}
        assert owned == {*AGENTS, "person"}, owned
        for tool in AGENTS:
            assert self.lines(tool), tool
            for path, line in self.lines(tool):
                assert line in self.bench.read(path).splitlines(), (tool, path, line)
        on_disk = "".join(self.bench.read(name) for name in SHARED)
        assert all(f"by person {number}\n" in on_disk for number in range(persons))
        for tool in ("claude", "codex"):  # the other one was killed, perhaps before it told of its last write
            assert {line for _, line in self.lines(tool)} <= lines[f"{tool}-{AGENTS[tool][:8]}"], tool
        self.bench.judge()


def test_three_agents_one_killed(bench: Workbench, tmp_path: Path) -> None:
    """Edits, shell edits, new files; one is killed in the middle; a person edits beside them."""
    crowd = Crowd(bench, tmp_path)
    work = crowd.start(3, 0, 1, hooks=1)
    wait_for(lambda: crowd.lines("cursor"), 60)
    os.kill(work["cursor"].pid, signal.SIGKILL)
    crowd.person(0)
    for tool in ("claude", "codex"):
        _, err = work[tool].communicate()
        assert work[tool].returncode == 0, err.decode()
    work["cursor"].wait()
    crowd.check(1)


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 240)
def test_three_agents_for_a_while(bench: Workbench, tmp_path: Path) -> None:
    """GITSESSIOND_AGENTS_SECONDS of it, with commits; one is killed half-way; then each share lands alone."""
    crowd = Crowd(bench, tmp_path)
    work = crowd.start(3, SECONDS, 2, hooks=sys.maxsize)
    end, number = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        crowd.person(number)
        number += 1
        time.sleep(0.7)
        if time.monotonic() > end - SECONDS / 2 and work["cursor"].poll() is None:
            os.kill(work["cursor"].pid, signal.SIGKILL)
    for tool in ("claude", "codex"):
        _, err = work[tool].communicate()
        assert work[tool].returncode == 0, err.decode()
    work["cursor"].wait()
    crowd.check(number)
    for tool in ("claude", "codex"):
        alone = {line for _, line in crowd.lines(tool)}
        name = f"{tool}-{AGENTS[tool][:8]}"
        needs = {one["name"] for one in bench.patch(name)["depends_on"]}
        assert not needs, needs
        bench.run("merge", name, "--ready")
        landed = bench.git("log", "-p", "--format=", "-1", "-m", "--first-parent", "main").out
        added = {line[1:] for line in landed.splitlines() if line.startswith("+") and not line.startswith("+++")}
        assert added == alone
