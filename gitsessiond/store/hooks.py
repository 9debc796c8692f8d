"""A git child that runs the user's hooks is waited for as long as somebody waits for what it does, and no longer.

Whoever serves a request says by :func:`while_asked` how it would learn that the asker is gone: from then on the child's
whole process group is ended, as by a Ctrl-C in a terminal.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

GRACE_S = 2.0  # from each way to end a child to the next, less polite one
LOOK_S = 0.02
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


class Child(Protocol):
    """A process that leads its own group."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code; None: it runs."""

    def wait(self) -> int:
        """Its exit code, once it has ended."""


class Asker(NamedTuple):
    """Whom a request is served for. ``fd``: can be read when there is news; ``gone``: whether it is that, or None."""

    fd: int
    gone: Callable[[], bool | None]


_ASKER: ContextVar[Asker | None] = ContextVar("asker", default=None)


@contextmanager
def while_asked(fd: int, gone: Callable[[], bool | None]) -> Iterator[None]:
    """Serve a request: what can be read at ``fd`` is news of the asker, and ``gone`` says which.

    True: nobody waits any more. None: there will be no more news. False: it was nothing.
    """
    token = _ASKER.set(Asker(fd, gone))
    try:
        yield
    finally:
        _ASKER.reset(token)


def wait_while_asked(child: Child) -> int:
    """The exit code of a child, ended once the asker is gone.

    Where the system knows no descriptors of processes (Linux does) it is waited for to its end.
    """
    asker = _ASKER.get()
    if asker is not None and hasattr(os, "pidfd_open") and has_gone(child, asker):
        interrupt(child)
    return child.wait()


def await_end(child: Child, seconds: float) -> bool | None:
    """Wait for a child's end, woken by it (``Popen.wait`` sleeps, and looks again); whether it came within that time.

    None: it cannot be waited for so here. It has not been waited for (wait(2)) afterwards.
    """
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        ended = os.pidfd_open(child.pid)
    except OSError:
        return None  # waited for before, or no descriptor is left
    try:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(ended)


def has_gone(child: Child, asker: Asker) -> bool:
    """Wait for the child's end or the asker's; whether it was the asker's."""
    ended = os.pidfd_open(child.pid)
    try:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        poll.register(asker.fd, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if ended in ready:
                return False
            gone = asker.gone()
            if gone:
                return True
            if gone is None:
                poll.unregister(asker.fd)
    finally:
        os.close(ended)


def interrupt(child: Child) -> None:
    """End a child and what is left of its group: it is asked politely first."""
    for number in INTERRUPTS:
        until = time.monotonic() + GRACE_S
        try:
            os.killpg(child.pid, number)
            while time.monotonic() < until:
                child.poll()  # a group whose leader nobody has waited for is still there
                os.killpg(child.pid, 0)
                time.sleep(LOOK_S)
        except ProcessLookupError:
            return
