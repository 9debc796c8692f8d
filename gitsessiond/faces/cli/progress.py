"""A line on the terminal while a command takes long; gone when it has its answer. Cheap to import."""

from __future__ import annotations

from typing import TextIO

CLEARED = "\r\033[K"


class Waiting:
    """What a person at a terminal sees after the first second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = False

    def waited(self, seconds: float, left: int | None) -> None:
        """So long already; ``left``: files still to be recorded, as far as is known."""
        what = f"recording, {left:,} files left" if left else "working"
        self._write(f"{CLEARED}git session: {what} ({seconds:.0f} s)")
        self._shown = True

    def over(self) -> None:
        """The answer has come, or never will."""
        if self._shown:
            self._write(CLEARED)
            self._shown = False

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            pass  # the terminal is gone
