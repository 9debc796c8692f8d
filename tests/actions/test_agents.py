"""What agents' hooks tell: their patch gets what is proven to be their write, whoever edits beside them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gitsessiond.model.ownership import live_overlay
from gitsessiond.store.chain import tree_of_commit
from gitsessiond.store.trees import edit_tree
from tests.actions.asking import Asking, it

__all__ = ["it"]


class Agent:
    """A coding agent, by the hooks of its tool."""

    def __init__(self, it: Asking, name: str, **more: Any) -> None:
        self.it, self.who = it, {"tool": name, "id": f"{name}-0123456789", **more}

    def before(self, *paths: str, **more: Any) -> Any:
        return self.it.ask("agent.before", **self.who, call="1", paths=list(paths), **more)

    def after(self, **more: Any) -> Any:
        return self.it.ask("agent.after", **self.who, call="1", **more)

    def edit(self, path: str, old: str, new: str) -> Any:
        """An edit as an agent makes it: before, the write, after."""
        assert self.before(path)["held"] == []
        self.it.edit(path, old, new)
        return self.after(writes=[{"path": path, "pieces": [[old, new]]}])

    def write(self, path: str, text: str) -> Any:
        assert self.before(path)["held"] == []
        (self.it.root / path).write_text(text)
        return self.after(writes=[{"path": path, "content": base64.b64encode(text.encode()).decode()}])

    def shell(self, command: str, run: Any) -> Any:
        self.before(command=command)
        run()
        return self.after()


def edits(it: Asking, name: str) -> list[tuple[str, tuple[int, ...] | None]]:
    shown = it.ask("patch.show", patch=name)["edits"]
    return [(one["path"], tuple(one["lines"]) if one["lines"] else None) for one in shown]


def loose(it: Asking) -> list[tuple[str, tuple[int, ...] | None, str]]:
    rows = it.ask("unassigned")["unassigned"]
    return [(one["path"], tuple(one["lines"]) if one["lines"] else None, one["code"]) for one in rows]


def owned(it: Asking) -> bool:
    """Whether what is owned is what is on disk."""
    (live,) = it.desk.ctx.sessions.values()
    overlay = live_overlay(live.state.owners, it.desk.ctx.tools)
    base = tree_of_commit(it.desk.ctx.store, live.state.session.base)
    return edit_tree(it.desk.ctx.store, base, overlay) == live.state.work


def test_an_edit_is_its_agents_whoever_edits_beside_it(it: Asking) -> None:
    """Somebody's save in the same file, during the call or after it, stays nobody's; the patch in use does not get it."""
    it.ask("patch.new", name="mine")
    claude = Agent(it, "claude")
    assert claude.edit("a.txt", "line 2\n", "LINE 2\n")["placed"]
    claude.before("a.txt")
    it.edit("a.txt", "line 6\n", "SIX\n")
    it.look()
    it.edit("a.txt", "line 9\n", "NINE\n")
    told = claude.after(writes=[{"path": "a.txt", "pieces": [["line 9\n", "NINE\n"]]}])
    assert [one["lines"] for one in told["placed"]] == [[9, 9]] and [one["lines"] for one in told["left"]] == [[6, 6]]
    it.edit("a.txt", "line 4\n", "FOUR\n")
    it.look()
    assert edits(it, "claude-claude-0") == [("a.txt", (2, 2)), ("a.txt", (9, 9))]
    assert loose(it) == [("a.txt", (4, 4), "unproven"), ("a.txt", (6, 6), "unproven")] and edits(it, "mine") == []
    row = it.ask("unassigned")["unassigned"][0]
    assert row["reason"] == "not proven to be a write of claude-claude-0, which has claimed the file"
    assert it.ask("session.status")["session"]["patch_in_use"] == it.ask("patch.show", patch="mine")["patch"]["id"]


def test_an_edit_is_its_agents_where_a_commit_came_between(it: Asking) -> None:
    """And somebody's lines are nobody's, above it, beside it and in the call, from before the commit and after it."""
    claude, codex = Agent(it, "claude"), Agent(it, "codex")
    codex.edit("src/b.txt", "b 2\n", "B 2\n")
    claude.edit("a.txt", "line 2\n", "LINE 2\n")
    it.ask("commit", message="of its own", patch="claude-claude-0")
    it.edit("a.txt", "line 4\n", "FOUR\n")
    it.look()
    claude.before("a.txt")
    it.edit("a.txt", "line 9\n", "NINE\n")
    it.look()
    it.ask("commit", message="of another", patch="codex-codex-01")
    it.edit("a.txt", "line 6\n", "SIX\n")
    it.look()
    told = claude.after(writes=[{"path": "a.txt", "pieces": [["line 9\n", "NINE\n"]]}])
    assert [one["lines"] for one in told["placed"]] == [[9, 9]]
    assert edits(it, "claude-claude-0") == [("a.txt", (2, 2)), ("a.txt", (9, 9))]
    assert loose(it) == [("a.txt", (4, 4), "unproven"), ("a.txt", (6, 6), "unproven")]
    claude.before("a.txt")
    it.edit("a.txt", "line 5\n", "FIVE\n")
    it.look()
    codex.edit("src/b.txt", "b 8\n", "B 8\n")
    it.ask("commit", message="of another again", patch="codex-codex-01")
    claude.after(writes=[{"path": "a.txt", "pieces": [["line 5\n", "FIVE\n"]]}])
    assert edits(it, "claude-claude-0") == [("a.txt", (2, 2)), ("a.txt", (9, 9))]  # one edit with theirs by now
    assert loose(it) == [("a.txt", (4, 6), "unproven")]
    assert owned(it)


@pytest.mark.soak
def test_what_does_not_match_is_nobodys(it: Asking) -> None:
    """A line changed right beside the write, another content than was declared, a write nobody declared."""
    codex = Agent(it, "codex")
    codex.before("a.txt")
    it.edit("a.txt", "line 2\nline 3\n", "LINE 2\nthree\n")
    assert codex.after(writes=[{"path": "a.txt", "pieces": [["line 2\n", "LINE 2\n"]]}])["placed"] == []
    codex.edit("a.txt", "line 8\n", "LINE 8\n")
    it.edit("a.txt", "line 7\nLINE 8\n", "  line 7\n  LINE 8\n")  # by a formatter: its own line stays its own
    it.look()
    assert edits(it, "codex-codex-01") == [("a.txt", (8, 8))]
    codex.before("new.txt")
    (it.root / "new.txt").write_text("formatted\n")
    assert codex.after(writes=[{"path": "new.txt", "content": base64.b64encode(b"raw\n").decode()}])["placed"] == []
    codex.before("src/b.txt")
    (it.root / "src/b.txt").write_text("other\n")
    assert [one["path"] for one in codex.after(writes=[{"path": "src/b.txt"}])["left"]] == ["src/b.txt"]
    assert {code for _, _, code in loose(it)} == {"unproven"} and len(loose(it)) == 4
    assert codex.write("whole.txt", "mine\n")["placed"] and ("whole.txt", None) in edits(it, "codex-codex-01")


def test_another_agent_is_refused_until_the_holder_ends(it: Asking) -> None:
    """It is told who holds the path; at the end of that one, or when its process is gone, it gets it."""
    claude, codex = Agent(it, "claude", pid=2**22 + 1, started="1"), Agent(it, "codex")
    claude.edit("a.txt", "line 2\n", "LINE 2\n")
    cursor = Agent(it, "cursor")
    cursor.write("b.txt", "b\n")
    assert codex.before("b.txt")["held"] == [{"path": "b.txt", "by": "cursor-cursor-0"}]
    it.ask("agent.end", **cursor.who, release=True)
    assert codex.edit("b.txt", "b\n", "b\nmore\n")["placed"]
    assert codex.edit("a.txt", "line 9\n", "LINE 9\n")["placed"]  # claude's process was killed
    assert {one["by"] for one in it.ask("session.status")["claims"]} == {"codex-codex-01"}
    for name, other in (("claude-claude-0", "a.txt"), ("cursor-cursor-0", "b.txt"), ("codex-codex-01", "a.txt")):
        assert other in {path for path, _ in edits(it, name)}
    assert loose(it) == []


def test_shell_edits_are_proven_by_what_the_command_says(it: Asking) -> None:
    """The file is named and the words are in the command; what is made by other means, or by others, is nobody's."""
    it.ask("patch.new", name="mine")
    claude = Agent(it, "claude")

    def sed() -> None:
        it.edit("a.txt", "line 2\n", "zwei\n")
        it.edit("src/b.txt", (it.root / "src/b.txt").read_text(), "a person's\n")
        it.look()
        it.edit("a.txt", "line 8\n", "a person's\n")

    told = claude.shell("sed -i 's/line 2/zwei/' a.txt", sed)
    assert [one["lines"] for one in told["placed"]] == [[2, 2]]
    assert edits(it, "claude-claude-0") == [("a.txt", (2, 2))] and edits(it, "mine") == []
    assert {(path, code) for path, _, code in loose(it)} == {("a.txt", "shell"), ("src/b.txt", "shell")}
    assert claude.shell("make gen \ud800", lambda: (it.root / "gen.py").write_text("generated\n"))["placed"] == []
    told = claude.shell(
        "cat > doc.md <<'E'\n# Title\n\ntext\nE", lambda: (it.root / "doc.md").write_text("# Title\n\ntext\n")
    )
    assert [one["path"] for one in told["placed"]] == ["doc.md"]
    assert ("doc.md", None) in edits(it, "claude-claude-0") and edits(it, "mine") == []
    it.ask("patch.use", patch="mine", strict=True)

    def beside() -> None:
        it.edit("a.txt", "line 6\n", "a person's, of a strict patch\n")
        it.look()
        it.edit("a.txt", "line 4\n", "vier\n")

    it.ask("agent.end", **claude.who, release=True)
    claude.shell("sed -i 's/line 4/vier/' a.txt", beside)
    assert edits(it, "mine") == [("a.txt", (6, 6))] and ("a.txt", (4, 4)) in edits(it, "claude-claude-0")
    it.ask("patch.use", patch="mine")
    it.ask("agent.end", **claude.who, release=True)
    claude.before(command="sleep 600")
    it.ask("agent.end", **claude.who)  # it was interrupted, which nobody tells; this is the next prompt
    (it.root / "mine.txt").write_text("mine\n")
    codex = Agent(it, "codex", pid=2**22 + 1, started="1")
    codex.write("codex.txt", "mine\n")
    codex.before(command="sleep 600")  # killed
    (it.root / "more.txt").write_text("mine\n")
    it.look()
    assert edits(it, "mine") == [("a.txt", (6, 6)), ("mine.txt", None), ("more.txt", None)]


