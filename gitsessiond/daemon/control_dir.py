"""``.gitsession/`` of one worktree on disk: read and written so that no link leads out of it and no save is lost.

Every name is opened from the directory above it without following links. A file is *exchanged* with the new one and
looked at then: what somebody saved meanwhile, or has open for writing, is put back. Nothing here waits.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from gitsessiond.store.below import DRAFT, is_trusted, opened, remove_draft
from gitsessiond.store.leases import give_back, take_lease
from gitsessiond.store.renaming import EXCHANGE, NOREPLACE, rename

HOME = b".gitsession"
LARGEST = 1 << 20  # bytes of a save that is read
UNTOLD_S = 0.1  # rest asked of a file of which nobody can tell whether it is open for writing
REFUSED = b".refused"
LONGEST = 240  # bytes of a name that others are made of, by something behind it

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Signature = tuple[int, int, int]  # inode, mtime_ns, size


class Save(NamedTuple):
    """A file's content as somebody left it."""

    content: bytes
    signature: Signature


class NoSave(NamedTuple):
    """Why there is none: ``gone``; ``busy``: open for writing, its end will be told; ``fresh``: look again soon;
    ``odd``: it is no file that is read, and why.
    """

    kind: Literal["gone", "busy", "fresh", "odd"]
    why: str = ""


class Name(NamedTuple):
    """A name in a directory."""

    name: bytes
    is_directory: bool
    inode: int


class ControlDir:
    """The files below ``.gitsession/``; paths are relative to it."""

    def __init__(self, worktree: str) -> None:
        self._worktree = os.fsencode(worktree)

    def is_there(self) -> bool:
        """Whether the worktree is: where it is being removed, nothing may come back."""
        return os.path.lexists(self._worktree + b"/.git")

    @contextmanager
    def _opened(self, directory: bytes, *, make: bool = False) -> Iterator[int]:
        """A directory, reached step by step; ``make``: those that are missing are made.

        Raises:
            OSError: there is none, a link or a file is in its place, or one on the way is another user's.
        """
        with opened(self._worktree, HOME + b"/" + directory, make=make, ours=True) as place:
            yield place

    def signature(self, path: bytes) -> Signature | None:
        """What tells a file from every other version of it; None: nothing is there."""
        above, name = os.path.split(path)
        try:
            with self._opened(above) as place:
                return signed(os.stat(name, dir_fd=place, follow_symlinks=False))
        except OSError:
            return None

    def changed_at(self, path: bytes) -> float | None:
        """When a file, or what is in a directory, was last changed, by the system's clock; None: nothing is there."""
        above, name = os.path.split(path.rstrip(b"/"))
        try:
            with self._opened(above) as place:
                return os.stat(name, dir_fd=place, follow_symlinks=False).st_ctime
        except OSError:
            return None

    def inode(self, directory: bytes) -> int | None:
        """The inode of a directory; None: there is none, or it is another user's."""
        try:
            with self._opened(directory) as place:
                return os.fstat(place).st_ino
        except OSError:
            return None

    def names(self, directory: bytes) -> list[Name]:
        """What is in a directory; nothing where there is none."""
        try:
            with self._opened(directory) as place, os.scandir(place) as listing:
                return [Name(os.fsencode(one.name), one.is_dir(follow_symlinks=False), one.inode()) for one in listing]
        except OSError:
            return []

    def make(self, directory: bytes) -> None:
        """Make a directory, and those above it.

        Raises:
            OSError: the disk refuses, or something else is there.
        """
        with self._opened(directory, make=True):
            pass

    def read(self, path: bytes) -> Save | NoSave:
        """A file's whole content, if nobody is writing it."""
        above, name = os.path.split(path)
        try:
            with self._opened(above) as place:
                found = os.stat(name, dir_fd=place, follow_symlinks=False)
                if not stat.S_ISREG(found.st_mode):
                    return NoSave("odd", f"it is {kind_of(found.st_mode)}, not a file")
                descriptor = os.open(name, _FILE, dir_fd=place)
        except FileNotFoundError:
            return NoSave("gone")
        except OSError as exc:
            return NoSave("odd", exc.strerror or "it cannot be read")
        try:
            return read_whole(descriptor)
        finally:
            os.close(descriptor)

    def put(self, path: bytes, content: bytes, expected: Signature | None) -> Signature | None:
        """Have a file hold this, if what is there is still as expected (or nothing); None: it is not.

        Raises:
            OSError: the disk refuses.
        """
        above, name = os.path.split(path)
        with self._opened(above, make=True) as place:
            new = write_draft(place, content)
            try:
                if rename(place, DRAFT, place, name, NOREPLACE):
                    return new
                if expected is None or not rename(place, DRAFT, place, name, EXCHANGE):
                    return None
                if not is_left_alone(place, expected):
                    rename(place, DRAFT, place, name, EXCHANGE)
                    if signed(os.stat(DRAFT, dir_fd=place, follow_symlinks=False)) != new:  # one more save, just now
                        rename(place, DRAFT, place, name + REFUSED, NOREPLACE)
                    return None
                return new
            finally:
                remove_draft(place)

    def put_aside(self, path: bytes) -> bytes | None:
        """Give what is there its name, cut where it is long, with ``.refused``; returns that, None: it could not be."""
        above, name = os.path.split(path)
        beside = name[:LONGEST] + REFUSED
        try:
            with self._opened(above) as place:
                for number in range(1, 10):
                    if rename(place, name, place, beside, NOREPLACE):
                        return os.path.join(above, beside)
                    beside = b"%s%s-%d" % (name[:LONGEST], REFUSED, number + 1)
        except OSError:
            pass
        return None

    def move(self, path: bytes, new: bytes) -> bool:
        """Give a file another name in its directory, if that is free."""
        above, name = os.path.split(path)
        try:
            with self._opened(above) as place:
                return rename(place, name, place, os.path.basename(new), NOREPLACE)
        except OSError:
            return False

    def remove(self, path: bytes, expected: Signature) -> None:
        """Remove a file that is as expected and that nobody is writing; anything else stays."""
        above, name = os.path.split(path)
        try:
            with self._opened(above) as place:
                if signed(os.stat(name, dir_fd=place, follow_symlinks=False)) != expected:
                    return
                remove_draft(place)
                if not rename(place, name, place, DRAFT, NOREPLACE):
                    return
                if is_left_alone(place, expected):
                    remove_draft(place)
                elif not rename(place, DRAFT, place, name, NOREPLACE):  # one more save, just now
                    rename(place, DRAFT, place, name + REFUSED, NOREPLACE)
        except OSError:
            pass

    def remove_directory(self, path: bytes) -> None:
        """Remove a directory in which nothing is."""
        above, name = os.path.split(path)
        try:
            with self._opened(above) as place:
                os.rmdir(name, dir_fd=place)
        except OSError:
            pass


