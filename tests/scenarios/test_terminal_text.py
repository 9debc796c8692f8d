"""No text of others reaches a terminal so that it could repaint it, whichever command shows it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.bench import Workbench

EVIL = "\x1b]0;pwned\x07\x1b[2J\x9b31m\x08\r\x1b[8mhidden"
OURS = re.compile(rb"\x1b\[(?:0|1|2|3[1-6])(?:;(?:1|2|3[1-6]))*m|\r\x1b\[K")  # our colours; the line that is cleared
COMMANDS = (
    "git session", "git session --ascii", "git session list --all", "git session show", "git session patch list",
    "git session patch show p", "git session patch ops p", "git session patch diff p", "git session patch validate p",
    "git session unassigned", "git session assign", "git session conflicts --all", "git session history", "git session events",
    "git session clients", "git session locks", "git session editors", "git session collaborators", "git session config",
    "git session hooks status", "git session doctor", "git session daemon status", "git session daemon logs",
)  # fmt: skip


def screen_of(cwd: Path, lines: list[str], **env: str) -> bytes:
    """Everything that comes on a terminal while these lines run there."""
    there, here = os.openpty()
    done = subprocess.Popen(
        ["sh", "-c", "\n".join(lines)],
        cwd=cwd,
        stdin=here,
        stdout=here,
        stderr=here,
        start_new_session=True,
        env={name: value for name, value in {**os.environ, "TERM": "xterm", **env}.items() if name != "NO_COLOR"},
    )
    os.close(here)
    shown = b""
    while True:
        try:
            shown += os.read(there, 1 << 16)
        except OSError:  # the last one that had it open is gone
            break
    os.close(there)
    done.wait(60)
    return shown


@pytest.mark.soak
def test_no_command_shows_text_that_repaints_the_terminal(bench: Workbench) -> None:
    """Names of files, people and branches, messages, descriptions, contents, reasons, and what was mistyped."""
    bench.run("start", "day")
    bench.run("patch", "new", "p", "-m", f"what {EVIL} it is for")
    bench.edit("a.txt", "line 2\n", f"line {EVIL} two\n")
    bench.write(f"odd{EVIL.replace('/', '')}.txt", f"{EVIL}\n")
    evil = {"GIT_AUTHOR_NAME": "Ann \x1b[2J", "GITSESSION_CLIENT": "tester"}
    bench.run("commit", "-m", f"subject {EVIL}", env=evil)
    bench.edit("a.txt", "line 5\n", f"line {EVIL} five\n")
    bench.write("loose.txt", f"{EVIL}\n")
    bench.git("branch", "caf\x9b31m")
    mistyped = [
        f"git session {words} {shlex.quote(EVIL)}"
        for words in (
            "patch show",
            "show -s",
            "resolve",
            "restore",
            "merge",
            "assign",
            "lock",
            "conflict show",
            "history",
            "",
        )
    ]
    shown = screen_of(bench.root, [*COMMANDS, *mistyped, f"git session lock a.txt --reason {shlex.quote(EVIL)}"])
    assert len(shown) > 5000
    left = OURS.sub(b"", shown).replace(b"\r\n", b"\n")
    found = [
        left[max(0, m.start() - 60) : m.end() + 20]
        for m in re.finditer(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", left)
    ]
    assert not found, found[:10]
