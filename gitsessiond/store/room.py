"""Whether there is room to keep things, and how much is kept."""

from __future__ import annotations

import os
from typing import NamedTuple

TRY = "doctor-try"


class Room(NamedTuple):
    """What statvfs(2) says of a file system, as one who is not root has it."""

    free: int
    size: int
    free_inodes: int
    inodes: int


def room_at(path: str) -> Room:
    """Bytes and inodes of the file system of a directory.

    Raises:
        OSError: the directory is gone.
    """
    found = os.statvfs(path)
    return Room(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, found.f_favail, found.f_files)


def try_writing(directory: str) -> None:
    """Write a file, sync it, give it another name, read it, remove it: all that keeping a save needs.

    Raises:
        OSError: which of it could not be done.
    """
    draft, path = (os.path.join(directory, f"{TRY}{end}") for end in (".new", ""))
    try:
        with open(draft, "wb") as file:
            file.write(b"tried\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        with open(path, "rb") as file:
            if file.read() != b"tried\n":
                raise OSError(f"{path} does not read as it was written")
    finally:
        for left in (draft, path):
            try:
                os.unlink(left)
            except OSError:
                pass  # it was never made


def bytes_below(directory: str) -> int:
    """What all files in a directory and below occupy on disk."""
    total = 0
    for above, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(above, name)).st_blocks * 512
            except OSError:
                continue  # gone meanwhile
    return total
