"""The last events on disk, so that a follower finds them again after the daemon that told them has ended.

One event a line, written before it is told, and at each turn of the loop; no sync: a killed daemon has written them, a
lost machine took its followers along. The first line says in which run of the machine it was begun.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from gitsessiond.daemon.log import log
from gitsessiond.model.errors import BadRequest
from gitsessiond.store.processes import boot_id
from gitsessiond.wire.frames import decode, encode

Event = dict[str, Any]


class EventLog:
    """A file of the last ``most`` events, or of up to twice as many."""

    def __init__(self, path: str, most: int) -> None:
        self._path, self._most = path, most
        self._file: int | None = None
        self._lines = 0
        self._unwritten = bytearray()

    def read(self) -> tuple[list[Event], bool]:
        """The last events of former daemons, and whether these told none after them: the machine has run since."""
        try:
            with open(self._path, "rb") as file:
                lines = file.read().split(b"\n")[:-1]  # one cut short was told to nobody
        except OSError:
            return [], False
        try:
            boot = decode(lines[0]).get("boot") if lines else None
            events = [decode(line) for line in lines[1:][-self._most :]]
        except BadRequest as wrong:
            log(f"{self._path}: {wrong.message}")
            return [], False
        if not all(isinstance(event.get("seq"), int) for event in events):
            log(f"{self._path}: an event without a number")
            return [], False
        return events, bool(boot) and boot == boot_id()

    def begin(self, lines: Iterable[bytes]) -> None:
        """Write the file anew, with these events."""
        self.close()
        self._unwritten.clear()
        draft = self._path + ".new"
        kept = [encode({"boot": boot_id()}), *lines]
        try:
            self._file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            _write(self._file, b"".join(kept))
            os.replace(draft, self._path)
        except OSError as exc:
            self._give_up(exc)
        self._lines = len(kept)

    def add(self, line: bytes) -> bool:
        """Have one event written next; False: the file is to be begun anew."""
        self._lines += 1
        if self._file is None:
            return self._lines % self._most != 0  # the disk may have room again
        self._unwritten += line
        return self._lines < 2 * self._most

    def flush(self) -> None:
        """Write what is not written yet."""
        if not self._unwritten or self._file is None:
            return
        try:
            _write(self._file, bytes(self._unwritten))
        except OSError as exc:
            self._give_up(exc)
        self._unwritten.clear()

    def _give_up(self, exc: OSError) -> None:
        """Keep no file rather than one in which events are missing, whose numbers would be used again."""
        log(f"events are not kept: {exc}")
        self._unwritten.clear()
        self.close()
        for path in (self._path, self._path + ".new"):
            try:
                os.unlink(path)
            except OSError:
                pass  # it is not there

    def close(self) -> None:
        """Write what is left, and give the descriptor back."""
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _write(file: int, data: bytes) -> None:
    """Write all of it, or raise OSError."""
    if os.write(file, data) != len(data):
        raise OSError(f"{len(data):,} bytes did not go in one piece")
