"""The numbers that a session's files have as editors, in a file: so that none is used again by the next daemon.

A path a line, and the line is its number; a path is added when it is first opened or saved. It is a help, not a record:
where it cannot be read or written, numbers begin anew with each daemon.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from gitsessiond.model.errors import GitSessionError
from gitsessiond.model.names import quote_path, unquote_path


def numbers_file(state_dir: str, sid: str) -> str:
    """Where a session's numbers are."""
    return os.path.join(state_dir, "editors", sid)


class Numbers:
    """Numbers of paths, from 1 on in the order in which they came."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._of: dict[bytes, int] = {}
        self.last = 0
        self._read()

    def _read(self) -> None:
        """Those that were given; a line that is no path keeps its number."""
        try:
            with open(self._file, encoding="utf-8", errors="replace") as file:
                lines = file.read().split("\n")
        except OSError:
            return
        if lines[-1]:
            self._write("\n")  # a write was cut short
        else:
            lines.pop()
        for line in lines:
            self.last += 1
            with suppress(GitSessionError, ValueError):
                self._of.setdefault(unquote_path(line), self.last)

    def of(self, paths: Iterable[bytes]) -> dict[bytes, int]:
        """The numbers of paths; new ones get the next, and are kept together."""
        wanted = dict.fromkeys(paths)
        fresh = [path for path in wanted if path not in self._of]
        for path in fresh:
            self.last += 1
            self._of[path] = self.last
        if fresh:
            self._write("".join(quote_path(path) + "\n" for path in fresh))
        return {path: self._of[path] for path in wanted}

    def _write(self, text: str) -> None:
        with suppress(OSError):
            os.makedirs(os.path.dirname(self._file), mode=0o700, exist_ok=True)
            with open(self._file, "a", encoding="utf-8") as file:
                file.write(text)
