"""Real editors at terminals: the panel is right after each step, for what that editor reveals (docs/editors.md)."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gitsessiond.wire.client import Client
from tests.bench import Workbench, wait_for
from tests.scenarios.writers import Terminal, Tmux


class Revealing(NamedTuple):
    """An editor: how it is told things, and what it reveals."""

    command: list[str]
    package: str  # Debian's
    change: str
    save: str
    leave: str
    program: str
    shows_open: bool = True  # while the text is not changed


EDITORS = {
    "vim": Revealing(["vim", "--cmd", "set backupskip="], "vim", "Go{}\x1b", ":w\r", "\x1b:q!\r", "vim"),
    "nvim": Revealing(["nvim", "--clean"], "neovim", "Go{}\x1b", ":w\r", "\x1b:q!\r", "nvim"),
    "nano": Revealing(["nano", "--locking"], "nano", "\x1b/{}", "\x13", "\x18", "nano"),
    "emacs": Revealing(["emacs", "-nw", "-Q"], "emacs-nox", "\x1b>{}\r", "\x18\x13", "\x18\x03", "emacs", False),
    "joe": Revealing(["joe"], "joe", "{}", "\x0bd\r", "\x03", "joe", False),
    "mcedit": Revealing(["mcedit"], "mc", "{}", "\x1b2\r", "\x1b0", "mcedit", False),
    "jed": Revealing(["jed"], "jed", "{}", "\x18\x13", "\x18\x03", "jed", False),
}


class Desk:
    """One file in one editor, and what the panel says of it."""

    def __init__(self, bench: Workbench, name: str, file: str = "a.txt", at: type[Terminal] = Terminal) -> None:
        self.bench, self.how, self.at = bench, EDITORS[name], at
        if shutil.which(self.how.command[0]) is None:
            pytest.skip(f"{self.how.command[0]} is not installed (Debian package {self.how.package})")
        bench.quiet = False  # the editor writes
        self.path = bench.root / file
        self.terminal = self.begin()

    def begin(self) -> Terminal:
        """The editor, with its first screen."""
        self.lives = True
        terminal = self.at([*self.how.command, self.path.name], self.bench.root)
        terminal.wait(lambda: len(terminal.printed) > 60, "the first screen")  # joe shows few letters of a line
        terminal.read(0.5)
        return terminal

    def editor(self) -> dict[str, Any] | None:
        """What `status --json` says of the file."""
        rows = Client(str(self.bench.root)).call("session.status", {})["editors"]
        return next((row for row in rows if row["path"] == "a.txt"), None)

    def until(self, state: str, modified: bool) -> dict[str, Any]:
        """Wait until the panel says so."""

        def found() -> dict[str, Any] | None:
            if self.lives:
                self.terminal.read(0.02)
            row = self.editor()
            return row if row is not None and (row["state"], row["modified"]) == (state, modified) else None

        found_row: dict[str, Any] = wait_for(found, why=f"for {state}, modified: {modified}: {self.editor()}")
        return found_row

    def panel(self) -> str:
        """The line of the panel."""
        return next(line for line in self.bench.run("--ascii").out.splitlines() if "Editor 1: a.txt" in line)

    def has(self, text: str) -> bool:
        """Whether the file has it; while it is saved it may not be there at all."""
        try:
            return text in self.path.read_text()
        except FileNotFoundError:
            return False

    def save(self, text: str) -> None:
        """Change and save; the panel is right before and after."""
        self.terminal.type(self.how.change.format(text))
        row = self.until("open", modified=True)
        assert (row["program"], row["pid"]) == (self.how.program, self.terminal.pid)
        assert row["sources"]["program"] == "process" and f"not saved in {self.how.program}" in self.panel()
        self.terminal.type(self.how.save)
        self.until("open" if self.how.shows_open else "unknown", modified=False)
        wait_for(lambda: self.has(text), why="for the save")
        wait_for(lambda: (self.editor() or {})["last_saved_at"], why="for the save to be recorded")
        assert "not saved" not in self.panel()
        assert ("open in" in self.panel()) == self.how.shows_open

    def kill(self) -> None:
        """kill -9, and what the editor leaves behind."""
        self.lives = False
        self.terminal.kill()

    def end(self) -> None:
        self.lives = False
        self.terminal.end(self.how.leave)


def test_vim_is_seen_from_open_to_quit(bench: Workbench) -> None:
    bench.run("start", "s")
    desk = Desk(bench, "vim")
    desk.until("open", modified=False)
    desk.save("first")
    desk.end()
    assert desk.until("quit", modified=False)["number"] == 1


@pytest.mark.soak
@pytest.mark.parametrize("name", EDITORS)
def test_the_panel_is_right_after_each_step(bench: Workbench, name: str) -> None:
    """In tmux: open, change, save, save again, quit; then again, and kill -9 with unsaved changes."""
    bench.run("start", "s")
    bench.run("patch", "new", "fix")
    desk = Desk(bench, name, at=Tmux)
    if desk.how.shows_open:
        assert desk.until("open", modified=False)["changed"] is False
        assert desk.panel().endswith(f"a.txt (open in {desk.how.program})")
    else:
        assert desk.editor() is None
    desk.save("first")
    desk.save("second")
    assert "fix patch" in desk.panel()
    desk.end()
    row = desk.until("quit", modified=False)
    assert row["program"] == desk.how.program and desk.panel().endswith("a.txt (fix patch)")
    desk.terminal = desk.begin()
    desk.terminal.type(desk.how.change.format("lost"))
    desk.until("open", modified=True)
    desk.kill()
    desk.until("crashed", modified=True)
    assert desk.panel().endswith(f"(fix patch, {desk.how.program} crashed with unsaved changes)")
    bench.stop()
    assert desk.until("crashed", modified=True)["number"] == 1  # and by the next daemon
    told = [json.loads(line) for line in bench.run("events", "--since", "0", "--json").out.splitlines()]
    types = [event["type"] for event in told if event["type"].startswith("editor_")]
    assert types.count("editor_saved") == 2 and types.count("editor_quit") == 1 and "editor_crashed" in types
    recorded = {one["path"] for step in bench.json("history")["steps"] for one in step["paths"]}
    assert "a.txt" in recorded and not [path for path in recorded if path.startswith((".a.txt", ".#"))]
    bench.judge()


@pytest.mark.soak
def test_two_sessions_have_one_path_open(bench: Workbench) -> None:
    """Each panel has a line of the other's editor, before anything is saved."""
    bench.run("start", "one")
    other = bench.at(bench.root.parent / "two")
    bench.run("start", "two", "--worktree", str(other.root))
    here, there = Desk(bench, "vim"), Desk(other, "nano")
    there.terminal.type(there.how.change.format("theirs"))
    there.until("open", modified=True)
    here.until("open", modified=False)
    assert "a.txt, also open in two (not saved in nano)" in bench.run("--ascii").out
    assert "a.txt, also open in one (open in vim)" in other.run("--ascii").out
    there.terminal.type(there.how.save)
    there.until("open", modified=False)
    assert "a.txt, also changed in two (open in nano)" in bench.run("--ascii").out
    here.terminal.type(here.how.change.format("ours"))
    here.until("open", modified=True)
    there.terminal.type(there.how.change.format("theirs again"))
    there.until("open", modified=True)
    told = [json.loads(line) for line in bench.run("events", "--since", "0", "--json").out.splitlines()]
    assert "path/a.txt" in [event["resource"] for event in told if event["type"] == "overlap"]
    here.end()
    there.kill()


