"""The file of the journal of locks: lines appended to it, and read on where one stopped (docs/format.md, "Locks").

Whoever appends has written the whole file before, under another name: so there is never anything behind which a line
would not count, and what a killed process cut off does not have to be cut out.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from gitsessiond.model.errors import NewerState, StateUnreadable, disk_refused
from gitsessiond.model.hints import aside_words

JOURNAL, DRAFT = "locks.journal", ".new"
FORMAT = 1
LONGEST, TIMES = 1 << 20, 4  # bytes; and as long as what is held: a longer one is written anew
LONGEST_FIRST = 4096  # bytes of the first line
LARGEST = 1 << 28  # bytes: what is longer was not written by us
MOST_FORMATS = 1_000_000
NAME = "the journal of locks"

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC

Row = list[Any]


class Damaged(StateUnreadable):
    """Nobody can tell what is held."""


class LockReader:
    """What a journal says while its writer goes on. ``rows``: by token, as of the last time it was read."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._first, self._at = b"", 0  # the line that tells this file from all others; how far it is read
        self.rows: dict[int, Row] = {}

    def read(self) -> dict[int, Row]:
        """The rows that are held now; none where there is no file. They are the same objects as long as they stay.

        Raises:
            Damaged: a line cannot be read.
            NewerState: it was written by a newer version.
            StateUnreadable: it is no file.
            StoreFailed: the file cannot be read.
        """
        first, self._first = self._first, b""  # unless all goes well it is read from its beginning next time
        try:
            with open_file(self._path) as file:
                found, size = file.readline(LONGEST_FIRST), os.fstat(file.fileno()).st_size
                if not first or found != first or size < self._at:
                    check_first(found)
                    self.rows, self._at = {}, len(found)
                if size > LARGEST:
                    raise Damaged(f"{NAME} is damaged: it has {size:,} bytes", hint="git session doctor")
                file.seek(self._at)
                lines = file.read(size - self._at).split(b"\n")
        except FileNotFoundError:
            self.rows = {}
            return self.rows
        except OSError as exc:
            raise disk_refused(f"{NAME} cannot be read", exc) from exc
        lines.pop()  # cut off, or not written whole yet: it was told to nobody
        for line in lines:
            apply(self.rows, line)
            self._at += len(line) + 1
        self._first = found
        return self.rows


def open_file(path: str) -> BinaryIO:
    """Open a file to be read, and nothing else that may be in its place: a pipe would keep everybody waiting.

    Raises:
        StateUnreadable: it is no file.
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StateUnreadable(f"{path} is no file", hint=aside_words(path))
    return open(descriptor, "rb")


def check_first(line: bytes) -> None:
    """Look at the format.

    Raises:
        Damaged: it is no such line.
        NewerState: it is one of a newer version.
    """
    try:
        told = json.loads(line)
        number = told["format"] if told["gitsessiond"] == "locks" and line.endswith(b"\n") else 0
    except (ValueError, KeyError, TypeError, RecursionError):
        number = 0
    if type(number) is not int or not 0 < number < MOST_FORMATS:
        raise Damaged(f"{NAME} is damaged: it has no first line", hint="git session doctor")
    if number > FORMAT:
        raise NewerState(
            f"{JOURNAL} has format {number}; this gitsessiond knows {FORMAT}", hint="install a newer gitsessiond"
        )


def apply(rows: dict[int, Row], line: bytes) -> None:
    """Do to the rows what one line says.

    Raises:
        Damaged: it says nothing.
    """
    try:
        drops, puts = json.loads(line)
        for token in (*drops, *(row[0] for row in puts)):
            if type(token) is not int:
                raise TypeError
        for token in drops:
            rows.pop(token, None)
        rows.update((row[0], row) for row in puts)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as exc:
        raise Damaged(f"{NAME} is damaged: {line[:40]!r}", hint="git session doctor") from exc


class LockLog:
    """The journal as its one writer has it. ``rows``: what is held, by token, each as it is written."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None  # open only while lines may be appended
        self._size, self._most = 0, LONGEST
        self.rows: dict[int, str] = {}

    def write(self, drops: Sequence[int], puts: Mapping[int, str]) -> None:
        """Write what changed, so that whoever reads from now on finds all of it, and before that nothing of it.

        Raises:
            StoreFailed: the disk refused; what was written before counts.
        """
        try:
            if not self._may_append():
                rows = self._changed(drops, puts)
                self._write_whole(rows)
                self.rows = rows
                return
            self._append(f"[[{','.join(map(str, drops))}],[{','.join(puts.values())}]]\n".encode("ascii"))
        except OSError as exc:
            self.close()  # there may be a part of a line: what comes next goes into a new file
            raise disk_refused(f"{NAME} cannot be written", exc) from exc
        for token in drops:
            self.rows.pop(token, None)
        self.rows.update(puts)
        if self._size > self._most:
            self._shorten()

    def _may_append(self) -> bool:
        """Whether the file is the one that was written whole, and nobody has removed, cut or lengthened it."""
        if self._file is None:
            return False
        found = os.fstat(self._file)
        return found.st_nlink > 0 and found.st_size == self._size

    def _changed(self, drops: Sequence[int], puts: Mapping[int, str]) -> dict[int, str]:
        """What is held after a change."""
        gone = frozenset(drops)
        return {token: row for token, row in self.rows.items() if token not in gone} | dict(puts)

    def _append(self, line: bytes) -> None:
        """Write a line at the end.

        Raises:
            OSError: the disk refused.
        """
        assert self._file is not None
        write_all(self._file, line)
        self._size += len(line)

    def _shorten(self) -> None:
        """Leave out what is no more, if that is most of it; a disk that refuses is not asked again soon."""
        self._most = max(LONGEST, TIMES * sum(map(len, self.rows.values())))
        if self._size > self._most:
            try:
                self._write_whole(self.rows)
            except OSError:
                self._most = 2 * self._size

    def _write_whole(self, rows: Mapping[int, str]) -> None:
        """Write all into a new file, and put it in the place of the old one.

        Raises:
            OSError: the disk refused.
        """
        first = {"gitsessiond": "locks", "format": FORMAT, "of": f"{os.getpid()}-{time.time_ns()}"}
        content = f"{json.dumps(first)}\n[[],[{','.join(rows.values())}]]\n".encode("ascii")
        draft = self._path + DRAFT
        with suppress(FileNotFoundError):
            os.unlink(draft)  # of who was killed, or somebody's link to a file of theirs
        file = os.open(draft, _NEW, 0o666)
        try:
            write_all(file, content)
            os.rename(draft, self._path)
        except BaseException as exc:
            os.close(file)
            with suppress(OSError):
                os.unlink(draft)
            if isinstance(exc, IsADirectoryError):
                raise IsADirectoryError(exc.errno, exc.strerror, self._path) from None  # it is not the draft
            raise
        self.close()
        self._file, self._size = file, len(content)

    def is_lost(self) -> bool:
        """Whether somebody has removed the file, or put another one in its place."""
        if self._file is None:
            return bool(self.rows) and not os.path.lexists(self._path)
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._file))
        except OSError:
            return True

    def close(self) -> None:
        """Append no more to this file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def write_all(file: int, content: bytes) -> None:
    """Write in one go.

    Raises:
        OSError: the disk refused; a part may have been written.
    """
    if os.write(file, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
