"""Agents that are alike: two of one minute, two of one patch, one in two worktrees; whose a claim and an edit is."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.actions.asking import Asking, it
from tests.actions.test_agents import Agent, edits, loose, owned

__all__ = ["it"]


def agent(it: Asking, tool: str, sid: str, **more: Any) -> Agent:
    """An agent of this id."""
    made = Agent(it, tool, **more)
    made.who["id"] = sid
    return made


def claimed(it: Asking) -> dict[str, str]:
    """Who has claimed each path."""
    return {path: one["by"] for one in it.ask("session.status")["claims"] for path in one["paths"]}


def test_the_end_of_an_agent_is_not_that_of_one_like_it(it: Asking) -> None:
    """Ids of one minute begin alike; and two agents may work for one patch."""
    first = agent(it, "codex", "0199a213-81c0-7800-8aa1-aaaaaaaaaaaa")
    second = agent(it, "codex", "0199a213-9999-7800-8bb2-bbbbbbbbbbbb")
    first.edit("a.txt", "line 2\n", "LINE 2\n")
    second.write("b.txt", "b\n")
    assert claimed(it) == {"a.txt": "codex-aaaaaaaa", "b.txt": "codex-bbbbbbbb"}
    third = agent(it, "claude", "cccccccc-1", patch="codex-bbbbbbbb")
    assert third.before("b.txt")["held"] == []
    it.ask("agent.end", **first.who, release=True)
    assert claimed(it).keys() == {"b.txt"}
    it.ask("agent.end", **second.who, release=True)
    assert claimed(it) == {"b.txt": "claude-cccccccc"}
    assert first.before("b.txt")["held"] == [{"path": "b.txt", "by": "codex-bbbbbbbb, by claude-cccccccc"}]


def test_a_patch_that_is_not_there_leaves_an_agent_its_own(it: Asking) -> None:
    """GITSESSION_PATCH may be renamed, merged, or of another session; claims hold all the same, and it is told once."""
    it.ask("patch.new", name="mine")
    claude = agent(it, "claude", "aaaaaaaa-1")
    assert claude.before("a.txt")["held"] == []
    for more in ({"patch": "gone"}, {"patch": "mine", "session": "gone"}):
        codex = agent(it, "codex", "bbbbbbbb-1", **more)
        assert codex.before("a.txt")["held"] == [{"path": "a.txt", "by": "claude-aaaaaaaa"}]
        told = codex.write("b.txt", f"{more}\n")
        assert told["patch"]["name"] == "codex-bbbbbbbb"
        assert told["instead"] == ({"told": "gone", "name": "codex-bbbbbbbb"} if more["patch"] == "gone" else None)
    assert edits(it, "mine") == [] == loose(it)
    codex = agent(it, "codex", "bbbbbbbb-1", patch="mine", session="x")
    it.ask("agent.end", **codex.who, release=True)
    assert codex.write("b.txt", "b\n")["instead"] is None and edits(it, "mine") == [("b.txt", (1, 1))]


def test_an_edit_through_a_link_is_one_of_the_file(it: Asking) -> None:
    """Many repositories have CLAUDE.md as a link to AGENTS.md; to delete it is no edit of the file."""
    it.ask("patch.new", name="mine")
    (it.root / "AGENTS.md").write_text("one\n")
    for name, target in (("CLAUDE.md", "AGENTS.md"), ("loop", "loop"), ("out.md", "/etc/hostname")):
        (it.root / name).symlink_to(target)
    it.look()
    claude, codex = agent(it, "claude", "aaaaaaaa-1"), agent(it, "codex", "bbbbbbbb-1")
    told = claude.write("CLAUDE.md", "one\ntwo\n")
    assert [(one["path"], one["lines"]) for one in told["placed"]] == [("AGENTS.md", [2, 2])]
    assert codex.before("AGENTS.md")["held"] == [{"path": "AGENTS.md", "by": "claude-aaaaaaaa"}]
    assert codex.before("CLAUDE.md", "loop", "out.md")["held"][0]["path"] == "AGENTS.md"
    assert codex.before(deletes=["CLAUDE.md"])["held"] == []
    (it.root / "CLAUDE.md").unlink()
    assert [one["path"] for one in codex.after(writes=[{"path": "CLAUDE.md", "deleted": True}])["placed"]] == [
        "CLAUDE.md"
    ]
    assert edits(it, "codex-bbbbbbbb") == [("CLAUDE.md", None)] and owned(it)


@pytest.mark.soak
def test_what_a_command_only_looks_at_is_not_its_write(it: Asking) -> None:
    """A person deletes a file that is compared, changes the mode of one that is shown, makes an empty one, a link."""
    it.ask("patch.new", name="mine")
    script, claude = it.root / "e.sh", agent(it, "claude", "aaaaaaaa-1")
    script.write_text("#!/bin/sh\n")
    (it.root / "old.txt").symlink_to("a.txt")
    it.look()
    (it.root / "keep.txt").write_text("x\n")
    for command, run in (
        ("git diff a.txt | less", (it.root / "a.txt").unlink),
        ("cat e.sh", lambda: script.chmod(0o755)),
        ("ls new.txt", (it.root / "new.txt").touch),
        ("ls -l b", lambda: (it.root / "b").symlink_to("keep.txt")),
        ("readlink old.txt", lambda: ((it.root / "old.txt").unlink(), (it.root / "old.txt").symlink_to("keep.txt"))),
    ):
        assert claude.shell(command, run)["placed"] == [], command
    assert {path for path, _, code in loose(it) if code == "shell"} == {"a.txt", "e.sh", "new.txt", "b", "old.txt"}

    def both() -> None:
        script.write_text("#!/bin/sh\nexit 7\n")
        script.chmod(0o644)

    told = claude.shell("echo 'exit 7' >> e.sh", both)
    assert [(one["path"], one["lines"]) for one in told["placed"]] == [("e.sh", [2, 2])]
    assert claude.shell("chmod 755 e.sh", lambda: script.chmod(0o755))["placed"][0]["kind"] == "mode"
    assert [one["path"] for one in claude.shell("touch t", (it.root / "t").touch)["placed"]] == ["t"]
    assert claude.shell("ln -s e.sh l", lambda: (it.root / "l").symlink_to("e.sh"))["placed"] and owned(it)


def living(it: Asking, *agents: Agent) -> subprocess.Popen[bytes]:
    """A process that these agents are."""
    process = subprocess.Popen(["sleep", "100"])
    started = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()[19]
    for one in agents:
        one.who |= {"pid": process.pid, "started": started}
    return process


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system shows no processes")
def test_a_killed_agent_holds_nothing_whatever_patch_it_was_for(it: Asking) -> None:
    """One that was started for a patch, and one of two for the same patch: what the living one has stays its own."""
    it.ask("patch.new", name="p")
    killed, lives = agent(it, "claude", "aaaaaaaa-1", patch="p"), agent(it, "codex", "bbbbbbbb-1", patch="p")
    process = living(it, killed)
    for number in (2, 4):
        killed.edit("a.txt", f"line {number}\n", f"LINE {number}\n")
    lives.write("b.txt", "b\n")
    other = agent(it, "cursor", "cccccccc-1")
    assert [one["by"] for one in other.before("a.txt")["held"]] == ["p, by claude-aaaaaaaa"]
    process.kill()
    process.wait()
    assert other.before("a.txt")["held"] == [] and other.before("b.txt")["held"] != []
    assert claimed(it) == {"a.txt": "cursor-cccccccc", "b.txt": "codex-bbbbbbbb"}
    assert it.ask("patch.show", patch="p")["edits"] and {one["name"] for one in it.ask("patch.list")["patches"]} == {
        "p",
        "cursor-cccccccc",
    }


@pytest.mark.soak
def test_claims_of_nothing_end_with_the_turn_and_all_with_the_agent(it: Asking) -> None:
    """A tool that was not permitted tells nothing more; what was claimed in another worktree ends from anywhere."""
    claude = agent(it, "claude", "aaaaaaaa-1")
    claude.edit("a.txt", "line 2\n", "LINE 2\n")
    claude.write("b.txt", "b\n")
    claude.before("c.txt")
    claude.before(deletes=["src/b.txt"])
    (it.root / "src/b.txt").unlink()
    claude.after(writes=[{"path": "src/b.txt", "deleted": True}])
    assert [one["paths"] for one in it.ask("agent.end", **claude.who)["claims"]] == [
        ["a.txt"],
        ["b.txt"],
        ["src/b.txt"],
    ]
    side = it.root.parent / "side"
    it.ask("session.start", name="y", worktree=str(side))
    it.root, first = side, it.root
    claude.write("y.txt", "y\n")
    it.ask("agent.end", **claude.who, release=True)
    assert claimed(it) == {}
    it.root = first
    assert claimed(it) == {}


@pytest.mark.soak
def test_a_command_that_goes_elsewhere_ends_where_it_began(it: Asking) -> None:
    """`cd` into another worktree: the hook after it tells from there; and so does the next prompt, if there is none."""
    it.ask("patch.new", name="mine")
    side, first = it.root.parent / "side", it.root
    it.ask("session.start", name="y", worktree=str(side))
    claude = agent(it, "claude", "aaaaaaaa-1")
    claude.before(command="echo one > one.txt; cd ../side")
    (it.root / "one.txt").write_text("one\n")
    it.root = side
    assert [one["path"] for one in claude.after()["placed"]] == ["one.txt"]
    it.root = first
    it.edit("a.txt", "line 2\n", "a person's\n")
    claude.before(command="cd ../side; sleep 600")
    it.root = side
    it.ask("agent.end", **claude.who)  # it was interrupted; this is the next prompt
    it.root = first
    it.edit("a.txt", "line 9\n", "a person's too\n")
    assert edits(it, "mine") == [("a.txt", (2, 2)), ("a.txt", (9, 9))] and loose(it) == []
