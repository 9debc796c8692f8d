"""Read leases (fcntl(2), ``F_SETLEASE``), and the keeper that ends one whose holder stands still.

A lease keeps a writer's ``open`` waiting until it is given back. A holder that is stopped inside one (SIGSTOP, a
debugger, the freezer) would keep an editor waiting for /proc/sys/fs/lease-break-time, 45 seconds. So the kernel tells
a process of its own, the keeper, which has the same table of descriptors (``CLONE_FILES``) and gives back what the
holder does not. The holder learns from :func:`give_back` whether its lease lasted. docs/decisions/leases.md has the
figures.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import signal
import time
from typing import Literal

# Told of a waiting writer. The default signal, SIGIO, ends a process without a handler; SIGURG never.
BREAK_SIGNAL = signal.SIGURG
PATIENCE_S = 0.01  # a holder that is not stopped ends its lease far sooner, and with whole content

CLONE_NUMBER = {"x86_64": 56, "aarch64": 220}  # clone(2); glibc's wrapper would want a stack
CLONE_FILES = 0x400
PR_SET_PDEATHSIG = 1

_keeper: list[int] = []  # its process id, in the process that started it


def take_lease(descriptor: int) -> Literal["held", "busy", "none"]:
    """Ask for a read lease: ``busy`` when the file is open for writing, ``none`` when we may not."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return "none"
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, BREAK_SIGNAL)
        for pid in _keeper:
            _give_owner(descriptor, pid)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as exc:
        return "busy" if exc.errno in (errno.EAGAIN, errno.EWOULDBLOCK) else "none"
    return "held"


def _give_owner(descriptor: int, pid: int) -> None:
    """Let the keeper be told; if it was killed, the holder's own end of the lease must do."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, pid)
    except ProcessLookupError:
        _keeper.clear()


def give_back(descriptor: int) -> bool:
    """End a lease; tells whether it lasted until now, so that nobody could write meanwhile. Again is harmless."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False  # the keeper or the kernel ended it
    return True


def start_keeper() -> int | None:
    """Start the keeper of this process's leases, which ends with it; None: not on this system.

    Only while this process has one thread: its child goes on with a copy of the interpreter.
    """
    number = CLONE_NUMBER.get(platform.machine())
    if number is None or not hasattr(fcntl, "F_SETLEASE"):
        return None
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {BREAK_SIGNAL})
    try:
        parent = os.getpid()
        # PyDLL keeps the interpreter's lock, which the child could not get back.
        pid = ctypes.PyDLL(None).syscall(number, CLONE_FILES | signal.SIGCHLD, 0, 0, 0, 0)
        if pid == 0:
            _keep(parent)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
    if pid < 0:
        return None
    _keeper[:] = [pid]
    return int(pid)


def _keep(parent: int) -> None:
    """Be the keeper: no return. In a session of its own, so that what stops the holder's group leaves it alone."""
    try:
        os.setsid()
        ctypes.PyDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        while os.getppid() == parent:
            signal.sigwait({BREAK_SIGNAL})
            time.sleep(PATIENCE_S)
            for name in os.listdir("/proc/self/fd"):
                give_back(int(name))
    finally:
        os._exit(0)
