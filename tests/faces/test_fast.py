"""The commands that must be quick: what they import, what they take, what they leave to the others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gitsessiond.faces.cli import fast
from gitsessiond.model.errors import NotFound, StoreFailed
from tests.faces import replies

SLOW = (
    "click",
    "pydantic",
    "dataclasses",
    "asyncio",
    "pygit2",
    "watchdog",
    "portalocker",
    "sqlite3",
    "subprocess",
)

PROBE = f"""
import sys
sys.argv = ["git-session", *WORDS]
import gitsessiond.main
import gitsessiond.wire.client
try:
    code = gitsessiond.main.cli()
except SystemExit as left:
    code = left.code
print([name for name in {SLOW!r} if name in sys.modules], code)
"""


@pytest.mark.parametrize("words", [[], ["status"], ["list", "--json"], ["-s", "x", "show", "--ascii"]])
def test_nothing_slow_is_imported(words: list[str], tmp_path: Path) -> None:
    """The panel and the list answer (here: that there is no repository) before click and the others are loaded."""
    program = PROBE.replace("WORDS", repr(words))
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["[] 10"], done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], fast.Glance()),
        (["--json"], fast.Glance(json=True)),
        (["--ascii"], fast.Glance(ascii=True)),
        (["-s", "x"], fast.Glance(session="x")),
        (["--session=x", "status"], fast.Glance("status", "x")),
        (["status", "-s", "x", "--json", "--ascii"], fast.Glance("status", "x", True, True)),
        (["status", "x"], fast.Glance("status", "x")),
        (["show", "x", "--ascii"], fast.Glance("status", "x", False, True)),
        (["list", "--all", "--json"], fast.Glance("list", None, True, False, True)),
    ],
)
def test_words_that_are_understood(words: list[str], asked: fast.Glance) -> None:
    """The quick commands with their options, in any order."""
    assert fast.read_words(words) == asked


@pytest.mark.parametrize(
    "words",
    [
        ["-h"], ["status", "--help"], ["start", "x"], ["status", "a", "b"], ["list", "x"], ["status", "--all"],
        ["list", "--ascii"], ["-s"], ["-s", ""], ["--all"], ["stat"], ["--version"], ["list", "status"],
    ],
)  # fmt: skip
def test_words_left_to_the_others(words: list[str]) -> None:
    """Help, mistakes and every other command are not answered here."""
    client = replies.FakeClient({})
    assert fast.run_fast(words, client.dial) is None
    assert client.asked == []


def test_status_prints_the_panel(capsys: pytest.CaptureFixture[str]) -> None:
    """status is the panel; its JSON is the reply with a version."""
    client = replies.FakeClient({"session.status": replies.status()})
    assert fast.run_fast(["status", "x"], client.dial) == 0
    assert capsys.readouterr().out.startswith("🔄 Session: user-improvements\n")
    assert client.sessions == ["x"]
    assert fast.run_fast(["--json"], client.dial) == 0
    assert json.loads(capsys.readouterr().out) == {"v": 1, **replies.status()}


@pytest.mark.parametrize("words", [["status"], ["-s", "x"]])
def test_a_named_session_that_is_not_there_is_an_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Only `git session` alone falls back to the list."""
    client = replies.FakeClient({"session.status": NotFound("no session", hint="git session list")})
    assert fast.run_fast(words, client.dial) == 10
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "error: no session\nhint: git session list\n")


def test_alone_without_a_session_it_lists(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`git session` elsewhere is the list; a session named by $GITSESSION is not passed over."""
    client = replies.FakeClient(
        {"session.status": NotFound("this directory carries no session"), "session.list": {"sessions": []}}
    )
    assert fast.run_fast([], client.dial) == 0
    assert capsys.readouterr().out == "No open session.\n➜ git session start NAME\n"
    monkeypatch.setenv("GITSESSION", "gone")
    assert fast.run_fast([], client.dial) == 10


def test_an_error_with_json_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs find errors on stdout, as JSON, and nothing on stderr."""
    client = replies.FakeClient({"session.list": StoreFailed("disk full", hint=None)})
    assert fast.run_fast(["list", "--json"], client.dial) == 15
    told = capsys.readouterr()
    assert json.loads(told.out) == {
        "v": 1, "error": {"code": "store_failed", "message": "disk full", "hint": None},
    }  # fmt: skip
    assert told.err == ""


def test_list_asks_for_ended_sessions_when_told(capsys: pytest.CaptureFixture[str]) -> None:
    """--all reaches the daemon."""
    client = replies.FakeClient({"session.list": {"sessions": []}})
    assert fast.run_fast(["list", "--all"], client.dial) == 0
    assert client.asked == [("session.list", {"all": True})]


def test_a_terminal_that_is_not_utf8_gets_letters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where emoji cannot be shown, the panel is drawn in ASCII without being asked."""

    class Stream:
        encoding = "latin-1"

        def isatty(self) -> bool:
            return True

    look: Any = fast.look_of(Stream(), {"TERM": "xterm"})  # type: ignore[arg-type]
    assert look == (True, True)
    assert fast.look_of(Stream(), {"TERM": "xterm", "NO_COLOR": "1"}).colour is False  # type: ignore[arg-type]
    assert fast.look_of(Stream(), {"TERM": "dumb"}).colour is False  # type: ignore[arg-type]
