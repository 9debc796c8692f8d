"""Turns at git's own locks, for many processes in one repository: who comes later waits instead of failing.

The resources are nodes of one tree: ``git`` over ``git/config``, ``git/worktrees`` and ``git/index@WORKTREE``. A git
that only needs the index of one worktree takes that node, and ``git`` above it shared; any other takes ``git`` alone,
and with it all below. All are flocks on files of ours: they need no daemon, the kernel keeps the queue, and gives back
what a killed holder had.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from gitsessiond.model.errors import Locked
from gitsessiond.wire.place import Place, common_dir_of, find_git_dir
from gitsessiond.wire.starting import open_lock

TELL_AFTER_S = 2.0
INSIDE = "GITSESSION_TURN"  # in the environment of whoever has a turn: the holder's pid, and "git" or "index"
WHOLE, DOOR = "turn-git", "turn-door"
ONLY_INDEX = frozenset({"add", "rm", "mv", "commit", "reset", "restore", "apply", "update-index", "read-tree", "stage"})
"""git commands that write nothing two worktrees share but objects and their own branch."""


def needs_index_only(words: Sequence[str]) -> tuple[bool, str]:
    """Whether a command is a git that only needs the index of one worktree, and the directory its ``-C`` leads to."""
    directory, rest = "", iter(words[1:])
    if not words or os.path.basename(words[0]) != "git":
        return False, directory
    for word in rest:
        if word == "-C":
            directory = os.path.join(directory, next(rest, ""))
        elif word == "-c":
            next(rest, None)
        else:
            return word in ONLY_INDEX, directory
    return False, directory


class GitTurn:
    """A turn at git's locks for one command; ``tell`` is called once, with the holder's words, where that takes long.

    ``within``: seconds to wait at most; None: as long as it takes.
    """

    def __init__(
        self, cwd: str, words: Sequence[str], tell: Callable[[str], None], *, within: float | None = None
    ) -> None:
        index_only, directory = needs_index_only(words)
        git_dir = find_git_dir(os.path.join(cwd, directory))
        self._place = Place(common_dir_of(git_dir))
        self._own = f"turn-index@{os.path.basename(git_dir) if git_dir != self._place.common_dir else ''}"
        self._index_only, self._words, self._tell, self._within = index_only, " ".join(words)[:200], tell, within
        self._files: list[int] = []
        self.waited_s = 0.0

    def __enter__(self) -> GitTurn:
        began = time.monotonic()
        if self._is_inside(os.environ):
            return self
        try:
            with Patience(self._within, self._holder_words, self._tell):
                # the door keeps the order: else those who share ``git`` could pass a waiter who wants it alone for ever
                door = self._take(DOOR, fcntl.LOCK_EX)
                self._take(WHOLE, fcntl.LOCK_SH if self._index_only else fcntl.LOCK_EX)
                self._give_back(door)
                if self._index_only:
                    self._take(self._own, fcntl.LOCK_EX)
        except BaseException:
            self._give_all_back()
            raise
        self._sign()
        self.waited_s = time.monotonic() - began
        return self

    def __exit__(self, *exc: object) -> None:
        if self._files:
            os.ftruncate(self._files[-1], 0)
        self._give_all_back()

    def environment(self) -> dict[str, str]:
        """What tells a command that it, and what it starts, has a turn already."""
        if not self._files:
            return {}
        return {INSIDE: f"{os.getpid()}:{self._own if self._index_only else WHOLE}"}

    def _is_inside(self, env: Mapping[str, str]) -> bool:
        """Whether whoever started this has a turn that holds this one.

        Raises:
            Locked: it has a smaller one, and to wait for more while holding it could go on for ever.
        """
        pid, _, held = env.get(INSIDE, "").partition(":")
        if not pid or f"(process {pid})" not in self._signed(held) or not self._is_held(held):
            return False  # that one has ended, and this was left running
        if held == WHOLE or (self._index_only and held == self._own):
            return True
        raise Locked(
            f"{self._words} was called from {self._signed(held)}, which holds only the index",
            hint="git session exec -- sh -c 'ALL OF IT'",
        )

    def _is_held(self, name: str) -> bool:
        """Whether anybody has this lock."""
        file = open_lock(self._place, name, "no turn at git can be taken")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def _take(self, name: str, mode: int) -> int:
        file = open_lock(self._place, name, "no turn at git can be taken")
        self._files.append(file)
        fcntl.flock(file, mode)
        return file

    def _give_back(self, file: int) -> None:
        self._files.remove(file)
        os.close(file)

    def _give_all_back(self) -> None:
        for file in self._files:
            os.close(file)
        self._files = []

    def _sign(self) -> None:
        """Write into the lock who has it; one that is shared says nothing."""
        words = f"{self._words} (process {os.getpid()})\n".encode("utf-8", "surrogateescape")
        os.ftruncate(self._files[-1], 0)
        os.pwrite(self._files[-1], words, 0)

    def _signed(self, name: str) -> str:
        """Who last had a lock."""
        try:
            with open(os.path.join(self._place.state_dir, os.path.basename(name)), "rb") as file:
                return file.read(4096).decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def _holder_words(self) -> str:
        """For whom this waits, as far as it is known."""
        return self._signed(self._own if self._index_only else WHOLE) or "another git"


class Patience:
    """While it lasts: tell once after a while for whom one waits, and end the wait in time."""

    def __init__(self, within: float | None, holder: Callable[[], str], tell: Callable[[str], None]) -> None:
        self._within, self._holder, self._tell = within, holder, tell
        self._until = None if within is None else time.monotonic() + within
        self._told = False

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, self._rang)
        self._timer = signal.setitimer(signal.ITIMER_REAL, self._next())

    def __exit__(self, *exc: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, *self._timer)
        signal.signal(signal.SIGALRM, self._before)

    def _next(self) -> float:
        """Seconds to the next thing to do; not 0, which would be never."""
        left = None if self._until is None else max(0.001, self._until - time.monotonic())
        if self._told:
            return left or 0.0
        return TELL_AFTER_S if left is None else min(TELL_AFTER_S, left)

    def _rang(self, number: int, frame: FrameType | None) -> None:
        if self._until is not None and time.monotonic() >= self._until:
            raise Locked(
                f"{self._holder()} was not done within {self._within:g} s", hint="run it again with a longer --wait"
            )
        if not self._told:
            self._told = True
            self._tell(self._holder())
        signal.setitimer(signal.ITIMER_REAL, self._next())