@pytest.mark.soak
def test_editors_by_number_and_in_status(bench: Workbench, sealed: Path) -> None:
    """What is done by an editor's number, and STATUS, which any editor can show; git ignores swap files here."""
    bench.write(".gitignore", ".*.sw?\n")
    bench.git("add", "-A")
    bench.git("commit", "-q", "-m", "no swap files")
    bench.run("start", "s")
    desk = Desk(bench, "vim")
    desk.save("mine")
    assert desk.until("open", modified=False)["number"] == 1
    bench.run("patch", "new", "fix", "--from-editor", "1")
    bench.run("patch", "new", "other")
    listed = bench.run("editors").out
    assert f"open in vim, process {desk.terminal.pid}" in listed and "fix patch" in listed
    switched = bench.run("editors", "switch", "1")
    assert switched.out == "a.txt\n" and "in use: fix" in switched.err
    assert bench.json("editors")["current_editor"] == 1
    bench.run("assign", "--from-editor", "1", "--patch", "other")
    bench.run("editors", "switch", "7", code=10)
    shown = bench.root / ".gitsession" / "STATUS"
    desk.terminal.type(desk.how.change.format("more"))
    wait_for(lambda: "Editor 1: a.txt (other patch, not saved in vim)" in shown.read_text(), why="for STATUS")
    desk.kill()
    wait_for(lambda: "vim crashed with unsaved changes" in shown.read_text(), why="for STATUS")
    assert "hint: vim -r a.txt" in bench.run("editors").err
    (bench.root / ".a.txt.swp").unlink()
    wait_for(lambda: "crashed" not in shown.read_text(), why="for STATUS")


@pytest.mark.soak
def test_work_is_marked_from_the_first_change_to_the_end(bench: Workbench) -> None:
    """Intent on a text, X besides where nobody could merge; a crash frees both, and nobody is kept from reading."""
    bench.write(".gitattributes", "*.plan lockable\n")
    bench.write("some.plan", "line 1\n")
    bench.write("image.bin", b"line 1\0\n")
    bench.git("add", "-A")
    bench.git("commit", "-q", "-m", "files of all kinds")
    bench.run("start", "s")

    def marks() -> set[tuple[str, str]]:
        return {(one["name"], one["mode"]) for one in bench.json("locks")["locks"]}

    def wait_for_marks(*wanted: tuple[str, str]) -> None:
        wait_for(lambda: marks() == set(wanted), why=f"for {wanted}: {marks()}")

    for name, modes in (("a.txt", ["intent"]), ("some.plan", ["intent", "X"]), ("image.bin", ["intent", "X"])):
        desk = Desk(bench, "vim", name)
        assert marks() == set()
        desk.terminal.type(desk.how.change.format("more"))
        wait_for_marks(*((f"path/{name}", mode) for mode in modes))
        row = next(row for row in bench.json("editors")["editors"] if row["path"] == name)
        clients = {one["id"]: one for one in bench.json("clients")["clients"]}
        assert clients[row["client"]]["kind"] == "editor" and clients[row["client"]]["pid"] == desk.terminal.pid
        if name == "a.txt":
            desk.terminal.type(desk.how.save)
            wait_for(partial(desk.has, "more"), why="for the save")
            assert marks() == {("path/a.txt", "intent")}
            desk.end()
        else:
            desk.kill()
        wait_for_marks()
