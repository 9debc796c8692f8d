"""The last events on disk, so that a follower finds them again after the daemon that told them has ended.

One event a line, written before it is told, and at most 20 ms after it happened; no sync: a killed daemon has written
them, a lost machine took its followers along. The first line says in which run of the machine it was begun.
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

MOST_BYTES = 8 << 20  # of one file


class EventLog:
    """Two files of events, the one before put aside when it holds ``most``, or is long."""

    def __init__(self, path: str, most: int) -> None:
        self._path, self._aside, self._most = path, path + ".1", most
        self._file: int | None = None
        self._lines = self._bytes = 0
        self._unwritten = bytearray()

    def read(self) -> tuple[list[Event], bool]:
        """The last events of former daemons, and whether these told none after them: the machine has run since."""
        events: list[Event] = []
        boot = ""
        for path in (self._aside, self._path):
            try:
                with open(path, "rb") as file:
                    lines = file.read().split(b"\n")[:-1]  # one cut short was told to nobody
                boot = str(decode(lines[0]).get("boot")) if lines else ""
                events += [decode(line) for line in lines[1:]]
            except FileNotFoundError:
                continue
            except (OSError, BadRequest) as wrong:
                log(f"{path}: {wrong}")
                return [], False
        if not all(isinstance(event.get("seq"), int) for event in events):
            log(f"{self._path}: an event without a number")
            return [], False
        return events[-self._most :], bool(boot) and boot == boot_id()

    def begin(self, lines: Iterable[bytes]) -> None:
        """Write it anew, with these events."""
        self.close()
        self._remove()
        self._open(lines)

    def _open(self, lines: Iterable[bytes]) -> None:
        """Begin a file."""
        kept = [encode({"boot": boot_id()}), *lines]
        self._lines, self._bytes = len(kept), 0
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            _write(self._file, b"".join(kept))
        except OSError as exc:
            self._give_up(exc)

    def add(self, line: bytes) -> bool:
        """Have one event written next; False: all is to be begun anew."""
        self._lines += 1
        if self._file is None:
            return self._lines % self._most != 0  # the disk may have room again
        self._unwritten += line
        self._bytes += len(line)
        if self._lines > self._most or self._bytes > MOST_BYTES:
            self._turn_over()
        return True

    def flush(self) -> None:
        """Write what is not written yet."""
        if not self._unwritten or self._file is None:
            return
        try:
            _write(self._file, bytes(self._unwritten))
        except OSError as exc:
            self._give_up(exc)
        self._unwritten.clear()

    def _turn_over(self) -> None:
        """Put the file aside and begin the next; nothing is replaced, for which the file system would wait."""
        self.close()
        try:
            if os.path.lexists(self._aside):
                os.unlink(self._aside)
            os.rename(self._path, self._aside)
        except OSError as exc:
            self._give_up(exc)
            return
        self._open(())

    def _give_up(self, exc: OSError) -> None:
        """Keep no file rather than one in which events are missing, whose numbers would be used again."""
        log(f"events are not kept: {exc}")
        self._unwritten.clear()
        self.close()
        self._remove()

    def _remove(self) -> None:
        for path in (self._aside, self._path):
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