def test_the_settings_of_an_agent_come_and_go_by_their_command_alone(it: Asking) -> None:
    """Uninstalling all of git session leaves them and says so; what cannot be read is refused."""
    assert it.ask("hooks.agent.install", agent="claude")["state"] == "installed"
    assert ".claude/settings.json still calls" in it.ask("uninstall", yes=True)["warnings"][0]
    assert it.ask("hooks.agent.uninstall", agent="claude")["changed"]
    assert not any("settings.json" in one for one in it.ask("uninstall", yes=True)["warnings"])


@pytest.mark.soak
def test_a_shell_renames_and_deletes(it: Asking) -> None:
    """A rename is the agent's, the lines in it stay whose they are; what a command does not take away is nobody's."""
    it.patch("mine", "a.txt", "line 5\n", "mine\n")
    codex = Agent(it, "codex")
    told = codex.shell("git mv a.txt c.txt", lambda: (it.root / "a.txt").rename(it.root / "c.txt"))
    assert [(one["path"], one["kind"]) for one in told["placed"]] == [("c.txt", "rename")]
    assert edits(it, "mine") == [("c.txt", (5, 5))] and edits(it, "codex-codex-01") == [("c.txt", None)]
    codex.before("c.txt", "d.txt")  # moved and edited in one, by apply_patch
    it.edit("c.txt", "line 9\n", "LINE 9\n")
    (it.root / "c.txt").rename(it.root / "d.txt")
    wrote = base64.b64encode((it.root / "d.txt").read_bytes()).decode()
    codex.after(writes=[{"path": "c.txt", "deleted": True}, {"path": "d.txt", "content": wrote}])
    assert edits(it, "codex-codex-01") == [("d.txt", None), ("d.txt", (9, 9))] and edits(it, "mine") == [
        ("d.txt", (5, 5))
    ]
    assert not loose(it) and owned(it)
    codex.before(command="rm d.txt")  # a person moves it meanwhile, and the command finds nothing
    it.look()
    (it.root / "d.txt").rename(it.root / "e.txt")
    codex.after()
    assert owned(it)
    assert codex.shell("cat src/b.txt", (it.root / "src/b.txt").unlink)["placed"] == []
    assert loose(it) == [("e.txt", None, "shell"), ("src/b.txt", None, "shell")]


