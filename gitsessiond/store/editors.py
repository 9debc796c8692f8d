"""What editors leave on disk, read so that nothing in its place can hold the reader up; and what has a pid.

No link is followed at the end of a path, nothing but a regular file (or a link, where that is the manner) is read, a
FIFO is not waited for, and never more than the first bytes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gitsessiond.model.opened import Process, Times
from gitsessiond.model.swapfiles import BLOCK, LONGEST_LINE, Kind, Said, said_by
from gitsessiond.store.processes import read_process

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_MOST: dict[Kind, int] = {"swap": BLOCK, "kate": 64, "office": LONGEST_LINE}
MOST_LISTED = 1000  # names of a directory of swap files that are looked at


class Found(NamedTuple):
    """A lock on disk: what it says and when it was written (seconds since the epoch)."""

    said: Said
    written: float


def read_lock(place: bytes, kind: Kind) -> Found | None:
    """What lies at a lock's place; None: nothing, or nothing of that kind."""
    try:
        if kind == "link":
            at = os.lstat(place)
            said = said_by(kind, os.readlink(place))
        else:
            content, at = read_head(place, _MOST[kind])
            said = said_by(kind, content)
    except (OSError, ValueError):
        return None
    return Found(said, at.st_mtime_ns / 1e9) if said is not None else None


def read_head(place: bytes, most: int) -> tuple[bytes, os.stat_result]:
    """The first bytes of a regular file.

    Raises:
        OSError: it is none, or cannot be read.
    """
    handle = os.open(place, _READ)
    try:
        at = os.fstat(handle)
        if not stat.S_ISREG(at.st_mode):
            raise OSError(f"no regular file: {os.fsdecode(place)}")
        return os.read(handle, most), at
    finally:
        os.close(handle)


def times_of(found: Found, file: bytes) -> Times:
    """When a lock and the file it is of were written."""
    return Times(found.written, written_at(file))


def written_at(file: bytes) -> float | None:
    """When a file was written; None: it is not there."""
    try:
        return os.lstat(file).st_mtime_ns / 1e9
    except (OSError, ValueError):
        return None


def process_of(pid: int | None) -> Process | None:
    """What has a pid now; None: nothing, or something that has ended."""
    if pid is None:
        return None
    try:
        found = read_process(pid)
    except OSError:
        return Process(None, 0.0) if is_alive(pid) else None
    if found.has_ended:
        return None
    return Process(found.name or None, booted_at() + int(found.began) / os.sysconf("SC_CLK_TCK"))


def is_alive(pid: int) -> bool:
    """Whether there is such a process, where the system does not show which."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def booted_at() -> float:
    """When the machine started, by the clock as it is now."""
    with open("/proc/stat", "rb") as file:
        for line in file:
            if line.startswith(b"btime "):
                return float(line.split()[1])
    return 0.0


def swap_directories(env: Mapping[str, str]) -> list[bytes]:
    """Where Neovim keeps its swap files unless told otherwise: below its state, in old versions its data."""
    home = env.get("HOME") or os.path.expanduser("~")
    app = os.path.basename(env.get("NVIM_APPNAME") or "nvim")
    state = env.get("XDG_STATE_HOME") or f"{home}/.local/state"
    data = env.get("XDG_DATA_HOME") or f"{home}/.local/share"
    return [os.fsencode(f"{base}/{app}/swap") for base in (state, data)]


def names_in(directory: bytes) -> Iterable[bytes]:
    """The names in a directory, not too many; none where it cannot be read."""
    out: list[bytes] = []
    try:
        with os.scandir(directory) as listing:
            for entry in listing:
                out.append(entry.name)
                if len(out) >= MOST_LISTED:
                    break
    except OSError:
        pass
    return out
