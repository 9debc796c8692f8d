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
        found = read_process(pid)
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False
    return found.has_ended or found.began != began


def own_namespace() -> str | None:
    """The pid namespace of this process; None: the system does not say."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


class Process(NamedTuple):
    """A process as the kernel tells it. ``leader``: of its session, for a terminal's commands the shell."""

    pid: int
    name: str  # of its program, at most 15 bytes; empty: it has none
    has_ended: bool  # and whoever started it has not taken note yet
    began: str  # ticks since the boot
    parent: int
    leader: int
    tty: int  # device number of its terminal, 0: it has none
    uid: int


def read_process(pid: int) -> Process:
    """What the system shows under this number, also if it has ended; the name may hold anything but its own end.

    Raises:
        FileNotFoundError, ProcessLookupError: there is none, or the system shows none.
        OSError: it is not to be read.
    """
    with open(f"/proc/{pid}/stat", "rb") as file:
        told, uid = file.read(), os.fstat(file.fileno()).st_uid
    name, words = told.partition(b"(")[2].rpartition(b")")[0], told.rpartition(b")")[2].split()
    try:
        state, began, parent, leader, tty = words[0].decode(), words[19].decode(), *map(int, (words[1], *words[3:5]))
    except (ValueError, IndexError) as exc:
        raise OSError(f"not as proc(5) has it: /proc/{pid}/stat") from exc
    return Process(pid, name.decode("utf-8", "replace"), state in ENDED, began, parent, leader, tty, uid)


def seen(pid: int | None) -> Process | None:
    """The process of this number; None: there is none, it has ended, or the system shows none."""
    if pid is None or pid <= 0:
        return None
    try:
        found = read_process(pid)
    except OSError:
        return None
    return None if found.has_ended else found


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


def end_of(pid: int, began: str | None) -> int | None:
    """A descriptor that can be read once this process has ended (pidfd_open(2)); None: it has, or none is to be had.

    ``began`` None: whoever has the number.

    Raises:
        OSError: no descriptor is left, or the system has no such call.
    """
    try:
        found = os.pidfd_open(pid)
    except (ProcessLookupError, AttributeError):
        return None
    if began is None or lives(pid, began):  # looked at only now: it may have been another's until a moment ago
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
