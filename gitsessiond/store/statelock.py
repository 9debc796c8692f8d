"""The authority lock: one file lock that says which process may write a repository's sessions.

Held by front for its whole life and, through the inherited descriptor, by its recorder: a new daemon begins only
when both are gone, however they ended. The kernel gives it back; nothing stale is ever left to a hand.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import IO

import portalocker

from gitsessiond.model.errors import Locked

LOCK = "lock"


class TooLateError(Exception):
    """The alarm that ends the wait; no OSError, which portalocker would take for the file system's."""


class StateLock:
    """The lock while it is held. ``fileno`` may be handed to a child, which then holds it too."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def fileno(self) -> int:
        """The descriptor that carries the lock."""
        return self._file.fileno()

    def release(self) -> None:
        """Give it back, unless a child holds it still."""
        self._file.close()


def take_lock(state_dir: str, wait_s: float = 0.0) -> StateLock:
    """Take the lock, waiting in the kernel for at most ``wait_s`` seconds. Main thread only (it sets an alarm).

    Raises:
        Locked: another process has it; the message names its pid.
    """
    path = os.path.join(state_dir, LOCK)
    file = open(path, "a+", encoding="ascii", errors="replace")  # noqa: SIM115  (kept for the process's life)
    try:
        _lock(file, wait_s)
    except (portalocker.AlreadyLocked, TooLateError):
        file.seek(0)
        holder = file.read(32).strip() or "unknown"
        file.close()
        raise Locked(
            f"another gitsessiond process (pid {holder}) is at work on this repository",
            hint="git session daemon status",
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return StateLock(file)


def _lock(file: IO[str], wait_s: float) -> None:
    """Lock without waiting, or wait until an alarm."""
    if wait_s <= 0:
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        return
    former = signal.signal(signal.SIGALRM, _too_late)
    signal.setitimer(signal.ITIMER_REAL, wait_s)
    try:
        portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def _too_late(number: int, frame: FrameType | None) -> None:
    """The alarm: end the wait."""
    raise TooLateError