def signed(found: os.stat_result) -> Signature:
    """The signature in a stat."""
    return found.st_ino, found.st_mtime_ns, found.st_size


def kind_of(mode: int) -> str:
    """What is there instead of a file, in words."""
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a link" if stat.S_ISLNK(mode) else "something else"


def read_whole(descriptor: int) -> Save | NoSave:
    """The content of an open file, unless it is being written or too large."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        return NoSave("odd", f"it is {kind_of(found.st_mode)}, not a file")
    if not is_trusted(found):
        return NoSave("odd", "it is another user's")
    if found.st_size > LARGEST:
        return NoSave("odd", f"it is larger than {LARGEST >> 20} MiB")
    state = take_lease(descriptor)
    if state == "busy":
        return NoSave("busy")
    if state == "none" and abs(time.time() - found.st_mtime) < UNTOLD_S:
        return NoSave("fresh")
    found = os.fstat(descriptor)
    content = os.read(descriptor, LARGEST + 1)
    lasted = give_back(descriptor) if state == "held" else signed(os.fstat(descriptor)) == signed(found)
    return Save(content, signed(found)) if lasted and len(content) == found.st_size else NoSave("fresh")


def write_draft(place: int, content: bytes) -> Signature:
    """A new file with this content, to be given its name."""
    remove_draft(place)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(DRAFT, flags, 0o600, dir_fd=place)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        return signed(os.fstat(descriptor))


def is_left_alone(place: int, expected: Signature) -> bool:
    """Whether the file that was exchanged is the expected one, and nobody has it open for writing."""
    found = os.stat(DRAFT, dir_fd=place, follow_symlinks=False)
    if signed(found) != expected or not stat.S_ISREG(found.st_mode):
        return signed(found) == expected
    descriptor = os.open(DRAFT, _FILE, dir_fd=place)
    try:
        state = take_lease(descriptor)
        if state == "held":
            give_back(descriptor)
        return state != "busy"
    finally:
        os.close(descriptor)