@pytest.mark.soak
def test_what_returns_is_whose_it_was(it: Asking) -> None:
    """An agent stashes the whole tree and takes it back: its own edits, a person's and another agent's are as before."""
    it.patch("mine", "a.txt", "line 5\n", "mine\n")
    claude, codex = Agent(it, "claude"), Agent(it, "codex")
    claude.edit("src/b.txt", (it.root / "src/b.txt").read_text(), "claude's\n")
    before = edits(it, "mine"), edits(it, "claude-claude-0")

    def stash() -> None:
        it.git("stash")
        it.look()
        it.git("stash", "pop")

    codex.shell("git stash; git stash pop", stash)
    assert (edits(it, "mine"), edits(it, "claude-claude-0")) == before and loose(it) == [] and owned(it)


@pytest.mark.soak
def test_a_commit_in_a_shell_command_takes_nothing_from_anybody(it: Asking) -> None:
    """`sed` and `git commit` in one: the edit is the agent's, and committed; a person's stays nobody's."""
    claude = Agent(it, "claude")
    claude.edit("a.txt", "line 1\n", "LINE 1\n")
    it.ask("agent.end", **claude.who, release=True)
    (it.root / "mine.txt").write_text("a person's\n")

    def both() -> None:
        it.edit("src/b.txt", (it.root / "src/b.txt").read_text(), "zwei\n")
        it.look()
        it.git("add", "-A")
        it.git("commit", "-q", "-m", "all")

    it.ask("patch.new", name="mine")
    claude.shell("echo zwei > src/b.txt; git add -A; git commit -m all", both)
    assert {path for path, _ in edits(it, "claude-claude-0")} == {"a.txt", "src/b.txt"}
    assert edits(it, "mine") == [("mine.txt", None)]
    assert claude.it.merge("claude-claude-0")["merged"] and it.on_target("src/b.txt") == "zwei\n"
