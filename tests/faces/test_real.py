"""The installed commands with a real daemon: every JSON reply against its schema, questions on a real terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.bench import Workbench, bench, wait_for
from tests.faces.schemas import SCHEMAS, ErrorReply

__all__ = ["bench"]


def checked(bench: Workbench, command: str, *words: str, code: int = 0) -> Any:
    """Run a command with --json, check its one line against the schema, return the JSON."""
    done = bench.run(*command.split(), *words, "--json", code=code)
    assert done.err == "", done
    lines = done.out.splitlines()
    assert len(lines) == 1, done
    SCHEMAS[command].model_validate_json(lines[0])
    return json.loads(lines[0])


def test_every_reply_fits_its_schema(bench: Workbench) -> None:
    """A day's work, each command with --json: the real replies have exactly the documented fields."""
    bench.write("b.txt", "was there\n")
    started = checked(bench, "start", "day", "-m", "one day")
    assert started["before"] == ["b.txt"]
    bench.edit("a.txt", "line 2\n", "line two\n")
    taken = checked(bench, "patch new", "first", "-m", "the first")
    assert [edit["path"] for edit in taken["taken"]] == ["a.txt"]
    checked(bench, "patch new", "second")
    bench.edit("a.txt", "line 9\n", "line nine\n")
    checked(bench, "unassigned")
    pending = checked(bench, "assign", "b.txt")
    assert [choice["name"] for choice in pending["pending"][0]["choices"]] == ["first", "second"]
    moved = checked(bench, "assign", "b.txt", "--patch", "first")
    assert moved["moved"]
    checked(bench, "patch depend", "second", "--on", "first")
    checked(bench, "patch use", "first", "src")
    checked(bench, "patch use", "-")
    for name in ("patch list", "list", "status", "show", "conflicts", "history", "daemon status"):
        checked(bench, name)
    for name in ("patch show", "patch ops", "patch diff"):
        checked(bench, name, "first")
    checked(bench, "patch rename", "second", "-m", "more")
    checked(bench, "patch validate", "second", code=4)
    checked(bench, "patch abandon", "second")
    checked(bench, "patch reopen", "second")
    checked(bench, "commit", "-m", "first part", "--patch", "first")
    checked(bench, "patch ready", "first")
    checked(bench, "merge", "first", "--dry-run")
    checked(bench, "merge", "first")
    assert "line two" in bench.git("show", "main:a.txt").out
    assert "line nine" not in bench.git("show", "main:a.txt").out
    checked(bench, "rename", "days")
    checked(bench, "switch", "days")
    checked(bench, "restore", "a.txt", "--at", "1")
    assert bench.read("a.txt").startswith("line 1\nline 2\n")
    checked(bench, "doctor")
    checked(bench, "daemon checkpoint")
    checked(bench, "daemon logs")
    for line in bench.run("events", "--json").out.splitlines():
        SCHEMAS["events"].model_validate_json(line)
    checked(bench, "close", "--dry-run")
    checked(bench, "close", "--yes")
    assert checked(bench, "close", "--yes")["already"] is True
    checked(bench, "reopen", "-s", "days")
    checked(bench, "abandon", "--yes")
    checked(bench, "list", "--all")
    checked(bench, "uninstall")
    checked(bench, "daemon start")
    assert checked(bench, "daemon stop")["stopped"] is True
    assert checked(bench, "daemon stop")["stopped"] is False


def test_conflict_replies_fit_their_schema(bench: Workbench, tmp_path: Path) -> None:
    """A clash, shown, resolved with a file, merged: the replies have exactly the documented fields."""
    bench.run("start", "one")
    other = bench.at(json.loads(bench.run("start", "two", "--json").out)["session"]["worktree"])
    for here, word in ((bench, "ONE"), (other, "TWO")):
        here.edit("a.txt", "line 5\n", f"line {word}\n")
        here.run("patch", "new", f"patch-{word}")
    checked(bench, "merge", "patch-ONE", "--ready")
    clash = checked(other, "merge", "patch-TWO", "--ready", code=3)
    found = clash["conflicts"][0]["id"]
    shown = checked(other, "conflict show", found[:4])
    assert "<<<<<<<" in shown["marked"]
    wanted = tmp_path / "wanted"  # outside the worktree: a file saved inside is an edit
    wanted.write_text(bench.read("a.txt").replace("ONE", "ONE and TWO"))
    checked(other, "resolve", found, "--file", str(wanted))
    checked(other, "conflicts", "--all")
    checked(other, "merge", "patch-TWO")
    assert "line ONE and TWO" in bench.git("show", "main:a.txt").out


