"""Terminals as people have them: each a shell of its own on a terminal of its own, in which commands are typed."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.bench import wait_for


class Terminal:
    """A shell on a terminal; ``env``: what is exported there. What commands print goes into files below ``notes``."""

    def __init__(self, notes: Path, cwd: Path, **env: str) -> None:
        self.notes, self.typed = notes, 0
        notes.mkdir()
        self.screen, own = os.openpty()
        name = os.ttyname(own)  # who leads a session and opens a terminal, has it (tty_ioctl(4))
        self.shell = subprocess.Popen(
            ["sh", "-c", f"exec sh < {name} > {name} 2>&1"],
            cwd=cwd,
            env={**os.environ, "PS1": "", **env},
            start_new_session=True,
        )
        self.own = own
        os.set_blocking(self.screen, False)

    def type(self, line: str) -> None:
        """Type a line, and what came on the screen is looked at by nobody."""
        os.write(self.screen, f"{line}\n".encode())
        try:
            while os.read(self.screen, 1 << 16):
                pass
        except BlockingIOError:
            pass

    def begin(self, line: str) -> Path:
        """Begin a line that goes on; the file of what it prints."""
        self.typed += 1
        out = self.notes / str(self.typed)
        self.type(f"{line} > {shlex.quote(str(out))} 2>&1 &")
        wait_for(out.exists)
        return out

    def run(self, *words: str, code: int = 0) -> str:
        """``git session WORDS``, to its end; what it printed on both streams."""
        self.typed += 1
        out, ended = self.notes / str(self.typed), self.notes / f"{self.typed}.code"
        at = shlex.quote(str(self.notes / str(self.typed)))
        self.type(
            f"git session {shlex.join(words)} > {at} 2>&1 < /dev/tty; echo $? > {at}.part; mv {at}.part {at}.code"
        )
        wait_for(ended.exists, 60, f"for git session {words}")
        printed = out.read_text()
        assert int(ended.read_text()) == code, (words, printed)
        return printed

    def json(self, *words: str, code: int = 0) -> Any:
        """The same with ``--json``."""
        return json.loads(self.run(*words, "--json", code=code))

    def me(self) -> Any:
        """The client that this terminal is."""
        (found,) = [one for one in self.json("clients")["clients"] if one["pid"] == self.shell.pid]
        return found

    def close(self) -> None:
        """The window is closed: the kernel hangs up on what runs there."""
        if self.screen >= 0:
            os.close(self.own)
            os.close(self.screen)
            self.screen = -1
            self.shell.wait(20)

    def kill(self) -> None:
        """kill -9 of the shell alone."""
        self.shell.send_signal(signal.SIGKILL)
        self.shell.wait(20)


def events_in(path: Path) -> list[dict[str, Any]]:
    """What a follower has printed so far, whole lines."""
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
