"""The daemon's log: lines on standard error, which whoever started the process put in a file or on a terminal.

A file that grows long while a daemon runs is put aside by front alone, so that no two processes do it at once; the
others see that it went and go on in the new one.
"""

from __future__ import annotations

import os
import sys
import time
import traceback

from gitsessiond.model.errors import Bug, GitSessionError, disk_refused
from gitsessiond.wire.starting import KEPT_LOG

SHOWN = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}
"""How control characters are written, so that no name or message repaints the terminal of who reads the file."""

WHO = {"name": "gitsessiond"}  # which of the processes speaks; set once at start
FILE = {"path": "", "puts_aside": ""}  # the log, where it is a file of ours; set once at start


def keep_in(path: str, *, puts_aside: bool = False) -> None:
    """Say that standard error is this file (if it is), to be followed when it is put aside, or put aside here."""
    if is_ours(path):
        FILE.update(path=path, puts_aside="yes" if puts_aside else "")


def let_go() -> None:
    """Look for the file no more: its directory is being removed."""
    FILE.update(path="", puts_aside="")


def is_ours(path: str) -> bool:
    """Whether standard error goes to the file of this name."""
    try:
        return os.path.samestat(os.fstat(2), os.stat(path))
    except OSError:
        return False


def tend_log() -> None:
    """Put a long log aside, or go on in the one that took its place."""
    path = FILE["path"]
    if not path:
        return
    try:
        if is_ours(path):
            if not FILE["puts_aside"] or os.fstat(2).st_size <= KEPT_LOG:
                return
            os.replace(path, path + ".1")
        new = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(new, 2)
        os.close(new)
    except OSError:
        pass  # what is said goes on where it went


def log(words: str) -> None:
    """Write one line with time, process and words; a full disk or closed terminal is no reason to fail."""
    tend_log()
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    words = words.translate(SHOWN)
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