def test_errors_are_told_in_words_and_in_json(bench: Workbench, tmp_path: Path) -> None:
    """Real failures have the exit code of the table and a hint, in both forms."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    failures: list[tuple[Workbench, list[str], int]] = [
        (bench.at(elsewhere), ["status"], 10),
        (bench, ["status"], 10),
        (bench, ["patch", "list"], 10),
        (bench, ["start", "-s", "x"], 2),
        (bench, ["start", "x", "--from", "nonsense"], 2),
        (bench, ["list", "--bogus"], 2),
    ]
    for at, words, code in failures:
        told = at.run(*words, code=code)
        assert told.err.startswith("error: ") and "\nhint: " in told.err, told
        found = ErrorReply.model_validate_json(at.run(*words, "--json", code=code).out)
        assert f"error: {found.error.message}\n" in told.err
    bench.run("start", "x")
    bench.run("patch", "new", "p")
    refused = bench.run("merge", "p", code=4)
    assert "hint: " in refused.err
    assert "hint: " in bench.run("start", "X", code=4).err
    assert "hint: " in bench.run("patch", "show", "q", code=10).err
    assert "hint: add --yes" in bench.run("close", code=2).err
    bench.stop()
    assert "hint: git session daemon start" in bench.run("daemon", "status", code=13).err


class OnTerminal:
    """A command on a pseudo-terminal: what it prints, and a person who types."""

    def __init__(self, bench: Workbench, *words: str) -> None:
        self.text = ""
        environ = {**os.environ, "TERM": "xterm"}
        environ.pop("NO_COLOR", None)
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            ["git-session", *words],
            cwd=bench.root,
            env=environ,
            preexec_fn=lambda: os.login_tty(theirs),  # noqa: PLW1509 - this test has no threads
        )
        os.close(theirs)

    def until(self, words: str) -> str:
        """Read until these words were printed."""
        end = time.monotonic() + 20
        while words not in self.text:
            assert time.monotonic() < end, self.text
            self.read()
        return self.text

    def read(self) -> bool:
        """Read what is there; False at the end."""
        if not select.select([self.ours], [], [], 1)[0]:
            return True
        try:
            data = os.read(self.ours, 65536)
        except OSError:
            return False
        self.text += data.decode()
        return bool(data)

    def type(self, text: str) -> None:
        """Type these keys."""
        os.write(self.ours, text.encode())

    def end(self, keys: str = "") -> int:
        """The exit code. ``keys`` are typed until then: Ctrl-C between prompt and read waits for a second one."""
        start = typed = time.monotonic()
        self.type(keys)
        while self.process.poll() is None and self.read():
            now = time.monotonic()
            assert now < start + 20, self.text
            if keys and now > typed + 3:
                self.type(keys)
                typed = now
        code = self.process.wait(20)
        os.close(self.ours)
        return code


def test_assign_asks_on_a_terminal(bench: Workbench) -> None:
    """The numbered list on a real terminal: patches in order, "Create new patch" last; Ctrl-C changes nothing."""
    bench.write("notes.txt", "one\n")
    bench.run("start", "x")
    bench.run("patch", "new", "first")
    bench.run("patch", "new", "second")
    before = bench.json("unassigned")
    assert len(before["unassigned"]) == 1
    person = OnTerminal(bench, "assign", "--all")
    shown = person.until("Patch for this edit: ")
    assert "  1  first\r\n  2  second\r\n  3  Create new patch\r\n" in shown
    assert person.end("\x03") == 130
    assert bench.json("unassigned") == before
    person = OnTerminal(bench, "assign", "notes.txt")
    person.until("Patch for this edit: ")
    person.type("3\n")
    person.until("Name of the new patch: ")
    person.type("third\n")
    assert person.end() == 0
    assert bench.patch("third")["ops"] == 1


def test_the_panel_is_coloured_on_a_terminal_only(bench: Workbench) -> None:
    """A terminal gets colour, a pipe does not; both end with a command."""
    bench.run("start", "x")
    person = OnTerminal(bench, "status")
    assert person.end() == 0
    assert "\033[1m" in person.text
    plain = bench.run("status").out
    assert "\033" not in plain
    assert plain.splitlines()[-1].startswith("➜ git session ")
    assert bench.run("--ascii").out.isascii()


def test_events_follow_until_interrupted(bench: Workbench) -> None:
    """events --follow prints a save as it happens, and ends with 130 on Ctrl-C."""
    bench.run("start", "x")
    follower = subprocess.Popen(
        ["git", "session", "events", "--follow", "--json", "--since", "0"], cwd=bench.root, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert follower.stdout is not None
    bench.write("new.txt", "one\n")
    while True:
        event = json.loads(follower.stdout.readline())
        SCHEMAS["events"].model_validate(event)
        if event["type"] == "saved":
            break
    os.killpg(follower.pid, signal.SIGINT)
    assert wait_for(lambda: follower.poll() is not None)
    assert follower.returncode in (130, -signal.SIGINT)
    follower.stdout.close()


@pytest.mark.soak
def test_a_reader_that_goes_away_is_no_error(bench: Workbench) -> None:
    """`git session history | head -1` prints no complaint."""
    bench.run("start", "x")
    line = "git session history -n 1000 2>err.txt | head -c 1"
    done = subprocess.run(["/bin/sh", "-c", line], cwd=bench.root, capture_output=True)
    assert len(done.stdout) == 1
    assert "Error" not in (bench.root / "err.txt").read_text()


@pytest.mark.soak
def test_the_demo_does_what_it_says(tmp_path: Path) -> None:
    """The tour runs through, ends with the merges in git log --graph, and leaves no daemon."""
    kept = tmp_path / "demo"
    done = subprocess.run(["git-session", "demo", "--keep", str(kept)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Merge patch 'login-form' of session 'fix-login'" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("The tour is over. Its repository is ")
    shop = Workbench(kept / "shop")
    assert shop.run("daemon", "status", code=13)
    assert "cached(render, user, login_form)" in shop.git("show", "main:shop/user.py").out


@pytest.mark.soak
def test_the_demo_needs_no_daemon_that_stays(tmp_path: Path) -> None:
    """The same tour without a daemon, as JSON: each command records, answers and ends."""
    kept = tmp_path / "demo"
    done = subprocess.run(
        ["git-session", "demo", "--json", "--keep", str(kept)],
        capture_output=True, text=True, timeout=240, env={**os.environ, "GITSESSION_DAEMON": "never"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = SCHEMAS["demo"].model_validate_json(done.stdout)
    assert found.repository == str(kept / "shop")  # type: ignore[attr-defined]
    again = subprocess.run(["git-session", "demo", "--keep", str(kept)], capture_output=True, text=True, timeout=60)
    assert (again.returncode, again.stderr.splitlines()[1]) == (4, "hint: git session demo --keep NEW-DIRECTORY")
