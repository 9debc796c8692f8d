"""Agents' calls and people's saves, commits and commands mixed at random: no foreign line in any patch, nothing lost."""

from __future__ import annotations

import base64
import random

import pytest

from gitsessiond.model.errors import GitSessionError
from tests.actions.asking import Asking, it
from tests.actions.test_agents import Agent, owned

__all__ = ["it"]

FILES = ("a.txt", "src/b.txt", "c.txt")
TOOLS = ("claude", "codex", "cursor")


class Mixed:
    """Three agents and a person at work; each line that somebody writes says who did."""

    def __init__(self, it: Asking, seed: int) -> None:
        self.it, self.random, self.count = it, random.Random(seed), 0
        for path in FILES:
            (it.root / path).write_text("".join(f"{path} {n}\n" for n in range(6)))
        it.look()
        it.ask("patch.new", name="person")
        if self.random.random() < 0.5:
            it.ask("patch.use", patch="-")
        self.agents = {tool: Agent(it, tool) for tool in TOOLS}
        self.open: dict[str, tuple[str, str, str, str]] = {}  # by tool: where, what is replaced by what, all of it then

    def line(self, who: str) -> str:
        self.count += 1
        return f"{who} {self.count}\n"

    def lines(self, path: str) -> list[str]:
        full = self.it.root / path
        return full.read_text().splitlines(keepends=True) if full.exists() else []

    def put(self, path: str, lines: list[str]) -> None:
        (self.it.root / path).write_text("".join(lines))

    def person(self) -> None:
        """A save: some lines come, go or change."""
        path = self.random.choice(FILES)
        lines = self.lines(path)
        at = self.random.randrange(len(lines) + 1)
        own = [self.line("person") for _ in range(self.random.randrange(3))]
        self.put(path, lines[:at] + own + lines[at + self.random.randrange(2) :])
        if self.random.random() < 0.6:
            self.it.look()

    def begin(self) -> None:
        """An agent's tool is about to edit, or its shell to run."""
        tool = self.random.choice(TOOLS)
        if tool in self.open:
            return
        path = self.random.choice(FILES)
        lines = self.lines(path)
        old = self.random.choice(lines) if lines else ""
        if not old or lines.count(old) != 1:
            return
        new = self.random.choice((old, "")) + self.line(tool)
        if self.random.random() < 0.3:
            new = old + self.line(tool)
            self.agents[tool].before(command=f"sed -i '/{old.strip()}/a {new.splitlines()[1]}' {path}")
            self.open[tool] = (f"shell {path}", old, new, "")
        elif not self.agents[tool].before(path)["held"]:
            whole = "".join(lines).replace(old, new) if self.random.random() < 0.3 else ""
            self.open[tool] = (path, old, new, whole)

    def end(self) -> None:
        """The tool does it, as well as it can by now, and tells."""
        if not self.open:
            return
        tool = self.random.choice(list(self.open))
        where, old, new, whole = self.open.pop(tool)
        path = where.removeprefix("shell ")
        text = "".join(self.lines(path))
        if whole or text.count(old) == 1:
            (self.it.root / path).write_text(whole or text.replace(old, new))
        if self.random.random() < 0.3:
            self.person()
        if path != where:
            self.agents[tool].after()
        elif whole:
            self.agents[tool].after(writes=[{"path": path, "content": base64.b64encode(whole.encode()).decode()}])
        else:
            self.agents[tool].after(writes=[{"path": path, "pieces": [[old, new]]}])

    def otherwise(self) -> None:
        """What people and agents do besides."""
        what = self.random.randrange(6)
        if what == 0:
            self.it.git("add", "-A")
            self.it.git("commit", "-q", "--allow-empty", "-m", f"all {self.count}")
        elif what == 1:
            self.it.ask("agent.end", **self.agents[self.random.choice(TOOLS)].who)
        elif what == 2:
            self.it.ask("patch.use", patch=self.random.choice(("person", "-")))
        elif what == 3:
            self.it.restart()
        else:
            tool = self.random.choice(TOOLS)
            try:
                self.it.ask("commit", message="its own", patch=f"{tool}-{tool}-01"[:15])
            except GitSessionError:
                pass  # there is no such patch yet, or nothing in it

    def check(self) -> None:
        """No line of somebody else's in an agent's patch, no agent's line in another's, and owners are the disk."""
        assert owned(self.it)
        for patch in self.it.ask("patch.list")["patches"]:
            who = patch["name"].partition("-")[0]
            diff = str(self.it.ask("patch.diff", patch=patch["name"])["diff"])
            added = [line[1:] for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]
            foreign = [line for line in added if line.partition(" ")[0] not in (who, *FILES)]
            assert not foreign, (patch["name"], foreign)

    def added(self, tool: str) -> set[str]:
        """The lines that an agent's patch adds."""
        names = [patch["name"] for patch in self.it.ask("patch.list")["patches"] if patch["name"].startswith(tool)]
        diffs = (str(self.it.ask("patch.diff", patch=name)["diff"]) for name in names)
        return {line[1:] for diff in diffs for line in diff.splitlines(keepends=True) if line.startswith("+")}


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(6))
def test_agents_and_people_mixed(it: Asking, seed: int) -> None:
    """Whatever comes in which order."""
    mixed = Mixed(it, seed)
    ways = [mixed.person] * 5 + [mixed.begin] * 6 + [mixed.end] * 6 + [mixed.otherwise]
    for _ in range(80):
        mixed.random.choice(ways)()
        mixed.it.look()
        mixed.check()
    there = {tool: {line for path in FILES for line in mixed.lines(path) if line.startswith(tool)} for tool in TOOLS}
    got = sum(len(there[tool] & mixed.added(tool)) for tool in TOOLS)
    assert got, there  # not all of it: an edit of unassigned lines stays so
