"""Files of ours below a worktree: opened from directory to directory, so that no link leads out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from gitsessiond.store.files import Content, Unread, read_file
from gitsessiond.store.renaming import NOREPLACE, rename

DRAFT = b".gitsessiond-draft"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened(
    root: bytes, directory: bytes, *, make: bool = False, rights: int = 0o700, ours: bool = False
) -> Iterator[int]:
    """A directory below another, reached step by step; ``make``: those that are missing are made.

    Raises:
        OSError: there is none, or a link or a file is in its place; with ``ours``: it is another user's, who could put
            one file of ours in the place of another.
    """
    place = os.open(root, _DIRECTORY)
    try:
        for part in (part for part in directory.split(b"/") if part):
            try:
                inner = os.open(part, _DIRECTORY, dir_fd=place)
            except FileNotFoundError:
                if not make:
                    raise
                with suppress(FileExistsError):
                    os.mkdir(part, rights, dir_fd=place)
                inner = os.open(part, _DIRECTORY, dir_fd=place)
            os.close(place)
            place = inner
            if ours and not is_trusted(os.fstat(place)):
                raise PermissionError(errno.EPERM, "it is in another user's directory", os.path.join(root, directory))
        yield place
    finally:
        os.close(place)


def is_trusted(found: os.stat_result) -> bool:
    """Whether whoever made a file may ask us for something: the socket takes requests of the same users."""
    return found.st_uid in (0, os.geteuid())


class Below(NamedTuple):
    """A file, and the directory from which on no link is followed; ``path`` is from there."""

    root: bytes
    path: bytes

    @property
    def at(self) -> bytes:
        """Where that is, in words for people: another may have put a link on the way since."""
        return os.path.join(self.root, self.path)

    def is_there(self) -> bool:
        """Whether there is a file; a link, or whatever is behind one, is none."""
        above, name = os.path.split(self.path)
        try:
            with opened(self.root, above) as place:
                return is_file(place, name)
        except OSError:
            return False

    def read(self, limit: int) -> Content | Unread:
        """Its whole content, as :func:`read_file`."""
        above, name = os.path.split(self.path)
        try:
            with opened(self.root, above) as place:
                return read_file(name, limit, within=place)
        except OSError:
            return Unread("gone")

    def make(self, content: bytes) -> None:
        """Make it, and the directories above it.

        Raises:
            OSError: something is there, a link is on the way, or the disk refuses.
        """
        above, name = os.path.split(self.path)
        with opened(self.root, above, make=True) as place:
            write_draft(place, content, 0o600)
            if not rename(place, DRAFT, place, name, NOREPLACE):
                remove_draft(place)
                raise FileExistsError(self.at)

    def replace(self, content: bytes) -> None:
        """Have a file that is there hold this.

        Raises:
            OSError: no file is there any more, or the disk refuses.
        """
        above, name = os.path.split(self.path)
        with opened(self.root, above) as place:
            if not is_file(place, name):
                raise FileNotFoundError(self.at)
            rights = stat.S_IMODE(os.stat(name, dir_fd=place, follow_symlinks=False).st_mode)
            write_draft(place, content, rights)
            os.replace(DRAFT, name, src_dir_fd=place, dst_dir_fd=place)

    def remove(self, top: bytes) -> None:
        """Remove it, and the directories above it, up to ``top``, in which nothing else is."""
        above, name = os.path.split(self.path)
        with suppress(OSError):
            with opened(self.root, above) as place:
                remove_draft(place)
                if is_file(place, name):
                    os.unlink(name, dir_fd=place)
            while above.startswith(top + b"/"):
                above, name = os.path.split(above)
                with opened(self.root, above) as place:
                    os.rmdir(name, dir_fd=place)


def is_file(place: int, name: bytes) -> bool:
    """Whether a directory has a regular file of this name."""
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=place, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def write_draft(place: int, content: bytes, rights: int) -> None:
    """A new file with this content, to be given its name."""
    remove_draft(place)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(DRAFT, flags, 0o600, dir_fd=place)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, rights)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def remove_draft(place: int) -> None:
    """Remove a draft that did not come to be, or what was exchanged for it."""
    with suppress(FileNotFoundError):
        os.unlink(DRAFT, dir_fd=place)
