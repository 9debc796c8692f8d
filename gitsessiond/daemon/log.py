"""The daemon's log: lines on standard error, which whoever started the process put in a file or on a terminal."""

from __future__ import annotations

import os
import sys
import time
import traceback

from gitsessiond.model.errors import Bug, GitSessionError, disk_refused

WHO = {"name": "gitsessiond"}  # which of the processes speaks; set once at start


def log(words: str) -> None:
    """Write one line with time, process and words; a full disk or closed terminal is no reason to fail."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    line = f"{stamp}.{int(now * 1000) % 1000:03d}Z {WHO['name']} {os.getpid()} {words}\n"
    try:
        os.write(2, line.encode("utf-8", "backslashreplace"))
    except OSError:
        pass


def log_bug(where: str, exc: BaseException) -> None:
    """Write an exception nobody foresaw, with its traceback."""
    log(f"bug in {where}: {''.join(traceback.format_exception(exc))}".rstrip())


def as_unforeseen(exc: Exception) -> GitSessionError:
    """What people are told of an exception nobody foresaw: that the disk refused, else that it is a bug."""
    if isinstance(exc, OSError):
        return disk_refused("the disk refused", exc)
    where = log_path() or "the daemon's log"
    return Bug(f"{type(exc).__name__}: {exc} (details in {where})", hint="git session daemon logs")


def log_path() -> str | None:
    """The file standard error goes to, if it is one."""
    try:
        path = os.readlink(f"/proc/self/fd/{sys.stderr.fileno()}")
    except (OSError, ValueError):
        return None
    return path if os.path.isfile(path) else None
