"""Processes of ours and what is around them: the recorder as a child, a clean environment, who descends from whom."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from gitsessiond.daemon.link import Link
from gitsessiond.store.processes import read_process
from gitsessiond.store.repository import Repository, worktrees
from gitsessiond.wire.place import Peer


def clean_environment() -> dict[str, str]:
    """Our environment without git's variables: a daemon started by a hook would inherit ``GIT_INDEX_FILE``."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def leave_surroundings(kept: Sequence[int]) -> None:
    """Drop what a daemon must not hold on to: the starter's directory, variables and descriptors.

    Standard input, output and error stay, and the descriptors of ``kept``. So does the umask: what git and hooks write
    for the user is to have the rights that it has without us; what is ours lies in directories closed to others.
    """
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]
    os.chdir("/")
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        numbers = list(range(3, 256))
    for number in numbers:
        if number > 2 and number not in kept:
            try:
                os.close(number)
            except OSError:
                pass  # the listing's own, or never open
    for number in kept:
        os.set_inheritable(number, False)


class RecorderChild:
    """A recorder process and the pipe to it. It holds the authority lock too, by an inherited descriptor."""

    def __init__(self, words: Sequence[str], lock: int) -> None:
        ours, theirs = socket.socketpair()
        argv = [*words, "--fd", str(theirs.fileno()), "--lock-fd", str(lock)]
        with theirs:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), lock),
                env=clean_environment(),
                cwd="/",
                start_new_session=True,  # a Ctrl-C for front in a terminal is not for the recorder
            )
        self.pid = self._process.pid
        self.link = Link(ours, Peer(self.pid, os.geteuid()))

    def wait(self, within: float | None) -> int | None:
        """Its exit code; None: it runs still after so many seconds."""
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it now; nothing that was published is lost."""
        self._process.kill()
        self._process.wait()


def recorder_words(repository: Repository) -> list[str]:
    """The command line of a recorder, to stand in a worktree that exists: the one we started in may be gone."""
    where = repository.worktree
    if not os.path.isdir(where):
        others = [one.path for one in worktrees(repository) if not one.bare and os.path.isdir(one.path)]
        where = others[0] if others else where
    return [sys.executable, "-P", "-m", "gitsessiond.main", "recorder", "--repository", where]


def descends_from(pid: int | None, ancestor: int) -> bool:
    """Whether a process is a child of another one, or a child's child; False where there is no /proc."""
    while pid is not None and pid > 1:
        if pid == ancestor:
            return True
        pid = parent_of(pid)
    return False


def parent_of(pid: int) -> int | None:
    """The parent's pid; None where there is no /proc."""
    try:
        return read_process(pid).parent
    except OSError:
        return None


def resident_mb(pid: int) -> float | None:
    """The memory a process keeps resident, in MB; None where there is no /proc."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            pages = int(file.read().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def boot_time() -> float:
    """Seconds since the machine started, those it slept included; elsewhere without them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def clear_away(path: str) -> None:
    """Remove a directory of ours, or whatever stands in its place."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)
