"""Processes of this machine, where the system shows them (proc(5)): who they are, and whether they have ended.

A process is told by its number and the moment it began, since numbers are used again; behind a blank there may be the
pid namespace of whoever told it (pid_namespaces(7)): in another one, as of a container, the number says nothing.
"""

from __future__ import annotations

import os
from typing import NamedTuple

ENDED = ("Z", "X", "x")  # it has ended, and nobody has taken note yet


def is_gone(pid: int | None, started: str) -> bool:
    """Whether that process has certainly ended; False where nobody can tell."""
    began, _, space = started.partition(" ")
    if pid is None or not began or not os.path.isdir("/proc/self") or (space and space != own_namespace()):
        return False
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False
    return len(words) > 19 and (words[0].decode() in ENDED or words[19].decode() != began)


def own_namespace() -> str | None:
    """The pid namespace of this process; None: the system does not say."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


class Process(NamedTuple):
    """A process as the kernel tells it. ``leader``: of its session, for a terminal's commands the shell."""

    pid: int
    began: str  # ticks since the boot
    parent: int
    leader: int
    tty: int  # device number of its terminal, 0: it has none
    uid: int


def seen(pid: int | None) -> Process | None:
    """The process of this number; None: there is none, it has ended, or the system shows none."""
    if pid is None or pid <= 0:
        return None
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            words = file.read().rpartition(b")")[2].split()
            uid = os.fstat(file.fileno()).st_uid
        if words[0].decode() in ENDED:
            return None
        return Process(pid, words[19].decode(), int(words[1]), int(words[3]), int(words[4]), uid)
    except (OSError, ValueError, IndexError):
        return None


def lives(pid: int, began: str) -> bool:
    """Whether this very process still runs."""
    found = seen(pid)
    return found is not None and found.began == began


def leader_of(process: Process) -> Process:
    """What a command lives by: the leader of its session, or the eldest of its ancestors there if that has ended."""
    leader = seen(process.leader)
    if leader is not None:
        return leader
    eldest = process
    while True:
        above = seen(eldest.parent)
        if above is None or above.leader != process.leader:
            return eldest
        eldest = above


def end_of(pid: int, began: str) -> int | None:
    """A descriptor that can be read once this process has ended (pidfd_open(2)); None: it has, or none is to be had.

    Raises:
        OSError: no descriptor is left, or the system has no such call.
    """
    try:
        found = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if lives(pid, began):  # looked at only now: the number may have been another's until a moment ago
        return found
    os.close(found)
    return None


def namespace_of(pid: int) -> str | None:
    """The pid namespace of a process; None: the system does not say, or not to us."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def boot_id() -> str:
    """What tells this run of the machine from all others; empty where the system has no such thing."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def terminal_name(device: int) -> str | None:
    """``/dev/pts/3`` and the like, of a device number (tty_nr of proc(5)); None: another kind, or none."""
    major, minor = os.major(device), os.minor(device)
    if 136 <= major <= 143:  # unix98 pseudo terminals
        return f"/dev/pts/{(major - 136) * 256 + minor}"
    return f"/dev/tty{minor}" if major == 4 and device else None
