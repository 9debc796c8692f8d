"""Being the process that runs the user's check: a child of whoever asked, so that nobody else waits for it.

It has the asker's environment but for git's variables, and their standard error. It ends with its pipe: a command
that was interrupted or killed takes the check and its worktree along (docs/decisions/check.md).
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import time
from collections import deque
from typing import Any

from gitsessiond.daemon import log
from gitsessiond.daemon.once import read_request
from gitsessiond.daemon.process import clean_environment
from gitsessiond.model.errors import BadRequest, GitSessionError
from gitsessiond.store.checkouts import Checkout, kill_group, sweep_checks
from gitsessiond.store.repository import open_repository
from gitsessiond.wire.frames import encode
from gitsessiond.wire.requests import VERSION, reply_error, reply_ok

TAIL = 64 << 10  # bytes of what the check says that are kept
GRACE_S = 2.0  # from a polite end to a killed one
AFTERMATH_S = 0.2  # how long what a check left in the background may go on talking
ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Cancelled(Exception):
    """Whoever asked is gone."""


def be_check(where: str, fd: int) -> int:
    """Run the check that is asked for on ``fd``, tell what came of it, and leave nothing."""
    log.WHO["name"] = "check"
    for number in ENDINGS:
        signal.signal(number, cancel)
    os.set_inheritable(fd, False)
    with socket.socket(fileno=fd) as pipe:
        try:
            answer = reply_to(pipe, where)
        except Cancelled:
            return 130
        except GitSessionError as exc:
            answer = reply_error(1, exc)
        except Exception as exc:
            log.log_bug("check", exc)
            answer = reply_error(1, log.as_unforeseen(exc))
        try:
            pipe.sendall(encode(answer))
        except OSError:
            pass  # whoever asked is gone
    return 0


def cancel(number: int, frame: object) -> None:
    """A signal ends the check as the end of the pipe does; a second one does not keep it from clearing away."""
    for one in ENDINGS:
        signal.signal(one, signal.SIG_IGN)
    raise Cancelled


def reply_to(pipe: socket.socket, where: str) -> dict[str, Any]:
    """What came of the check: ``{"code", "seconds", "timed_out", "output"}``. None asked for: clear away only.

    Raises:
        Cancelled: whoever asked is gone.
        GitSessionError: it could not be run.
    """
    asked = read_request(pipe)
    if isinstance(asked, BadRequest) or asked is None or asked.get("v") != VERSION:
        raise Cancelled
    repository = open_repository(where)
    sweep_checks(repository)
    due = asked.get("check")
    if not isinstance(due, dict):
        return reply_ok(1, {})
    checkout = Checkout(repository)
    try:
        checkout.fill(str(due["target"]), str(due["tree"]))
        return reply_ok(1, Running(checkout, due, pipe).result())
    finally:
        checkout.remove()


class Running:
    """One run of the command, from its start to its last word."""

    def __init__(self, checkout: Checkout, due: dict[str, Any], pipe: socket.socket) -> None:
        self._pipe, self._limit = pipe, float(due["timeout_s"])
        self._tail: deque[bytes] = deque()
        self._kept = 0
        self._began = time.monotonic()
        self._child = subprocess.Popen(
            ["/bin/sh", "-c", str(due["command"])],
            cwd=checkout.path,
            env=clean_environment() | {"GITSESSION_CHECK": str(due["patch"]["name"])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        checkout.note_leader(self._child.pid)

    def result(self) -> dict[str, Any]:
        """Listen until it ends; raises Cancelled when whoever asked is gone first."""
        timed_out = False
        try:
            timed_out = not self._listen()
        finally:
            self._end()
        code = self._child.returncode
        return {
            "code": code if code >= 0 else 128 - code,
            "seconds": round(time.monotonic() - self._began, 3),
            "timed_out": timed_out,
            "output": b"".join(self._tail).decode("utf-8", "replace"),
        }

    def _listen(self) -> bool:
        """Take what it says until it has ended; False: it took too long."""
        assert self._child.stdout is not None
        pidfd = os.pidfd_open(self._child.pid)
        try:
            with selectors.DefaultSelector() as select:
                for one in (self._child.stdout, pidfd, self._pipe):
                    select.register(one, selectors.EVENT_READ)
                while True:
                    left = self._began + self._limit - time.monotonic() if self._limit else None
                    ready = [key.fileobj for key, _ in select.select(left)]
                    if not ready and left is not None and left <= 0:
                        return False
                    if self._pipe in ready and not self._pipe.recv(1 << 12):
                        raise Cancelled
                    if self._child.stdout in ready and not self._take():
                        select.unregister(self._child.stdout)
                    if pidfd in ready:
                        break
            self._last_words()
            return True
        finally:
            os.close(pidfd)

    def _take(self) -> bool:
        """One piece of what it says, shown and kept; False at the end."""
        assert self._child.stdout is not None
        piece = os.read(self._child.stdout.fileno(), 1 << 16)
        self._tail.append(piece)
        self._kept += len(piece)
        while self._kept - len(self._tail[0]) >= TAIL:
            self._kept -= len(self._tail.popleft())
        try:
            os.write(2, piece)
        except OSError:
            pass  # the terminal is gone
        return bool(piece)

    def _last_words(self) -> None:
        """What is still in the pipe of a check that has ended; what it left behind may hold that open for ever."""
        assert self._child.stdout is not None
        until = time.monotonic() + AFTERMATH_S
        with selectors.DefaultSelector() as select:
            select.register(self._child.stdout, selectors.EVENT_READ)
            while select.select(max(0.0, until - time.monotonic())) and self._take():
                pass

    def _end(self) -> None:
        """End it if it runs still, politely first; nothing of its group goes on."""
        if self._child.poll() is None:
            try:
                os.killpg(self._child.pid, signal.SIGTERM)
                self._child.wait(GRACE_S)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass  # killed below
        kill_group(self._child.pid)
        self._child.wait()
