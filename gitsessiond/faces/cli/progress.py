"""A line on the terminal while a command takes long; gone when it has its answer. Cheap to import."""

from __future__ import annotations

from typing import TextIO

from gitsessiond.faces.cli.words import clean

CLEARED = "\r\033[K"


class Waiting:
    """What a person at a terminal sees after the first second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = False

    def waited(self, seconds: float, left: int | None, other: str | None = None) -> None:
        """So long already; ``left``: files still to be recorded, as far as is known; ``other``: who goes first."""
        what = f"recording, {left:,} files left" if left else "working"
        if other is not None:
            what = f"waiting for {clean(other)}"
        written(self._stream, f"{CLEARED}git session: {what} ({seconds:.0f} s)")
        self._shown = True

    def over(self) -> None:
        """The answer has come, or never will."""
        if self._shown:
            written(self._stream, CLEARED)
            self._shown = False


class Told:
    """What a stream gets that is no terminal, such as a program's log: one line, where another's command goes first."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told = False

    def waited(self, seconds: float, left: int | None, other: str | None = None) -> None:
        """So long already; ``other``: who goes first."""
        if other is not None and not self._told:
            written(self._stream, f"git session: waiting for {clean(other)}\n")
            self._told = True

    def over(self) -> None:
        """The answer has come, or never will."""


def written(stream: TextIO, text: str) -> None:
    """Write what may as well be lost."""
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        pass  # the terminal is gone
