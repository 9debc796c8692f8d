"""Processes that die, as by kill -9: forks of this one, without the start of a Python."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


class Death:
    """Counts the writes of a process and ends it, as kill -9 would, before the one it was told."""

    def __init__(self, before: int) -> None:
        self.left = before

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            os._exit(99)

    def around(self, owner: Any, name: str) -> None:
        """Die before the call, or between it and the next."""
        real: Callable[..., Any] = getattr(owner, name)

        def call(*args: Any, **more: Any) -> Any:
            self.step()
            return real(*args, **more)

        setattr(owner, name, call)

    def arm(self) -> None:
        """Count everything that leaves a trace on the disk."""
        death = self

        class Connection(sqlite3.Connection):
            def execute(self, *args: Any) -> sqlite3.Cursor:
                death.step()
                return super().execute(*args)

            def executemany(self, *args: Any) -> sqlite3.Cursor:
                death.step()
                return super().executemany(*args)

        real = sqlite3.connect
        sqlite3.connect = lambda *args, **more: real(*args, factory=Connection, **more)  # type: ignore[assignment]
        for owner, names in (
            (os, ("fsync", "replace", "rename", "unlink", "makedirs")),
            (subprocess, ("Popen",)),
        ):
            for name in names:
                self.around(owner, name)


def lived(
    life: Callable[[Path, int], None], repo: Path, before: int, prepare: Callable[[], None] = lambda: None
) -> tuple[bool, list[str]]:
    """Run ``life`` in a process that dies before its write number ``before``; the steps it told of."""
    back, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(back)
            prepare()
            Death(before).arm()
            life(repo, told)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(told)
    with os.fdopen(back) as file:
        steps = file.read().splitlines()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 99), "the dying process met an error"
    return code == 0, steps


def in_a_child(script: str, words: Sequence[str], where: Path) -> tuple[int, str]:
    """Run a script in a fork of this process, as ``python -c`` would; its exit code, and what it said to the end."""
    back, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for number in (1, 2):
                os.dup2(told, number)
            os.close(back)
            os.close(told)
            os.chdir(where)
            sys.argv = ["-c", *words]
            exec(script, {})
            code = 0
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)
    os.close(told)
    with os.fdopen(back, errors="replace") as file:
        said = file.read()  # by the processes that it left behind, too
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said
